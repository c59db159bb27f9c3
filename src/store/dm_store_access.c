/* The reason why this process cannot use a store, and what mends it */

#define _GNU_SOURCE     /* statx() */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_access.h"


/* of a link that leads to a link, and so on */
#define DM_ACCESS_LINKS   8

#define DM_ACCESS_NAME    48

/* characters that a shell takes as they are */
#define DM_ACCESS_PLAIN   "abcdefghijklmnopqrstuvwxyz"                        \
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"


/* a user and a group as messages have them */
typedef struct {
    int               known;
    uid_t             uid;
    gid_t             gid;
    int               own;              /* the user's own group */
    char              who[4 * DM_ACCESS_NAME];
    char              owner[2 * DM_ACCESS_NAME];    /* for --owner */
} dm_access_id_t;


/* the arguments of dm_access_check(), and how far it is */
typedef struct {
    const char       *store;
    int               need;             /* of what is closed */
    dm_access_for_t   whom;
    int               above;            /* it is a directory above the store */
    unsigned          links;
    dm_err_t         *err;
} dm_access_t;


/* see dm_access_spare() */
static const char  *dm_access_losers;


static int dm_access_walk(dm_access_t *access, const char *path, int need);
static int dm_access_closed(dm_access_t *access, const char *path);
static int dm_access_linked(dm_access_t *access, const char *path);
static void dm_access_read_only(dm_access_t *access, const char *path);
static void dm_access_tell(dm_access_t *access, const char *path,
    const struct stat *sb);
static int dm_access_missing(const struct stat *sb, int need,
    const char **whose);
static int dm_access_is_in(gid_t gid);
static void dm_access_mend(const dm_access_t *access, const char *path,
    const struct stat *sb, const char *whose, int missing, char *buf,
    size_t size);
static void dm_access_mend_store(const char *store, const char *verb,
    const dm_access_id_t *id, char *buf, size_t size);
static const dm_access_id_t *dm_access_id(uid_t uid, gid_t gid);
static void dm_access_name(char *buf, const char *name, unsigned id);
static void dm_access_word(char *buf, size_t size, const char *name,
    unsigned id);
static const char *dm_access_verb(int need);
static void dm_access_bits(char *buf, int bits);


int
dm_access_check(const char *path, const char *file, int need,
    dm_access_for_t whom, dm_err_t *err)
{
    int           rc;
    char          name[PATH_MAX + NAME_MAX];
    dm_access_t   access;

    memset(&access, 0, sizeof(dm_access_t));

    access.store = path;
    access.whom = whom;
    access.err = err;
    access.above = 1;

    rc = dm_access_walk(&access, path, X_OK);

    if (rc != DM_OK) {
        return rc;
    }

    access.above = 0;

    (void) snprintf(name, sizeof(name), "%s%s%s", path,
                    strcmp(file, ".") == 0 ? "" : "/",
                    strcmp(file, ".") == 0 ? "" : file);

    access.need = need;

    return faccessat(AT_FDCWD, name, need, AT_EACCESS) == -1
           ? dm_access_closed(&access, name) : DM_OK;
}


/* from here each calls the next, DM_ACCESS_LINKS times at most */
/* NOLINTBEGIN(misc-no-recursion) */

/* looks at each directory on the way to path, then at path itself */
static int
dm_access_walk(dm_access_t *access, const char *path, int need)
{
    char         name[PATH_MAX];
    size_t       i, len;

    len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }

    if (len >= sizeof(name)) {
        return DM_OK;
    }

    memcpy(name, path, len);
    name[len] = '\0';

    for (i = 1; i <= len; i++) {

        if (i != len && (name[i] != '/' || name[i - 1] == '/')) {
            continue;
        }

        name[i] = '\0';
        access->need = (i == len) ? need : X_OK;
        access->above = access->above && i != len;

        if (faccessat(AT_FDCWD, name, access->need, AT_EACCESS) == -1) {
            return dm_access_closed(access, name);
        }

        if (i != len) {
            name[i] = '/';
        }
    }

    return DM_OK;
}


