/* The last minutes: how much of what, and the last that were refused */

#include "ngx_dm_sec_recent.h"

#include <ngx_sha1.h>


#define NGX_DM_SEC_RECENT_RATE  8       /* that a second may bring */

#define ngx_dm_sec_recent_minute()  (ngx_current_msec / 60000 + 1)


static ngx_uint_t ngx_dm_sec_recent_may(ngx_dm_sec_recent_t *recent);
static void ngx_dm_sec_recent_name(ngx_dm_sec_recent_one_t *one,
    ngx_str_t *name);
static void ngx_dm_sec_recent_add(ngx_atomic_t *cell, uint64_t time);
static ngx_dm_sec_recent_one_t *ngx_dm_sec_recent_place(
    ngx_dm_sec_recent_t *recent, ngx_dm_sec_recent_one_t *one);
static int ngx_libc_cdecl ngx_dm_sec_recent_cmp(const void *a,
    const void *b);


void
ngx_dm_sec_recent_count(ngx_dm_sec_recent_count_t *count)
{
    uint64_t  minute;

    minute = ngx_dm_sec_recent_minute();

    ngx_dm_sec_recent_add(&count->minute[minute % NGX_DM_SEC_RECENT_MINUTES],
                          minute);
}


/* adds one to what a cell has of this time, or begins it anew */
static void
ngx_dm_sec_recent_add(ngx_atomic_t *cell, uint64_t time)
{
    ngx_atomic_uint_t  old, set;

    do {
        old = *cell;
        set = (old >> 32 == time) ? old + 1 : (time << 32 | 1);

    } while (!ngx_atomic_cmp_set(cell, old, set));
}


uint64_t
ngx_dm_sec_recent_sum(ngx_dm_sec_recent_count_t *count, ngx_uint_t minutes)
{
    uint64_t           i, sum, minute;
    ngx_atomic_uint_t  cell;

    sum = 0;
    minute = ngx_dm_sec_recent_minute();

    for (i = 0; i <= minutes && i < NGX_DM_SEC_RECENT_MINUTES; i++) {
        cell = count->minute[(minute - i) % NGX_DM_SEC_RECENT_MINUTES];

        if (cell >> 32 == minute - i) {
            sum += (uint32_t) cell;
        }
    }

    return sum;
}


void
ngx_dm_sec_recent_remember(ngx_dm_sec_recent_t *recent,
    ngx_slab_pool_t *shpool, ngx_uint_t kind, ngx_str_t *address,
    ngx_str_t *name)
{
    uint32_t                  count;
    ngx_dm_sec_recent_one_t   one;
    ngx_dm_sec_recent_one_t  *place;

    if (!ngx_dm_sec_recent_may(recent)) {
        return;
    }

    ngx_memzero(&one, sizeof(ngx_dm_sec_recent_one_t));

    one.time = ngx_time();
    one.kind = (uint16_t) kind;
    one.address_len = (u_char) ngx_min(address->len, sizeof(one.address));
    ngx_memcpy(one.address, address->data, one.address_len);

    if (name && name->len) {
        ngx_dm_sec_recent_name(&one, name);
    }

    ngx_shmtx_lock(&shpool->mutex);

    place = ngx_dm_sec_recent_place(recent, &one);
    count = place->count;

    *place = one;
    place->count = count + 1;

    ngx_shmtx_unlock(&shpool->mutex);
}


/* keeps the name, or its beginning and what tells it from others */
static void
ngx_dm_sec_recent_name(ngx_dm_sec_recent_one_t *one, ngx_str_t *name)
{
    ngx_sha1_t  sha1;

    one->name_len = (u_char) ngx_min(name->len, sizeof(one->name));
    ngx_memcpy(one->name, name->data, one->name_len);

    if (name->len <= sizeof(one->name)) {
        return;
    }

    one->cut = 1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, name->data, name->len);
    ngx_sha1_final(one->whole, &sha1);
}


static ngx_uint_t
ngx_dm_sec_recent_may(ngx_dm_sec_recent_t *recent)
{
    uint64_t           second;
    ngx_atomic_uint_t  brought;

    second = ngx_current_msec / 1000 + 1;
    brought = recent->brought;

    if (brought >> 32 == second
        && (uint32_t) brought >= NGX_DM_SEC_RECENT_RATE)
    {
        return 0;
    }

    ngx_dm_sec_recent_add(&recent->brought, second);

    return 1;
}


/*
 * Needs the lock; finds the place of one who is there already, or of nobody, or
 * else the oldest of the kind that has most of them.  What it returns has the
 * count that there is of this one.
 */
static ngx_dm_sec_recent_one_t *
ngx_dm_sec_recent_place(ngx_dm_sec_recent_t *recent,
    ngx_dm_sec_recent_one_t *one)
{
    ngx_uint_t                i, most;
    ngx_uint_t                n[NGX_DM_SEC_RECENT_KINDS];
    ngx_dm_sec_recent_one_t  *last, *place;

    ngx_memzero(n, sizeof(n));

    most = 0;
    last = recent->last;

    for (i = 0; i < NGX_DM_SEC_RECENT_LAST; i++) {

        if (last[i].count == 0) {
            return &last[i];
        }

        if (last[i].kind == one->kind
            && ngx_memcmp(last[i].address, one->address, sizeof(one->address))
               == 0
            && ngx_memcmp(last[i].name, one->name, sizeof(one->name)) == 0
            && ngx_memcmp(last[i].whole, one->whole, sizeof(one->whole)) == 0)
        {
            return &last[i];
        }

        n[last[i].kind]++;
        most = ngx_max(most, n[last[i].kind]);
    }

    place = &last[0];

    for (i = 1; i < NGX_DM_SEC_RECENT_LAST; i++) {
        if (n[last[i].kind] == most
            && (n[place->kind] < most || last[i].time < place->time))
        {
            place = &last[i];
        }
    }

    place->count = 0;

    return place;
}


ngx_uint_t
ngx_dm_sec_recent_last(ngx_dm_sec_recent_t *recent, ngx_slab_pool_t *shpool,
    ngx_dm_sec_recent_one_t last[NGX_DM_SEC_RECENT_LAST])
{
    ngx_uint_t  n;

    ngx_shmtx_lock(&shpool->mutex);
    ngx_memcpy(last, recent->last, sizeof(recent->last));
    ngx_shmtx_unlock(&shpool->mutex);

    for (n = 0; n < NGX_DM_SEC_RECENT_LAST && last[n].count; n++) {
        /* void */
    }

    ngx_qsort(last, n, sizeof(ngx_dm_sec_recent_one_t),
              ngx_dm_sec_recent_cmp);

    return n;
}


static int ngx_libc_cdecl
ngx_dm_sec_recent_cmp(const void *a, const void *b)
{
    const ngx_dm_sec_recent_one_t  *one = a;
    const ngx_dm_sec_recent_one_t  *two = b;

    return one->time > two->time ? -1 : one->time < two->time;
}
