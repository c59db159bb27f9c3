/*
 * What the drivers of libraries in C share.
 */

#include <stdio.h>
#include <stdlib.h>

#include "driver.h"


const char *
driver_given(const char *name)
{
    const char  *value;

    value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "no %s\n", name);
        exit(1);
    }

    return value;
}


size_t
driver_key(unsigned char *key)
{
    size_t         len;
    const char    *hex;
    unsigned int   octet;

    hex = driver_given("DM_PSK_KEY");

    for (len = 0; len < DRIVER_KEY && hex[2 * len]; len++) {
        if (sscanf(hex + 2 * len, "%2x", &octet) != 1) {
            return 0;
        }

        key[len] = (unsigned char) octet;
    }

    return len;
}


int
driver_parse(const char *line, driver_request_t *request)
{
    return sscanf(line, "https://127.0.0.1:%5[0-9]/%511s %15s",
                  request->port, request->path, request->method) == 3 ? 0 : -1;
}


int
driver_format(const driver_request_t *request, char *text)
{
    return snprintf(text, DRIVER_TEXT, "GET /%s HTTP/1.1\r\n"
                    "Host: localhost\r\nConnection: close\r\n\r\n",
                    request->path);
}


void
driver_print(char *text, int n)
{
    text[n] = '\0';

    printf("%d\n", n > 12 ? atoi(text + 9) : 0);
}
