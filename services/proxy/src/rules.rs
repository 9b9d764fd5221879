//! Who may do what: the access rules, the same for every door.

use authn::{Grants, Scopes, role};

use crate::asked::Asked;
use crate::destination::Destination;
use crate::identity::Identity;
use crate::pattern::{Fit, Pattern};
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

/// What the rules say of a request.
#[derive(Debug)]
pub enum Ruling<'a> {
    /// It passes without a credential.
    Allow,
    /// It does not pass.
    Deny,
    /// It passes for a user who meets all of these demands; `None` is what is demanded where no rule fits.
    Authenticate(Vec<Option<&'a Demands>>),
}

impl<'a> Ruling<'a> {
    /// The ruling of several actions, all of which hold; `None` is that of no rule.
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
    /// The ruling for a request: that of the first rule which fits, and of those before it of which that is in doubt. A COPY or
    /// MOVE must be permitted where it goes too; one whose destination cannot be read is denied.
    pub fn ruling(&self, asked: &Asked<'_>) -> Ruling<'_> {
        let Ok(destination) = Destination::of(asked) else { return Ruling::Deny };
        let here = self.actions(asked);
        match destination {
            None => Ruling::of(here),
            Some(destination) => {
                let there = destination.requests(asked);
                Ruling::of(here.chain(there.iter().flat_map(|there| self.actions(there))))
            }
        }
    }

    /// The actions that hold for a request as it stands. The last is that of the first rule which fits beyond doubt, or `None`.
    fn actions<'a>(&'a self, asked: &Asked<'_>) -> impl Iterator<Item = Option<&'a Action>> {
        let (mut rules, mut is_settled) = (self.rules.iter(), false);
        std::iter::from_fn(move || {
            if is_settled {
                return None;
            }
            let next = rules.find_map(|rule| match rule.pattern.fit(asked) {
                Fit::No => None,
                fit => Some((fit, &rule.action)),
            });
            is_settled = next.is_none_or(|(fit, _)| fit == Fit::Yes);
            Some(next.map(|(_, action)| action))
        })
    }

    /// Whether somebody may do what is asked, as far as the rules' demands and the credential go.
    pub fn permit(&self, demands: &[Option<&Demands>], identity: &Identity, asked: &Asked<'_>) -> bool {
        demands.iter().all(|demands| match demands {
            Some(demands) => demands.are_met_by(identity, asked, &self.trees),
            None => self.trees.are_reached_by(identity, asked),
        })
    }
}
