/* Text within XML */

#define _GNU_SOURCE

#include "io_fixture.h"

#include "common/xml.h"


static void
put(const char *text, const char *want)
{
    capture(stdout);
    dm_xml_put(stdout, text);
    assert_string_equal(captured(stdout), want);
}


static void
test_text(void **state)
{
    (void) state;

    put("", "");
    put("plain 'text' ~", "plain 'text' ~");
    put("<a b=\"&amp;\">]]>",
        "&lt;a b=&quot;&amp;amp;&quot;&gt;]]&gt;");
    put("d\xc3\xa9v \xe2\x82\xac \xf0\x9f\x98\x80",
        "d\xc3\xa9v \xe2\x82\xac \xf0\x9f\x98\x80");
}


/* one such character, and only ASCII is sure to be what it looks like */
static void
test_strange(void **state)
{
    (void) state;

    put("a\x1b[2Jb\n\t\x7f<", "a?[2Jb???&lt;");
    put("\xc3\xa9\x01", "???");
    put("d\xc3\xa9v\xff&", "d??v?&amp;");
    put("\xe2\x82", "??");
    put("\xc3\xa9\xc2\x85 ~", "???? ~");
    put("d\xc3\xa9v\xe2\x80\x8e" "x\xe2\x80", "d??v???x??");
    put("d\xc3\xa9v\xe2\x80\x8e" "x", "d\xc3\xa9v&#x200E;x");
    put("\xd8\x9c\xc2\xa0", "&#x61C;&#xA0;");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_strange)
    };

    return cmocka_run_group_tests_name("common_xml", tests, NULL, NULL);
}
