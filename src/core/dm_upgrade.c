/* The upgrade to TLS within HTTP, RFC 2817: what a client asks for */

#include <string.h>

#include "dm_upgrade.h"


static int dm_upgrade_next(dm_str_t *list, dm_str_t *element);
static unsigned dm_upgrade_version(dm_str_t protocol);


void
dm_upgrade_read(dm_upgrade_t *upgrade, dm_str_t value, unsigned versions)
{
    unsigned  version;
    dm_str_t  protocol;

    while (dm_upgrade_next(&value, &protocol)) {
        version = dm_upgrade_version(protocol);

        if (version == 0) {
            continue;
        }

        if (upgrade->version == 0
            || (!(upgrade->version & versions) && (version & versions)))
        {
            upgrade->token = protocol;
            upgrade->version = version;
        }
    }
}


int
dm_upgrade_connection(dm_str_t value)
{
    dm_str_t  option;

    while (dm_upgrade_next(&value, &option)) {
        if (dm_str_ieq(option, dm_str("upgrade"))) {
            return 1;
        }
    }

    return 0;
}


int
dm_upgrade_star(const unsigned char *p, size_t len)
{
    size_t  n;

    static const unsigned char  line[] = "OPTIONS * HTTP/1.1";

    n = sizeof(line) - 1;

    if (memcmp(p, line, len < n ? len : n) != 0) {
        return 0;
    }

    if (len <= n) {
        return -1;
    }

    return p[n] == '\r' || p[n] == '\n';
}


/*
 * The next element of a list (RFC 9110, section 5.6.1), without the white
 * space around it; empty ones are passed over.  1, or 0 at the end.
 */
static int
dm_upgrade_next(dm_str_t *list, dm_str_t *element)
{
    const unsigned char  *p, *end, *last;

    p = list->data;
    last = p + list->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
        p++;
    }

    if (p == last) {
        return 0;
    }

    element->data = p;

    /* its end is behind the last octet that is no white space */

    for (end = p; p < last && *p != ','; p++) {
        if (*p != ' ' && *p != '\t') {
            end = p + 1;
        }
    }

    element->len = (size_t) (end - element->data);

    list->data = p;
    list->len = (size_t) (last - p);

    return 1;
}


/* protocol names are compared without case, RFC 9110, section 7.8 */
static unsigned
dm_upgrade_version(dm_str_t protocol)
{
    size_t  i;

    static const struct {
        const char  *name;
        unsigned     version;
    } known[] = {
        { "TLS/1.0", DM_TLSV1 },
        { "TLS/1.1", DM_TLSV1_1 },
        { "TLS/1.2", DM_TLSV1_2 },
        { "TLS/1.3", DM_TLSV1_3 }
    };

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (dm_str_ieq(protocol,
                       (dm_str_t) { (const unsigned char *) known[i].name,
                                    strlen(known[i].name) }))
        {
            return known[i].version;
        }
    }

    return 0;
}
