/* The methods of authentication */

#ifndef NGX_DM_SEC_METHOD_H
#define NGX_DM_SEC_METHOD_H


#include "ngx_dm_sec.h"


/* "x509", or "-" for none */
void ngx_dm_sec_method_name(ngx_uint_t method, ngx_str_t *name);


#endif /* NGX_DM_SEC_METHOD_H */
