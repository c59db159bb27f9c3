/* Processes of which the CPU time is counted, while they sleep */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "watch.h"


#define GONE  "the process is gone:"


/* calls it with the text of that file of each thread, and sums */
static unsigned long
each_thread(const watched_t *watched, const char *name,
    unsigned long (*of)(const char *text))
{
    DIR            *dir;
    FILE           *file;
    char            path[64], text[4096];
    size_t          n;
    unsigned        i;
    unsigned long   sum;
    struct dirent  *entry;

    sum = 0;

    for (i = 0; i < watched->n; i++) {
        (void) snprintf(path, sizeof(path), "/proc/%d/task",
                        (int) watched->pid[i]);
        dir = opendir(path);

        if (dir == NULL) {
            die(GONE, path);
        }

        while ((entry = readdir(dir)) != NULL) {
            (void) snprintf(path, sizeof(path), "/proc/%d/task/%.16s/%s",
                            (int) watched->pid[i], entry->d_name, name);

            /* a thread may have ended, and "." has no such file */

            file = fopen(path, "r");

            if (file == NULL) {
                continue;
            }

            n = fread(text, 1, sizeof(text) - 1, file);
            text[n] = '\0';
            (void) fclose(file);

            sum += (n == 0) ? 0 : of(text);
        }

        (void) closedir(dir);
    }

    return sum;
}


static unsigned long
awake(const char *text)
{
    const char  *p;

    /* its name may have a ")" */

    p = strrchr(text, ')');

    return p == NULL || p[1] != ' ' || p[2] != 'S';
}


static unsigned long
disturbed(const char *text)
{
    const char  *p;

    p = strstr(text, "\nnonvoluntary_ctxt_switches:");

    return p == NULL ? 0 : strtoul(p + 28, NULL, 10);
}


static int64_t
taken(const watched_t *watched)
{
    int64_t          sum;
    unsigned         i;
    struct timespec  ts;

    sum = 0;

    for (i = 0; i < watched->n; i++) {

        if (clock_gettime(watched->clock[i], &ts) == -1) {
            die(GONE, "its clock stands");
        }

        sum += (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
    }

    return sum;
}


void
watch(watched_t *watched, const char *pids)
{
    char  *end;

    watched->n = 0;

    do {
        if (watched->n == WATCHED) {
            die("too many processes:", pids);
        }

        watched->pid[watched->n] = (pid_t) number(pids, &end);

        if (clock_getcpuclockid(watched->pid[watched->n],
                                &watched->clock[watched->n])
            != 0)
        {
            die("no such process:", pids);
        }

        watched->n++;
        pids = end + 1;

    } while (*end == ',');
}


void
watch_rest(const watched_t *watched)
{
    while (each_thread(watched, "stat", awake) > 0) {
        /* void */
    }
}


int64_t
watch_time(const watched_t *watched)
{
    int64_t  before, now;

    now = -1;

    do {
        before = now;
        watch_rest(watched);
        now = taken(watched);
    } while (now != before);

    return now;
}


unsigned long
watch_disturbed(const watched_t *watched)
{
    return each_thread(watched, "status", disturbed);
}
