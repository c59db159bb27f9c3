/*
 * What becomes of a call to OpenSSL that fails, each in turn: a failure of
 * ours, never an answer
 */

#define _GNU_SOURCE

#include "library_fails.h"

#include "dm_basic.h"
#include "dm_nonce.h"
#include "dm_psk.h"
#include "dm_seal.h"


static const dm_str_t  part[2] = { { (const unsigned char *) "one", 3 },
                                   { (const unsigned char *) "two", 3 } };

static const dm_keys_t  keys = { 2, { { "k1", "key 1" }, { "k2", "key 2" } } };

static dm_mac_t       *mac;
static dm_sealer_t    *sealer;
static unsigned char   sealed[64];
static size_t          sealed_len;
static unsigned char   nonce_text[DM_NONCE_LEN];


static int
job_mac(void)
{
    dm_mac_t       *new;
    unsigned char   out[DM_MAC_SIZE];

    new = dm_mac_new((const unsigned char *) "0123456789abcdef"
                                             "0123456789abcdef");
    if (new == NULL) {
        return DM_ERROR;
    }

    dm_mac_free(mac);
    mac = new;

    return dm_mac_parts(mac, part, 2, out);
}


static int
job_nonce_make(void)
{
    static dm_nonce_random_t  drawn;

    drawn.left = 0;

    return dm_nonce_make(mac, &drawn, (const unsigned char *) "node0123", 1,
                         NULL, nonce_text);
}


/* its first call tells what is no Base64 */
static int
job_nonce_open(void)
{
    dm_nonce_t  nonce;

    countdown += countdown != 0;

    return dm_nonce_open(mac, (dm_str_t) { nonce_text, DM_NONCE_LEN },
                         &nonce);
}


static int
job_response(void)
{
    unsigned char        out[DM_HASH_MAX];
    dm_digest_request_t  request;

    static const unsigned char  hash[DM_HASH_MAX];

    memset(&request, 0, sizeof(request));

    request.alg = DM_SHA256;
    request.sess = 1;
    request.nonce = part[0];
    request.nc = part[0];
    request.cnonce = part[0];
    request.qop = part[0];
    request.method = part[1];
    request.uri = part[1];
    request.body = hash;

    return dm_digest_response(&request, hash, out);
}


static int
job_userhash(void)
{
    unsigned char  out[DM_HASH_MAX];

    return dm_digest_userhash(DM_MD5, part[0], part[1], out);
}


static int
job_ha1(void)
{
    unsigned char  out[DM_HASH_MAX];

    return dm_digest_ha1(DM_SHA256, part[0], part[1], part[0], out);
}


static int
job_basic(void)
{
    dm_basic_t  basic;

    return dm_basic_parse(&basic, dm_str("Basic YTpi"), NULL);
}


static int
job_keys_mark(void)
{
    uint64_t  badge;

    return dm_keys_badge(&keys, &badge);
}


static int
job_sealer(void)
{
    dm_sealer_t  *new;

    new = dm_sealer_new(&keys, NULL);
    if (new == NULL) {
        return DM_ERROR;
    }

    dm_sealer_free(sealer);
    sealer = new;

    return DM_OK;
}


static int
job_seal(void)
{
    return dm_sealer_seal(sealer, part, 2, dm_str("plain"), sealed,
                          &sealed_len);
}


/* what was opened before the failure is not left there */
static int
job_open(void)
{
    int             rc;
    size_t          i, len;
    unsigned char   out[sizeof(sealed)];

    memset(out, 0, sizeof(out));

    rc = dm_sealer_open(sealer, part, 2, (dm_str_t) { sealed, sealed_len },
                        out, &len);

    if (rc == DM_OK) {
        assert_int_equal(len, 5);
        assert_memory_equal(out, "plain", 5);
        return rc;
    }

    for (i = 0; i < sizeof(out); i++) {
        assert_int_equal(out[i], 0);
    }

    return rc;
}


static int
job_psk_mark(void)
{
    size_t         len;
    dm_psk_t       psk;
    unsigned char  out[DM_PSK_MARK_MAX];

    psk = (dm_psk_t) { part[0], part[1] };

    return dm_psk_mark(&psk, (const unsigned char *) "store id 1234567", out,
                       &len);
}


static int
job_psk_match(void)
{
    size_t          len;
    unsigned        armed;
    dm_psk_mark_t   mark;
    dm_account_t    account;
    unsigned char   out[DM_PSK_MARK_MAX];

    static const unsigned char  id[] = "store id 1234567";

    memset(&account, 0, sizeof(account));
    account.npsks = 1;
    account.psk[0] = (dm_psk_t) { part[0], part[1] };

    armed = countdown;
    countdown = 0;
    assert_int_equal(dm_psk_mark(&account.psk[0], id, out, &len), DM_OK);
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_OK);
    countdown = armed;

    return dm_psk_match(&mark, &account, id);
}


static void
test_hashes(void **state)
{
    (void) state;

    assert_int_equal(dm_digest_init(NULL), DM_OK);

    each_call_fails(job_mac);
    each_call_fails(job_nonce_make);
    each_call_fails(job_nonce_open);
    each_call_fails(job_ha1);
    each_call_fails(job_userhash);
    each_call_fails(job_response);
    each_call_fails(job_basic);
    each_call_fails(job_psk_mark);
    each_call_fails(job_psk_match);

    dm_mac_free(mac);
}


static void
test_seal(void **state)
{
    (void) state;

    each_call_fails(job_keys_mark);
    each_call_fails(job_sealer);
    each_call_fails(job_seal);
    each_call_fails(job_open);

    dm_sealer_free(sealer);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_seal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
