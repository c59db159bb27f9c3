/* The metrics of the status page: their names, which others rely on */

#include "ngx_dm_sec_metric.h"


/* indexed by ngx_dm_sec_metric_e */
static const ngx_dm_sec_metric_t  ngx_dm_sec_metrics[NGX_DM_SEC_M_MAX] = {

    { "build", "build_info", "gauge",
      "1; version of the module, of nginx, and of OpenSSL as it runs." },

    { "module_replaced", "module_replaced", "gauge",
      "1 if the module's file is another than the one that runs: restart." },

    { "workers", "workers", "gauge",
      "Workers that live, those that shut down included." },

    { "verified", "requests_verified_total", "counter",
      "Requests that were verified, by method." },

    { "denied", "requests_denied_total", "counter",
      "Requests that were denied, by reason." },

    { "denied_details", "requests_denied_details_total", "counter",
      "Requests that were denied, by detail of the reason." },

    { "versions", "tls_requests_total", "counter",
      "Requests over TLS, by version." },

    { "suites", "tls_suite_requests_total", "counter",
      "Requests over TLS, by suite." },

    { "handshakes", "handshakes_total", "counter",
      "Handshakes, by version and result." },

    { "handshakes_failed", "handshakes_failed_total", "counter",
      "Handshakes that failed, by reason." },

    { "upgrades", "upgrades_total", "counter",
      "Upgrades to TLS within HTTP, by result." },

    { "certificates", "certificate_expiry_timestamp_seconds", "gauge",
      "Time when the first certificate of a server expires, since 1970." },

    { "client_cas", "client_ca_expiry_timestamp_seconds", "gauge",
      "Time when the first CA of a server's clients expires, since 1970." },

    { "crls", "crl_expiry_timestamp_seconds", "gauge",
      "Time of the first nextUpdate of a server's CRLs, since 1970." },

    { "not_in_force", "certificates_not_in_force", "gauge",
      "Certificates and CRLs that are over, early or missing, by kind." },

    { "hash_running", "hash_running", "gauge",
      "Slow hashes that are computed now, in all workers." },

    { "hash_waiting", "hash_waiting", "gauge",
      "Slow hashes that wait for that, in all workers." },

    { "hash_refused", "hash_refused_total", "counter",
      "Slow hashes that were not computed: too many waited." },

    { "password_hits", "password_cache_hits_total", "counter",
      "Passwords with a slow hash that were remembered." },

    { "password_misses", "password_cache_misses_total", "counter",
      "Passwords with a slow hash that were not." },

    { "cells", "zone_cells", "gauge",
      "Places of the zone, by kind." },

    { "cells_used", "zone_cells_used", "gauge",
      "Places of the zone in use, by kind." },

    { "cells_locked", "zone_cells_locked", "gauge",
      "Places of the zone that lock somebody out, by kind." },

    { "cells_evicted", "zone_cells_evicted_total", "counter",
      "Places of the zone that were given away while in use, by kind." },

    { "lockout_overflow", "lockout_overflow_total", "counter",
      "Locks that found no room, and lock a network." },

    { "store", "store_info", "gauge",
      "1; version of the dm-account that wrote last, if it said so." },

    { "store_keys", "store_key_position", "gauge",
      "Keys of the store in force, by id; 1 seals." },

    { "store_up", "store_up", "gauge",
      "1 if all workers have the store open." },

    { "store_workers", "store_open_workers", "gauge",
      "Workers that have the store open." },

    { "store_damaged", "store_damaged", "gauge",
      "1 if a process died while it read the store." },

    { "store_accounts", "store_accounts", "gauge",
      "Accounts in the store." },

    { "store_states", "store_accounts_by_state", "gauge",
      "Accounts by state: active, disabled, or expired before today." },

    { "store_lacking", "store_accounts_lacking", "gauge",
      "Active accounts for Digest that have no hash of an algorithm." },

    { "store_map_used", "store_map_used_bytes", "gauge",
      "Bytes of the store's map in use." },

    { "store_map_size", "store_map_size_bytes", "gauge",
      "Bytes that the store's map may have." },

    { "store_readers", "store_readers", "gauge",
      "Processes of nginx that have the store open." },

    { "store_readers_max", "store_readers_max", "gauge",
      "As many processes as can have the store open." },

    { "store_changed_seconds", "store_changed_timestamp_seconds", "gauge",
      "Time of the last change to the store, since 1970." },

    { "replica_position", "replica_position", "gauge",
      "Number of the last entry of the log that the store has." },

    { "replica_age_seconds", "replica_age_seconds", "gauge",
      "Seconds since the store is known to have had all of the log." },

    { "replica_state", "replica_state", "gauge",
      "1 for the state that dm-replica is in." }
};


const ngx_dm_sec_metric_t *
ngx_dm_sec_metric(ngx_dm_sec_metric_e metric)
{
    return &ngx_dm_sec_metrics[metric];
}
