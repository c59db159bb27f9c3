/* dm_digest_parse: Authorization: Digest */

#include "dm_digest_params.h"
#include "dm_digest_parse.h"
#include "dm_scheme.h"
#include "fuzz.h"


static void compare(dm_str_t value);


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

    if (dm_scheme_match((dm_str_t) { data, size }, dm_str("Digest"), NULL)
        == DM_OK)
    {
        compare((dm_str_t) { data, size });
    }

    return 0;
}


/* the short cut for the usual form finds what the steps find */
static void
compare(dm_str_t value)
{
    int                  rc;
    unsigned             i;
    dm_err_t             err[2];
    unsigned char       *buf[2];
    dm_digest_params_t   params[2];

    for (i = 0; i < 2; i++) {
        buf[i] = malloc(value.len ? value.len : 1);
        fuzz_must(buf[i] != NULL);
        err[i].text[0] = '\0';
    }

    rc = dm_digest_params_read(&params[0], value, buf[0], &err[0]);

    fuzz_must(dm_digest_params_steps(&params[1], value, buf[1], &err[1])
              == rc);
    fuzz_must(strcmp(err[0].text, err[1].text) == 0);
    fuzz_must(params[0].twice == params[1].twice);
    fuzz_must(params[0].useless == params[1].useless);

    for (i = 0; i < DM_P_MAX; i++) {
        fuzz_must(params[0].seen[i] == params[1].seen[i]);
        fuzz_must(dm_str_eq(params[0].value[i], params[1].value[i]));
        fuzz_inside(params[0].value[i], buf[0], value.len);
    }

    free(buf[0]);
    free(buf[1]);
}
