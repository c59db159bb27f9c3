/*
 * Shared by all parts of the module: the configuration, the state of a
 * request, and the reasons for which one is refused.
 */

#ifndef NGX_DM_SEC_H
#define NGX_DM_SEC_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "dm.h"
#include "dm_account.h"
#include "dm_store.h"
#include "dm_store_count.h"
#include "dm_suite.h"


/*
 * Authentication methods, as bits: those that TLS has a part in.  The bits of
 * the others are in their headers; ngx_dm_sec_method.c has a row for each.
 */
#define NGX_DM_SEC_PSK      0x04
#define NGX_DM_SEC_X509     0x08

#define NGX_DM_SEC_METHODS  4       /* bits that there is room for */


/* qop of Digest, as bits */
#define NGX_DM_SEC_QOP_AUTH      0x01
#define NGX_DM_SEC_QOP_AUTH_INT  0x02

#define NGX_DM_SEC_QOPS  (NGX_DM_SEC_QOP_AUTH|NGX_DM_SEC_QOP_AUTH_INT)

/* parameters of a challenge that not every client knows */
#define NGX_DM_SEC_CHALLENGE_CHARSET   0x02
#define NGX_DM_SEC_CHALLENGE_USERHASH  0x04
#define NGX_DM_SEC_CHALLENGE_PLAIN     0x08     /* none of them */


typedef enum {
    NGX_DM_SEC_DEVID_OFF = 0,
    NGX_DM_SEC_DEVID_MATCH,
    NGX_DM_SEC_DEVID_REQUIRE
} ngx_dm_sec_devid_e;


typedef enum {
    NGX_DM_SEC_HEADERS_OFF = 0,     /* scrubbed, not set */
    NGX_DM_SEC_HEADERS_ON,          /* scrubbed and set */
    NGX_DM_SEC_HEADERS_PASS         /* neither */
} ngx_dm_sec_headers_e;


typedef enum {
    NGX_DM_SEC_UPGRADE_OFF = 0,
    NGX_DM_SEC_UPGRADE_ON,
    NGX_DM_SEC_UPGRADE_REQUIRED
} ngx_dm_sec_upgrade_e;


typedef enum {
    NGX_DM_SEC_STATUS_OFF = 0,
    NGX_DM_SEC_STATUS_JSON,
    NGX_DM_SEC_STATUS_PROMETHEUS,
    NGX_DM_SEC_STATUS_HTML
} ngx_dm_sec_status_e;


/* why a request is refused, in the order in which that is judged */
typedef enum {
    NGX_DM_SEC_R_BODY = -2,         /* not judged yet: the body is to come */
    NGX_DM_SEC_R_THREAD = -1,       /* nor this: a thread is at it */
    NGX_DM_SEC_R_NONE = 0,
    NGX_DM_SEC_R_BAD_REQUEST,       /* nginx's own, and judges no more */
    NGX_DM_SEC_R_MISDIRECTED,
    NGX_DM_SEC_R_PLAINTEXT,
    NGX_DM_SEC_R_EARLY_DATA,
    NGX_DM_SEC_R_TLS_PROTOCOL,
    NGX_DM_SEC_R_TLS_CIPHER,
    NGX_DM_SEC_R_DEVID_MISSING,
    NGX_DM_SEC_R_DEVID_MALFORMED,
    NGX_DM_SEC_R_REPLICA,
    NGX_DM_SEC_R_STORE,
    NGX_DM_SEC_R_OVERLOADED,
    NGX_DM_SEC_R_MALFORMED,
    NGX_DM_SEC_R_LOCKED,
    NGX_DM_SEC_R_CERT_REQUIRED,
    NGX_DM_SEC_R_CERT_INVALID,
    NGX_DM_SEC_R_CERT_EXPIRED,
    NGX_DM_SEC_R_CERT_REVOKED,
    NGX_DM_SEC_R_CERT_UNKNOWN_CA,
    NGX_DM_SEC_R_CERT_WEAK,
    NGX_DM_SEC_R_CERT_PURPOSE,
    NGX_DM_SEC_R_CRL_EXPIRED,
    NGX_DM_SEC_R_CERT_UNBOUND,
    NGX_DM_SEC_R_PSK_REQUIRED,
    NGX_DM_SEC_R_NO_CREDENTIALS,
    NGX_DM_SEC_R_BAD_CREDENTIALS,
    NGX_DM_SEC_R_STALE_NONCE,
    NGX_DM_SEC_R_REPLAY,
    NGX_DM_SEC_R_MISMATCH,
    NGX_DM_SEC_R_DISABLED,
    NGX_DM_SEC_R_EXPIRED,
    NGX_DM_SEC_R_GROUP,
    NGX_DM_SEC_R_DEVID_MISMATCH,
    NGX_DM_SEC_R_MAX
} ngx_dm_sec_reason_e;

