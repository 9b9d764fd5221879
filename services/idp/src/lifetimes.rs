//! The lifetimes of tokens, codes, sessions, keys and stored events: configured ones, those of a client, and which of them apply.

use std::time::Duration;

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoints::EndpointProfile;

const DAY: Duration = Duration::from_hours(24);
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// The configured lifetimes. Those of the layout `cells` are Cells' own. In YAML they are not a section of their own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Lifetimes {
    /// How long an access token is valid.
    #[serde(rename = "access_token_expiration")]
    #[schemars(extend("x-env" = ["<P>_ACCESS_TOKEN_EXPIRATION"], "default" = "5m"))]
    #[schemars(extend("minimum" = "1s", "maximum" = "24h"))]
    pub access_token: Duration,
    /// How long an ID token is valid.
    #[serde(rename = "id_token_expiration")]
    #[schemars(extend("x-env" = ["<P>_ID_TOKEN_EXPIRATION"], "default" = "5m", "minimum" = "1s", "maximum" = "24h"))]
    pub id_token: Duration,
    /// How long a refresh token is valid if it is not used.
    #[serde(rename = "refresh_token_expiration")]
    #[schemars(extend("x-env" = ["<P>_REFRESH_TOKEN_EXPIRATION"], "default" = 30 * DAY))]
    #[schemars(extend("minimum" = "1s", "maximum" = "87600h"))]
    pub refresh_token: Duration,
    /// How long a user stays signed in to a client by refresh tokens, however much they are used.
    #[schemars(extend("x-env" = ["<P>_REFRESH_TOKEN_ABSOLUTE_EXPIRATION"], "default" = 90 * DAY))]
    #[schemars(extend("minimum" = "1s", "maximum" = "87600h"))]
    pub refresh_token_absolute: Duration,
    /// For how long a refresh token that was used may be used again, and then brings the same successor: for clients that lose an
    /// answer, or that renew their tokens for several calls at once. As long the successor is not replaced. Never if 0; at most 10s.
    #[serde(rename = "refresh_token_grace")]
    #[schemars(extend("x-env" = ["<P>_REFRESH_TOKEN_GRACE"], "default" = "10s", "maximum" = "10s"))]
    pub refresh_grace: Duration,
    /// How long an authorization code is valid; at most 10m.
    #[serde(rename = "code_expiration")]
    #[schemars(extend("x-env" = ["<P>_CODE_EXPIRATION"], "default" = "1m", "minimum" = "1s", "maximum" = "10m"))]
    pub code: Duration,
    /// How long an access token of the layout cells is valid.
    #[serde(rename = "cells_access_token_expiration")]
    #[schemars(extend("x-env" = ["<P>_CELLS_ACCESS_TOKEN_EXPIRATION"], "default" = "10m"))]
    #[schemars(extend("minimum" = "1s", "maximum" = "24h"))]
    pub cells_access_token: Duration,
    /// How long an ID token of the layout cells is valid.
    #[serde(rename = "cells_id_token_expiration")]
    #[schemars(extend("x-env" = ["<P>_CELLS_ID_TOKEN_EXPIRATION"], "default" = "1h"))]
    #[schemars(extend("minimum" = "1s", "maximum" = "24h"))]
    pub cells_id_token: Duration,
    /// How long a refresh token of the layout cells is valid if it is not used.
    #[serde(rename = "cells_refresh_token_expiration")]
    #[schemars(extend("x-env" = ["<P>_CELLS_REFRESH_TOKEN_EXPIRATION"], "default" = 60 * DAY))]
    #[schemars(extend("minimum" = "1s", "maximum" = "87600h"))]
    pub cells_refresh_token: Duration,
    /// How long an authorization code of the layout cells is valid; at most 10m.
    #[serde(rename = "cells_code_expiration")]
    #[schemars(extend("x-env" = ["<P>_CELLS_CODE_EXPIRATION"], "default" = "10m", "minimum" = "1s", "maximum" = "10m"))]
    pub cells_code: Duration,
    /// How long a user may take to sign in and to consent.
    #[serde(rename = "interaction_expiration")]
    #[schemars(extend("x-env" = ["<P>_INTERACTION_EXPIRATION"], "default" = "30m"))]
    #[schemars(extend("minimum" = "1m", "maximum" = "24h"))]
    pub interaction: Duration,
    /// How long a browser session may stay unused.
    #[schemars(extend("x-env" = ["<P>_SESSION_IDLE"], "default" = "1h", "minimum" = "1m", "maximum" = "720h"))]
    pub session_idle: Duration,
    /// The lifetime of a browser session.
    #[serde(rename = "session_expiration")]
    #[schemars(extend("x-env" = ["<P>_SESSION_EXPIRATION"], "default" = DAY, "minimum" = "1m", "maximum" = "720h"))]
    pub session: Duration,
    /// The lifetime of a browser session whose user chose to stay signed in.
    #[serde(rename = "remembered_session_expiration")]
    #[schemars(extend("x-env" = ["<P>_REMEMBERED_SESSION_EXPIRATION"], "default" = 30 * DAY))]
    #[schemars(extend("minimum" = "1m", "maximum" = "720h"))]
    pub remembered_session: Duration,
    /// The lifetime of a device code; at most 15m.
    #[serde(rename = "device_code_expiration")]
    #[schemars(extend("x-env" = ["<P>_DEVICE_CODE_EXPIRATION"], "default" = "10m"))]
    #[schemars(extend("minimum" = "1m", "maximum" = "15m"))]
    pub device_code: Duration,
    /// How long a pushed authorization request waits; from 5s to 10m.
    #[serde(rename = "pushed_request_expiration")]
    #[schemars(extend("x-env" = ["<P>_PUSHED_REQUEST_EXPIRATION"], "default" = "1m"))]
    #[schemars(extend("minimum" = "5s", "maximum" = "10m"))]
    pub pushed_request: Duration,
    /// How old a signing key becomes before the next one takes its place. Never if 0.
    #[schemars(extend("x-env" = ["<P>_KEY_ROTATION"], "default" = 90 * DAY))]
    pub key_rotation: Duration,
    /// How long a signing key is published before it signs; at least 10m, since others keep key sets for as long.
    #[schemars(extend("x-env" = ["<P>_KEY_AHEAD"], "default" = "1h", "minimum" = "10m", "maximum" = "720h"))]
    pub key_ahead: Duration,
    /// How long the secret of a client that has registered itself is valid. For ever if 0.
    #[serde(rename = "dynamic_client_secret_duration")]
    #[schemars(extend("x-env" = ["<P>_DYNAMIC_CLIENT_SECRET_DURATION"]))]
    pub dynamic_client_secret: Duration,
    /// How long events of users' accounts (sign-ins, consents, ended sessions) are stored.
    #[schemars(extend("x-env" = ["<P>_AUDIT_RETENTION"], "default" = 90 * DAY))]
    #[schemars(extend("minimum" = "1h", "maximum" = "87600h"))]
    pub audit_retention: Duration,
}

