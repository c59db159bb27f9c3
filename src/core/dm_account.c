/* An account and its record: packed, sealed, opened, looked at */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_account.h"
#include "dm_wire.h"


/*
 * The clear part, format 1, integers little-endian; str8 and str16 are octets
 * with their length in 8 or 16 bits in front:
 *
 *     version (8) = 1 | flags (8): bit n: has the HA1 of algorithm n, bit 3:
 *     has a password hash | state (8) | not_before (64) | not_after (64)
 *     revision (64) | changed (64) | unlocks (32) | id str8 | name str8
 *     number of groups (8) | each str8 | number of certificate keys (8)
 *     each str16 | number of PSKs (8) | the identity of each str8
 *
 * What is sealed behind it: the HA1s there are in the order of algorithms,
 * the password hash str16 if there is one, the key of each PSK str8.
 */
#define DM_RECORD_VERSION  1
#define DM_RECORD_CRYPT    (1u << DM_NALGORITHMS)
#define DM_RECORD_FLAGS    (DM_RECORD_CRYPT | (DM_RECORD_CRYPT - 1))

#define DM_SECRETS_MAX                                                        \
    (DM_NALGORITHMS * DM_HASH_MAX + 2 + DM_CRYPT_MAX                          \
     + DM_PSKS * (1 + DM_PSK_MAX))

/* parts of the associated data */
#define DM_BOUND  3


static int dm_account_check_text(dm_str_t text, size_t max, const char *what,
    dm_err_t *err);
static int dm_account_check_fingerprint(dm_str_t key, size_t i,
    dm_err_t *err);
static int dm_account_check_validity(const dm_account_t *account,
    dm_err_t *err);
static int dm_account_check_groups(const dm_account_t *account,
    dm_err_t *err);
static int dm_account_check_cert_keys(const dm_account_t *account,
    dm_err_t *err);
static int dm_account_check_psks(const dm_account_t *account, dm_err_t *err);
static int dm_account_check_crypt(dm_str_t crypt, dm_err_t *err);
static int dm_account_check_unique(const dm_str_t *list, unsigned n,
    const char *what, dm_err_t *err);
static int dm_account_is_in(const dm_str_t *list, unsigned n, dm_str_t text);
static void dm_account_identities(const dm_account_t *account,
    dm_str_t *identity);
static int dm_account_check_list(const dm_str_t *list, unsigned n,
    const dm_str_t *old, unsigned nold, const char *what, dm_err_t *err);
static void dm_account_bind(dm_str_t *ad, const unsigned char *store_id,
    const unsigned char *clear, size_t len);
static unsigned dm_account_flags(const dm_account_t *account);
static void dm_account_put_clear(dm_wire_t *w, const dm_account_t *account);
static void dm_account_put_secrets(dm_wire_t *w, const dm_account_t *account);
static int dm_account_open(dm_wire_t *w, dm_account_t *account,
    unsigned *flags, dm_sealer_t *sealer, const unsigned char *store_id,
    dm_err_t *err);
static int dm_account_fill(dm_wire_t *w, dm_account_t *account,
    unsigned flags, dm_err_t *err);
static void dm_account_get_clear(dm_wire_t *w, dm_account_t *account,
    unsigned *flags);
static void dm_account_get_secrets(dm_wire_t *w, dm_account_t *account,
    unsigned flags);
static void dm_account_move_str(dm_str_t *str, const unsigned char *record,
    const unsigned char *copy);


int
dm_account_check_id(dm_str_t id, dm_err_t *err)
{
    return dm_account_check_text(id, DM_ID_MAX, "the id", err);
}


