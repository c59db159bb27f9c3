/* Password hashes that are not kept, named for what they are */

#ifndef DM_PASSWORD_OTHER_H
#define DM_PASSWORD_OTHER_H


#include "dm.h"


/*
 * The name of a hash that dm_password_check() refuses, as a predicate: "is
 * argon2id, which ...".  Nothing of the hash is in it, for that may be a
 * password in clear.
 */
const char *dm_password_other(dm_str_t hash);


#endif /* DM_PASSWORD_OTHER_H */
