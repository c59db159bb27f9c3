/* Accounts: the one way from a credential to the account that it names */

#ifndef NGX_DM_SEC_ACCOUNT_H
#define NGX_DM_SEC_ACCOUNT_H


#include "ngx_dm_sec.h"

#include "dm_digest.h"
#include "dm_nonce.h"


/* a connection remembers the last account of each kind of credential */
typedef enum {
    NGX_DM_SEC_ACCOUNT_UNKEPT = 0,  /* nothing is remembered */
    NGX_DM_SEC_ACCOUNT_HTTP,        /* by a name or a userhash */
    NGX_DM_SEC_ACCOUNT_CERT,
    NGX_DM_SEC_ACCOUNT_PSK,
    NGX_DM_SEC_ACCOUNT_KINDS
} ngx_dm_sec_account_kind_e;


typedef struct ngx_dm_sec_search_s  ngx_dm_sec_search_t;

/*
 * Makes the next key of a search that has several: NGX_OK; NGX_DECLINED: there
 * are no more; NGX_ERROR: the search fails.
 */
typedef ngx_int_t (*ngx_dm_sec_account_next_pt)(ngx_dm_sec_search_t *search,
    dm_store_index_t *index, dm_str_t *key);

/*
 * Judges the account that was found.  Where known is 0 nobody has the key, and
 * the account is a decoy that matches nothing: a judge whose time a stranger
 * can measure does the same with both.  The account, with its secrets, is
 * wiped when the judge returns, so it copies what is to stay; it starts no
 * search of its own.  NGX_OK says that the credential is verified.
 */
typedef ngx_int_t (*ngx_dm_sec_account_judge_pt)(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);


#define NGX_DM_SEC_RECALL_KEY  64       /* octets; a longer one is looked up */

#define NGX_DM_SEC_DERIVED_HEADER  16   /* octets of a hash */
#define NGX_DM_SEC_DERIVED_TARGET  64   /* octets; with more nothing is kept */

/* HA2 of Digest, of this method and uri */
typedef struct {
    dm_algorithm_t                alg;
    size_t                        method_len;
    size_t                        len;      /* of both; 0: nothing is kept */
    u_char                        target[NGX_DM_SEC_DERIVED_TARGET];
    u_char                        digits[2 * DM_HASH_MAX];
} ngx_dm_sec_derived_ha2_t;

/*
 * Values that follow from the account and a nonce with the zone's secret, or
 * from a method and a uri, and from nothing else.  They are kept with an
 * account that is remembered, so that each is computed once, and die with it.
 */
typedef struct {
    unsigned                      remembered:1;     /* its account is */
    unsigned                      has_secret:1;
    unsigned                      has_account:1;
    unsigned                      has_nonce:1;
    unsigned                      has_header:1;

    /* keyed hash of the header by which Basic proved this very account */
    u_char                        header[NGX_DM_SEC_DERIVED_HEADER];

    dm_slot_t                     secret;   /* as of ngx_dm_sec_attempt_t */
    u_char                        account[DM_NONCE_ACCOUNT];    /* its id's */

    /* the last nonce that was ours, as it was sent and as it was read */
    u_char                        text[DM_NONCE_LEN];
    dm_nonce_t                    nonce;

    /* dm_digest_begin() of that, where the account is remembered; or NULL */
    EVP_MD_CTX                   *begun;
    dm_algorithm_t                begun_alg;

    /* of the last request, and of its rspauth, which has no method */
    ngx_dm_sec_derived_ha2_t      ha2[2];
} ngx_dm_sec_derived_t;


/* says what is to be found, and who judges it; is zeroed, then filled */
struct ngx_dm_sec_search_s {
    dm_store_index_t              index;    /* the account is looked up by */
    dm_str_t                      key;      /* this key, or, where next is */
    ngx_dm_sec_account_next_pt    next;     /* set, by those that it makes */

    ngx_dm_sec_account_judge_pt   judge;
    void                         *data;     /* for next and judge */

    /* the connection recalls it by kind, index and this, and then skips all
       look-ups */
    ngx_dm_sec_account_kind_e     kind;
    dm_str_t                      recall;
    uint64_t                      now;      /* the store's number, at least as
                                               new as the request; 0: none */

    /* set for the judge: the store's number that the account is true of, as
       ngx_dm_sec_store_version(); 0: it cannot be told */
    uint64_t                      version;

    /* set by the search: so many keys before this one were nobody's */
    ngx_uint_t                    tried;

    /* set for the judge: it has judged this before, on this connection and at
       this state of the store, and said NGX_OK, or that nobody is known */
    ngx_uint_t                    recalled;

    /* set for the judge, which may add to it: it is kept if the account
       is, and not to be looked at after the judge returned */
    ngx_dm_sec_derived_t         *derived;
};


/*
 * Finds an account and has it judged: recalls what this connection found, if
 * the store is in the same state, or the account still has the same record and
 * no other key was tried before it; or looks the account up.  Returns what the
 * judge says; or NGX_DECLINED, where next had no key at all, and NGX_ERROR,
 * where next failed or the store did, which is logged: then the judge was not
 * called.
 *
 * An account is remembered, if the search has a kind, only when the judge said
 * NGX_OK: who knows no secret must not learn, from the time that it takes,
 * which accounts there are.  That there is none is remembered of certificates,
 * which prove themselves before they are looked for.  It is remembered under
 * the transaction that all look-ups of the search read, and not if they read
 * several.
 */
ngx_int_t ngx_dm_sec_account_find(ngx_dm_sec_main_conf_t *dmcf,
    ngx_connection_t *c, ngx_dm_sec_search_t *search);

/*
 * Copies the key by which this connection remembers an account of a kind and
 * an index, and returns what is kept with it; NULL: it remembers none.  The
 * store may have changed since: ngx_dm_sec_account_find() sees to that.
 */
ngx_dm_sec_derived_t *ngx_dm_sec_account_last(ngx_connection_t *c,
    ngx_dm_sec_account_kind_e kind, dm_store_index_t index,
    u_char key[NGX_DM_SEC_RECALL_KEY], size_t *len);

/* copies the parts without secrets into the pool; NULL: no memory */
ngx_dm_sec_account_t *ngx_dm_sec_account_copy(ngx_pool_t *pool,
    dm_account_t *account);

/* copies a part of an account into the pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_account_dup(ngx_pool_t *pool, dm_str_t src,
    ngx_str_t *dst);


#endif /* NGX_DM_SEC_ACCOUNT_H */
