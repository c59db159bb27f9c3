/* A store that follows a log: how old it is, and whether that is too old */

#include "ngx_dm_sec_replica.h"

#include "dm_fleet_state.h"


static ngx_uint_t ngx_dm_sec_replica_is_old(ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_replica_say(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);
static u_char *ngx_dm_sec_replica_why(ngx_dm_sec_main_conf_t *dmcf, u_char *p,
    u_char *last);


/* a worker's, as it has read it last */
static struct {
    int                  rc;        /* of dm_store_replica() */
    dm_store_replica_t   is;
    dm_err_t             err;
    ngx_uint_t           said;      /* that it is too old */
} ngx_dm_sec_replica = { DM_DECLINED, { 0, 0, 0 }, { "" }, 0 };


char *
ngx_dm_sec_replica_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_main_conf_t  *dmcf = conf;

    time_t      stale;
    ngx_str_t  *value;

    if (dmcf->replica_stale) {
        return "is duplicate";
    }

    value = cf->args->elts;
    stale = ngx_parse_time(&value[1], 1);

    if (stale == (time_t) NGX_ERROR || stale == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\": write a second or more, as "
                           "in \"60s\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3 && ngx_strcmp(value[2].data, "refuse") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": behind the time stands "
                           "\"refuse\", or nothing", &value[2]);
        return NGX_CONF_ERROR;
    }

    dmcf->replica_stale = stale;
    dmcf->replica_refuse = (cf->args->nelts == 3);

    return NGX_CONF_OK;
}


void
ngx_dm_sec_replica_look(ngx_dm_sec_main_conf_t *dmcf, dm_store_t *store,
    ngx_log_t *log)
{
    int                  rc;
    dm_err_t             err;
    dm_store_replica_t   is;

    if (dmcf->replica_stale == 0) {
        return;
    }

    rc = dm_store_replica(store, &is, &err);

    /* one that changes faster than it can be read is as it was */

    if (rc != DM_ERROR) {
        ngx_dm_sec_replica.rc = rc;
        ngx_dm_sec_replica.is = is;
        ngx_dm_sec_replica.err = err;
    }

    ngx_dm_sec_replica_say(dmcf, log);
}


ngx_uint_t
ngx_dm_sec_replica_is_stale(ngx_dm_sec_main_conf_t *dmcf)
{
    return dmcf->replica_stale && ngx_dm_sec_replica_is_old(dmcf);
}


static ngx_uint_t
ngx_dm_sec_replica_is_old(ngx_dm_sec_main_conf_t *dmcf)
{
    time_t  age;

    if (ngx_dm_sec_replica.rc != DM_OK) {
        return 1;
    }

    age = ngx_dm_sec_replica_age(&ngx_dm_sec_replica.is);

    return age == (time_t) NGX_ERROR || age > dmcf->replica_stale;
}


time_t
ngx_dm_sec_replica_age(const dm_store_replica_t *replica)
{
    if (replica->beaten == 0) {
        return (time_t) NGX_ERROR;
    }

    /* this clock may be a bit behind that of the machine that beats */

    return ngx_max(ngx_time() - (time_t) replica->beaten, 0);
}


static void
ngx_dm_sec_replica_say(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    u_char      *p;
    u_char       why[NGX_MAX_ERROR_STR];
    ngx_uint_t   old;

    old = ngx_dm_sec_replica_is_old(dmcf);

    if (old == ngx_dm_sec_replica.said) {
        return;
    }

    ngx_dm_sec_replica.said = old;

    if (!old) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "dm_sec: store \"%V\" is as young again as "
                      "\"dm_sec_replica_stale\" wants it", &dmcf->store);
        return;
    }

    p = ngx_dm_sec_replica_why(dmcf, why, why + sizeof(why));

    ngx_log_error(NGX_LOG_CRIT, log, 0,
                  "dm_sec: %*s: look at dm-replica, \"systemctl status "
                  "dm-replica\" says what it does%s", (size_t) (p - why), why,
                  dmcf->replica_refuse ? "; requests that need the store are "
                                         "answered 503 until then" : "");
}


static u_char *
ngx_dm_sec_replica_why(ngx_dm_sec_main_conf_t *dmcf, u_char *p, u_char *last)
{
    time_t  age;

    switch (ngx_dm_sec_replica.rc) {

    case DM_DECLINED:
        return ngx_slprintf(p, last, "store \"%V\" follows no log, and "
                            "\"dm_sec_replica_stale\" says that it should",
                            &dmcf->store);

    case DM_INVALID:
        return ngx_slprintf(p, last, "%s", ngx_dm_sec_replica.err.text);
    }

    age = ngx_dm_sec_replica_age(&ngx_dm_sec_replica.is);

    if (age == (time_t) NGX_ERROR) {
        return ngx_slprintf(p, last, "nobody knows how old store \"%V\" is: "
                            "there was no beat yet, and dm-replica is %s",
                            &dmcf->store,
                            dm_fleet_state_name(ngx_dm_sec_replica.is.state));
    }

    return ngx_slprintf(p, last, "store \"%V\" is %T s old, which is more than "
                        "\"dm_sec_replica_stale\" allows, and dm-replica is "
                        "%s", &dmcf->store, age,
                        dm_fleet_state_name(ngx_dm_sec_replica.is.state));
}
