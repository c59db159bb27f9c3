/* Other processes that use the store of store_fixture.h, which comes before */

#ifndef STORE_CHILD_H
#define STORE_CHILD_H


#include <poll.h>
#include <sys/wait.h>


/* children answer with these, parents wait for them: no test sleeps */
typedef struct {
    pid_t  pid;
    int    in;
    int    out;
} child_t;


static inline void
child_start(child_t *child, void (*run)(child_t *self))
{
    int  down[2], up[2];

    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);

    child->pid = fork();
    assert_true(child->pid >= 0);

    if (child->pid == 0) {
        child->in = down[0];
        child->out = up[1];
        close(down[1]);
        close(up[0]);
        run(child);
        _exit(0);
    }

    child->in = up[0];
    child->out = down[1];
    close(down[0]);
    close(up[1]);
}


static inline void
child_end(child_t *child)
{
    int  status;

    close(child->in);
    close(child->out);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}


static inline void
say(child_t *child)
{
    assert_int_equal(write(child->out, "x", 1), 1);
}


static inline void
hear(child_t *child)
{
    char  c;

    assert_int_equal(read(child->in, &c, 1), 1);
}


static inline int
hears_nothing(child_t *child, int ms)
{
    struct pollfd  pfd;

    pfd.fd = child->in;
    pfd.events = POLLIN;

    return poll(&pfd, 1, ms) == 0;
}


/* in a child an assert would go on with the parent's tests: it exits */
static inline void
must(int ok)
{
    if (!ok) {
        _exit(1);
    }
}


static inline dm_store_t *
child_open(dm_store_mode_t mode)
{
    dm_store_t  *store;

    must(dm_store_open(&store, path, mode, &keys, NULL) == DM_OK);

    return store;
}


#endif /* STORE_CHILD_H */
