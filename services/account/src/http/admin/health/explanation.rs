//! What is wrong with a service that is not ready, as the page and the API explain it.

use web::i18n::Language;

use super::super::health_text::health_text;
use crate::remote_health::RemoteHealth;

/// What a failing check of readiness means, by the name that `/readyz` has for it.
pub(crate) fn of_check(language: Language, failing: &str) -> String {
    let texts = health_text(language);
    let text = match failing {
        "database" => texts.database,
        "ldap" => texts.ldap,
        "clock" => texts.clock,
        "starting" => texts.starting,
        "shutting down" => texts.shutting_down,
        // a background task that has panicked, or a check of a later version
        other => return texts.other_check.with(other),
    };
    text.to_owned()
}

/// What the answer of a service in another process means; nothing if it is ready.
pub(crate) const fn of_remote(language: Language, health: RemoteHealth) -> Option<&'static str> {
    let texts = health_text(language);
    match health {
        RemoteHealth::Ready => None,
        RemoteHealth::NotReady => Some(texts.remote_not_ready),
        RemoteHealth::Unknown => Some(texts.remote_unknown),
        RemoteHealth::Unreachable => Some(texts.remote_unreachable),
        RemoteHealth::NoAnswer => Some(texts.remote_no_answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_explained_and_an_unknown_one_is_named() {
        for language in Language::ALL {
            let known = ["database", "ldap", "clock", "starting", "shutting down"].map(|name| of_check(language, name));
            for (at, text) in known.iter().enumerate() {
                assert!(!known[..at].contains(text), "{language:?}: {text}");
            }
            assert!(of_check(language, "revocations").contains("revocations"), "{language:?}");
        }
    }
}
