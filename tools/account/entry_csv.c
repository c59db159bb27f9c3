/* A record of a CSV file as an entry: by way of what a line of JSON says */

#include <stdlib.h>

#include "account/entry_csv.h"
#include "common/input.h"


#define DM_COLUMNS_SEPARATOR  ';'   /* of several values in a cell */


typedef enum {
    DM_COLUMN_TEXT,
    DM_COLUMN_LIST,
    DM_COLUMN_PSK,                          /* a field of the one PSK */
    DM_COLUMN_DIGEST
} dm_column_e;


static int dm_columns_header(dm_columns_t *columns, dm_err_t *err);
static int dm_columns_known(dm_str_t name);
static int dm_columns_any(const dm_csv_t *csv);
static int dm_columns_unknown(dm_str_t name, unsigned column, dm_err_t *err);
static int dm_columns_strange(const dm_csv_t *csv, dm_err_t *err);
static int dm_columns_has(const dm_columns_t *columns, unsigned n, int known);

static int dm_columns_again(const dm_columns_t *columns, int rc,
    const dm_entry_file_t *file);
static int dm_columns_record(const dm_columns_t *columns, dm_entry_t *entry,
    dm_err_t *err);
static int dm_columns_is_empty(const dm_csv_t *csv);
static int dm_columns_set(json_t *json, unsigned column, dm_str_t cell,
    dm_err_t *err);
static json_t *dm_columns_value(unsigned column, dm_str_t cell,
    dm_err_t *err);
static json_t *dm_columns_list(unsigned column, dm_str_t cell,
    dm_err_t *err);
static json_t *dm_columns_text(unsigned column, dm_str_t cell,
    dm_err_t *err);
static json_t *dm_columns_within(json_t *json, unsigned column);


/* the fields of a line of JSON, by the names that they have there */
static const struct {
    const char   *name;
    const char   *field;                    /* within "psk" or "digest" */
    dm_column_e   kind;
    int           number;                   /* it may be one of many digits */
} dm_columns_table[] = {
    { "id", NULL, DM_COLUMN_TEXT, 1 },
    { "name", NULL, DM_COLUMN_TEXT, 1 },
    { "password", NULL, DM_COLUMN_TEXT, 1 },
    { "psk_identity", "identity", DM_COLUMN_PSK, 1 },
    { "psk", "key", DM_COLUMN_PSK, 0 },
    { "groups", NULL, DM_COLUMN_LIST, 0 },
    { "not_before", NULL, DM_COLUMN_TEXT, 0 },
    { "not_after", NULL, DM_COLUMN_TEXT, 0 },
    { "state", NULL, DM_COLUMN_TEXT, 0 },
    { "cert_keys", NULL, DM_COLUMN_LIST, 0 },
    { "crypt", NULL, DM_COLUMN_TEXT, 0 },
    { "digest_MD5", "MD5", DM_COLUMN_DIGEST, 0 },
    { "digest_SHA-256", "SHA-256", DM_COLUMN_DIGEST, 0 },
    { "digest_SHA-512-256", "SHA-512-256", DM_COLUMN_DIGEST, 0 },
    { NULL, NULL, DM_COLUMN_TEXT, 0 }
};

#define DM_COLUMNS_KNOWN                                                      \
    "id, name, password, psk_identity, psk, groups, not_before, not_after, "  \
    "state, cert_keys, crypt, digest_MD5, digest_SHA-256 and "                \
    "digest_SHA-512-256"


dm_columns_t *
dm_columns_make(void)
{
    dm_columns_t  *columns;

    columns = calloc(1, sizeof(dm_columns_t));

    if (columns == NULL) {
        return NULL;
    }

    columns->csv = dm_csv_make();

    if (columns->csv == NULL) {
        free(columns);
        return NULL;
    }

    return columns;
}


void
dm_columns_free(dm_columns_t *columns)
{
    if (columns == NULL) {
        return;
    }

    dm_csv_free(columns->csv);
    free(columns);
}


uint64_t
dm_columns_line(const dm_columns_t *columns)
{
    return columns->csv->first;
}


int
dm_columns_end(dm_columns_t *columns, dm_err_t *err)
{
    int  rc;

    rc = dm_csv_end(columns->csv, err);

    if (rc == DM_OK && columns->n == 0) {
        dm_err_set(err, "there is no header line, which names the columns");
        return DM_ERROR;
    }

    return columns->n == 0 ? DM_ERROR : rc;
}


