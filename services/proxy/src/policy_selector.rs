//! Which policy of `proxy.yaml` applies to the requests of a user: by a claim of the sign-in, or by a property of the user that matches a
//! regular expression.

use authn::User;
use regex::Regex;

/// Selects a policy, by its name.
#[derive(Debug)]
pub(crate) struct PolicySelector {
    /// The policy of requests without a user.
    pub(crate) unauthenticated: String,
    /// The policy of a user for whom nothing else is selected.
    pub(crate) default: String,
    /// The cookie with the policy of the user, for later requests to routes without authentication.
    pub(crate) cookie: String,
    /// How the policy of a user is selected.
    pub(crate) criterion: Criterion,
}

/// How the policy of a user is selected.
#[derive(Debug)]
pub(crate) enum Criterion {
    /// By the sign-in.
    Claim,
    /// By the first of these, in order.
    Properties(Vec<PropertyMatch>),
}

/// A policy for users of whom a property matches.
#[derive(Debug)]
pub(crate) struct PropertyMatch {
    /// The property.
    pub(crate) property: Property,
    /// What a part of it has to match.
    pub(crate) regex: Regex,
    /// The policy.
    pub(crate) policy: String,
}

/// A property of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// The address.
    Mail,
    /// The name for signing in.
    Username,
    /// The identifier.
    Id,
}

impl Property {
    fn of(self, user: &User) -> &str {
        match self {
            Self::Mail => &user.mail,
            Self::Username => &user.username,
            Self::Id => &user.id.opaque_id,
        }
    }
}

impl PolicySelector {
    /// The policy of a verified user, whose sign-in has this claim.
    pub(crate) fn policy<'a>(&'a self, user: &User, claim: Option<&'a str>) -> &'a str {
        let selected = match &self.criterion {
            Criterion::Claim => claim,
            Criterion::Properties(matches) => {
                let first = matches.iter().find(|one| one.regex.is_match(one.property.of(user)));
                first.map(|one| one.policy.as_str())
            }
        };
        selected.unwrap_or(&self.default)
    }

    /// Whether the claim of the sign-in is needed.
    pub(crate) fn needs_claim(&self) -> bool {
        matches!(self.criterion, Criterion::Claim)
    }
}

#[cfg(test)]
mod tests {
    use authn::UserId;

    use super::*;

    fn selector(criterion: Criterion) -> PolicySelector {
        let [unauthenticated, default, cookie] = ["public", "default", "selector"].map(str::to_owned);
        PolicySelector { unauthenticated, default, cookie, criterion }
    }

    fn einstein() -> User {
        let id = UserId { opaque_id: "4c510ada".to_owned(), ..UserId::default() };
        User { id, username: "einstein".to_owned(), mail: "einstein@example.org".to_owned(), ..User::default() }
    }

    #[test]
    fn first_property_that_matches_selects_the_policy() {
        let one = |property, expression, policy: &str| PropertyMatch {
            property,
            regex: Regex::new(expression).expect("an expression"),
            policy: policy.to_owned(),
        };
        let matches = vec![
            one(Property::Mail, "@example\\.com$", "mail"),
            one(Property::Id, "^4c5", "id"),
            one(Property::Username, "einstein", "username"),
        ];
        let selector = selector(Criterion::Properties(matches));
        assert_eq!(selector.policy(&einstein(), Some("mail")), "id", "the claim does not count");
        assert_eq!(selector.policy(&User::default(), None), "default");
        assert!(!selector.needs_claim());
    }

    #[test]
    fn claim_of_the_sign_in_selects_the_policy() {
        let selector = selector(Criterion::Claim);
        assert_eq!(selector.policy(&einstein(), Some("other")), "other");
        assert_eq!(selector.policy(&einstein(), None), "default");
        assert!(selector.needs_claim());
    }
}
