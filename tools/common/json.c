/* JSON and time forms of an account */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "dm_hex.h"
#include "dm_password.h"
#include "common/json.h"


static void dm_json_free(void *p);
static int dm_json_write(const char *text, size_t len, void *data);
static int dm_json_count(const char *text, size_t len, void *data);
static void dm_json_tell(const char *what, const char *code,
    const char *text);
static void dm_json_escape(FILE *out, uint32_t c);
static json_t *dm_json_fields(const dm_account_t *account);
static json_t *dm_json_add(json_t *json, json_t *digest, json_t *crypt,
    json_t *psk);
static json_t *dm_json_strings(const dm_str_t *str, unsigned n);
static json_t *dm_json_when(int64_t t);
static json_t *dm_json_algorithms(const dm_account_t *account);
static json_t *dm_json_ha1s(const dm_account_t *account);
static json_t *dm_json_identities(const dm_account_t *account);
static json_t *dm_json_psks(const dm_account_t *account);
static json_t *dm_json_hex(dm_str_t octets);


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

    scheme = dm_password_scheme(account->crypt);

    return dm_json_add(dm_json_fields(account), dm_json_algorithms(account),
                       scheme == NULL ? json_null() : json_string(scheme),
                       dm_json_identities(account));
}


json_t *
dm_json_export(const dm_account_t *account, int secrets)
{
    if (!secrets) {
        return dm_json_fields(account);
    }

    return dm_json_add(dm_json_fields(account), dm_json_ha1s(account),
                       account->crypt.len == 0 ? json_null()
                                               : dm_json_str(account->crypt),
                       dm_json_psks(account));
}


static json_t *
dm_json_fields(const dm_account_t *account)
{
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}",
                     "id", dm_json_str(account->id),
                     "name", dm_json_str(account->name),
                     "state", account->state == DM_ACTIVE ? "active"
                                                          : "disabled",
                     "groups", dm_json_strings(account->group,
                                               account->ngroups),
                     "not_before", dm_json_when(account->not_before),
                     "not_after", dm_json_when(account->not_after),
                     "cert_keys", dm_json_strings(account->cert_key,
                                                  account->ncert_keys));
}


static json_t *
dm_json_add(json_t *json, json_t *digest, json_t *crypt, json_t *psk)
{
    int  failed;

    failed = json_object_set_new(json, "digest", digest);
    failed |= json_object_set_new(json, "crypt", crypt);
    failed |= json_object_set_new(json, "psk", psk);

    if (failed) {
        json_decref(json);
        return NULL;
    }

    return json;
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
dm_json_algorithms(const dm_account_t *account)
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
dm_json_ha1s(const dm_account_t *account)
{
    json_t    *object;
    dm_str_t   ha1;
    unsigned   i;

    object = json_object();

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (!account->has_ha1[i]) {
            continue;
        }

        ha1 = (dm_str_t) { account->ha1[i], dm_digest_size(i) };

        if (json_object_set_new(object, dm_digest_name(i), dm_json_hex(ha1))
            != 0)
        {
            json_decref(object);
            return NULL;
        }
    }

    return object;
}


static json_t *
dm_json_identities(const dm_account_t *account)
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


static json_t *
dm_json_psks(const dm_account_t *account)
{
    json_t    *array, *psk;
    unsigned   i;

    array = json_array();

    for (i = 0; i < account->npsks; i++) {
        psk = json_pack("{s:o, s:o}",
                        "identity", dm_json_str(account->psk[i].identity),
                        "key", dm_json_hex(account->psk[i].key));

        if (json_array_append_new(array, psk) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


/* makes a string of hex, in lower case, of at most DM_PSK_MAX octets */
static json_t *
dm_json_hex(dm_str_t octets)
{
    char     text[2 * DM_PSK_MAX];
    size_t   len;
    json_t  *json;

    len = dm_hex_write(octets, (unsigned char *) text);
    json = json_stringn(text, len);

    OPENSSL_cleanse(text, sizeof(text));

    return json;
}


int
dm_json_print(json_t *json)
{
    return dm_json_put(stdout, json);
}


int
dm_json_put(FILE *out, json_t *json)
{
    int  rc;

    if (json == NULL) {
        return DM_ERROR;
    }

    rc = json_dump_callback(json, dm_json_write, out, JSON_COMPACT);
    json_decref(json);

    if (rc != 0 || putc('\n', out) == EOF) {
        return DM_ERROR;
    }

    return DM_OK;
}


/* jansson leaves all but C0 as it is; only strings have such characters */
static int
dm_json_write(const char *text, size_t len, void *data)
{
    FILE                 *out;
    size_t                n;
    const unsigned char  *p, *last;

    out = data;
    p = (const unsigned char *) text;

    for (last = p + len; p < last; p += n) {

        if (dm_text_next(p, last, &n) == DM_TEXT_PLAIN) {
            (void) fwrite(p, 1, n, out);
            continue;
        }

        dm_json_escape(out, dm_text_code(p, n));
    }

    return ferror(out) ? -1 : 0;
}


static void
dm_json_escape(FILE *out, uint32_t c)
{
    if (c < 0x10000) {
        (void) fprintf(out, "\\u%04x", (unsigned) c);
        return;
    }

    c -= 0x10000;

    (void) fprintf(out, "\\u%04x\\u%04x", (unsigned) (0xd800 | c >> 10),
                   (unsigned) (0xdc00 | (c & 0x3ff)));
}


size_t
dm_json_size(const json_t *json)
{
    size_t  size;

    size = 1;   /* the end of its line */

    return json_dump_callback(json, dm_json_count, &size, JSON_COMPACT) == 0
           ? size : 0;
}


/* counts the octets that dm_json_write() would write */
static int
dm_json_count(const char *text, size_t len, void *data)
{
    size_t               *size, n;
    const unsigned char  *p, *last;

    size = data;
    p = (const unsigned char *) text;

    for (last = p + len; p < last; p += n) {

        if (dm_text_next(p, last, &n) == DM_TEXT_PLAIN) {
            *size += n;
            continue;
        }

        /* 4 octets are a character beyond U+FFFF, which are two such */

        *size += (n < 4 ? 1 : 2) * (sizeof("\\uHHHH") - 1);
    }

    return 0;
}


json_t *
dm_json_text(const char *text)
{
    char    *copy, *p;
    json_t  *json;

    json = json_string(text);

    if (json != NULL) {
        return json;
    }

    copy = strdup(text);

    for (p = copy; p != NULL && *p != '\0'; p++) {
        *p = (*p & 0x80) ? '?' : *p;
    }

    json = json_string(copy);
    free(copy);

    return json;
}


void
dm_json_error(const char *code, const char *text)
{
    dm_json_tell("error", code, text);
}


void
dm_json_warning(const char *text)
{
    dm_json_tell("warning", NULL, text);
}


static void
dm_json_tell(const char *what, const char *code, const char *text)
{
    FILE    *out;
    char    *line;
    size_t   len;
    json_t  *error;

    error = json_pack("{s:o, s:s*}", what, dm_json_text(text), "code", code);

    /* stderr, which has no buffer, gets it in one piece */

    line = NULL;
    out = open_memstream(&line, &len);

    if (out != NULL) {
        (void) json_dump_callback(error, dm_json_write, out, JSON_COMPACT);
        (void) fputc('\n', out);

        if (fclose(out) == 0) {
            (void) fwrite(line, 1, len, stderr);
        }

        free(line);
    }

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
