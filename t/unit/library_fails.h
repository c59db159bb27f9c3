/*
 * Functions that stand before those of OpenSSL and LMDB, and fail when they
 * are told to.
 */

#ifndef LIBRARY_FAILS_H
#define LIBRARY_FAILS_H


#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lmdb.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "dm.h"


#define FAILING(type, failure, name, params, args)                            \
                                                                              \
    type                                                                      \
    name params                                                               \
    {                                                                         \
        static type (*real) params;                                           \
                                                                              \
        if (real == NULL) {                                                   \
            *(void **) &real = dlsym(RTLD_NEXT, #name);                       \
        }                                                                     \
                                                                              \
        return fails(#name) ? failure : real args;                            \
    }


static unsigned  countdown;     /* 1: the next call fails, 0: none does */
static unsigned  lmdb_alone;    /* 1: one of LMDB's, not of OpenSSL's */

static const char  *failed;     /* the function whose call did */


static int
fails(const char *name)
{
    if (lmdb_alone && strncmp(name, "mdb_", 4) != 0) {
        return 0;
    }

    if (countdown == 0 || --countdown != 0) {
        return 0;
    }

    failed = name;

    return 1;
}


/* as LMDB does it, which has nothing left to abort then */
static int
commit_failed(MDB_txn *txn)
{
    mdb_txn_abort(txn);

    return EIO;
}


FAILING(int, 0, RAND_bytes, (unsigned char *buf, int n), (buf, n))

FAILING(EVP_MAC *, NULL, EVP_MAC_fetch, (OSSL_LIB_CTX *lib, const char *name,
        const char *query), (lib, name, query))
FAILING(EVP_MAC_CTX *, NULL, EVP_MAC_CTX_new, (EVP_MAC *m), (m))
FAILING(int, 0, EVP_MAC_init, (EVP_MAC_CTX *ctx, const unsigned char *key,
        size_t len, const OSSL_PARAM params[]), (ctx, key, len, params))
FAILING(int, 0, EVP_MAC_update, (EVP_MAC_CTX *ctx, const unsigned char *p,
        size_t len), (ctx, p, len))
FAILING(int, 0, EVP_MAC_final, (EVP_MAC_CTX *ctx, unsigned char *out,
        size_t *len, size_t size), (ctx, out, len, size))

FAILING(EVP_KDF *, NULL, EVP_KDF_fetch, (OSSL_LIB_CTX *lib, const char *name,
        const char *query), (lib, name, query))
FAILING(EVP_KDF_CTX *, NULL, EVP_KDF_CTX_new, (EVP_KDF *k), (k))
FAILING(int, 0, EVP_KDF_derive, (EVP_KDF_CTX *ctx, unsigned char *key,
        size_t len, const OSSL_PARAM params[]), (ctx, key, len, params))

FAILING(EVP_PKEY *, NULL, EVP_PKEY_new_raw_private_key, (int type, ENGINE *e,
        const unsigned char *key, size_t len), (type, e, key, len))
FAILING(EVP_PKEY *, NULL, EVP_PKEY_new_raw_public_key, (int type, ENGINE *e,
        const unsigned char *key, size_t len), (type, e, key, len))
FAILING(int, 0, EVP_DigestSignInit, (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx,
        const EVP_MD *md, ENGINE *e, EVP_PKEY *pkey), (ctx, pctx, md, e, pkey))
FAILING(int, 0, EVP_DigestSign, (EVP_MD_CTX *ctx, unsigned char *sign,
        size_t *len, const unsigned char *p, size_t n),
        (ctx, sign, len, p, n))
FAILING(int, 0, EVP_DigestVerifyInit, (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx,
        const EVP_MD *md, ENGINE *e, EVP_PKEY *pkey), (ctx, pctx, md, e, pkey))

FAILING(EVP_MD_CTX *, NULL, EVP_MD_CTX_new, (void), ())
FAILING(int, 0, EVP_MD_CTX_copy_ex, (EVP_MD_CTX *out, const EVP_MD_CTX *in),
        (out, in))
FAILING(int, 0, EVP_DigestInit_ex2, (EVP_MD_CTX *ctx, const EVP_MD *md,
        const OSSL_PARAM params[]), (ctx, md, params))
FAILING(int, 0, EVP_DigestUpdate, (EVP_MD_CTX *ctx, const void *p, size_t n),
        (ctx, p, n))
FAILING(int, 0, EVP_DigestFinal_ex, (EVP_MD_CTX *ctx, unsigned char *out,
        unsigned *n), (ctx, out, n))

FAILING(EVP_CIPHER *, NULL, EVP_CIPHER_fetch, (OSSL_LIB_CTX *lib,
        const char *name, const char *query), (lib, name, query))
FAILING(EVP_CIPHER_CTX *, NULL, EVP_CIPHER_CTX_new, (void), ())
FAILING(int, 0, EVP_EncryptInit_ex2, (EVP_CIPHER_CTX *ctx,
        const EVP_CIPHER *cipher, const unsigned char *key,
        const unsigned char *iv, const OSSL_PARAM params[]),
        (ctx, cipher, key, iv, params))
FAILING(int, 0, EVP_DecryptInit_ex2, (EVP_CIPHER_CTX *ctx,
        const EVP_CIPHER *cipher, const unsigned char *key,
        const unsigned char *iv, const OSSL_PARAM params[]),
        (ctx, cipher, key, iv, params))
FAILING(int, 0, EVP_CipherUpdate, (EVP_CIPHER_CTX *ctx, unsigned char *out,
        int *n, const unsigned char *in, int len), (ctx, out, n, in, len))
FAILING(int, 0, EVP_EncryptFinal_ex, (EVP_CIPHER_CTX *ctx, unsigned char *out,
        int *n), (ctx, out, n))
FAILING(int, 0, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX *ctx, int type, int arg,
        void *ptr), (ctx, type, arg, ptr))

FAILING(int, -1, EVP_EncodeBlock, (unsigned char *out,
        const unsigned char *in, int n), (out, in, n))
FAILING(int, -1, EVP_DecodeBlock, (unsigned char *out,
        const unsigned char *in, int n), (out, in, n))

FAILING(int, ENOMEM, mdb_env_create, (MDB_env **env), (env))
FAILING(int, ENOMEM, mdb_env_set_maxdbs, (MDB_env *env, MDB_dbi n), (env, n))
FAILING(int, ENOMEM, mdb_env_set_maxreaders, (MDB_env *env, unsigned n),
        (env, n))
FAILING(int, EIO, mdb_env_open, (MDB_env *env, const char *at, unsigned flags,
        mdb_mode_t mode), (env, at, flags, mode))
FAILING(int, EIO, mdb_env_stat, (MDB_env *env, MDB_stat *stat), (env, stat))
FAILING(int, EIO, mdb_env_get_fd, (MDB_env *env, mdb_filehandle_t *fd),
        (env, fd))
FAILING(int, EIO, mdb_txn_begin, (MDB_env *env, MDB_txn *parent,
        unsigned flags, MDB_txn **txn), (env, parent, flags, txn))
FAILING(int, EIO, mdb_txn_renew, (MDB_txn *txn), (txn))
FAILING(int, EIO, mdb_dbi_open, (MDB_txn *txn, const char *name,
        unsigned flags, MDB_dbi *dbi), (txn, name, flags, dbi))
FAILING(int, EIO, mdb_get, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key,
        MDB_val *value), (txn, dbi, key, value))
