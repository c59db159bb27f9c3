/* SIGINT and SIGTERM of a long job, which ends where it can */

#ifndef DM_ACCOUNT_INTERRUPT_H
#define DM_ACCOUNT_INTERRUPT_H


/* once: a second signal ends the process, which the store survives too */
void dm_interrupt_catch(void);

/* 1 if there was one, else 0 */
int dm_interrupt_seen(void);


#endif /* DM_ACCOUNT_INTERRUPT_H */
