/* All that dm-replica says: its log, to systemd, and in the ready file */

#ifndef DM_REPLICA_SAY_H
#define DM_REPLICA_SAY_H


#include "replica/options.h"


typedef enum {
    DM_SAY_ERROR = 0,
    DM_SAY_WARN,
    DM_SAY_NOTICE,
    DM_SAY_INFO
} dm_say_level_t;


/* keeps options; before it all goes to stderr.  Once */
void dm_say_init(const dm_replica_options_t *options);

/* a line of the log */
void dm_say(dm_say_level_t level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Tells the service manager, where NOTIFY_SOCKET names one, as sd_notify(3)
 * does.  Safe in a handler of a signal.
 */
void dm_say_notify(const char *what);

/* "STATUS=" of that text */
void dm_say_status(const char *text);

/*
 * Has the ready file be there, or not.  dm_say_unready() is safe in a handler
 * of a signal.
 */
void dm_say_ready(int ready);
void dm_say_unready(void);


#endif /* DM_REPLICA_SAY_H */
