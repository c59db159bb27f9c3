/* A ClientHello as octets over a connection, and the server's answer */

#include <poll.h>
#include <stdio.h>

#include <curl/curl.h>

#include "probe/socket.h"


#define DM_SOCKET_URL_MAX  (DM_PROBE_HOST_MAX + 32)


static int dm_socket_connect(CURL *curl, const dm_probe_t *probe,
    int64_t deadline);
static int dm_socket_send(CURL *curl, const unsigned char *data, size_t len,
    int64_t deadline);
static dm_socket_outcome_t dm_socket_receive(CURL *curl,
    dm_raw_answer_t *answer, int64_t deadline);
static int dm_socket_wait(CURL *curl, int write, int64_t deadline);


dm_socket_outcome_t
dm_socket_hello(const dm_probe_t *probe, const unsigned char *hello,
    size_t len, dm_raw_answer_t *answer)
{
    CURL                 *curl;
    int64_t               deadline;
    dm_socket_outcome_t   outcome;

    memset(answer, 0, sizeof(dm_raw_answer_t));

    deadline = dm_probe_now() + dm_probe_left(probe);
    outcome = DM_SOCKET_UNREACHABLE;
    curl = curl_easy_init();

    if (curl != NULL && dm_socket_connect(curl, probe, deadline) == DM_OK) {
        outcome = DM_SOCKET_CLOSED;

        if (dm_socket_send(curl, hello, len, deadline) == DM_OK) {
            outcome = dm_socket_receive(curl, answer, deadline);
        }
    }

    curl_easy_cleanup(curl);

    return outcome;
}


static int
dm_socket_connect(CURL *curl, const dm_probe_t *probe, int64_t deadline)
{
    char      url[DM_SOCKET_URL_MAX];
    long      timeout;
    CURLcode  rc;

    timeout = (long) (deadline - dm_probe_now());

    if (timeout <= 0) {
        return DM_ERROR;
    }

    (void) snprintf(url, sizeof(url), "http://%s:%s/", probe->server.host,
                    probe->server.port);

    rc = curl_easy_setopt(curl, CURLOPT_URL, url);
    rc |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    rc |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    rc |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout);

    if (rc != CURLE_OK || curl_easy_perform(curl) != CURLE_OK) {
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_socket_send(CURL *curl, const unsigned char *data, size_t len,
    int64_t deadline)
{
    size_t    n;
    CURLcode  rc;

    while (len > 0) {
        rc = curl_easy_send(curl, data, len, &n);

        if (rc == CURLE_AGAIN && dm_socket_wait(curl, 1, deadline)) {
            continue;
        }

        if (rc != CURLE_OK) {
            return DM_ERROR;
        }

        data += n;
        len -= n;
    }

    return DM_OK;
}


static dm_socket_outcome_t
dm_socket_receive(CURL *curl, dm_raw_answer_t *answer, int64_t deadline)
{
    size_t         n, len;
    CURLcode       rc;
    unsigned char  data[DM_RAW_ANSWER_MAX];

    len = 0;

    while (len < sizeof(data)) {
        rc = curl_easy_recv(curl, data + len, sizeof(data) - len, &n);

        if (rc == CURLE_AGAIN) {
            if (!dm_socket_wait(curl, 0, deadline)) {
                return DM_SOCKET_SILENT;
            }

            continue;
        }

        if (rc != CURLE_OK || n == 0) {
            return DM_SOCKET_CLOSED;
        }

        len += n;

        dm_raw_read(answer, data, len);

        if (answer->kind != DM_RAW_MORE) {
            return DM_SOCKET_ANSWERED;
        }
    }

    answer->kind = DM_RAW_OTHER;

    return DM_SOCKET_ANSWERED;
}


/* waits for the socket; 1: it can go on; 0: the time is over */
static int
dm_socket_wait(CURL *curl, int write, int64_t deadline)
{
    int64_t        left;
    curl_socket_t  fd;
    struct pollfd  event;

    left = deadline - dm_probe_now();

    if (left <= 0
        || curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK)
    {
        return 0;
    }

    event.fd = fd;
    event.events = write ? POLLOUT : POLLIN;
    event.revents = 0;

    return poll(&event, 1, (int) left) == 1;
}