FAILING(int, EIO, mdb_put, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key,
        MDB_val *value, unsigned flags), (txn, dbi, key, value, flags))
FAILING(int, EIO, mdb_del, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key,
        MDB_val *value), (txn, dbi, key, value))
FAILING(int, commit_failed(txn), mdb_txn_commit, (MDB_txn *txn), (txn))
FAILING(int, EIO, mdb_stat, (MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat),
        (txn, dbi, stat))
FAILING(int, EIO, mdb_cursor_del, (MDB_cursor *cursor, unsigned flags),
        (cursor, flags))
FAILING(int, EIO, mdb_cursor_open, (MDB_txn *txn, MDB_dbi dbi,
        MDB_cursor **cursor), (txn, dbi, cursor))
FAILING(int, EIO, mdb_cursor_get, (MDB_cursor *cursor, MDB_val *key,
        MDB_val *value, MDB_cursor_op op), (cursor, key, value, op))


/* whichever of its calls fails, the job says that it failed */
static inline void
each_call_fails(int (*job)(void))
{
    int       rc;
    unsigned  n;

    for (n = 1; /* void */ ; n++) {
        countdown = n;
        rc = job();

        if (countdown != 0) {
            break;
        }

        if (rc != DM_ERROR) {
            fail_msg("%s failed, in call %u, and the job returned %d", failed,
                     n, rc);
        }
    }

    countdown = 0;
    assert_int_equal(rc, DM_OK);
    assert_true(n > 1);
}


#endif /* LIBRARY_FAILS_H */
