/* SIGTERM and SIGINT: dm-replica ends at once, and cleanly */

#ifndef DM_REPLICA_END_H
#define DM_REPLICA_END_H


/*
 * From now on such a signal tells the service manager, takes the ready file
 * away and ends the process, wherever it is: a transaction that is not
 * committed is as if it had not begun, as where the process is killed.
 */
void dm_end_catch(void);

/* SIGBUS, where a page of the store cannot be had, says so and ends it */
void dm_end_guard(void);


#endif /* DM_REPLICA_END_H */
