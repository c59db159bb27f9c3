/* Slow password hashes: in threads, and remembered for a while */

#include "ngx_dm_sec_hash.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_thread.h"
#include "ngx_dm_sec_zone.h"

#include "dm_password.h"


#define NGX_DM_SEC_HASH_THREADS  1
#define NGX_DM_SEC_HASH_QUEUE    64
#define NGX_DM_SEC_HASH_MAX      65535

#define NGX_DM_SEC_HASH_HOLD     60000      /* ms */


/* owned by the request's pool, which lives as long as r->main->blocked */
typedef struct {
    ngx_queue_t              queue;
    ngx_dm_sec_thread_job_t  thread;
    ngx_http_request_t      *r;
    ngx_dm_sec_main_conf_t  *dmcf;
    ngx_dm_sec_credential_t *cred;
    ngx_dm_sec_hash_may_pt   may;
    ngx_dm_sec_hash_pt       done;
    dm_slot_t                slot;      /* of what is remembered */
    dm_str_t                 password;
    dm_str_t                 hash;
    ngx_uint_t               computed;
    int                      rc;        /* then: of dm_password_verify() */
} ngx_dm_sec_hash_t;


static ngx_dm_sec_hash_t *ngx_dm_sec_hash_job(ngx_http_request_t *r,
    dm_str_t password, dm_str_t hash);
static ngx_uint_t ngx_dm_sec_hash_costs(ngx_http_request_t *r,
    ngx_dm_sec_main_conf_t *dmcf, dm_account_t *account);
static void ngx_dm_sec_hash_wipe(ngx_dm_sec_hash_t *job);
static ngx_int_t ngx_dm_sec_hash_dup(ngx_pool_t *pool, dm_str_t *dst,
    dm_str_t src);
static ngx_int_t ngx_dm_sec_hash_remembered(ngx_dm_sec_main_conf_t *dmcf,
    dm_slot_t *slot);