int
dm_entry_parse_csv(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err)
{
    int            rc;
    dm_columns_t  *columns;

    columns = file->columns;

    rc = dm_csv_line(columns->csv, line, file->number, err);

    if ((rc == DM_OK || rc == DM_DECLINED)
        && dm_columns_again(columns, rc, file))
    {
        dm_err_set(err, "it is a header line again: import joined files one "
                   "by one");
        rc = DM_INVALID;
    }

    file->ended |= (rc == DM_INVALID);

    if (rc == DM_OK && dm_columns_is_empty(columns->csv)) {
        return DM_DECLINED;
    }

    if (columns->n > 0) {
        return rc == DM_OK ? dm_columns_record(columns, entry, err) : rc;
    }

    if (rc == DM_OK) {
        rc = dm_columns_header(columns, err);
    }

    /* without a header no line means anything */

    return rc == DM_OK || rc == DM_DECLINED ? DM_DECLINED : DM_ERROR;
}


static int
dm_columns_header(dm_columns_t *columns, dm_err_t *err)
{
    int              known;
    unsigned         i;
    const dm_csv_t  *csv;

    csv = columns->csv;

    if (csv->n > DM_CSV_CELLS || !dm_columns_any(csv)) {
        return dm_columns_strange(csv, err);
    }

    for (i = 0; i < csv->n; i++) {
        known = dm_columns_known(csv->cell[i]);

        if (known == -1) {
            return dm_columns_unknown(csv->cell[i], i + 1, err);
        }

        if (dm_columns_has(columns, i, known)) {
            dm_err_set(err, "column \"%s\" is named twice",
                       dm_columns_table[known].name);
            return DM_INVALID;
        }

        columns->column[i] = (unsigned) known;
    }

    if (!dm_columns_has(columns, csv->n, 0)) {
        dm_err_set(err, "column \"id\" is missing: every account has one");
        return DM_INVALID;
    }

    columns->n = csv->n;

    return DM_OK;
}


/* the index of the column of that name, or -1 */
static int
dm_columns_known(dm_str_t name)
{
    int  i;

    for (i = 0; dm_columns_table[i].name != NULL; i++) {
        if (dm_str_eq(name, dm_cli_str(dm_columns_table[i].name))) {
            return i;
        }
    }

    return -1;
}


static int
dm_columns_any(const dm_csv_t *csv)
{
    unsigned  i;

    for (i = 0; i < csv->n; i++) {
        if (dm_columns_known(csv->cell[i]) != -1) {
            return 1;
        }
    }

    return 0;
}


/* no word of the line is said: where it is an account's, it has secrets */
static int
dm_columns_unknown(dm_str_t name, unsigned column, dm_err_t *err)
{
    if (memchr(name.data, '\r', name.len) != NULL) {
        dm_err_set(err, "the lines end with CR alone: they must end with LF "
                   "or with CR LF");
        return DM_INVALID;
    }

    dm_err_set(err, "column %u is unknown: the columns are " DM_COLUMNS_KNOWN,
               column);

    return DM_INVALID;
}


static int
dm_columns_strange(const dm_csv_t *csv, dm_err_t *err)
{
    dm_str_t  first;

    first = csv->cell[0];

    if (memchr(first.data, '\r', first.len) != NULL) {
        return dm_columns_unknown(first, 1, err);
    }

    if (csv->n == 1 && (memchr(first.data, ';', first.len) != NULL
                        || memchr(first.data, '\t', first.len) != NULL))
    {
        dm_err_set(err, "the columns are to be separated by commas");
        return DM_INVALID;
    }

    dm_err_set(err, "the first line names none of the columns that there "
               "are: " DM_COLUMNS_KNOWN);

    return DM_INVALID;
}


/* 1 if it is among the first n */
static int
dm_columns_has(const dm_columns_t *columns, unsigned n, int known)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (columns->column[i] == (unsigned) known) {
            return 1;
        }
    }

    return 0;
}


/*
 * Looks whether another file begins: with a mark, or with a header, which may
 * name other columns, or stand behind a line without its LF.
 */
static int
dm_columns_again(const dm_columns_t *columns, int rc,
    const dm_entry_file_t *file)
{
    int              known, id;
    unsigned         i, cells, names;
    const dm_csv_t  *csv;

    csv = columns->csv;

    if (columns->n == 0) {
        return 0;
    }

    if (file->mark && csv->first == file->number) {
        return 1;
    }

    if (rc != DM_OK) {
        return 0;
    }

    id = 0;
    cells = 0;
    names = 0;

    for (i = 0; i < csv->n && i < DM_CSV_CELLS; i++) {
        known = dm_columns_known(csv->cell[i]);

        cells += (csv->cell[i].len > 0);
        names += (known != -1);
        id |= (known == 0);
    }

    /* of the cells of an account one may be named as a column is */

    return names > 0
           && (csv->n != columns->n || names == cells || (id && names > 1));
}