/* errno says why */
static int
dm_access_closed(dm_access_t *access, const char *path)
{
    int          rc;
    struct stat  sb;

    rc = errno;

    if (rc == EROFS) {
        dm_access_read_only(access, path);
        return DM_INVALID;
    }

    if (lstat(path, &sb) == -1) {
        dm_err_set(access->err, "\"%s\" cannot be examined: %s", path,
                   strerror(errno));
        return DM_INVALID;
    }

    if (rc != EACCES) {
        dm_err_set(access->err, "\"%s\" cannot be used: %s", path,
                   strerror(rc));
        return DM_INVALID;
    }

    if (S_ISLNK(sb.st_mode)) {
        return dm_access_linked(access, path);
    }

    dm_access_tell(access, path, &sb);

    return DM_INVALID;
}


/* it is the way that the link leads which is closed */
static int
dm_access_linked(dm_access_t *access, const char *path)
{
    int      n, need;
    char     target[PATH_MAX], name[2 * PATH_MAX];
    ssize_t  len;

    need = access->need;
    len = readlink(path, target, sizeof(target) - 1);

    if (len > 0 && access->links++ < DM_ACCESS_LINKS) {
        target[len] = '\0';
        n = target[0] == '/' ? 0 : (int) (strrchr(path, '/') == NULL ? 0
                                          : strrchr(path, '/') + 1 - path);

        (void) snprintf(name, sizeof(name), "%.*s%s", n, path, target);

        access->above = 1;

        if (dm_access_walk(access, name, need) != DM_OK) {
            return DM_INVALID;
        }
    }

    dm_err_set(access->err, "\"%s\", a link, cannot be followed: %s", path,
               strerror(EACCES));

    return DM_INVALID;
}


/* NOLINTEND(misc-no-recursion) */


static void
dm_access_read_only(dm_access_t *access, const char *path)
{
    char  mount[PATH_MAX], quoted[PATH_MAX];

    dm_access_mount(path, mount, sizeof(mount));
    dm_access_quote(quoted, sizeof(quoted), mount);

    dm_err_set(access->err, "%s, cannot %s \"%s\": the file system that is "
               "mounted at \"%s\" is read-only, and readers of a store make a "
               "file there by which writers see them; run \"mount -o "
               "remount,rw %s\"; " DM_ACCESS_CONFINED,
               dm_access_id(geteuid(), getegid())->who,
               dm_access_verb(access->need), path, mount, quoted);
}


