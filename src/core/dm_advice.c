/* The meaning of a reason and its detail, and the thing to do about it */

#include <string.h>

#include "dm_advice.h"


static const dm_advice_t *dm_advice_find(dm_str_t reason, dm_str_t detail);


/* a reason is followed by those of its details that mean more */
static const dm_advice_t  dm_advices[] = {
    { "bad_request", NULL,
      "nginx refused the request before it asked who sends it",
      "read the detail, and mend what the device sends" },
    { "bad_request", "two_authorizations",
      "there are two Authorization headers",
      NULL },
    { "bad_request", "headers_too_large",
      "the headers are longer than `large_client_header_buffers`",
      NULL },
    { "bad_request", "uri_too_large",
      "the URI is longer than `large_client_header_buffers`",
      NULL },
    { "bad_request", "method",
      "the method is none that nginx takes",
      NULL },
    { "bad_request", "version",
      "the version of HTTP is none that nginx knows",
      NULL },
    { "bad_request", "transfer_encoding",
      "the transfer encoding is unknown, or stands beside a length",
      NULL },
    { "bad_request", "syntax_of_request",
      "the request line or a header is no HTTP",
      NULL },
    { "bad_request", "timeout",
      "the rest of the request did not come in time",
      "nothing, unless there are many: `client_header_timeout` is the time "
      "that they have" },

    { "misdirected", NULL,
      "the request was for another server than its TLS handshake",
      "let the device open a connection of its own, with its SNI, for each "
      "server name" },

    { "plaintext", NULL,
      "the request came without TLS, or before it, where TLS is needed",
      "point the device to https, or see `dm_sec_plaintext_auth` and "
      "`dm_sec_upgrade`" },
    { "plaintext", "https_port",
      "HTTP came to a port that has TLS",
      NULL },

    { "early_data", NULL,
      "the request came as early data of TLS 1.3, which can be replayed",
      "nothing: the device sends it again behind the handshake; with "
      "`ssl_early_data off` it does not try" },

    { "tls_protocol", NULL,
      "the version of TLS, or each that the device offers, is not allowed here",
      "update the device, or allow its version with `dm_sec_protocols`" },

    { "tls_cipher", NULL,
      "the cipher suite, or each that the device offers, is not allowed here",
      "update the device, or allow its suite with `dm_sec_ciphers`" },

    { "tls_signature", NULL,
      "the device takes no signature but SHA-1, which TLS 1.2 has not here",
      "update the device, or give it a suite without a signature (RSA, PSK)" },

    { "tls_other", NULL,
      "the handshake failed in another way: see the alert in the log",
      "an alert of the device's means that it does not trust the server's "
      "certificate, or cannot go on; see its own log" },

    { "devid_missing", NULL,
      "the header OMADM-DevID is not there, which `dm_sec_device_id` requires",
      "let the device send it, or write `dm_sec_device_id match`" },

    { "devid_malformed", NULL,
      "the header OMADM-DevID is there twice, too long, or has control "
      "characters",
      "mend the device: nothing else can be done here" },

    { "devid_mismatch", NULL,
      "the device says in OMADM-DevID that it is another than its account",
      "see whether the device has another one's credentials: "
      "`dm-account show ID` for the account in the log" },

    { "replica_stale", NULL,
      "this machine's copy of the accounts is older than "
      "`dm_sec_replica_stale` allows: a failure of ours, and no word on the "
      "device",
      "read the error log for the store's own line, and see what "
      "`systemctl status dm-replica` says" },

    { "store_unavailable", NULL,
      "the account store could not be read: a failure of ours, and no word "
      "on the device",
      "read the error log for the store's own line, then run "
      "`dm-account check`" },

    { "psk_store", NULL,
      "the account store could not be read: a failure of ours, and no word "
      "on the device",
      "read the error log for the store's own line, then run "
      "`dm-account check`" },

    { "overloaded", NULL,
      "too many slow hashes waited: a failure of ours",
      "more threads or a longer queue with `dm_sec_hash_threads`, or give "
      "these accounts a password without `--slow-hash`" },

    { "malformed", NULL,
      "the credentials could not be verified, whatever the password is",
      "mend what the device sends; see docs/answers.md for the rule" },
    { "malformed", "scheme",
      "the scheme of Authorization is followed by something else than a "
      "space",
      NULL },
    { "malformed", "syntax",
      "the header cannot be read: a quote is not closed, or there is more "
      "behind a value than a comma",
      NULL },
    { "malformed", "twice",
      "a parameter stands there twice",
      NULL },
    { "malformed", "two_names",
      "username and username* are both there, or username* beside userhash",
      NULL },
    { "malformed", "too_long",
      "a name, a nonce or a cnonce is longer than anything that is accepted",
      NULL },
    { "malformed", "no_value",
      "a parameter, or the scheme, has nothing behind it",
      NULL },
    { "malformed", "missing",
      "a parameter that is needed is not there",
      NULL },
    { "malformed", "no_qop",
      "there is no qop, as in RFC 2069, and this would make replays possible",
      NULL },
    { "malformed", "empty_name",
      "the user name is empty",
      NULL },
    { "malformed", "empty_nonce",
      "the nonce is empty",
      NULL },
    { "malformed", "first_request",
      "a first request with a name and without a nonce (3GPP TS 24.109): it "
      "waits to be asked",
      "nothing: the device is asked, and comes again" },
    { "malformed", "unknown_algorithm",
      "the algorithm is none that is known",
      NULL },
    { "malformed", "unknown_qop",
      "the qop is neither auth nor auth-int",
      NULL },
    { "malformed", "not_accepted",
      "the algorithm or the qop is not one of this location",
      "mend the device, or allow it with `dm_sec_digest_algorithms` or "
      "`dm_sec_digest_qop`" },
    { "malformed", "nc",
      "the nc is no number of 1 to 8 hexadecimal digits",
      NULL },
    { "malformed", "response",
      "the response is no hash of the algorithm's length",
      NULL },
    { "malformed", "userhash",
      "userhash is neither true nor false, or the name is no hash",
      NULL },
    { "malformed", "username",
      "username* is not encoded as RFC 5987 says",
      NULL },
    { "malformed", "uri",
      "the uri is not the one that was requested",
      NULL },
    { "malformed", "base64",
      "what stands behind Basic is no Base64",
      NULL },
    { "malformed", "no_colon",
      "what stands behind Basic has no colon",
      NULL },

    { "locked", NULL,
      "too many wrong passwords came before, so none was looked at",
      "wait; the detail says which lock it is: `dm-account unlock ID` ends "
      "that of a name alone" },
    { "locked", "name",
      "too many wrong passwords came for this name from this address",
      "wait, or `dm-account unlock ID`; see who else tries this name" },
    { "locked", "address",
      "too many wrong passwords came from this address, for whatever name",
      "wait: unlock does not end this; where many devices share an address, "
      "raise address_attempts of `dm_sec_lockout`" },
    { "locked", "network",
      "so many names were tried from this network that the zone had no room "
      "for a lock, and the network is locked as a whole",
      "wait: unlock does not end this; a larger `dm_sec_zone` has more room" },

    { "certificate_required", NULL,
      "the device showed no certificate where only one would do",
      "give the device its certificate and key, or allow another method with "
      "`dm_sec_auth`" },

    { "certificate_invalid", NULL,
      "the certificate was not verified",
      "read the detail, and the line of nginx's own; the certificate and "
      "`ssl_client_certificate` do not fit each other" },
    { "certificate_invalid", "crl_missing",
      "`ssl_crl` has no list of the certificate's CA, or of a CA above it",
      "put the CRL of each CA of the chain into the file of `ssl_crl`, and "
      "`nginx -s reload`" },
    { "certificate_invalid", "signature",
      "the certificate's signature is wrong",
      "issue the device another one; the CA in `ssl_client_certificate` has "
      "the name of the one that signed it, and another key, perhaps" },
    { "certificate_invalid", "chain_too_long",
      "more CAs than `ssl_verify_depth` allows",
      "raise `ssl_verify_depth`, if these CAs are yours" },
    { "certificate_invalid", "ocsp",
      "`ssl_ocsp` got no good answer",
      "see whether the responder can be reached, and what it says of this "
      "certificate: `ssl_ocsp_responder`" },

    { "certificate_expired", NULL,
      "the certificate has expired",
      "renew it and bind the new one: `dm-account set ID --cert FILE`; see "
      "the clocks" },
    { "certificate_expired", "not_yet_valid",
      "the certificate is not valid yet",
      "wait, or issue another one; see the clocks" },

    { "certificate_revoked", NULL,
      "the certificate was revoked by its CA",
      "give the device another one, unless it was meant so" },

    { "certificate_unknown_ca", NULL,
      "the certificate is of a CA that is not trusted here",
      "add the CA to `ssl_client_certificate`, if the device is yours" },

    { "certificate_weak", NULL,
      "the certificate has a short key, or SHA-1 or MD5 in its signature",
      "issue the device another one" },

    { "certificate_purpose", NULL,
      "the certificate is not for TLS clients (extendedKeyUsage)",
      "issue one with clientAuth" },

    { "crl_expired", NULL,
      "the list of revoked certificates is too old to tell anything: ours",
      "fetch a new list for `ssl_crl`, and `nginx -s reload`" },
    { "crl_expired", "crl_not_yet_valid",
      "the list of revoked certificates is of the future",
      "see the clocks: that of this machine, and of the CA" },

    { "certificate_unbound", NULL,
      "the certificate is good, but bound to no account",
      "`dm-account set ID --cert-key KEY`, KEY being what is claimed" },

    { "psk_required", NULL,
      "no pre-shared key was used where only one would do, or the account "
      "does not have it any more",
      "give the device a key: "
      "`dm-account set ID --psk-identity NAME --generate-psk`" },

    { "psk_unknown_identity", NULL,
      "no account has this PSK identity",
      "`dm-account set ID --psk-identity NAME --generate-psk`, or mend the "
      "identity in the device" },

    { "psk_wrong_key", NULL,
      "the identity is an account's, but the key is another",
      "give the device its key anew: "
      "`dm-account set ID --psk-identity NAME --generate-psk`, NAME being the "
      "identity" },

    { "no_credentials", NULL,
      "the device sent no credentials, as each does that waits to be asked",
      "nothing, unless it never comes back with them: then its client does "
      "not know the challenge" },
    { "no_credentials", "unbound_certificate",
      "a certificate was shown, too, which is bound to no account",
      "nothing, if the device has a password; else "
      "`dm-account set ID --cert-key KEY`, KEY being what is claimed" },

    { "bad_credentials", NULL,
      "the name is nobody's, or the password is wrong",
      "the detail tells which; `dm-account verify ID --password-file -` tells "
      "whether a password is right" },
    { "bad_credentials", "unknown_name",
      "no account has this user name",
      "see the name that the device uses: `dm-account show --name NAME`; "
      "`dm-account show ID` has the user name of an account" },
    { "bad_credentials", "wrong_password",
      "the account is there, and its password is another",
      "`dm-account verify ID --password-file -` tells whether a password is "
      "right; `dm-account set ID --generate-password` makes a new one" },
    { "bad_credentials", "wrong_realm",
      "the realm is not the one of this location: the device was set up for "
      "another server, or before its realm was changed",
      "set the device up anew: it has to take the realm from the challenge" },
    { "bad_credentials", "lacks_algorithm",
      "the account has no hash for this algorithm of Digest",
      "`dm-account set ID --generate-password`, or "
      "`dm-account set ID --password-file FILE` with the one that it has; or "
      "allow an algorithm that it has with `dm_sec_digest_algorithms`" },
    { "bad_credentials", "no_password",
      "the account has no password: it logs in with a certificate or a key, "
      "or was to be given one",
      "`dm-account set ID --generate-password`" },
    { "bad_credentials", "body_changed",
      "the nonce is one that the account has used, and the body is not the "
      "one that was signed",
      "look what changes the body on the way, or take auth with "
      "`dm_sec_digest_qop`" },
    { "bad_credentials", "body_or_password",
      "the password is wrong, or something on the way changes the body: with "
      "auth-int one cannot be told from the other",
      "`dm-account verify ID --password-file -` tells whether the password "
      "is right" },
    { "bad_credentials", "changed_meanwhile",
      "the password or the name of the account was changed while this one "
      "was verified",
      "nothing: the device comes again" },

    { "stale_nonce", NULL,
      "the password was right, but the nonce was old, or another nginx's",
      "nothing: the device answers the new one by itself" },
    { "stale_nonce", "expired",
      "the nonce is older than `dm_sec_digest_nonce_lifetime`",
      NULL },
    { "stale_nonce", "evicted",
      "the nonce had to make room for newer ones",
      "a larger `dm_sec_zone`, if there are many" },
    { "stale_nonce", "other_account",
      "the nonce was given to another account",
      NULL },
    { "stale_nonce", "other_node",
      "the nonce was never given by this nginx, or before its start: another "
      "node of a load balancer, or no nonce at all",
      "let the balancer bring a device to one node, if there are many" },
    { "stale_nonce", "other_realm",
      "the nonce was given for another realm",
      NULL },

    { "replay", NULL,
      "this request was answered before, and came again",
      "look who sends it, if there are many; the device itself tries again" },

    { "account_mismatch", NULL,
      "the credentials are those of two accounts",
      "see which account has the certificate or the key, and which the "
      "password: `dm-account show --cert-key KEY`, `dm-account show --name "
      "NAME`" },

    { "account_disabled", NULL,
      "the credentials are right, but the account is disabled",
      "`dm-account enable ID`, unless it was meant so" },

    { "account_expired", NULL,
      "the credentials are right, but the account has expired",
      "`dm-account set ID --not-after TIME`, TIME as in "
      "2030-12-31T00:00:00Z, or '' for no end" },
    { "account_expired", "account_not_yet_valid",
      "the credentials are right, but the account is not valid yet",
      "wait, or `dm-account set ID --not-before ''`" },

    { "group", NULL,
      "the account is in none of the groups of this location",
      "`dm-account set ID --add-group GROUP`, or see `dm_sec_groups`" },

    { NULL, NULL, NULL, NULL }
};


