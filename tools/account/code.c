/* The stable names of what dm-account refuses, for programs */

#include "dm.h"
#include "account/code.h"


static const char *const  dm_code_names[DM_CODE_N] = {
    [DM_CODE_USAGE] = "usage",

    [DM_CODE_NO_ACCOUNT] = "no_account",
    [DM_CODE_NOT_YET] = "not_yet",
    [DM_CODE_EXISTS] = "exists",
    [DM_CODE_TAKEN] = "taken",
    [DM_CODE_INVALID] = "invalid",
    [DM_CODE_LIMIT] = "limit",
    [DM_CODE_NOT_HELD] = "not_held",
    [DM_CODE_PASSWORD_NEEDED] = "password_needed",

    [DM_CODE_NOT_VERIFIED] = "not_verified",
    [DM_CODE_DISABLED] = "disabled",
    [DM_CODE_NOT_YET_VALID] = "not_yet_valid",
    [DM_CODE_EXPIRED] = "expired",

    [DM_CODE_BAD_FILE] = "bad_file",
    [DM_CODE_BAD_LINES] = "bad_lines",
    [DM_CODE_WRONG_REALM] = "wrong_realm",
    [DM_CODE_INTERRUPTED] = "interrupted",

    [DM_CODE_NO_STORE] = "no_store",
    [DM_CODE_STORE_EXISTS] = "store_exists",
    [DM_CODE_STORE_UNUSABLE] = "store_unusable",
    [DM_CODE_STORE_FAILED] = "store_failed",
    [DM_CODE_STORE_DAMAGED] = "store_damaged",
    [DM_CODE_IN_USE] = "in_use",

    [DM_CODE_KEY_UNUSABLE] = "key_unusable",
    [DM_CODE_KEY_EXISTS] = "key_exists",
    [DM_CODE_REKEY_ORDER] = "rekey_order",

    [DM_CODE_AUTHORITY] = "authority",
    [DM_CODE_ENGINE] = "engine",
    [DM_CODE_NOT_KNOWN] = "not_known",
    [DM_CODE_FOLLOWS] = "follows",

    [DM_CODE_TERMINAL] = "terminal",
    [DM_CODE_OUTPUT_FAILED] = "output_failed",
    [DM_CODE_USER] = "user",
    [DM_CODE_SYSTEM] = "system"
};


const char *
dm_code_name(dm_code_e code)
{
    return dm_code_names[code];
}


dm_code_e
dm_code_of(int rc)
{
    switch (rc) {

    case DM_DECLINED:
        return DM_CODE_NO_ACCOUNT;

    case DM_INVALID:
        return DM_CODE_INVALID;

    case DM_EXISTS:
        return DM_CODE_TAKEN;

    default: /* DM_ERROR */
        return DM_CODE_STORE_FAILED;
    }
}


dm_code_e
dm_code_of_store(int rc)
{
    switch (rc) {

    case DM_INVALID:
        return DM_CODE_STORE_UNUSABLE;

    case DM_EXISTS:
        return DM_CODE_STORE_EXISTS;

    default: /* DM_ERROR */
        return DM_CODE_STORE_FAILED;
    }
}
