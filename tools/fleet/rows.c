/* The rows that an entry leaves behind */

#include "fleet/rows.h"


void
dm_rows_start(dm_rows_t *rows)
{
    rows->n = 0;
    rows->len = 0;
}


int
dm_rows_add(dm_rows_t *rows, dm_fleet_t *fleet, dm_fleet_kind_t kind,
    dm_str_t id, dm_str_t what, uint64_t number, dm_err_t *err)
{
    int               rc;
    size_t            len;
    unsigned char    *body, *key;
    dm_engine_row_t  *row;

    row = &rows->row[rows->n];
    key = rows->key[rows->n];
    body = NULL;
    len = 0;

    if (kind == DM_FLEET_DEL) {
        rc = dm_fleet_key(fleet, id, key);

        if (rc != DM_OK) {
            dm_err_set(err, "a row has no key: OpenSSL failed");
        }

    } else {
        body = rows->octets + rows->len;
        rc = dm_fleet_row_write(fleet, id, what, number, key, body, &len,
                                err);
    }

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    row->key = (dm_str_t) { key, DM_FLEET_KEY };
    row->body = (dm_str_t) { body, len };

    rows->len += len;
    rows->n++;

    return DM_OK;
}