const dm_advice_t *
dm_advice_reason(dm_str_t reason)
{
    return dm_advice_find(reason, (dm_str_t) { NULL, 0 });
}


const dm_advice_t *
dm_advice_detail(dm_str_t reason, dm_str_t detail)
{
    return detail.len ? dm_advice_find(reason, detail) : NULL;
}


/* an empty detail is none */
static const dm_advice_t *
dm_advice_find(dm_str_t reason, dm_str_t detail)
{
    dm_str_t            one, two;
    const dm_advice_t  *row;

    for (row = dm_advices; row->reason != NULL; row++) {
        one.data = (const unsigned char *) row->reason;
        one.len = strlen(row->reason);

        two.data = (const unsigned char *) row->detail;
        two.len = row->detail ? strlen(row->detail) : 0;

        if (dm_str_eq(one, reason) && dm_str_eq(two, detail)) {
            return row;
        }
    }

    return NULL;
}


const char *
dm_advice_todo(dm_str_t reason, dm_str_t detail)
{
    const dm_advice_t  *row;

    row = dm_advice_detail(reason, detail);

    if (row == NULL || row->todo == NULL) {
        row = dm_advice_reason(reason);
    }

    return row ? row->todo : "see docs/answers.md";
}


const char *
dm_advice_program(const char *text)
{
    static const char  program[] = "dm-account";

    text = strstr(text, program);

    return text ? text + sizeof(program) - 1 : NULL;
}


int
dm_advice_word(dm_str_t text)
{
    size_t  i;

    static const char  plain[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789./_-+,:@%";

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(plain, text.data[i]) == NULL) {
            return 0;
        }
    }

    return text.len != 0;
}
