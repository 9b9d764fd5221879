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

    /// Whether a caller with this certificate name (if it showed one) may act as this user.
    pub fn allows(&self, caller: Option<&str>, user: &User) -> bool {
        self.0.iter().any(|rule| rule.caller.fits(caller) && rule.subject.fits(user))
    }
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
        let technical = matches!(user.id.kind, UserType::Service | UserType::Application | UserType::SpaceOwner);
        match self {
            Self::Anyone => true,
            Self::Users => !user.is_admin() && !technical,
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

    fn user(login: &str, roles: &[&str], kind: UserType) -> User {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        User { username: login.to_owned(), roles, id: UserId { kind, ..UserId::default() }, ..User::default() }
    }

    #[test]
    fn m3_the_default_never_lets_a_key_become_an_administrator_or_a_service() {
        let policy = policy(&["*=users"]);
        assert!(policy.allows(None, &user("einstein", &[role::USER], UserType::Primary)));
        assert!(!policy.allows(None, &user("root", &[role::ADMIN], UserType::Primary)));
        assert!(!policy.allows(Some("spiffe://doorward/proxy"), &user("job", &[], UserType::Service)));
    }

    #[test]
    fn rules_bind_callers_to_subjects() {
        let policy = policy(&["spiffe://doorward/proxy=*", "CN=mailer=einstein"]);
        let einstein = user("einstein", &[], UserType::Primary);
        let admin = user("root", &[role::ADMIN], UserType::Primary);
        assert!(policy.allows(Some("spiffe://doorward/proxy"), &admin));
        assert!(policy.allows(Some("CN=mailer"), &einstein));
        assert!(!policy.allows(Some("CN=mailer"), &admin));
        assert!(!policy.allows(None, &einstein), "without a certificate no named rule fits");
    }

    #[test]
    fn no_rules_allow_nothing() {
        assert!(!policy(&[]).allows(None, &user("einstein", &[], UserType::Primary)));
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
