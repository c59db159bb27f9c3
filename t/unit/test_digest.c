/* Digest arithmetic, by the vectors of the RFCs and of others */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dm_digest.h"
#include "str.h"


/* what a client computes: RFC 7616, sections 3.4.1 to 3.4.4 */
typedef struct {
    dm_algorithm_t   alg;
    const char      *name;
    const char      *realm;
    const char      *password;
    const char      *nonce;
    const char      *cnonce;
    const char      *response;
    const char      *rspauth;
    const char      *userhash;
} vector_t;


/* RFC 7616, section 3.9.1, and RFC 2617, section 3.5 */
#define RFC7616                                                               \
    "Mufasa", "http-auth@example.org", "Circle of Life",                      \
    "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",                           \
    "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static const vector_t  vectors[] = {
    { DM_MD5, RFC7616, "8ca523f5e9506fed4657c9700eebdbec",
      "9b712497bc9f91499fbcca1dfc5f09a5",
      "4238f3a16167373febb9bc4d43db9cc4" },
    { DM_SHA256, RFC7616,
      "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
      "86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0",
      "a947aad205e80e429958a387394944c6b496301e79f89d35a4cc23b6ee12b5b6" },
    { DM_SHA512_256, RFC7616,
      "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
      "c8f9593a4f49b95ce2c483cc3222ecd360a5c6ec52ca24a530b0aac18478de8c",
      "e2dfabd1a96ddf867710b653b6e6857d1f147086de7d7ef79dcd249859872570" },
    { DM_MD5, "Mufasa", "testrealm@host.com", "Circle Of Life",
      "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b",
      "6629fae49393a05397450978507c4ef1", NULL, NULL }
};


static void
hex(dm_algorithm_t alg, const unsigned char *hash, char *out)
{
    out[dm_digest_hex(alg, hash, (unsigned char *) out)] = '\0';
}


static void
respond(const vector_t *v, const char *method, char *out)
{
    unsigned char        ha1[DM_HASH_MAX], hash[DM_HASH_MAX];
    dm_digest_request_t  request;

    memset(&request, 0, sizeof(request));

    request.alg = v->alg;
    request.nonce = str(v->nonce);
    request.nc = str("00000001");
    request.cnonce = str(v->cnonce);
    request.qop = str("auth");
    request.method = str(method);
    request.uri = str("/dir/index.html");

    assert_int_equal(dm_digest_ha1(v->alg, str(v->name), str(v->realm),
                                   str(v->password), ha1),
                     DM_OK);
    assert_int_equal(dm_digest_response(&request, ha1, hash), DM_OK);
    hex(v->alg, hash, out);
}


static void
test_vectors(void **state)
{
    char             out[2 * DM_HASH_MAX + 1];
    size_t           i;
    unsigned char    hash[DM_HASH_MAX];
    const vector_t  *v;

    (void) state;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        v = &vectors[i];

        respond(v, "GET", out);
        assert_string_equal(out, v->response);

        if (v->rspauth == NULL) {
            continue;
        }

        respond(v, "", out);
        assert_string_equal(out, v->rspauth);

        assert_int_equal(dm_digest_userhash(v->alg, str(v->name),
                                            str(v->realm), hash),
                         DM_OK);
        hex(v->alg, hash, out);
        assert_string_equal(out, v->userhash);
    }
}


