//! Clients that are offered one authentication scheme alone: `credentials_by_user_agent` of `proxy.yaml`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::refusal::Challenges;

/// The scheme that a client is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Basic,
    Bearer,
}

/// Names of clients, the longest first, with their schemes.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserAgents(Vec<(String, Scheme)>);

impl UserAgents {
    /// Those of the file.
    ///
    /// # Errors
    /// The problem: a name is empty, or there is no such scheme.
    pub(crate) fn new(entries: BTreeMap<String, String>) -> Result<Self, String> {
        let mut agents = Vec::with_capacity(entries.len());
        for (name, scheme) in entries {
            if name.is_empty() {
                return Err("auth_middleware: credentials_by_user_agent has an empty name".to_owned());
            }
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "basic" => Scheme::Basic,
                "bearer" => Scheme::Bearer,
                _ => {
                    let place = "auth_middleware: credentials_by_user_agent";
                    return Err(format!("{place}: the scheme of {name:?} is neither basic nor bearer"));
                }
            };
            agents.push((name, scheme));
        }
        // theirs takes any that matches; the longest is the most specific
        agents.sort_by_key(|(name, _)| Reverse(name.len()));
        Ok(Self(agents))
    }

    /// The challenges for a client with this `User-Agent`: of these, the one to which its name is bound. A name is bound if it is a part of
    /// `User-Agent`, as in reva, or has it as a part, as in the proxies of oCIS and OpenCloud. Where the scheme is not among these, all stay:
    /// a client must not be offered what is off, nor nothing.
    pub(crate) fn offered(&self, challenges: Challenges, agent: Option<&str>) -> Challenges {
        let Some(agent) = agent.filter(|agent| !agent.is_empty()) else { return challenges };
        let bound = self.0.iter().find(|(name, _)| agent.contains(name.as_str()) || name.contains(agent));
        match bound {
            Some((_, Scheme::Basic)) if challenges.basic => Challenges { basic: true, bearer: false },
            Some((_, Scheme::Bearer)) if challenges.bearer => Challenges { basic: false, bearer: true },
            _ => challenges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Challenges = Challenges { basic: true, bearer: true };
    const BASIC: Challenges = Challenges { basic: true, bearer: false };
    const BEARER: Challenges = Challenges { basic: false, bearer: true };

    fn agents(entries: &[(&str, &str)]) -> Result<UserAgents, String> {
        UserAgents::new(entries.iter().map(|(name, scheme)| ((*name).to_owned(), (*scheme).to_owned())).collect())
    }

    /// Row [E13](../../../docs/security-requirements.md#e13).
    #[test]
    fn named_client_is_offered_its_scheme_and_never_one_that_is_off() {
        let agents = agents(&[
            ("mirall", "basic"),
            ("Mozilla/5.0 (Macintosh) Firefox/83.0", "Bearer"),
            ("mirall/5.9", "bearer"),
            ("script", "BASIC"),
        ]);
        let agents = agents.expect("known schemes");
        for (agent, expected) in [
            (Some("Mozilla/5.0 (Linux) mirall/3.2"), BASIC),
            (Some("Mozilla/5.0 (Linux) mirall/5.9"), BEARER),
            (Some("Mozilla/5.0 (Macintosh) Firefox/83.0"), BEARER),
            (Some("Mozilla/5.0 (Macintosh)"), BEARER),
            (Some("script"), BASIC),
            (Some("Mirall"), BOTH),
            (Some("curl/8"), BOTH),
            (Some(""), BOTH),
            (None, BOTH),
        ] {
            assert_eq!(agents.offered(BOTH, agent), expected, "{agent:?}");
        }
        assert_eq!(agents.offered(BEARER, Some("mirall/3.2")), BEARER, "passwords are off");
        assert_eq!(agents.offered(BASIC, Some("mirall/5.9")), BASIC, "there is no issuer");
        assert_eq!(UserAgents::default().offered(BOTH, Some("mirall/3.2")), BOTH);
    }

    #[test]
    fn unknown_schemes_and_empty_names_are_refused() {
        for (name, scheme) in [("mirall", "digest-secret"), ("mirall", ""), ("", "basic")] {
            let problem = agents(&[("a", "basic"), (name, scheme)]).expect_err(scheme);
            assert!(problem.starts_with("auth_middleware: credentials_by_user_agent"), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
