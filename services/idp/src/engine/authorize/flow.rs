//! Flows: what waits while a user signs in. A flow is a sealed text in the URL of our pages, so that nothing is stored for
//! flows that are given up, and any replica continues one.

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use oidc::redirect::same_origin_path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoints::{EndpointProfile, IssuerEndpoints, page};
use crate::engine::levels::Level;
use crate::engine::provider::Provider;
use crate::model::{Seconds, seconds};
use crate::seal::Purpose;

/// What waits for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// At which issuer it began.
    #[serde(rename = "l")]
    pub layout: EndpointProfile,
    /// When it began.
    #[serde(rename = "b")]
    pub began: Seconds,
    /// Where the browser goes when the user is ready.
    #[serde(rename = "n")]
    pub destination: Destination,
    /// The session that was begun in this flow: a user who was asked to sign in anew has done so.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<Uuid>,
    /// The session whose user has chosen this account.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Uuid>,
    /// What the user of a session has consented to in this flow.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<GivenConsent>,
    /// The user who has given the right password and not yet the second factor.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub password: Option<VerifiedPassword>,
    /// The level of authentication that a path of ours needs.
    #[serde(rename = "v", default)]
    pub level: Level,
    /// Whether a path of ours needs a sign-in of the last ten minutes.
    #[serde(rename = "f", default)]
    pub fresh: bool,
}

/// A right password, without which there is no session yet (row F1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedPassword {
    /// By which it is known that it has led to a session, and does so no second time.
    #[serde(rename = "i")]
    pub id: Uuid,
    /// Whose it is.
    #[serde(rename = "u")]
    pub user: String,
    /// When it was given.
    #[serde(rename = "t")]
    pub at: Seconds,
    /// Whether the user wants to stay signed in.
    #[serde(rename = "r")]
    pub remember: bool,
    /// The token of the browser in which it was given: in another one the flow does not count.
    #[serde(rename = "b")]
    pub browser: String,
}

/// What a user has consented to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenConsent {
    /// In which session.
    #[serde(rename = "s")]
    pub session: Uuid,
    /// To what, in the form of the parameter `scope`.
    #[serde(rename = "o")]
    pub scope: String,
}

/// Where the browser goes when the user is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// To the client, with the response.
    #[serde(rename = "a")]
    Client(PendingRequest),
    /// To a path of ours.
    #[serde(rename = "p")]
    Path(String),
}

/// An authorization request that is valid and waits for a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// The request, as it is written again.
    #[serde(rename = "q")]
    pub parameters: Vec<(String, String)>,
    /// Where the response is sent; it was checked.
    #[serde(rename = "u")]
    pub redirect_uri: String,
    /// What tokens shall be for (RFC 8707).
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The `DPoP` key that alone may redeem the code (RFC 9449 10).
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// Whether the request had a `state` that is empty: `OpenCloud`'s own clients get it back even so.
    #[serde(rename = "e", default)]
    pub empty_state: bool,
    /// The name of the pushed request that this is, which is used up by its response (RFC 9126 4).
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
}

/// A flow that cannot continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the flow has expired, or is none of ours")]
pub struct FlowExpired;

impl Flow {
    /// A flow that begins now.
    pub fn begin(layout: EndpointProfile, destination: Destination, now: SystemTime) -> Self {
        Self {
            layout,
            began: seconds(now),
            destination,
            signed_in: None,
            chosen: None,
            consent: None,
            password: None,
            level: Level::Single,
            fresh: false,
        }
    }

    /// A flow that leads to a path of ours; to the consents page if it is none.
    pub fn to_path(layout: EndpointProfile, path: &str, now: SystemTime) -> Self {
        let path = same_origin_path(path).unwrap_or(page::CONSENTS).to_owned();
        Self::begin(layout, Destination::Path(path), now)
    }

    /// The same with another session of the same user in the place of the former one.
    #[must_use]
    pub fn with_session(mut self, former: Uuid, session: Uuid) -> Self {
        for known in [&mut self.signed_in, &mut self.chosen] {
            if *known == Some(former) {
                *known = Some(session);
            }
        }
        if let Some(consent) = self.consent.as_mut().filter(|consent| consent.session == former) {
            consent.session = session;
        }
        self
    }

    /// The flow as a text.
    pub fn seal(&self, provider: &Provider) -> String {
        provider.sealer.seal(Purpose::Flow, self)
    }

    /// The URL at which the user continues it.
    pub fn url(&self, provider: &Provider, endpoints: &IssuerEndpoints) -> String {
        format!("{}?flow={}", endpoints.url(page::SIGN_IN), self.seal(provider))
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// [`FlowExpired`].
    pub fn open(provider: &Provider, text: &str) -> Result<Self, FlowExpired> {
        let flow: Self = provider.sealer.open(Purpose::Flow, text).map_err(|_| FlowExpired)?;
        let age = seconds(provider.clock.now()).saturating_sub(flow.began);
        if age < provider.config.lifetimes.interaction.as_secs() { Ok(flow) } else { Err(FlowExpired) }
    }
}
