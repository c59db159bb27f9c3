# For /etc/nginx/sites-available/ of Debian's nginx, with a link to it in
# sites-enabled: an MDM server that knows a device by its certificate, and gets
# it in the header of RFC 9440.  It needs conf.d/dm-sec.conf beside it.
#
#   dm-account add 00008101-000C2D8E3A9A001E --cert device.crt

server {
    listen 443 ssl;
    server_name mdm.example.com;

    ssl_certificate     /etc/nginx/dm/mdm.crt;
    ssl_certificate_key /etc/nginx/dm/mdm.key;

    # the CA of the devices, and what it has revoked
    ssl_client_certificate /etc/nginx/dm/client-ca.crt;
    ssl_crl                /etc/nginx/dm/client-ca.crl;
    ssl_verify_client      optional;
    ssl_verify_depth       2;

    dm_sec_profile modern;

    location / {
        dm_sec_auth               x509;
        dm_sec_client_cert_header on;

        # two certificates in headers are larger than what else is there
        proxy_pass http://127.0.0.1:8091;
    }

    # what a device without a certificate is to reach, to get one
    location /enroll/ {
        dm_sec_auth basic;
        proxy_pass http://127.0.0.1:8091;
    }
}
