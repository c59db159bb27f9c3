/* Text within XML */

#ifndef DM_COMMON_XML_H
#define DM_COMMON_XML_H


/*
 * Writes text to stdout as it stands between tags or in quotes.  Where it
 * is not all DM_TEXT_PLAIN, as what a stranger said may be, each octet that is
 * not printable ASCII is a "?".
 */
void dm_xml_put(const char *text);


#endif /* DM_COMMON_XML_H */
