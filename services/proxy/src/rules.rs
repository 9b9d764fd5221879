//! The access rules, which apply at every entrypoint.

use std::collections::BTreeSet;
use std::time::Duration;

use authn::{Grants, Scopes, User, role};

use crate::destination::Destination;
use crate::identity::Identity;
use crate::path_scopes::PathScopes;
use crate::pattern::{Fit, Pattern};
use crate::protected_resource::Resources;
use crate::request_info::RequestInfo;

/// A rule: the requests that it matches, and its action.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The requests that it matches.
    pub pattern: Pattern,
    /// Its action.
    pub action: Action,
}

/// The action of a rule.
#[derive(Debug, Clone)]
pub enum Action {
    /// The request passes without a credential.
    Allow,
    /// The request is refused.
    Deny,
    /// The request passes for an authenticated user who meets the demands.
    Authenticate(Demands),
}

/// Demands on the user and the credential. An empty list demands nothing; without scopes, those of the credential must permit the path.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// One of these groups, by their identifiers.
    pub groups: Vec<String>,
    /// One of these roles, by name or identifier.
    pub roles: Vec<String>,
    /// One of these grants, in place of scopes that permit the path.
    pub scopes: Vec<Grants>,
    /// Whether the user has signed in with several factors.
    pub multi_factor: bool,
    /// How long ago the sign-in may be.
    pub max_age: Option<Duration>,
}

/// What a request needs of the sign-in of its user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignInDemand {
    /// Several factors.
    pub multi_factor: bool,
    /// How long ago it may be.
    pub max_age: Option<Duration>,
}

impl Demands {
    fn are_met_by(&self, identity: &Identity, info: &RequestInfo<'_>, path_scopes: &PathScopes) -> bool {
        self.admit(&identity.claims.user) && self.reach(&identity.claims.scopes, || path_scopes.permit(identity, info))
    }

    /// Whether the user has one of the groups and one of the roles.
    fn admit(&self, user: &User) -> bool {
        let is_in = |wanted: &[String], has: &[String], id: fn(&str) -> &str| {
            wanted.is_empty() || wanted.iter().any(|one| has.iter().any(|own| own == id(one)))
        };
        is_in(&self.groups, &user.groups, |name| name) && is_in(&self.roles, &user.roles, role::id)
    }

    /// The scopes of the first of the grants, as text.
    fn first_scopes(&self) -> Option<String> {
        self.scopes.first().map(|grants| grants.words().join(" "))
    }

    fn reach(&self, scopes: &Scopes, otherwise: impl Fn() -> bool) -> bool {
        if self.scopes.is_empty() {
            return otherwise();
        }
        self.scopes.iter().any(|grants| grants.check_within(scopes).is_ok())
    }
}

/// All rules, the paths of files, and the resources at which only tokens for them count.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// The paths of files.
    pub path_scopes: PathScopes,
    /// The resources.
    pub resources: Resources,
}

/// The outcome of the rules for a request.
#[derive(Debug)]
pub enum Ruling<'a> {
    /// It passes without a credential.
    Allow,
    /// It does not pass.
    Deny,
    /// It passes for a user who meets all of these demands; `None` are the demands where no rule matches.
    Authenticate(Vec<Option<&'a Demands>>),
}

impl<'a> Ruling<'a> {
    /// The ruling of several actions that all apply; `None` stands for no rule.
    fn of(actions: impl Iterator<Item = Option<&'a Action>>) -> Self {
        let mut demands = Vec::new();
        for action in actions {
            match action {
                Some(Action::Deny) => return Self::Deny,
                Some(Action::Allow) => {}
                Some(Action::Authenticate(more)) => demands.push(Some(more)),
                None => demands.push(None),
            }
        }
        if demands.is_empty() { Self::Allow } else { Self::Authenticate(demands) }
    }
}