/// The lifetimes in the registration of a client, which replace the configured ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientLifetimes {
    /// Of access tokens.
    pub access_token: Option<Duration>,
    /// Of ID tokens.
    pub id_token: Option<Duration>,
    /// Of refresh tokens that are not used.
    pub refresh_token: Option<Duration>,
    /// Of refresh tokens, however much they are used.
    pub refresh_token_absolute: Option<Duration>,
    /// Of codes.
    pub code: Option<Duration>,
    /// The longest of codes, whatever is configured.
    pub code_at_most: Option<Duration>,
}

/// The lifetimes that apply to one client at one issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveLifetimes {
    /// Of access tokens.
    pub access_token: Duration,
    /// Of ID tokens.
    pub id_token: Duration,
    /// Of refresh tokens that are not used.
    pub refresh_token: Duration,
    /// Of refresh tokens, however much they are used.
    pub refresh_token_absolute: Duration,
    /// Of codes.
    pub code: Duration,
}

impl Section for Lifetimes {
    fn validate(&self) -> Result<(), Invalid> {
        let rotation = self.key_rotation;
        if rotation.is_zero() || (Duration::from_hours(1)..=LONGEST).contains(&rotation) {
            return Ok(());
        }
        Err(Invalid::new("key_rotation", "must be from 1h to 87600h, or 0"))
    }
}

impl Lifetimes {
    /// The lifetimes that apply in this layout to a client with these lifetimes of its own.
    pub fn of(&self, layout: EndpointProfile, own: &ClientLifetimes) -> EffectiveLifetimes {
        let (access_token, id_token, refresh_token, code) = match layout {
            EndpointProfile::OpenCloud => (self.access_token, self.id_token, self.refresh_token, self.code),
            EndpointProfile::Cells => {
                (self.cells_access_token, self.cells_id_token, self.cells_refresh_token, self.cells_code)
            }
        };
        EffectiveLifetimes {
            access_token: own.access_token.unwrap_or(access_token),
            id_token: own.id_token.unwrap_or(id_token),
            refresh_token: own.refresh_token.unwrap_or(refresh_token),
            refresh_token_absolute: own.refresh_token_absolute.unwrap_or(self.refresh_token_absolute),
            code: own.code.unwrap_or(code).min(own.code_at_most.unwrap_or(Duration::MAX)),
        }
    }
}
