/* SIGINT and SIGTERM of a long job, which ends where it can */

#include <signal.h>
#include <string.h>

#include "account/interrupt.h"


static void dm_interrupt_on_signal(int sig);


static volatile sig_atomic_t  dm_interrupt_signal;


void
dm_interrupt_catch(void)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = dm_interrupt_on_signal;
    action.sa_flags = (int) SA_RESETHAND;

    (void) sigaction(SIGINT, &action, NULL);
    (void) sigaction(SIGTERM, &action, NULL);
}


static void
dm_interrupt_on_signal(int sig)
{
    dm_interrupt_signal = sig;
}


int
dm_interrupt_seen(void)
{
    return dm_interrupt_signal != 0;
}
