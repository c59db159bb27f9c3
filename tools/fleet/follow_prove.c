/* Head and beat: proven, and compared with the store's position */

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#include "fleet/follow_internal.h"


static int dm_follow_judge(dm_follow_t *follow,
    const dm_fleet_position_t *position, dm_engine_head_t *octets,
    dm_err_t *err);
static int dm_follow_verify(dm_follow_t *follow, dm_engine_head_t *octets,
    dm_fleet_head_t *head, dm_err_t *err);
static int dm_follow_compare(dm_follow_t *follow,
    const dm_fleet_position_t *position, dm_err_t *err);
static int dm_follow_beats(dm_follow_t *follow,
    const dm_fleet_position_t *position, dm_engine_head_t *octets,
    dm_err_t *err);
static void dm_follow_beat_judge(dm_follow_t *follow,
    const dm_fleet_position_t *position, const dm_fleet_beat_t *beat);


int
dm_follow_prove(dm_follow_t *follow, dm_engine_head_t *octets, dm_err_t *err)
{
    int                  rc;
    dm_fleet_position_t  position;

    if (dm_follow_position(follow, &position, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_follow_judge(follow, &position, octets, err);

    OPENSSL_cleanse(&position, sizeof(position));

    return rc;
}


int
dm_follow_look(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err)
{
    int                  rc;
    dm_engine_head_t     octets;
    dm_fleet_position_t  position;

    /* the position first: a writer here may go on while the head comes */

    if (dm_follow_position(follow, &position, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_engine_head(engine, &octets, err);

    if (rc == DM_OK) {
        rc = dm_follow_judge(follow, &position, &octets, err);

    } else {
        follow->state = DM_FLEET_DISCONNECTED;
        rc = DM_ERROR;
    }

    OPENSSL_cleanse(&position, sizeof(position));

    return rc;
}


static int
dm_follow_judge(dm_follow_t *follow, const dm_fleet_position_t *position,
    dm_engine_head_t *octets, dm_err_t *err)
{
    int              rc;
    dm_fleet_head_t  head;

    follow->has_beat = 0;
    follow->beat_wrong.text[0] = '\0';
    follow->beat_len = octets->beat_len;
    memcpy(follow->beat_octets, octets->beat, octets->beat_len);

    rc = dm_follow_verify(follow, octets, &head, err);

    if (rc == DM_OK && CRYPTO_memcmp(head.root, position->root, DM_FLEET_ROOT)
                       != 0)
    {
        dm_err_set(err, "the head has another root than this store: somebody "
                   "has published the store anew; bootstrap this node");
        rc = dm_follow_wrong(follow, DM_FLEET_FORKED);
    }

    if (rc == DM_OK) {
        follow->head = head;
        rc = dm_follow_compare(follow, position, err);
    }

    OPENSSL_cleanse(&head, sizeof(head));

    return rc == DM_OK ? dm_follow_beats(follow, position, octets, err) : rc;
}


static int
dm_follow_verify(dm_follow_t *follow, dm_engine_head_t *octets,
    dm_fleet_head_t *head, dm_err_t *err)
{
    int  rc;

    if (octets->head_len == 0) {
        dm_err_set(err, "the engine has no head any more: nothing is published "
                   "there, or it was taken away");
        return dm_follow_wrong(follow, DM_FLEET_ROLLED_BACK);
    }

    rc = dm_fleet_head_read(follow->fleet, octets->head, octets->head_len,
                            head, err);

    return rc == DM_INVALID ? dm_follow_wrong(follow, DM_FLEET_BAD_ENTRY) : rc;
}


static int
dm_follow_compare(dm_follow_t *follow, const dm_fleet_position_t *position,
    dm_err_t *err)
{
    const dm_fleet_head_t  *head;

    head = &follow->head;

    if (head->place.number < position->place.number) {
        dm_err_set(err, "the engine's head is entry %llu, and this store is at "
                   "%llu: the engine has lost %llu entries; nothing is taken "
                   "back here",
                   (unsigned long long) head->place.number,
                   (unsigned long long) position->place.number,
                   (unsigned long long) (position->place.number
                                         - head->place.number));
        return dm_follow_wrong(follow, DM_FLEET_ROLLED_BACK);
    }

    if (head->place.number == position->place.number) {
        return dm_follow_here(follow, position, err);
    }

    follow->state = DM_FLEET_CATCHING_UP;

    return DM_OK;
}


int
dm_follow_here(dm_follow_t *follow, const dm_fleet_position_t *position,
    dm_err_t *err)
{
    unsigned char           digest[DM_FLEET_HASH];
    const dm_fleet_head_t  *head;

    head = &follow->head;

    if (!dm_fleet_same_place(&head->place, &position->place)) {
        dm_err_set(err, "entry %llu of the engine's head is another one than "
                   "the entry %llu that is here: the log was forked",
                   (unsigned long long) head->place.number,
                   (unsigned long long) position->place.number);
        return dm_follow_wrong(follow, DM_FLEET_FORKED);
    }

    if (dm_fleet_sum_digest(&position->sum, digest) != DM_OK) {
        dm_err_set(err, "the accounts cannot be summed: OpenSSL failed");
        return DM_ERROR;
    }

    if (head->accounts != position->accounts
        || memcmp(head->digest, digest, DM_FLEET_HASH) != 0)
    {
        dm_err_set(err, "at entry %llu this store's accounts are not those of "
                   "the head", (unsigned long long) head->place.number);
        return dm_follow_wrong(follow, DM_FLEET_BAD_ENTRY);
    }

    follow->state = DM_FLEET_FOLLOWING;

    return DM_OK;
}


/*
 * A beat that is wrong is not believed, which is told by itself: entries, which
 * the authority has signed, are good without it.
 */
static int
dm_follow_beats(dm_follow_t *follow, const dm_fleet_position_t *position,
    dm_engine_head_t *octets, dm_err_t *err)
{
    int              rc;
    unsigned         i;
    dm_keys_t        keys;
    dm_fleet_beat_t  beat;

    if (octets->beat_len == 0) {
        return DM_OK;
    }

    keys = follow->authority;

    for (i = 0; i < keys.n; i++) {
        memcpy(keys.key[i].key, follow->head.beats, DM_FLEET_PUBLIC);
    }

    dm_fleet_verifier_free(follow->beats);
    follow->beats = dm_fleet_verifier_new(&keys);

    if (follow->beats == NULL) {
        dm_err_set(&follow->beat_wrong, "the head names no key that beats "
                   "could be signed with");
        follow->beat_state = DM_FLEET_BAD_ENTRY;
        return DM_OK;
    }

    rc = dm_fleet_beat_read(follow->fleet, follow->beats, octets->beat,
                            octets->beat_len, &beat, err);

    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    if (rc != DM_OK) {
        follow->beat_wrong = *err;
        follow->beat_state = DM_FLEET_BAD_ENTRY;
        return DM_OK;
    }

    dm_follow_beat_judge(follow, position, &beat);

    return DM_OK;
}


static void
dm_follow_beat_judge(dm_follow_t *follow, const dm_fleet_position_t *position,
    const dm_fleet_beat_t *beat)
{
    int64_t   latest;
    dm_err_t  *wrong;

    wrong = &follow->beat_wrong;
    latest = (int64_t) time(NULL) + DM_FOLLOW_AHEAD;

    if (beat->place.number > follow->head.place.number) {
        dm_err_set(wrong, "the beat is of entry %llu, and the engine's head is "
                   "%llu: the engine has lost entries",
                   (unsigned long long) beat->place.number,
                   (unsigned long long) follow->head.place.number);
        follow->beat_state = DM_FLEET_ROLLED_BACK;
        return;
    }

    if ((beat->place.number == follow->head.place.number
         && !dm_fleet_same_place(&beat->place, &follow->head.place))
        || (beat->place.number == position->place.number
            && !dm_fleet_same_place(&beat->place, &position->place)))
    {
        dm_err_set(wrong, "the beat is of another entry %llu than the log has: "
                   "it was forked", (unsigned long long) beat->place.number);
        follow->beat_state = DM_FLEET_FORKED;
        return;
    }

    if (beat->time > latest) {
        dm_err_set(wrong, "the beat's time is %lld s ahead of this machine's "
                   "clock: set the clocks, here and where beats are written",
                   (long long) beat->time - (long long) latest
                   + DM_FOLLOW_AHEAD);
        follow->beat_state = DM_FLEET_FOLLOWING;
        return;
    }

    /* one that was written by a clock that was ahead is no measure */

    if (position->beaten <= latest
        && (beat->time < position->beaten
            || beat->place.number < position->beat))
    {
        dm_err_set(wrong, "the beat is %lld s older than one that was here: "
                   "the engine was put back",
                   (long long) position->beaten - (long long) beat->time);
        follow->beat_state = DM_FLEET_ROLLED_BACK;
        return;
    }

    follow->beat = *beat;
    follow->has_beat = 1;
}


const dm_fleet_beat_t *
dm_follow_beat_new(const dm_follow_t *follow,
    const dm_fleet_position_t *position)
{
    int64_t  latest;

    latest = (int64_t) time(NULL) + DM_FOLLOW_AHEAD;

    if (!follow->has_beat
        || follow->beat.place.number > position->place.number
        || (follow->beat.time <= position->beaten
            && position->beaten <= latest))
    {
        return NULL;
    }

    return &follow->beat;
}


int
dm_follow_sign_beat(dm_follow_t *follow, dm_engine_t *engine,
    dm_fleet_signer_t *signer, int64_t now, dm_err_t *err)
{
    int              rc;
    size_t           len;
    dm_key_t         public;
    dm_fleet_beat_t  beat;
    unsigned char    octets[DM_FLEET_BEAT_MAX];

    if (dm_fleet_signer_public(signer, &public) != DM_OK) {
        dm_err_set(err, "the key of beats cannot be used: OpenSSL failed");
        return DM_ERROR;
    }

    if (memcmp(public.key, follow->head.beats, DM_FLEET_PUBLIC) != 0) {
        dm_err_set(err, "the key of beats is not the one that the head names: "
                   "take the file that \"dm-account replicate init\" has made "
                   "beside the authority's");
        return DM_INVALID;
    }

    beat.place = follow->head.place;
    beat.time = now;

    if (dm_fleet_beat_write(follow->fleet, signer, &beat, octets, &len, err)
        != DM_OK)
    {
        return DM_ERROR;
    }

    rc = dm_engine_beat(engine, (dm_str_t) { follow->beat_octets,
                                             follow->beat_len },
                        (dm_str_t) { octets, len }, err);

    if (rc != DM_OK && rc != DM_EXISTS && rc != DM_INVALID) {
        follow->state = DM_FLEET_DISCONNECTED;
        return DM_ERROR;
    }

    return rc;
}