impl Rules {
    /// The ruling for a request: that of the first rule that matches, and of the rules before it whose match is ambiguous. A COPY or
    /// MOVE must be permitted at its destination too; one with an invalid destination is denied.
    pub fn ruling(&self, info: &RequestInfo<'_>) -> Ruling<'_> {
        let Ok(destination) = Destination::of(info) else { return Ruling::Deny };
        let here = self.actions(info);
        match destination {
            None => Ruling::of(here),
            Some(destination) => {
                let there = destination.requests(info);
                Ruling::of(here.chain(there.iter().flat_map(|there| self.actions(there))))
            }
        }
    }

    /// The actions that apply to a request, without its destination. The last is that of the first rule that matches unambiguously, or
    /// `None`.
    fn actions<'a>(&'a self, info: &RequestInfo<'_>) -> impl Iterator<Item = Option<&'a Action>> {
        let (mut rules, mut is_settled) = (self.rules.iter(), false);
        std::iter::from_fn(move || {
            if is_settled {
                return None;
            }
            let next = rules.find_map(|rule| match rule.pattern.fit(info) {
                Fit::No => None,
                fit => Some((fit, &rule.action)),
            });
            is_settled = next.is_none_or(|(fit, _)| fit == Fit::Yes);
            Some(next.map(|(_, action)| action))
        })
    }

    /// What is demanded of the sign-in.
    pub fn sign_in_demand(demands: &[Option<&Demands>]) -> SignInDemand {
        let demands = || demands.iter().flatten();
        SignInDemand {
            multi_factor: demands().any(|demands| demands.multi_factor),
            max_age: demands().filter_map(|demands| demands.max_age).min(),
        }
    }

    /// Whether nothing is demanded beyond a credential.
    pub fn demand_nothing(demands: &[Option<&Demands>]) -> bool {
        let is_none = |demands: &&Demands| {
            let Demands { groups, roles, scopes, multi_factor, max_age } = demands;
            groups.is_empty() && roles.is_empty() && scopes.is_empty() && !multi_factor && max_age.is_none()
        };
        demands.iter().flatten().all(is_none)
    }

    /// Whether the user and the credential meet the demands, apart from those on the sign-in.
    pub fn permit(&self, demands: &[Option<&Demands>], identity: &Identity, info: &RequestInfo<'_>) -> bool {
        demands.iter().all(|demands| self.is_met(*demands, identity, info))
    }

    /// The scopes to ask for where the credential lacks some and the user meets all demands otherwise: those of the resource, as clients
    /// may ask for what is named here and nothing else, and the first of each rule. In the form of a quoted string's text; `None` if no
    /// scope helps, or if none is named.
    pub fn missing_scopes(
        &self,
        demands: &[Option<&Demands>],
        identity: &Identity,
        info: &RequestInfo<'_>,
    ) -> Option<String> {
        let unmet = demands.iter().copied().filter(|demands| !self.is_met(*demands, identity, info));
        let first =
            |demands: Option<&Demands>| demands.filter(|demands| demands.admit(&identity.claims.user))?.first_scopes();
        let missing = unmet.map(first).collect::<Option<BTreeSet<_>>>()?;
        if missing.is_empty() { None } else { self.in_challenge(&missing, info) }
    }

    /// The scopes that an access token needs for a request at a resource that a route names: those of the resource, and the first of each
    /// rule. In the form of a quoted string's text; `None` elsewhere.
    pub fn needed_scopes(&self, info: &RequestInfo<'_>) -> Option<String> {
        let ruling = self.resources.has_named(info).then(|| self.ruling(info))?;
        let Ruling::Authenticate(demands) = ruling else { return None };
        let first = demands.into_iter().flatten().filter_map(Demands::first_scopes).collect();
        self.in_challenge(&first, info)
    }

    /// These scopes behind those of the resource of a request, in the form of a quoted string's text; `None` if one of them cannot stand
    /// there.
    fn in_challenge(&self, scopes: &BTreeSet<String>, info: &RequestInfo<'_>) -> Option<String> {
        let mut all: Vec<&str> = self.resources.scopes(info).iter().map(String::as_str).collect();
        for scope in scopes.iter().flat_map(|scopes| scopes.split_whitespace()) {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        let text = all.join(" ");
        let is_plain = |byte: u8| byte == b' ' || (byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        (!text.is_empty() && text.bytes().all(is_plain)).then_some(text)
    }

    /// Whether the demands of one rule are met; `None` are those where no rule matches.
    fn is_met(&self, demands: Option<&Demands>, identity: &Identity, info: &RequestInfo<'_>) -> bool {
        match demands {
            Some(demands) => demands.are_met_by(identity, info, &self.path_scopes),
            None => self.path_scopes.permit(identity, info),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_demanded_where_no_rule_demands_more_than_a_credential() {
        let nothing = Demands::default();
        assert!(Rules::demand_nothing(&[None, Some(&nothing)]) && Rules::demand_nothing(&[]));
        let one = vec!["a".to_owned()];
        for demands in [
            Demands { groups: one.clone(), ..Demands::default() },
            Demands { roles: one, ..Demands::default() },
            Demands { scopes: vec![Grants::parse(["user"]).expect("a scope")], ..Demands::default() },
            Demands { multi_factor: true, ..Demands::default() },
            Demands { max_age: Some(Duration::from_mins(1)), ..Demands::default() },
        ] {
            assert!(!Rules::demand_nothing(&[None, Some(&demands)]), "{demands:?}");
        }
    }
}
