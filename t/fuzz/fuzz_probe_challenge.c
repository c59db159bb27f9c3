/* dm_challenge_next: the challenges of a WWW-Authenticate header */

#include "probe/challenge.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char            *value;
    const char      *p, *before;
    dm_challenge_t   challenge;

    value = malloc(size + 1);
    fuzz_must(value != NULL);

    if (size) {
        memcpy(value, data, size);
    }

    value[size] = '\0';
    p = value;

    for ( ;; ) {
        before = p;

        if (dm_challenge_next(&p, &challenge) != DM_OK) {
            break;
        }

        /* or it would be read for ever */
        fuzz_must(p > before && p <= value + strlen(value));

        fuzz_must(memchr(challenge.realm, '\0', DM_CHALLENGE_MAX) != NULL);
        fuzz_must(memchr(challenge.nonce, '\0', DM_CHALLENGE_MAX) != NULL);
        fuzz_must(memchr(challenge.opaque, '\0', DM_CHALLENGE_MAX) != NULL);

        (void) dm_challenge_lists(challenge.qop, "auth");
    }

    free(value);

    return 0;
}
