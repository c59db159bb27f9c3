/* Keys of certificates, as a person writes them */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dm_cert.h"
#include "dm_cert_logged.h"


typedef struct {
    const char  *in;
    const char  *out;       /* NULL: DM_INVALID */
} canonical_t;


#define HEX64  "00112233445566778899aabbccddeeff"                             \
               "00112233445566778899aabbccddeeff"

static void
test_canonical(void **state)
{
    size_t              i, len;
    dm_err_t            err;
    dm_str_t            in;
    unsigned char      *out;
    const canonical_t  *c;

    static const canonical_t  keys[] = {
        { "sha256:" HEX64, "sha256:" HEX64 },
        { "SHA256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
          ":00112233445566778899AABBCCDDEEFF", "sha256:" HEX64 },
        { "sha256:" HEX64 "0", NULL },
        { "sha256:0011", NULL },
        { "sha256:", NULL },
        { "sha256: " HEX64, NULL },
        { "sha256:g0112233445566778899aabbccddeeff"
          "00112233445566778899aabbccddeeff", NULL },

        { "Issuer-Serial:CN=CA,O=X#00:0A:FF", "issuer-serial:CN=CA,O=X#aff" },
        { "issuer-serial:CN=a#b#0", "issuer-serial:CN=a#b#0" },
        { "issuer-serial:CN=a#000", "issuer-serial:CN=a#0" },
        { "issuer-serial:CN=a", NULL },
        { "issuer-serial:CN=a#", NULL },
        { "issuer-serial:CN=a#:", NULL },
        { "issuer-serial:CN=a#-1", NULL },
        { "issuer-serial:CN=a#0x1", NULL },
        { "issuer-serial:#1", NULL },
        { "issuer-serial:", NULL },

        { "SAN:dns:Device.Example.ORG", "san:DNS:device.example.org" },
        { "san:uri:URN:IMEI:1~ Z", "san:URI:URN:IMEI:1~ Z" },
        { "SAN:DNS:AZ~@[`{", "san:DNS:az~@[`{" },
        { "san:DNS:", NULL },
        { "san:URI:", NULL },
        { "san:email:a@b", NULL },

        { "subject:CN=a", "subject:CN=a" },
        { "SUBJECT:CN=A bZ~,OU=,zAZ=", "subject:CN=A bZ~,OU=,zAZ=" },
        { "subject:CN=J\\C3\\BCrg", "subject:CN=J\xc3\xbcrg" },
        { "subject:CN=J\\c3\\bcrg", "subject:CN=J\xc3\xbcrg" },
        { "subject:CN=a\\\\C3\\C3\\BC", "subject:CN=a\\\\C3\xc3\xbc" },
        { "subject:CN=a\\\\C3\\BC", NULL },
        { "subject:CN=a\\,b\\ ", "subject:CN=a\\,b\\ " },
        { "subject:CN=a\\00b", "subject:CN=a\\00b" },
        { "subject:CN=a\\C", "subject:CN=a\\C" },
        { "subject:CN=a\\22\\2c\\5Cb", "subject:CN=a\\\"\\,\\\\b" },
        { "subject:CN=a\\\\x41", "subject:CN=a\\\\x41" },
        { "subject:CN=J\\xC3\\xBCrg", NULL },
        { "san:URI:urn:\\x22", NULL },
        { "san:DNS:a\\x5Cb", NULL },
        { "subject:CN=a+serialNumber=7,1.2.3=#0C0178",
          "subject:CN=a+serialNumber=7,1.2.3=#0C0178" },
        { "subject:", NULL },
        { "subject:a", NULL },
        { "subject:CN = a", NULL },
        { "subject:CN=a, O=b", NULL },
        { "subject:CN=a,", NULL },
        { "subject:CN=a,,O=b", NULL },
        { "subject:CN=a\\", NULL },
        { "subject:/CN=a/O=b", NULL },
        { "subject:CN=a;O=b", NULL },
        { "subject:O=\"a\"", NULL },
        { "subject:CN=a\nb", NULL },
        { "subject:CN=\xc3", NULL },
        { "subject:CN=\\BC", NULL },
        { "subject:CN=\\C2\\85", NULL },

        { "", NULL },
        { "sha1:00", NULL },
        { "sha256", NULL },
        { "CN=a", NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        c = &keys[i];
        in.data = (const unsigned char *) c->in;
        in.len = strlen(c->in);

        out = malloc(in.len + (in.len == 0));
        assert_non_null(out);

        err.text[0] = '\0';

        if (c->out == NULL) {
            assert_int_equal(dm_cert_key_canonical(in, out, &len, &err),
                             DM_INVALID);
            assert_true(err.text[0] != '\0');
            assert_int_equal(dm_cert_key_canonical(in, out, &len, NULL),
                             DM_INVALID);

        } else {
            assert_int_equal(dm_cert_key_canonical(in, out, &len, &err),
                             DM_OK);
            assert_int_equal(len, strlen(c->out));
            assert_memory_equal(out, c->out, len);
        }

        free(out);
    }
}


static void
test_canonical_refused(void **state)
{
    size_t          len;
    dm_err_t        err;
    dm_str_t        in;
    unsigned char   out[32];

    (void) state;

    in = dm_str("san:URI:a\0b");
    assert_int_equal(dm_cert_key_canonical(in, out, &len, &err), DM_INVALID);

    in = dm_str("issuer-serial:CN=a");
    assert_int_equal(dm_cert_key_canonical(in, out, &len, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "'#' is missing"));
}


/* what is written for a log is read back */
static void
test_logged(void **state)
{
    size_t          i, len, back_len;
    dm_str_t        key;
    unsigned char   out[DM_CERT_KEY_MAX], back[DM_CERT_KEY_MAX];

    static const canonical_t  keys[] = {
        { "sha256:" HEX64, "sha256:" HEX64 },
        { "san:URI:urn:a b,c=d#e", "san:URI:urn:a b,c=d#e" },
        { "san:URI:a\"b", NULL },
        { "san:DNS:a\\b", NULL },
        { "subject:CN=J\xc3\xbcrg", "subject:CN=J\\c3\\bcrg" },
        { "subject:CN=a\\\"\\\\\\,\\ ",
          "subject:CN=a\\22\\\\\\,\\ " },
        { "subject:CN=\\\\x41", "subject:CN=\\\\x41" },
        { "issuer-serial:CN=\\\"\xc3\xa4#aff",
          "issuer-serial:CN=\\22\\c3\\a4#aff" }
    };

    (void) state;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        key.data = (const unsigned char *) keys[i].in;
        key.len = strlen(keys[i].in);

        if (keys[i].out == NULL) {
            assert_int_equal(dm_cert_logged(key, out, sizeof(out), &len),
                             DM_DECLINED);
            continue;
        }

        assert_int_equal(dm_cert_logged(key, out, sizeof(out), &len), DM_OK);
        assert_int_equal(len, strlen(keys[i].out));
        assert_memory_equal(out, keys[i].out, len);

        assert_int_equal(dm_cert_logged(key, out, len, &len), DM_OK);
        assert_int_equal(dm_cert_key_canonical((dm_str_t) { out, len }, back,
                                               &back_len, NULL), DM_OK);
        assert_int_equal(back_len, key.len);
        assert_memory_equal(back, key.data, key.len);

        assert_int_equal(dm_cert_logged(key, out, len - 1, &len),
                         DM_DECLINED);
        assert_int_equal(len, 0);
    }
}


