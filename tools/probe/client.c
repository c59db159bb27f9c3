/* One request on a connection of its own: package 1 of a DM session */

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "probe/client.h"


#define DM_CLIENT_HEADER_MAX  8192


/* the data of libcurl's callbacks */
typedef struct {
    const dm_offer_t  *offer;
    dm_reply_t        *reply;
    int                ours;
    long               error;       /* errno, of the connection */
} dm_client_t;


static int dm_client_part(CURLU *url, CURLUPart part, unsigned flags,
    char *out, size_t size);
static int dm_client_target(CURLU *url, dm_address_t *address);
static int dm_client_settle(CURLU *url, dm_address_t *address,
    const char *scheme, dm_err_t *err);
static struct curl_slist *dm_client_headers(const dm_probe_t *probe,
    const char *authorization);
static int dm_client_header(struct curl_slist **list, const char *name,
    const char *value);
static void dm_client_wipe(struct curl_slist *list);
static int dm_client_setup(CURL *curl, const dm_probe_t *probe,
    dm_client_t *client);
static int dm_client_setup_tls(CURL *curl, const dm_probe_t *probe,
    dm_client_t *client);
static CURLcode dm_client_ctx(CURL *curl, void *ctx, void *data);
static size_t dm_client_head(char *data, size_t size, size_t n, void *user);
static size_t dm_client_body(char *data, size_t size, size_t n, void *user);
static void dm_client_judge(dm_client_t *client, CURLcode rc,
    const char *message, long verify);
static dm_outcome_t dm_client_outcome(const dm_client_t *client,
    CURLcode rc);


int64_t
dm_probe_now(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


int64_t
dm_probe_left(const dm_probe_t *probe)
{
    int64_t  left;

    left = probe->deadline - dm_probe_now();

    if (left < 0) {
        return 0;
    }

    return left < probe->timeout ? left : probe->timeout;
}


int
dm_client_init(dm_err_t *err)
{
    const curl_version_info_data  *info;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        dm_err_set(err, "libcurl does not start");
        return DM_ERROR;
    }

    info = curl_version_info(CURLVERSION_NOW);

    if (info->ssl_version == NULL
        || strncmp(info->ssl_version, "OpenSSL/", 8) != 0)
    {
        dm_err_set(err, "libcurl is built with %s: OpenSSL is needed",
                   info->ssl_version == NULL ? "no TLS" : info->ssl_version);
        return DM_ERROR;
    }

    return DM_OK;
}


void
dm_client_done(void)
{
    curl_global_cleanup();
}


int
dm_client_address(dm_address_t *address, const char *url, const char *scheme,
    dm_err_t *err)
{
    int     rc;
    CURLU  *parts;

    memset(address, 0, sizeof(dm_address_t));

    parts = curl_url();

    if (parts == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK) {
        dm_err_set(err, "\"%s\" is not a URL: write %s://HOST/PATH", url,
                   scheme);
        rc = DM_INVALID;

    } else {
        rc = dm_client_settle(parts, address, scheme, err);
    }

    curl_url_cleanup(parts);

    return rc;
}


static int
dm_client_settle(CURLU *url, dm_address_t *address, const char *scheme,
    dm_err_t *err)
{
    char  text[DM_PROBE_HOST_MAX];

    if (dm_client_part(url, CURLUPART_USER, 0, text, sizeof(text)) == DM_OK
        || dm_client_part(url, CURLUPART_PASSWORD, 0, text, sizeof(text))
           == DM_OK)
    {
        OPENSSL_cleanse(text, sizeof(text));
        dm_err_set(err, "a URL with a user name or a password is not taken: "
                   "write --user and --password-file");
        return DM_INVALID;
    }

    if (dm_client_part(url, CURLUPART_SCHEME, 0, text, sizeof(text)) != DM_OK
        || strcmp(text, scheme) != 0)
    {
        dm_err_set(err, "the URL must begin with %s://", scheme);
        return DM_INVALID;
    }

    (void) curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);

    if (dm_client_part(url, CURLUPART_URL, 0, address->url,
                       sizeof(address->url))
        != DM_OK
        || dm_client_part(url, CURLUPART_HOST, 0, address->host,
                          sizeof(address->host))
           != DM_OK
        || dm_client_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT,
                          address->port, sizeof(address->port))
           != DM_OK
        || dm_client_target(url, address) != DM_OK)
    {
        dm_err_set(err, "the URL is too long");
        return DM_INVALID;
    }

    return DM_OK;
}


/* DM_DECLINED: there is no such part, or it is too long */
static int
dm_client_part(CURLU *url, CURLUPart part, unsigned flags, char *out,
    size_t size)
{
    int    n;
    char  *text;

    text = NULL;

    if (curl_url_get(url, part, &text, flags) != CURLUE_OK) {
        return DM_DECLINED;
    }

    n = snprintf(out, size, "%s", text);
    curl_free(text);

    return (size_t) n < size ? DM_OK : DM_DECLINED;
}


