/* The memory that all workers share: secret, tables, counters */

#include "ngx_dm_sec_zone.h"


#define NGX_DM_SEC_ZONE_SIZE  (10 * 1024 * 1024)
#define NGX_DM_SEC_ZONE_MIN   (128 * 1024)

#define NGX_DM_SEC_ZONE_COUNTS       64     /* places; more workers share */
#define NGX_DM_SEC_ZONE_COUNTS_PART  32     /* of the zone, at most */
#define NGX_DM_SEC_ZONE_PROCESSES    8      /* places, at least */

/* the counters behind it begin a line of the processor's cache */
#define NGX_DM_SEC_ZONE_SHARED                                                \
    ngx_align(sizeof(ngx_dm_sec_shared_t), NGX_DM_SEC_ZONE_ALIGN)


static ngx_int_t ngx_dm_sec_zone_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_dm_sec_shared_t *ngx_dm_sec_zone_counts(ngx_shm_zone_t *shm_zone,
    ngx_slab_pool_t *shpool);
static ngx_int_t ngx_dm_sec_zone_make(ngx_shm_zone_t *shm_zone,
    ngx_slab_pool_t *shpool);


static ngx_str_t  ngx_dm_sec_zone_name = ngx_string("dm_sec");


/* 32 bits would begin anew after 49 days, and all nonces with them */
_Static_assert(sizeof(ngx_msec_t) == sizeof(uint64_t)
               && sizeof(ngx_atomic_uint_t) == sizeof(uint64_t),
               "the clock of the zone needs a platform of 64 bits");


_Static_assert(NGX_DM_SEC_RECENT_END <= NGX_DM_SEC_RECENT_KINDS,
               "the last minutes have room for all that is counted");


char *
ngx_dm_sec_zone_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_main_conf_t  *dmcf = conf;

    u_char     *colon;
    ngx_str_t  *value, size;

    if (dmcf->zone_size) {
        return "is duplicate";
    }

    value = cf->args->elts;
    colon = ngx_strlchr(value[1].data, value[1].data + value[1].len, ':');

    if (colon == NULL || colon == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": write it as NAME:SIZE, "
                           "as in \"dm_sec:10m\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    size.data = colon + 1;
    size.len = value[1].data + value[1].len - size.data;

    dmcf->zone_size = ngx_parse_size(&size);

    if (dmcf->zone_size == NGX_ERROR
        || dmcf->zone_size < NGX_DM_SEC_ZONE_MIN)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of the zone: at least %dk",
                           &size, NGX_DM_SEC_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    dmcf->zone_name.data = value[1].data;
    dmcf->zone_name.len = colon - value[1].data;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_dm_sec_zone_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    if (dmcf->zone_size == 0) {
        dmcf->zone_name = ngx_dm_sec_zone_name;
        dmcf->zone_size = NGX_DM_SEC_ZONE_SIZE;
    }

    dmcf->zone = ngx_shared_memory_add(cf, &dmcf->zone_name, dmcf->zone_size,
                                       &ngx_dm_sec_module);
    if (dmcf->zone == NULL) {
        return NGX_ERROR;
    }

    dmcf->zone->init = ngx_dm_sec_zone_init_zone;

    return NGX_OK;
}


/* data is the old cycle's, where the zone lives on */
static ngx_int_t
ngx_dm_sec_zone_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data) {
        shm_zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    return ngx_dm_sec_zone_make(shm_zone, shpool);
}


/*
 * All of the zone at once: nothing is ever allocated in it later.  Half is for
 * nonces, a quarter each for failures and remembered passwords.
 */
static ngx_int_t
ngx_dm_sec_zone_make(ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool)
{
    size_t                size, quarter;
    u_char               *p;
    ngx_dm_sec_shared_t  *sh;

    sh = ngx_dm_sec_zone_counts(shm_zone, shpool);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    if (RAND_bytes(sh->secret, sizeof(sh->secret)) != 1
        || RAND_bytes(sh->node, sizeof(sh->node)) != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "dm_sec: RAND_bytes() failed");
        return NGX_ERROR;
    }

    sh->recent = ngx_slab_calloc(shpool, sizeof(ngx_dm_sec_recent_t));
    if (sh->recent == NULL) {
        return NGX_ERROR;
    }

    size = shpool->pfree * ngx_pagesize;
    quarter = size / ngx_pagesize / 4 * ngx_pagesize;

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* new shared memory is zeroed, and a page costs nothing until it is used */

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(p, size);
#endif

    sh->nonces = dm_table_init(p, 2 * quarter);
    sh->failures = dm_failures_init(p + 2 * quarter, quarter);
    sh->passwords = dm_table_init(p + 3 * quarter, quarter);

    if (sh->nonces == NULL || sh->failures == NULL || sh->passwords == NULL) {
        return NGX_ERROR;
    }

    shpool->data = sh;
    shm_zone->data = sh;

    return NGX_OK;
}


