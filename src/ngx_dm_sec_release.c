/*
 * The version that runs, and whether the file on the disk and the store fit.
 *
 * A module stays loaded as long as nginx's master lives: at a reload dlopen()
 * gives what it has under that name, and never reads the file again.
 */

#include "ngx_dm_sec_release.h"

#include <limits.h>


static void ngx_dm_sec_release_loaded(void) __attribute__((constructor));


static struct {
    char               path[PATH_MAX];  /* "": nobody can tell */
    struct stat        sb;              /* of it when it was loaded */
    ngx_dm_sec_file_e  file;            /* at the last reload */
    ngx_uint_t         told;            /* the version */
} ngx_dm_sec_release;


/* is called by dlopen(): this code and the file are one and the same */
static void
ngx_dm_sec_release_loaded(void)
{
    size_t    len;
    Dl_info   info;
    char     *path;

    path = ngx_dm_sec_release.path;

    if (dladdr((void *) &ngx_dm_sec_module, &info) == 0
        || info.dli_fname == NULL)
    {
        return;
    }

    /* a worker may have another directory, where a relative path leads off */

    len = 0;

    if (info.dli_fname[0] != '/') {
        if (getcwd(path, PATH_MAX - 1) == NULL) {
            path[0] = '\0';
            return;
        }

        len = ngx_strlen(path);
        path[len++] = '/';
    }

    if (len + ngx_strlen(info.dli_fname) >= PATH_MAX) {
        path[0] = '\0';
        return;
    }

    (void) ngx_cpystrn((u_char *) path + len, (u_char *) info.dli_fname,
                       PATH_MAX - len);

    if (stat(path, &ngx_dm_sec_release.sb) == -1) {
        path[0] = '\0';
    }
}


void
ngx_dm_sec_release_init_module(ngx_cycle_t *cycle)
{
    if (ngx_test_config) {
        return;
    }

    if (!ngx_dm_sec_release.told) {
        ngx_dm_sec_release.told = 1;

        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "dm_sec: ngx_dm_sec_module %s, %s", DM_VERSION,
                      OpenSSL_version(OPENSSL_VERSION));
        return;
    }

    ngx_dm_sec_release.file = NGX_DM_SEC_FILE_SAME;
    ngx_dm_sec_release.file = ngx_dm_sec_release_file();

    if (ngx_dm_sec_release.file == NGX_DM_SEC_FILE_SAME) {
        return;
    }

    /* an update has not taken, and Debian's error_log has errors only */

    ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                  "dm_sec: \"%s\" was %s since nginx started, and a reload "
                  "does not load it: version %s, which was there before, "
                  "still runs; %s", ngx_dm_sec_release.path,
                  ngx_dm_sec_release.file == NGX_DM_SEC_FILE_REPLACED
                  ? "replaced" : "deleted", DM_VERSION,
                  ngx_dm_sec_release.file == NGX_DM_SEC_FILE_REPLACED
                  ? "\"systemctl restart nginx\", or kill -USR2 and then -QUIT "
                    "to the master, starts the new one"
                  : "put it there again, or nginx will not start any more, "
                    "and then \"systemctl restart nginx\"");
}


ngx_dm_sec_file_e
ngx_dm_sec_release_file(void)
{
    struct stat  sb, *loaded;

    loaded = &ngx_dm_sec_release.sb;

    if (ngx_dm_sec_release.path[0] == '\0') {
        return NGX_DM_SEC_FILE_SAME;
    }

    /* workers may be shut out of the directory: the master has looked, too */

    if (stat(ngx_dm_sec_release.path, &sb) == -1) {
        return ngx_errno == NGX_ENOENT ? NGX_DM_SEC_FILE_DELETED
                                       : ngx_dm_sec_release.file;
    }

    return sb.st_dev == loaded->st_dev && sb.st_ino == loaded->st_ino
           && sb.st_size == loaded->st_size
           && sb.st_mtim.tv_sec == loaded->st_mtim.tv_sec
           && sb.st_mtim.tv_nsec == loaded->st_mtim.tv_nsec
           ? NGX_DM_SEC_FILE_SAME : NGX_DM_SEC_FILE_REPLACED;
}


void
ngx_dm_sec_release_check(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    int  rc;

    rc = dm_version_compare(dmcf->writer);

    if (rc < 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "dm_sec: store \"%V\" was last written by dm-account "
                      "%s%s, and this is %s: run \"dm-account upgrade\" of "
                      "this version, and no other dm-account from then on",
                      &dmcf->store,
                      dmcf->writer[0] ? "" : "of a version before ",
                      dmcf->writer[0] ? dmcf->writer : DM_VERSION_SIGNS,
                      DM_VERSION);
        return;
    }

    if (rc > 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "dm_sec: store \"%V\" was last written by dm-account "
                      "%s, and this is %s: install the module of that "
                      "version, and restart nginx", &dmcf->store,
                      dmcf->writer, DM_VERSION);
    }
}
