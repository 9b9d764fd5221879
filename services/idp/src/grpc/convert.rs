//! Clients and issuers as messages have them.

use proto::doorward::idp::v1::{Client, ClientSource, Issuer};
use serde_json::Value;

use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{Described, Source};
use crate::model::seconds;

/// A client.
pub(super) fn client(described: &Described) -> Client {
    let client = &described.client;
    let source = match client.source {
        Source::BuiltIn => ClientSource::BuiltIn,
        Source::Configured => ClientSource::Configured,
        Source::Added => ClientSource::Added,
        Source::Registered => ClientSource::Registered,
        Source::Document => ClientSource::Document,
    };
    Client {
        id: client.id.clone(),
        name: client.presentation.name.clone(),
        source: source.into(),
        metadata: Value::Object(described.metadata.to_members()).to_string(),
        created: client.created.map(|at| i64::try_from(seconds(at)).unwrap_or(i64::MAX)),
    }
}

/// An issuer.
pub(super) fn issuer(endpoints: &IssuerEndpoints) -> Issuer {
    Issuer {
        issuer: endpoints.issuer.clone(),
        discovery_url: endpoints.url(endpoints.paths.discovery),
        endpoint_profile: endpoints.layout.name().to_owned(),
    }
}
