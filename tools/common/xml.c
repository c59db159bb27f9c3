/* Text within XML */

#include <stdio.h>
#include <string.h>

#include "dm.h"
#include "common/xml.h"


void
dm_xml_put(const char *text)
{
    int            is_text;
    size_t         i, len;
    dm_str_t       in;
    unsigned char  ch;

    len = strlen(text);
    in = (dm_str_t) { (const unsigned char *) text, len };
    is_text = dm_text_check(in, len, "", NULL) == DM_OK
              && dm_text_check_shown(in, "", NULL) == DM_OK;

    for (i = 0; i < len; i++) {
        ch = (unsigned char) text[i];

        switch (ch) {

        case '&':
            (void) fputs("&amp;", stdout);
            break;

        case '<':
            (void) fputs("&lt;", stdout);
            break;

        case '>':
            (void) fputs("&gt;", stdout);
            break;

        case '"':
            (void) fputs("&quot;", stdout);
            break;

        default:
            (void) putchar(is_text || (ch >= 0x20 && ch < 0x7f) ? ch : '?');
        }
    }
}
