#!/bin/sh
# Walks oidc-provider: run.sh TABLE [arguments of conformance..]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
table=$1
shift
port=${PORT:-9911}
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
# One certificate for both sides; it is no authority's, as it is shown by servers.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -addext 'basicConstraints=critical,CA:FALSE' \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
printf 'relativity' >"$folder/password"
NODE_EXTRA_CA_CERTS=$folder/certificate.pem node "$here/server.mjs" "$port" "$folder" >"$folder/out" &
server=$!
while ! grep -q https "$folder/out"; do
    kill -0 "$server"
    sleep 0.2
done
cargo run --quiet --package conformance -- --issuer "https://localhost:$port" --user einstein \
    --password-file "$folder/password" --ca "$folder/certificate.pem" \
    --receiver-certificate "$folder/certificate.pem" --receiver-key "$folder/key.pem" \
    --static-client first:first-secret-of-the-conformance-peer \
    --static-client second:second-secret-of-the-conformance-peer \
    --static-post-client posting:posting-secret-of-the-conformance-peer \
    --rotate-command "curl --silent --fail --cacert $folder/certificate.pem --request POST https://localhost:$port/rotate" \
    --table "$table" "$@"
