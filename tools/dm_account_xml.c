/* Text within XML */

#include <stdio.h>
#include <string.h>

#include "dm.h"
#include "dm_account_xml.h"


void
dm_xml_put(const char *text)
{
    int            is_text;
    size_t         i, len;
    unsigned char  ch;

    len = strlen(text);
    is_text = dm_text_check((dm_str_t) { (const unsigned char *) text, len },
                            len, "", NULL)
              == DM_OK;

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
