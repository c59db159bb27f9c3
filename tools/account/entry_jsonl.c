/* A line of JSON as an entry: the form that dm-account export writes */
#include "dm_cert.h"
#include "dm_hex.h"
#include "dm_password.h"
#include "account/entry.h"
#include "account/lines.h"
#include "common/input.h"


static dm_str_t dm_jsonl_trim(dm_str_t line);
static int dm_jsonl_form(dm_str_t line, dm_err_t *err);
static int dm_jsonl_goes_on(dm_str_t line);
static int dm_jsonl_is_open(dm_str_t line);
static int dm_jsonl_space(unsigned char ch);
static int dm_jsonl_fields(dm_entry_t *entry, dm_err_t *err);
static int dm_jsonl_field(dm_entry_t *entry, const char *name, unsigned n,
    json_t *value, dm_err_t *err);
static int dm_jsonl_check(const dm_entry_t *entry, dm_err_t *err);

static int dm_jsonl_id(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_name(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_state(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_groups(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_not_before(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_not_after(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_digest(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_crypt(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_psk(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_cert_keys(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_password(dm_entry_t *entry, json_t *value,
    dm_err_t *err);

static int dm_jsonl_one_psk(dm_entry_t *entry, json_t *value,
    dm_err_t *err);
static int dm_jsonl_time(json_t *value, const char *what, int64_t *t,
    dm_err_t *err);
static int dm_jsonl_array(json_t *value, size_t max, const char *what,
    dm_err_t *err);
static int dm_jsonl_string(json_t *value, const char *what,
    dm_str_t *out, dm_err_t *err);


static const struct {
    const char  *name;
    unsigned     bit;
    int        (*set)(dm_entry_t *entry, json_t *value, dm_err_t *err);
} dm_jsonl_table[] = {
    { "id", DM_ENTRY_ID, dm_jsonl_id },
    { "name", DM_ENTRY_NAME, dm_jsonl_name },
    { "state", DM_ENTRY_STATE, dm_jsonl_state },
    { "groups", DM_ENTRY_GROUPS, dm_jsonl_groups },
    { "not_before", DM_ENTRY_NOT_BEFORE, dm_jsonl_not_before },
    { "not_after", DM_ENTRY_NOT_AFTER, dm_jsonl_not_after },
    { "digest", DM_ENTRY_DIGEST, dm_jsonl_digest },
    { "crypt", DM_ENTRY_CRYPT, dm_jsonl_crypt },
    { "psk", DM_ENTRY_PSK, dm_jsonl_psk },
    { "cert_keys", DM_ENTRY_CERT_KEYS, dm_jsonl_cert_keys },
    { "password", DM_ENTRY_PASSWORD, dm_jsonl_password },
    { NULL, 0, NULL }
};


int
dm_entry_parse_jsonl(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err)
{
    dm_str_t      text;
    json_error_t  error;

    if (dm_lines_is_blank(line)) {
        return DM_DECLINED;
    }

    text = dm_jsonl_trim(line);

    if (file->first && dm_jsonl_form(text, err) != DM_OK) {
        return DM_ERROR;
    }

    entry->json = json_loadb((const char *) line.data, line.len,
                             JSON_REJECT_DUPLICATES, &error);

    /* say no word of jansson's: it quotes the line, which may hold a secret */

    if (entry->json == NULL) {
        dm_err_set(err, "it is not JSON, or names a field twice: see octet %d",
                   error.position);
        file->ended |= dm_jsonl_goes_on(text) || dm_jsonl_is_open(text)
                       || json_error_code(&error)
                          == json_error_premature_end_of_input;
        return DM_INVALID;
    }

    if (!json_is_object(entry->json)) {
        dm_err_set(err, "it is not an object: {\"id\":..., ...}");
        return DM_INVALID;
    }

    return dm_entry_from_json(entry, err);
}


int
dm_entry_from_json(dm_entry_t *entry, dm_err_t *err)
{
    if (dm_jsonl_fields(entry, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_jsonl_check(entry, err);
}


/* a line that is not blank, without the blanks at its ends */
static dm_str_t
dm_jsonl_trim(dm_str_t line)
{
    while (dm_jsonl_space(line.data[0])) {
        line.data++;
        line.len--;
    }

    while (dm_jsonl_space(line.data[line.len - 1])) {
        line.len--;
    }

    return line;
}


/*
 * Tells by the first line that is not blank whether the file is JSON of another
 * form.  Objects that do not end where they begin are told by what their first
 * line ends with: one that was cut short seldom does.
 */
static int
dm_jsonl_form(dm_str_t line, dm_err_t *err)
{
    unsigned char  first, last;

    first = line.data[0];
    last = line.data[line.len - 1];

    if (first == '[') {
        dm_err_set(err, "it is a JSON array, and an object a line is read: "
                   "write them with \"jq -c '.[]' FILE\"");
        return DM_INVALID;
    }

    if (first == '{' && (last == '{' || dm_jsonl_goes_on(line))) {
        dm_err_set(err, "the JSON object does not end on its line, and an "
                   "object a line is read: write them with \"jq -c . FILE\"");
        return DM_INVALID;
    }

    return DM_OK;
}


/* an object that is within another stands behind one of these */
static int
dm_jsonl_goes_on(dm_str_t line)
{
    unsigned char  last;

    last = line.data[line.len - 1];

    return last == '[' || last == ',' || last == ':';
}


/*
 * Looks whether a line that is not JSON leaves an object, a list or a string
 * open.  What is behind a "/" or "#" out of a string is a comment somewhere,
 * and closes nothing.
 */
static int
dm_jsonl_is_open(dm_str_t line)
{
    int                   string;
    size_t                open;
    const unsigned char  *p, *last;

    string = 0;
    open = 0;
    last = line.data + line.len;

    for (p = line.data; p < last; p++) {

        if (*p == '"') {
            string = !string;

        } else if (string) {
            p += (*p == '\\');

        } else if (*p == '/' || *p == '#') {
            break;

        } else if (*p == '{' || *p == '[') {
            open++;

        } else if (*p == '}' || *p == ']') {
            open -= (open > 0);
        }
    }

    return string || open > 0;
}


static int
dm_jsonl_space(unsigned char ch)
{
    return ch == ' ' || ch == '\t';
}


static int
dm_jsonl_fields(dm_entry_t *entry, dm_err_t *err)
{
    json_t      *value;
    unsigned     n;
    const char  *name;

    n = 0;

    json_object_foreach(entry->json, name, value) {

        if (dm_jsonl_field(entry, name, ++n, value, err) != DM_OK) {
            return DM_INVALID;
        }
    }

    return DM_OK;
}


/* the field is the nth; an unknown name is not said: it may be a secret */
static int
dm_jsonl_field(dm_entry_t *entry, const char *name, unsigned n, json_t *value,
    dm_err_t *err)
{
    unsigned  i;

    for (i = 0; dm_jsonl_table[i].name != NULL; i++) {

        if (strcmp(dm_jsonl_table[i].name, name) == 0) {
            entry->has |= dm_jsonl_table[i].bit;
            return dm_jsonl_table[i].set(entry, value, err);
        }
    }

    dm_err_set(err, "field %u is unknown: the fields are id, name, state, "
               "groups, not_before, not_after, digest, crypt, psk, cert_keys "
               "and password", n);

    return DM_INVALID;
}


static int
dm_jsonl_check(const dm_entry_t *entry, dm_err_t *err)
{
    int  given;

    if (!(entry->has & DM_ENTRY_ID)) {
        dm_err_set(err, "it has no \"id\"");
        return DM_INVALID;
    }

    given = (entry->password.len > 0) + (entry->account.crypt.len > 0)
            + dm_account_has_ha1(&entry->account);

    if (given > 1) {
        dm_err_set(err, "\"password\", \"digest\" and \"crypt\" exclude each "
                   "other: one of them makes the password");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_jsonl_id(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    dm_str_t  id;

    if (dm_jsonl_string(value, "\"id\"", &id, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_entry_set_id(entry, id, err);
}


static int
dm_jsonl_name(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    return dm_jsonl_string(value, "\"name\"", &entry->account.name, err);
}


static int
dm_jsonl_state(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    dm_str_t  state;

    if (dm_jsonl_string(value, "\"state\"", &state, err) != DM_OK) {
        return DM_INVALID;
    }

    if (dm_str_eq(state, dm_str("active"))) {
        entry->account.state = DM_ACTIVE;
        return DM_OK;
    }

    if (dm_str_eq(state, dm_str("disabled"))) {
        entry->account.state = DM_DISABLED;
        return DM_OK;
    }

    dm_err_set(err, "\"state\" is neither \"active\" nor \"disabled\"");

    return DM_INVALID;
}


static int
dm_jsonl_groups(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    size_t         i;
    json_t        *group;
    dm_account_t  *account;

    account = &entry->account;

    if (dm_jsonl_array(value, DM_GROUPS, "\"groups\"", err) != DM_OK) {
        return DM_INVALID;
    }

    json_array_foreach(value, i, group) {

        if (dm_jsonl_string(group, "a group", &account->group[i], err)
            != DM_OK)
        {
            return DM_INVALID;
        }
    }

    account->ngroups = (unsigned) json_array_size(value);

    return DM_OK;
}


static int
dm_jsonl_not_before(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    return dm_jsonl_time(value, "\"not_before\"", &entry->account.not_before,
                         err);
}


static int
dm_jsonl_not_after(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    return dm_jsonl_time(value, "\"not_after\"", &entry->account.not_after,
                         err);
}


static int
dm_jsonl_digest(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    size_t           len;
    json_t          *ha1;
    dm_str_t         hex;
    const char      *name;
    dm_account_t    *account;
    dm_algorithm_t   alg;

    account = &entry->account;

    if (!json_is_object(value)) {
        dm_err_set(err, "\"digest\" is not an object: "
                   "{\"SHA-256\":HEX, ...}");
        return DM_INVALID;
    }

    json_object_foreach(value, name, ha1) {

        if (dm_digest_by_name(dm_cli_str(name), &alg) != DM_OK
            || account->has_ha1[alg])
        {
            dm_err_set(err, "\"digest\" has something else than MD5, SHA-256 "
                       "and SHA-512-256, once each");
            return DM_INVALID;
        }

        if (dm_jsonl_string(ha1, "an HA1", &hex, err) != DM_OK) {
            return DM_INVALID;
        }

        if (dm_hex_read(hex, account->ha1[alg], DM_HASH_MAX, &len) != DM_OK
            || len != dm_digest_size(alg))
        {
            dm_err_set(err, "the HA1 for %s has something else than %zu "
                       "hexadecimal digits", dm_digest_name(alg),
                       2 * dm_digest_size(alg));
            return DM_INVALID;
        }

        account->has_ha1[alg] = 1;
    }

    return DM_OK;
}


static int
dm_jsonl_crypt(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    if (json_is_null(value)) {
        return DM_OK;
    }

    if (dm_jsonl_string(value, "\"crypt\"", &entry->account.crypt, err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    return dm_password_check(entry->account.crypt, err);
}


static int
dm_jsonl_psk(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    size_t   i;
    json_t  *psk;

    if (dm_jsonl_array(value, DM_PSKS, "\"psk\"", err) != DM_OK) {
        return DM_INVALID;
    }

    json_array_foreach(value, i, psk) {

        if (dm_jsonl_one_psk(entry, psk, err) != DM_OK) {
            return DM_INVALID;
        }
    }

    return DM_OK;
}


static int
dm_jsonl_one_psk(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    json_t    *identity, *key;
    dm_str_t   hex;
    dm_psk_t  *psk;
    unsigned   i;

    i = entry->account.npsks++;
    psk = &entry->account.psk[i];

    identity = json_object_get(value, "identity");
    key = json_object_get(value, "key");

    if (json_object_size(value) != 2 || identity == NULL || key == NULL) {
        dm_err_set(err, "a PSK has something else than \"identity\" and "
                   "\"key\"");
        return DM_INVALID;
    }

    if (dm_jsonl_string(identity, "a PSK identity", &psk->identity, err)
           != DM_OK
        || dm_jsonl_string(key, "a PSK key", &hex, err) != DM_OK)
    {
        return DM_INVALID;
    }

    if (dm_hex_read(hex, entry->psk[i], DM_PSK_MAX, &psk->key.len) != DM_OK) {
        dm_err_set(err, "a PSK key is not %d to %d octets in hex", DM_PSK_MIN,
                   DM_PSK_MAX);
        return DM_INVALID;
    }

    psk->key.data = entry->psk[i];

    return DM_OK;
}


static int
dm_jsonl_cert_keys(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    size_t     i;
    json_t    *item;
    dm_str_t   text, *key;

    if (dm_jsonl_array(value, DM_CERT_KEYS, "\"cert_keys\"", err) != DM_OK) {
        return DM_INVALID;
    }

    json_array_foreach(value, i, item) {

        if (dm_jsonl_string(item, "a certificate key", &text, err) != DM_OK) {
            return DM_INVALID;
        }

        if (text.len > DM_CERT_KEY_MAX) {
            dm_err_set(err, "a certificate key is longer than %d octets",
                       DM_CERT_KEY_MAX);
            return DM_INVALID;
        }

        key = &entry->account.cert_key[i];
        key->data = entry->cert_key[i];

        if (dm_cert_key_canonical(text, entry->cert_key[i], &key->len, err)
            != DM_OK)
        {
            return DM_INVALID;
        }
    }

    entry->account.ncert_keys = (unsigned) json_array_size(value);

    return DM_OK;
}


static int
dm_jsonl_password(dm_entry_t *entry, json_t *value, dm_err_t *err)
{
    dm_str_t  password;

    if (dm_jsonl_string(value, "\"password\"", &password, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_entry_set_password(entry, password, err);
}


static int
dm_jsonl_time(json_t *value, const char *what, int64_t *t,
    dm_err_t *err)
{
    dm_err_t  why;
    dm_str_t  text;

    if (json_is_null(value)) {
        return DM_OK;
    }

    if (dm_jsonl_string(value, what, &text, err) != DM_OK) {
        return DM_INVALID;
    }

    if (text.len == 0
        || dm_input_time((const char *) text.data, t, &why) != DM_OK)
    {
        dm_err_set(err, "%s is not a time after 1970 in UTC like "
                   "\"2027-01-31T00:00:00Z\", nor null", what);
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_jsonl_array(json_t *value, size_t max, const char *what,
    dm_err_t *err)
{
    if (!json_is_array(value)) {
        dm_err_set(err, "%s is not a list", what);
        return DM_INVALID;
    }

    if (json_array_size(value) > max) {
        dm_err_set(err, "%s has %zu items, at most %zu are allowed", what,
                   json_array_size(value), max);
        return DM_INVALID;
    }

    return DM_OK;
}


/* jansson refuses strings with a NUL */
static int
dm_jsonl_string(json_t *value, const char *what, dm_str_t *out,
    dm_err_t *err)
{
    if (!json_is_string(value)) {
        dm_err_set(err, "%s is not a string", what);
        return DM_INVALID;
    }

    out->data = (const unsigned char *) json_string_value(value);
    out->len = json_string_length(value);

    return DM_OK;
}
