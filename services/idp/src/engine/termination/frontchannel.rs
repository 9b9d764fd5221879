//! Front-channel logout (`OpenID` Connect Front-Channel Logout 1.0): the page that confirms a sign-out loads an address of
//! each client in a frame.

use std::sync::Arc;

use reqwest::Url;
use uuid::Uuid;

use crate::endpoints::EndpointProfile;
use crate::engine::clients::Client;
use crate::engine::provider::Provider;

/// A client that took part in a session.
pub(super) struct KnownParticipant {
    pub(super) client: Arc<Client>,
    /// The issuer at which it took part.
    pub(super) layout: EndpointProfile,
    /// The identifier by which it knows the session.
    pub(super) sid: Uuid,
}

/// What a browser loads to notify these clients that the session has ended.
pub(super) fn frames(provider: &Provider, participants: &[KnownParticipant]) -> Vec<String> {
    let frame = |known: &KnownParticipant| {
        let logout = &known.client.logout;
        let endpoints = provider.endpoints(known.layout)?;
        let session = logout.frontchannel_session.then_some((endpoints.issuer.as_str(), known.sid));
        frame(logout.frontchannel.as_deref()?, session)
    };
    participants.iter().filter_map(frame).collect()
}

/// A client's address, with `iss` and `sid` behind the query that it has (3).
fn frame(address: &str, session: Option<(&str, Uuid)>) -> Option<String> {
    let mut url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    if let Some((issuer, session)) = session {
        url.query_pairs_mut().append_pair("iss", issuer).append_pair("sid", &session.to_string());
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_session_stand_behind_the_query_that_a_client_has_registered() {
        let session = Uuid::from_u128(7);
        let named = Some(("https://cloud.example/oidc", session));
        assert_eq!(
            frame("https://a.example/out", named).as_deref(),
            Some(
                "https://a.example/out?iss=https%3A%2F%2Fcloud.example%2Foidc&sid=00000000-0000-0000-0000-000000000007"
            )
        );
        let with_query = frame("https://a.example/out?x=1", named).unwrap();
        assert!(with_query.starts_with("https://a.example/out?x=1&iss=https%3A"), "{with_query}");
        assert_eq!(frame("https://a.example/out?x=1", None).as_deref(), Some("https://a.example/out?x=1"));
        assert_eq!(frame("javascript:alert(1)", named), None);
    }
}
