//! The issuers of tokens: our own idp, inside and at its public URL, and foreign ones.

use futures_util::future::join_all;
use outbound::issuer::{Source, SourceError};
use outbound::{Authorities, ClientIdentity};
use runtime::FileSetting;

use super::{Finding, Installation, Subject};
use crate::cli::Check;
use crate::services::ServiceId;

const USER_AGENT: &str = "doorward-doctor";

/// An issuer, as it is called.
pub(super) struct Issuer {
    /// Its URL, and by which way it is called.
    pub(super) name: String,
    /// How it is called, or why it cannot be.
    pub(super) source: Result<Source, String>,
    /// What to do if it does not answer.
    remedy: &'static str,
}

/// The issuers whose tokens are accepted, and those that the idp of this configuration has.
pub(super) fn sources(installation: &Installation) -> Vec<Issuer> {
    let Installation { settings, enabled, .. } = installation;
    let mut issuers = Vec::new();
    if enabled.contains(ServiceId::Idp) {
        for site in settings.idp.sites() {
            issuers.push(at_public_url(&site.issuer, settings.auth_bearer.auth_providers.oidc.insecure));
        }
    }
    if enabled.contains(ServiceId::AuthBearer) {
        match settings.auth_bearer.issuers() {
            Ok(all) => issuers.extend(all.iter().map(|issuer| accepted(issuer, installation))),
            Err(problem) => issuers.push(Issuer {
                name: "issuers of auth-bearer".to_owned(),
                source: Err(problem.to_string()),
                remedy: "correct AUTH_BEARER_OIDC_ISSUERS_FILE",
            }),
        }
    }
    issuers
}

/// Our own idp where clients and browsers find it: at the edge.
fn at_public_url(issuer: &str, insecure: bool) -> Issuer {
    Issuer {
        name: format!("{issuer} (at its public URL)"),
        source: Source::new(issuer, USER_AGENT, insecure, true, None).map_err(|problem| problem.to_string()),
        remedy: "see whether OCIS_URL resolves to the edge from here, whether its certificate is trusted on this machine, and whether what stands in front passes /.well-known/openid-configuration",
    }
}

/// An issuer, as auth-bearer calls it.
fn accepted(issuer: &auth_bearer::issuer::Settings, installation: &Installation) -> Issuer {
    let config = &installation.settings.auth_bearer;
    let name = &issuer.rules.issuer;
    let prepare = || {
        let authorities = config.outbound.authorities.clone().map(|file| {
            let (service, name) = ("doctor", "AUTH_BEARER_OUTBOUND_CACERT");
            Authorities::follow(FileSetting { service, name, files: vec![file] }, &installation.context)
        });
        let authorities = authorities.transpose().map_err(|problem| problem.to_string())?;
        let allow_private = config.outbound.allow_private_addresses;
        let source = Source::new(name, USER_AGENT, issuer.insecure, allow_private, authorities.as_ref());
        let source = source.map_err(|problem| problem.to_string())?;
        if issuer.rules.is_own && !config.idp_backend.is_empty() {
            let identity = ClientIdentity::follow("doctor", &config.http_client_tls, &installation.context)
                .map_err(|problem| problem.to_string())?;
            return source
                .reached_at(&config.idp_backend, USER_AGENT, authorities.as_ref(), identity.as_ref())
                .map_err(|problem| problem.to_string());
        }
        Ok(source)
    };
    let way = if issuer.rules.is_own && !config.idp_backend.is_empty() {
        format!(" (by {})", config.idp_backend)
    } else {
        String::new()
    };
    Issuer {
        name: format!("{name}{way}"),
        source: prepare(),
        remedy: "see whether it runs and can be reached from here; the setting is OCIS_OIDC_ISSUER, AUTH_BEARER_OIDC_ISSUER or AUTH_BEARER_OIDC_ISSUERS_FILE",
    }
}

/// Reads the discovery document and the keys of each.
pub(super) async fn check(installation: &Installation) -> Vec<Finding> {
    let issuers = sources(installation);
    if issuers.is_empty() {
        let found = "neither idp nor auth-bearer runs with this configuration";
        return vec![Subject::new(Check::Issuer, "issuers").not_checked(found)];
    }
    let all = join_all(issuers.iter().map(|issuer| async move {
        let subject = Subject::new(Check::Issuer, &issuer.name);
        subject.within_limit(async { vec![of_issuer(&subject, issuer).await] }).await
    }));
    all.await.into_iter().flatten().collect()
}

async fn of_issuer(subject: &Subject, issuer: &Issuer) -> Finding {
    let source = match &issuer.source {
        Ok(source) => source,
        Err(problem) => return subject.failed(problem, issuer.remedy),
    };
    match source.ask().await {
        Ok((_, keys)) if keys.is_empty() => {
            subject.failed("it publishes no key that verifies tokens", "have it sign with RS256, PS256, ES256 or EdDSA")
        }
        Ok(_) => subject.ok("discovery and keys can be read, and it calls itself so"),
        Err(problem @ SourceError::OtherIssuer(_)) => {
            let remedy = "write the issuer just as it calls itself, to the last slash";
            subject.failed(problem, remedy)
        }
        Err(problem) => subject.failed(problem, issuer.remedy),
    }
}
