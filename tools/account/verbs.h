/* The verbs of dm-account, a table each; main.c knows their order */

#ifndef DM_ACCOUNT_VERBS_H
#define DM_ACCOUNT_VERBS_H

#include "account/cli.h"


extern const dm_verb_t  dm_verb_init;
extern const dm_verb_t  dm_verb_add;
extern const dm_verb_t  dm_verb_set;
extern const dm_verb_t  dm_verb_disable;
extern const dm_verb_t  dm_verb_enable;
extern const dm_verb_t  dm_verb_unlock;
extern const dm_verb_t  dm_verb_del;
extern const dm_verb_t  dm_verb_show;
extern const dm_verb_t  dm_verb_list;
extern const dm_verb_t  dm_verb_explain;
extern const dm_verb_t  dm_verb_verify;
extern const dm_verb_t  dm_verb_batch;
extern const dm_verb_t  dm_verb_import;
extern const dm_verb_t  dm_verb_export;
extern const dm_verb_t  dm_verb_check;
extern const dm_verb_t  dm_verb_backup;
extern const dm_verb_t  dm_verb_restore;
extern const dm_verb_t  dm_verb_upgrade;
extern const dm_verb_t  dm_verb_rekey;
extern const dm_verb_t  dm_verb_provision;
extern const dm_verb_t  dm_verb_replicate;


#endif /* DM_ACCOUNT_VERBS_H */
