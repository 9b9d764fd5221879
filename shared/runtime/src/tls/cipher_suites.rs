//! The cipher suites that servers accept.

use std::sync::Arc;

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

use super::provider;

/// The cipher suites of TLS 1.2 that BCP 195 recommends (RFC 9325 4.2). FAPI 2.0 permits no others.
const RECOMMENDED: [CipherSuite; 4] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// The provider of cryptography of all servers: every cipher suite of TLS 1.3, and the recommended ones of TLS 1.2
/// (`docs/security-requirements.md#d60`). Clients use [`provider`]: a server of others decides by itself.
pub(super) fn server_provider() -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&provider());
    provider.cipher_suites.retain(|suite| suite.tls13().is_some() || RECOMMENDED.contains(&suite.suite()));
    Arc::new(provider)
}
