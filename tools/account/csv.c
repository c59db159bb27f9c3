/* The records of a CSV file (RFC 4180), out of its lines */

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "account/csv.h"
#include "account/lines.h"


static int dm_csv_init(dm_csv_t *csv);
static int dm_csv_check(const dm_csv_t *csv, dm_str_t line, uint64_t number,
    dm_err_t *err);
static int dm_csv_feed(dm_csv_t *csv, dm_str_t line, dm_err_t *err);
static void dm_csv_cell(void *data, size_t len, void *csv);
static void dm_csv_record(int last, void *csv);
static int dm_csv_no_space(unsigned char ch);
static int dm_csv_is_lf(unsigned char ch);


dm_csv_t *
dm_csv_make(void)
{
    dm_csv_t  *csv;

    csv = calloc(1, sizeof(dm_csv_t));

    if (csv != NULL && dm_csv_init(csv) != DM_OK) {
        free(csv);
        return NULL;
    }

    return csv;
}


/*
 * Blanks are part of a cell, as RFC 4180 says, and only LF ends a record: the
 * CR before it is gone, and another one is an octet like others.  The buffer of
 * a cell is made once and never grows, so that nothing of it is left behind.
 */
static int
dm_csv_init(dm_csv_t *csv)
{
    if (csv_init(&csv->parser, CSV_STRICT) != 0) {
        return DM_ERROR;
    }

    csv_set_space_func(&csv->parser, dm_csv_no_space);
    csv_set_term_func(&csv->parser, dm_csv_is_lf);
    csv_set_blk_size(&csv->parser, DM_LINE_MAX + 1);

    return DM_OK;
}


void
dm_csv_free(dm_csv_t *csv)
{
    if (csv == NULL) {
        return;
    }

    OPENSSL_cleanse(csv->parser.entry_buf, csv->parser.entry_size);
    csv_free(&csv->parser);

    OPENSSL_cleanse(csv, sizeof(dm_csv_t));
    free(csv);
}


int
dm_csv_line(dm_csv_t *csv, dm_str_t line, uint64_t number, dm_err_t *err)
{
    int  rc;

    if (!csv->open) {
        csv->first = number;
        csv->size = 0;
        csv->n = 0;
        csv->len = 0;

        if (dm_lines_is_blank(line)) {
            return DM_DECLINED;
        }

        csv->open = 1;
    }

    csv->size += line.len + 1;

    rc = dm_csv_check(csv, line, number, err);

    if (rc == DM_OK) {
        rc = dm_csv_feed(csv, line, err);
    }

    if (rc == DM_OK) {
        rc = dm_csv_feed(csv, dm_str("\n"), err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    return csv->open ? DM_DECLINED : DM_OK;
}


static int
dm_csv_check(const dm_csv_t *csv, dm_str_t line, uint64_t number,
    dm_err_t *err)
{
    if (csv->size > DM_LINE_MAX + 1) {
        dm_err_set(err, "the record is longer than %d octets, and goes on in "
                   "line %llu: is a quote not closed?", DM_LINE_MAX,
                   (unsigned long long) number);
        return DM_INVALID;
    }

    if (memchr(line.data, '\0', line.len) != NULL) {
        dm_err_set(err, "it has a NUL: a CSV file must be UTF-8");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_csv_feed(dm_csv_t *csv, dm_str_t line, dm_err_t *err)
{
    if (csv_parse(&csv->parser, line.data, line.len, dm_csv_cell,
                  dm_csv_record, csv)
        == line.len)
    {
        return DM_OK;
    }

    if (csv_error(&csv->parser) != CSV_EPARSE) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    dm_err_set(err, "a quote stands where none can be, in cell %u: a cell "
               "that has one is quoted, and each in it is doubled",
               csv->n + 1);

    return DM_INVALID;
}


/* all cells of a record have room in text, for its lines are not longer */
static void
dm_csv_cell(void *data, size_t len, void *arg)
{
    dm_csv_t  *csv;

    csv = arg;

    if (csv->n < DM_CSV_CELLS) {
        csv->cell[csv->n] = (dm_str_t) { csv->text + csv->len, len };

        /* of an empty one there may be no data at all */

        if (len > 0) {
            memcpy(csv->text + csv->len, data, len);
            csv->len += len;
        }
    }

    csv->n++;
}


static void
dm_csv_record(int last, void *arg)
{
    dm_csv_t  *csv;

    (void) last;

    csv = arg;
    csv->open = 0;
}


static int
dm_csv_no_space(unsigned char ch)
{
    (void) ch;

    return 0;
}


static int
dm_csv_is_lf(unsigned char ch)
{
    return ch == '\n';
}


int
dm_csv_end(const dm_csv_t *csv, dm_err_t *err)
{
    if (!csv->open) {
        return DM_OK;
    }

    dm_err_set(err, "a quote is not closed, in cell %u", csv->n + 1);

    return DM_INVALID;
}