#define ngx_dm_sec_is_pending(reason)  ((reason) < NGX_DM_SEC_R_NONE)


/* the outcome: what a method makes of a request */
typedef enum {
    NGX_DM_SEC_ABSENT = 0,          /* nothing that counts was presented */
    NGX_DM_SEC_VERIFIED,
    NGX_DM_SEC_PENDING,             /* NGX_DM_SEC_R_THREAD or _BODY */
    NGX_DM_SEC_WRONG,
    NGX_DM_SEC_LOCKED,
    NGX_DM_SEC_USELESS,             /* malformed, and asked for again */
    NGX_DM_SEC_MALFORMED,
    NGX_DM_SEC_FAILED               /* ours: never taken for wrong */
} ngx_dm_sec_outcome_e;


/* how much a suite of a policy is wanted where it has no certificate */
typedef enum {
    NGX_DM_SEC_CHOICE = 0,          /* MODERN: one of several, nothing said */
    NGX_DM_SEC_LISTED,              /* a list of the standard: a warning */
    NGX_DM_SEC_NAMED                /* by itself: an error */
} ngx_dm_sec_wanted_e;

typedef struct {
    const dm_suite_t             *suite;
    ngx_dm_sec_wanted_e           wanted;
} ngx_dm_sec_suite_t;


/*
 * The TLS policy of one level.  Each of profile, protocols and ciphers is
 * NGX_CONF_UNSET_* where the level does not say it; 0 and NULL mean "off".
 */
typedef struct {
    ngx_uint_t                    profile_versions;
    ngx_array_t                  *profile_suites;   /* ngx_dm_sec_suite_t */
    ngx_uint_t                    own_versions;
    ngx_array_t                  *own_suites;

    /* in force here, inherited or not; 0 and NULL: no policy */
    ngx_uint_t                    versions;
    ngx_array_t                  *suites;
    ngx_uint_t                    listed;   /* suites are no profile's */
    ngx_uint_t                    worded;   /* versions are no profile's */
} ngx_dm_sec_policy_t;

#define ngx_dm_sec_policy_in_force(policy)                                    \
    ((policy)->versions || (policy)->suites)


/* one way in which a certificate finds its account */
typedef struct {
    ngx_uint_t                    kind;             /* dm_cert_kind_t */
    ngx_regex_t                  *regex;            /* NULL: by kind */
} ngx_dm_sec_x509_identity_t;


typedef struct {
    ngx_uint_t                    attempts;         /* 0: no lockout */
    ngx_uint_t                    address_attempts; /* 0: no such limit */
    ngx_msec_t                    window;
    ngx_msec_t                    duration;
} ngx_dm_sec_lockout_t;


/* the heads of nginx's chains of filters */
typedef struct {
    ngx_http_output_header_filter_pt  header;
    ngx_http_output_body_filter_pt    body;
    ngx_http_request_body_filter_pt   request_body;
#if (NGX_DM_SEC_EARLY_HINTS)
    ngx_http_output_header_filter_pt  early_hints;
#endif
} ngx_dm_sec_chain_t;


