//! Who may do what: the access rules, the same for every door.

use authn::{Grants, Scopes, role};

use crate::asked::Asked;
use crate::identity::Identity;
use crate::pattern::Pattern;
use crate::trees::Trees;

/// A rule: for which requests, and what then.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Which requests.
    pub pattern: Pattern,
    /// What then.
    pub action: Action,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Everybody may, and nobody is asked who it is.
    Allow,
    /// Nobody may.
    Deny,
    /// Whoever has proven who it is, and meets the demands.
    Authenticate(Demands),
}

/// What is demanded of who asks; nothing beyond what its credential reaches anyway, if nothing is stated.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// One of these groups, by their identifiers.
    pub groups: Vec<String>,
    /// One of these roles, by name or identifier.
    pub roles: Vec<String>,
    /// A credential that may do one of these things. Then it need not reach the path otherwise.
    pub scopes: Vec<Grants>,
}

impl Demands {
    fn are_met_by(&self, identity: &Identity, asked: &Asked<'_>, trees: &Trees) -> bool {
        let user = &identity.claims.user;
        let is_in = |wanted: &[String], has: &[String], id: fn(&str) -> &str| {
            wanted.is_empty() || wanted.iter().any(|one| has.iter().any(|own| own == id(one)))
        };
        is_in(&self.groups, &user.groups, |name| name)
            && is_in(&self.roles, &user.roles, role::id)
            && self.reach(&identity.claims.scopes, || trees.are_reached_by(identity, asked))
    }

    fn reach(&self, scopes: &Scopes, otherwise: impl Fn() -> bool) -> bool {
        if self.scopes.is_empty() {
            return otherwise();
        }
        self.scopes.iter().any(|grants| grants.check_within(scopes).is_ok())
    }
}

/// All rules, and which paths are files.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Which paths are files.
    pub trees: Trees,
}

impl Rules {
    /// The action for a request: that of the first rule which fits. Without one, who asks must have proven who it is.
    pub fn action(&self, asked: &Asked<'_>) -> Option<&Action> {
        self.rules.iter().find(|rule| rule.pattern.fits(asked)).map(|rule| &rule.action)
    }

    /// Whether somebody may do what is asked, as far as a rule's demands and the credential go.
    pub fn permit(&self, demands: Option<&Demands>, identity: &Identity, asked: &Asked<'_>) -> bool {
        match demands {
            Some(demands) => demands.are_met_by(identity, asked, &self.trees),
            None => self.trees.are_reached_by(identity, asked),
        }
    }
}
