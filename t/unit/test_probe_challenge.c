/* dm-probe: challenges */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "dm_digest.h"
#include "dm_digest_parse.h"
#include "probe/auth.h"


/* from an allocation of exactly that size, so that ASan sees an over-read */

static int
next(const char **value, dm_challenge_t *challenge)
{
    int          rc;
    char        *copy;
    const char  *p;

    copy = strdup(*value);
    assert_non_null(copy);

    p = copy;
    memset(challenge, 0xaa, sizeof(dm_challenge_t));

    rc = dm_challenge_next(&p, challenge);
    *value += p - copy;

    free(copy);

    return rc;
}


static void
test_several(void **state)
{
    const char      *p;
    dm_challenge_t   challenge;

    (void) state;

    p = ", Digest realm=\"a \\\"b\\\", c\", nonce = \"n\","
        "\tQOP=\"auth,auth-int\", algorithm=SHA-256,opaque=\"\","
        " stale=false , charset=UTF-8,Basic realm=b, "
        "Negotiate, NTLM abc==, Bearer";

    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.scheme, "Digest");
    assert_string_equal(challenge.realm, "a \"b\", c");
    assert_string_equal(challenge.nonce, "n");
    assert_string_equal(challenge.qop, "auth,auth-int");
    assert_string_equal(challenge.algorithm, "SHA-256");
    assert_string_equal(challenge.opaque, "");

    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.scheme, "Basic");
    assert_string_equal(challenge.realm, "b");
    assert_string_equal(challenge.nonce, "");

    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.scheme, "Negotiate");

    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.scheme, "NTLM");

    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.scheme, "Bearer");

    assert_int_equal(next(&p, &challenge), DM_DECLINED);
}


static void
test_malformed(void **state)
{
    int              rc;
    size_t           i;
    const char      *p;
    dm_challenge_t   challenge;

    static const char *const  values[] = {
        "\"", "=", "Digest \"x\"", "Digest realm=\"", "Digest realm=\"a\\",
        "Digest realm=\"a\" \"b\"", "Digest realm=a;nonce=b", "Digest =a"
    };

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        p = values[i];

        do {
            rc = next(&p, &challenge);
        } while (rc == DM_OK);

        assert_int_equal(rc, DM_INVALID);
    }
}


static void
test_long(void **state)
{
    char             value[8192], text[2048];
    const char      *p;
    dm_challenge_t   challenge;

    (void) state;

    /* the longest that there is room for, and one that is longer */

    memset(text, 'x', sizeof(text));
    text[DM_CHALLENGE_MAX - 1] = '\0';

    (void) snprintf(value, sizeof(value), "Digest nonce=\"%s\", realm=%s",
                    text, text);
    p = value;
    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.nonce, text);
    assert_string_equal(challenge.realm, text);

    text[DM_CHALLENGE_MAX - 1] = 'x';
    text[DM_CHALLENGE_MAX] = '\0';

    (void) snprintf(value, sizeof(value), "Digest nonce=\"%s\", realm=%s, "
                    "algorithm=%s", text, text, text);
    p = value;
    assert_int_equal(next(&p, &challenge), DM_OK);
    assert_string_equal(challenge.nonce, "");
    assert_string_equal(challenge.realm, "");
    assert_string_equal(challenge.algorithm, "");
}


static void
test_lists(void **state)
{
    (void) state;

    assert_int_equal(dm_challenge_lists("auth, auth-int", "auth"), 1);
    assert_int_equal(dm_challenge_lists("auth, auth-int", "auth-int"), 1);
    assert_int_equal(dm_challenge_lists("AUTH", "auth"), 1);
    assert_int_equal(dm_challenge_lists("auth-int", "auth"), 0);
    assert_int_equal(dm_challenge_lists("", "auth"), 0);
    assert_int_equal(dm_challenge_lists(" ,, ", "auth"), 0);
}


/* what is written can be read by the parser of the module, and is right */