/* HTTP takes blanks from the ends of a header's value: another identity */
static int
dm_account_check_text(dm_str_t text, size_t max, const char *what,
    dm_err_t *err)
{
    if (dm_text_check(text, max, what, err) != DM_OK) {
        return DM_INVALID;
    }

    if (text.data[0] == ' ' || text.data[text.len - 1] == ' ') {
        dm_err_set(err, "%s begins or ends with a blank", what);
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_account_check_name(dm_str_t name, dm_err_t *err)
{
    if (dm_account_check_text(name, DM_NAME_MAX, "the name", err) != DM_OK) {
        return DM_INVALID;
    }

    if (memchr(name.data, ':', name.len) != NULL) {
        dm_err_set(err, "the name has a colon, with which HTTP ends a name");
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_account_check_group(dm_str_t group, dm_err_t *err)
{
    if (dm_account_check_text(group, DM_GROUP_MAX, "a group", err) != DM_OK) {
        return DM_INVALID;
    }

    if (memchr(group.data, ',', group.len) != NULL) {
        dm_err_set(err, "a group has a comma, with which groups are listed");
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_account_check_cert_key(dm_str_t key, dm_err_t *err)
{
    size_t                 i;
    dm_str_t               head;
    static const dm_str_t  sha256 = { (const unsigned char *) "sha256:", 7 };
    static const dm_str_t  prefix[] = {
        { (const unsigned char *) "issuer-serial:", 14 },
        { (const unsigned char *) "san:URI:", 8 },
        { (const unsigned char *) "san:DNS:", 8 },
        { (const unsigned char *) "subject:", 8 }
    };

    head.data = key.data;
    head.len = sha256.len;

    if (key.len == sha256.len + 64 && dm_str_eq(head, sha256)) {
        return dm_account_check_fingerprint(key, sha256.len, err);
    }

    if (dm_text_check(key, DM_CERT_KEY_MAX, "a certificate key", err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
        head.len = prefix[i].len;

        if (key.len > head.len && dm_str_eq(head, prefix[i])) {
            return DM_OK;
        }
    }

    dm_err_set(err, "a certificate key is none of sha256:HEX with 64 "
               "digits, issuer-serial:DN#HEX, san:URI:URI, san:DNS:NAME "
               "and subject:DN");

    return DM_INVALID;
}


static int
dm_account_check_fingerprint(dm_str_t key, size_t i, dm_err_t *err)
{
    unsigned char  c;

    for ( /* void */ ; i < key.len; i++) {
        c = key.data[i];

        if ((unsigned) (c - '0') > 9 && (unsigned) (c - 'a') > 'f' - 'a') {
            dm_err_set(err, "a certificate key sha256:HEX has something else "
                       "than lower-case hexadecimal digits");
            return DM_INVALID;
        }
    }

    return DM_OK;
}


int
dm_account_check_psk_identity(dm_str_t identity, dm_err_t *err)
{
    return dm_text_check(identity, DM_PSK_IDENTITY_MAX, "a PSK identity",
                         err);
}


int
dm_account_check(const dm_account_t *account, dm_err_t *err)
{
    if (dm_account_check_id(account->id, err) != DM_OK
        || dm_account_check_name(account->name, err) != DM_OK
        || dm_account_check_validity(account, err) != DM_OK
        || dm_account_check_groups(account, err) != DM_OK
        || dm_account_check_cert_keys(account, err) != DM_OK
        || dm_account_check_psks(account, err) != DM_OK
        || dm_account_check_crypt(account->crypt, err) != DM_OK)
    {
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_account_check_validity(const dm_account_t *account, dm_err_t *err)
{
    if (account->state != DM_ACTIVE && account->state != DM_DISABLED) {
        dm_err_set(err, "the state is neither active nor disabled");
        return DM_INVALID;
    }

    if (account->not_before != 0 && account->not_after != 0
        && account->not_before > account->not_after)
    {
        dm_err_set(err, "not_before is later than not_after");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_account_check_groups(const dm_account_t *account, dm_err_t *err)
{
    unsigned  i;

    if (account->ngroups > DM_GROUPS) {
        dm_err_set(err, "there are %u groups, at most %d are allowed",
                   account->ngroups, DM_GROUPS);
        return DM_INVALID;
    }

    for (i = 0; i < account->ngroups; i++) {
        if (dm_account_check_group(account->group[i], err) != DM_OK) {
            return DM_INVALID;
        }
    }

    return dm_account_check_unique(account->group, account->ngroups, "group",
                                   err);
}


static int
dm_account_check_cert_keys(const dm_account_t *account, dm_err_t *err)
{
    unsigned  i;

    if (account->ncert_keys > DM_CERT_KEYS) {
        dm_err_set(err, "there are %u certificate keys, at most %d are "
                   "allowed", account->ncert_keys, DM_CERT_KEYS);
        return DM_INVALID;
    }

    for (i = 0; i < account->ncert_keys; i++) {
        if (dm_account_check_cert_key(account->cert_key[i], err) != DM_OK) {
            return DM_INVALID;
        }
    }

    return dm_account_check_unique(account->cert_key, account->ncert_keys,
                                   "certificate key", err);
}


static int
dm_account_check_psks(const dm_account_t *account, dm_err_t *err)
{
    unsigned  i;
    dm_str_t  identity[DM_PSKS];

    if (account->npsks > DM_PSKS) {
        dm_err_set(err, "there are %u PSKs, at most %d are allowed",
                   account->npsks, DM_PSKS);
        return DM_INVALID;
    }

    for (i = 0; i < account->npsks; i++) {
        identity[i] = account->psk[i].identity;

        if (dm_account_check_psk_identity(identity[i], err) != DM_OK) {
            return DM_INVALID;
        }

        if (account->psk[i].key.len < DM_PSK_MIN
            || account->psk[i].key.len > DM_PSK_MAX)
        {
            dm_err_set(err, "a PSK has %zu octets, it must have %d to %d",
                       account->psk[i].key.len, DM_PSK_MIN, DM_PSK_MAX);
            return DM_INVALID;
        }
    }

    return dm_account_check_unique(identity, account->npsks, "PSK identity",
                                   err);
}


static int
dm_account_check_crypt(dm_str_t crypt, dm_err_t *err)
{
    size_t  i;

    if (crypt.len > DM_CRYPT_MAX) {
        dm_err_set(err, "the password hash has %zu octets, at most %d are "
                   "allowed", crypt.len, DM_CRYPT_MAX);
        return DM_INVALID;
    }

    for (i = 0; i < crypt.len; i++) {
        if (crypt.data[i] <= 0x20 || crypt.data[i] >= 0x7f) {
            dm_err_set(err, "the password hash has something else than "
                       "printable ASCII without blanks");
            return DM_INVALID;
        }
    }

    return DM_OK;
}


static int
dm_account_check_unique(const dm_str_t *list, unsigned n, const char *what,
    dm_err_t *err)
{
    unsigned  i, k;

    for (i = 1; i < n; i++) {
        for (k = 0; k < i; k++) {
            if (dm_str_eq(list[i], list[k])) {
                dm_err_set(err, "the %s \"%.*s\" is there twice", what,
                           (int) list[i].len, (const char *) list[i].data);
                return DM_INVALID;
            }
        }
    }

    return DM_OK;
}


/* the names of a certificate are as its CA wrote them */
int
dm_account_check_new(const dm_account_t *account, const dm_account_t *old,
    dm_err_t *err)
{
    dm_str_t             identity[DM_PSKS], old_identity[DM_PSKS];
    static dm_account_t  none;

    old = (old == NULL) ? &none : old;

    dm_account_identities(account, identity);
    dm_account_identities(old, old_identity);

    if (dm_account_check_list(&account->id, 1, &old->id, 1, "the id", err)
           != DM_OK
        || dm_account_check_list(&account->name, 1, &old->name, 1,
                                 "the name", err)
           != DM_OK
        || dm_account_check_list(account->group, account->ngroups,
                                 old->group, old->ngroups, "a group", err)
           != DM_OK
        || dm_account_check_list(identity, account->npsks, old_identity,
                                 old->npsks, "a PSK identity", err)
           != DM_OK)
    {
        return DM_INVALID;
    }

    return DM_OK;
}


static void
dm_account_identities(const dm_account_t *account, dm_str_t *identity)
{
    unsigned  i;

    for (i = 0; i < account->npsks; i++) {
        identity[i] = account->psk[i].identity;
    }
}


static int
dm_account_check_list(const dm_str_t *list, unsigned n, const dm_str_t *old,
    unsigned nold, const char *what, dm_err_t *err)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (!dm_account_is_in(old, nold, list[i])
            && dm_text_check_shown(list[i], what, err) != DM_OK)
        {
            return DM_INVALID;
        }
    }

    return DM_OK;
}


static int
dm_account_is_in(const dm_str_t *list, unsigned n, dm_str_t text)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (dm_str_eq(list[i], text)) {
            return 1;
        }
    }

    return 0;
}


int
dm_account_encode(const dm_account_t *account, dm_sealer_t *sealer,
    const unsigned char *store_id, unsigned char *out, size_t *outlen,
    dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_str_t       ad[DM_BOUND], plain;
    dm_wire_t      clear, secrets;
    unsigned char  buf[DM_SECRETS_MAX];

    rc = dm_account_check(account, err);
    if (rc != DM_OK) {
        return rc;
    }

    dm_wire_init(&clear, out, DM_RECORD_MAX - sizeof(buf) - DM_SEAL_OVERHEAD);
    dm_wire_init(&secrets, buf, sizeof(buf));

    dm_account_put_clear(&clear, account);
    dm_account_put_secrets(&secrets, account);

    plain.data = buf;
    plain.len = (size_t) (secrets.pos - buf);
    dm_account_bind(ad, store_id, out, (size_t) (clear.pos - out));

    rc = DM_ERROR;
    len = 0;

    if (!clear.bad && !secrets.bad) {
        rc = dm_sealer_seal(sealer, ad, DM_BOUND, plain, clear.pos, &len);
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    if (rc != DM_OK) {
        dm_err_set(err, "the record cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    *outlen = (size_t) (clear.pos - out) + len;

    return DM_OK;
}


static void
dm_account_bind(dm_str_t *ad, const unsigned char *store_id,
    const unsigned char *clear, size_t len)
{
    ad[0] = dm_str("dm-sec account");
    ad[1].data = store_id;
    ad[1].len = DM_STORE_ID_SIZE;
    ad[2].data = clear;
    ad[2].len = len;
}


static unsigned
dm_account_flags(const dm_account_t *account)
{
    unsigned  alg, flags;

    flags = account->crypt.len > 0 ? DM_RECORD_CRYPT : 0;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        if (account->has_ha1[alg]) {
            flags |= 1u << alg;
        }
    }

    return flags;
}


static void
dm_account_put_clear(dm_wire_t *w, const dm_account_t *account)
{
    unsigned  i;

    dm_wire_put(w, 1, DM_RECORD_VERSION);
    dm_wire_put(w, 1, dm_account_flags(account));
    dm_wire_put(w, 1, (uint64_t) account->state);
    dm_wire_put(w, 8, (uint64_t) account->not_before);
    dm_wire_put(w, 8, (uint64_t) account->not_after);
    dm_wire_put(w, 8, account->revision);
    dm_wire_put(w, 8, (uint64_t) account->changed);
    dm_wire_put(w, 4, account->unlocks);
    dm_wire_put_str(w, 1, account->id);
    dm_wire_put_str(w, 1, account->name);

    dm_wire_put(w, 1, account->ngroups);

    for (i = 0; i < account->ngroups; i++) {
        dm_wire_put_str(w, 1, account->group[i]);
    }

    dm_wire_put(w, 1, account->ncert_keys);

    for (i = 0; i < account->ncert_keys; i++) {
        dm_wire_put_str(w, 2, account->cert_key[i]);
    }

    dm_wire_put(w, 1, account->npsks);

    for (i = 0; i < account->npsks; i++) {
        dm_wire_put_str(w, 1, account->psk[i].identity);
    }
}


static void
dm_account_put_secrets(dm_wire_t *w, const dm_account_t *account)
{
    unsigned  i;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (account->has_ha1[i]) {
            dm_wire_put_octets(w, account->ha1[i],
                               dm_digest_size((dm_algorithm_t) i));
        }
    }

    if (account->crypt.len > 0) {
        dm_wire_put_str(w, 2, account->crypt);
    }

    for (i = 0; i < account->npsks; i++) {
        dm_wire_put_str(w, 1, account->psk[i].key);
    }
}


int
dm_account_decode(dm_account_t *account, unsigned char *record, size_t len,
    dm_sealer_t *sealer, const unsigned char *store_id, dm_err_t *err)
{
    int        rc;
    unsigned   flags;
    dm_wire_t  w;

    memset(account, 0, sizeof(dm_account_t));
    dm_wire_init(&w, record, len);

    rc = dm_account_open(&w, account, &flags, sealer, store_id, err);

    if (rc == DM_OK) {
        rc = dm_account_fill(&w, account, flags, err);
    }

    if (rc != DM_OK) {
        OPENSSL_cleanse(account, sizeof(dm_account_t));
        OPENSSL_cleanse(record, len);
    }

    return rc;
}


int
dm_account_pack(const dm_account_t *account, unsigned char *out,
    size_t *outlen, dm_err_t *err)
{
    int        rc;
    dm_wire_t  w;

    rc = dm_account_check(account, err);
    if (rc != DM_OK) {
        return rc;
    }

    dm_wire_init(&w, out, DM_RECORD_MAX);

    dm_account_put_clear(&w, account);
    dm_account_put_secrets(&w, account);

    if (w.bad) {
        dm_err_set(err, "the account is larger than a record");
        return DM_ERROR;
    }

    *outlen = (size_t) (w.pos - out);

    return DM_OK;
}


int
dm_account_unpack(dm_account_t *account, unsigned char *octets, size_t len,
    dm_err_t *err)
{
    unsigned   flags;
    dm_wire_t  w;

    memset(account, 0, sizeof(dm_account_t));
    dm_wire_init(&w, octets, len);

    if (dm_wire_get(&w, 1) != DM_RECORD_VERSION) {
        dm_err_set(err, "the account is not of version %d, which is all that "
                   "this program reads", DM_RECORD_VERSION);
        return DM_INVALID;
    }

    dm_account_get_clear(&w, account, &flags);

    return dm_account_fill(&w, account, flags, err) == DM_OK ? DM_OK
                                                             : DM_INVALID;
}


/* reads the clear part and leaves w on what was sealed behind it */
static int
dm_account_open(dm_wire_t *w, dm_account_t *account, unsigned *flags,
    dm_sealer_t *sealer, const unsigned char *store_id, dm_err_t *err)
{
    int             rc;
    size_t          len;
    dm_str_t        ad[DM_BOUND], sealed;
    unsigned        version;
    unsigned char  *record;

    record = w->pos;
    version = (unsigned) dm_wire_get(w, 1);

    if (!w->bad && version != DM_RECORD_VERSION) {
        dm_err_set(err, "the record has version %u, this program reads only "
                   "version %d", version, DM_RECORD_VERSION);
        return DM_ERROR;
    }

    dm_account_get_clear(w, account, flags);

    if (w->bad) {
        dm_err_set(err, "the record is damaged: its clear part is cut short "
                   "or holds a number out of range");
        return DM_ERROR;
    }

    sealed.data = w->pos;
    sealed.len = (size_t) (w->last - w->pos);
    dm_account_bind(ad, store_id, record, (size_t) (w->pos - record));

    rc = dm_sealer_open(sealer, ad, DM_BOUND, sealed, w->pos, &len);

    if (rc == DM_ERROR) {
        dm_err_set(err, "the record cannot be opened: OpenSSL failed");
        return DM_ERROR;
    }

    if (rc != DM_OK) {
        dm_err_set(err, "the record is damaged, was changed by somebody "
                   "without the store key, or was sealed with another key");
        return DM_ERROR;
    }

    w->last = w->pos + len;

    return DM_OK;
}


static int
dm_account_fill(dm_wire_t *w, dm_account_t *account, unsigned flags,
    dm_err_t *err)
{
    dm_err_t  why;

    dm_account_get_secrets(w, account, flags);

    if (w->bad || w->pos != w->last) {
        dm_err_set(err, "the record is damaged: its sealed part does not "
                   "hold what its clear part says");
        return DM_ERROR;
    }

    if (dm_account_check(account, err == NULL ? NULL : &why) != DM_OK) {
        dm_err_set(err, "the record is damaged: %s", why.text);
        return DM_ERROR;
    }

    return DM_OK;
}


/* reads the fields that follow the version */
static void
dm_account_get_clear(dm_wire_t *w, dm_account_t *account, unsigned *flags)
{
    unsigned  i;

    *flags = dm_wire_get_max(w, DM_RECORD_FLAGS);
    account->state = (dm_state_t) dm_wire_get_max(w, DM_DISABLED);
    account->not_before = (int64_t) dm_wire_get(w, 8);
    account->not_after = (int64_t) dm_wire_get(w, 8);
    account->revision = dm_wire_get(w, 8);
    account->changed = (int64_t) dm_wire_get(w, 8);
    account->unlocks = (uint32_t) dm_wire_get(w, 4);
    account->id = dm_wire_get_str(w, 1);
    account->name = dm_wire_get_str(w, 1);

    account->ngroups = dm_wire_get_max(w, DM_GROUPS);

    for (i = 0; i < account->ngroups; i++) {
        account->group[i] = dm_wire_get_str(w, 1);
    }

    account->ncert_keys = dm_wire_get_max(w, DM_CERT_KEYS);

    for (i = 0; i < account->ncert_keys; i++) {
        account->cert_key[i] = dm_wire_get_str(w, 2);
    }

    account->npsks = dm_wire_get_max(w, DM_PSKS);

    for (i = 0; i < account->npsks; i++) {
        account->psk[i].identity = dm_wire_get_str(w, 1);
    }
}


static void
dm_account_get_secrets(dm_wire_t *w, dm_account_t *account, unsigned flags)
{
    size_t          size;
    unsigned        i;
    unsigned char  *ha1;

    for (i = 0; i < DM_NALGORITHMS; i++) {

        if (!(flags & (1u << i))) {
            continue;
        }

        size = dm_digest_size((dm_algorithm_t) i);
        ha1 = dm_wire_take(w, size);

        if (ha1 != NULL) {
            memcpy(account->ha1[i], ha1, size);
            account->has_ha1[i] = 1;
        }
    }

    if (flags & DM_RECORD_CRYPT) {
        account->crypt = dm_wire_get_str(w, 2);

        if (account->crypt.len == 0) {
            w->bad = 1;
        }
    }

    for (i = 0; i < account->npsks; i++) {
        account->psk[i].key = dm_wire_get_str(w, 1);
    }
}


int
dm_account_sealed_key(unsigned char *record, size_t len, dm_str_t *id)
{
    unsigned      flags;
    dm_wire_t     w;
    dm_account_t  account;

    dm_wire_init(&w, record, len);

    if (dm_wire_get_max(&w, DM_RECORD_VERSION) != DM_RECORD_VERSION) {
        return DM_INVALID;
    }

    dm_account_get_clear(&w, &account, &flags);

    if (w.bad) {
        return DM_INVALID;
    }

    return dm_sealed_key((dm_str_t) { w.pos, (size_t) (w.last - w.pos) }, id);
}


int
dm_account_has_ha1(const dm_account_t *account)
{
    unsigned  i;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (account->has_ha1[i]) {
            return 1;
        }
    }

    return 0;
}


int
dm_account_lacks(const dm_account_t *account, dm_algorithm_t alg)
{
    return dm_account_has_ha1(account) && !account->has_ha1[alg];
}


void
dm_account_wipe(dm_account_t *account)
{
    OPENSSL_cleanse(account->ha1, sizeof(account->ha1));
}


void
dm_account_move(dm_account_t *account, const unsigned char *record,
    const unsigned char *copy)
{
    unsigned  i;

    dm_account_move_str(&account->id, record, copy);
    dm_account_move_str(&account->name, record, copy);
    dm_account_move_str(&account->crypt, record, copy);

    for (i = 0; i < account->ngroups; i++) {
        dm_account_move_str(&account->group[i], record, copy);
    }

    for (i = 0; i < account->ncert_keys; i++) {
        dm_account_move_str(&account->cert_key[i], record, copy);
    }

    for (i = 0; i < account->npsks; i++) {
        dm_account_move_str(&account->psk[i].identity, record, copy);
        dm_account_move_str(&account->psk[i].key, record, copy);
    }
}


static void
dm_account_move_str(dm_str_t *str, const unsigned char *record,
    const unsigned char *copy)
{
    if (str->len) {
        str->data = copy + (str->data - record);
    }
}
