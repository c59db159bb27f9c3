/* The account store in nginx: the master's check, each worker's environment */

#include "ngx_dm_sec_store_internal.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_damage.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_peek.h"
#include "ngx_dm_sec_replica.h"

#include "dm_digest.h"


#define NGX_DM_SEC_STORE_TEND   1000    /* ms */
#define NGX_DM_SEC_STORE_CHECK  10
#define NGX_DM_SEC_STORE_SAY    60000

/* odd, and as far from a small fraction of 2^64 as a number can be */
#define NGX_DM_SEC_STORE_APART  0x9e3779b97f4a7c15ULL

#define NGX_DM_SEC_STORE_DAY    (24 * 60 * 60)      /* s */


static ngx_int_t ngx_dm_sec_store_read_keys(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_store_wipe_keys(void *data);
static void ngx_dm_sec_store_tend(ngx_event_t *ev);
static void ngx_dm_sec_store_show(ngx_log_t *log);
static void ngx_dm_sec_store_follow(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);
static void ngx_dm_sec_store_reopen(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);
static ngx_uint_t ngx_dm_sec_store_is_quiet(ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_store_open(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);
static void ngx_dm_sec_store_shut(void);
static void ngx_dm_sec_store_complain(ngx_log_t *log, dm_err_t *err);
static ngx_uint_t ngx_dm_sec_store_is_open(void);
static ngx_uint_t ngx_dm_sec_store_is_gone(int rc);
static int ngx_dm_sec_store_try(dm_store_index_t index, dm_str_t key,
    ngx_dm_sec_found_t *found, dm_err_t *err);
static uint64_t ngx_dm_sec_store_number(uint64_t version);
static void ngx_dm_sec_store_say(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);
static void ngx_dm_sec_store_look(ngx_dm_sec_main_conf_t *dmcf);


/* a worker has one environment: LMDB allows no second in a process */
static struct {
    dm_store_t        *store;       /* NULL: not to be opened just now */
    uint64_t           opened;      /* how often one was opened */
    dm_err_t           complaint;   /* the last one; "": it was open since */
    ngx_msec_t         complained;
    ngx_msec_t         checked;     /* when its place was looked at */
    ngx_uint_t         gone;        /* it was not; until one is opened */
    ngx_uint_t         unseen;      /* its writers do not see this worker */
    ngx_uint_t         copied;      /* a file over the one that was open */
    off_t              size;        /* of the copy, as it was last seen */
    struct timespec    mtime;
    uint64_t           version;     /* of the copy; 0: not yet seen */
    uint64_t           described;   /* the number that meta is of */
    dm_challenge_t     challenge;   /* what suits its accounts */
    uint64_t           suited;      /* the number that this is of */
    time_t             day;         /* and the day; they expire */
    ngx_event_t        tend;
    ngx_connection_t   dumb;        /* its data, for nginx's debug log */
} ngx_dm_sec_worker;


ngx_int_t
ngx_dm_sec_store_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    dm_err_t  err;

    /* a process that has no master keeps its connections at a reload */
    ngx_dm_sec_worker.opened++;

    if (dm_digest_init(&err) != DM_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "dm_sec: %s", err.text);
        return NGX_ERROR;
    }

    if (dmcf->store.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: \"dm_sec_auth\" needs \"dm_sec_account_store\" "
                      "in http, with the path of a store that "
                      "\"dm-account init\" made");
        return NGX_ERROR;
    }

    if (dmcf->key_file.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: \"dm_sec_account_store\" needs "
                      "\"dm_sec_store_key\" in http, with the key file that "
                      "\"dm-account init\" made");
        return NGX_ERROR;
    }

    if (ngx_dm_sec_store_read_keys(cf, dmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dm_sec_peek(cf, dmcf);
}


static ngx_int_t
ngx_dm_sec_store_read_keys(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    dm_err_t             err;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(dm_keys_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(cln->data, sizeof(dm_keys_t));

    dmcf->keys = cln->data;
    cln->handler = ngx_dm_sec_store_wipe_keys;

    if (dm_keys_read((char *) dmcf->key_file.data, dmcf->keys, &err) != DM_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "dm_sec: %s%s", err.text,
                      geteuid() == 0 ? ""
                      : "; this nginx is not root's: whether one that root "
                        "starts can use its store, only root's \"nginx -t\" "
                        "can ask");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_dm_sec_store_wipe_keys(void *data)
{
    dm_keys_wipe(data);
}


ngx_int_t
ngx_dm_sec_store_init_process(ngx_cycle_t *cycle)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    /* the cache manager and its like read no store */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    dmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_dm_sec_module);

    if (dmcf == NULL || dmcf->keys == NULL) {
        return NGX_OK;
    }

    ngx_dm_sec_damage_init_process(cycle);

    ngx_dm_sec_worker.challenge = dmcf->challenge;

    ngx_dm_sec_store_open(dmcf, cycle->log);

    ngx_dm_sec_worker.tend.handler = ngx_dm_sec_store_tend;
    ngx_dm_sec_worker.tend.data = &ngx_dm_sec_worker.dumb;
    ngx_dm_sec_worker.dumb.fd = (ngx_socket_t) -1;
    ngx_dm_sec_worker.tend.log = cycle->log;
    ngx_dm_sec_worker.tend.cancelable = 1;

    ngx_add_timer(&ngx_dm_sec_worker.tend, NGX_DM_SEC_STORE_TEND);

    return NGX_OK;
}


void
ngx_dm_sec_store_exit_process(ngx_cycle_t *cycle)
{
    ngx_dm_sec_store_shut();
}


/* a store that was replaced, or was not there, is opened anew */
static void
ngx_dm_sec_store_tend(ngx_event_t *ev)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    ngx_add_timer(ev, NGX_DM_SEC_STORE_TEND);

    /* a single process lives on when a reload takes the module out */

    if (dmcf == NULL || dmcf->keys == NULL) {
        return;
    }

    if (ngx_dm_sec_worker.store && ngx_dm_sec_damage_here()) {
        ngx_dm_sec_store_shut();
    }

    if (ngx_dm_sec_worker.store) {
        ngx_dm_sec_damage_enter();
        dm_store_tend(ngx_dm_sec_worker.store);
        ngx_dm_sec_damage_leave();

        if (!dm_store_replaced(ngx_dm_sec_worker.store)) {
            ngx_dm_sec_store_show(ev->log);
            ngx_dm_sec_store_follow(dmcf, ev->log);
            return;
        }
    }

    ngx_dm_sec_store_reopen(dmcf, ev->log);
}


