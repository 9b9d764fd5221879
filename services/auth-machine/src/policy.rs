use authn::{User, UserType};

/// Who may act as whom. What no rule allows is denied.
#[derive(Debug, Clone)]
pub struct Policy(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    caller: Match,
    subject: Subject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    Any,
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Anyone,
    Users,
    Admins,
    Login(String),
}

impl Policy {
    /// Reads rules of the form `CALLER=SUBJECT`. The last `=` divides, since a certificate's name may hold one.
    ///
    /// # Errors
    /// What is wrong with the first rule that is none.
    pub fn parse(rules: &[String]) -> Result<Self, String> {
        rules.iter().map(|rule| Rule::parse(rule.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is a caller who may act as users, and as administrators not: where roles are unknown it may act as no user.
    pub fn relies_on_roles(&self) -> bool {
        let covers = |rule: &Rule, other: &Rule| {
            let is_wider = other.caller == Match::Any || other.caller == rule.caller;
            is_wider && matches!(other.subject, Subject::Admins | Subject::Anyone)
        };
        let mut users = self.0.iter().filter(|rule| rule.subject == Subject::Users);
        users.any(|rule| !self.0.iter().any(|other| covers(rule, other)))
    }

    /// Whether a rule is for one caller only.
    pub(crate) fn names_callers(&self) -> bool {
        self.0.iter().any(|rule| rule.caller != Match::Any)
    }

    /// Whether a caller with this certificate name (if it showed one) may act as this user.
    pub fn decide(&self, caller: Option<&str>, user: &User) -> Decision {
        let subjects = || self.0.iter().filter(|rule| rule.caller.fits(caller)).map(|rule| &rule.subject);
        if subjects().any(|subject| subject.fits(user)) {
            return Decision::Allowed;
        }
        let names = |wanted: Subject| subjects().any(|subject| *subject == wanted);
        if user.knows_roles() || is_technical(user) || !names(Subject::Users) {
            Decision::Denied
        } else if names(Subject::Admins) {
            // one of both the user is
            Decision::Allowed
        } else {
            Decision::RolesUnknown
        }
    }
}

/// Whether a caller may act as a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A rule allows it.
    Allowed,
    /// No rule allows it.
    Denied,
    /// `users` would, but the directory knows no roles, so that the user may be an administrator.
    RolesUnknown,
}

/// Whether the account belongs to a program or a space.
fn is_technical(user: &User) -> bool {
    matches!(user.id.kind, UserType::Service | UserType::Application | UserType::SpaceOwner)
}

impl Rule {
    fn parse(rule: &str) -> Result<Self, String> {
        let Some((caller, subject)) = rule.rsplit_once('=') else {
            return Err(format!("holds {rule:?}, which is not of the form CALLER=SUBJECT"));
        };
        if caller.is_empty() || subject.is_empty() {
            return Err(format!("holds {rule:?}, of which one side is empty"));
        }
        let caller = if caller == "*" { Match::Any } else { Match::Name(caller.to_owned()) };
        let subject = match subject {
            "*" => Subject::Anyone,
            "users" => Subject::Users,
            "admins" => Subject::Admins,
            login => Subject::Login(login.to_owned()),
        };
        Ok(Self { caller, subject })
    }
}

impl Match {
    fn fits(&self, caller: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => caller == Some(name),
        }
    }
}

impl Subject {
    fn fits(&self, user: &User) -> bool {
        match self {
            Self::Anyone => true,
            Self::Users => user.knows_roles() && !user.is_admin() && !is_technical(user),
            Self::Admins => user.is_admin(),
            Self::Login(login) => user.username == *login,
        }
    }
}

#[cfg(test)]
mod tests {
    use authn::{UserId, role};
    use proptest::prelude::*;

    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        Policy::parse(&rules.iter().map(|&rule| rule.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    /// A user of a directory that knows roles.
    fn user(login: &str, roles: &[&str], kind: UserType) -> User {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        let id = UserId { kind, ..UserId::default() };
        User { username: login.to_owned(), id, ..User::default() }.with_roles(roles)
    }

    /// A user of a directory that knows none.
    fn without_roles(login: &str, kind: UserType) -> User {
        User { username: login.to_owned(), id: UserId { kind, ..UserId::default() }, ..User::default() }
    }

    fn allows(policy: &Policy, caller: Option<&str>, user: &User) -> bool {
        policy.decide(caller, user) == Decision::Allowed
    }

    #[test]
    fn m3_the_default_never_lets_a_key_become_an_administrator_or_a_service() {
        let policy = policy(&["*=users"]);
        assert!(allows(&policy, None, &user("einstein", &[role::USER], UserType::Primary)));
        assert!(
            allows(&policy, None, &user("guest", &[], UserType::Primary)),
            "whoever has no role is no administrator"
        );
        assert!(!allows(&policy, None, &user("root", &[role::ADMIN], UserType::Primary)));
        assert!(!allows(&policy, Some("spiffe://doorward/proxy"), &user("job", &[], UserType::Service)));
    }

    #[test]
    fn users_alone_refuses_where_roles_are_unknown_and_users_with_admins_does_not() {
        let (einstein, job) = (without_roles("einstein", UserType::Primary), without_roles("job", UserType::Service));
        for (rules, expected) in [
            (&["*=users"][..], Decision::RolesUnknown),
            (&["*=admins"], Decision::Denied),
            (&["*=users", "proxy=admins"], Decision::RolesUnknown),
            (&["*=users", "*=admins"], Decision::Allowed),
            (&["*=*"], Decision::Allowed),
            (&["*=users", "*=einstein"], Decision::Allowed),
            (&[], Decision::Denied),
        ] {
            assert_eq!(policy(rules).decide(None, &einstein), expected, "{rules:?}");
        }
        assert_eq!(policy(&["*=users", "proxy=admins"]).decide(Some("proxy"), &einstein), Decision::Allowed);
        assert_eq!(
            policy(&["*=users", "*=admins"]).decide(None, &job),
            Decision::Denied,
            "a service account is neither"
        );
    }

    #[test]
    fn roles_matter_where_a_caller_may_act_as_users_alone() {
        for rules in [&["*=users"][..], &["*=users", "proxy=*"], &["proxy=users", "mailer=admins"]] {
            assert!(policy(rules).relies_on_roles(), "{rules:?}");
        }
        for rules in [&["*=users", "*=admins"][..], &["*=*"], &["proxy=users", "*=admins"], &["*=einstein"], &[]] {
            assert!(!policy(rules).relies_on_roles(), "{rules:?}");
        }
    }

    #[test]
    fn rules_bind_callers_to_subjects() {
        let policy = policy(&["spiffe://doorward/proxy=*", "CN=mailer=einstein"]);
        let einstein = user("einstein", &[], UserType::Primary);
        let admin = user("root", &[role::ADMIN], UserType::Primary);
        assert!(allows(&policy, Some("spiffe://doorward/proxy"), &admin));
        assert!(allows(&policy, Some("CN=mailer"), &einstein));
        assert!(!allows(&policy, Some("CN=mailer"), &admin));
        assert!(!allows(&policy, None, &einstein), "without a certificate no named rule fits");
    }

    #[test]
    fn no_rules_allow_nothing() {
        assert!(!allows(&policy(&[]), None, &user("einstein", &[], UserType::Primary)));
    }

    #[test]
    fn a_rule_that_is_none_is_refused() {
        for rule in ["users", "=users", "*=", ""] {
            assert!(Policy::parse(&[rule.to_owned()]).is_err(), "{rule:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(rule in ".*") {
            let _ = Policy::parse(&[rule]);
        }
    }
}
