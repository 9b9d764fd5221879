//! The server: how to reach it and who we are to it.

use std::time::Duration;

use config::Secret;
use ldap3::{LdapConnAsync, LdapConnSettings, LdapResult};

use crate::Ldap;
use crate::failure::{Failure, code};
use crate::tls::Tls;

/// How long a connection may take, and each operation on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Where the server is.
#[derive(Debug)]
pub(crate) struct Server {
    uri: String,
    start_tls: bool,
    tls: Tls,
    bind_dn: String,
    bind_password: Secret,
}

impl Server {
    pub(crate) fn new(config: &Ldap, tls: Tls) -> Self {
        let is_readable = config.uri.starts_with("ldap://") && !config.start_tls;
        if is_readable && !is_local(&config.uri) {
            tracing::warn!(
                uri = config.uri,
                "passwords travel to the LDAP server unencrypted; use ldaps:// or StartTLS"
            );
        }
        Self {
            uri: config.uri.clone(),
            start_tls: config.start_tls,
            tls,
            bind_dn: config.bind_dn.clone(),
            bind_password: config.bind_password.clone(),
        }
    }

    /// A new connection, on which no bind was made.
    pub(crate) async fn connect(&self) -> Result<ldap3::Ldap, Failure> {
        let mut settings = LdapConnSettings::new().set_starttls(self.start_tls);
        if self.start_tls || self.uri.starts_with("ldaps:") {
            settings = settings.set_config(self.tls.client().await?).set_no_tls_verify(self.tls.insecure);
        }
        let connecting = LdapConnAsync::with_settings(settings, &self.uri);
        let (connection, handle) = tokio::time::timeout(PATIENCE, connecting).await.map_err(|_| Failure::Timeout)??;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "an LDAP connection ended");
            }
        });
        Ok(handle)
    }

    /// A fresh connection that is bound as the service; without a DN it stays anonymous.
    pub(crate) async fn connect_as_service(&self) -> Result<ldap3::Ldap, Failure> {
        let mut connection = self.connect().await?;
        if self.bind_dn.is_empty() {
            return Ok(connection);
        }
        let result = bind(&mut connection, &self.bind_dn, self.bind_password.expose()).await?;
        if result.rc == code::SUCCESS {
            return Ok(connection);
        }
        tracing::error!(bind_dn = self.bind_dn, code = result.rc, "the LDAP server refuses the service's own bind");
        Err(Failure::Answer { operation: "service's bind", result })
    }
}

/// A simple bind; the server's verdict is the result's code.
pub(crate) async fn bind(connection: &mut ldap3::Ldap, dn: &str, password: &str) -> Result<LdapResult, Failure> {
    Ok(connection.with_timeout(PATIENCE).simple_bind(dn, password).await?)
}

/// Whether what is sent there stays on this machine.
fn is_local(uri: &str) -> bool {
    let authority = uri.split("://").nth(1).unwrap_or_default();
    ["localhost", "127.", "[::1]"].iter().any(|host| authority.starts_with(host))
}
