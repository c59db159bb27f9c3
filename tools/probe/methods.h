/* The methods of authentication: the right credentials, and wrong ones */

#ifndef DM_PROBE_METHODS_H
#define DM_PROBE_METHODS_H

#include "probe/run.h"


/* tries each method that there are credentials of; finds what works */
void dm_methods_run(dm_run_t *run);


#endif /* DM_PROBE_METHODS_H */