static int
dm_client_target(CURLU *url, dm_address_t *address)
{
    size_t  len;

    if (dm_client_part(url, CURLUPART_PATH, 0, address->target,
                       sizeof(address->target))
        != DM_OK)
    {
        return DM_DECLINED;
    }

    len = strlen(address->target);

    if (len + 2 < sizeof(address->target)
        && dm_client_part(url, CURLUPART_QUERY, 0, address->target + len + 1,
                          sizeof(address->target) - len - 1)
           == DM_OK)
    {
        address->target[len] = '?';
        return DM_OK;
    }

    address->target[len] = '\0';

    return DM_OK;
}


void
dm_client_send(const dm_probe_t *probe, const dm_offer_t *offer,
    const char *authorization, dm_reply_t *reply)
{
    long                verify;
    char                message[CURL_ERROR_SIZE];
    CURL               *curl;
    CURLcode            rc;
    dm_client_t         client;
    struct curl_slist  *headers;

    memset(reply, 0, sizeof(dm_reply_t));
    reply->seen.suite = "-";
    reply->seen.alert = -1;
    message[0] = '\0';
    verify = 0;

    client.offer = offer;
    client.reply = reply;
    client.ours = 0;
    client.error = 0;

    curl = curl_easy_init();
    headers = dm_client_headers(probe, authorization);
    rc = CURLE_OUT_OF_MEMORY;

    if (dm_probe_left(probe) == 0) {
        rc = CURLE_OPERATION_TIMEDOUT;
        (void) snprintf(message, sizeof(message), "the time of all requests "
                        "together is over: --limit");

    } else if (curl != NULL && headers != NULL
               && dm_client_setup(curl, probe, &client) == DM_OK
               && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers)
                  == CURLE_OK)
    {
        (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);

        rc = curl_easy_perform(curl);

        (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE,
                                 &reply->status);
        (void) curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verify);
        (void) curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &client.error);
    }

    dm_client_judge(&client, rc, message, verify);

    curl_easy_cleanup(curl);
    dm_client_wipe(headers);
}


static struct curl_slist *
dm_client_headers(const dm_probe_t *probe, const char *authorization)
{
    struct curl_slist  *list;

    list = NULL;

    /* no "Expect: 100-continue", which old servers do not know */
    if (dm_client_header(&list, "Content-Type", DM_MESSAGE_TYPE) != DM_OK
        || dm_client_header(&list, "Accept",
                            "application/vnd.oma.dm.request+json")
           != DM_OK
        || dm_client_header(&list, "Expect", "") != DM_OK
        || (probe->device_id != NULL
            && dm_client_header(&list, "OMADM-DevID", probe->device_id)
               != DM_OK)
        || (authorization != NULL
            && dm_client_header(&list, "Authorization", authorization)
               != DM_OK))
    {
        dm_client_wipe(list);
        return NULL;
    }

    return list;
}


static int
dm_client_header(struct curl_slist **list, const char *name,
    const char *value)
{
    int                 n;
    char                line[DM_CLIENT_HEADER_MAX];
    struct curl_slist  *more;

    n = snprintf(line, sizeof(line), "%s: %s", name, value);

    more = NULL;

    if ((size_t) n < sizeof(line)) {
        more = curl_slist_append(*list, line);
    }

    OPENSSL_cleanse(line, sizeof(line));

    if (more == NULL) {
        return DM_ERROR;
    }

    *list = more;

    return DM_OK;
}


static void
dm_client_wipe(struct curl_slist *list)
{
    struct curl_slist  *header;

    for (header = list; header != NULL; header = header->next) {
        OPENSSL_cleanse(header->data, strlen(header->data));
    }

    curl_slist_free_all(list);
}


/* Sets up a transfer. No proxy is used, whatever the environment names. */
static int
dm_client_setup(CURL *curl, const dm_probe_t *probe, dm_client_t *client)
{
    long                 timeout;
    CURLcode             rc;
    const dm_address_t  *address;

    timeout = (long) dm_probe_left(probe);
    address = (client->offer == NULL) ? &probe->plain : &probe->server;

    rc = curl_easy_setopt(curl, CURLOPT_URL, address->url);
    rc |= curl_easy_setopt(curl, CURLOPT_REQUEST_TARGET, address->target);
    rc |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR,
                           client->offer == NULL ? "http" : "https");
    rc |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    rc |= curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                           (long) CURL_HTTP_VERSION_1_1);
    rc |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
    rc |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout);
    rc |= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, DM_MESSAGE);
    rc |= curl_easy_setopt(curl, CURLOPT_USERAGENT, "dm-probe");
    rc |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, dm_client_head);
    rc |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, client->reply);
    rc |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, dm_client_body);
    rc |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, client->reply);

    if (rc != CURLE_OK) {
        return DM_ERROR;
    }

    return client->offer == NULL ? DM_OK
                                 : dm_client_setup_tls(curl, probe, client);
}


static int
dm_client_setup_tls(CURL *curl, const dm_probe_t *probe, dm_client_t *client)
{
    long      verify;
    CURLcode  rc;

    /* most suites with a key have no certificate that curl could find */
    verify = (client->offer->psk == NULL);

    rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify);
    rc |= curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2 * verify);
    rc |= curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    rc |= curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, dm_client_ctx);
    rc |= curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, client);

    if (probe->cacert != NULL) {
        rc |= curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
        rc |= curl_easy_setopt(curl, CURLOPT_CAINFO, probe->cacert);
    }

    return rc == CURLE_OK ? DM_OK : DM_ERROR;
}