/* a worker that writers do not see serves on, and it is said once */
static void
ngx_dm_sec_store_show(ngx_log_t *log)
{
    int       rc;
    dm_err_t  err;

    rc = dm_store_show(ngx_dm_sec_worker.store, &err);

    if (rc != DM_OK && !ngx_dm_sec_worker.unseen) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "dm_sec: writers of the store do not see this worker, "
                      "whose file there was removed, so do not rekey: %s",
                      err.text);
    }

    ngx_dm_sec_worker.unseen = (rc != DM_OK);
}


static void
ngx_dm_sec_store_follow(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    ngx_dm_sec_damage_enter();
    ngx_dm_sec_replica_look(dmcf, ngx_dm_sec_worker.store, log);
    ngx_dm_sec_damage_leave();
}


static void
ngx_dm_sec_store_reopen(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    uint64_t    version;
    ngx_uint_t  quiet;

    if (ngx_dm_sec_worker.store) {
        ngx_dm_sec_worker.copied = dm_store_stale(ngx_dm_sec_worker.store);
        ngx_dm_sec_worker.version = 0;

        ngx_log_error(NGX_LOG_NOTICE, log, 0, "dm_sec: store \"%V\" was %s",
                      &dmcf->store, ngx_dm_sec_worker.copied
                      ? "copied over while it was open" : "replaced");

        ngx_dm_sec_store_shut();
    }

    quiet = !ngx_dm_sec_worker.copied || ngx_dm_sec_store_is_quiet(dmcf);

    ngx_dm_sec_store_open(dmcf, log);

    if (ngx_dm_sec_worker.store == NULL || quiet) {
        return;
    }

    /*
     * A store that is half copied may look whole, and lack accounts.  Where the
     * number grows, that is dm-account, at work on a copy that is complete.
     */

    ngx_dm_sec_damage_enter();
    version = dm_store_version(ngx_dm_sec_worker.store);
    ngx_dm_sec_damage_leave();

    if (ngx_dm_sec_worker.version && version > ngx_dm_sec_worker.version) {
        return;
    }

    ngx_dm_sec_worker.version = version;
    ngx_dm_sec_worker.copied = 1;

    ngx_dm_sec_store_shut();
}


