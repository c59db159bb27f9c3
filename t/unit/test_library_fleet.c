/* A fleet's keys, entries, rows and heads while OpenSSL fails */

#include "library_fails.h"

#include "dm_fleet_entry.h"
#include "dm_fleet_head.h"
#include "dm_fleet_position.h"
#include "dm_fleet_row.h"


static dm_keys_t           keys, public;
static dm_fleet_t         *fleet;
static dm_fleet_signer_t  *signer;
static dm_account_t        account;
static dm_str_t            packed;

static unsigned char  octets[DM_FLEET_ENTRY_MAX], room[DM_RECORD_MAX];

static const unsigned char  zero[DM_FLEET_HASH];


static dm_str_t
text(const char *s)
{
    return (dm_str_t) { (const unsigned char *) s, strlen(s) };
}


static int
set_up(void **state)
{
    size_t    len;
    dm_err_t  err;

    (void) state;

    keys.n = 1;
    strcpy(keys.key[0].id, "k1");

    signer = dm_fleet_signer_new(&keys.key[0]);
    public.n = 1;

    if (signer == NULL
        || dm_fleet_signer_public(signer, &public.key[0]) != DM_OK)
    {
        return -1;
    }

    fleet = dm_fleet_new(&keys, zero, &public, &err);

    account.id = text("IMEI:1");
    account.name = text("1");

    if (fleet == NULL || dm_fleet_use_root(fleet, zero, &err) != DM_OK
        || dm_account_pack(&account, room, &len, &err) != DM_OK)
    {
        return -1;
    }

    packed = (dm_str_t) { room, len };

    return 0;
}


static int
tear_down(void **state)
{
    (void) state;

    dm_fleet_free(fleet);
    dm_fleet_signer_free(signer);

    return 0;
}


/*
 * OpenSSL says of a failure within its own verification what it says of a wrong
 * signature: then it is enough that nothing is believed.
 */
static int
unbelieved(int rc)
{
    return rc == DM_INVALID ? DM_ERROR : rc;
}


/* whatever fails, err says so, and what was made is freed */
static int
job_keys(void)
{
    int          rc;
    dm_err_t     err;
    dm_fleet_t  *made;

    err.text[0] = '\0';
    made = dm_fleet_new(&keys, zero, &public, &err);

    rc = made == NULL ? DM_ERROR : dm_fleet_use_root(made, zero, &err);
    assert_true(rc == DM_OK || err.text[0] != '\0');

    dm_fleet_free(made);

    return rc;
}


static int
job_signer(void)
{
    dm_fleet_signer_t  *made;

    made = dm_fleet_signer_new(&keys.key[0]);
    dm_fleet_signer_free(made);

    return made == NULL ? DM_ERROR : DM_OK;
}


/* it is as it was where it cannot be added to */
static int
job_sum(void)
{
    int             rc;
    unsigned char   digest[DM_FLEET_HASH];
    dm_fleet_sum_t  sum;

    static const dm_fleet_sum_t  none;

    sum = none;
    rc = dm_fleet_add(fleet->adder, &sum, packed);

    if (rc != DM_OK) {
        assert_memory_equal(&sum, &none, sizeof(sum));
        return rc;
    }

    rc = dm_fleet_remove(fleet->adder, &sum, packed);

    if (rc == DM_OK) {
        assert_memory_equal(&sum, &none, sizeof(sum));
        rc = dm_fleet_sum_digest(&sum, digest);
    }

    return rc;
}


static int
job_entry(void)
{
    int                rc;
    size_t             len;
    dm_fleet_entry_t   entry;
    dm_fleet_place_t   start, place;

    static const unsigned char  changes[] =
        "\0\0\0\0\0\0\0\0\1a\1b\1c\0";      /* and one 0 more */

    rc = dm_fleet_start(fleet, &start);

    if (rc == DM_OK) {
        rc = dm_fleet_entry_write(fleet, signer, &start, zero,
                                  (dm_str_t) { changes, sizeof(changes) },
                                  octets, &len, &place, NULL);
    }

    if (rc == DM_OK) {
        rc = unbelieved(dm_fleet_entry_read(fleet, &start, octets, len,
                                            &entry, NULL));
    }

    return rc;
}


static int
job_row(void)
{
    int             rc;
    size_t          len;
    dm_account_t    found;
    dm_fleet_row_t  row;
    unsigned char   key[DM_FLEET_KEY];

    rc = dm_fleet_row_write(fleet, account.id, packed, 1, key, octets, &len,
                            NULL);

    if (rc == DM_OK) {
        rc = dm_fleet_row_read(fleet, (dm_str_t) { key, sizeof(key) }, octets,
                               len, &row, &found, NULL);
    }

    return rc;
}


static int
job_head(void)
{
    int              rc;
    size_t           len;
    dm_fleet_head_t  back;

    static const dm_fleet_head_t  head;

    rc = dm_fleet_head_write(fleet, signer, &head, octets, &len, NULL);

    if (rc == DM_OK) {
        rc = unbelieved(dm_fleet_head_read(fleet, octets, len, &back, NULL));
    }

    return rc;
}


static int
job_beat(void)
{
    int              rc;
    size_t           len;
    dm_fleet_beat_t  back;

    static const dm_fleet_beat_t  beat;

    rc = dm_fleet_beat_write(fleet, signer, &beat, octets, &len, NULL);

    if (rc == DM_OK) {
        rc = unbelieved(dm_fleet_beat_read(fleet, fleet->authority, octets,
                                           len, &back, NULL));
    }

    return rc;
}


static int
job_position(void)
{
    int                  rc;
    size_t               len;
    dm_fleet_position_t  back;

    static const dm_fleet_position_t  position;

    rc = dm_fleet_position_write(&position, fleet->rows, zero, octets, &len,
                                 NULL);

    if (rc == DM_OK) {
        rc = dm_fleet_position_read(&back, (dm_str_t) { octets, len },
                                    fleet->rows, zero, NULL);
    }

    return rc;
}


static void
test_each(void **state)
{
    size_t  i;

    int (*const job[])(void) = {
        job_keys, job_signer, job_sum, job_entry, job_row, job_head, job_beat,
        job_position
    };

    (void) state;

    for (i = 0; i < sizeof(job) / sizeof(job[0]); i++) {
        each_call_fails(job[i]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_each)
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