static CURLcode
dm_client_ctx(CURL *curl, void *ctx, void *data)
{
    dm_client_t  *client;

    (void) curl;

    client = data;

    if (dm_tls_offer(ctx, client->offer, &client->reply->seen) != DM_OK) {
        client->ours = 1;
        return CURLE_SSL_CIPHER;
    }

    return CURLE_OK;
}


static size_t
dm_client_head(char *data, size_t size, size_t n, void *user)
{
    char        *out;
    size_t       len, skip;
    dm_reply_t  *reply;

    static const char  name[] = "WWW-Authenticate:";

    reply = user;
    len = size * n;
    skip = sizeof(name) - 1;

    if (len < skip || strncasecmp(data, name, skip) != 0
        || reply->nchallenges == DM_REPLY_CHALLENGES
        || len - skip >= DM_REPLY_VALUE_MAX
        || memchr(data, '\0', len) != NULL)
    {
        return len;
    }

    out = reply->challenge[reply->nchallenges++];

    memcpy(out, data + skip, len - skip);
    out[len - skip] = '\0';
    out[strcspn(out, "\r\n")] = '\0';

    return len;
}


static size_t
dm_client_body(char *data, size_t size, size_t n, void *user)
{
    size_t       len, room;
    dm_reply_t  *reply;

    reply = user;
    len = size * n;
    room = DM_REPLY_BODY_MAX - reply->len;

    memcpy(reply->body + reply->len, data, len < room ? len : room);
    reply->len += len < room ? len : room;

    return len;
}


static void
dm_client_judge(dm_client_t *client, CURLcode rc, const char *message,
    long verify)
{
    char        *p;
    dm_reply_t  *reply;

    reply = client->reply;
    reply->outcome = dm_client_outcome(client, rc);

    switch (reply->outcome) {

    case DM_REPLY_ANSWERED:
        (void) snprintf(reply->why, DM_REPLY_WHY_MAX, "answered %ld",
                        reply->status);
        return;

    case DM_REPLY_OURS:
        (void) snprintf(reply->why, DM_REPLY_WHY_MAX, "this OpenSSL cannot "
                        "offer it");
        return;

    case DM_REPLY_UNTRUSTED:
        (void) snprintf(reply->why, DM_REPLY_WHY_MAX, "the server's "
                        "certificate is not trusted: %s",
                        verify != X509_V_OK && verify != X509_V_ERR_UNSPECIFIED
                            ? X509_verify_cert_error_string(verify)
                            : message);
        break;

    default:

        if (reply->seen.alert != -1) {
            (void) snprintf(reply->why, DM_REPLY_WHY_MAX, "alert \"%s\"",
                            SSL_alert_desc_string_long(reply->seen.alert));
            return;
        }

        (void) snprintf(reply->why, DM_REPLY_WHY_MAX, "%s",
                        message[0] != '\0' ? message
                                           : curl_easy_strerror(rc));
    }

    for (p = reply->why; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
}


static dm_outcome_t
dm_client_outcome(const dm_client_t *client, CURLcode rc)
{
    if (client->ours) {
        return DM_REPLY_OURS;
    }

    switch (rc) {

    case CURLE_OK:
        return DM_REPLY_ANSWERED;

    case CURLE_COULDNT_CONNECT:
        return client->error == ECONNREFUSED ? DM_REPLY_CLOSED
                                             : DM_REPLY_UNREACHABLE;

    case CURLE_COULDNT_RESOLVE_HOST:
        return DM_REPLY_UNREACHABLE;

    case CURLE_OPERATION_TIMEDOUT:
        return DM_REPLY_TIMEOUT;

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return DM_REPLY_UNTRUSTED;

    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return DM_REPLY_OURS;

    default:
        return client->reply->seen.done ? DM_REPLY_BROKEN
                                        : DM_REPLY_HANDSHAKE;
    }
}


int
dm_client_echo(const dm_reply_t *reply, const char *name, char *out,
    size_t size)
{
    int          found;
    size_t       len, n;
    const char  *p, *end, *last;

    found = 0;
    n = strlen(name);
    last = reply->body + reply->len;

    for (p = reply->body; p < last; p = end + 1) {
        end = memchr(p, '\n', (size_t) (last - p));
        end = (end == NULL) ? last : end;

        if ((size_t) (end - p) <= n || strncasecmp(p, name, n) != 0
            || p[n] != ':')
        {
            continue;
        }

        for (p += n + 1; p < end && *p == ' '; p++) { /* void */ }

        len = (size_t) (end - p);
        len -= (len > 0 && p[len - 1] == '\r');

        if (len == 0 || len >= size || memchr(p, '\0', len) != NULL
            || (found && (strlen(out) != len || memcmp(out, p, len) != 0)))
        {
            return 0;
        }

        memcpy(out, p, len);
        out[len] = '\0';
        found = 1;
    }

    return found;
}
