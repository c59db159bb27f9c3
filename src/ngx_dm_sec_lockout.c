/* Lockout: wrong credentials, counted per account and client address */

#include "ngx_dm_sec_lockout.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_zone.h"


#define NGX_DM_SEC_LOCKOUT_ATTEMPTS  10
#define NGX_DM_SEC_LOCKOUT_WINDOW    60000      /* ms */
#define NGX_DM_SEC_LOCKOUT_DURATION  300000
#define NGX_DM_SEC_LOCKOUT_MAX       65535      /* attempts that fit a cell */

#define NGX_DM_SEC_LOCKOUT_KEPT      64         /* octets of a name */

#define NGX_DM_SEC_OVERFLOW_PERIOD   60000      /* ms between warnings */


/* the claimant's, of each kind that is counted */
struct ngx_dm_sec_lockout_keys_s {
    ngx_uint_t         n;
    dm_failures_key_t  key[DM_FAILURES_KINDS];
};


/* those of the last claimant on a connection, and all that they are made of */
typedef struct {
    ngx_dm_sec_main_conf_t     *dmcf;           /* NULL: nothing is kept */
    ngx_dm_sec_shared_t        *sh;
    ngx_dm_sec_failure_t        failure;
    uint32_t                    unlocks;
    size_t                      len;
    u_char                      claimed[NGX_DM_SEC_LOCKOUT_KEPT];
    ngx_dm_sec_lockout_keys_t   keys;
} ngx_dm_sec_lockout_last_t;


static char *ngx_dm_sec_lockout_number(ngx_str_t *value, size_t prefix,
    ngx_uint_t *number);
static char *ngx_dm_sec_lockout_time(ngx_str_t *value, size_t prefix,
    ngx_msec_t *msec);
static ngx_dm_sec_lockout_keys_t *ngx_dm_sec_lockout_keys(
    ngx_http_request_t *r, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_claimant_t *who);
static ngx_uint_t ngx_dm_sec_lockout_is_last(ngx_dm_sec_lockout_last_t *last,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_claimant_t *who,
    ngx_dm_sec_failure_t *failure);
static ngx_int_t ngx_dm_sec_lockout_make_keys(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_claimant_t *who, ngx_dm_sec_failure_t *failure,
    size_t network_len, ngx_dm_sec_lockout_keys_t *keys);
static size_t ngx_dm_sec_lockout_address(ngx_http_request_t *r,
    ngx_dm_sec_failure_t *failure);
static ngx_uint_t ngx_dm_sec_lockout_left(ngx_dm_sec_shared_t *sh,
    dm_failures_key_t *key, ngx_uint_t n, ngx_uint_t *detail);
static ngx_uint_t ngx_dm_sec_lockout_detail(ngx_dm_sec_shared_t *sh,
    dm_failures_key_t *key);
static void ngx_dm_sec_lockout_overflow(ngx_http_request_t *r,
    ngx_dm_sec_shared_t *sh);


_Static_assert(sizeof(ngx_dm_sec_failure_t) == DM_FAILURES_NOTE,
               "what the status page shows fills a note");


static const ngx_dm_sec_keep_t  ngx_dm_sec_lockout_keep = {
    "lockout", sizeof(ngx_dm_sec_lockout_last_t), NULL
};


char *
ngx_dm_sec_lockout_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_main_conf_t  *dmcf = conf;

    char                  *rv;
    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_dm_sec_lockout_t  *lockout;

    lockout = &dmcf->lockout;

    if (lockout->attempts != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lockout->attempts = NGX_DM_SEC_LOCKOUT_ATTEMPTS;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lockout->attempts = 0;
        return cf->args->nelts == 2 ? NGX_CONF_OK
                                    : "takes \"off\" alone, without other "
                                      "parameters";
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "attempts=", 9) == 0) {
            rv = ngx_dm_sec_lockout_number(&value[i], 9, &lockout->attempts);

        } else if (ngx_strncmp(value[i].data, "address_attempts=", 17) == 0) {
            rv = ngx_dm_sec_lockout_number(&value[i], 17,
                                           &lockout->address_attempts);

        } else if (ngx_strncmp(value[i].data, "window=", 7) == 0) {
            rv = ngx_dm_sec_lockout_time(&value[i], 7, &lockout->window);

        } else if (ngx_strncmp(value[i].data, "duration=", 9) == 0) {
            rv = ngx_dm_sec_lockout_time(&value[i], 9, &lockout->duration);

        } else {
            rv = "write attempts=N, window=TIME, duration=TIME, "
                 "address_attempts=N, or \"off\"";
        }

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": %s", &value[i], rv);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_dm_sec_lockout_number(ngx_str_t *value, size_t prefix, ngx_uint_t *number)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data + prefix, value->len - prefix);

    if (n < 1 || n > NGX_DM_SEC_LOCKOUT_MAX) {
        return "a number from 1 to 65535 is needed";
    }

    *number = n;

    return NGX_CONF_OK;
}


