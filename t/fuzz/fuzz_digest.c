/* dm_digest_parse: Authorization: Digest */

#include "dm_digest_parse.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  rc;
    dm_err_t             err;
    unsigned char       *buf;
    dm_digest_answer_t   answer;

    /* no larger than promised */

    buf = malloc(size ? size : 1);
    fuzz_must(buf != NULL);

    rc = dm_digest_parse(&answer, (dm_str_t) { data, size }, buf, &err);

    if (rc == DM_OK) {
        fuzz_inside(answer.realm, buf, size);
        fuzz_inside(answer.nonce, buf, size);
        fuzz_inside(answer.uri, buf, size);
        fuzz_inside(answer.cnonce, buf, size);

        fuzz_must(answer.name.len <= DM_DIGEST_NAME_MAX);
        fuzz_must(answer.nonce.len <= DM_DIGEST_NONCE_MAX);
        fuzz_must(answer.nonce.len != 0 && answer.name.len != 0);
        fuzz_must(answer.nc_text.len >= 1 && answer.nc_text.len <= 8);
        fuzz_must(answer.nc >> 28 == 0 || answer.nc_text.len == 8);
    }

    free(buf);

    return 0;
}
