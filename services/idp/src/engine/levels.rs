//! Levels of authentication (`acr`, `OpenID` Connect Core 2): one factor, several, or one that cannot be phished.

use serde::{Deserialize, Serialize};

use super::clients::Client;
use crate::config::{MultiFactor, MultiFactorPolicy};
use crate::model::Session;

/// The authentication method that stands for several factors (RFC 8176 2).
pub(crate) const SEVERAL: &str = "mfa";
/// A key that does not leave its authenticator (RFC 8176 2).
pub(crate) const HARDWARE_KEY: &str = "hwk";
/// A key that may be on several devices (RFC 8176 2).
pub(crate) const SOFTWARE_KEY: &str = "swk";
/// The name of one factor.
const SINGLE_NAME: &str = "1";
/// The name of several factors.
const MULTI_NAME: &str = "mfa";
/// The name of factors that cannot be phished (`OpenID` Connect Extended Authentication Profile ACR Values 1.0).
const PHISHING_RESISTANT_NAME: &str = "phr";

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
    /// By several, of which one is bound to the site: a passkey.
    #[serde(rename = "3")]
    PhishingResistant,
}

/// A client needs a level that this server does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmet;

impl Level {
    /// The level of a session.
    pub(crate) fn of(session: &Session) -> Self {
        let has = |wanted: &str| session.amr.split(' ').any(|method| method == wanted);
        match has(SEVERAL) {
            true if has(HARDWARE_KEY) || has(SOFTWARE_KEY) => Self::PhishingResistant,
            true => Self::Multi,
            false => Self::Single,
        }
    }

    /// Its name in tokens, for a client that has asked for no other one.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => SINGLE_NAME,
            Self::Multi => MULTI_NAME,
            Self::PhishingResistant => PHISHING_RESISTANT_NAME,
        }
    }

    /// The level with this name.
    pub(crate) fn named(name: &str, settings: &MultiFactor) -> Option<Self> {
        match name {
            SINGLE_NAME => Some(Self::Single),
            MULTI_NAME => Some(Self::Multi),
            PHISHING_RESISTANT_NAME => Some(Self::PhishingResistant),
            other => settings.auth_level_names.iter().any(|known| known == other).then_some(Self::Multi),
        }
    }
}

/// The names that clients may ask for (`acr_values_supported`).
pub(crate) fn supported(settings: &MultiFactor) -> Vec<String> {
    let mut names = vec![SINGLE_NAME.to_owned()];
    if settings.policy() != MultiFactorPolicy::Off {
        names.extend([MULTI_NAME, PHISHING_RESISTANT_NAME].map(str::to_owned));
        names.extend(
            settings
                .auth_level_names
                .iter()
                .filter(|name| ![SINGLE_NAME, MULTI_NAME, PHISHING_RESISTANT_NAME].contains(&name.as_str()))
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
    if level > Level::Single && settings.policy() == MultiFactorPolicy::Off { Err(Unmet) } else { Ok(level) }
}
