{{/*
The services: what is the same in every installation. The components of deploy/kubernetes have the same, which a test compares.
*/}}
{{- define "doorward.table" -}}
{{- $transactions := index .Values.settings "OCIS_TRANSACTION_TRUST_DOMAIN" }}
gateway:
  ports:
    - {name: grpc, port: 9142}
    {{- if $transactions }}
    - {name: http, port: 9139}
    {{- end }}
    - {name: debug, port: 9143}
  env:
    GATEWAY_GRPC_ADDR: "0.0.0.0:9142"
    GATEWAY_GRPC_TRUSTED_NETWORKS: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"
    GATEWAY_DEBUG_ADDR: "0.0.0.0:9143"
    {{- if $transactions }}
    GATEWAY_HTTP_ADDR: "0.0.0.0:9139"
    OCIS_HTTP_TLS_ENABLED: "true"
    OCIS_HTTP_TLS_CERTIFICATE: /etc/doorward/tls/tls.crt
    OCIS_HTTP_TLS_KEY: /etc/doorward/tls/tls.key
    {{- end }}
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
  labels: {}
  settings:
    PROXY_GATEWAY_ENDPOINT: dns:///gateway-headless:9142
  callers: {}
  calls: {grpc: [auth-app, auth-basic, auth-bearer, auth-machine, auth-service, users]}
  open:
    - {label: doorward-client, port: grpc}
    {{- if $transactions }}
    - {label: doorward-client, port: http}
    {{- end }}
  callsHttps: false
  clientCertificates: false
  http: false
users:
  ports:
    - {name: grpc, port: 9144}
    - {name: debug, port: 9145}
  env:
    USERS_GRPC_ADDR: "0.0.0.0:9144"
    USERS_DEBUG_ADDR: "0.0.0.0:9145"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
    OCIS_DATABASE_URL_FILE: database_url
  labels: {doorward-database: "true"}
  settings:
    GATEWAY_USERS_ENDPOINT: dns:///users-headless:9144
    AUTH_APP_USERS_ENDPOINT: dns:///users-headless:9144
    AUTH_BASIC_USERS_ENDPOINT: dns:///users-headless:9144
    AUTH_BEARER_USERS_ENDPOINT: dns:///users-headless:9144
    AUTH_MACHINE_USERS_ENDPOINT: dns:///users-headless:9144
    IDP_USERS_ENDPOINT: dns:///users-headless:9144
    ACCOUNT_USERS_ENDPOINT: dns:///users-headless:9144
  callers: {grpc: [account, auth-app, auth-basic, auth-bearer, auth-machine, gateway, idp]}
  calls: {}
  open: []
  callsHttps: false
  clientCertificates: true
  http: false
auth-app:
  ports:
    - {name: grpc, port: 9246}
    - {name: http, port: 9247}
    - {name: debug, port: 9245}
  env:
    AUTH_APP_GRPC_ADDR: "0.0.0.0:9246"
    AUTH_APP_HTTP_ADDR: "0.0.0.0:9247"
    AUTH_APP_TRUSTED_PROXIES: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"
    AUTH_APP_DEBUG_ADDR: "0.0.0.0:9245"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
    AUTH_APP_TOKEN_KEY_FILE: app_token_key
    OCIS_DATABASE_URL_FILE: database_url
  labels: {doorward-database: "true"}
  settings:
    GATEWAY_AUTH_APP_ENDPOINT: dns:///auth-app-headless:9246
    ACCOUNT_AUTH_APP_ENDPOINT: dns:///auth-app-headless:9246
    PROXY_AUTH_APP_BACKEND: https://auth-app:9247
  callers: {http: [proxy], grpc: [account, gateway]}
  calls: {grpc: [users]}
  open: []
  callsHttps: false
  clientCertificates: true
  http: true
auth-basic:
  ports:
    - {name: grpc, port: 9146}
    - {name: debug, port: 9147}
  env:
    AUTH_BASIC_GRPC_ADDR: "0.0.0.0:9146"
    AUTH_BASIC_DEBUG_ADDR: "0.0.0.0:9147"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
    OCIS_DATABASE_URL_FILE: database_url
  labels: {doorward-database: "true"}
  settings:
    GATEWAY_AUTH_BASIC_ENDPOINT: dns:///auth-basic-headless:9146
    IDP_AUTH_BASIC_ENDPOINT: dns:///auth-basic-headless:9146
    ACCOUNT_AUTH_BASIC_ENDPOINT: dns:///auth-basic-headless:9146
  callers: {grpc: [account, gateway, idp]}
  calls: {grpc: [users]}
  open: []
  callsHttps: false
  clientCertificates: true
  http: false
