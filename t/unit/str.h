/* Strings of C as dm_str_t, for all unit tests */

#ifndef STR_H
#define STR_H


#include <string.h>

#include "dm.h"


static inline dm_str_t
str(const char *s)
{
    return (dm_str_t) { (const unsigned char *) s, strlen(s) };
}


static inline int
same(dm_str_t a, const char *b)
{
    return dm_str_eq(a, str(b));
}


#endif /* STR_H */
