use std::io;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ServerConfig};

use super::super::any_certificate::AnyCertificate;
use super::super::{CertificateNames, ServerFiles, ServerTls, provider};
use super::*;
use crate::Clock;
use crate::testing::Authority;
use config::GrpcTls;

const DOMAIN: &str = "example.org";
const INDEXER: &str = "spiffe://example.org/ns/mail/sa/indexer";

/// A gRPC server for X.509-SVIDs of a trust domain, and perhaps for certificates of another authority.
fn server(others: Option<&Authority>) -> (ServerTls, SpiffeAuthorities) {
    let tls = GrpcTls {
        enabled: true,
        client_spiffe: true,
        client_ca: others.map(|authority| authority.path("ca.pem")),
        ..GrpcTls::default()
    };
    let files = ServerFiles::of_grpc(&tls).expect("TLS is enabled");
    let tls = ServerTls::new(files, Clock::system()).expect("reads");
    let authorities = SpiffeAuthorities::new([DOMAIN.to_owned()]);
    tls.attach_authorities(authorities.clone());
    (tls, authorities)
}

/// What an X.509-SVID for these URIs says.
fn svid(uris: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.subject_alt_names = uris.iter().map(|&uri| SanType::URI(uri.try_into().expect("ASCII"))).collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A client that shows a certificate that this authority has signed.
fn client(authority: &Authority, params: &CertificateParams) -> Arc<ClientConfig> {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority.issuer()).expect("signs");
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let anyone = Arc::new(AnyCertificate(provider()));
    let builder = builder.expect("versions").dangerous().with_custom_certificate_verifier(anyone);
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Arc::new(builder.with_client_auth_cert(vec![certificate.der().clone()], key).expect("fits"))
}

/// The names of a client as the server takes them.
async fn names(tls: &ServerTls, client: &Arc<ClientConfig>) -> io::Result<Vec<String>> {
    proved(tls, client).await.map(|proved| proved.names.to_vec())
}

/// What the certificate of a client proves to the server.
async fn proved(tls: &ServerTls, client: &Arc<ClientConfig>) -> io::Result<CertificateNames> {
    let accepting = tls.current();
    let config: Arc<ServerConfig> = Arc::clone(&accepting.config);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = async {
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(client)).connect(name, near).await;
        // what the server sends after its handshake is read, so that tickets are stored
        if let Ok(mut stream) = stream {
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await;
        }
    };
    let accepting_it = async {
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(far).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        Ok(chain.first().map(|certificate| accepting.names(certificate)).unwrap_or_default())
    };
    tokio::join!(connecting, accepting_it).1
}

async fn is_accepted(tls: &ServerTls, authority: &Authority, params: &CertificateParams) -> bool {
    names(tls, &client(authority, params)).await.is_ok()
}

/// Row [M15](../../../../../docs/security-requirements.md#m15).
#[tokio::test]
async fn spiffe_id_is_verified_by_its_trust_domain_alone() {
    let (of_domain, other) = (Authority::named("example.org"), Authority::named("family"));
    let (tls, authorities) = server(Some(&other));
    assert!(!is_accepted(&tls, &of_domain, &svid(&[INDEXER])).await, "its bundle is not known yet");
    authorities.replace(DOMAIN, [of_domain.certificate()]).expect("is an authority");

    let accepted = proved(&tls, &client(&of_domain, &svid(&[INDEXER]))).await.expect("is accepted");
    assert_eq!((&*accepted.names, accepted.is_svid), (&[INDEXER.to_owned()][..], true));
    assert!(!is_accepted(&tls, &other, &svid(&[INDEXER])).await, "another authority has signed it");
    let unknown = ["spiffe://example.com/x"];
    assert!(!is_accepted(&tls, &of_domain, &svid(&unknown)).await, "no id of its own");
    let of_family = proved(&tls, &client(&other, &svid(&unknown))).await.expect("is accepted");
    let expected = unknown.map(str::to_owned);
    assert_eq!((&*of_family.names, of_family.is_svid), (&expected[..], false), "no trust domain of the settings");

    let mut with_dns = svid(&[INDEXER]);
    with_dns.subject_alt_names.push(SanType::DnsName("gateway.example".try_into().expect("ASCII")));
    let accepted = names(&tls, &client(&of_domain, &with_dns)).await.expect("is accepted");
    assert_eq!(accepted, [INDEXER], "a trust domain vouches for its ids alone");
}

/// Row [M15](../../../../../docs/security-requirements.md#m15).
#[tokio::test]
async fn certificate_that_is_no_x509_svid_is_refused() {
    let of_domain = Authority::named("example.org");
    let (tls, authorities) = server(None);
    authorities.replace(DOMAIN, [of_domain.certificate()]).expect("is an authority");
    let second = "spiffe://example.org/second";
    for uris in [&[INDEXER, second][..], &[INDEXER, "https://a.example"], &["https://a.example", INDEXER], &[]] {
        assert!(!is_accepted(&tls, &of_domain, &svid(uris)).await, "{uris:?}");
    }
    for id in ["spiffe://example.org", "spiffe://example.org/"] {
        assert!(!is_accepted(&tls, &of_domain, &svid(&[id])).await, "{id}");
    }
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = svid(&[INDEXER]);
        change(&mut params);
        params
    };
    for params in [
        changed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        changed(|params| params.key_usages.clear()),
        changed(|params| params.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        changed(|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
    ] {
        assert!(!is_accepted(&tls, &of_domain, &params).await, "{:?}", params.key_usages);
    }
    assert!(is_accepted(&tls, &of_domain, &svid(&[INDEXER])).await);
}

/// Rows [M15](../../../../../docs/security-requirements.md#m15) and [M16](../../../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn replaced_authorities_hold_from_the_next_connection_on() {
    let (former, next) = (Authority::named("former"), Authority::named("next"));
    let (tls, authorities) = server(None);
    let (by_former, by_next) = (client(&former, &svid(&[INDEXER])), client(&next, &svid(&[INDEXER])));
    let outcomes = async || [names(&tls, &by_former).await.is_ok(), names(&tls, &by_next).await.is_ok()];
    for (bundle, expected) in [
        (vec![former.certificate()], [true, false]),
        (vec![former.certificate(), next.certificate()], [true, true]),
        // the client has sessions from before, which it would resume
        (vec![next.certificate()], [false, true]),
        (Vec::new(), [false, false]),
        (vec![former.certificate()], [true, false]),
    ] {
        authorities.replace(DOMAIN, bundle).expect("are authorities");
        assert_eq!(outcomes().await, expected);
    }
    assert!(authorities.replace(DOMAIN, [vec![1, 2, 3]]).is_err());
    assert_eq!(outcomes().await, [true, false], "those from before stay");
}

#[tokio::test]
async fn server_without_trust_domains_verifies_by_the_file() {
    let family = Authority::named("family");
    let tls =
        GrpcTls { enabled: true, client_spiffe: true, client_ca: Some(family.path("ca.pem")), ..GrpcTls::default() };
    let files = ServerFiles::of_grpc(&tls).expect("TLS is enabled");
    let tls = ServerTls::new(files, Clock::system()).expect("reads");
    assert!(is_accepted(&tls, &family, &svid(&[INDEXER])).await);
    assert!(!is_accepted(&tls, &Authority::named("stranger"), &svid(&[INDEXER])).await);
}
