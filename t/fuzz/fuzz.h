/*
 * What the fuzzers share.  Each calls one parser of octets that others wrote,
 * and aborts where what it says of them cannot be true; libFuzzer and the
 * sanitizers find the rest.
 */

#ifndef FUZZ_H
#define FUZZ_H


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dm.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static inline void
fuzz_must(int truth)
{
    if (!truth) {
        abort();
    }
}


/* that it lies within what it was parsed from */
static inline void
fuzz_inside(dm_str_t part, const unsigned char *data, size_t size)
{
    fuzz_must(part.len == 0
              || (part.data >= data && part.data + part.len <= data + size));
}


#endif /* FUZZ_H */