static char *
ngx_dm_sec_lockout_time(ngx_str_t *value, size_t prefix, ngx_msec_t *msec)
{
    ngx_int_t  n;
    ngx_str_t  time;

    time.data = value->data + prefix;
    time.len = value->len - prefix;

    n = ngx_parse_time(&time, 0);

    if (n == NGX_ERROR || n == 0) {
        return "a time of at least 1ms is needed, as in \"1m\"";
    }

    *msec = n;

    return NGX_CONF_OK;
}


void
ngx_dm_sec_lockout_init(ngx_dm_sec_lockout_t *lockout)
{
    ngx_conf_init_uint_value(lockout->attempts, NGX_DM_SEC_LOCKOUT_ATTEMPTS);

    if (lockout->window == 0) {
        lockout->window = NGX_DM_SEC_LOCKOUT_WINDOW;
    }

    if (lockout->duration == 0) {
        lockout->duration = NGX_DM_SEC_LOCKOUT_DURATION;
    }
}


ngx_int_t
ngx_dm_sec_lockout_may(ngx_http_request_t *r, ngx_dm_sec_claimant_t *who,
    ngx_uint_t *retry)
{
    ngx_dm_sec_shared_t        *sh;
    ngx_dm_sec_main_conf_t     *dmcf;
    ngx_dm_sec_lockout_keys_t  *keys;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);

    /* while nobody fails, nobody waits for the lock */

    if (dmcf->lockout.attempts == 0
        || (ngx_msec_t) sh->failures_until <= ngx_current_msec)
    {
        return NGX_OK;
    }

    keys = ngx_dm_sec_lockout_keys(r, dmcf, who);
    if (keys == NULL) {
        return NGX_ERROR;
    }

    ngx_dm_sec_zone_lock(dmcf);
    *retry = ngx_dm_sec_lockout_left(sh, keys->key, keys->n, &who->detail);
    ngx_dm_sec_zone_unlock(dmcf);

    return *retry ? NGX_DECLINED : NGX_OK;
}


/*
 * Needs the lock; tells the seconds for which one of the keys is locked.  Of
 * several locks the detail is of the one that holds most: a lock of the name
 * alone is what "dm-account unlock" ends.
 */
static ngx_uint_t
ngx_dm_sec_lockout_left(ngx_dm_sec_shared_t *sh, dm_failures_key_t *key,
    ngx_uint_t n, ngx_uint_t *detail)
{
    uint64_t    left, most;
    ngx_uint_t  i;

    most = 0;
    *detail = NGX_DM_SEC_D_NONE;

    for (i = 0; i < n; i++) {
        left = dm_failures_left(sh->failures, &key[i], ngx_current_msec);

        if (left == 0) {
            continue;
        }

        most = ngx_max(most, left);
        *detail = ngx_max(*detail, ngx_dm_sec_lockout_detail(sh, &key[i]));
    }

    return (most + 999) / 1000;
}


/* needs the lock; the detail of a key that is locked: the more, the higher */
static ngx_uint_t
ngx_dm_sec_lockout_detail(ngx_dm_sec_shared_t *sh, dm_failures_key_t *key)
{
    if (!dm_failures_own(sh->failures, key, ngx_current_msec)) {
        return NGX_DM_SEC_D_LOCKED_NETWORK;
    }

    return key->kind == DM_FAILURES_ADDRESS ? NGX_DM_SEC_D_LOCKED_ADDRESS
                                            : NGX_DM_SEC_D_LOCKED_NAME;
}


