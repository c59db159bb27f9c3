/* Threads of a worker, which are there from the first job on */

#include "ngx_dm_sec_thread.h"

#include <pthread.h>


/* those of this worker; the lock is for what stands below it */
static struct {
    ngx_connection_t  *connection;      /* the reading end; NULL: not yet */
    int                written;         /* the other end */

    pthread_mutex_t    lock;
    pthread_cond_t     changed;
    ngx_queue_t        waiting;
    ngx_uint_t         nwaiting;
    ngx_queue_t        ended;
    ngx_uint_t         threads;
    ngx_uint_t         idle;
    ngx_uint_t         stop;
} ngx_dm_sec_threads = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER
};


static ngx_int_t ngx_dm_sec_thread_open(void);
static ngx_int_t ngx_dm_sec_thread_start(void);
static void *ngx_dm_sec_thread_cycle(void *data);
static void ngx_dm_sec_thread_work(void);
static void ngx_dm_sec_thread_event(ngx_event_t *ev);


ngx_int_t
ngx_dm_sec_thread_post(ngx_dm_sec_thread_job_t *job)
{
    int        err;
    ngx_int_t  rc;

    if (ngx_dm_sec_thread_open() != NGX_OK) {
        return NGX_ERROR;
    }

    err = 0;
    rc = NGX_OK;

    (void) pthread_mutex_lock(&ngx_dm_sec_threads.lock);

    if (ngx_dm_sec_threads.idle <= ngx_dm_sec_threads.nwaiting) {
        err = ngx_dm_sec_thread_start();
    }

    if (ngx_dm_sec_threads.threads) {
        ngx_queue_insert_tail(&ngx_dm_sec_threads.waiting, &job->queue);
        ngx_dm_sec_threads.nwaiting++;
        (void) pthread_cond_signal(&ngx_dm_sec_threads.changed);

    } else {
        rc = NGX_ERROR;
    }

    (void) pthread_mutex_unlock(&ngx_dm_sec_threads.lock);

    if (err) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "dm_sec: no thread can be started for a slow hash");
    }

    return rc;
}


/* makes what tells the worker of jobs that have ended, once */
static ngx_int_t
ngx_dm_sec_thread_open(void)
{
    int                fd[2];
    ngx_connection_t  *c;

    c = ngx_dm_sec_threads.connection;

    if (c) {
        /* a single process lives on with the log of another cycle */
        c->log = ngx_cycle->log;
        c->read->log = ngx_cycle->log;
        c->write->log = ngx_cycle->log;

        return NGX_OK;
    }

    if (pipe2(fd, O_NONBLOCK|O_CLOEXEC) == -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "dm_sec: pipe2() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd[0], ngx_cycle->log);

    if (c == NULL) {
        (void) close(fd[0]);
        (void) close(fd[1]);
        return NGX_ERROR;
    }

    c->read->handler = ngx_dm_sec_thread_event;
    c->read->log = c->log;
    c->write->log = c->log;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        (void) close(fd[1]);
        return NGX_ERROR;
    }

    ngx_queue_init(&ngx_dm_sec_threads.waiting);
    ngx_queue_init(&ngx_dm_sec_threads.ended);

    ngx_dm_sec_threads.connection = c;
    ngx_dm_sec_threads.written = fd[1];

    return NGX_OK;
}


/* under the lock; the error number, or 0 */
static ngx_int_t
ngx_dm_sec_thread_start(void)
{
    int             err;
    sigset_t        all, before;
    pthread_t       thread;
    pthread_attr_t  attr;

    err = pthread_attr_init(&attr);
    if (err) {
        return err;
    }

    (void) pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);

    /* signals are the worker's, but for those that a thread raises itself */

    (void) sigfillset(&all);
    (void) sigdelset(&all, SIGILL);
    (void) sigdelset(&all, SIGFPE);
    (void) sigdelset(&all, SIGSEGV);
    (void) sigdelset(&all, SIGBUS);

    (void) pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(&thread, &attr, ngx_dm_sec_thread_cycle, NULL);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    (void) pthread_attr_destroy(&attr);

    if (err == 0) {
        ngx_dm_sec_threads.threads++;
    }

    return err;
}


