/* Text within XML */

#ifndef DM_COMMON_XML_H
#define DM_COMMON_XML_H

#include <stdio.h>


/*
 * Writes text to out as it stands between tags or in quotes.  Where it
 * is no text of dm_text_check(), as what a stranger said may be, each octet
 * that is not printable ASCII is a "?"; what is DM_TEXT_MISLEADING is a
 * reference.
 */
void dm_xml_put(FILE *out, const char *text);


#endif /* DM_COMMON_XML_H */