/*
 * Answers an attempt that was on its way when the lock came as if it came
 * after it, so that no more is told to be wrong than the lock allows.
 */
ngx_int_t
ngx_dm_sec_lockout_fail(ngx_http_request_t *r, ngx_dm_sec_claimant_t *who,
    ngx_uint_t *retry)
{
    uint64_t                    until;
    ngx_uint_t                  i, left, overflow;
    dm_failures_limit_t         limit;
    ngx_dm_sec_shared_t        *sh;
    ngx_dm_sec_main_conf_t     *dmcf;
    ngx_dm_sec_lockout_keys_t  *keys;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);

    if (dmcf->lockout.attempts == 0) {
        return NGX_OK;
    }

    keys = ngx_dm_sec_lockout_keys(r, dmcf, who);
    if (keys == NULL) {
        return NGX_ERROR;
    }

    limit.window = dmcf->lockout.window;
    limit.duration = dmcf->lockout.duration;

    until = ngx_current_msec + ngx_max(limit.window, limit.duration);
    overflow = 0;

    ngx_dm_sec_zone_lock(dmcf);

    left = ngx_dm_sec_lockout_left(sh, keys->key, keys->n, &who->detail);

    for (i = 0; i < keys->n; i++) {
        limit.attempts = (keys->key[i].kind == DM_FAILURES_ADDRESS)
                         ? dmcf->lockout.address_attempts
                         : dmcf->lockout.attempts;

        overflow += dm_failures_add(sh->failures, &keys->key[i], &limit,
                                    ngx_current_msec);
    }

    if (sh->failures_until < until) {
        sh->failures_until = until;
    }

    ngx_dm_sec_zone_unlock(dmcf);

    if (overflow) {
        ngx_dm_sec_lockout_overflow(r, sh);
    }

    if (left == 0) {
        return NGX_OK;
    }

    *retry = left;

    return NGX_DECLINED;
}


/*
 * A claimant who fails is asked for twice, and one on a connection is mostly
 * who was there before.  NULL: a failure of ours.
 */
static ngx_dm_sec_lockout_keys_t *
ngx_dm_sec_lockout_keys(ngx_http_request_t *r, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_claimant_t *who)
{
    size_t                      network_len;
    ngx_dm_sec_failure_t        failure;
    ngx_dm_sec_lockout_keys_t  *keys;
    ngx_dm_sec_lockout_last_t  *last;

    if (who->keys) {
        return who->keys;
    }

    ngx_memzero(&failure, sizeof(ngx_dm_sec_failure_t));

    network_len = ngx_dm_sec_lockout_address(r, &failure);
    failure.known = (u_char) who->known;
    ngx_memcpy(failure.name, who->name.data,
               ngx_min(who->name.len, sizeof(failure.name)));

    last = ngx_dm_sec_kept(r->connection->pool, &ngx_dm_sec_lockout_keep, 1);
    keys = ngx_palloc(r->pool, sizeof(ngx_dm_sec_lockout_keys_t));

    if (last == NULL || keys == NULL) {
        return NULL;
    }

    if (ngx_dm_sec_lockout_is_last(last, dmcf, who, &failure)) {
        *keys = last->keys;
        who->keys = keys;
        return keys;
    }

    if (ngx_dm_sec_lockout_make_keys(dmcf, who, &failure, network_len, keys)
        != NGX_OK)
    {
        return NULL;
    }

    who->keys = keys;
    last->dmcf = NULL;

    if (who->claimed.len <= NGX_DM_SEC_LOCKOUT_KEPT) {
        last->dmcf = dmcf;
        last->sh = ngx_dm_sec_zone_shared(dmcf);
        last->failure = failure;
        last->unlocks = who->unlocks;
        last->len = who->claimed.len;
        ngx_memcpy(last->claimed, who->claimed.data, who->claimed.len);
        last->keys = *keys;
    }

    return keys;
}