/* pieces of names that would be taken for something else, and all of them */
static const char *const  pieces[] = {
    "a", "F", "4", " ", "\\", "\"", ",", "+", ";", "<", ">", "#", "=", "/",
    "x", "x41", "\\x41", "\\x5c", "22", "\\22", "c3", "0", ":", "|", "'", "%",
    "\xc3\xa9", "\xc2\xa0", "\xc2\xad", "\xd8\x9c", "\xe2\x80\x8b",
    "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xae\xe2\x80\xac",
    "\xe2\x81\xa0", "\xe2\x81\xa9", "\xe3\x80\x80", "\xef\xbb\xbf",
    "\xef\xbf\xbd", "\xf0\x9f\x98\x80", "\xf3\xa0\x81\x81"
};

#define PIECES  (sizeof(pieces) / sizeof(pieces[0]))


/* adds one to a name, or to its last part where set is -1 */
static void
add_value(X509_NAME *name, int nid, const char *value, size_t len, int set)
{
    assert_int_equal(X509_NAME_add_entry_by_NID(name, nid, V_ASN1_UTF8STRING,
                                          (const unsigned char *) value,
                                          (int) len, -1, set), 1);
}


/* each key of a name that can be logged is read back; 1 if there is one */
static unsigned
read_back(const X509_NAME *name)
{
    X509            *cert;
    size_t           len, logged_len, back_len;
    unsigned         i, n;
    dm_err_t         err;
    unsigned char    key[DM_CERT_KEY_MAX], back[3 * DM_CERT_KEY_MAX];
    unsigned char    logged[3 * DM_CERT_KEY_MAX];

    static const dm_cert_kind_t  kinds[] = {
        DM_CERT_SUBJECT, DM_CERT_ISSUER_SERIAL
    };

    cert = X509_new();
    assert_non_null(cert);
    assert_int_equal(X509_set_subject_name(cert, name), 1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 0xabc), 1);

    n = 0;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        if (dm_cert_key(cert, kinds[i], 0, key, &len) != DM_OK) {
            continue;
        }

        n++;
        assert_int_equal(dm_cert_logged((dm_str_t) { key, len }, logged,
                                        sizeof(logged), &logged_len), DM_OK);

        if (dm_cert_key_canonical((dm_str_t) { logged, logged_len }, back,
                                  &back_len, &err)
            != DM_OK)
        {
            fail_msg("%.*s: %s", (int) logged_len, (char *) logged, err.text);
        }

        assert_int_equal(back_len, len);
        assert_memory_equal(back, key, len);
    }

    X509_free(cert);

    return n;
}