auth-bearer:
  ports:
    - {name: grpc, port: 9148}
    - {name: http, port: 9248}
    - {name: debug, port: 9149}
  env:
    AUTH_BEARER_GRPC_ADDR: "0.0.0.0:9148"
    AUTH_BEARER_HTTP_ADDR: "0.0.0.0:9248"
    AUTH_BEARER_TRUSTED_PROXIES: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"
    AUTH_BEARER_DEBUG_ADDR: "0.0.0.0:9149"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
    OCIS_DATABASE_URL_FILE: database_url
  labels: {doorward-database: "true"}
  settings:
    GATEWAY_AUTH_BEARER_ENDPOINT: dns:///auth-bearer-headless:9148
    PROXY_AUTH_BEARER_BACKEND: https://auth-bearer:9248
  callers: {http: [proxy], grpc: [gateway]}
  calls: {grpc: [idp, users], http: [idp]}
  open: []
  callsHttps: true
  clientCertificates: true
  http: true
auth-machine:
  ports:
    - {name: grpc, port: 9166}
    - {name: debug, port: 9167}
  env:
    AUTH_MACHINE_GRPC_ADDR: "0.0.0.0:9166"
    AUTH_MACHINE_DEBUG_ADDR: "0.0.0.0:9167"
  secrets:
    OCIS_MACHINE_AUTH_API_KEY_FILE: machine_auth_api_key
  labels: {}
  settings:
    GATEWAY_AUTH_MACHINE_ENDPOINT: dns:///auth-machine-headless:9166
  callers: {grpc: [gateway]}
  calls: {grpc: [users]}
  open: []
  callsHttps: false
  clientCertificates: true
  http: false
auth-service:
  ports:
    - {name: grpc, port: 9199}
    - {name: debug, port: 9198}
  env:
    AUTH_SERVICE_GRPC_ADDR: "0.0.0.0:9199"
    OCIS_SERVICE_ACCOUNT_ID: "doorward"
    AUTH_SERVICE_STORE_ACCOUNTS: "true"
    AUTH_SERVICE_DEBUG_ADDR: "0.0.0.0:9198"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
    OCIS_SERVICE_ACCOUNT_SECRET_FILE: service_account_secret
    OCIS_DATABASE_URL_FILE: database_url
  labels: {doorward-database: "true"}
  settings:
    GATEWAY_AUTH_SERVICE_ENDPOINT: dns:///auth-service-headless:9199
    ACCOUNT_AUTH_SERVICE_ENDPOINT: dns:///auth-service-headless:9199
    IDP_AUTH_SERVICE_ENDPOINT: dns:///auth-service-headless:9199
  callers: {grpc: [account, gateway, idp]}
  calls: {}
  open: []
  callsHttps: false
  clientCertificates: true
  http: false
proxy:
  ports:
    - {name: http, port: 9200}
    - {name: grpc, port: 9201}
    - {name: debug, port: 9205}
  env:
    PROXY_DEBUG_ADDR: "0.0.0.0:9205"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
  labels: {doorward-client: "true", doorward-edge: "true"}
  settings: {}
  callers: {}
  calls: {grpc: [gateway, idp], http: [account, auth-app, auth-bearer, idp]}
  open: [{port: http}, {label: doorward-client, port: grpc}]
  callsHttps: false
  clientCertificates: false
  http: false
idp:
  ports:
    - {name: http, port: 9130}
    - {name: grpc, port: 9131}
    - {name: debug, port: 9134}
  env:
    IDP_GRPC_ADDR: "0.0.0.0:9131"
    IDP_HTTP_ADDR: "0.0.0.0:9130"
    IDP_TRUSTED_PROXIES: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"
    IDP_DEBUG_ADDR: "0.0.0.0:9134"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
    IDP_ENCRYPTION_SECRET_FILE: idp_encryption_secret
    OCIS_DATABASE_URL_FILE: database_url
  labels: {doorward-database: "true"}
  settings:
    ACCOUNT_IDP_ENDPOINT: dns:///idp-headless:9131
    AUTH_BEARER_IDP_ENDPOINT: dns:///idp-headless:9131
    AUTH_BEARER_IDP_BACKEND: https://idp:9130
    PROXY_IDP_ENDPOINT: dns:///idp-headless:9131
    PROXY_IDP_BACKEND: https://idp:9130
  callers: {grpc: [account, auth-bearer, proxy], http: [auth-bearer]}
  calls: {grpc: [auth-basic, auth-service, users]}
  open: [{label: doorward-edge, port: http}]
  callsHttps: true
  clientCertificates: true
  http: true
account:
  ports:
    - {name: http, port: 9261}
    - {name: debug, port: 9262}
  env:
    ACCOUNT_HTTP_ADDR: "0.0.0.0:9261"
    ACCOUNT_TRUSTED_PROXIES: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"
    ACCOUNT_DEBUG_ADDR: "0.0.0.0:9262"
  secrets:
    OCIS_JWT_SECRET_FILE: jwt_secret
  labels: {}
  settings:
    PROXY_ACCOUNT_BACKEND: https://account:9261
  callers: {http: [proxy]}
  calls: {grpc: [auth-app, auth-basic, auth-service, idp, users]}
  open: []
  callsHttps: false
  clientCertificates: false
  http: true
{{- end }}
