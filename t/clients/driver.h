/*
 * What the drivers of libraries in C share.
 */

#ifndef DRIVER_H
#define DRIVER_H


#include <stddef.h>


#define DRIVER_KEY   64
#define DRIVER_TEXT  1024


typedef struct {
    char  port[6];
    char  path[512];
    char  method[16];
} driver_request_t;


/* a variable of the environment; ends the program where there is none */
const char *driver_given(const char *name);

/* the pre-shared key, of at most DRIVER_KEY octets; its length, 0: no key */
size_t driver_key(unsigned char *key);

/* of a line of the input: 0, or -1 if it is none of https://127.0.0.1 */
int driver_parse(const char *line, driver_request_t *request);

/* the request into a text of DRIVER_TEXT octets; its length */
int driver_format(const driver_request_t *request, char *text);

/* prints the status of a response of n octets, at most DRIVER_TEXT - 1 */
void driver_print(char *text, int n);


#endif /* DRIVER_H */
