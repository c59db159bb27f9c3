# For /etc/nginx/sites-available/ of Debian's nginx, with a link to it in
# sites-enabled: a server of OMA DM, whose devices have a user name and a
# password.  It needs conf.d/dm-sec.conf beside it.
#
# Each package of a session proves itself anew, and the DM server gets the
# account's id as DM-Client-ID.

server {
    listen 443 ssl;
    server_name dm.example.com;

    # the lists of OMA DM have suites of both kinds
    ssl_certificate     /etc/nginx/dm/server-rsa.crt;
    ssl_certificate_key /etc/nginx/dm/server-rsa.key;
    ssl_certificate     /etc/nginx/dm/server-ecdsa.crt;
    ssl_certificate_key /etc/nginx/dm/server-ecdsa.key;

    dm_sec_profile modern dm20;

    # a device that is slow to act keeps its session open meanwhile
    keepalive_timeout 300s;

    location / {
        dm_sec_auth      digest basic;
        dm_sec_device_id match;

        # inventories, and what a device was told to send
        client_max_body_size 8m;

        proxy_pass http://127.0.0.1:8090;
    }
}