/* realip may give each request of a connection another address */
static ngx_uint_t
ngx_dm_sec_lockout_is_last(ngx_dm_sec_lockout_last_t *last,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_claimant_t *who,
    ngx_dm_sec_failure_t *failure)
{
    return last->dmcf == dmcf
           && last->sh == ngx_dm_sec_zone_shared(dmcf)
           && ngx_memcmp(&last->failure, failure,
                         sizeof(ngx_dm_sec_failure_t))
              == 0
           && last->unlocks == who->unlocks
           && last->len == who->claimed.len
           && ngx_memcmp(last->claimed, who->claimed.data, last->len) == 0;
}


/* makes the keys: the name at this address and, where limited, the address */
static ngx_int_t
ngx_dm_sec_lockout_make_keys(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_claimant_t *who, ngx_dm_sec_failure_t *failure,
    size_t network_len, ngx_dm_sec_lockout_keys_t *keys)
{
    dm_str_t               part[4];
    dm_slot_t              network;
    dm_failures_key_t     *key;
    ngx_dm_sec_failure_t   nobody;

    part[0] = dm_str("network");
    part[1] = (dm_str_t) { &failure->family, 1 };
    part[2] = (dm_str_t) { failure->address, network_len };

    if (ngx_dm_sec_zone_slot(dmcf, part, 3, &network) != NGX_OK) {
        return NGX_ERROR;
    }

    key = keys->key;

    part[0] = dm_str("failure");
    part[1].len = 1 + sizeof(failure->address);

    if (dmcf->lockout.address_attempts) {
        ngx_memzero(&nobody, sizeof(ngx_dm_sec_failure_t));

        nobody.family = failure->family;
        ngx_memcpy(nobody.address, failure->address, sizeof(nobody.address));

        key->kind = DM_FAILURES_ADDRESS;
        key->network = network.tag[0];
        ngx_memcpy(key->note, &nobody, sizeof(ngx_dm_sec_failure_t));

        if (ngx_dm_sec_zone_slot(dmcf, part, 2, &key->slot) != NGX_OK) {
            return NGX_ERROR;
        }

        key++;
    }

    part[2] = ngx_dm_sec_set_dm_str(who->claimed);
    part[3] = (dm_str_t) { (u_char *) &who->unlocks, sizeof(who->unlocks) };

    key->kind = DM_FAILURES_NAME;
    key->network = network.tag[0];
    ngx_memcpy(key->note, failure, sizeof(ngx_dm_sec_failure_t));

    keys->n = key + 1 - keys->key;

    return ngx_dm_sec_zone_slot(dmcf, part, 4, &key->slot);
}


/*
 * Writes the client's address, the one that realip gives.  Of IPv6 it is the
 * /64, in which a host may choose its addresses.  Returns how many of the
 * octets are those of the network of one owner and his neighbours: an IPv4
 * /24, an IPv6 /48.
 */
static size_t
ngx_dm_sec_lockout_address(ngx_http_request_t *r,
    ngx_dm_sec_failure_t *failure)
{
    u_char           *p;
    struct sockaddr  *sockaddr;

    sockaddr = r->connection->sockaddr;

    switch (sockaddr->sa_family) {

    case AF_INET:
        failure->family = 4;
        ngx_memcpy(failure->address,
                   &((struct sockaddr_in *) sockaddr)->sin_addr, 4);
        return 3;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        p = ((struct sockaddr_in6 *) sockaddr)->sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED((struct in6_addr *) p)) {
            failure->family = 4;
            ngx_memcpy(failure->address, p + 12, 4);
            return 3;
        }

        failure->family = 6;
        ngx_memcpy(failure->address, p, 8);
        return 6;
#endif
    }

    return 0;
}


static void
ngx_dm_sec_lockout_overflow(ngx_http_request_t *r, ngx_dm_sec_shared_t *sh)
{
    ngx_dm_sec_counts_t  sum;

    static ngx_msec_t  said;

    ngx_dm_sec_count(ngx_dm_sec_counts(sh)->lockout_overflow);

    if (said && ngx_current_msec - said < NGX_DM_SEC_OVERFLOW_PERIOD) {
        return;
    }

    said = ngx_current_msec;
    ngx_dm_sec_counts_sum(sh, &sum);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "dm_sec: no room for a lock, %uA so far, whose network was "
                  "locked as a whole: names are tried in masses; a larger "
                  "\"dm_sec_zone\" has more room", sum.lockout_overflow);
}
