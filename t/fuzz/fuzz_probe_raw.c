/* dm_raw_read: what a server says to a ClientHello, as it comes in */

#include "probe/raw.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            len;
    unsigned char    *copy;
    dm_raw_answer_t   answer, more;

    memset(&answer, 0, sizeof(dm_raw_answer_t));

    /* from an allocation of exactly that size; what is decided stays so */

    for (len = 0; len <= size && len <= DM_RAW_ANSWER_MAX; len++) {
        copy = malloc(len ? len : 1);
        fuzz_must(copy != NULL);

        if (len) {
            memcpy(copy, data, len);
        }

        dm_raw_read(&more, copy, len);
        free(copy);

        fuzz_must(answer.kind == DM_RAW_MORE || answer.kind == more.kind);
        fuzz_must(more.kind != DM_RAW_HELLO
                  || (more.version <= 0xffff && more.suite <= 0xffff));

        answer = more;
    }

    return 0;
}
