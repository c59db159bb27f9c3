/* dm_upgrade: what a client asks for in Upgrade and Connection */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dm_upgrade.h"
#include "str.h"


/* of up to two headers, the token that is echoed; "" for none */
static void
check(const char *first, const char *second, unsigned versions,
    const char *token)
{
    dm_upgrade_t  upgrade;

    memset(&upgrade, 0, sizeof(upgrade));

    dm_upgrade_read(&upgrade, str(first), versions);
    dm_upgrade_read(&upgrade, str(second), versions);

    assert_int_equal(upgrade.version != 0, token[0] != '\0');

    if (token[0]) {
        assert_int_equal(upgrade.token.len, strlen(token));
        assert_memory_equal(upgrade.token.data, token, strlen(token));
    }
}


static void
test_token(void **state)
{
    unsigned  all;

    (void) state;

    all = DM_TLSV1|DM_TLSV1_1|DM_TLSV1_2|DM_TLSV1_3;

    check("TLS/1.0", "", all, "TLS/1.0");
    check("TLS/1.2,TLS/1.1,TLS/1.0", "", all, "TLS/1.2");
    check("websocket, TLS/1.3", "", all, "TLS/1.3");
    check(" ,\t, tls/1.1 , HTTP/2.0", "", all, "tls/1.1");
    check("h2c", "TLS/1.1", all, "TLS/1.1");
    check("TLS/1.0", "TLS/1.1", all, "TLS/1.0");

    check("", "", all, "");
    check("TLS", "TLS/", all, "");
    check("TLS/1", "TLS/1.", all, "");
    check("TLS/1.4, TLS/2.0", "TLS/1.2.", all, "");
    check("XTLS/1.2", "TLS/1.2 TLS/1.1", all, "");
    check("TLS /1.2", "TLS/ 1.2", all, "");
    check("SSL/3.0", "TLS/1.22", all, "");
}


static void
test_preferred(void **state)
{
    (void) state;

    /* the first that the server has, in the client's order */

    check("TLS/1.0, TLS/1.2", "", DM_TLSV1_2, "TLS/1.2");
    check("TLS/1.0", "TLS/1.2", DM_TLSV1_2, "TLS/1.2");
    check("TLS/1.1, TLS/1.2", "TLS/1.0", DM_TLSV1_1|DM_TLSV1_2, "TLS/1.1");

    /* none: what is negotiated may be another one than it could name */

    check("TLS/1.0, TLS/1.1", "", DM_TLSV1_3, "TLS/1.0");
    check("TLS/1.1", "TLS/1.0", 0, "TLS/1.1");
}


static void
test_connection(void **state)
{
    (void) state;

    assert_int_equal(dm_upgrade_connection(str("Upgrade")), 1);
    assert_int_equal(dm_upgrade_connection(str("keep-alive, UPGRADE")), 1);
    assert_int_equal(dm_upgrade_connection(str("upgrade\t,close")), 1);
    assert_int_equal(dm_upgrade_connection(str(",,upgrade")), 1);

    assert_int_equal(dm_upgrade_connection(str("")), 0);
    assert_int_equal(dm_upgrade_connection(str(",")), 0);
    assert_int_equal(dm_upgrade_connection(str("upgraded")), 0);
    assert_int_equal(dm_upgrade_connection(str("up grade")), 0);
    assert_int_equal(dm_upgrade_connection(str("keep-alive upgrade")), 0);
}


static int
star(const char *s, size_t len)
{
    return dm_upgrade_star((const unsigned char *) s, len);
}


static void
test_star(void **state)
{
    size_t  i;

    static const char  line[] = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";

    (void) state;

    assert_int_equal(line[DM_UPGRADE_STAR], '*');

    for (i = 0; i < sizeof(line); i++) {
        assert_int_equal(star(line, i), i < DM_UPGRADE_STAR_LEN ? -1 : 1);
    }

    assert_int_equal(star("OPTIONS * HTTP/1.1\n", 19), 1);

    assert_int_equal(star("OPTIONS * HTTP/1.1 ", 19), 0);
    assert_int_equal(star("OPTIONS * HTTP/1.0\r", 19), 0);
    assert_int_equal(star("OPTIONS / HTTP/1.1\r", 19), 0);
    assert_int_equal(star("OPTIONS *HTTP/1.1\r\n", 19), 0);
    assert_int_equal(star("options * HTTP/1.1\r", 19), 0);
    assert_int_equal(star("GET", 3), 0);
    assert_int_equal(star("\r\nOPTIONS * HTTP/1.1", 19), 0);
    assert_int_equal(star("\x16\x03\x01", 3), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_star)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
