/* How full the tables of the zone are, and the locks in them */

#include "ngx_dm_sec_usage.h"


static void ngx_dm_sec_usage_table(const dm_table_t *table, uint64_t now,
    int (*is_lock)(const dm_cell_t *cell), ngx_dm_sec_usage_t *usage);
static size_t ngx_dm_sec_usage_address(const ngx_dm_sec_failure_t *failure,
    u_char *text);


void
ngx_dm_sec_usage(ngx_dm_sec_shared_t *sh,
    ngx_dm_sec_usage_t usage[NGX_DM_SEC_TABLES])
{
    ngx_dm_sec_usage_table(sh->nonces, ngx_dm_sec_zone_clock(sh), NULL,
                           &usage[NGX_DM_SEC_NONCES]);
    ngx_dm_sec_usage_table(dm_failures_table(sh->failures), ngx_current_msec,
                           dm_failures_is_lock, &usage[NGX_DM_SEC_FAILURES]);
    ngx_dm_sec_usage_table(sh->passwords, ngx_current_msec, NULL,
                           &usage[NGX_DM_SEC_PASSWORDS]);
}


static void
ngx_dm_sec_usage_table(const dm_table_t *table, uint64_t now,
    int (*is_lock)(const dm_cell_t *cell), ngx_dm_sec_usage_t *usage)
{
    size_t            i, n;
    const dm_cell_t  *cell;

    ngx_memzero(usage, sizeof(ngx_dm_sec_usage_t));

    n = dm_table_cells(table);

    usage->value[NGX_DM_SEC_CELLS] = n;
    usage->value[NGX_DM_SEC_CELLS_EVICTED] = dm_table_evicted(table);

    for (i = 0; i < n; i++) {
        cell = dm_table_cell(table, i);

        if (!dm_cell_alive(cell, now)) {
            continue;
        }

        usage->value[NGX_DM_SEC_CELLS_USED]++;

        if (is_lock && is_lock(cell)) {
            usage->value[NGX_DM_SEC_CELLS_LOCKED]++;
        }
    }
}


ngx_uint_t
ngx_dm_sec_usage_lock(ngx_dm_sec_shared_t *sh, size_t *next,
    ngx_dm_sec_lock_t *lock)
{
    size_t                 n;
    dm_cell_t              cell;
    const dm_table_t      *table;
    ngx_dm_sec_failure_t   failure;

    table = dm_failures_table(sh->failures);
    n = dm_table_cells(table);

    do {
        if (*next == n) {
            return 0;
        }

        cell = *dm_table_cell(table, (*next)++);

    } while (!dm_cell_alive(&cell, ngx_current_msec)
             || !dm_failures_is_lock(&cell));

    ngx_memcpy(&failure, dm_failures_note(&cell),
               sizeof(ngx_dm_sec_failure_t));
    ngx_memcpy(lock->name_data, failure.name, sizeof(failure.name));

    lock->name.data = lock->name_data;
    lock->name.len = ngx_strnlen(lock->name_data, sizeof(failure.name));
    lock->address.data = lock->address_data;
    lock->address.len = ngx_dm_sec_usage_address(&failure, lock->address_data);
    lock->known = failure.known;
    lock->seconds = (cell.expires - ngx_current_msec + 999) / 1000;

    return 1;
}


static size_t
ngx_dm_sec_usage_address(const ngx_dm_sec_failure_t *failure, u_char *text)
{
    u_char  address[16];

    ngx_memzero(address, sizeof(address));
    ngx_memcpy(address, failure->address, sizeof(failure->address));

    switch (failure->family) {

    case 4:
        return ngx_inet_ntop(AF_INET, address, text, NGX_INET6_ADDRSTRLEN);

#if (NGX_HAVE_INET6)
    case 6:
        return ngx_inet_ntop(AF_INET6, address, text, NGX_INET6_ADDRSTRLEN);
#endif
    }

    return ngx_cpymem(text, "unix", 4) - text;
}