static void
test_answer(void **state)
{
    char                value[DM_AUTH_VALUE_MAX];
    dm_err_t            err;
    dm_login_t          login;
    dm_secret_t         password;
    unsigned char       buf[DM_AUTH_VALUE_MAX], ha1[DM_HASH_MAX];
    unsigned char       response[DM_HASH_MAX];
    dm_challenge_t      challenge;
    dm_digest_answer_t  answer;
    dm_digest_request_t request;

    (void) state;

    memset(&challenge, 0, sizeof(challenge));
    strcpy(challenge.realm, "a \"realm\\");
    strcpy(challenge.nonce, "nonce==");
    strcpy(challenge.algorithm, "SHA-256");

    memset(&password, 0, sizeof(password));
    strcpy((char *) password.data, "hunter2");
    password.len = 7;

    login.user = "de\"vice";
    login.password = &password;
    login.method = "POST";
    login.target = "/dm?a=b,c";
    login.body = dm_str("{}");

    assert_int_equal(dm_digest_init(&err), DM_OK);
    assert_int_equal(dm_auth_digest(&login, &challenge, "auth", value),
                     DM_OK);
    assert_null(strstr(value, "hunter2"));

    assert_int_equal(dm_digest_parse(&answer,
                         (dm_str_t) { (unsigned char *) value,
                                      strlen(value) }, buf, &err), DM_OK);
    assert_int_equal(answer.alg, DM_SHA256);
    assert_true(dm_str_eq(answer.name, dm_str("de\"vice")));
    assert_true(dm_str_eq(answer.realm, dm_str("a \"realm\\")));
    assert_true(dm_str_eq(answer.uri, dm_str("/dm?a=b,c")));

    assert_int_equal(dm_digest_ha1(DM_SHA256, answer.name, answer.realm,
                                   dm_str("hunter2"), ha1), DM_OK);

    memset(&request, 0, sizeof(request));
    request.alg = DM_SHA256;
    request.nonce = answer.nonce;
    request.nc = answer.nc_text;
    request.cnonce = answer.cnonce;
    request.qop = answer.qop;
    request.method = dm_str("POST");
    request.uri = answer.uri;

    assert_int_equal(dm_digest_response(&request, ha1, response), DM_OK);
    assert_memory_equal(response, answer.response, 32);

    strcpy(challenge.algorithm, "SHA-3");
    assert_int_equal(dm_auth_digest(&login, &challenge, "auth", value),
                     DM_DECLINED);

    challenge.nonce[0] = '\0';
    assert_int_equal(dm_auth_digest(&login, &challenge, "auth", value),
                     DM_INVALID);
}


/*
 * RFC 2069, without qop; by openssl dgst -md5: HA1 is that of "u:r:p",
 * HA2 that of "POST:/", and the response that of "HA1:n:HA2".
 */

static void
test_answer_2069(void **state)
{
    char             value[DM_AUTH_VALUE_MAX];
    dm_err_t         err;
    dm_login_t       login;
    dm_secret_t      password;
    dm_challenge_t   challenge;

    (void) state;

    memset(&challenge, 0, sizeof(challenge));
    strcpy(challenge.realm, "r");
    strcpy(challenge.nonce, "n");

    memset(&password, 0, sizeof(password));
    password.data[0] = 'p';
    password.len = 1;

    login.user = "u";
    login.password = &password;
    login.method = "POST";
    login.target = "/";
    login.body = dm_str("");

    assert_int_equal(dm_digest_init(&err), DM_OK);
    assert_int_equal(dm_auth_digest(&login, &challenge, NULL, value), DM_OK);
    assert_string_equal(value, "Digest username=\"u\", realm=\"r\", "
                        "nonce=\"n\", uri=\"/\", "
                        "response=\"b42d384f116f87fa53bcb3234a866d2c\"");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_2069)
    };

    return cmocka_run_group_tests_name("probe_challenge", tests, NULL, NULL);
}
