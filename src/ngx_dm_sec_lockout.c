/* Lockout: wrong credentials, counted per account and client address */

#include "ngx_dm_sec_lockout.h"
#include "ngx_dm_sec_zone.h"


#define NGX_DM_SEC_LOCKOUT_ATTEMPTS  10
#define NGX_DM_SEC_LOCKOUT_WINDOW    60000      /* ms */
#define NGX_DM_SEC_LOCKOUT_DURATION  300000
#define NGX_DM_SEC_LOCKOUT_MAX       65535      /* attempts that fit a cell */

#define NGX_DM_SEC_OVERFLOW_PERIOD   60000      /* ms between warnings */


/* a counter's place and what it will say */
typedef struct {
    dm_slot_t             slot;
    ngx_dm_sec_failure_t  failure;
    ngx_uint_t            attempts;             /* that are allowed */
} ngx_dm_sec_counter_t;


static char *ngx_dm_sec_lockout_number(ngx_str_t *value, size_t prefix,
    ngx_uint_t *number);
static char *ngx_dm_sec_lockout_time(ngx_str_t *value, size_t prefix,
    ngx_msec_t *msec);
static ngx_int_t ngx_dm_sec_lockout_counters(ngx_http_request_t *r,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_attempt_t *attempt,
    ngx_dm_sec_counter_t *counter, ngx_uint_t *n);
static void ngx_dm_sec_lockout_address(ngx_http_request_t *r,
    ngx_dm_sec_failure_t *failure);
static ngx_uint_t ngx_dm_sec_lockout_left(ngx_dm_sec_shared_t *sh,
    ngx_dm_sec_counter_t *counter, ngx_uint_t n);
static ngx_uint_t ngx_dm_sec_lockout_count(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_shared_t *sh, ngx_dm_sec_counter_t *counter);
static dm_cell_t *ngx_dm_sec_lockout_new(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_shared_t *sh, ngx_dm_sec_counter_t *counter);
static ngx_uint_t ngx_dm_sec_lockout_lock(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_shared_t *sh, ngx_dm_sec_counter_t *counter, dm_cell_t *cell);
static int ngx_dm_sec_lockout_is_unknown(const dm_cell_t *cell);
static void ngx_dm_sec_lockout_overflow(ngx_http_request_t *r,
    ngx_dm_sec_shared_t *sh);


_Static_assert(sizeof(ngx_dm_sec_failure_t) == DM_CELL_DATA,
               "a failure counter fills a cell");


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
ngx_dm_sec_lockout_check(ngx_http_request_t *r, ngx_dm_sec_attempt_t *attempt,
    ngx_uint_t *retry)
{
    ngx_uint_t               n;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_counter_t     counter[2];
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);

    /* while nobody fails, nobody waits for the lock */

    if (dmcf->lockout.attempts == 0
        || (ngx_msec_t) sh->failures_until <= ngx_current_msec)
    {
        return NGX_OK;
    }

    if (ngx_dm_sec_lockout_counters(r, dmcf, attempt, counter, &n)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dm_sec_zone_lock(dmcf);
    *retry = ngx_dm_sec_lockout_left(sh, counter, n);
    ngx_dm_sec_zone_unlock(dmcf);

    return *retry ? NGX_DECLINED : NGX_OK;
}


/* under the lock; the seconds for which one of them is still locked */
static ngx_uint_t
ngx_dm_sec_lockout_left(ngx_dm_sec_shared_t *sh,
    ngx_dm_sec_counter_t *counter, ngx_uint_t n)
{
    dm_cell_t   *cell;
    ngx_msec_t   left;
    ngx_uint_t   i;

    left = 0;

    for (i = 0; i < n; i++) {
        cell = dm_table_find(sh->failures, &counter[i].slot,
                             ngx_current_msec);

        if (cell && cell->rank == DM_RANK_KEEP) {
            left = ngx_max(left, cell->expires - ngx_current_msec);
        }
    }

    return (left + 999) / 1000;
}


/*
 * What was on its way when the lock came is answered as if it came after it,
 * so that no more is told to be wrong than the lock allows.
 */
