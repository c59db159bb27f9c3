/* Versions and cipher suites, with certificates and with a pre-shared key */

#ifndef DM_PROBE_VERSIONS_H
#define DM_PROBE_VERSIONS_H

#include "probe/run.h"


/* to be called after dm_methods_run(), which sets run->carrier */
void dm_versions_run(dm_run_t *run);


#endif /* DM_PROBE_VERSIONS_H */
