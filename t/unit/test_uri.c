/* dm_uri: absolute URIs, and what they name */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dm_uri.h"
#include "str.h"


static void
split(const char *text, unsigned port, const char *authority, const char *path)
{
    dm_uri_t  uri;

    assert_int_equal(dm_uri_split(str(text), &uri), DM_OK);
    assert_int_equal(uri.port, port);
    assert_true(dm_str_eq(uri.authority, str(authority)));
    assert_true(dm_str_eq(uri.path, str(path)));
}


static void
test_split(void **state)
{
    size_t    i;
    dm_uri_t  uri;

    static const char  *none[] = {
        "", "/", "*", "http", "http:", "http:/", "http:/a", "https:/",
        "ftp://a/", "//a/", " http://a/", "httpss://a/", "a:80"
    };

    (void) state;

    split("http://a/b?c", 80, "a", "/b?c");
    split("HTTPS://A:1", 443, "A:1", "");
    split("http://a?b/c", 80, "a", "?b/c");
    split("http://a#b", 80, "a", "#b");
    split("http://u@[::1]:8/", 80, "u@[::1]:8", "/");
    split("http://", 80, "", "");
    split("http:///a", 80, "", "/a");

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(dm_uri_split(str(none[i]), &uri), DM_DECLINED);
    }
}


static void
test_names(void **state)
{
    size_t    i;
    dm_uri_t  uri;

    static const struct {
        const char  *uri;
        const char  *host;
        const char  *path;
        int          names;
    } cases[] = {
        { "http://a/b?c", "a", "/b?c", 1 },
        { "http://A.Example/b", "a.eXAMPLE", "/b", 1 },

        /* the port of its scheme, and no other */
        { "http://a:80/", "a", "/", 1 },
        { "http://a/", "a:80", "/", 1 },
        { "http://a:/", "a", "/", 1 },
        { "http://a/", "a:", "/", 1 },
        { "https://a:443/", "a", "/", 1 },
        { "https://a/", "a:443", "/", 1 },
        { "http://a:00080/", "a:80", "/", 1 },
        { "http://a:8080/", "a:8080", "/", 1 },
        { "https://a:8443/", "a:8443", "/", 1 },
        { "http://a:443/", "a", "/", 0 },
        { "https://a:80/", "a", "/", 0 },
        { "http://a/", "a:443", "/", 0 },
        { "https://a/", "a:80", "/", 0 },
        { "http://a:8080/", "a", "/", 0 },
        { "http://a/", "a:8080", "/", 0 },
        { "http://a:8080/", "a:8081", "/", 0 },
        { "http://a:65535/", "a:65535", "/", 1 },
        { "http://a:65536/", "a:65536", "/", 0 },
        { "http://a:4294967376/", "a", "/", 0 },
        { "http://a:18446744073709551696/", "a", "/", 0 },
        { "http://a:0/", "a:0", "/", 0 },
        { "http://a:x/", "a:x", "/", 0 },
        { "http://a:8 0/", "a:80", "/", 0 },
        { "http://a:1:2/", "a:1:2", "/", 0 },

        /* addresses */
        { "http://[::1]/", "[::1]", "/", 1 },
        { "http://[FE80::A]:80/", "[fe80::a]", "/", 1 },
        { "http://[::1]:8080/", "[::1]:8080", "/", 1 },
        { "http://[::1]:8080/", "[::1]", "/", 0 },
        { "http://[::1]/", "[::2]", "/", 0 },
        { "http://[::1/", "[::1", "/", 0 },
        { "http://[::1]x:80/", "[::1]", "/", 0 },

        /* the path, whose first "/" may be missing */
        { "http://a", "a", "/", 1 },
        { "http://a/", "a", "", 1 },
        { "http://a?b", "a", "/?b", 1 },
        { "http://a/?b", "a", "?b", 1 },
        { "http://a?b", "a", "?b", 1 },
        { "http://a/", "a", "/?", 0 },
        { "http://a//", "a", "/", 0 },
        { "http://a//", "a", "//", 1 },
        { "http://a/b", "a", "/B", 0 },
        { "http://a/b", "a", "/b?", 0 },
        { "http://a/b", "a", "/bc", 0 },
        { "http://a/bc", "a", "/b", 0 },
        { "http://a/%62", "a", "/b", 0 },
        { "http://a/b#c", "a", "/b", 0 },
        { "http://a#c", "a", "/", 0 },
        { "http://a#c", "a", "#c", 0 },
        { "http://a", "a", "*", 0 },

        /* another host, or somebody's */
        { "http://a/", "b", "/", 0 },
        { "http://a/", "a.b", "/", 0 },
        { "http://a.b/", "a", "/", 0 },
        { "http://a/", "", "/", 0 },
        { "http:///", "", "/", 0 },
        { "http://:80/", ":80", "/", 0 },
        { "http://u@a/", "a", "/", 0 },
        { "http://u:p@a/", "a", "/", 0 },
        { "http://u@a/", "u@a", "/", 0 },
        { "http://@a/", "a", "/", 0 },
        { "http://a@/", "a", "/", 0 },
        { "http://a\\@b/", "b", "/", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(dm_uri_split(str(cases[i].uri), &uri), DM_OK);

        if (dm_uri_names(&uri, str(cases[i].host), str(cases[i].path))
            != cases[i].names)
        {
            fail_msg("%s, host %s, path %s: not %d", cases[i].uri,
                     cases[i].host, cases[i].path, cases[i].names);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_names)
    };

    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