typedef struct {
    ngx_str_t                     store;
    ngx_str_t                     key_file;

    ngx_str_t                     zone_name;
    ssize_t                       zone_size;
    ngx_shm_zone_t               *zone;
    ngx_dm_sec_lockout_t          lockout;
    ngx_uint_t                    log_limit;        /* lines/s; 0: none */

    ngx_msec_t                    nonce_lifetime;
    ngx_msec_t                    password_cache;
    ngx_uint_t                    hash_threads;
    ngx_uint_t                    hash_queue;

    time_t                        replica_stale;    /* s; 0: none */
    ngx_uint_t                    replica_refuse;

    dm_keys_t                    *keys;             /* wiped with the cycle */
    ngx_str_t                     realm;            /* of the store, when */
    char                          writer[DM_VERSION_MAX + 1];
    dm_challenge_t                challenge;        /* this was read */
    dm_store_counts_t             counts;
    ngx_uint_t                    counted;          /* these were */
    ngx_array_t                  *digest_warned;    /* about these */
    ngx_uint_t                    digest_told;      /* of the default */
    ngx_array_t                  *findings;         /* not said yet; or NULL */
    ngx_array_t                   groups;           /* ngx_str_t, of all */
    u_char                       *nobody;           /* has these: bits */

    ngx_array_t                   dates;            /* ngx_dm_sec_date_t */
    ngx_array_t                   ends;             /* ngx_dm_sec_ends_t */

    struct ngx_dm_sec_loc_conf_s *http;             /* http{} itself */
    ngx_array_t                   servers;  /* ngx_dm_sec_srv_conf_t * */
    ngx_uint_t                    auth;             /* methods, anywhere */
    ngx_uint_t                    on;

    ngx_dm_sec_chain_t            stock;    /* behind the module's filters */
    ngx_http_get_variable_pt      remote_user;      /* nginx's own */
    ngx_int_t                     request_id;       /* index of a variable */
} ngx_dm_sec_main_conf_t;


typedef struct {
    ngx_http_core_loc_conf_t     *clcf;
    struct ngx_dm_sec_loc_conf_s *dlcf;
} ngx_dm_sec_location_t;


typedef struct {
    ngx_http_core_srv_conf_t     *cscf;
    struct ngx_dm_sec_loc_conf_s *dlcf;             /* the server's own */
    ngx_array_t                   locations;        /* those inside it */
    ngx_uint_t                    auth;             /* methods, anywhere */
    ngx_uint_t                    on;
    ngx_uint_t                    tls;              /* policy, x509, psk */
    ngx_uint_t                    listens;          /* with TLS, somewhere */
    ngx_uint_t                    quic;             /* and so, somewhere */
    ngx_str_t                    *plain;            /* without; NULL: none */
    ngx_str_t                    *plain_443;        /* such of the port 443 */

    ngx_array_t                   x509_ways;        /* ngx_array_t * */
    ngx_uint_t                    x509_alone;       /* needed somewhere */

    u_char                        session_context[EVP_MAX_MD_SIZE];
    unsigned                      session_context_len;

    ngx_uint_t                    upgrade;          /* ngx_dm_sec_upgrade_e */
    ngx_uint_t                    upgrade_versions; /* DM_TLSV1 | ... */
    ngx_str_t                     upgrade_offer;    /* Upgrade of a 426 */

    ngx_str_t                     psk_hint;         /* NUL follows; or none */

    unsigned                      own_upgrade:1;    /* said in the server */
    unsigned                      own_psk_hint:1;   /* the same */
    unsigned                      upgrades:1;       /* it has such a listen */
    unsigned                      star:1;           /* default server of one */
} ngx_dm_sec_srv_conf_t;


typedef struct ngx_dm_sec_loc_conf_s {
    ngx_dm_sec_policy_t           policy;

    ngx_uint_t                    auth;             /* NGX_DM_SEC_X509 | */
    ngx_uint_t                    http_auth;        /* proven by a request */
    ngx_uint_t                    auth_said;        /* here or above */
    ngx_flag_t                    auth_all;
    ngx_str_t                     realm;
    ngx_array_t                  *digest_algorithms;    /* NULL: default */
    ngx_uint_t                    digest_accepted;
    ngx_uint_t                    digest_qop;
    ngx_uint_t                    challenge_parameters;
    ngx_array_t                  *x509_identity;
    ngx_array_t                  *groups;           /* ngx_str_t */
    ngx_uint_t                    device_id;
    ngx_uint_t                    identity_headers;
    ngx_flag_t                    client_cert_header;
    ngx_flag_t                    pass_authorization;
    ngx_flag_t                    plaintext_auth;
    ngx_uint_t                    plaintext_said;   /* here or above */
    ngx_dm_sec_status_e           status;           /* not inherited */

    unsigned                      own_auth_all:1;   /* said at this level */
    unsigned                      own_x509_identity:1;
    unsigned                      own_digest_algorithms:1;
    unsigned                      own_digest_qop:1;
    unsigned                      own_groups:1;
    unsigned                      own_device_id:1;
} ngx_dm_sec_loc_conf_t;