ngx_int_t
ngx_dm_sec_lockout_fail(ngx_http_request_t *r, ngx_dm_sec_attempt_t *attempt,
    ngx_uint_t *retry)
{
    ngx_uint_t               i, n, left, overflow;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_counter_t     counter[2];
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);

    if (dmcf->lockout.attempts == 0) {
        return NGX_OK;
    }

    if (ngx_dm_sec_lockout_counters(r, dmcf, attempt, counter, &n)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    overflow = 0;

    ngx_dm_sec_zone_lock(dmcf);

    left = ngx_dm_sec_lockout_left(sh, counter, n);

    for (i = 0; i < n; i++) {
        overflow += ngx_dm_sec_lockout_count(dmcf, sh, &counter[i]);
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


/* of the name at this address and, where it is asked for, of the address */
static ngx_int_t
ngx_dm_sec_lockout_counters(ngx_http_request_t *r,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_attempt_t *attempt,
    ngx_dm_sec_counter_t *counter, ngx_uint_t *n)
{
    dm_str_t               part[4];
    ngx_dm_sec_failure_t  *failure;

    ngx_memzero(counter, sizeof(ngx_dm_sec_counter_t) * 2);

    failure = &counter[0].failure;
    failure->known = (u_char) attempt->known;
    ngx_memcpy(failure->name, attempt->name.data,
               ngx_min(attempt->name.len, sizeof(failure->name)));
    ngx_dm_sec_lockout_address(r, failure);

    part[0] = dm_str("failure");
    part[1] = (dm_str_t) { &failure->family,
                           1 + sizeof(failure->address) };
    part[2] = ngx_dm_sec_set_dm_str(attempt->claimed);
    part[3] = (dm_str_t) { (u_char *) &attempt->unlocks,
                           sizeof(attempt->unlocks) };

    *n = 1;
    counter[0].attempts = dmcf->lockout.attempts;

    if (ngx_dm_sec_zone_slot(dmcf, part, 4, &counter[0].slot) != NGX_OK) {
        return NGX_ERROR;
    }

    if (dmcf->lockout.address_attempts == 0) {
        return NGX_OK;
    }

    *n = 2;
    counter[1].attempts = dmcf->lockout.address_attempts;
    counter[1].failure = *failure;
    counter[1].failure.known = 1;
    ngx_memzero(counter[1].failure.name, sizeof(failure->name));

    return ngx_dm_sec_zone_slot(dmcf, part, 2, &counter[1].slot);
}


/* that realip gives; an IPv6 host has a /64 to choose addresses from */
static void
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
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        p = ((struct sockaddr_in6 *) sockaddr)->sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED((struct in6_addr *) p)) {
            failure->family = 4;
            ngx_memcpy(failure->address, p + 12, 4);
            break;
        }

        failure->family = 6;
        ngx_memcpy(failure->address, p, 8);
        break;
#endif
    }
}


/* under the lock; 1: there was no room for it as it should be, else 0 */
static ngx_uint_t
ngx_dm_sec_lockout_count(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_shared_t *sh, ngx_dm_sec_counter_t *counter)
{
    dm_cell_t             *cell;
    ngx_uint_t             count;
    ngx_dm_sec_failure_t  *failure;

    cell = dm_table_find(sh->failures, &counter->slot, ngx_current_msec);

    if (cell == NULL) {
        cell = ngx_dm_sec_lockout_new(dmcf, sh, counter);

        if (cell == NULL) {
            return 1;
        }
    }

    /* one that was on its way when the lock came changes nothing */

    if (cell->rank == DM_RANK_KEEP) {
        return 0;
    }

    failure = (ngx_dm_sec_failure_t *) cell->data;

    count = (failure->count[0] << 8 | failure->count[1]) + 1;
    failure->count[0] = (u_char) (count >> 8);
    failure->count[1] = (u_char) count;

    if (count < counter->attempts) {
        return 0;
    }

    return ngx_dm_sec_lockout_lock(dmcf, sh, counter, cell);
}


/* a made-up name does not push out the counter of an account */
static dm_cell_t *
ngx_dm_sec_lockout_new(ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_shared_t *sh,
    ngx_dm_sec_counter_t *counter)
{
    u_char      rank;
    dm_cell_t  *cell;

    rank = counter->failure.known ? DM_RANK_HIGH : DM_RANK_LOW;

    cell = dm_table_take(sh->failures, &counter->slot, rank,
                         ngx_current_msec);
    if (cell == NULL) {
        return NULL;
    }

    cell->rank = rank;
    cell->stamp = ngx_current_msec;
    cell->expires = ngx_current_msec + dmcf->lockout.window;
    ngx_memcpy(cell->data, &counter->failure, sizeof(ngx_dm_sec_failure_t));

    dm_table_put(cell, &counter->slot);

    if (cell->expires > sh->failures_until) {
        sh->failures_until = cell->expires;
    }

    return cell;
}


/*
 * A locked cell stays.  Of made-up names there is half of a set at most: the
 * lock that would end first makes room, so that such a name is locked like an
 * account, and nothing tells the two apart.
 */
static ngx_uint_t
ngx_dm_sec_lockout_lock(ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_shared_t *sh,
    ngx_dm_sec_counter_t *counter, dm_cell_t *cell)
{
    dm_cell_t   *first;
    ngx_uint_t   overflow;

    overflow = 0;

    if (!counter->failure.known
        && dm_table_count(sh->failures, &counter->slot, ngx_current_msec,
                          ngx_dm_sec_lockout_is_unknown, &first)
           >= DM_TABLE_SET / 2)
    {
        first->expires = ngx_current_msec;
        overflow = 1;
    }

    cell->rank = DM_RANK_KEEP;
    cell->expires = ngx_current_msec + dmcf->lockout.duration;

    if (cell->expires > sh->failures_until) {
        sh->failures_until = cell->expires;
    }

    return overflow;
}


static int
ngx_dm_sec_lockout_is_unknown(const dm_cell_t *cell)
{
    return cell->rank == DM_RANK_KEEP
           && !((const ngx_dm_sec_failure_t *) cell->data)->known;
}


static void
ngx_dm_sec_lockout_overflow(ngx_http_request_t *r, ngx_dm_sec_shared_t *sh)
{
    static ngx_msec_t  said;

    (void) ngx_atomic_fetch_add(&sh->lockout_overflow, 1);

    if (said && ngx_current_msec - said < NGX_DM_SEC_OVERFLOW_PERIOD) {
        return;
    }

    said = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "dm_sec: no room for a failure counter, %uA so far: "
                  "made-up names are tried in masses; a larger "
                  "\"dm_sec_zone\" has more room", sh->lockout_overflow);
}
