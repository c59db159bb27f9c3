/*
 * dm_entry_parse_csv: the header line and the records of a CSV file, in lines
 * as dm_lines_next() gives them.
 */

#include "account/entry_csv.h"
#include "fuzz.h"


static void record(const dm_entry_t *entry, const dm_columns_t *columns);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              rc;
    dm_err_t         err;
    dm_str_t         line;
    dm_entry_t       entry;
    const uint8_t   *lf, *last;
    dm_columns_t    *columns;
    dm_entry_file_t  file;

    columns = dm_columns_make();
    fuzz_must(columns != NULL);

    memset(&entry, 0, sizeof(dm_entry_t));
    memset(&file, 0, sizeof(dm_entry_file_t));

    file.columns = columns;

    rc = DM_OK;
    last = data + size;

    for (line.data = data; line.data < last && rc != DM_ERROR && !file.ended;
         line.data = lf + 1)
    {
        lf = memchr(line.data, '\n', (size_t) (last - line.data));
        lf = (lf == NULL) ? last : lf;
        line.len = (size_t) (lf - line.data);
        file.number++;

        rc = dm_entry_parse_csv(&entry, line, &file, &err);

        if (rc == DM_OK) {
            record(&entry, file.columns);
        }

        fuzz_must(dm_columns_line(file.columns) <= file.number);
        dm_entry_wipe(&entry);
    }

    rc = dm_columns_end(columns, &err);
    fuzz_must(rc != DM_OK || columns->n > 0);

    dm_columns_free(columns);

    return 0;
}


/* each cell lies in what was read, and the entry says what the cells say */
static void
record(const dm_entry_t *entry, const dm_columns_t *columns)
{
    unsigned         i;
    const dm_csv_t  *csv;

    csv = columns->csv;

    fuzz_must(!csv->open && csv->n == columns->n && csv->n <= DM_CSV_CELLS);

    for (i = 0; i < csv->n; i++) {
        fuzz_inside(csv->cell[i], csv->text, csv->len);

        if (columns->column[i] == 0) {
            fuzz_must(csv->cell[i].len == entry->account.id.len);
        }
    }

    fuzz_must(entry->has & DM_ENTRY_ID);
    fuzz_must(entry->account.ngroups <= DM_GROUPS);
    fuzz_must(entry->account.ncert_keys <= DM_CERT_KEYS);
    fuzz_must(entry->account.npsks <= 1);
}
