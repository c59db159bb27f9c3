/* The stable names of what dm-account refuses, for programs */

#ifndef DM_ACCOUNT_CODE_H
#define DM_ACCOUNT_CODE_H


/*
 * docs/accounts.md has a table of them; their names are in code.c, and never
 * change
 */
typedef enum {
    DM_CODE_USAGE,              /* of dm_cli_usage() alone */

    DM_CODE_NO_ACCOUNT,
    DM_CODE_NOT_YET,
    DM_CODE_EXISTS,
    DM_CODE_TAKEN,
    DM_CODE_INVALID,
    DM_CODE_LIMIT,
    DM_CODE_NOT_HELD,
    DM_CODE_PASSWORD_NEEDED,

    DM_CODE_NOT_VERIFIED,
    DM_CODE_DISABLED,
    DM_CODE_NOT_YET_VALID,
    DM_CODE_EXPIRED,

    DM_CODE_BAD_FILE,
    DM_CODE_BAD_LINES,
    DM_CODE_WRONG_REALM,
    DM_CODE_INTERRUPTED,

    DM_CODE_NO_STORE,
    DM_CODE_STORE_EXISTS,
    DM_CODE_STORE_UNUSABLE,
    DM_CODE_STORE_FAILED,
    DM_CODE_STORE_DAMAGED,
    DM_CODE_IN_USE,

    DM_CODE_KEY_UNUSABLE,
    DM_CODE_KEY_EXISTS,
    DM_CODE_REKEY_ORDER,

    DM_CODE_AUTHORITY,
    DM_CODE_ENGINE,
    DM_CODE_NOT_KNOWN,
    DM_CODE_FOLLOWS,

    DM_CODE_TERMINAL,
    DM_CODE_OUTPUT_FAILED,
    DM_CODE_USER,
    DM_CODE_SYSTEM,
    DM_CODE_N
} dm_code_e;


/* its name, as programs read it */
const char *dm_code_name(dm_code_e code);

/*
 * The code for what a function of the store or of the core returned, which is
 * not DM_OK.
 */
dm_code_e dm_code_of(int rc);

/* the same where a store was opened or made, not an account */
dm_code_e dm_code_of_store(int rc);


#endif /* DM_ACCOUNT_CODE_H */
