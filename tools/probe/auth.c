/* The values of Authorization headers: Basic and Digest */

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "dm_digest.h"
#include "dm_hex.h"
#include "probe/auth.h"


#define DM_AUTH_NC          "00000001"
#define DM_AUTH_PAIR_MAX    1024
#define DM_AUTH_TARGET_MAX  2560        /* octets of it, quoted */
#define DM_AUTH_CNONCE      16          /* octets, as hex twice as many */


/* an answer while it is made */
typedef struct {
    dm_algorithm_t  alg;
    unsigned        sess;
    char            cnonce[2 * DM_AUTH_CNONCE + 1];
    unsigned char   ha1[DM_HASH_MAX];
    unsigned char   body[DM_HASH_MAX];
    unsigned char   response[DM_HASH_MAX];
} dm_auth_t;


static int dm_auth_algorithm(dm_auth_t *auth,
    const dm_challenge_t *challenge);
static int dm_auth_respond(dm_auth_t *auth, const dm_login_t *login,
    const dm_challenge_t *challenge, const char *qop);
static int dm_auth_respond_2069(dm_auth_t *auth, const dm_login_t *login,
    const dm_challenge_t *challenge);
static int dm_auth_write(const dm_auth_t *auth, const dm_login_t *login,
    const dm_challenge_t *challenge, const char *qop, char *out);
static int dm_auth_quote(const char *value, char *out, size_t size);
static int dm_auth_random(char *out);
static dm_str_t dm_auth_str(const char *s);


int
dm_auth_basic(const dm_login_t *login, char *out)
{
    int            n, len;
    unsigned char  pair[DM_AUTH_PAIR_MAX];

    n = snprintf((char *) pair, sizeof(pair), "%s:%s", login->user,
                 (const char *) login->password->data);

    if ((size_t) n >= sizeof(pair)) {
        OPENSSL_cleanse(pair, sizeof(pair));
        return DM_INVALID;
    }

    len = sprintf(out, "Basic ");
    (void) EVP_EncodeBlock((unsigned char *) out + len, pair, n);

    OPENSSL_cleanse(pair, sizeof(pair));

    return DM_OK;
}


int
dm_auth_digest(const dm_login_t *login, const dm_challenge_t *challenge,
    const char *qop, char *out)
{
    int        rc;
    dm_auth_t  auth;

    memset(&auth, 0, sizeof(dm_auth_t));

    rc = dm_auth_algorithm(&auth, challenge);

    if (rc == DM_OK) {
        rc = dm_auth_respond(&auth, login, challenge, qop);
    }

    if (rc == DM_OK) {
        rc = dm_auth_write(&auth, login, challenge, qop, out);
    }

    OPENSSL_cleanse(&auth, sizeof(dm_auth_t));

    return rc;
}


static int
dm_auth_algorithm(dm_auth_t *auth, const dm_challenge_t *challenge)
{
    const char  *name;

    if (challenge->realm[0] == '\0' || challenge->nonce[0] == '\0') {
        return DM_INVALID;
    }

    name = challenge->algorithm[0] == '\0' ? "MD5" : challenge->algorithm;

    return dm_digest_by_sess_name(dm_auth_str(name), &auth->alg, &auth->sess);
}


static int
dm_auth_respond(dm_auth_t *auth, const dm_login_t *login,
    const dm_challenge_t *challenge, const char *qop)
{
    dm_str_t             password;
    dm_digest_request_t  request;

    memset(&request, 0, sizeof(dm_digest_request_t));

    password = (dm_str_t) { login->password->data, login->password->len };

    if (dm_auth_random(auth->cnonce) != DM_OK
        || dm_digest_ha1(auth->alg, dm_auth_str(login->user),
                         dm_auth_str(challenge->realm), password, auth->ha1)
           != DM_OK)
    {
        return DM_ERROR;
    }

    if (qop == NULL) {
        return dm_auth_respond_2069(auth, login, challenge);
    }

    if (strcmp(qop, "auth-int") == 0) {
        if (dm_digest_join(auth->alg, &login->body, 1, auth->body) != DM_OK) {
            return DM_ERROR;
        }

        request.body = auth->body;
    }

    request.alg = auth->alg;
    request.sess = auth->sess;
    request.nonce = dm_auth_str(challenge->nonce);
    request.nc = dm_auth_str(DM_AUTH_NC);
    request.cnonce = dm_auth_str(auth->cnonce);
    request.qop = dm_auth_str(qop);
    request.method = dm_auth_str(login->method);
    request.uri = dm_auth_str(login->target);

    return dm_digest_response(&request, auth->ha1, auth->response);
}