/* 1 if its data file is as it was a second ago, else 0 */
static ngx_uint_t
ngx_dm_sec_store_is_quiet(ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t   quiet;
    struct stat  sb;

    if (dm_store_stat_data((char *) dmcf->store.data, &sb) != DM_OK) {
        return 0;
    }

    quiet = ngx_dm_sec_worker.size == sb.st_size
            && ngx_dm_sec_worker.mtime.tv_sec == sb.st_mtim.tv_sec
            && ngx_dm_sec_worker.mtime.tv_nsec == sb.st_mtim.tv_nsec;

    ngx_dm_sec_worker.size = sb.st_size;
    ngx_dm_sec_worker.mtime = sb.st_mtim;

    return quiet;
}


static void
ngx_dm_sec_store_open(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    int       rc;
    dm_err_t  err;

    ngx_dm_sec_worker.store = NULL;

    if (ngx_dm_sec_damage_look(dmcf, log) != NGX_OK) {
        return;
    }

    ngx_dm_sec_damage_enter();

    rc = dm_store_open(&ngx_dm_sec_worker.store, (char *) dmcf->store.data,
                       DM_STORE_SERVE, dmcf->keys, &err);

    ngx_dm_sec_damage_leave();

    if (rc == DM_OK) {
        ngx_dm_sec_worker.opened++;
        ngx_dm_sec_worker.complaint.text[0] = '\0';
        ngx_dm_sec_worker.copied = 0;
        ngx_dm_sec_worker.gone = 0;

        ngx_dm_sec_process_store(1);
        ngx_dm_sec_store_look(dmcf);
        ngx_dm_sec_store_follow(dmcf, log);
        return;
    }

    ngx_dm_sec_worker.store = NULL;

    ngx_dm_sec_store_complain(log, &err);
}


static void
ngx_dm_sec_store_shut(void)
{
    dm_store_close(ngx_dm_sec_worker.store);
    ngx_dm_sec_worker.store = NULL;

    ngx_dm_sec_process_store(0);
}


/* says why the store is not open: a new reason at once, else each minute */
static void
ngx_dm_sec_store_complain(ngx_log_t *log, dm_err_t *err)
{
    if (ngx_strcmp(ngx_dm_sec_worker.complaint.text, err->text) == 0
        && ngx_current_msec - ngx_dm_sec_worker.complained
           < NGX_DM_SEC_STORE_SAY)
    {
        return;
    }

    ngx_dm_sec_worker.complaint = *err;
    ngx_dm_sec_worker.complained = ngx_current_msec;

    ngx_log_error(NGX_LOG_CRIT, log, 0,
                  "dm_sec: %s; requests that need it are answered 503, "
                  "and it is tried again each second", err->text);
}


/* 1 if a store is open and no process died in it, else 0 */
static ngx_uint_t
ngx_dm_sec_store_is_open(void)
{
    return ngx_dm_sec_worker.store && !ngx_dm_sec_damage_here();
}


ngx_int_t
ngx_dm_sec_store_lookup(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log,
    dm_store_index_t index, dm_str_t key, ngx_dm_sec_found_t *found)
{
    int       rc;
    dm_err_t  err;

    static ngx_str_t  reason = ngx_string("store");

    rc = ngx_dm_sec_store_try(index, key, found, &err);

    /* a store that is no longer in its place says nothing of those in force */

    if (ngx_dm_sec_store_is_gone(rc)) {
        ngx_dm_sec_store_wipe(found);
        ngx_dm_sec_store_reopen(dmcf, log);
        rc = ngx_dm_sec_store_try(index, key, found, &err);
    }

    switch (rc) {

    case DM_OK:
        return NGX_OK;

    case DM_DECLINED:
        return NGX_DECLINED;
    }

    if (ngx_dm_sec_store_is_open()
        && ngx_dm_sec_log_may(dmcf->log_limit, NGX_LOG_CRIT, &reason))
    {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "dm_sec: %s", err.text);
    }

    return NGX_ERROR;
}


/*
 * 1 if another store is in the place of the one that is open, else 0.  A
 * system call for each look-up would cost more than the look-up; that only
 * some need it tells nobody whether a name is known.
 */
static ngx_uint_t
ngx_dm_sec_store_is_gone(int rc)
{
    if (ngx_dm_sec_worker.store == NULL) {
        return 0;
    }

    if (rc == DM_ERROR
        || ngx_current_msec - ngx_dm_sec_worker.checked
           >= NGX_DM_SEC_STORE_CHECK)
    {
        ngx_dm_sec_worker.checked = ngx_current_msec;
        ngx_dm_sec_worker.gone = dm_store_replaced(ngx_dm_sec_worker.store);
    }

    return ngx_dm_sec_worker.gone;
}


