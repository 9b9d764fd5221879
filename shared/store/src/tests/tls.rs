//! Connections to a server by TLS.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

use crate::testing::Cluster;
use crate::{Database, Options, StoreError};

/// The certificate of an authority in a file, and one that it has signed for localhost.
struct Authority {
    folder: TempDir,
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs itself");
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let certificate = leaf.signed_by(&key, &issuer).expect("signs").pem();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.crt"), issuer.pem()).expect("writes");
        Self { folder, certificate, key: key.serialize_pem() }
    }

    /// The parameters of a URL that have its certificates verified.
    fn verified(&self) -> String {
        format!("?sslmode=verify-full&sslrootcert={}", self.folder.path().join("ca.crt").display())
    }
}

/// Whether the connection to this server is encrypted; an error if there is none.
async fn is_encrypted(url: &str) -> Result<bool, StoreError> {
    let options = Options { patience: Duration::ZERO, acquire_timeout: Duration::from_secs(10), ..Options::default() };
    let database = Database::connect(url, &options).await?;
    let question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let question = Statement::from_string(DbBackend::Postgres, question);
    let row = database.connection().query_one_raw(question).await?.expect("a row");
    Ok(row.try_get("", "ssl")?)
}

/// `docs/security-requirements.md#d40`
#[tokio::test(flavor = "multi_thread")]
async fn server_is_verified_by_its_authority_and_its_name() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(cluster) = Cluster::start_with_tls(&authority.certificate, &authority.key).await else { return };
    let at = |host: &str, parameters: &str| format!("{}{parameters}", cluster.tls_url(host));
    assert!(is_encrypted(&at("localhost", &authority.verified())).await.expect("connects"));
    let refused = is_encrypted(&at("localhost", &other.verified())).await.expect_err("is of another authority");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    is_encrypted(&at("127.0.0.1", &authority.verified())).await.expect_err("the certificate is for another name");
    assert!(!is_encrypted(&at("127.0.0.1", "?sslmode=disable")).await.expect("connects"), "for comparison");
}
