/* Basic credentials */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "dm_basic.h"


#define ALADDIN  "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


typedef struct {
    const char  *value;
    int          rc;
    const char  *err;       /* a part of the message */
} refusal_t;


/* from an allocation of exactly that size, so that ASan sees an over-read */

static int
parse(dm_basic_t *basic, const void *value, size_t len, dm_err_t *err)
{
    int             rc;
    unsigned char  *copy;

    copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, value, len);

    memset(basic, 0xaa, sizeof(dm_basic_t));

    rc = dm_basic_parse(basic, (dm_str_t) { copy, len }, err);

    free(copy);

    return rc;
}


/* the same for "Basic " and the Base64 of user-pass */

static int
parse_pair(dm_basic_t *basic, const void *pair, size_t len, dm_err_t *err)
{
    int            n;
    unsigned char  value[2048];

    memcpy(value, "Basic ", 6);
    n = EVP_EncodeBlock(value + 6, pair, (int) len);

    return parse(basic, value, 6 + (size_t) n, err);
}


static void
assert_holds(dm_str_t str, const char *expected)
{
    assert_int_equal(str.len, strlen(expected));
    assert_memory_equal(str.data, expected, str.len);
}


static void
assert_wiped(const dm_basic_t *basic)
{
    dm_basic_t               rest;
    static const dm_basic_t  zero;

    /* how it was malformed is no secret */

    memcpy(&rest, basic, sizeof(dm_basic_t));
    memset(&rest.malformed, 0, sizeof(rest.malformed));

    assert_memory_equal(&rest, &zero, sizeof(dm_basic_t));
}


static void
test_rfc7617(void **state)
{
    dm_basic_t  basic;

    (void) state;

    assert_int_equal(parse(&basic, "Basic " ALADDIN, 34, NULL), DM_OK);
    assert_holds(basic.name, "Aladdin");
    assert_holds(basic.password, "open sesame");

    assert_int_equal(parse(&basic, "Basic dGVzdDoxMjPCow==", 22, NULL), DM_OK);
    assert_holds(basic.name, "test");
    assert_holds(basic.password, "123\xc2\xa3");
}


static void
test_scheme(void **state)
{
    size_t       i;
    dm_basic_t   basic;

    static const char *const  same[] = {
        "basic " ALADDIN, "BASIC " ALADDIN, "bAsIc " ALADDIN,
        "Basic    " ALADDIN
    };

    static const char *const  other[] = {
        "", "B", "Basi", "Digest username=\"a\"", "Basics " ALADDIN,
        "Basic-x " ALADDIN, "Bearer " ALADDIN
    };

    static const char *const  none[] = {
        "\"Basic\" " ALADDIN, "\"asic " ALADDIN, "Basic\t" ALADDIN,
        "\tBasic " ALADDIN, " Basic " ALADDIN, "Basic=" ALADDIN,
        "Basic," ALADDIN, "Basic:" ALADDIN, "Basic\x7f" ALADDIN,
        "Bas\xc3\xaf" "c " ALADDIN, "Bearer\t" ALADDIN, ",", " "
    };

    (void) state;

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(parse(&basic, same[i], strlen(same[i]), NULL), DM_OK);
        assert_holds(basic.name, "Aladdin");
        assert_holds(basic.password, "open sesame");
    }

    for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_int_equal(parse(&basic, other[i], strlen(other[i]), NULL),
                         DM_DECLINED);
        assert_wiped(&basic);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(parse(&basic, none[i], strlen(none[i]), NULL),
                         DM_INVALID);
        assert_wiped(&basic);
    }
}


