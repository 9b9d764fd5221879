//! `id_token_hint`: an ID token of this server, with which a client names the user to sign out.

use oidc::claims::sole_audience;
use oidc::id_token;
use oidc::jose::UnverifiedJwt;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::endpoints::IssuerEndpoints;
use crate::engine::provider::Provider;
use crate::model::Session;

/// The claims of an ID token of this server. It may have expired, as users sign out long after they have signed in (`OpenID`
/// Connect RP-Initiated Logout 1.0, 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The client to which it was issued.
    pub(crate) client: String,
    subject: String,
    session: Option<Uuid>,
}

impl Hint {
    /// Reads a hint; `None` if it was not signed with a key of this server, which excludes `alg` `none`, or is no ID token.
    pub(crate) fn read(provider: &Provider, text: &str) -> Option<Self> {
        let jwt = UnverifiedJwt::parse(text).ok()?;
        // access tokens and logout tokens are signed with the same keys, but are no hints
        let hint = Self::of(jwt.claims(), &provider.issuers).filter(|_| id_token::has_type(&jwt))?;
        provider.keys.verifies(&jwt).then_some(hint)
    }

    fn of(claims: &Map<String, Value>, issuers: &[IssuerEndpoints]) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let issuer = text("iss")?;
        if !issuers.iter().any(|endpoints| endpoints.issuer == issuer) {
            return None;
        }
        let client = text("azp").or_else(|| sole_audience(claims))?;
        Some(Self {
            client: client.to_owned(),
            subject: text("sub")?.to_owned(),
            session: text("sid").and_then(|sid| sid.parse().ok()),
        })
    }

    /// Whether it is about this session, or about its user, whose `sub` for the client is `subject`.
    pub(crate) fn fits(&self, session: &Session, subject: Option<&str>) -> bool {
        self.session == Some(session.id) || subject == Some(self.subject.as_str())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::endpoints::EndpointProfile;

    pub(in crate::engine::end_session) fn hint(client: &str, subject: &str, session: Option<Uuid>) -> Hint {
        Hint { client: client.to_owned(), subject: subject.to_owned(), session }
    }

    fn read(claims: &Value) -> Option<Hint> {
        let issuers = EndpointProfile::ALL.map(|layout| IssuerEndpoints::new(layout, "https://cloud.example"));
        Hint::of(claims.as_object().unwrap(), &issuers)
    }

    #[test]
    fn a_hint_says_client_person_and_session() {
        let sid = Uuid::from_u128(7);
        let mut claims = json!({"iss": "https://cloud.example", "aud": "web", "sub": "einstein", "exp": 1});
        assert_eq!(read(&claims), Some(hint("web", "einstein", None)), "over long ago");
        claims["sid"] = json!(sid.to_string());
        claims["aud"] = json!(["web"]);
        assert_eq!(read(&claims), Some(hint("web", "einstein", Some(sid))));
        claims["aud"] = json!(["web", "other"]);
        assert_eq!(read(&claims), None, "its client is ambiguous");
        claims["azp"] = json!("web");
        claims["iss"] = json!("https://cloud.example/oidc");
        assert_eq!(read(&claims), Some(hint("web", "einstein", Some(sid))), "the other issuer is ours too");
    }

    #[test]
    fn a_hint_of_another_issuer_or_without_a_claim_is_none() {
        let good = json!({"iss": "https://cloud.example", "aud": "web", "sub": "einstein"});
        assert!(read(&good).is_some());
        for (name, value) in [("iss", json!("https://cloud.example/")), ("aud", json!(7)), ("sub", json!(null))] {
            let mut claims = good.clone();
            claims[name] = value;
            assert_eq!(read(&claims), None, "{name}");
        }
    }
}
