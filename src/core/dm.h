/*
 * Octet strings, results and messages, which every part of the core uses.  The
 * core needs libc, OpenSSL and libcrypt only: the nginx module, the tools, the
 * unit tests and the fuzzers all link it.
 */

#ifndef DM_H
#define DM_H


#include <stddef.h>
#include <stdint.h>


/* of the module and of the tools */
#define DM_VERSION  "0.2.0"


/* where the tools look that are told of no other place */
#define DM_DEFAULT_STORE      "/var/lib/dm-sec/store"
#define DM_DEFAULT_KEY        "/etc/dm-sec/store.key"
#define DM_DEFAULT_AUTHORITY  "/etc/dm-sec/authority.pub"

/* the user of the store in that place, and that of nginx's workers */
#define DM_DEFAULT_USER       "dm-sec"
#define DM_DEFAULT_WORKERS    "www-data"


/* octets with a length, not NUL-terminated, owned by somebody else */
typedef struct {
    const unsigned char  *data;
    size_t                len;
} dm_str_t;

#define dm_str(literal)                                                       \
    (dm_str_t) { (const unsigned char *) (literal), sizeof(literal) - 1 }

/* 1 if they are the same octets, else 0; never for secrets */
int dm_str_eq(dm_str_t a, dm_str_t b);

/* as dm_str_eq(), with ASCII letters in either case, whatever the locale */
int dm_str_ieq(dm_str_t a, dm_str_t b);


/*
 * Results.  DM_ERROR is always a failure of ours (memory, the store, the
 * library), never the fault of who asked: it must not be shown as a wrong
 * password or an unknown account.
 */
#define DM_OK         0
#define DM_DECLINED  -1     /* not found, or does not match */
#define DM_INVALID   -2     /* malformed input, err says what and where */
#define DM_EXISTS    -3     /* a name, identity or certificate is taken */
#define DM_ERROR     -4
#define DM_USELESS   -5     /* it has one reading, but nothing to verify */


/*
 * A message is one sentence for a person: it says what is wrong and what to
 * do, in lower case, with no full stop, no newline and no secret.  NULL is
 * accepted wherever a dm_err_t is.
 */
typedef struct {
    char  text[1024];
} dm_err_t;

void dm_err_set(dm_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The message of what cannot be made at path, by errno: where it is only that
 * its directory is missing, which one, and what to do.
 */
void dm_err_set_made(dm_err_t *err, const char *what, const char *path);

/* the octets of the byte order mark of UTF-8 that text begins with, or 0 */
size_t dm_text_mark(const unsigned char *text, size_t len);

/* how much of a file is text: DOS may have ^Z, 0x1A, behind it */
size_t dm_text_end(const unsigned char *text, size_t len);

/*
 * Looks whether text has 1 to max octets of UTF-8 (RFC 3629) without control
 * characters (C0, DEL, C1).  DM_OK, or DM_INVALID and err starts with what.
 */
int dm_text_check(dm_str_t text, size_t max, const char *what, dm_err_t *err);


/* the effect of a character on a terminal, or on somebody who reads a log */
typedef enum {
    DM_TEXT_PLAIN,
    DM_TEXT_CONTROL,            /* C0, DEL, C1: it may be obeyed */
    DM_TEXT_MISLEADING,         /* nobody sees it, or it turns or breaks the
                                   line: such as U+00A0, U+200B, U+202E */
    DM_TEXT_BROKEN              /* an octet that is no UTF-8 */
} dm_text_e;

/* the character at p, which is before last, and its n octets, at least 1 */
dm_text_e dm_text_next(const unsigned char *p, const unsigned char *last,
    size_t *n);

/* the code point of the character at p, of n octets, as dm_text_next() said */
uint32_t dm_text_code(const unsigned char *p, size_t n);

/*
 * Looks whether text has no DM_TEXT_MISLEADING.  A text that comes into a store
 * must pass this beside dm_text_check(); one that is there already need not,
 * or nobody could read or delete it.  DM_OK, or DM_INVALID and err starts with
 * what, and names the character and its place.
 */
int dm_text_check_shown(dm_str_t text, const char *what, dm_err_t *err);


#endif /* DM_H */
