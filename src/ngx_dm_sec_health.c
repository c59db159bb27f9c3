/* The health of this nginx, as its operator asks for it: is all well? */

#include "ngx_dm_sec_health.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_damage.h"
#include "ngx_dm_sec_dates.h"
#include "ngx_dm_sec_release.h"
#include "ngx_dm_sec_replica.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_usage.h"

#include "dm_fleet_state.h"


#define NGX_DM_SEC_HEALTH_FULL   90     /* percent of a table, a map, slots */
#define NGX_DM_SEC_HEALTH_DATES  16     /* that are told one by one */
#define NGX_DM_SEC_HEALTH_MINUTES  5

#define NGX_DM_SEC_HEALTH_DAY    (24 * 60 * 60)     /* s */
#define NGX_DM_SEC_HEALTH_CERT   (30 * NGX_DM_SEC_HEALTH_DAY)
#define NGX_DM_SEC_HEALTH_CRL    (6 * 60 * 60)


static ngx_int_t ngx_dm_sec_health_store(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_room(ngx_array_t *health,
    dm_store_stat_t *stat);
static ngx_int_t ngx_dm_sec_health_replica(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_dm_sec_state_e ngx_dm_sec_health_following(
    ngx_dm_sec_main_conf_t *dmcf, const dm_store_replica_t *replica);
static ngx_int_t ngx_dm_sec_health_digest(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_key(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_module(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_writer(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_zone(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_ours(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_int_t ngx_dm_sec_health_dates(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);
static ngx_dm_sec_state_e ngx_dm_sec_health_date_state(
    const ngx_dm_sec_span_t *span);
static ngx_int_t ngx_dm_sec_health_date(ngx_dm_sec_date_t *date,
    ngx_dm_sec_state_e state, ngx_array_t *health);
static u_char *ngx_dm_sec_health_when(u_char *p,
    const ngx_dm_sec_span_t *span);
static ngx_int_t ngx_dm_sec_health_more(const ngx_uint_t *more,
    ngx_array_t *health);
static ngx_dm_sec_health_t *ngx_dm_sec_health_add(ngx_array_t *health,
    char *part, ngx_dm_sec_state_e state, const char *fmt, ...);
static ngx_uint_t ngx_dm_sec_health_percent(uint64_t part, uint64_t whole);


ngx_int_t
ngx_dm_sec_health(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    if (dmcf->keys
        && (ngx_dm_sec_health_store(dmcf, health) != NGX_OK
            || ngx_dm_sec_health_replica(dmcf, health) != NGX_OK
            || ngx_dm_sec_health_digest(dmcf, health) != NGX_OK
            || ngx_dm_sec_health_key(dmcf, health) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_health_module(dmcf, health) != NGX_OK
        || ngx_dm_sec_health_writer(dmcf, health) != NGX_OK
        || ngx_dm_sec_health_zone(dmcf, health) != NGX_OK
        || ngx_dm_sec_health_ours(dmcf, health) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dm_sec_health_dates(dmcf, health);
}


static ngx_int_t
ngx_dm_sec_health_store(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    ngx_uint_t               lack;
    dm_store_stat_t          stat;
    ngx_dm_sec_health_t     *part;
    ngx_dm_sec_processes_t   now;

    if (ngx_dm_sec_damage_there(dmcf)) {
        part = ngx_dm_sec_health_add(health, "Store", NGX_DM_SEC_TROUBLE,
                                     "a worker died while it read %V, so no "
                                     "worker reads it: 503", &dmcf->store);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->todo = "Have it checked, or restore a backup:";
        part->command = "dm-account check";

        return NGX_OK;
    }

    ngx_dm_sec_processes(dmcf, &now);
    lack = now.processes - now.stores;

    if (ngx_dm_sec_store_stat(&stat) != NGX_OK) {
        lack = ngx_max(lack, 1);
    }

    if (lack) {
        part = ngx_dm_sec_health_add(health, "Store", NGX_DM_SEC_TROUBLE,
                                     "%ui of %ui workers do not have %V open: "
                                     "what needs it is answered 503 there",
                                     lack, ngx_max(lack, now.processes),
                                     &dmcf->store);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->todo = "The error log says why; this looks at the store itself:";
        part->command = "dm-account check";

        return NGX_OK;
    }

    return ngx_dm_sec_health_room(health, &stat);
}


/* tells of a store that is open, and whether it has room for more */
static ngx_int_t
ngx_dm_sec_health_room(ngx_array_t *health, dm_store_stat_t *stat)
{
    u_char               *p;
    u_char                changed[32];
    uint64_t              ago;
    ngx_dm_sec_health_t  *part;

    ago = stat->changed ? ngx_max(ngx_time() - stat->changed, 0) : 0;
    p = ngx_dm_sec_health_span(changed, ago);

    part = ngx_dm_sec_health_add(health, "Store", NGX_DM_SEC_WELL,
                                 "accounts: %uL, changed %*s ago, room in "
                                 "use: %ui %%, processes that read it: %uL",
                                 (uint64_t) stat->accounts,
                                 (size_t) (p - changed), changed,
                                 ngx_dm_sec_health_percent(stat->map_used,
                                                           stat->map_size),
                                 (uint64_t) stat->readers);
    if (part == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_health_percent(stat->map_used, stat->map_size)
        >= NGX_DM_SEC_HEALTH_FULL)
    {
        part->state = NGX_DM_SEC_ATTENTION;
        part->todo = "The next change doubles its room: has the disk as much "
                     "left?";
        part->command = "df -h";
    }

    if (ngx_dm_sec_health_percent(stat->readers, stat->readers_max)
        >= NGX_DM_SEC_HEALTH_FULL)
    {
        part->state = NGX_DM_SEC_ATTENTION;
        part->todo = "Hardly another process can open it: old workers of "
                     "reloads that still end their requests are seen by";
        part->command = "ps -C nginx -o pid,etime,args";
    }

    return NGX_OK;
}


/* tells how far a store is that follows a log, or should */
static ngx_int_t
ngx_dm_sec_health_replica(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    time_t                     age;
    u_char                    *p;
    u_char                     old[64];
    ngx_dm_sec_health_t       *part;
    ngx_dm_sec_store_state_t   state;

    ngx_dm_sec_store_state(dmcf, 1, &state);

    if (!state.follows && dmcf->replica_stale == 0) {
        return NGX_OK;
    }

    if (!state.follows) {
        part = ngx_dm_sec_health_add(health, "Replica", NGX_DM_SEC_TROUBLE,
                                     "the store follows no log, and "
                                     "dm_sec_replica_stale says that it "
                                     "should");

    } else {
        age = ngx_dm_sec_replica_age(&state.replica);

        p = age == (time_t) NGX_ERROR
            ? ngx_sprintf(old, "its age is not known")
            : ngx_sprintf(ngx_dm_sec_health_span(old, age), " old");

        part = ngx_dm_sec_health_add(health, "Replica",
                                     ngx_dm_sec_health_following(dmcf,
                                                              &state.replica),
                                     "%s, has entry %uL, %*s",
                                     dm_fleet_state_name(state.replica.state),
                                     state.replica.number,
                                     (size_t) (p - old), old);
    }

    if (part == NULL) {
        return NGX_ERROR;
    }

    part->todo = "What dm-replica does is told by";
    part->command = "systemctl status dm-replica";

    return NGX_OK;
}


static ngx_dm_sec_state_e
ngx_dm_sec_health_following(ngx_dm_sec_main_conf_t *dmcf,
    const dm_store_replica_t *replica)
{
    time_t  age;

    age = ngx_dm_sec_replica_age(replica);

    if (replica->state >= DM_FLEET_ROLLED_BACK
        || (dmcf->replica_stale
            && (age == (time_t) NGX_ERROR || age > dmcf->replica_stale)))
    {
        return NGX_DM_SEC_TROUBLE;
    }

    return replica->state == DM_FLEET_FOLLOWING ? NGX_DM_SEC_WELL
                                                : NGX_DM_SEC_ATTENTION;
}


/* tells of accounts that the default challenges do not suit, if there are */
static ngx_int_t
ngx_dm_sec_health_digest(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    uint64_t                   no_md5, no_sha256;
    ngx_dm_sec_health_t       *part;
    ngx_dm_sec_store_state_t   state;

    if (!dmcf->digest_told) {
        return NGX_OK;
    }

    ngx_dm_sec_store_state(dmcf, 1, &state);

    no_md5 = dm_store_lacking(&state.counts, DM_MD5);
    no_sha256 = dm_store_lacking(&state.counts, DM_SHA256);

    if (!state.counted || no_md5 == 0 || state.challenge != DM_CHALLENGE_ANY) {
        return NGX_OK;
    }

    part = ngx_dm_sec_health_add(health, "Digest", NGX_DM_SEC_ATTENTION,
                                 "active accounts without MD5: %uL, without "
                                 "SHA-256: %uL; a client that answers one "
                                 "challenge only may take the wrong one",
                                 no_md5, no_sha256);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->todo = "A password that is set anew has all hashes; these need one:";
    part->command = "dm-account list --lacks MD5";

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_health_key(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    ngx_dm_sec_health_t  *part;

    if (dmcf->keys->n == 1) {
        return ngx_dm_sec_health_add(health, "Key", NGX_DM_SEC_WELL,
                                     "%s", dmcf->keys->key[0].id)
               ? NGX_OK : NGX_ERROR;
    }

    part = ngx_dm_sec_health_add(health, "Key", NGX_DM_SEC_ATTENTION,
                                 "two keys, %s and %s: a rekey had begun, and "
                                 "was not finished, at the last reload",
                                 dmcf->keys->key[0].id, dmcf->keys->key[1].id);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->todo = "If it is not finished by now, go on with it "
                 "(docs/accounts.md, \"How do I replace the store's key?\"); "
                 "then reload:";
    part->command = "nginx -s reload";

    return NGX_OK;
}


/* the version that runs, which a new file on the disk does not change */
static ngx_int_t
ngx_dm_sec_health_module(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    ngx_dm_sec_file_e     file;
    ngx_dm_sec_health_t  *part;

    file = ngx_dm_sec_release_file();

    if (file == NGX_DM_SEC_FILE_SAME) {
        return ngx_dm_sec_health_add(health, "Module", NGX_DM_SEC_WELL,
                                     "version %s", DM_VERSION)
               ? NGX_OK : NGX_ERROR;
    }

    part = ngx_dm_sec_health_add(health, "Module", NGX_DM_SEC_ATTENTION,
                                 "version %s runs, and its file was %s since",
                                 DM_VERSION, file == NGX_DM_SEC_FILE_DELETED
                                             ? "deleted" : "replaced");
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->todo = "A reload does not load the file; this does:";
    part->command = "systemctl restart nginx";

    if (file == NGX_DM_SEC_FILE_DELETED) {
        part->todo = "nginx would not start without it: install it again, and "
                     "then do this:";
        part->command = "nginx -t && systemctl restart nginx";
    }

    return NGX_OK;
}


/* tells of a dm-account of another version, if one wrote the store */
static ngx_int_t
ngx_dm_sec_health_writer(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    int                        rc;
    ngx_dm_sec_health_t       *part;
    ngx_dm_sec_store_state_t   state;

    if (dmcf->keys == NULL) {
        return NGX_OK;
    }

    ngx_dm_sec_store_state(dmcf, 1, &state);

    rc = dm_version_compare(state.writer);

    if (rc == 0 || state.stat.map_size == 0) {
        return NGX_OK;
    }

    part = ngx_dm_sec_health_add(health, "Store", NGX_DM_SEC_ATTENTION,
                                 "last written by dm-account %s%s, and the "
                                 "module is %s",
                                 state.writer[0] ? "" : "of a version before ",
                                 state.writer[0] ? state.writer
                                                 : DM_VERSION_SIGNS,
                                 DM_VERSION);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->todo = rc < 0 ? "With the dm-account of this version, and no other "
                          "from then on:"
                        : "Install the module of that version, and then:";
    part->command = rc < 0 ? "dm-account upgrade" : "systemctl restart nginx";

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_health_zone(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    ngx_uint_t            i, percent[NGX_DM_SEC_TABLES];
    ngx_dm_sec_usage_t    usage[NGX_DM_SEC_TABLES];
    ngx_dm_sec_health_t  *part;

    ngx_dm_sec_usage(ngx_dm_sec_zone_shared(dmcf), usage);

    for (i = 0; i < NGX_DM_SEC_TABLES; i++) {
        percent[i] = ngx_dm_sec_health_percent(
                                     usage[i].value[NGX_DM_SEC_CELLS_USED],
                                     usage[i].value[NGX_DM_SEC_CELLS]);
    }

    part = ngx_dm_sec_health_add(health, "Zone", NGX_DM_SEC_WELL,
                                 "in use of the room for nonces %ui %%, for "
                                 "failures %ui %%, for passwords %ui %%",
                                 percent[NGX_DM_SEC_NONCES],
                                 percent[NGX_DM_SEC_FAILURES],
                                 percent[NGX_DM_SEC_PASSWORDS]);
    if (part == NULL) {
        return NGX_ERROR;
    }

    if (percent[NGX_DM_SEC_NONCES] >= NGX_DM_SEC_HEALTH_FULL
        || percent[NGX_DM_SEC_FAILURES] >= NGX_DM_SEC_HEALTH_FULL)
    {
        part->state = NGX_DM_SEC_ATTENTION;
        part->todo = "Give it more room, twice what it has:";
        part->command = "dm_sec_zone NAME:SIZE;";
    }

    return NGX_OK;
}


/* the refusals whose fault is ours */
static ngx_int_t
ngx_dm_sec_health_ours(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    uint64_t                    store, load, old;
    ngx_dm_sec_health_t        *part;
    ngx_dm_sec_recent_count_t  *count;

    count = ngx_dm_sec_zone_shared(dmcf)->recent->count;

    store = ngx_dm_sec_recent_sum(&count[NGX_DM_SEC_RECENT_DENIED
                                         + NGX_DM_SEC_R_STORE],
                                  NGX_DM_SEC_HEALTH_MINUTES)
            + ngx_dm_sec_recent_sum(&count[NGX_DM_SEC_RECENT_FAILED
                                           + NGX_DM_SEC_HS_PSK_STORE],
                                    NGX_DM_SEC_HEALTH_MINUTES);
    load = ngx_dm_sec_recent_sum(&count[NGX_DM_SEC_RECENT_DENIED
                                        + NGX_DM_SEC_R_OVERLOADED],
                                 NGX_DM_SEC_HEALTH_MINUTES);

    old = ngx_dm_sec_recent_sum(&count[NGX_DM_SEC_RECENT_DENIED
                                       + NGX_DM_SEC_R_REPLICA],
                                NGX_DM_SEC_HEALTH_MINUTES);

    if (store == 0 && load == 0 && old == 0) {
        return ngx_dm_sec_health_add(health, "Answers", NGX_DM_SEC_WELL,
                                     "nobody was refused by a fault of ours "
                                     "in the last %d min",
                                     NGX_DM_SEC_HEALTH_MINUTES)
               ? NGX_OK : NGX_ERROR;
    }

    part = ngx_dm_sec_health_add(health, "Answers", NGX_DM_SEC_TROUBLE,
                                 "refused in the last %d min by a fault of "
                                 "ours: %uL for the store, %uL for its age, "
                                 "%uL for too many slow hashes",
                                 NGX_DM_SEC_HEALTH_MINUTES, store, old, load);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->todo = store ? "The error log says why the store could not be had:"
                       : "Let more slow hashes be computed at once:";
    part->command = store ? "grep -a store_unavailable error.log"
                          : "dm_sec_hash_threads N queue=M;";

    if (store == 0 && old) {
        part->todo = "The store lags behind the fleet's log:";
        part->command = "systemctl status dm-replica";
    }

    return NGX_OK;
}


/* the worst one by one, of those the first to end; the others are counted */
static ngx_int_t
ngx_dm_sec_health_dates(ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *health)
{
    ngx_uint_t           i, told, more[NGX_DM_SEC_TROUBLE + 1];
    ngx_dm_sec_date_t   *date;
    ngx_dm_sec_state_e   state;

    told = 0;
    date = dmcf->dates.elts;

    ngx_memzero(more, sizeof(more));

    for (state = NGX_DM_SEC_TROUBLE + 1; state-- > NGX_DM_SEC_WELL; ) {

        for (i = 0; i < dmcf->dates.nelts; i++) {

            if (ngx_dm_sec_health_date_state(&date[i].span) != state) {
                continue;
            }

            if (told == NGX_DM_SEC_HEALTH_DATES) {
                more[state]++;
                continue;
            }

            if (ngx_dm_sec_health_date(&date[i], state, health) != NGX_OK) {
                return NGX_ERROR;
            }

            told++;
        }
    }

    return ngx_dm_sec_health_more(more, health);
}


static ngx_dm_sec_state_e
ngx_dm_sec_health_date_state(const ngx_dm_sec_span_t *span)
{
    time_t  before;

    if (ngx_dm_sec_dates_state(span) != NGX_DM_SEC_DATE_IN_FORCE) {
        return NGX_DM_SEC_TROUBLE;
    }

    before = (span->kind == NGX_DM_SEC_DATE_CRL) ? NGX_DM_SEC_HEALTH_CRL
                                                 : NGX_DM_SEC_HEALTH_CERT;

    return span->end - ngx_time() < before ? NGX_DM_SEC_ATTENTION
                                           : NGX_DM_SEC_WELL;
}


static ngx_int_t
ngx_dm_sec_health_date(ngx_dm_sec_date_t *date, ngx_dm_sec_state_e state,
    ngx_array_t *health)
{
    u_char               *p, *last;
    u_char                when[64];
    ngx_uint_t            i;
    ngx_dm_sec_health_t  *part;

    static char  *parts[NGX_DM_SEC_DATE_KINDS] = {
        "Certificate", "Intermediate CA", "Client CA", "CRL", "CRL"
    };

    static char  *todos[NGX_DM_SEC_DATE_KINDS] = {
        "Put a new one into its file, and reload:",
        "Put the new chain of its CA behind the certificate, and reload:",
        "Devices of this CA are refused when it is not in force; a new one of "
            "its goes into the file, and then reload:",
        "When it is not in force no certificate of its CA is accepted: fetch "
            "a new one, and reload:",
        "No certificate of that CA is accepted: put its CRL into the file of "
            "ssl_crl too, and reload:"
    };

    p = ngx_dm_sec_health_when(when, &date->span);

    part = ngx_dm_sec_health_add(health, parts[date->span.kind], state,
                                 "%*s: %V, of server ", (size_t) (p - when),
                                 when, &date->name);
    if (part == NULL) {
        return NGX_ERROR;
    }

    p = part->text + part->len;
    last = part->text + NGX_DM_SEC_HEALTH_TEXT;

    for (i = 0; i < date->nservers && i < NGX_DM_SEC_DATE_SERVERS; i++) {
        p = ngx_slprintf(p, last, "%s%V", i ? ", " : "", &date->servers[i]);
    }

    if (date->nservers > i) {
        p = ngx_slprintf(p, last, " and %ui more", date->nservers - i);
    }

    part->len = p - part->text;

    if (state != NGX_DM_SEC_WELL) {
        part->todo = todos[date->span.kind];
        part->command = "nginx -s reload";
    }

    return NGX_OK;
}


/* writes "ends in 12 days, 2030-01-31", into 64 octets; returns its end */
static u_char *
ngx_dm_sec_health_when(u_char *p, const ngx_dm_sec_span_t *span)
{
    time_t                    time, left;
    ngx_tm_t                  tm;
    ngx_dm_sec_date_state_e   state;

    state = ngx_dm_sec_dates_state(span);

    if (state == NGX_DM_SEC_DATE_MISSING) {
        return ngx_sprintf(p, "there is none");
    }

    time = (state == NGX_DM_SEC_DATE_EARLY) ? span->begin : span->end;

    if (time == NGX_DM_SEC_DATE_NEVER) {
        return ngx_sprintf(p, "has no end");
    }

    left = time - ngx_time();

    p = ngx_sprintf(p, "%s", state == NGX_DM_SEC_DATE_OVER ? "ended "
                             : state == NGX_DM_SEC_DATE_EARLY ? "begins in "
                             : "ends in ");
    p = ngx_dm_sec_health_span(p, left < 0 ? -left : left);

    ngx_gmtime(time, &tm);

    return ngx_sprintf(p, "%s, %04d-%02d-%02d",
                       state == NGX_DM_SEC_DATE_OVER ? " ago" : "",
                       tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday);
}


/* as many as have no row, by their states, in a row that is as the worst */
static ngx_int_t
ngx_dm_sec_health_more(const ngx_uint_t *more, ngx_array_t *health)
{
    ngx_uint_t            all;
    ngx_dm_sec_health_t  *part;

    all = more[NGX_DM_SEC_TROUBLE] + more[NGX_DM_SEC_ATTENTION]
          + more[NGX_DM_SEC_WELL];

    if (all == 0) {
        return NGX_OK;
    }

    part = ngx_dm_sec_health_add(health, "Dates", NGX_DM_SEC_WELL,
                                 "%ui more certificates and CRLs: %ui refused "
                                 "now, %ui end soon, %ui end later", all,
                                 more[NGX_DM_SEC_TROUBLE],
                                 more[NGX_DM_SEC_ATTENTION],
                                 more[NGX_DM_SEC_WELL]);
    if (part == NULL) {
        return NGX_ERROR;
    }

    if (all > more[NGX_DM_SEC_WELL]) {
        part->state = more[NGX_DM_SEC_TROUBLE] ? NGX_DM_SEC_TROUBLE
                                               : NGX_DM_SEC_ATTENTION;
        part->todo = "As of those above; this says which are refused:";
        part->command = "nginx -t";
    }

    return NGX_OK;
}


static ngx_dm_sec_health_t *
ngx_dm_sec_health_add(ngx_array_t *health, char *name,
    ngx_dm_sec_state_e state, const char *fmt, ...)
{
    va_list               args;
    ngx_dm_sec_health_t  *part;

    part = ngx_array_push(health);
    if (part == NULL) {
        return NULL;
    }

    part->part = name;
    part->state = state;
    part->todo = NULL;
    part->command = NULL;

    va_start(args, fmt);
    part->len = ngx_vslprintf(part->text, part->text + NGX_DM_SEC_HEALTH_TEXT,
                              fmt, args)
                - part->text;
    va_end(args);

    return part;
}


static ngx_uint_t
ngx_dm_sec_health_percent(uint64_t part, uint64_t whole)
{
    return whole ? part * 100 / whole : 0;
}


u_char *
ngx_dm_sec_health_span(u_char *p, uint64_t seconds)
{
    if (seconds < 2 * 60) {
        return ngx_sprintf(p, "%uL s", seconds);
    }

    if (seconds < 2 * 60 * 60) {
        return ngx_sprintf(p, "%uL min", seconds / 60);
    }

    if (seconds < 2 * NGX_DM_SEC_HEALTH_DAY) {
        return ngx_sprintf(p, "%uL hours", seconds / (60 * 60));
    }

    return ngx_sprintf(p, "%uL days", seconds / NGX_DM_SEC_HEALTH_DAY);
}
