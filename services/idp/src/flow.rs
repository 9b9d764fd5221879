//! Flows: what waits while somebody signs in. A flow is a sealed text in the URL of our pages, so that nothing has to be
//! kept for people who never come back, and any replica goes on with it.

use std::time::SystemTime;

use oidc::redirect::same_origin_path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoints::{Layout, Site, page};
use crate::model::{Seconds, seconds};
use crate::provider::Provider;
use crate::seal::Purpose;

/// What waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// At which issuer it began.
    #[serde(rename = "l")]
    pub layout: Layout,
    /// When it began.
    #[serde(rename = "b")]
    pub began: Seconds,
    /// What happens when the person is ready.
    #[serde(rename = "n")]
    pub next: Next,
    /// The session that was begun in this flow: whoever was asked to sign in anew has done so.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<Uuid>,
    /// The session whose owner has said that this is the account.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Uuid>,
    /// What the owner of a session has agreed to in this flow.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreed>,
}

/// What somebody has agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// In which session.
    #[serde(rename = "s")]
    pub session: Uuid,
    /// To what, in the form of the parameter `scope`.
    #[serde(rename = "o")]
    pub scope: String,
}

/// What happens when the person is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// The client gets its answer.
    #[serde(rename = "a")]
    Answer(Waiting),
    /// The browser is sent to a path of ours.
    #[serde(rename = "p")]
    Path(String),
}

/// An authorization request that is good and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The request, as it is written again.
    #[serde(rename = "q")]
    pub parameters: Vec<(String, String)>,
    /// Where the answer goes; it was checked.
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
    /// The name of the pushed request that this is, which is used up when it is answered (RFC 9126 4).
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
}

/// A flow that cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the flow is over, or none of ours")]
pub struct FlowOver;

impl Flow {
    /// A flow that begins now.
    pub fn begin(layout: Layout, next: Next, now: SystemTime) -> Self {
        Self { layout, began: seconds(now), next, signed_in: None, chosen: None, agreed: None }
    }

    /// A flow that leads to a path of ours; to the consents page if it is none.
    pub fn to_path(layout: Layout, path: &str, now: SystemTime) -> Self {
        let path = same_origin_path(path).unwrap_or(page::CONSENTS).to_owned();
        Self::begin(layout, Next::Path(path), now)
    }

    /// The flow as a text.
    pub fn seal(&self, provider: &Provider) -> String {
        provider.sealer.seal(Purpose::Flow, self)
    }

    /// Where the person goes on with it.
    pub fn url(&self, provider: &Provider, site: &Site) -> String {
        format!("{}?flow={}", site.url(page::SIGN_IN), self.seal(provider))
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// [`FlowOver`].
    pub fn open(provider: &Provider, text: &str) -> Result<Self, FlowOver> {
        let flow: Self = provider.sealer.open(Purpose::Flow, text).map_err(|_| FlowOver)?;
        let age = seconds(provider.clock.now()).saturating_sub(flow.began);
        if age < provider.config.lives.interaction.as_secs() { Ok(flow) } else { Err(FlowOver) }
    }
}
