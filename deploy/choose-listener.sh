#!/bin/sh
# Writes how the proxy listens, before nginx reads it: with TLS if there is a certificate, else plainly,
# behind something that ends TLS for it.
set -eu

folder=${1:-/etc/nginx}
certificates=${2:-$folder/certificates}
case "${PORTAL_BASE_URL:?Set PORTAL_BASE_URL to the address visitors use.}" in
https://*) scheme=https ;;
*) scheme=http ;;
esac

# Every request counts as made over the public scheme: with TLS here nothing else gets in, and in front of a plain
# listener it is the other proxy that turns http away.
{
    echo "map '' \$public_scheme { default $scheme; }"
    if [ -n "${PORTAL_FRONT_PROXY:-}" ]; then
        echo "set_real_ip_from $PORTAL_FRONT_PROXY;"
        echo "real_ip_header X-Forwarded-For;"
        echo "real_ip_recursive on;"
    fi
} >"$folder/public.conf"

if [ -s "$certificates/fullchain.pem" ]; then
    cat >"$folder/listen.conf" <<CONF
listen 8443 ssl;
http2 on;
ssl_certificate $certificates/fullchain.pem;
ssl_certificate_key $certificates/privkey.pem;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:5m;
ssl_session_tickets off;
CONF
    # shellcheck disable=SC2016 # nginx's variables, not ours
    echo 'server { listen 8080; server_tokens off; return 301 '"$PORTAL_BASE_URL"'$request_uri; }' >"$folder/redirect.conf"
else
    echo "listen 8080;" >"$folder/listen.conf"
    : >"$folder/redirect.conf"
fi
