/* The status page for people, in HTML */

#ifndef NGX_DM_SEC_HTML_H
#define NGX_DM_SEC_HTML_H


#include "ngx_dm_sec_page.h"


/*
 * Writes the page.  What others wrote, clients above all, is escaped as in the
 * log, and then as HTML.  A failure of ours leaves page->failed.
 */
void ngx_dm_sec_html(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf);

/*
 * Sets the type of the answer, and the headers that let a browser load nothing
 * and run nothing of it, whatever is in it, nor keep or frame it.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_html_headers(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_HTML_H */