static int
ngx_dm_sec_store_try(dm_store_index_t index, dm_str_t key,
    ngx_dm_sec_found_t *found, dm_err_t *err)
{
    int          rc;
    dm_str_t     sealed;
    dm_store_t  *store;

    found->version = 0;

    if (!ngx_dm_sec_store_is_open()) {
        return DM_ERROR;
    }

    store = ngx_dm_sec_worker.store;

    ngx_dm_sec_damage_enter();

    rc = dm_store_lookup(store, index, key, found->record, &found->len,
                         &found->account, err);

    ngx_dm_sec_damage_leave();

    found->version = ngx_dm_sec_store_number(dm_store_looked(store));
    found->opened = ngx_dm_sec_worker.opened;

    if (rc == DM_OK) {
        sealed = dm_store_record(store);
        ngx_memcpy(found->sealed, sealed.data, sealed.len);
        found->sealed_len = sealed.len;
    }

    return rc;
}


ngx_int_t
ngx_dm_sec_store_same(uint64_t opened, dm_str_t sealed,
    const dm_account_t *account, uint64_t *version)
{
    int          rc;
    dm_store_t  *store;

    if (!ngx_dm_sec_store_is_open()
        || ngx_dm_sec_store_is_gone(DM_OK)
        || ngx_dm_sec_worker.opened != opened)
    {
        return NGX_DECLINED;
    }

    store = ngx_dm_sec_worker.store;

    ngx_dm_sec_damage_enter();
    rc = dm_store_same(store, sealed, account);
    ngx_dm_sec_damage_leave();

    if (rc != DM_OK) {
        return NGX_DECLINED;
    }

    *version = ngx_dm_sec_store_number(dm_store_looked(store));

    return NGX_OK;
}


void
ngx_dm_sec_store_wipe(ngx_dm_sec_found_t *found)
{
    dm_account_wipe(&found->account);
    ngx_explicit_memzero(found->record, found->len);
    found->len = 0;
}


uint64_t
ngx_dm_sec_store_version(void)
{
    uint64_t  version;

    /* nothing is recalled of a store that is not in its place any more */

    if (!ngx_dm_sec_store_is_open() || ngx_dm_sec_store_is_gone(DM_OK)) {
        return 0;
    }

    ngx_dm_sec_damage_enter();
    version = dm_store_version(ngx_dm_sec_worker.store);
    ngx_dm_sec_damage_leave();

    return ngx_dm_sec_store_number(version);
}


/*
 * A version has the time in it, and so most of the 64 bits: the product brings
 * those of two openings so far apart that they do not meet, whatever stores
 * were opened.
 */
static uint64_t
ngx_dm_sec_store_number(uint64_t version)
{
    return version ? ngx_dm_sec_worker.opened * NGX_DM_SEC_STORE_APART
                     + version
                   : 0;
}


dm_str_t
ngx_dm_sec_store_realm(void)
{
    return dm_store_meta(ngx_dm_sec_worker.store)->realm;
}


const dm_store_meta_t *
ngx_dm_sec_store_meta(ngx_http_request_t *r)
{
    int       rc;
    uint64_t  version;
    dm_err_t  err;

    if (ngx_dm_sec_store_is_gone(DM_OK)) {
        ngx_dm_sec_store_reopen(ngx_http_get_module_main_conf(r,
                                                          ngx_dm_sec_module),
                                r->connection->log);
    }

    if (!ngx_dm_sec_store_is_open()) {
        return NULL;
    }

    version = ngx_dm_sec_store_version();

    if (version == 0 || version != ngx_dm_sec_worker.described) {
        ngx_dm_sec_damage_enter();
        rc = dm_store_refresh(ngx_dm_sec_worker.store, &err);
        ngx_dm_sec_damage_leave();

        if (rc != DM_OK) {
            return NULL;
        }

        ngx_dm_sec_worker.described = version;
    }

    return dm_store_meta(ngx_dm_sec_worker.store);
}