/* what a log has as claimed of any certificate, --cert-key takes */
static void
test_logged_hostile(void **state)
{
    char         value[256];
    size_t       i, k, len, n;
    unsigned     seen, seed, part, parts;
    X509_NAME   *name;
    const char  *piece;

    static const int  nids[] = {
        NID_commonName, NID_organizationName, NID_serialNumber,
        NID_domainComponent, NID_description, NID_userId
    };

    (void) state;

    seed = 1;
    seen = 0;

    for (i = 0; i < 4000; i++) {
        name = X509_NAME_new();
        assert_non_null(name);

        /* the first have one piece, and the next the longest value of one */

        parts = (i < 2 * PIECES) ? 1 : 1 + (unsigned) i % 4;

        for (part = 0; part < parts; part++) {
            len = 0;
            n = (i < PIECES) ? 1 : (i < 2 * PIECES) ? 255 : i % 7;

            for (k = 0; k < n; k++) {
                seed = seed * 1103515245 + 12345;
                piece = pieces[i < 2 * PIECES ? i % PIECES
                                              : (seed >> 16) % PIECES];

                if (len + strlen(piece) > 255) {
                    break;
                }

                memcpy(value + len, piece, strlen(piece));
                len += strlen(piece);
            }

            add_value(name, nids[(seed >> 8) % 6], value, len,
                      part > 0 && (seed >> 20) % 3 == 0 ? -1 : 0);
        }

        seen += read_back(name);
        X509_NAME_free(name);
    }

    assert_true(seen > 4000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_logged),
        cmocka_unit_test(test_logged_hostile),
        cmocka_unit_test(test_canonical_refused)
    };

    return cmocka_run_group_tests_name("cert_written", tests, NULL, NULL);
}
