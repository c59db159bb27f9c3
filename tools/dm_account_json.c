/* JSON and time forms of an account */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/crypto.h>

#include "dm_account_json.h"
#include "dm_account_secret.h"


static void dm_json_free(void *p);
static json_t *dm_json_strings(const dm_str_t *str, unsigned n);
static json_t *dm_json_when(int64_t t);
static json_t *dm_json_digest(const dm_account_t *account);
static json_t *dm_json_psk(const dm_account_t *account);


void
dm_json_init(void)
{
    json_set_alloc_funcs(malloc, dm_json_free);
}


static void
dm_json_free(void *p)
{
    if (p == NULL) {
        return;
    }

    OPENSSL_cleanse(p, malloc_usable_size(p));
    free(p);
}


json_t *
dm_json_account(const dm_account_t *account)
{
    const char  *scheme;

    scheme = dm_secret_scheme(account->crypt);

    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s?, s:o, s:o}",
                     "id", dm_json_str(account->id),
                     "name", dm_json_str(account->name),
                     "state", account->state == DM_ACTIVE ? "active"
                                                          : "disabled",
                     "groups", dm_json_strings(account->group,
                                               account->ngroups),
                     "not_before", dm_json_when(account->not_before),
                     "not_after", dm_json_when(account->not_after),
                     "digest", dm_json_digest(account),
                     "crypt", scheme,
                     "psk", dm_json_psk(account),
                     "cert_keys", dm_json_strings(account->cert_key,
                                                  account->ncert_keys));
}


json_t *
dm_json_str(dm_str_t str)
{
    return json_stringn((const char *) str.data, str.len);
}


static json_t *
dm_json_strings(const dm_str_t *str, unsigned n)
{
    json_t    *array;
    unsigned   i;

    array = json_array();

    for (i = 0; i < n; i++) {
        if (json_array_append_new(array, dm_json_str(str[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


static json_t *
dm_json_when(int64_t t)
{
    char  text[DM_TIME_MAX];

    if (t == 0) {
        return json_null();
    }

    dm_json_time(t, text);

    return json_string(text);
}


static json_t *
dm_json_digest(const dm_account_t *account)
{
    json_t    *array;
    unsigned   i;

    array = json_array();

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (!account->has_ha1[i]) {
            continue;
        }

        if (json_array_append_new(array, json_string(dm_digest_name(i)))
            != 0)
        {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


static json_t *
dm_json_psk(const dm_account_t *account)
{
    json_t    *array, *psk;
    unsigned   i;

    array = json_array();

    for (i = 0; i < account->npsks; i++) {
        psk = json_pack("{s:o}", "identity",
                        dm_json_str(account->psk[i].identity));

        if (json_array_append_new(array, psk) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


int
dm_json_print(json_t *json)
{
    int  rc;

    if (json == NULL) {
        return DM_ERROR;
    }

    rc = json_dumpf(json, stdout, JSON_COMPACT);
    json_decref(json);

    if (rc != 0 || putchar('\n') == EOF) {
        return DM_ERROR;
    }

    return DM_OK;
}


void
dm_json_error(char *text)
{
    char    *p;
    json_t  *error;

    error = json_pack("{s:s}", "error", text);

    if (error == NULL) {
        for (p = text; *p != '\0'; p++) {
            *p = (*p & 0x80) ? '?' : *p;
        }

        error = json_pack("{s:s}", "error", text);
    }

    (void) json_dumpf(error, stderr, JSON_COMPACT);
    (void) fputc('\n', stderr);

    json_decref(error);
}


void
dm_json_time(int64_t t, char *out)
{
    time_t     when;
    struct tm  tm;

    when = (time_t) t;

    if (gmtime_r(&when, &tm) == NULL
        || strftime(out, DM_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        (void) snprintf(out, DM_TIME_MAX, "?");
    }
}
