/*
 * A cursor over the octets of a record: little-endian integers, and strings
 * with their length in front.  Whatever does not fit sets bad and reads as
 * zero or empty from then on, so that a record is gone through without a
 * branch at each field, and bad is asked where a value would steer a loop and
 * at the end.
 */

#ifndef DM_WIRE_H
#define DM_WIRE_H


#include <string.h>

#include "dm.h"


typedef struct {
    unsigned char  *pos;
    unsigned char  *last;           /* the first octet behind it */
    unsigned        bad;
} dm_wire_t;


static inline void
dm_wire_init(dm_wire_t *w, unsigned char *data, size_t len)
{
    w->pos = data;
    w->last = data + len;
    w->bad = 0;
}


/* the next n octets, to read or to write; NULL if there are not as many */
static inline unsigned char *
dm_wire_take(dm_wire_t *w, size_t n)
{
    unsigned char  *p;

    if (w->bad || (size_t) (w->last - w->pos) < n) {
        w->bad = 1;
        return NULL;
    }

    p = w->pos;
    w->pos += n;

    return p;
}


/* n is 1 to 8 */
static inline uint64_t
dm_wire_get(dm_wire_t *w, size_t n)
{
    uint64_t        value;
    unsigned char  *p;

    value = 0;
    p = dm_wire_take(w, n);

    while (p != NULL && n > 0) {
        n--;
        value = value << 8 | p[n];
    }

    return value;
}


/* an octet that is at most max */
static inline unsigned
dm_wire_get_max(dm_wire_t *w, unsigned max)
{
    unsigned  value;

    value = (unsigned) dm_wire_get(w, 1);

    if (value > max) {
        w->bad = 1;
        return 0;
    }

    return value;
}


/* n: the octets of the length */
static inline dm_str_t
dm_wire_get_str(dm_wire_t *w, size_t n)
{
    dm_str_t  taken;

    taken.len = (size_t) dm_wire_get(w, n);
    taken.data = dm_wire_take(w, taken.len);

    if (taken.data == NULL) {
        taken.len = 0;
    }

    return taken;
}


static inline void
dm_wire_put(dm_wire_t *w, size_t n, uint64_t value)
{
    size_t          i;
    unsigned char  *p;

    p = dm_wire_take(w, n);

    for (i = 0; p != NULL && i < n; i++) {
        p[i] = (unsigned char) (value >> (8 * i));
    }
}


static inline void
dm_wire_put_octets(dm_wire_t *w, const unsigned char *data, size_t len)
{
    unsigned char  *p;

    p = dm_wire_take(w, len);

    if (p != NULL && len > 0) {
        memcpy(p, data, len);
    }
}


static inline void
dm_wire_put_str(dm_wire_t *w, size_t n, dm_str_t str)
{
    dm_wire_put(w, n, str.len);
    dm_wire_put_octets(w, str.data, str.len);
}


#endif /* DM_WIRE_H */
