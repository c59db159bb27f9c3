/* The configurations of other modules: how they answer, and whom they let in */

#include "ngx_dm_sec_foreign.h"


/* addresses that stand for all others: the next ones are of other networks */
#define NGX_DM_SEC_FOREIGN_SAMPLES  256


/* a rule of ngx_http_access_module, for IPv4 */
typedef struct {
    in_addr_t        mask;
    in_addr_t        addr;
    ngx_uint_t       deny;
} ngx_dm_sec_foreign_rule_t;

#if (NGX_HAVE_INET6)

/* and for IPv6 */
typedef struct {
    struct in6_addr  addr;
    struct in6_addr  mask;
    ngx_uint_t       deny;
} ngx_dm_sec_foreign_rule6_t;

#endif

/* the word of the first rule that names an address */
typedef enum {
    NGX_DM_SEC_FOREIGN_NAMED = 0,
    NGX_DM_SEC_FOREIGN_DENIED,
    NGX_DM_SEC_FOREIGN_UNNAMED
} ngx_dm_sec_foreign_access_e;


/* asks the rules of a family about one of the addresses */
typedef ngx_dm_sec_foreign_access_e (*ngx_dm_sec_foreign_ask_pt)(
    ngx_array_t *rules, ngx_uint_t sample);

typedef char *(*ngx_dm_sec_foreign_set_pt)(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_uint_t ngx_dm_sec_foreign_lets_in(ngx_conf_t *cf, void **loc_conf,
    ngx_uint_t unnamed);
static ngx_uint_t ngx_dm_sec_foreign_most(ngx_array_t *rules,
    ngx_dm_sec_foreign_ask_pt ask, ngx_uint_t unnamed);
static ngx_dm_sec_foreign_access_e ngx_dm_sec_foreign_ask(ngx_array_t *rules,
    ngx_uint_t sample);
#if (NGX_HAVE_INET6)
static ngx_dm_sec_foreign_access_e ngx_dm_sec_foreign_ask6(ngx_array_t *rules,
    ngx_uint_t sample);
static ngx_uint_t ngx_dm_sec_foreign_listens6(ngx_conf_t *cf);
#endif
static void **ngx_dm_sec_foreign_conf(ngx_conf_t *cf, void **loc_conf,
    const char *name);
static void *ngx_dm_sec_foreign_field(ngx_conf_t *cf, void **loc_conf,
    const char *directive, ngx_dm_sec_foreign_set_pt set);


/*
 * The codes are of several lengths, each of whole words, the first of which is
 * the address of its function: no other word can be one.
 */
ngx_uint_t
ngx_dm_sec_foreign_rewrite(ngx_conf_t *cf, void **loc_conf)
{
    void                           **conf;
    uintptr_t                       *word, *last;
    ngx_uint_t                       bits;
    ngx_array_t                     *codes;
    ngx_http_script_return_code_t   *ret;
    ngx_http_script_regex_code_t    *regex;

    conf = ngx_dm_sec_foreign_conf(cf, loc_conf, "ngx_http_rewrite_module");
    codes = conf ? *conf : NULL;

    if (codes == NULL || codes->size != 1) {
        return 0;
    }

    bits = 0;
    word = codes->elts;
    last = word + codes->nelts / sizeof(uintptr_t);

    for ( /* void */ ; word < last; word++) {

        if (*word == (uintptr_t) ngx_http_script_if_code) {
            bits |= NGX_DM_SEC_FOREIGN_IF;

        } else if (*word == (uintptr_t) ngx_http_script_return_code) {
            ret = (ngx_http_script_return_code_t *) word;

            if (ret->status >= 300) {
                bits |= ret->status < 400 ? NGX_DM_SEC_FOREIGN_REDIRECTS : 0;

            } else if (ret->status != NGX_HTTP_NO_CONTENT) {
                bits |= NGX_DM_SEC_FOREIGN_ANSWERS;
            }

        } else if (*word == (uintptr_t) ngx_http_script_regex_start_code) {
            regex = (ngx_http_script_regex_code_t *) word;
            bits |= regex->redirect ? NGX_DM_SEC_FOREIGN_REDIRECTS : 0;
        }
    }

    return bits;
}


/* the first member of auth_request's configuration is what it asks */
ngx_uint_t
ngx_dm_sec_foreign_guards(ngx_conf_t *cf, void **loc_conf)
{
    void  **conf;

    if (!ngx_dm_sec_foreign_lets_in(cf, loc_conf, 1)) {
        return 1;
    }

    conf = ngx_dm_sec_foreign_conf(cf, loc_conf,
                                   "ngx_http_auth_request_module");
    if (conf && *conf) {
        return 1;
    }

    return ngx_dm_sec_foreign_auth_basic(cf, loc_conf);
}


ngx_uint_t
ngx_dm_sec_foreign_allows_all(ngx_conf_t *cf, void **loc_conf)
{
    return ngx_dm_sec_foreign_lets_in(cf, loc_conf, 0);
}


/*
 * 1 if most addresses of a family are let in.  unnamed: those that no rule
 * names are, too.  What two rules name together counts, as what one names.
 */
static ngx_uint_t
ngx_dm_sec_foreign_lets_in(ngx_conf_t *cf, void **loc_conf, ngx_uint_t unnamed)
{
    void         **conf;
#if (NGX_HAVE_INET6)
    ngx_array_t   *rules6;
#endif

    conf = ngx_dm_sec_foreign_conf(cf, loc_conf, "ngx_http_access_module");

    if (conf == NULL) {
        return unnamed;
    }

    if (ngx_dm_sec_foreign_most(conf[0], ngx_dm_sec_foreign_ask, unnamed)) {
        return 1;
    }

#if (NGX_HAVE_INET6)

    rules6 = conf[1];

    if (ngx_dm_sec_foreign_most(rules6, ngx_dm_sec_foreign_ask6, unnamed)) {
        return rules6 || ngx_dm_sec_foreign_listens6(cf);
    }

#endif

    return 0;
}


/* 1 if more than half of the addresses that are asked about are let in */
static ngx_uint_t
ngx_dm_sec_foreign_most(ngx_array_t *rules, ngx_dm_sec_foreign_ask_pt ask,
    ngx_uint_t unnamed)
{
    ngx_uint_t                   i, n;
    ngx_dm_sec_foreign_access_e  access;

    n = 0;

    for (i = 0; i < NGX_DM_SEC_FOREIGN_SAMPLES; i++) {
        access = ask(rules, i);
        n += access == NGX_DM_SEC_FOREIGN_NAMED
             || (unnamed && access == NGX_DM_SEC_FOREIGN_UNNAMED);
    }

    return n > NGX_DM_SEC_FOREIGN_SAMPLES / 2;
}


/* an address of each network 0.0.0.0/8 to 255.0.0.0/8 */
static ngx_dm_sec_foreign_access_e
ngx_dm_sec_foreign_ask(ngx_array_t *rules, ngx_uint_t sample)
{
    in_addr_t                   addr;
    ngx_uint_t                  i;
    ngx_dm_sec_foreign_rule_t  *rule;

    if (rules == NULL || rules->size != sizeof(ngx_dm_sec_foreign_rule_t)) {
        return NGX_DM_SEC_FOREIGN_UNNAMED;
    }

    rule = rules->elts;
    addr = htonl((uint32_t) sample << 24 | 0x5b2e97);

    for (i = 0; i < rules->nelts; i++) {

        if ((addr & rule[i].mask) == rule[i].addr) {
            return rule[i].deny ? NGX_DM_SEC_FOREIGN_DENIED
                                : NGX_DM_SEC_FOREIGN_NAMED;
        }
    }

    return NGX_DM_SEC_FOREIGN_UNNAMED;
}


#if (NGX_HAVE_INET6)

/* an address of each network 2000::/11 to 3fe0::/11 */
static ngx_dm_sec_foreign_access_e
ngx_dm_sec_foreign_ask6(ngx_array_t *rules, ngx_uint_t sample)
{
    u_char                       addr[16];
    ngx_uint_t                   i, n;
    ngx_dm_sec_foreign_rule6_t  *rule;

    if (rules == NULL || rules->size != sizeof(ngx_dm_sec_foreign_rule6_t)) {
        return NGX_DM_SEC_FOREIGN_UNNAMED;
    }

    rule = rules->elts;

    ngx_memset(addr, 0x5b, 16);
    addr[0] = (u_char) (0x20 | sample >> 3);
    addr[1] = (u_char) (sample << 5 | 0x0b);

    for (i = 0; i < rules->nelts; i++) {

        for (n = 0; n < 16; n++) {
            if ((addr[n] & rule[i].mask.s6_addr[n]) != rule[i].addr.s6_addr[n])
            {
                break;
            }
        }

        if (n == 16) {
            return rule[i].deny ? NGX_DM_SEC_FOREIGN_DENIED
                                : NGX_DM_SEC_FOREIGN_NAMED;
        }
    }

    return NGX_DM_SEC_FOREIGN_UNNAMED;
}


/* 1 if clients of IPv6 can come at all: without a rule for it they pass */
static ngx_uint_t
ngx_dm_sec_foreign_listens6(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_conf_port_t       *port;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        if (port[i].family == AF_INET6) {
            return 1;
        }
    }

    return 0;
}

