/* Challenges of a WWW-Authenticate header, RFC 7235 and RFC 7616 */

#include <string.h>
#include <strings.h>

#include "probe/challenge.h"


/* a value is copied into out[size], if there is an out and it fits */
typedef struct {
    char    *out;
    size_t   size;
} dm_room_t;


static const char *dm_challenge_skip(const char *p, const char *octets);
static size_t dm_challenge_token(const char *p);
static const char *dm_challenge_param(const char *p, size_t len,
    dm_challenge_t *challenge);
static dm_room_t dm_challenge_room(const char *name, size_t len,
    dm_challenge_t *challenge);
static const char *dm_challenge_value(const char *p, dm_room_t room);
static const char *dm_challenge_quoted(const char *p, dm_room_t room);
static int dm_challenge_put(dm_room_t *room, char ch);


int
dm_challenge_next(const char **value, dm_challenge_t *challenge)
{
    size_t       len;
    const char  *p, *q;

    memset(challenge, 0, sizeof(dm_challenge_t));

    p = dm_challenge_skip(*value, " \t,");

    if (*p == '\0') {
        return DM_DECLINED;
    }

    len = dm_challenge_token(p);

    if (len == 0) {
        return DM_INVALID;
    }

    if (len < sizeof(challenge->scheme)) {
        memcpy(challenge->scheme, p, len);
    }

    p += len;

    for ( ;; ) {
        *value = p;

        p = dm_challenge_skip(p, " \t,");
        len = dm_challenge_token(p);

        if (len == 0) {
            return *p == '\0' ? DM_OK : DM_INVALID;
        }

        q = dm_challenge_skip(p + len, " \t");

        if (*q != '=') {

            /* the next scheme, or the token68 of this one */
            return DM_OK;
        }

        p = dm_challenge_param(p, len, challenge);

        if (p == NULL) {
            return DM_INVALID;
        }
    }
}


static const char *
dm_challenge_skip(const char *p, const char *octets)
{
    return p + strspn(p, octets);
}


/* RFC 7230, section 3.2.6, and "/" for a token68 */
static size_t
dm_challenge_token(const char *p)
{
    return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789!#$%&'*+-.^_`|~/");
}


/* reads a parameter; the place behind it, or NULL: it is malformed */
static const char *
dm_challenge_param(const char *p, size_t len, dm_challenge_t *challenge)
{
    dm_room_t    room;
    const char  *q;

    room = dm_challenge_room(p, len, challenge);

    q = dm_challenge_skip(p + len, " \t");
    q = dm_challenge_skip(q + 1, " \t");

    return *q == '"' ? dm_challenge_quoted(q + 1, room)
                     : dm_challenge_value(q, room);
}


static dm_room_t
dm_challenge_room(const char *name, size_t len, dm_challenge_t *challenge)
{
    size_t     i;
    dm_room_t  room;

    struct {
        const char  *name;
        dm_room_t    room;
    } params[] = {
        { "realm", { challenge->realm, sizeof(challenge->realm) } },
        { "nonce", { challenge->nonce, sizeof(challenge->nonce) } },
        { "opaque", { challenge->opaque, sizeof(challenge->opaque) } },
        { "algorithm",
          { challenge->algorithm, sizeof(challenge->algorithm) } },
        { "qop", { challenge->qop, sizeof(challenge->qop) } }
    };

    for (i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        room = params[i].room;

        /* if a parameter comes twice, the first counts */
        if (strlen(params[i].name) == len
            && strncasecmp(params[i].name, name, len) == 0
            && room.out[0] == '\0')
        {
            return room;
        }
    }

    return (dm_room_t) { NULL, 0 };
}


static const char *
dm_challenge_value(const char *p, dm_room_t room)
{
    char    *out;
    size_t   i, len;

    out = room.out;
    len = dm_challenge_token(p);

    for (i = 0; i < len; i++) {
        if (!dm_challenge_put(&room, p[i]) && out != NULL) {
            *out = '\0';
        }
    }

    /* the end of a token68 */
    return dm_challenge_skip(p + len, "=");
}


static const char *
dm_challenge_quoted(const char *p, dm_room_t room)
{
    char  *out;

    out = room.out;

    for ( /* void */ ; *p != '"'; p++) {
        p += (*p == '\\');

        if (*p == '\0') {
            return NULL;
        }

        if (!dm_challenge_put(&room, *p) && out != NULL) {
            *out = '\0';
        }
    }

    return p + 1;
}


/* puts a character; 0: there is no room, and there will be none */
static int
dm_challenge_put(dm_room_t *room, char ch)
{
    if (room->size < 2) {
        room->size = 0;
        return 0;
    }

    *room->out++ = ch;
    *room->out = '\0';
    room->size--;

    return 1;
}


int
dm_challenge_lists(const char *list, const char *word)
{
    size_t       len;
    const char  *p;

    for (p = list; *p != '\0'; p += len) {
        p = dm_challenge_skip(p, " \t,");
        len = strcspn(p, " \t,");

        if (len == strlen(word) && strncasecmp(p, word, len) == 0
            && len != 0)
        {
            return 1;
        }
    }

    return 0;
}


int
dm_challenge_qop(const dm_challenge_t *challenge, const char **qop)
{
    *qop = NULL;

    if (challenge->qop[0] == '\0') {
        return DM_OK;
    }

    if (dm_challenge_lists(challenge->qop, "auth")) {
        *qop = "auth";
        return DM_OK;
    }

    if (dm_challenge_lists(challenge->qop, "auth-int")) {
        *qop = "auth-int";
        return DM_OK;
    }

    return DM_DECLINED;
}