/* makes it, with places for counters and processes; NULL: no memory */
static ngx_dm_sec_shared_t *
ngx_dm_sec_zone_counts(ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool)
{
    size_t                counts, processes, places;
    ngx_dm_sec_shared_t  *sh;

    places = shm_zone->shm.size / NGX_DM_SEC_ZONE_COUNTS_PART
             / NGX_DM_SEC_COUNTS_SIZE;

    counts = ngx_max(1, ngx_min(places, NGX_DM_SEC_ZONE_COUNTS));

    /* at a reload there are those of before beside the new ones */

    processes = ngx_max(4 * counts, NGX_DM_SEC_ZONE_PROCESSES);

    sh = ngx_slab_calloc(shpool, NGX_DM_SEC_ZONE_SHARED
                                 + counts * NGX_DM_SEC_COUNTS_SIZE
                                 + processes * NGX_DM_SEC_PROCESS_SIZE);
    if (sh == NULL) {
        return NULL;
    }

    sh->ncounts = counts;
    sh->nprocesses = processes;
    sh->counts = (u_char *) sh + NGX_DM_SEC_ZONE_SHARED;
    sh->processes = sh->counts + counts * NGX_DM_SEC_COUNTS_SIZE;

    return sh;
}


ngx_dm_sec_shared_t *
ngx_dm_sec_zone_shared(ngx_dm_sec_main_conf_t *dmcf)
{
    return dmcf->zone->data;
}


ngx_slab_pool_t *
ngx_dm_sec_zone_pool(ngx_dm_sec_main_conf_t *dmcf)
{
    return (ngx_slab_pool_t *) dmcf->zone->shm.addr;
}


/* the one lock that the master frees when a worker dies in it */
void
ngx_dm_sec_zone_lock(ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_shmtx_lock(&ngx_dm_sec_zone_pool(dmcf)->mutex);
}


void
ngx_dm_sec_zone_unlock(ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_shmtx_unlock(&ngx_dm_sec_zone_pool(dmcf)->mutex);
}


uint64_t
ngx_dm_sec_zone_clock(ngx_dm_sec_shared_t *sh)
{
    return ngx_dm_sec_zone_reach(sh, ngx_current_msec);
}


uint64_t
ngx_dm_sec_zone_reach(ngx_dm_sec_shared_t *sh, uint64_t time)
{
    ngx_atomic_uint_t  latest;

    do {
        latest = sh->clock;

        if (latest >= time) {
            return latest;
        }

    } while (!ngx_atomic_cmp_set(&sh->clock, latest, time));

    return time;
}


ngx_int_t
ngx_dm_sec_zone_slot(ngx_dm_sec_main_conf_t *dmcf, const dm_str_t *part,
    size_t n, dm_slot_t *slot)
{
    u_char     hash[DM_MAC_SIZE];
    dm_mac_t  *mac;

    mac = ngx_dm_sec_zone_mac(ngx_dm_sec_zone_shared(dmcf));

    if (mac == NULL || dm_mac_parts(mac, part, n, hash) != DM_OK) {
        return NGX_ERROR;
    }

    dm_table_slot(hash, slot);

    return NGX_OK;
}


/* made once in a process; a single one lives on with a reload's new zone */
dm_mac_t *
ngx_dm_sec_zone_mac(ngx_dm_sec_shared_t *sh)
{
    static dm_mac_t             *mac;
    static ngx_dm_sec_shared_t  *made_for;

    if (mac && made_for == sh) {
        return mac;
    }

    dm_mac_free(mac);

    mac = dm_mac_new(sh->secret);
    made_for = sh;

    return mac;
}