static void
test_malformed(void **state)
{
    size_t            i;
    dm_err_t          err;
    dm_basic_t        basic;
    const refusal_t  *r;

    static const refusal_t  refusals[] = {
        { "Basic", DM_USELESS, "no credentials" },
        { "Basic ", DM_USELESS, "no credentials" },
        { "Basic    ", DM_USELESS, "no credentials" },
        { "Basic\t" ALADDIN, DM_INVALID, "octet 6 of the header" },

        /* not the alphabet, or not where it may be */
        { "Basic QWxh_GRp", DM_USELESS, "octet 11 " },
        { "Basic QWxh-GRp", DM_USELESS, "octet 11 " },
        { "Basic YTpi\xc3\xa9YQ", DM_USELESS, "octet 11 " },
        { "Basic =", DM_USELESS, "octet 7 " },
        { "Basic ====", DM_USELESS, "octet 7 " },
        { "Basic YTpi====", DM_USELESS, "octet 11 " },
        { "Basic YTp===", DM_USELESS, "octet 10 " },
        { "Basic YT=p", DM_USELESS, "octet 9 " },
        { "Basic YTo=YTo=", DM_USELESS, "octet 10 " },
        { "Basic realm=\"x\"", DM_USELESS, "octet 12 " },

        /* more than one, for some reader, also behind what is none */
        { "Basic QWxh\nGRp", DM_INVALID, "octet 11 " },
        { "Basic \tQWxhZGRp", DM_INVALID, "octet 7 " },
        { "Basic QWxh ZGRp", DM_INVALID, "octet 11 " },
        { "Basic " ALADDIN " ", DM_INVALID, "octet 35 " },
        { "Basic " ALADDIN ", Basic " ALADDIN, DM_INVALID, "octet 35 " },
        { "Basic !,x=y", DM_INVALID, "octet 8 " },
        { "Basic !\x7f", DM_INVALID, "octet 8 " },

        /* the length */
        { "Basic Y", DM_USELESS, "multiple of 4" },
        { "Basic YTpiO", DM_USELESS, "multiple of 4" },
        { "Basic YTpi=", DM_USELESS, "multiple of 4" },
        { "Basic YTpi==", DM_USELESS, "multiple of 4" },
        { "Basic YTpiYw=", DM_USELESS, "multiple of 4" },

        /* bits that nothing needs: "a:" is YTo= only, "a:bc" YTpiYw== only */
        { "Basic YTp=", DM_USELESS, "canonical" },
        { "Basic YTq=", DM_USELESS, "canonical" },
        { "Basic YTpiYx==", DM_USELESS, "canonical" },
        { "Basic YTpiY/==", DM_USELESS, "canonical" },
        { "Basic YTp", DM_USELESS, "canonical" },
        { "Basic YT", DM_USELESS, "canonical" },
        { "Basic YTpiYx", DM_USELESS, "canonical" },

        /* what it says; a control character goes before all that */
        { "Basic YWJj", DM_USELESS, "no colon" },
        { "Basic OmFi", DM_USELESS, "empty name" },
        { "Basic Og==", DM_USELESS, "empty name" },
        { "Basic Og", DM_USELESS, "empty name" },
        { "Basic YQ", DM_USELESS, "no colon" },
        { "Basic YWIA", DM_INVALID, "control character" },
        { "Basic OgEC", DM_INVALID, "control character" }
    };

    (void) state;

    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        r = &refusals[i];

        assert_int_equal(parse(&basic, r->value, strlen(r->value), &err),
                         r->rc);
        assert_non_null(strstr(err.text, r->err));
        assert_wiped(&basic);

        assert_int_equal(parse(&basic, r->value, strlen(r->value), NULL),
                         r->rc);
    }

    assert_int_equal(parse(&basic, "Basic YTpi\0", 11, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "octet 11 "));

    /* what stands behind the value is none of it */

    assert_int_equal(dm_basic_parse(&basic, (dm_str_t) {
                                    (const unsigned char *) "Basics", 5 },
                                    &err),
                     DM_USELESS);
    assert_non_null(strstr(err.text, "no credentials"));
}


static void
test_spare_bits(void **state)
{
    size_t       i;
    char         value[] = "Basic YTo=";
    dm_err_t     err;
    dm_basic_t   basic;
    const char  *abc;

    (void) state;

    /* of 64 last characters one in 4, or one in 16, leaves no bit behind */

    abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (i = 0; i < 64; i++) {
        memcpy(value, "Basic YTo=", sizeof(value));
        value[8] = abc[i];
        err.text[0] = '\0';

        (void) parse(&basic, value, 10, &err);
        assert_int_equal(strstr(err.text, "canonical") != NULL, i % 4 != 0);

        memcpy(value, "Basic Og==", sizeof(value));
        value[7] = abc[i];
        err.text[0] = '\0';

        (void) parse(&basic, value, 10, &err);
        assert_int_equal(strstr(err.text, "canonical") != NULL, i % 16 != 0);
    }
}