static void ngx_dm_sec_hash_remember(ngx_dm_sec_hash_t *job);
static ngx_int_t ngx_dm_sec_hash_start(ngx_http_request_t *r,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_hash_t *job);
static ngx_int_t ngx_dm_sec_hash_post(ngx_dm_sec_hash_t *job);
static void ngx_dm_sec_hash_tell(void);
static void ngx_dm_sec_hash_hold(ngx_event_t *ev);
static void ngx_dm_sec_hash_next(ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_hash_thread(void *data);
static void ngx_dm_sec_hash_event(void *data);
static void ngx_dm_sec_hash_conclude(ngx_dm_sec_hash_t *job);
static void ngx_dm_sec_hash_outcome(ngx_dm_sec_hash_t *job);
static ngx_uint_t ngx_dm_sec_hash_is_gone(ngx_connection_t *c);
static void ngx_dm_sec_hash_resume(ngx_dm_sec_hash_t *job);


/* the hashes of this worker */
static struct {
    ngx_uint_t        running;
    ngx_uint_t        waiting;
    ngx_queue_t       queue;
    ngx_event_t       hold;
    ngx_connection_t  dumb;         /* its data, for nginx's debug log */
} ngx_dm_sec_hashes;


char *
ngx_dm_sec_hash_set_threads(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_main_conf_t  *dmcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (dmcf->hash_threads != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_DM_SEC_HASH_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of threads \"%V\": 1 to 65535",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    dmcf->hash_threads = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "queue=", 6) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    n = ngx_atoi(value[2].data + 6, value[2].len - 6);

    if (n == NGX_ERROR || n > NGX_DM_SEC_HASH_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid length of the queue \"%V\": 0 to 65535",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    dmcf->hash_queue = n;

    return NGX_CONF_OK;
}


void
ngx_dm_sec_hash_init(ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_conf_init_uint_value(dmcf->hash_threads, NGX_DM_SEC_HASH_THREADS);
    ngx_conf_init_uint_value(dmcf->hash_queue, NGX_DM_SEC_HASH_QUEUE);
}


ngx_dm_sec_outcome_e
ngx_dm_sec_hash_verify(ngx_http_request_t *r, ngx_dm_sec_credential_t *cred,
    dm_account_t *account, dm_str_t password, ngx_dm_sec_hash_may_pt may,
    ngx_dm_sec_hash_pt done)
{
    dm_str_t                 part[4];
    dm_slot_t                slot;
    ngx_dm_sec_hash_t       *job;
    ngx_dm_sec_counts_t     *counts;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    /* the hash is a part of the key: with a new password nothing is known */

    part[0] = dm_str("password");
    part[1] = account->id;
    part[2] = account->crypt;
    part[3] = password;

    if (ngx_dm_sec_hash_costs(r, dmcf, account)
        || ngx_dm_sec_zone_slot(dmcf, part, 4, &slot) != NGX_OK)
    {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    counts = ngx_dm_sec_counts(ngx_dm_sec_zone_shared(dmcf));

    if (ngx_dm_sec_hash_remembered(dmcf, &slot) == NGX_OK) {
        ngx_dm_sec_count(counts->password_hits);

        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_VERIFIED,
                                   NGX_DM_SEC_R_NONE);
    }

    ngx_dm_sec_count(counts->password_misses);

    job = ngx_dm_sec_hash_job(r, password, account->crypt);

    if (job == NULL) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    job->dmcf = dmcf;
    job->cred = cred;
    job->may = may;
    job->done = done;
    job->slot = slot;

    if (ngx_dm_sec_hash_start(r, dmcf, job) != NGX_OK) {
        ngx_dm_sec_hash_wipe(job);
        ngx_dm_sec_count(counts->hash_refused);

        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_OVERLOADED);
    }

    return ngx_dm_sec_conclude(cred, NGX_DM_SEC_PENDING, NGX_DM_SEC_R_THREAD);
}


/* a job with copies of the password and the hash; NULL: no memory */
static ngx_dm_sec_hash_t *
ngx_dm_sec_hash_job(ngx_http_request_t *r, dm_str_t password, dm_str_t hash)
{
    ngx_dm_sec_hash_t  *job;

    job = ngx_pcalloc(r->pool, sizeof(ngx_dm_sec_hash_t));
    if (job == NULL) {
        return NULL;
    }

    job->thread.run = ngx_dm_sec_hash_thread;
    job->thread.done = ngx_dm_sec_hash_event;
    job->thread.data = job;

    job->r = r;

    if (ngx_dm_sec_hash_dup(r->pool, &job->password, password) != NGX_OK
        || ngx_dm_sec_hash_dup(r->pool, &job->hash, hash) != NGX_OK)
    {
        ngx_dm_sec_hash_wipe(job);
        return NULL;
    }

    return job;
}


/*
 * Returns 1, logged, if the hash takes so long that one request would keep all
 * others waiting, else 0.  dm-account takes none of these, but did so once.
 */
static ngx_uint_t
ngx_dm_sec_hash_costs(ngx_http_request_t *r, ngx_dm_sec_main_conf_t *dmcf,
    dm_account_t *account)
{
    u_char     buf[NGX_DM_SEC_LOG_ESCAPED];
    ngx_str_t  id;

    static ngx_str_t  reason = ngx_string("costly");

    if (!dm_password_is_costly(account->crypt)) {
        return 0;
    }

    if (ngx_dm_sec_log_may_name(dmcf->log_limit, NGX_LOG_ERR, &reason,
                                account->id, buf, &id))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dm_sec: the password hash of account \"%V\" takes too "
                      "long to verify, and is not: set its password anew, and "
                      "see what else \"dm-account check\" names", &id);
    }

    return 1;
}


static void
ngx_dm_sec_hash_wipe(ngx_dm_sec_hash_t *job)
{
    OPENSSL_cleanse((void *) job->password.data, job->password.len);
    OPENSSL_cleanse((void *) job->hash.data, job->hash.len);
}


