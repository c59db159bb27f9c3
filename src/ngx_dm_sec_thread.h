/* Work that takes long: each piece in a thread of its own */

#ifndef NGX_DM_SEC_THREAD_H
#define NGX_DM_SEC_THREAD_H


#include "ngx_dm_sec.h"

#include <pthread.h>


/* a piece of work; it stays where it is until done is called */
typedef struct {
    ngx_queue_t    queue;
    pthread_t      thread;
    void         (*run)(void *data);        /* in the thread */
    void         (*done)(void *data);       /* after it, in the worker's own */
    void          *data;
} ngx_dm_sec_thread_job_t;


/*
 * Starts a thread for a job, which ends with it.  NGX_OK; or NGX_ERROR if none
 * can be started, which is logged as log_limit allows.
 *
 * nginx's own pools have their threads from the start to the end of a worker.
 * Beside a thread, even an idle one, each malloc() takes a lock, and so does
 * each system call in the kernel: all requests of that nginx are dearer.
 */
ngx_int_t ngx_dm_sec_thread_start(ngx_dm_sec_thread_job_t *job,
    ngx_uint_t log_limit);

/* waits for the threads that are left: none may be there without the module */
void ngx_dm_sec_thread_exit_process(void);


#endif /* NGX_DM_SEC_THREAD_H */
