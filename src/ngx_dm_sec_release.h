/* The version that runs, and whether the file on the disk and the store fit */

#ifndef NGX_DM_SEC_RELEASE_H
#define NGX_DM_SEC_RELEASE_H


#include "ngx_dm_sec.h"


/* the file that this code was loaded from, as it is on the disk now */
typedef enum {
    NGX_DM_SEC_FILE_SAME = 0,           /* or nobody can tell */
    NGX_DM_SEC_FILE_REPLACED,
    NGX_DM_SEC_FILE_DELETED
} ngx_dm_sec_file_e;


/*
 * Logs the version where nginx starts, and at a reload that the file is another
 * one by now: nginx does not load it anew.
 */
void ngx_dm_sec_release_init_module(ngx_cycle_t *cycle);

/* costs one stat() */
ngx_dm_sec_file_e ngx_dm_sec_release_file(void);

/* warns where dmcf->writer is another version */
void ngx_dm_sec_release_check(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);


#endif /* NGX_DM_SEC_RELEASE_H */
