//! TLS of the provider (FAPI 2.0 Security Profile 5.2.2, BCP 195).

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedCipherSuite, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
};

/// A handshake that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds that TLS 1.3 is negotiated, and of TLS 1.2 only the cipher suites that BCP 195 recommends.
pub(super) async fn check(context: &Context<'_>) -> Verdict {
    let Some(authority) = &context.target.authority else {
        context.warn("the cipher suites are not looked at without the certificate of an authority");
        return Ok(());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.needed("the certificate of an authority")?).needed("the certificate of an authority")?;
    }
    let all = aws_lc_rs::ALL_CIPHER_SUITES;
    let version = negotiated(context, &roots, all).await?;
    ensure(version.is_some(), "no TLS 1.2 or 1.3 handshake succeeds")?;
    if version != Some(ProtocolVersion::TLSv1_3) {
        context.warn(format!("TLS 1.3 is not negotiated, but {version:?}"));
    }
    for suite in all.iter().filter(|suite| suite.tls13().is_none()) {
        let name = format!("{:?}", suite.suite());
        let is_recommended = name.contains("_GCM_");
        let is_taken = negotiated(context, &roots, &[*suite]).await?.is_some();
        ensure(
            is_recommended || !is_taken,
            format!("{name} of TLS 1.2 is accepted, which BCP 195 does not recommend"),
        )?;
    }
    Ok(())
}

/// The version on which the provider agrees with a client that offers these cipher suites; `None` if the handshake fails.
async fn negotiated(
    context: &Context<'_>,
    roots: &RootCertStore,
    suites: &[SupportedCipherSuite],
) -> Verdict<Option<ProtocolVersion>> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = suites.to_vec();
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let config = config.needed("a TLS client")?.with_root_certificates(roots.clone()).with_no_client_auth();
    let url = Url::parse(context.discovery.endpoint("token_endpoint")?).needed("token_endpoint")?;
    let host = url.host_str().needed("the host of token_endpoint")?.to_owned();
    let port = url.port_or_known_default().needed("the port of token_endpoint")?;
    let stream = TcpStream::connect((host.as_str(), port)).await.needed("a connection to token_endpoint")?;
    let name = ServerName::try_from(host).needed("the host of token_endpoint")?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(stream)) => Ok(stream.get_ref().1.protocol_version()),
        Ok(Err(_)) => Ok(None),
        Err(_) => Err(failed("a TLS handshake does not end")),
    }
}