#endif


ngx_uint_t
ngx_dm_sec_foreign_auth_basic(ngx_conf_t *cf, void **loc_conf)
{
    ngx_http_complex_value_t  *realm, **field;

    field = ngx_dm_sec_foreign_field(cf, loc_conf, "auth_basic",
                                     ngx_http_set_complex_value_slot);
    realm = field ? *field : NULL;

    return realm && (realm->lengths || realm->value.len != 3
                     || ngx_strncmp(realm->value.data, "off", 3) != 0);
}


/*
 * The fields of an upstream are public, and their directives tell where they
 * are.  One that has its server by variables is not told from one without.
 */
ngx_str_t *
ngx_dm_sec_foreign_keeps_headers(ngx_conf_t *cf, void **loc_conf)
{
    char                      *p;
    ngx_uint_t                 i;
    ngx_flag_t                *flag;
    ngx_http_upstream_conf_t  *upstream;

    static ngx_str_t  directives[] = {
        ngx_string("proxy_pass_request_headers"),
        ngx_string("fastcgi_pass_request_headers"),
        ngx_string("scgi_pass_request_headers"),
        ngx_string("uwsgi_pass_request_headers"),
        ngx_null_string
    };

    for (i = 0; directives[i].len; i++) {
        flag = ngx_dm_sec_foreign_field(cf, loc_conf,
                                        (char *) directives[i].data,
                                        ngx_conf_set_flag_slot);
        if (flag == NULL || *flag) {
            continue;
        }

        p = (char *) flag;
        p -= offsetof(ngx_http_upstream_conf_t, pass_request_headers);
        upstream = (ngx_http_upstream_conf_t *) p;

        if (upstream->upstream) {
            return &directives[i];
        }
    }

    return NULL;
}