static void *
ngx_dm_sec_thread_cycle(void *data)
{
    (void) pthread_mutex_lock(&ngx_dm_sec_threads.lock);

    while (!ngx_dm_sec_threads.stop) {

        if (ngx_dm_sec_threads.nwaiting) {
            ngx_dm_sec_thread_work();
            continue;
        }

        ngx_dm_sec_threads.idle++;
        (void) pthread_cond_wait(&ngx_dm_sec_threads.changed,
                                 &ngx_dm_sec_threads.lock);
        ngx_dm_sec_threads.idle--;
    }

    ngx_dm_sec_threads.threads--;
    (void) pthread_cond_broadcast(&ngx_dm_sec_threads.changed);

    (void) pthread_mutex_unlock(&ngx_dm_sec_threads.lock);

    return data;
}


/* takes a job, under the lock, which is not held while the job runs */
static void
ngx_dm_sec_thread_work(void)
{
    ngx_queue_t              *q;
    ngx_uint_t                first;
    ngx_dm_sec_thread_job_t  *job;

    q = ngx_queue_head(&ngx_dm_sec_threads.waiting);
    ngx_queue_remove(q);
    ngx_dm_sec_threads.nwaiting--;

    job = ngx_queue_data(q, ngx_dm_sec_thread_job_t, queue);

    (void) pthread_mutex_unlock(&ngx_dm_sec_threads.lock);
    job->run(job->data);
    (void) pthread_mutex_lock(&ngx_dm_sec_threads.lock);

    first = ngx_queue_empty(&ngx_dm_sec_threads.ended);
    ngx_queue_insert_tail(&ngx_dm_sec_threads.ended, &job->queue);

    /* the worker takes all that there are: an octet for the first is enough */

    if (first) {
        while (write(ngx_dm_sec_threads.written, "", 1) == -1
               && ngx_errno == NGX_EINTR)
        {
            /* void */
        }
    }
}


static void
ngx_dm_sec_thread_event(ngx_event_t *ev)
{
    u_char                    buf[64];
    ngx_queue_t               ended, *q;
    ngx_connection_t         *c;
    ngx_dm_sec_thread_job_t  *job;

    c = ev->data;

    while (read(c->fd, buf, sizeof(buf)) > 0) { /* void */ }

    ngx_queue_init(&ended);

    (void) pthread_mutex_lock(&ngx_dm_sec_threads.lock);

    if (!ngx_queue_empty(&ngx_dm_sec_threads.ended)) {
        ngx_queue_add(&ended, &ngx_dm_sec_threads.ended);
        ngx_queue_init(&ngx_dm_sec_threads.ended);
    }

    (void) pthread_mutex_unlock(&ngx_dm_sec_threads.lock);

    while (!ngx_queue_empty(&ended)) {
        q = ngx_queue_head(&ended);
        ngx_queue_remove(q);

        /* it may be gone when this returns */

        job = ngx_queue_data(q, ngx_dm_sec_thread_job_t, queue);
        job->done(job->data);
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "dm_sec: the ends of slow hashes are not told any more");
    }
}


void
ngx_dm_sec_thread_exit_process(void)
{
    if (ngx_dm_sec_threads.connection == NULL) {
        return;
    }

    (void) pthread_mutex_lock(&ngx_dm_sec_threads.lock);

    ngx_dm_sec_threads.stop = 1;
    (void) pthread_cond_broadcast(&ngx_dm_sec_threads.changed);

    while (ngx_dm_sec_threads.threads) {
        (void) pthread_cond_wait(&ngx_dm_sec_threads.changed,
                                 &ngx_dm_sec_threads.lock);
    }

    (void) pthread_mutex_unlock(&ngx_dm_sec_threads.lock);

    ngx_close_connection(ngx_dm_sec_threads.connection);
    ngx_dm_sec_threads.connection = NULL;

    (void) close(ngx_dm_sec_threads.written);
}
