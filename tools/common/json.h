/* JSON and time forms of an account */

#ifndef DM_COMMON_JSON_H
#define DM_COMMON_JSON_H


#include <jansson.h>
#include <stdio.h>

#include "dm_account.h"


#define DM_TIME_MAX  32     /* octets of an RFC 3339 time with its NUL */


/*
 * jansson's memory may hold secrets (generated ones, exports): from here on
 * all of it is wiped before it is freed.
 */
void dm_json_init(void);

/* the account without its secrets, one reference; NULL: out of memory */
json_t *dm_json_account(const dm_account_t *account);

/*
 * The form that import takes, with all of its secrets, or without digest,
 * crypt and psk.
 */
json_t *dm_json_export(const dm_account_t *account, int secrets);

/* a string with a length; NULL if it is not UTF-8 */
json_t *dm_json_str(dm_str_t str);

/*
 * Makes a string for people: where it is not UTF-8, all but ASCII becomes "?".
 */
json_t *dm_json_text(const char *text);

/*
 * Writes it as one line to stdout and gives the reference up; NULL is
 * accepted and fails.  Characters that are not DM_TEXT_PLAIN are \uHHHH.
 * DM_OK or DM_ERROR.
 */
int dm_json_print(json_t *json);

/* the same to out */
int dm_json_put(FILE *out, json_t *json);

/* the octets of that line; 0: out of memory */
size_t dm_json_size(const json_t *json);

/*
 * {"error": text} or "warning" on stderr, text as dm_json_text() makes it; an
 * error with its "code", if that is not NULL.
 */
void dm_json_error(const char *code, const char *text);
void dm_json_warning(const char *text);

/* RFC 3339 in UTC into out[DM_TIME_MAX] */
void dm_json_time(int64_t t, char *out);


#endif /* DM_COMMON_JSON_H */