static void
test_truncated(void **state)
{
    int          rc;
    char         c;
    size_t       len, left;
    dm_basic_t   basic;
    const char  *value;

    (void) state;

    value = "Basic " ALADDIN;

    for (len = 0; len < strlen(value); len++) {
        rc = parse(&basic, value, len, NULL);

        if (len < 5) {
            assert_int_equal(rc, DM_DECLINED);
            assert_wiped(&basic);
            continue;
        }

        /*
         * Three octets of text are four of Base64: cut behind the colon, it is
         * well-formed where no bit is left over.
         */

        c = value[len - 1];
        left = len < 6 ? 0 : (len - 6) % 4;

        if (len >= 6 + 11 && c != '='
            && (left == 0
                || (left == 2 && strchr("AQgw", c) != NULL)
                || (left == 3 && strchr("AEIMQUYcgkosw048", c) != NULL)))
        {
            assert_int_equal(rc, DM_OK);
            assert_holds(basic.name, "Aladdin");
            continue;
        }

        assert_int_equal(rc, DM_USELESS);
        assert_wiped(&basic);
    }
}


static void
test_controls(void **state)
{
    int         c, rc;
    char        name[] = "n.me:pass", password[] = "name:p.ss";
    dm_err_t    err;
    dm_basic_t  basic;

    (void) state;

    for (c = 0; c < 256; c++) {
        rc = (c < 0x20 || c == 0x7f) ? DM_INVALID : DM_OK;

        name[1] = (char) c;
        assert_int_equal(parse_pair(&basic, name, 9, &err), rc);

        password[6] = (char) c;
        assert_int_equal(parse_pair(&basic, password, 9, &err), rc);

        if (rc == DM_INVALID) {
            assert_non_null(strstr(err.text, "control character"));
            assert_wiped(&basic);
        }
    }
}


static void
test_password(void **state)
{
    dm_basic_t  basic;

    (void) state;

    assert_int_equal(parse_pair(&basic, "a:", 2, NULL), DM_OK);
    assert_holds(basic.name, "a");
    assert_int_equal(basic.password.len, 0);

    assert_int_equal(parse_pair(&basic, "a:b:c::", 7, NULL), DM_OK);
    assert_holds(basic.name, "a");
    assert_holds(basic.password, "b:c::");

    assert_int_equal(parse_pair(&basic, "IMEI 49:\xe2\x82\xac ", 12, NULL),
                     DM_OK);
    assert_holds(basic.name, "IMEI 49");
    assert_holds(basic.password, "\xe2\x82\xac ");
}


/* with its padding or without it is the same, whatever its length */
static void
test_padding(void **state)
{
    int            n;
    size_t         len, last;
    char           pair[] = "a:0123456789";
    dm_basic_t     basic;
    unsigned char  value[64];

    (void) state;

    for (len = 2; len < sizeof(pair); len++) {
        memcpy(value, "Basic ", 6);
        n = EVP_EncodeBlock(value + 6, (unsigned char *) pair, (int) len);

        for (last = 6 + (size_t) n; value[last - 1] == '='; last--) {
            /* void */
        }

        assert_int_equal(parse(&basic, value, 6 + (size_t) n, NULL), DM_OK);
        assert_int_equal(basic.password.len, len - 2);

        assert_int_equal(parse(&basic, value, last, NULL), DM_OK);
        assert_holds(basic.name, "a");
        assert_int_equal(basic.password.len, len - 2);
        assert_memory_equal(basic.password.data, pair + 2, len - 2);
    }
}


static void
test_length(void **state)
{
    char        pair[DM_BASIC_MAX];
    dm_err_t    err;
    dm_basic_t  basic;

    (void) state;

    memset(pair, 'x', sizeof(pair));
    pair[100] = ':';

    assert_int_equal(parse_pair(&basic, pair, 768, NULL), DM_OK);
    assert_int_equal(basic.name.len, 100);
    assert_int_equal(basic.password.len, 667);

    assert_int_equal(parse_pair(&basic, pair, 767, NULL), DM_OK);

    assert_int_equal(parse_pair(&basic, pair, 769, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "longer than 1024"));
    assert_wiped(&basic);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rfc7617),
        cmocka_unit_test(test_scheme),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_spare_bits),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_length)
    };

    return cmocka_run_group_tests_name("basic", tests, NULL, NULL);
}