/* the account of a verified credential, without secrets; in r->pool */
typedef struct {
    ngx_str_t                     id;
    ngx_str_t                     name;
    ngx_str_t                     groups;           /* joined by commas */
    dm_state_t                    state;
    time_t                        not_before;
    time_t                        not_after;
} ngx_dm_sec_account_t;


/* a credential, and what its method made of it */
typedef struct {
    ngx_dm_sec_outcome_e          outcome;
    ngx_dm_sec_reason_e           reason;           /* where not verified */
    ngx_uint_t                    detail;           /* of that */
    ngx_dm_sec_account_t         *account;          /* if it is right */
    void                         *state;            /* the method's own */
    ngx_uint_t                    seen;             /* the request was */
} ngx_dm_sec_credential_t;


/*
 * The state of a request, kept on the main request across internal
 * redirects.  What a credential proved stays; what a location decides about
 * it is judged anew in each.
 */
typedef struct {
    ngx_dm_sec_credential_t       credentials[NGX_DM_SEC_METHODS];  /* by row */
    EVP_MD_CTX                   *body_hash;        /* for auth-int */
    struct ngx_dm_sec_attempt_s  *attempt;          /* at a password */
    struct ngx_dm_sec_upgrade_s  *upgrade;          /* to TLS; NULL: none */
    ngx_str_t                     malformed;        /* its name, if any */
    ngx_uint_t                    retry_after;      /* s, where locked */
    ngx_dm_sec_account_t         *whose;            /* it must be; or NULL */

    /* set by access, which decides again by them; NULL: it was not asked yet */

    ngx_int_t                   (*again)(ngx_http_request_t *r);
    void                        (*gone)(ngx_http_request_t *r);

    uint64_t                      version;          /* of the store, then */
    ngx_dm_sec_loc_conf_t        *let_in_by;        /* who decided so */
    ngx_dm_sec_account_t         *account;          /* decided: verified */
    const struct ngx_dm_sec_method_s  *method;

    ngx_dm_sec_reason_e           reason;           /* decided: denied */
    ngx_uint_t                    detail;           /* of that; or none */
    ngx_uint_t                    status;           /* of that */
    ngx_dm_sec_loc_conf_t        *denied_by;        /* whose challenge it is */

    ngx_array_t                  *scrubbed;         /* ngx_table_elt_t */

    unsigned                      begun:1;          /* by POST_READ */
    unsigned                      scrub_done:1;
    unsigned                      http_auth:1;      /* accepted on its way */
    unsigned                      body_whole:1;     /* it is all read */
    unsigned                      body_hashed:1;    /* to its last octet */
    unsigned                      in_clear:1;       /* TLS began behind it */
    unsigned                      denied:1;         /* once, then for ever */
    unsigned                      let_in:1;         /* by "satisfy any" */
    unsigned                      useless:1;        /* decided: ask again */
} ngx_dm_sec_ctx_t;


extern ngx_module_t  ngx_dm_sec_module;
extern ngx_module_t  ngx_dm_sec_watch_module;


/* finds the context behind an internal redirect, or in a subrequest */
ngx_dm_sec_ctx_t *ngx_dm_sec_find_ctx(ngx_http_request_t *r,
    ngx_uint_t create);


/*
 * The context of the request's main request; with create it is made where
 * there is none yet.  NULL: none, or no memory.
 */
static ngx_inline ngx_dm_sec_ctx_t *
ngx_dm_sec_get_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_dm_sec_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_dm_sec_module);

    return ctx ? ctx : ngx_dm_sec_find_ctx(r, create);
}


/* a thing that a pool can keep once, and that is found by its name */
typedef struct {
    char                 *name;
    size_t                size;
    ngx_pool_cleanup_pt   cleanup;      /* is called with it; or NULL */
} ngx_dm_sec_keep_t;

/*
 * Finds the thing that the pool keeps; with create it is made, zeroed, where
 * there is none.  NULL: none, or no memory.
 */
void *ngx_dm_sec_kept(ngx_pool_t *pool, const ngx_dm_sec_keep_t *keep,
    ngx_uint_t create);


/*
 * Says what a method made of a credential; unless that is verified or pending
 * its account is forgotten.  Returns the outcome.
 */
ngx_dm_sec_outcome_e ngx_dm_sec_conclude(ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_outcome_e outcome, ngx_dm_sec_reason_e reason);


#define ngx_dm_sec_set_dm_str(s)                                              \
    (dm_str_t) { (s).data, (s).len }


#endif /* NGX_DM_SEC_H */
