//! Levels of authentication (`acr`, `OpenID` Connect Core 2): one factor or several.

use serde::{Deserialize, Serialize};

use super::clients::Client;
use crate::config::{MultiFactor, MultiFactorPolicy};
use crate::model::Session;

/// The authentication method that stands for several factors (RFC 8176 2).
pub(crate) const SEVERAL: &str = "mfa";
/// The name of one factor.
const SINGLE_NAME: &str = "1";
/// The name of several factors.
const MULTI_NAME: &str = "mfa";

/// How sure it is who has signed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// By one factor.
    #[default]
    #[serde(rename = "1")]
    Single,
    /// By several.
    #[serde(rename = "2")]
    Multi,
}

/// A client needs a level that this server does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmet;

impl Level {
    /// The level of a session.
    pub(crate) fn of(session: &Session) -> Self {
        if session.amr.split(' ').any(|method| method == SEVERAL) { Self::Multi } else { Self::Single }
    }

    /// Its name in tokens, for a client that has asked for no other one.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => SINGLE_NAME,
            Self::Multi => MULTI_NAME,
        }
    }

    /// The level with this name.
    pub(crate) fn named(name: &str, settings: &MultiFactor) -> Option<Self> {
        match name {
            SINGLE_NAME => Some(Self::Single),
            MULTI_NAME => Some(Self::Multi),
            other => settings.auth_level_names.iter().any(|known| known == other).then_some(Self::Multi),
        }
    }
}

/// The names that clients may ask for (`acr_values_supported`).
pub(crate) fn supported(settings: &MultiFactor) -> Vec<String> {
    let mut names = vec![SINGLE_NAME.to_owned()];
    if settings.policy() != MultiFactorPolicy::Off {
        names.push(MULTI_NAME.to_owned());
        names.extend(
            settings
                .auth_level_names
                .iter()
                .filter(|name| ![SINGLE_NAME, MULTI_NAME].contains(&name.as_str()))
                .cloned(),
        );
    }
    names
}

/// The level without which a client takes no user: the first one of its registration that is known (`default_acr_values`).
///
/// # Errors
/// [`Unmet`] if second factors are off.
pub(crate) fn of_client(client: &Client, settings: &MultiFactor) -> Result<Level, Unmet> {
    let level = preferred(client.acr_values.iter().map(String::as_str), settings).unwrap_or_default();
    offered(level, settings)
}

/// The first level that is known.
pub(crate) fn preferred<'a>(mut names: impl Iterator<Item = &'a str>, settings: &MultiFactor) -> Option<Level> {
    names.find_map(|name| Level::named(name, settings))
}

/// The level, if it is offered.
///
/// # Errors
/// [`Unmet`] if second factors are off.
pub(crate) fn offered(level: Level, settings: &MultiFactor) -> Result<Level, Unmet> {
    if level == Level::Multi && settings.policy() == MultiFactorPolicy::Off { Err(Unmet) } else { Ok(level) }
}