/*
 * The directives keep what they were given in arrays of two kinds, in a field
 * that their row of the table tells.  A parameter of CGI is a header where its
 * name begins with HTTP_.
 */
ngx_str_t *
ngx_dm_sec_foreign_sets_header(ngx_conf_t *cf, void **loc_conf,
    ngx_dm_sec_foreign_meant_pt meant, ngx_str_t *key, ngx_str_t *value)
{
    u_char       *p;
    size_t        size;
    ngx_str_t     name;
    ngx_uint_t    i, n, param;
    ngx_array_t  *set, **field;

    static ngx_str_t  directives[] = {
        ngx_string("proxy_set_header"),
        ngx_string("grpc_set_header"),
        ngx_string("fastcgi_param"),
        ngx_string("scgi_param"),
        ngx_string("uwsgi_param"),
        ngx_null_string
    };

    for (i = 0; directives[i].len; i++) {
        param = directives[i].data[directives[i].len - 1] == 'm';
        size = param ? sizeof(ngx_http_upstream_param_t)
                     : sizeof(ngx_keyval_t);

        field = ngx_dm_sec_foreign_field(cf, loc_conf,
                                         (char *) directives[i].data,
                                         param
                                         ? ngx_http_upstream_param_set_slot
                                         : ngx_conf_set_keyval_slot);
        set = field ? *field : NULL;

        if (set == NULL || set->size != size) {
            continue;
        }

        /* both begin with a name and a value */

        p = set->elts;

        for (n = 0; n < set->nelts; n++, p += size) {
            *key = ((ngx_keyval_t *) p)->key;
            *value = ((ngx_keyval_t *) p)->value;
            name = *key;

            if (param) {
                if (name.len < 5 || ngx_strncmp(name.data, "HTTP_", 5) != 0) {
                    continue;
                }

                name.len -= 5;
                name.data += 5;
            }

            if (meant(&name, value)) {
                return &directives[i];
            }
        }
    }

    return NULL;
}


/* finds the configuration of the module; NULL: it is not there */
static void **
ngx_dm_sec_foreign_conf(ngx_conf_t *cf, void **loc_conf,
    const char *name)
{
    ngx_uint_t     i;
    ngx_module_t  *module;

    for (i = 0; i < cf->cycle->modules_n; i++) {
        module = cf->cycle->modules[i];

        if (module->type == NGX_HTTP_MODULE
            && ngx_strcmp(module->name, name) == 0)
        {
            return loc_conf[module->ctx_index];
        }
    }

    return NULL;
}


/* finds the field that the directive sets by this setter; NULL: none */
static void *
ngx_dm_sec_foreign_field(ngx_conf_t *cf, void **loc_conf,
    const char *directive, ngx_dm_sec_foreign_set_pt set)
{
    ngx_uint_t      i;
    ngx_module_t   *module;
    ngx_command_t  *cmd;

    for (i = 0; i < cf->cycle->modules_n; i++) {
        module = cf->cycle->modules[i];

        if (module->type != NGX_HTTP_MODULE || module->commands == NULL) {
            continue;
        }

        for (cmd = module->commands; cmd->name.len; cmd++) {

            if (cmd->conf == NGX_HTTP_LOC_CONF_OFFSET
                && cmd->set == set
                && ngx_strcmp(cmd->name.data, directive) == 0)
            {
                return (char *) loc_conf[module->ctx_index]
                       + cmd->offset;
            }
        }
    }

    return NULL;
}
