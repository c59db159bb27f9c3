/* The records of a CSV file (RFC 4180), out of its lines */

#ifndef DM_ACCOUNT_CSV_H
#define DM_ACCOUNT_CSV_H


#include <csv.h>

#include "account/lines.h"


#define DM_CSV_CELLS  64    /* of a record; more are counted only */


typedef struct {
    struct csv_parser  parser;

    uint64_t           first;               /* line where the record begins */
    int                open;                /* its last line is to come */
    size_t             size;                /* octets of its lines so far */

    unsigned           n;                   /* its cells, in cell if so many */
    dm_str_t           cell[DM_CSV_CELLS];

    size_t             len;                 /* of text */
    unsigned char      text[DM_LINE_MAX + 1];
} dm_csv_t;


/* makes a reader, NULL: out of memory; dm_csv_free() wipes what was read */
dm_csv_t *dm_csv_make(void);
void dm_csv_free(dm_csv_t *csv);

/*
 * Takes the next line, without its LF, and its number.  DM_OK: a record is
 * whole, whose cells are valid until the next call; DM_DECLINED: it is not, or
 * the line is blank; DM_INVALID with err: it is no CSV, or longer than
 * DM_LINE_MAX; DM_ERROR: out of memory.  Behind these no line is to come, for
 * nobody can tell whether a record begins there.
 */
int dm_csv_line(dm_csv_t *csv, dm_str_t line, uint64_t number, dm_err_t *err);

/* there are no more lines.  DM_OK; DM_INVALID: the last record is not whole */
int dm_csv_end(const dm_csv_t *csv, dm_err_t *err);


#endif /* DM_ACCOUNT_CSV_H */
