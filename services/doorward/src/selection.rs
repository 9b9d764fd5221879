//! Which services run in this process.

use config::Environment;

/// A service of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// People and groups.
    Users,
    /// Passwords.
    AuthBasic,
    /// Impersonation.
    AuthMachine,
    /// Service accounts.
    AuthService,
    /// App tokens.
    AuthApp,
    /// OIDC access tokens.
    AuthBearer,
    /// Sign-ins to applications.
    Idp,
    /// The one door.
    Gateway,
    /// The HTTP edge.
    Proxy,
}

impl Member {
    /// Every service, in the order they start: who is asked comes before who asks.
    pub const ALL: [Self; 9] = [
        Self::Users,
        Self::AuthBasic,
        Self::AuthMachine,
        Self::AuthService,
        Self::AuthApp,
        Self::AuthBearer,
        Self::Idp,
        Self::Gateway,
        Self::Proxy,
    ];

    /// The name in commands and in the run lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::AuthBasic => "auth-basic",
            Self::AuthMachine => "auth-machine",
            Self::AuthService => "auth-service",
            Self::AuthApp => "auth-app",
            Self::AuthBearer => "auth-bearer",
            Self::Idp => "idp",
            Self::Gateway => "gateway",
            Self::Proxy => "proxy",
        }
    }

    /// Whether it runs without being asked for. As in the systems whose settings these are, auth-app and auth-bearer do not.
    fn runs_by_default(self) -> bool {
        !matches!(self, Self::AuthApp | Self::AuthBearer)
    }
}

/// The services that are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection(Vec<Member>);

/// A run list that cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SelectionError {
    /// A name that is none of ours.
    #[error("{variable} names {name:?}, which is no service; the services are: {}", names())]
    Unknown {
        /// Where it stands.
        variable: &'static str,
        /// The name.
        name: String,
    },
    /// Nothing is left to run.
    #[error("OCIS_EXCLUDE_RUN_SERVICES leaves no service to run")]
    Nothing,
}

fn names() -> String {
    Member::ALL.map(Member::name).join(", ")
}

impl Selection {
    /// Every service.
    pub fn everything() -> Self {
        Self(Member::ALL.to_vec())
    }

    /// What `OCIS_RUN_SERVICES` (exclusive), `OCIS_ADD_RUN_SERVICES` and `OCIS_EXCLUDE_RUN_SERVICES` say.
    ///
    /// # Errors
    /// When a list holds an unknown name, or nothing is left.
    pub fn of(environment: &Environment) -> Result<Self, SelectionError> {
        for (exclusive, twin) in
            [("OCIS_RUN_SERVICES", "OC_RUN_SERVICES"), ("OCIS_RUN_EXTENSIONS", "OC_RUN_EXTENSIONS")]
        {
            if let Some(only) = list(environment, exclusive, twin)? {
                return Ok(Self(sorted(&only)));
            }
        }
        let added = list(environment, "OCIS_ADD_RUN_SERVICES", "OC_ADD_RUN_SERVICES")?.unwrap_or_default();
        let excluded = list(environment, "OCIS_EXCLUDE_RUN_SERVICES", "OC_EXCLUDE_RUN_SERVICES")?.unwrap_or_default();
        let wanted =
            |member: &Member| (member.runs_by_default() || added.contains(member)) && !excluded.contains(member);
        let members: Vec<_> = Member::ALL.into_iter().filter(wanted).collect();
        if members.is_empty() { Err(SelectionError::Nothing) } else { Ok(Self(members)) }
    }

    /// Whether this service runs.
    pub fn contains(&self, member: Member) -> bool {
        self.0.contains(&member)
    }

    /// The services, in the order they start.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.0.iter().copied()
    }
}

fn sorted(members: &[Member]) -> Vec<Member> {
    Member::ALL.into_iter().filter(|member| members.contains(member)).collect()
}

/// The services that a variable lists; `None` if it is not set or empty.
fn list(
    environment: &Environment,
    name: &'static str,
    twin: &'static str,
) -> Result<Option<Vec<Member>>, SelectionError> {
    let set = |variable| environment.get_filled(variable).map(|text| (variable, text));
    let Some((variable, text)) = set(twin).or_else(|| set(name)) else { return Ok(None) };
    let member = |item: &str| {
        Member::ALL
            .into_iter()
            .find(|member| member.name() == item)
            .ok_or_else(|| SelectionError::Unknown { variable, name: item.to_owned() })
    };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(member).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected<const N: usize>(environment: [(&str, &str); N]) -> Result<Vec<&'static str>, SelectionError> {
        Selection::of(&Environment::from(environment)).map(|selection| selection.members().map(Member::name).collect())
    }

    #[test]
    fn auth_app_has_to_be_asked_for() {
        assert_eq!(
            selected([]).unwrap(),
            ["users", "auth-basic", "auth-machine", "auth-service", "idp", "gateway", "proxy"]
        );
        let added = selected([("OCIS_ADD_RUN_SERVICES", "auth-app")]).unwrap();
        assert!(added.contains(&"auth-app"));
        assert!(selected([("OC_ADD_RUN_SERVICES", "auth-app")]).unwrap().contains(&"auth-app"));
    }

    #[test]
    fn an_exclusive_list_ignores_the_others() {
        let only = selected([("OCIS_RUN_SERVICES", " gateway, users "), ("OCIS_ADD_RUN_SERVICES", "auth-app")]);
        assert_eq!(only.unwrap(), ["users", "gateway"]);
    }

    #[test]
    fn exclusion_beats_addition() {
        let names = selected([("OCIS_ADD_RUN_SERVICES", "auth-app"), ("OCIS_EXCLUDE_RUN_SERVICES", "auth-app,users")]);
        assert_eq!(names.unwrap(), ["auth-basic", "auth-machine", "auth-service", "idp", "gateway", "proxy"]);
    }

    #[test]
    fn an_unknown_name_stops_the_start_and_lists_the_valid_ones() {
        let error = selected([("OCIS_ADD_RUN_SERVICES", "auth-apps")]).unwrap_err().to_string();
        assert!(error.contains("OCIS_ADD_RUN_SERVICES") && error.contains("\"auth-apps\""), "{error}");
        assert!(
            error.contains("users, auth-basic, auth-machine, auth-service, auth-app, auth-bearer, idp, gateway, proxy"),
            "{error}"
        );
    }
}