/* H(HA1 ":" nonce ":" H(method ":" uri)), RFC 2617, section 3.2.2.1 */
static int
dm_auth_respond_2069(dm_auth_t *auth, const dm_login_t *login,
    const dm_challenge_t *challenge)
{
    int            rc;
    char           ha1[2 * DM_HASH_MAX], ha2[2 * DM_HASH_MAX];
    dm_str_t       part[3];
    unsigned char  hash[DM_HASH_MAX];

    if (auth->sess) {
        return DM_DECLINED;
    }

    part[0] = dm_auth_str(login->method);
    part[1] = dm_auth_str(login->target);

    if (dm_digest_join(auth->alg, part, 2, hash) != DM_OK) {
        return DM_ERROR;
    }

    part[0].data = (unsigned char *) ha1;
    part[0].len = dm_digest_hex(auth->alg, auth->ha1, (unsigned char *) ha1);
    part[1] = dm_auth_str(challenge->nonce);
    part[2].data = (unsigned char *) ha2;
    part[2].len = dm_digest_hex(auth->alg, hash, (unsigned char *) ha2);

    rc = dm_digest_join(auth->alg, part, 3, auth->response);

    OPENSSL_cleanse(ha1, sizeof(ha1));

    return rc;
}


static int
dm_auth_write(const dm_auth_t *auth, const dm_login_t *login,
    const dm_challenge_t *challenge, const char *qop, char *out)
{
    int     n;
    char    user[2 * DM_NAME_MAX + 3], realm[DM_CHALLENGE_MAX + 64];
    char    nonce[DM_CHALLENGE_MAX + 64], opaque[DM_CHALLENGE_MAX + 64];
    char    target[DM_AUTH_TARGET_MAX];
    size_t  len;
    char    hex[2 * DM_HASH_MAX + 1];

    len = dm_digest_hex(auth->alg, auth->response, (unsigned char *) hex);
    hex[len] = '\0';

    if (dm_auth_quote(login->user, user, sizeof(user)) != DM_OK
        || dm_auth_quote(login->target, target, sizeof(target)) != DM_OK
        || dm_auth_quote(challenge->realm, realm, sizeof(realm)) != DM_OK
        || dm_auth_quote(challenge->nonce, nonce, sizeof(nonce)) != DM_OK
        || dm_auth_quote(challenge->opaque, opaque, sizeof(opaque)) != DM_OK)
    {
        return DM_INVALID;
    }

    n = snprintf(out, DM_AUTH_VALUE_MAX, "Digest username=\"%s\", "
                 "realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\"",
                 user, realm, nonce, target, hex);

    if (n < DM_AUTH_VALUE_MAX && challenge->algorithm[0] != '\0') {
        n += snprintf(out + n, DM_AUTH_VALUE_MAX - (size_t) n,
                      ", algorithm=%s", challenge->algorithm);
    }

    if (n < DM_AUTH_VALUE_MAX && opaque[0] != '\0') {
        n += snprintf(out + n, DM_AUTH_VALUE_MAX - (size_t) n,
                      ", opaque=\"%s\"", opaque);
    }

    if (n < DM_AUTH_VALUE_MAX && qop != NULL) {
        n += snprintf(out + n, DM_AUTH_VALUE_MAX - (size_t) n,
                      ", qop=%s, nc=" DM_AUTH_NC ", cnonce=\"%s\"", qop,
                      auth->cnonce);
    }

    return n < DM_AUTH_VALUE_MAX ? DM_OK : DM_INVALID;
}


static int
dm_auth_quote(const char *value, char *out, size_t size)
{
    const char  *p;

    for (p = value; *p != '\0'; p++) {
        if (size < 3) {
            return DM_INVALID;
        }

        if (*p == '"' || *p == '\\') {
            *out++ = '\\';
            size--;
        }

        *out++ = *p;
        size--;
    }

    *out = '\0';

    return DM_OK;
}


int
dm_auth_wrong(dm_secret_t *password)
{
    memset(password, 0, sizeof(dm_secret_t));

    if (dm_auth_random((char *) password->data) != DM_OK) {
        return DM_ERROR;
    }

    password->len = 2 * DM_AUTH_CNONCE;

    return DM_OK;
}


/* writes random octets in hex into out[2 * DM_AUTH_CNONCE + 1] */
static int
dm_auth_random(char *out)
{
    unsigned char  octets[DM_AUTH_CNONCE];

    if (RAND_bytes(octets, sizeof(octets)) != 1) {
        return DM_ERROR;
    }

    dm_hex_text((dm_str_t) { octets, sizeof(octets) }, out);

    return DM_OK;
}


static dm_str_t
dm_auth_str(const char *s)
{
    return (dm_str_t) { (const unsigned char *) s, strlen(s) };
}
