//! Who may do what: the access rules, the same for every door.

use crate::asked::Asked;
use crate::identity::Identity;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Everybody may, and nobody is asked who it is.
    Allow,
    /// Nobody may.
    Deny,
    /// Whoever has proven who it is, and fits the rest of the rule.
    Authenticate,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it does.
    pub action: Action,
}

impl Rule {
    /// Whether somebody may do what is asked: the rule's own demands, and what the credential reaches.
    pub fn is_met_by(&self, identity: &Identity, _asked: &Asked<'_>) -> bool {
        identity.claims.scopes.is_full_user()
    }
}

/// All rules.
#[derive(Debug, Clone)]
pub struct Rules {
    default: Rule,
}

impl Default for Rules {
    fn default() -> Self {
        Self { default: Rule { action: Action::Authenticate } }
    }
}

impl Rules {
    /// The rule for a request: the first that fits.
    pub fn of(&self, _asked: &Asked<'_>) -> &Rule {
        &self.default
    }
}
