/* dm_digest_parse: Digest credentials, well-formed and not */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dm_digest_params.h"
#include "dm_digest_parse.h"
#include "dm_scheme.h"


#define MD5     "0123456789abcdef0123456789ABCDEF"
#define SHA256  MD5 MD5

/* all that is needed, but the user's name */
#define REST                                                                  \
    "realm=\"r\", nonce=\"n\", uri=\"/\", response=\"" MD5 "\", "             \
    "qop=auth, nc=00000001, cnonce=\"c\""


static dm_digest_answer_t   answer;
static dm_err_t             err;
static unsigned char       *buf;


/* the short cut for the usual form finds what the steps find */
static void
compare(dm_str_t value)
{
    int                  rc;
    unsigned             i;
    dm_err_t             why[2];
    unsigned char       *text[2];
    dm_digest_params_t   params[2];

    for (i = 0; i < 2; i++) {
        text[i] = malloc(value.len + (value.len == 0));
        assert_non_null(text[i]);
        why[i].text[0] = '\0';
    }

    rc = dm_digest_params_read(&params[0], value, text[0], &why[0]);

    assert_int_equal(dm_digest_params_steps(&params[1], value, text[1],
                                            &why[1]),
                     rc);
    assert_string_equal(why[0].text, why[1].text);
    assert_int_equal(params[0].twice, params[1].twice);
    assert_int_equal(params[0].useless, params[1].useless);

    for (i = 0; i < DM_P_MAX; i++) {
        assert_int_equal(params[0].seen[i], params[1].seen[i]);
        assert_true(dm_str_eq(params[0].value[i], params[1].value[i]));
    }

    free(text[0]);
    free(text[1]);
}


/* in memory of its own length: a sanitizer sees each octet too many */
static int
parse_octets(const char *value, size_t len)
{
    int             rc;
    unsigned char  *copy;

    free(buf);
    buf = malloc(len + (len == 0));
    copy = malloc(len + (len == 0));
    assert_non_null(buf);
    assert_non_null(copy);

    memcpy(copy, value, len);
    err.text[0] = '\0';

    rc = dm_digest_parse(&answer, (dm_str_t) { copy, len }, buf, &err);

    if (dm_scheme_match((dm_str_t) { copy, len }, dm_str("Digest"), NULL)
        == DM_OK)
    {
        compare((dm_str_t) { copy, len });
    }

    free(copy);

    return rc;
}


static int
parse(const char *value)
{
    return parse_octets(value, strlen(value));
}


static void
equals(dm_str_t value, const char *expected)
{
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(value.data, expected, value.len);
}