void
dm_access_mount(const char *path, char *mount, size_t size)
{
    char          *slash;
    struct statx   sx;

    (void) snprintf(mount, size, "%s", path);

    while (statx(AT_FDCWD, mount, 0, STATX_TYPE, &sx) == 0
           && !(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
    {
        slash = strrchr(mount, '/');

        if (slash == NULL) {
            return;
        }

        slash[slash == mount ? 1 : 0] = '\0';

        if (slash == mount) {
            return;
        }
    }
}


static void
dm_access_tell(dm_access_t *access, const char *path, const struct stat *sb)
{
    int          missing;
    char         bits[4], mend[2 * PATH_MAX];
    const char  *whose, *who;

    missing = dm_access_missing(sb, access->need, &whose);

    who = dm_access_id(geteuid(), getegid())->who;
    dm_access_bits(bits, missing);

    if (missing == 0) {
        dm_err_set(access->err, "%s, cannot %s \"%s\", though its mode, "
                   "%04o, does not forbid it: look at its access control list "
                   "(getfacl), and at policies of the system as SELinux's",
                   who, dm_access_verb(access->need), path,
                   (unsigned) sb->st_mode & 07777);
        return;
    }

    dm_access_mend(access, path, sb, whose, missing, mend, sizeof(mend));

    dm_err_set(access->err, "%s, cannot %s \"%s\" (owner %u, group %u, mode "
               "%04o): %s is missing for %s; %s", who,
               dm_access_verb(access->need), path, (unsigned) sb->st_uid,
               (unsigned) sb->st_gid, (unsigned) sb->st_mode & 07777, bits,
               whose, mend);
}


/* the bits that the class of this process lacks, as X_OK and its like */
static int
dm_access_missing(const struct stat *sb, int need, const char **whose)
{
    if (sb->st_uid == geteuid()) {
        *whose = "its owner";
        return need & ~(int) (sb->st_mode >> 6 & 7);
    }

    if (dm_access_is_in(sb->st_gid)) {
        *whose = "its group";
        return need & ~(int) (sb->st_mode >> 3 & 7);
    }

    *whose = "others";

    return need & ~(int) (sb->st_mode & 7);
}


/* 1 if this process is in the group, else 0 */
static int
dm_access_is_in(gid_t gid)
{
    int     i, n, rc;
    gid_t  *groups;

    if (getegid() == gid) {
        return 1;
    }

    n = getgroups(0, NULL);
    groups = n > 0 ? calloc((size_t) n, sizeof(gid_t)) : NULL;

    if (groups == NULL) {
        return 0;
    }

    n = getgroups(n, groups);

    rc = 0;

    for (i = 0; i < n; i++) {
        rc |= (groups[i] == gid);
    }

    free(groups);

    return rc;
}


static void
dm_access_mend(const dm_access_t *access, const char *path,
    const struct stat *sb, const char *whose, int missing, char *buf,
    size_t size)
{
    char            bits[4], quoted[PATH_MAX];
    struct passwd  *pw;
    struct stat     store;

    if (access->above) {
        dm_access_bits(bits, missing);
        dm_access_quote(quoted, sizeof(quoted), path);

        (void) snprintf(buf, size, "run \"chmod %c+%s %s\"",
                        whose[0] == 'o' ? 'o' : whose[4] == 'g' ? 'g' : 'u',
                        bits, quoted);
        return;
    }

    if (access->whom == DM_ACCESS_WORKER) {
        dm_access_mend_store(access->store, "check --permissions --fix",
                             dm_access_id(geteuid(), getegid()), buf, size);
        return;
    }

    /* a tool: who it is that may */

    if (stat(access->store, &store) == -1) {
        store = *sb;
    }

    if (store.st_uid == geteuid()) {
        dm_access_quote(quoted, sizeof(quoted), access->store);
        (void) snprintf(buf, size, "run \"dm-account --store %s check "
                        "--permissions --fix\"", quoted);
        return;
    }

    pw = getpwuid(store.st_uid);

    (void) snprintf(buf, size, "root can, and the user whose store it is, "
                    "\"%s\" (%u)", pw == NULL ? "" : pw->pw_name,
                    (unsigned) store.st_uid);
}


/* with the verb of dm-account that makes it theirs, unless others have it */
static void
dm_access_mend_store(const char *store, const char *verb,
    const dm_access_id_t *id, char *buf, size_t size)
{
    char  quoted[PATH_MAX];

    if (dm_access_losers != NULL) {
        (void) snprintf(buf, size, "%s it open, from whom it would be taken: "
                        "if \"user\" is right, stop that nginx first, or let "
                        "both have a group (\"user USER GROUP\", and "
                        "dm-account's --owner USER:GROUP for each)",
                        dm_access_losers);
        return;
    }

    dm_access_quote(quoted, sizeof(quoted), store);

    (void) snprintf(buf, size, "run \"dm-account --store %s %s --owner %s\"",
                    quoted, verb, id->owner);
}


void
dm_access_spare(const char *losers)
{
    dm_access_losers = losers;
}


void
dm_access_no_slots(const char *path, const char *slots, uid_t uid, int old,
    dm_err_t *err)
{
    char                   mend[2 * PATH_MAX];
    const dm_access_id_t  *id;

    id = dm_access_id(uid, getegid());

    dm_access_mend_store(path, old ? "upgrade" : "check --permissions --fix",
                         id, mend, sizeof(mend));

    dm_err_set(err, "store \"%s\" is not for processes of %s: it has no "
               "directory \"%s\"; %s", path, id->who, slots, mend);
}


/*
 * Names are looked up once: a worker that tries a store each second must not
 * wait for a directory service each time.
 */
static const dm_access_id_t *
dm_access_id(uid_t uid, gid_t gid)
{
    size_t                  len;
    struct group           *gr;
    struct passwd          *pw;
    char                    user[DM_ACCESS_NAME], group[DM_ACCESS_NAME];
    static dm_access_id_t   id;

    if (id.known && id.uid == uid && id.gid == gid) {
        return &id;
    }

    id.known = 1;
    id.uid = uid;
    id.gid = gid;

    pw = getpwuid(uid);

    dm_access_name(user, pw == NULL ? NULL : pw->pw_name, uid);
    id.own = (pw != NULL && pw->pw_gid == gid);

    gr = getgrgid(gid);

    dm_access_name(group, gr == NULL ? NULL : gr->gr_name, gid);

    (void) snprintf(id.who, sizeof(id.who), "user %s, group %s", user, group);

    /* a name that is none for a command line is given as a number */

    dm_access_word(id.owner, DM_ACCESS_NAME, pw == NULL ? "" : pw->pw_name,
                   uid);

    if (!id.own) {
        len = strlen(id.owner);
        id.owner[len] = ':';
        dm_access_word(id.owner + len + 1, DM_ACCESS_NAME,
                       gr == NULL ? "" : gr->gr_name, gid);
    }

    return &id;
}


const char *
dm_access_who(uid_t uid, gid_t gid)
{
    return dm_access_id(uid, gid)->who;
}


/* the name in quotes and the number, or that alone */
static void
dm_access_name(char *buf, const char *name, unsigned id)
{
    if (name == NULL) {
        (void) snprintf(buf, DM_ACCESS_NAME, "%u", id);
        return;
    }

    (void) snprintf(buf, DM_ACCESS_NAME, "\"%.*s\" (%u)", DM_ACCESS_NAME - 16,
                    name, id);
}


static void
dm_access_word(char *buf, size_t size, const char *name, unsigned id)
{
    size_t  len;

    len = strlen(name);

    if (len == 0 || len >= size
        || strspn(name, DM_ACCESS_PLAIN) != len || name[0] == '-')
    {
        (void) snprintf(buf, size, "%u", id);
        return;
    }

    memcpy(buf, name, len + 1);
}


static const char *
dm_access_verb(int need)
{
    switch (need) {

    case X_OK:
        return "pass through";

    case R_OK|W_OK|X_OK:
        return "make a file in";

    case R_OK|W_OK:
        return "write";

    default:
        return "read";
    }
}


static void
dm_access_bits(char *buf, int bits)
{
    if (bits & R_OK) {
        *buf++ = 'r';
    }

    if (bits & W_OK) {
        *buf++ = 'w';
    }

    if (bits & X_OK) {
        *buf++ = 'x';
    }

    *buf = '\0';
}


void
dm_access_quote(char *buf, size_t size, const char *text)
{
    size_t  len;

    if (strspn(text, DM_ACCESS_PLAIN) == strlen(text)) {
        (void) snprintf(buf, size, "%s", text);
        return;
    }

    len = 0;
    buf[len++] = '\'';

    for ( /* void */ ; *text != '\0' && len + 6 < size; text++) {

        if (*text == '\'') {
            memcpy(buf + len, "'\\''", 4);
            len += 4;

        } else {
            buf[len++] = *text;
        }
    }

    buf[len++] = '\'';
    buf[len] = '\0';
}