dm_challenge_t
ngx_dm_sec_store_challenge(ngx_dm_sec_main_conf_t *dmcf, ngx_http_request_t *r)
{
    int             rc;
    time_t          day;
    uint64_t        version;
    dm_err_t        err;
    dm_challenge_t  challenge;

    version = ngx_dm_sec_store_version();
    day = ngx_time() / NGX_DM_SEC_STORE_DAY;

    if (version == 0
        || (version == ngx_dm_sec_worker.suited
            && day == ngx_dm_sec_worker.day))
    {
        return ngx_dm_sec_worker.challenge;
    }

    ngx_dm_sec_damage_enter();
    rc = dm_store_challenge(ngx_dm_sec_worker.store, ngx_time(), &challenge,
                            &err);
    ngx_dm_sec_damage_leave();

    if (rc != DM_OK) {
        return ngx_dm_sec_worker.challenge;
    }

    ngx_dm_sec_worker.suited = version;
    ngx_dm_sec_worker.day = day;

    if (challenge != ngx_dm_sec_worker.challenge) {
        ngx_dm_sec_worker.challenge = challenge;
        ngx_dm_sec_store_say(dmcf, r->connection->log);
    }

    return challenge;
}


static void
ngx_dm_sec_store_say(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    static const char  *with[] = {
        [DM_CHALLENGE_ANY] = "MD5 and SHA-256: active accounts have both, or "
                             "some the one and some the other",
        [DM_CHALLENGE_MD5] = "MD5 alone: some active accounts have nothing "
                             "else, and all of them have it",
        [DM_CHALLENGE_SHA256] = "SHA-256 alone: no active account has MD5"
    };

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "dm_sec: the accounts of store \"%V\" have changed, and "
                  "Digest is challenged with %s", &dmcf->store,
                  with[ngx_dm_sec_worker.challenge]);
}


const u_char *
ngx_dm_sec_store_id(void)
{
    return dm_store_meta(ngx_dm_sec_worker.store)->id;
}


ngx_int_t
ngx_dm_sec_store_stat(dm_store_stat_t *stat)
{
    int       rc;
    dm_err_t  err;

    if (!ngx_dm_sec_store_is_open()) {
        return NGX_DECLINED;
    }

    ngx_dm_sec_damage_enter();
    rc = dm_store_stat(ngx_dm_sec_worker.store, stat, &err);
    ngx_dm_sec_damage_leave();

    return rc == DM_OK ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_dm_sec_store_is_stale(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    if (!ngx_dm_sec_replica_is_stale(dmcf) || !ngx_dm_sec_store_is_open()) {
        return 0;
    }

    /* by what was read a second ago: a beat may have come since */

    if (ngx_dm_sec_store_is_gone(DM_OK)) {
        ngx_dm_sec_store_reopen(dmcf, log);

    } else {
        ngx_dm_sec_store_follow(dmcf, log);
    }

    return ngx_dm_sec_store_is_open() && ngx_dm_sec_replica_is_stale(dmcf);
}


void
ngx_dm_sec_store_state(ngx_dm_sec_main_conf_t *dmcf, ngx_uint_t known,
    ngx_dm_sec_store_state_t *state)
{
    ngx_dm_sec_store_look(dmcf);

    ngx_memzero(state, sizeof(ngx_dm_sec_store_state_t));

    if (!known) {
        return;
    }

    ngx_dm_sec_zone_lock(dmcf);
    *state = ngx_dm_sec_zone_shared(dmcf)->state;
    ngx_dm_sec_zone_unlock(dmcf);
}


/* tells those who cannot look what the store is like, if it is open here */
static void
ngx_dm_sec_store_look(ngx_dm_sec_main_conf_t *dmcf)
{
    dm_err_t             err;
    ngx_dm_sec_store_state_t   state;

    if (ngx_dm_sec_store_stat(&state.stat) != NGX_OK) {
        return;
    }

    ngx_dm_sec_damage_enter();
    state.counted = dm_store_count(ngx_dm_sec_worker.store, ngx_time(),
                                   &state.counts, &err)
                    == DM_OK;
    ngx_dm_sec_damage_leave();

    state.challenge = dm_store_suits(dm_store_meta(ngx_dm_sec_worker.store),
                                     state.counted ? &state.counts : NULL);

    ngx_dm_sec_damage_enter();
    state.follows = dm_store_replica(ngx_dm_sec_worker.store, &state.replica,
                                     &err)
                    == DM_OK;
    ngx_dm_sec_damage_leave();

    ngx_memcpy(state.writer, dm_store_meta(ngx_dm_sec_worker.store)->writer,
               sizeof(state.writer));

    ngx_dm_sec_zone_lock(dmcf);
    ngx_dm_sec_zone_shared(dmcf)->state = state;
    ngx_dm_sec_zone_unlock(dmcf);
}