static void
test_rfc7616(void **state)
{
    unsigned  i;

    (void) state;

    assert_int_equal(parse("Digest username=\"Mufasa\", "
        "realm=\"http-auth@example.org\", uri=\"/dir/index.html\", "
        "algorithm=SHA-256, "
        "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
        "nc=0000001f, "
        "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
        "qop=auth, "
        "response=\"753927fa0e85d155564e2e272a28d1802ca10daf44967946"
        "97cf8db5856cb6c1\", "
        "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), DM_OK);

    equals(answer.name, "Mufasa");
    equals(answer.realm, "http-auth@example.org");
    equals(answer.uri, "/dir/index.html");
    equals(answer.nonce, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
    equals(answer.cnonce, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    equals(answer.nc_text, "0000001f");
    equals(answer.qop, "auth");
    assert_int_equal(answer.alg, DM_SHA256);
    assert_int_equal(answer.nc, 31);
    assert_int_equal(answer.sess + answer.auth_int + answer.userhash, 0);
    assert_int_equal(answer.response[0], 0x75);
    assert_int_equal(answer.response[31], 0xc1);

    /* nothing but the algorithm says which hash the response is */

    assert_int_equal(parse("Digest username=u, " REST), DM_OK);
    assert_int_equal(answer.alg, DM_MD5);

    for (i = 0; i < 16; i++) {
        assert_int_equal(answer.response[i],
                         (i % 8) << 5 | (i % 8) << 1 | 1);
    }
}


/* each octet that a response can have, with digits of either case */
static void
test_response_octets(void **state)
{
    int       n;
    char      value[512];
    unsigned  i, octet;

    (void) state;

    for (octet = 0; octet < 256; octet++) {
        n = sprintf(value, "Digest username=u, realm=r, nonce=n, uri=\"/\", "
                    "qop=auth, nc=00000001, cnonce=c, response=");

        for (i = 0; i < 16; i++) {
            n += sprintf(value + n, octet & 1 ? "%02x" : "%02X", octet);
        }

        assert_int_equal(parse(value), DM_OK);

        for (i = 0; i < 16; i++) {
            assert_int_equal(answer.response[i], octet);
        }
    }
}


static void
test_forms(void **state)
{
    (void) state;

    assert_int_equal(parse("dIgEsT ,\t, USERNAME = \"a\\\"b\\\\c\" ,, "
        "Realm=\"\",NONCE=\"n\" , uri=\"/?a=\\b,c\",response=" MD5
        ", QOP=\"AUTH-INT\", nc=\"FFFFFFFF\", cnonce=c, algorithm=\"md5-SESS\""
        ", userhash=false, other=1, other=\"2\", auth-param=x,"), DM_OK);

    equals(answer.name, "a\"b\\c");
    equals(answer.realm, "");
    equals(answer.uri, "/?a=b,c");
    equals(answer.nc_text, "FFFFFFFF");
    equals(answer.qop, "AUTH-INT");
    assert_int_equal(answer.nc, 0xffffffff);
    assert_int_equal(answer.auth_int, 1);
    assert_int_equal(answer.sess, 1);
    assert_int_equal(answer.userhash, 0);

    /* octets beyond ASCII, as browsers send them */

    assert_int_equal(parse("Digest username=\"j\xc3\xbcrgen\", " REST), DM_OK);
    equals(answer.name, "j\xc3\xbcrgen");

    assert_int_equal(parse("Basic dTpw"), DM_DECLINED);
    assert_int_equal(parse("Digestive username=u"), DM_DECLINED);
    assert_int_equal(parse(""), DM_DECLINED);
    assert_int_equal(parse("Diges"), DM_DECLINED);
    assert_int_equal(parse("Digest\tusername=u"), DM_INVALID);
    assert_int_equal(parse("\"Digest\" username=u"), DM_INVALID);
    assert_int_equal(parse("\tDigest username=u"), DM_INVALID);
}


static void
test_names(void **state)
{
    char  value[2048];

    (void) state;

    assert_int_equal(parse("Digest username*=utf-8'de'J%c3%a4s%c3%B8n%20D, "
                           REST), DM_OK);
    equals(answer.name, "J\xc3\xa4s\xc3\xb8n D");

    assert_int_equal(parse("Digest username=" MD5 ", userhash=true, " REST),
                     DM_OK);
    assert_int_equal(answer.userhash, 1);
    assert_int_equal(answer.hash[0], 0x01);
    assert_int_equal(answer.hash[15], 0xef);

    assert_int_equal(parse("Digest username=0123456789ABCDEF0123456789abCdEf, "
                           "userhash=true, " REST), DM_OK);
    equals(answer.name, "0123456789abcdef0123456789abcdef");

    assert_int_equal(parse("Digest username*=UTF-8''u, username=u, " REST),
                     DM_INVALID);
    assert_int_equal(parse("Digest " REST), DM_USELESS);
    assert_int_equal(parse("Digest username=\"\", " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=UTF-8'', " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=u, " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=UTF-8'u, " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=ISO-8859-1''u, " REST),
                     DM_USELESS);
    assert_int_equal(parse("Digest username*=UTF-8''%, " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=UTF-8''%a, " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=UTF-8''%zz, " REST), DM_USELESS);
    assert_int_equal(parse("Digest username*=UTF-8''a%00, " REST),
                     DM_INVALID);
    assert_int_equal(parse("Digest username*=UTF-8''%zz%0A, " REST),
                     DM_INVALID);
    assert_int_equal(parse("Digest username*=u%00, " REST), DM_INVALID);
    assert_int_equal(parse("Digest username*=UTF-8''u, userhash=true, " REST),
                     DM_INVALID);
    assert_int_equal(parse("Digest username=u, userhash=true, " REST),
                     DM_USELESS);
    assert_int_equal(parse("Digest username=u, userhash=1, " REST),
                     DM_USELESS);
    assert_int_equal(parse("Digest username=" SHA256 ", userhash=true, "
                           REST), DM_USELESS);

    memset(value, 'u', sizeof(value));
    memcpy(value, "Digest username=", 16);
    memcpy(value + 16 + DM_DIGEST_NAME_MAX, ", " REST, sizeof(", " REST));
    assert_int_equal(parse(value), DM_OK);

    memset(value + 16, 'u', sizeof(value) - 16);
    memcpy(value + 17 + DM_DIGEST_NAME_MAX, ", " REST, sizeof(", " REST));
    assert_int_equal(parse(value), DM_INVALID);
}


/* each parameter that is needed, left out and twice */
static void
test_missing_and_twice(void **state)
{
    char      value[1024];
    unsigned  i, n, which;

    static const char  *params[] = {
        "username=u", "realm=\"r\"", "nonce=\"n\"", "uri=\"/\"",
        ("response=" MD5), "qop=auth", "nc=00000001", "cnonce=c"
    };

    static const char  *optional[] = {
        "algorithm=MD5", "opaque=o", "userhash=false"
    };

    (void) state;

    n = sizeof(params) / sizeof(params[0]);

    for (which = 0; which <= n; which++) {
        strcpy(value, "Digest ");

        for (i = 0; i < n; i++) {
            if (i != which) {
                strcat(strcat(value, params[i]), ", ");
            }
        }

        assert_int_equal(parse(value), which == n ? DM_OK : DM_USELESS);
    }

    for (which = 0; which < n; which++) {
        strcpy(value, "Digest ");

        for (i = 0; i < n; i++) {
            strcat(strcat(value, params[i]), ", ");
        }

        strcat(value, params[which]);
        assert_int_equal(parse(value), DM_INVALID);
        assert_non_null(strstr(err.text, "twice"));
    }

    for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        strcpy(value, "Digest username=u, " REST ", ");
        strcat(value, optional[i]);
        assert_int_equal(parse(value), DM_OK);

        strcat(strcat(value, ", "), optional[i]);
        assert_int_equal(parse(value), DM_INVALID);
    }
}


/* the parameter in place of the one of the same name in REST */
static int
with(const char *name, const char *replacement)
{
    char         value[2048];
    const char  *p;

    strcpy(value, "Digest username=u, " REST);
    p = strstr(value, name);
    assert_non_null(p);

    value[p - value] = 'x';
    strcat(strcat(value, ", "), replacement);

    return parse(value);
}


static void
test_wrong_values(void **state)
{
    char  value[1024];

    (void) state;

    assert_int_equal(with("nc=", "nc=00000002"), DM_OK);
    assert_int_equal(with("nc=", "nc=000000001"), DM_USELESS);
    assert_int_equal(with("nc=", "nc=\"\""), DM_USELESS);
    assert_int_equal(with("nc=", "nc=0x1"), DM_USELESS);
    assert_int_equal(with("nc=", "nc=+1"), DM_USELESS);
    assert_int_equal(with("nc=", "nc=\" 1\""), DM_USELESS);
    assert_int_equal(with("nc=", "nc=0000000g"), DM_USELESS);
    assert_int_equal(with("nc=", "nc=\"0000000 \""), DM_USELESS);
    assert_int_equal(with("nc=", "nc=-0000001"), DM_USELESS);

    assert_int_equal(with("qop=", "qop=\"auth\""), DM_OK);
    assert_int_equal(with("qop=", "qop=auth-conf"), DM_USELESS);
    assert_int_equal(with("qop=", "qop=\"auth,auth-int\""), DM_USELESS);
    assert_int_equal(with("qop=", "qop=\"\""), DM_USELESS);

    assert_int_equal(with("cnonce=", "cnonce=\"\""), DM_OK);
    assert_int_equal(answer.cnonce.len, 0);
    assert_int_equal(with("cnonce=", "cnonce="), DM_USELESS);
    assert_int_equal(with("nonce=", "nonce=\"\""), DM_USELESS);

    assert_int_equal(with("response=", "response=\"" SHA256 "\""),
                     DM_USELESS);
    assert_int_equal(with("response=", "response=\"\""), DM_USELESS);
    assert_int_equal(with("response=", "response=\"z123456789abcdef01234"
                          "56789abcdef\""), DM_USELESS);

    assert_int_equal(parse("Digest username=u, algorithm=SHA-256, " REST),
                     DM_USELESS);
    assert_int_equal(parse("Digest username=u, algorithm=SHA-1, " REST),
                     DM_USELESS);
    assert_int_equal(parse("Digest username=u, algorithm=\"\", " REST),
                     DM_USELESS);
    assert_int_equal(parse("Digest username=u, algorithm=-sess, " REST),
                     DM_USELESS);

    memset(value, 'n', sizeof(value));
    memcpy(value, "nonce=", 6);
    value[6 + DM_DIGEST_NONCE_MAX] = '\0';
    assert_int_equal(with("nonce=", value), DM_OK);
    value[6 + DM_DIGEST_NONCE_MAX] = 'n';
    value[7 + DM_DIGEST_NONCE_MAX] = '\0';
    assert_int_equal(with("nonce=", value), DM_INVALID);
}


/* a number of 1 to 8 digits, and the text that is hashed */
static void
test_counts(void **state)
{
    unsigned  i;

    static const struct {
        const char  *param;
        const char  *text;
        uint32_t     nc;
    } counts[] = {
        { "nc=0", "0", 0 },
        { "nc=00000000", "00000000", 0 },
        { "nc=1", "1", 1 },
        { "nc=01", "01", 1 },
        { "nc=\"00000001\"", "00000001", 1 },
        { "nc=a", "a", 10 },
        { "nc=1F", "1F", 31 },
        { "nc=1234567", "1234567", 0x1234567 },
        { "nc=ffffffff", "ffffffff", 0xffffffff }
    };

    (void) state;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_int_equal(with("nc=", counts[i].param), DM_OK);
        assert_int_equal(answer.nc, counts[i].nc);
        equals(answer.nc_text, counts[i].text);
    }
}


static void
test_bare_uri(void **state)
{
    unsigned  i;

    static const char  *uris[] = {
        "/", "/a/b;c?d=e&f=(g)#h", "*", "http://[::1]:80/@<>{}|^`",
        "/\xc3\xbc\xff"
    };

    static const char  *invalid[] = {
        "uri=/a\"", "uri=/a\\", "uri=/a b", "uri=/\x01", "uri=/\x7f",
        "uri=/a\"b\""
    };

    (void) state;

    for (i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        char  value[128];

        strcat(strcpy(value, "URI="), uris[i]);
        assert_int_equal(with("uri=", value), DM_OK);
        equals(answer.uri, uris[i]);

        assert_int_equal(with("uri=", strcat(value, " , x=y")), DM_OK);
        equals(answer.uri, uris[i]);
    }

    for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        assert_int_equal(with("uri=", invalid[i]), DM_INVALID);
    }

    /* a comma ends it */

    assert_int_equal(with("uri=", "uri=/a,b"), DM_USELESS);
    assert_int_equal(with("uri=", "uri="), DM_USELESS);
    assert_int_equal(with("uri=", "uri=/a, uri=/b"), DM_INVALID);

    /* so has each other value, such as Base64 */

    assert_int_equal(with("realm=", "realm=/"), DM_OK);
    equals(answer.realm, "/");
    assert_int_equal(with("nonce=", "nonce=a/b+c=="), DM_OK);
    equals(answer.nonce, "a/b+c==");
}


static void
test_malformed(void **state)
{
    unsigned  i;
    char      value[1024];

    static const char  *malformed[] = {
        "x= y z", "=x", "x=y z", "x=y z=w", "x=\"", "x=\"y", "x=\"y\\",
        "x=\"y\\\"", "x=\"y\"z", "x=\"y\" z", "x=y\"", "x=y\"z\"",
        "x=\"y\"\"z\"", "x=y\\z", "\"x\"=y", "x y=z", "x:y",
        "x=\"\x01\"", "x=\"\t\"", "x=\"\x7f\"", "x=\"\\\x01\"", "x=\x01",
        "x=\x7f", "x;y=z", "\x80=y", "x, y=\"", "x=, y=\"", "x=/, y=\""
    };

    /* each part can be told from the next, but it is no parameter */

    static const char  *useless[] = {
        "x", "x ", "x=", "x= ", "x=,", "x,y=z", "x =\t,", "x, y"
    };

    (void) state;

    for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        strcpy(value, "Digest username=u, " REST ", ");
        assert_int_equal(parse(strcat(value, malformed[i])), DM_INVALID);

        strcpy(value, "Digest ");
        assert_int_equal(parse(strcat(value, malformed[i])), DM_INVALID);
    }

    for (i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
        strcpy(value, "Digest username=u, " REST ", ");
        assert_int_equal(parse(strcat(value, useless[i])), DM_USELESS);
        assert_non_null(strstr(err.text, "at octet "));

        /* what is wrong behind it goes before it */

        assert_int_equal(parse(strcat(value, ", nc=00000001")), DM_INVALID);
        assert_non_null(strstr(err.text, "twice"));

        strcpy(value, "Digest ");
        assert_int_equal(parse(strcat(value, useless[i])), DM_USELESS);
    }

    assert_int_equal(parse("Digest username=u, " REST ", "), DM_OK);
    assert_int_equal(parse("Digest username=u, " REST ",  ,"), DM_OK);

    assert_int_equal(parse("Digest x, y=/"), DM_USELESS);
    assert_non_null(strstr(err.text, "at octet 9 "));

    assert_int_equal(parse("Digest"), DM_USELESS);
    assert_int_equal(parse("Digest "), DM_USELESS);
    assert_int_equal(parse_octets("Digest username=\"a\0b\", " REST,
                                  sizeof("Digest username=\"a\0b\", " REST)
                                  - 1), DM_INVALID);
}


/* whatever comes, it ends and stays in its memory */
static void
test_every_prefix_and_octet(void **state)
{
    size_t  i, len;
    char    value[] = "Digest username*=UTF-8''%41, algorithm=MD5-sess, "
                      "userhash=false, opaque=\"\\\"\", " REST;

    (void) state;

    len = sizeof(value) - 1;

    for (i = 0; i < len; i++) {
        (void) parse_octets(value, i);
    }

    assert_int_equal(parse(value), DM_OK);

    srandom(1);

    for (i = 0; i < 100000; i++) {
        char    copy[sizeof(value)];
        size_t  n;

        memcpy(copy, value, sizeof(value));

        for (n = (size_t) random() % 4; n < 5; n++) {
            copy[7 + (size_t) random() % (len - 7)]
                = "\"\\,= %'\t\0a*\xff"[random() % 12];
        }

        (void) parse_octets(copy, len);
    }
}


static int
setup(void **state)
{
    (void) state;

    return dm_digest_init(NULL) != DM_OK;
}


static int
teardown(void **state)
{
    (void) state;

    free(buf);

    return 0;
}


/* each octet at each place of a header that the short cut takes */
static void
test_each_octet(void **state)
{
    char      value[] = "Digest username=\"user-name\", " REST ", opaque=\"\"";
    unsigned  i, octet;

    (void) state;

    for (i = 0; i < sizeof(value) - 1; i++) {

        for (octet = 0; octet < 256; octet++) {
            char  was = value[i];

            value[i] = (char) octet;
            (void) parse_octets(value, sizeof(value) - 1);
            value[i] = was;
        }

        (void) parse_octets(value, i);
    }

    assert_int_equal(parse(value), DM_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rfc7616),
        cmocka_unit_test(test_response_octets),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_missing_and_twice),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bare_uri),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_every_prefix_and_octet),
        cmocka_unit_test(test_each_octet)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
