/* SIGTERM and SIGINT: dm-replica ends at once, and cleanly */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "replica/end.h"
#include "replica/options.h"
#include "replica/say.h"


static void dm_end_on_signal(int sig);
static void dm_end_on_fault(int sig);


void
dm_end_catch(void)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = dm_end_on_signal;

    (void) sigaction(SIGTERM, &action, NULL);
    (void) sigaction(SIGINT, &action, NULL);
    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);
}


static void
dm_end_on_signal(int sig)
{
    (void) sig;

    dm_say_notify("STOPPING=1");
    dm_say_unready();

    _exit(DM_REPLICA_DONE);
}


void
dm_end_guard(void)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = dm_end_on_fault;
    action.sa_flags = (int) SA_RESETHAND;

    (void) sigaction(SIGBUS, &action, NULL);
}


static void
dm_end_on_fault(int sig)
{
    ssize_t  n;

    static const char  text[] =
        "dm-replica: a page of the store cannot be had: its disk is full, or "
        "its file is damaged; nothing of this transaction is kept\n";

    (void) sig;

    n = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void) n;

    dm_say_unready();

    _exit(DM_REPLICA_REFUSED);
}