/* computed with Python's hashlib, from the formulas of RFC 7616 */
static void
test_sess_and_body(void **state)
{
    char                 out[2 * DM_HASH_MAX + 1];
    size_t               i;
    dm_str_t             body;
    unsigned char        ha1[DM_HASH_MAX], hash[DM_HASH_MAX];
    unsigned char        body_hash[DM_HASH_MAX];
    dm_digest_request_t  request;

    static const struct {
        dm_algorithm_t  alg;
        const char     *sess;
        const char     *auth_int;
    } expected[] = {
        { DM_MD5,
          "e783283f46242139c486a698fec7211d",
          "a1abf5c7fa9ae74478eb9ffa265bf546" },
        { DM_SHA256,
          "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
          "329dcaaa9ce45c3ea5f919f438118f338057e9104aa58ecd51368264e88ced0c" },
        { DM_SHA512_256,
          "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e",
          "a8f9ae711a3b028453152590875d127c99d02c4f347f6de891afaf69366f926c" }
    };

    (void) state;

    body = str("body");

    memset(&request, 0, sizeof(request));
    request.nonce = str(vectors[0].nonce);
    request.nc = str("00000001");
    request.cnonce = str(vectors[0].cnonce);
    request.uri = str("/dir/index.html");

    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        request.alg = expected[i].alg;

        assert_int_equal(dm_digest_ha1(request.alg, str("Mufasa"),
                                       str("http-auth@example.org"),
                                       str("Circle of Life"), ha1),
                         DM_OK);

        request.sess = 1;
        request.qop = str("auth");
        request.method = str("GET");
        request.body = NULL;
        assert_int_equal(dm_digest_response(&request, ha1, hash), DM_OK);
        hex(request.alg, hash, out);
        assert_string_equal(out, expected[i].sess);

        request.sess = 0;
        request.qop = str("auth-int");
        request.method = str("POST");
        assert_int_equal(dm_digest_join(request.alg, &body, 1, body_hash),
                         DM_OK);
        request.body = body_hash;
        assert_int_equal(dm_digest_response(&request, ha1, hash), DM_OK);
        hex(request.alg, hash, out);
        assert_string_equal(out, expected[i].auth_int);
    }
}


static void
test_join(void **state)
{
    char           out[2 * DM_HASH_MAX + 1];
    dm_str_t       part[2];
    unsigned char  hash[DM_HASH_MAX];

    (void) state;

    /* one part has no colon, an empty part still has its own */

    part[0] = str("abc");
    part[1] = (dm_str_t) { NULL, 0 };

    assert_int_equal(dm_digest_join(DM_MD5, part, 1, hash), DM_OK);
    hex(DM_MD5, hash, out);
    assert_string_equal(out, "900150983cd24fb0d6963f7d28e17f72");

    assert_int_equal(dm_digest_join(DM_MD5, part, 0, hash), DM_OK);
    hex(DM_MD5, hash, out);
    assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");

    assert_int_equal(dm_digest_join(DM_MD5, part, 2, hash), DM_OK);
    hex(DM_MD5, hash, out);
    assert_string_equal(out, "493e283d571a73056196f1a68efd0f66");
}


static void
test_names(void **state)
{
    unsigned        sess;
    dm_algorithm_t  alg;

    (void) state;

    assert_string_equal(dm_digest_name(DM_MD5), "MD5");
    assert_string_equal(dm_digest_name(DM_SHA256), "SHA-256");
    assert_string_equal(dm_digest_name(DM_SHA512_256), "SHA-512-256");

    assert_int_equal(dm_digest_size(DM_MD5), 16);
    assert_int_equal(dm_digest_size(DM_SHA256), 32);
    assert_int_equal(dm_digest_size(DM_SHA512_256), 32);

    assert_int_equal(dm_digest_by_name(str("sha-256"), &alg), DM_OK);
    assert_int_equal(alg, DM_SHA256);
    assert_int_equal(dm_digest_by_name(str("SHA-512-256"), &alg), DM_OK);
    assert_int_equal(alg, DM_SHA512_256);
    assert_int_equal(dm_digest_by_name(str("Md5"), &alg), DM_OK);
    assert_int_equal(alg, DM_MD5);

    assert_int_equal(dm_digest_by_name(str("MD5-sess"), &alg), DM_DECLINED);
    assert_int_equal(dm_digest_by_name(str("SHA-25"), &alg), DM_DECLINED);
    assert_int_equal(dm_digest_by_name(str(""), &alg), DM_DECLINED);

    assert_int_equal(dm_digest_by_sess_name(str("MD5"), &alg, &sess), DM_OK);
    assert_int_equal(alg, DM_MD5);
    assert_int_equal(sess, 0);
    assert_int_equal(dm_digest_by_sess_name(str("sha-256-SESS"), &alg, &sess),
                     DM_OK);
    assert_int_equal(alg, DM_SHA256);
    assert_int_equal(sess, 1);
    assert_int_equal(dm_digest_by_sess_name(str("-sess"), &alg, &sess),
                     DM_DECLINED);
    assert_int_equal(dm_digest_by_sess_name(str("SHA-sess"), &alg, &sess),
                     DM_DECLINED);
}


static int
setup(void **state)
{
    dm_err_t  err;

    (void) state;

    /* the second time is free */

    return dm_digest_init(&err) != DM_OK || dm_digest_init(NULL) != DM_OK;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_sess_and_body),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_names)
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
