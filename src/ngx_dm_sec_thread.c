/* Work that takes long: each piece in a thread of its own */

#include "ngx_dm_sec_thread.h"
#include "ngx_dm_sec_log.h"

#include <ngx_channel.h>


/* those of this worker */
static struct {
    ngx_queue_t  running;

    /* a thread writes where its job is, as the last that it does */
    int          ended[2];
    ngx_uint_t   opened;
} ngx_dm_sec_threads;


static ngx_int_t ngx_dm_sec_thread_open(ngx_uint_t log_limit);
static int ngx_dm_sec_thread_create(ngx_dm_sec_thread_job_t *job);
static void *ngx_dm_sec_thread_run(void *data);
static void ngx_dm_sec_thread_event(ngx_event_t *ev);
static void ngx_dm_sec_thread_join(ngx_dm_sec_thread_job_t *job);
static void ngx_dm_sec_thread_log(ngx_uint_t log_limit, ngx_err_t err,
    const char *function);


ngx_int_t
ngx_dm_sec_thread_start(ngx_dm_sec_thread_job_t *job, ngx_uint_t log_limit)
{
    int  err;

    if (ngx_dm_sec_thread_open(log_limit) != NGX_OK) {
        return NGX_ERROR;
    }

    err = ngx_dm_sec_thread_create(job);

    if (err) {
        ngx_dm_sec_thread_log(log_limit, err, "pthread_create()");
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&ngx_dm_sec_threads.running, &job->queue);

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_thread_open(ngx_uint_t log_limit)
{
    int  fd[2];

    if (ngx_dm_sec_threads.opened) {
        return NGX_OK;
    }

    if (pipe2(fd, O_CLOEXEC) == -1) {
        ngx_dm_sec_thread_log(log_limit, ngx_errno, "pipe2()");
        return NGX_ERROR;
    }

    if (ngx_nonblocking(fd[0]) == -1) {
        ngx_dm_sec_thread_log(log_limit, ngx_errno, ngx_nonblocking_n);
        goto failed;
    }

    if (ngx_add_channel_event((ngx_cycle_t *) ngx_cycle, fd[0], NGX_READ_EVENT,
                              ngx_dm_sec_thread_event)
        != NGX_OK)
    {
        ngx_dm_sec_thread_log(log_limit, 0, "ngx_add_channel_event()");
        goto failed;
    }

    ngx_queue_init(&ngx_dm_sec_threads.running);

    ngx_dm_sec_threads.ended[0] = fd[0];
    ngx_dm_sec_threads.ended[1] = fd[1];
    ngx_dm_sec_threads.opened = 1;

    return NGX_OK;

failed:

    (void) close(fd[0]);
    (void) close(fd[1]);

    return NGX_ERROR;
}


/* 0, or the error number */
static int
ngx_dm_sec_thread_create(ngx_dm_sec_thread_job_t *job)
{
    int       err;
    sigset_t  all, before;

    /* signals are for the worker, but for those that a thread itself raises */

    (void) sigfillset(&all);
    (void) sigdelset(&all, SIGILL);
    (void) sigdelset(&all, SIGFPE);
    (void) sigdelset(&all, SIGSEGV);
    (void) sigdelset(&all, SIGBUS);

    err = pthread_sigmask(SIG_BLOCK, &all, &before);
    if (err) {
        return err;
    }

    err = pthread_create(&job->thread, NULL, ngx_dm_sec_thread_run, job);

    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    return err;
}


static void *
ngx_dm_sec_thread_run(void *data)
{
    ngx_dm_sec_thread_job_t *job = data;

    job->run(job->data);

    /* fails when the worker has gone from the other end, and joins all */

    (void) !write(ngx_dm_sec_threads.ended[1], &job, sizeof(void *));

    return NULL;
}


static void
ngx_dm_sec_thread_event(ngx_event_t *ev)
{
    ssize_t                   n;
    ngx_dm_sec_thread_job_t  *job;

    for ( ;; ) {

        /* a write of so little is never seen in part */

        n = read(ngx_dm_sec_threads.ended[0], &job, sizeof(void *));

        if (n != sizeof(void *)) {
            return;
        }

        ngx_dm_sec_thread_join(job);

        /* the job may be gone when this returns */

        job->done(job->data);
    }
}


/* a thread that is not joined may still be in the module's code */
static void
ngx_dm_sec_thread_join(ngx_dm_sec_thread_job_t *job)
{
    int  err;

    err = pthread_join(job->thread, NULL);

    if (err) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, err,
                      "dm_sec: pthread_join() failed");
    }

    /* clang-tidy takes this element for the one that was removed before */
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    ngx_queue_remove(&job->queue);
}


static void
ngx_dm_sec_thread_log(ngx_uint_t log_limit, ngx_err_t err,
    const char *function)
{
    static ngx_str_t  reason = ngx_string("thread");

    if (ngx_dm_sec_log_may(log_limit, NGX_LOG_ERR, &reason)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "dm_sec: there is no thread for a slow hash, which is "
                      "not computed: %s failed", function);
    }
}


void
ngx_dm_sec_thread_exit_process(void)
{
    ngx_queue_t  *q;

    if (!ngx_dm_sec_threads.opened) {
        return;
    }

    /* first, so that no thread waits for room in a pipe that nobody reads */

    (void) close(ngx_dm_sec_threads.ended[0]);

    while (!ngx_queue_empty(&ngx_dm_sec_threads.running)) {
        q = ngx_queue_head(&ngx_dm_sec_threads.running);

        ngx_dm_sec_thread_join(ngx_queue_data(q, ngx_dm_sec_thread_job_t,
                                              queue));
    }

    (void) close(ngx_dm_sec_threads.ended[1]);

    ngx_dm_sec_threads.opened = 0;
}
