/* Text within XML */

#include <stdio.h>
#include <string.h>

#include "dm.h"
#include "common/xml.h"


void
dm_xml_put(FILE *out, const char *text)
{
    int            is_text;
    size_t         i, n, len;
    dm_str_t       in;
    unsigned char  ch;

    len = strlen(text);
    in = (dm_str_t) { (const unsigned char *) text, len };
    is_text = dm_text_check(in, len, "", NULL) == DM_OK;

    for (i = 0; i < len; i += n) {
        ch = in.data[i];
        n = 1;

        if (is_text
            && dm_text_next(in.data + i, in.data + len, &n) != DM_TEXT_PLAIN)
        {
            (void) fprintf(out, "&#x%X;",
                           (unsigned) dm_text_code(in.data + i, n));
            continue;
        }

        switch (ch) {

        case '&':
            (void) fputs("&amp;", out);
            break;

        case '<':
            (void) fputs("&lt;", out);
            break;

        case '>':
            (void) fputs("&gt;", out);
            break;

        case '"':
            (void) fputs("&quot;", out);
            break;

        default:
            if (is_text || (ch >= 0x20 && ch < 0x7f)) {
                (void) fwrite(in.data + i, 1, n, out);

            } else {
                (void) putc('?', out);
            }
        }
    }
}