static ngx_int_t
ngx_dm_sec_hash_dup(ngx_pool_t *pool, dm_str_t *dst, dm_str_t src)
{
    u_char  *data;

    data = ngx_pnalloc(pool, src.len);
    if (data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(data, src.data, src.len);

    dst->data = data;
    dst->len = src.len;

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_hash_remembered(ngx_dm_sec_main_conf_t *dmcf, dm_slot_t *slot)
{
    dm_cell_t            *cell;
    ngx_dm_sec_shared_t  *sh;

    if (dmcf->password_cache == 0) {
        return NGX_DECLINED;
    }

    sh = ngx_dm_sec_zone_shared(dmcf);

    ngx_dm_sec_zone_lock(dmcf);
    cell = dm_table_find(sh->passwords, slot, ngx_current_msec);
    ngx_dm_sec_zone_unlock(dmcf);

    return cell ? NGX_OK : NGX_DECLINED;
}


static void
ngx_dm_sec_hash_remember(ngx_dm_sec_hash_t *job)
{
    dm_cell_t            *cell;
    ngx_dm_sec_shared_t  *sh;

    if (job->dmcf->password_cache == 0) {
        return;
    }

    sh = ngx_dm_sec_zone_shared(job->dmcf);

    ngx_dm_sec_zone_lock(job->dmcf);

    cell = dm_table_find(sh->passwords, &job->slot, ngx_current_msec);

    if (cell == NULL) {
        cell = dm_table_take(sh->passwords, &job->slot, ngx_current_msec,
                             NULL, NULL);
        cell->expires = ngx_current_msec + job->dmcf->password_cache;
        dm_table_put(cell, &job->slot);
    }

    ngx_dm_sec_zone_unlock(job->dmcf);
}


/* NGX_OK: it is computed, or waits to be; NGX_ERROR: too many do */
static ngx_int_t
ngx_dm_sec_hash_start(ngx_http_request_t *r, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_hash_t *job)
{
    if (ngx_dm_sec_hashes.queue.next == NULL) {
        ngx_queue_init(&ngx_dm_sec_hashes.queue);
    }

    if (ngx_dm_sec_hashes.running < dmcf->hash_threads) {

        if (ngx_dm_sec_hash_post(job) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_dm_sec_hashes.waiting < dmcf->hash_queue) {
        ngx_queue_insert_tail(&ngx_dm_sec_hashes.queue, &job->queue);
        ngx_dm_sec_hashes.waiting++;
        ngx_dm_sec_hash_tell();

    } else {
        return NGX_ERROR;
    }

    r->main->blocked++;
    r->aio = 1;

    return NGX_OK;
}


/* NGX_OK, or NGX_ERROR: there is no thread */
static ngx_int_t
ngx_dm_sec_hash_post(ngx_dm_sec_hash_t *job)
{
    if (ngx_dm_sec_thread_start(&job->thread, job->dmcf->log_limit) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_hashes.running++ == 0) {
        ngx_dm_sec_hash_hold(&ngx_dm_sec_hashes.hold);
    }

    ngx_dm_sec_hash_tell();

    return NGX_OK;
}


static void
ngx_dm_sec_hash_tell(void)
{
    ngx_dm_sec_process_hash(ngx_dm_sec_hashes.running,
                            ngx_dm_sec_hashes.waiting);
}


/*
 * A worker that shuts down leaves when no timer is left, and a request that
 * waits for its hash has none: this one keeps the worker for it.
 */
static void
ngx_dm_sec_hash_hold(ngx_event_t *ev)
{
    ngx_dm_sec_hashes.dumb.fd = (ngx_socket_t) -1;

    ev->handler = ngx_dm_sec_hash_hold;
    ev->data = &ngx_dm_sec_hashes.dumb;
    ev->log = ngx_cycle->log;

    ngx_add_timer(ev, NGX_DM_SEC_HASH_HOLD);
}


/*
 * A client that has gone needs no answer, and its hash no time; nor does one
 * whose account was locked meanwhile.
 */
static void
ngx_dm_sec_hash_next(ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_queue_t        *q;
    ngx_dm_sec_hash_t  *job;

    while (ngx_dm_sec_hashes.waiting
           && ngx_dm_sec_hashes.running < dmcf->hash_threads)
    {

        q = ngx_queue_head(&ngx_dm_sec_hashes.queue);
        job = ngx_queue_data(q, ngx_dm_sec_hash_t, queue);

        /* clang-tidy takes this element for the one that was removed before */
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        ngx_queue_remove(q);
        ngx_dm_sec_hashes.waiting--;
        ngx_dm_sec_hash_tell();

        if (!job->r->connection->error
            && job->may(job->r, job->cred) == NGX_OK
            && ngx_dm_sec_hash_post(job) == NGX_OK)
        {
            continue;
        }

        ngx_dm_sec_hash_wipe(job);
        ngx_dm_sec_hash_conclude(job);
        ngx_dm_sec_hash_resume(job);
    }
}


/*
 * Runs in a thread, and touches nothing of the request but the job itself.  It
 * wipes what a worker that ends now would leave.
 */
static void
ngx_dm_sec_hash_thread(void *data)
{
    ngx_dm_sec_hash_t *job = data;

    dm_err_t  err;

    job->rc = dm_password_verify(job->hash, job->password, &err);

    ngx_dm_sec_hash_wipe(job);
}


static void
ngx_dm_sec_hash_event(void *data)
{
    ngx_dm_sec_hash_t *job = data;

    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = job->dmcf;
    job->computed = 1;

    if (--ngx_dm_sec_hashes.running == 0) {
        ngx_del_timer(&ngx_dm_sec_hashes.hold);
    }

    ngx_dm_sec_hash_tell();

    /* this one is counted before the next one asks whether it may begin */

    ngx_dm_sec_hash_conclude(job);
    ngx_dm_sec_hash_next(dmcf);
    ngx_dm_sec_hash_resume(job);
}


/*
 * Concludes every verification that was begun, also where the client has gone
 * meanwhile: else one that does not wait could guess without end.
 */
static void
ngx_dm_sec_hash_conclude(ngx_dm_sec_hash_t *job)
{
    ngx_connection_t  *c;

    c = job->r->connection;

    ngx_http_set_log_request(c->log, job->r);

    ngx_dm_sec_hash_outcome(job);

    job->done(job->r, job->cred);

    if (job->cred->outcome == NGX_DM_SEC_VERIFIED
        && !ngx_dm_sec_hash_is_gone(c))
    {
        ngx_dm_sec_hash_remember(job);
    }
}


static void
ngx_dm_sec_hash_outcome(ngx_dm_sec_hash_t *job)
{
    static ngx_str_t  reason = ngx_string("hash");

    if (!job->computed) {
        ngx_dm_sec_count(ngx_dm_sec_counts(ngx_dm_sec_zone_shared(job->dmcf))
                         ->hash_refused);

        (void) ngx_dm_sec_conclude(job->cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_OVERLOADED);
        return;
    }

    switch (job->rc) {

    case DM_OK:
        (void) ngx_dm_sec_conclude(job->cred, NGX_DM_SEC_VERIFIED,
                                   NGX_DM_SEC_R_NONE);
        return;

    case DM_DECLINED:
        (void) ngx_dm_sec_conclude(job->cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_BAD_CREDENTIALS);
        return;
    }

    (void) ngx_dm_sec_conclude(job->cred, NGX_DM_SEC_FAILED,
                               NGX_DM_SEC_R_STORE);

    if (ngx_dm_sec_log_may(job->dmcf->log_limit, NGX_LOG_ERR, &reason)) {
        ngx_log_error(NGX_LOG_ERR, job->r->connection->log, 0,
                      "dm_sec: a password hash cannot be computed: if it is "
                      "always the same account, set its password anew");
    }
}


/* is true also where nginx would send an answer, as to one half closed */
static ngx_uint_t
ngx_dm_sec_hash_is_gone(ngx_connection_t *c)
{
    return c->error
           || c->close
           || c->read->eof
           || c->read->pending_eof
           || c->read->error
           || c->write->error;
}


static void
ngx_dm_sec_hash_resume(ngx_dm_sec_hash_t *job)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = job->r;
    c = r->connection;

    r->main->blocked--;
    r->aio = 0;

    if (!c->error) {
        r->write_event_handler(r);
        ngx_http_run_posted_requests(c);
        return;
    }

    /* where nothing was computed there is nothing to say */

    if (job->computed) {
        ngx_dm_sec_get_ctx(r, 0)->gone(r);
    }

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(c);
}