static int
dm_columns_record(const dm_columns_t *columns, dm_entry_t *entry,
    dm_err_t *err)
{
    json_t          *psk;
    unsigned         i;
    const dm_csv_t  *csv;

    csv = columns->csv;

    if (csv->n != columns->n) {
        dm_err_set(err, "it has %u cells, and the header line names %u "
                   "columns", csv->n, columns->n);
        return DM_INVALID;
    }

    entry->json = json_object();

    for (i = 0; i < csv->n; i++) {

        if (csv->cell[i].len > 0
            && dm_columns_set(entry->json, columns->column[i], csv->cell[i],
                              err)
               != DM_OK)
        {
            return DM_INVALID;
        }
    }

    psk = json_array_get(json_object_get(entry->json, "psk"), 0);

    if (psk != NULL && json_object_size(psk) != 2) {
        dm_err_set(err, "\"psk_identity\" and \"psk\" need each other");
        return DM_INVALID;
    }

    return dm_entry_from_json(entry, err);
}


/* rows without anything, which spreadsheets leave behind the last one */
static int
dm_columns_is_empty(const dm_csv_t *csv)
{
    unsigned  i;

    for (i = 0; i < csv->n && i < DM_CSV_CELLS; i++) {
        if (csv->cell[i].len > 0) {
            return 0;
        }
    }

    return 1;
}


static int
dm_columns_set(json_t *json, unsigned column, dm_str_t cell, dm_err_t *err)
{
    json_t      *to, *value;
    const char  *field;

    value = dm_columns_value(column, cell, err);

    if (value == NULL) {
        return DM_INVALID;
    }

    to = dm_columns_within(json, column);
    field = dm_columns_table[column].field;

    if (json_object_set_new(to, field != NULL ? field
                                              : dm_columns_table[column].name,
                            value)
        != 0)
    {
        dm_err_set(err, "out of memory");
        return DM_INVALID;
    }

    return DM_OK;
}


static json_t *
dm_columns_value(unsigned column, dm_str_t cell, dm_err_t *err)
{
    if (dm_columns_table[column].kind == DM_COLUMN_LIST) {
        return dm_columns_list(column, cell, err);
    }

    return dm_columns_text(column, cell, err);
}


static json_t *
dm_columns_list(unsigned column, dm_str_t cell, dm_err_t *err)
{
    json_t               *list, *item;
    dm_str_t              part;
    const unsigned char  *end, *last;

    list = json_array();
    last = cell.data + cell.len;

    for (part.data = cell.data; part.data <= last; part.data = end + 1) {
        end = memchr(part.data, DM_COLUMNS_SEPARATOR,
                     (size_t) (last - part.data));
        end = (end == NULL) ? last : end;
        part.len = (size_t) (end - part.data);

        item = dm_columns_text(column, part, err);

        if (item == NULL) {
            json_decref(list);
            return NULL;
        }

        /* a list that lacks one is refused as one that has too many would be */

        (void) json_array_append_new(list, item);
    }

    return list;
}


/*
 * No blank at an end of a cell is meant, whatever it is: who reads the file
 * sees none, and a password that ends with one lets nobody in.
 */
static json_t *
dm_columns_text(unsigned column, dm_str_t text, dm_err_t *err)
{
    char         what[32];
    json_t      *json;
    const char  *name;

    name = dm_columns_table[column].name;

    if (text.len == 0) {
        dm_err_set(err, "\"%s\" has an empty value among others", name);
        return NULL;
    }

    if (dm_input_blank_ends(text)) {

        if (dm_text_check_shown(text, name, err) != DM_OK) {
            return NULL;
        }

        dm_err_set(err, "\"%s\" has a value that begins or ends with a "
                   "blank", name);
        return NULL;
    }

    if (dm_columns_table[column].number) {
        (void) snprintf(what, sizeof(what), "\"%s\"", name);

        if (dm_input_not_mangled(text, what, err) != DM_OK) {
            return NULL;
        }
    }

    json = json_stringn((const char *) text.data, text.len);

    if (json == NULL) {
        dm_err_set(err, "\"%s\" is not UTF-8", name);
    }

    return json;
}


/* the object that has the field of the column, which is made if need be */
static json_t *
dm_columns_within(json_t *json, unsigned column)
{
    json_t  *list, *object;

    switch (dm_columns_table[column].kind) {

    case DM_COLUMN_PSK:
        list = json_object_get(json, "psk");

        if (list != NULL) {
            return json_array_get(list, 0);
        }

        object = json_object();
        (void) json_object_set_new(json, "psk", json_pack("[o]", object));

        return json_array_get(json_object_get(json, "psk"), 0);

    case DM_COLUMN_DIGEST:
        if (json_object_get(json, "digest") == NULL) {
            (void) json_object_set_new(json, "digest", json_object());
        }

        return json_object_get(json, "digest");

    default:
        return json;
    }
}
