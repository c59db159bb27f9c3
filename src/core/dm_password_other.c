/* Password hashes that are not kept, named for what they are */

#include <string.h>

#include "dm_password_other.h"


#define DM_OTHER_DES  13                    /* characters: salt and hash */


static size_t dm_other_span(dm_str_t hash, const char *set);


/* in either case; the first that fits */
static const struct {
    const char  *prefix;
    const char  *says;
} dm_other_kinds[] = {
    { "$argon2id$", "is argon2id, which libxcrypt does not have" },
    { "$argon2i$", "is argon2i, which libxcrypt does not have" },
    { "$argon2d$", "is argon2d, which libxcrypt does not have" },
    { "$2", "is bcrypt of an old kind, which verified some passwords wrongly" },
    { "$gy$", "is gost-yescrypt, for which no bound of its cost is known" },
    { "$7$", "is scrypt, for which no bound of its cost is known" },
    { "$scrypt$", "is scrypt as passlib has it, which libxcrypt does not "
      "have" },
    { "$3$", "is NTLM, which is as good as the password" },
    { "$1+ntlm$", "is lighttpd's NTLM, which libxcrypt does not have" },
    { "$md5", "is Sun's MD5 crypt, which nothing makes any more" },
    { "$sha1$", "is NetBSD's SHA-1 crypt, which nothing makes any more" },
    { "$P$", "is phpass, which libxcrypt does not have" },
    { "$H$", "is phpass, which libxcrypt does not have" },
    { "$S$", "is Drupal's, which libxcrypt does not have" },
    { "$pbkdf2", "is PBKDF2 as passlib has it, which libxcrypt does not "
      "have" },
    { "$bcrypt-sha256$", "is passlib's own bcrypt, which libxcrypt does not "
      "have" },
    { "pbkdf2_", "is Django's PBKDF2, which libxcrypt does not have" },
    { "bcrypt$", "is Django's bcrypt: write what is behind the first \"$\"" },
    { "bcrypt_sha256$", "is Django's own bcrypt, which libxcrypt does not "
      "have" },
    { "{CRYPT}", "is LDAP's {CRYPT}: write what is behind it" },
    { "{SSHA256}", "is LDAP's {SSHA256}, which nginx does not have" },
    { "{SSHA384}", "is LDAP's {SSHA384}, which nginx does not have" },
    { "{SSHA512}", "is LDAP's {SSHA512}, which nginx does not have" },
    { "{SHA256}", "is LDAP's {SHA256}, which nginx does not have" },
    { "{SHA384}", "is LDAP's {SHA384}, which nginx does not have" },
    { "{SHA512}", "is LDAP's {SHA512}, which nginx does not have" },
    { "{SMD5}", "is LDAP's {SMD5}, which nginx does not have" },
    { "{MD5}", "is LDAP's {MD5}, which nginx does not have" },
    { "{SHA}", "is LDAP's: write {SHA} in capitals" },
    { "{SSHA}", "is LDAP's: write {SSHA} in capitals" },
    { "{PLAIN}", "is a password in clear, which has its place in an htpasswd "
      "file, with {PLAIN} in capitals, or in \"password\"" },
    { "{PBKDF2", "is LDAP's PBKDF2, which nginx does not have" },
    { "{ARGON2}", "is LDAP's argon2, which libxcrypt does not have" },
    { "{", "is of a kind in braces that nginx does not have" },
    { "!", "locks a user: leave the line out, or disable the account" },
    { "*", "locks a user: leave the line out, or disable the account" },
    { NULL, NULL }
};


const char *
dm_password_other(dm_str_t hash)
{
    size_t      i;
    dm_str_t    prefix, head;

    static const char  hex[] = "0123456789abcdefABCDEF";
    static const char  des[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz";

    for (i = 0; dm_other_kinds[i].prefix != NULL; i++) {
        prefix.data = (const unsigned char *) dm_other_kinds[i].prefix;
        prefix.len = strlen(dm_other_kinds[i].prefix);
        head = (dm_str_t) { hash.data, prefix.len };

        if (hash.len >= prefix.len && dm_str_ieq(head, prefix)) {
            return dm_other_kinds[i].says;
        }
    }

    if (hash.len == 0) {
        return "is missing";
    }

    /* a password in clear of these characters would be called so, too */

    if (hash.len == DM_OTHER_DES && dm_other_span(hash, des) == hash.len) {
        return "is DES crypt, which looks at 8 characters and is tried in no "
               "time";
    }

    if (hash.len == 20 && hash.data[0] == '_') {
        return "is BSDi's DES crypt, which nothing makes any more";
    }

    if ((hash.len == 32 || hash.len == 64)
        && dm_other_span(hash, hex) == hash.len)
    {
        return hash.len == 32 ? "is 32 digits in hex, as an htdigest file has "
                                "them: see --format htdigest"
                              : "is 64 digits in hex, as an htdigest file has "
                                "them: see --format htdigest";
    }

    return "is of no kind that is known; a password in clear has {PLAIN} "
           "before it";
}


/* how many octets at its start are of the set */
static size_t
dm_other_span(dm_str_t hash, const char *set)
{
    size_t  i;

    for (i = 0; i < hash.len; i++) {
        if (hash.data[i] == '\0' || strchr(set, hash.data[i]) == NULL) {
            break;
        }
    }

    return i;
}
