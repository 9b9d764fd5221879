//! The LDAP server, and how the entry of one user is read.

use authn::DirectoryError;
use ldap::{Directory, MappedAttribute, Mapping};

use super::{Finding, Installation, Subject};
use crate::cli::Check;
use crate::services::ServiceId;

/// Attributes without which a user cannot sign in.
const NEEDED: [&str; 2] = ["user id", "preferred_username"];
/// An attribute that applications expect.
const EXPECTED: &str = "email";

/// Searches the server as the users service does; with a login, shows what its entry becomes.
pub(super) async fn check(installation: &Installation, login: Option<&str>) -> Vec<Finding> {
    let Installation { settings, enabled, context } = installation;
    let config = &settings.users.ldap;
    let subject = Subject::new(Check::Ldap, &config.uri);
    if !(settings.users.is_ldap() && enabled.contains(ServiceId::Users)) {
        return vec![Subject::new(Check::Ldap, "users").not_checked("users are not in LDAP (USERS_DRIVER)")];
    }
    let directory = Directory::new(config, &context.environment, &context.reload);
    let asked = async {
        match login {
            None => vec![match directory.check().await {
                Ok(()) => subject.ok("it answers a search; --user NAME shows what becomes of an entry"),
                Err(problem) => unreachable(&subject, &problem),
            }],
            Some(login) => match directory.mapping(login).await {
                Ok(mapping) => of_user(login, &mapping),
                Err(DirectoryError::NotFound) => {
                    let remedy = "see OCIS_LDAP_USER_BASE_DN, OCIS_LDAP_USER_FILTER, OCIS_LDAP_USER_OBJECTCLASS and LDAP_LOGIN_ATTRIBUTES";
                    vec![subject.failed(format_args!("no entry has the login {login}"), remedy)]
                }
                Err(DirectoryError::Ambiguous) => {
                    let remedy =
                        "narrow OCIS_LDAP_USER_BASE_DN or OCIS_LDAP_USER_FILTER, or name one login attribute only";
                    vec![subject.failed(format_args!("more than one entry has the login {login}"), remedy)]
                }
                Err(problem) => vec![unreachable(&subject, &problem)],
            },
        }
    };
    subject.within_limit(asked).await
}

fn unreachable(subject: &Subject, problem: &DirectoryError) -> Finding {
    let remedy =
        "see OCIS_LDAP_URI, OCIS_LDAP_CACERT, OCIS_LDAP_BIND_DN and OCIS_LDAP_BIND_PASSWORD, and the log of the server";
    subject.failed(problem, remedy)
}

/// A line for each attribute.
fn of_user(login: &str, mapping: &Mapping) -> Vec<Finding> {
    let subject = Subject::new(Check::Ldap, login);
    let attribute = |MappedAttribute { claim, attribute, value }: &MappedAttribute| match value {
        Some(value) => subject.ok(format_args!("{claim} is {attribute}: {value}")),
        None if NEEDED.contains(claim) => {
            let remedy = "name another attribute in OCIS_LDAP_USER_SCHEMA_ID or OCIS_LDAP_USER_SCHEMA_USERNAME, or see OCIS_LDAP_USER_SCHEMA_ID_IS_OCTETSTRING";
            subject.failed(format_args!("{claim} is {attribute}, which the entry has no usable value of"), remedy)
        }
        None if *claim == EXPECTED => {
            let remedy = "name another attribute in OCIS_LDAP_USER_SCHEMA_MAIL, or add it to the entry";
            subject.warning(format_args!("{claim} is {attribute}, which the entry does not have"), remedy)
        }
        None => subject.not_checked(format_args!("{claim} is {attribute}, which the entry does not have")),
    };
    let mut findings = vec![subject.ok(format_args!("the entry is {}", mapping.dn))];
    findings.extend(mapping.attributes.iter().map(attribute));
    let groups = if mapping.groups.is_empty() { "none".to_owned() } else { mapping.groups.join(", ") };
    findings.push(subject.ok(format_args!("groups: {groups}")));
    if mapping.is_disabled {
        let remedy = "see OCIS_LDAP_DISABLE_USER_MECHANISM and OCIS_LDAP_USER_ENABLED_ATTRIBUTE";
        findings.push(subject.warning("the user counts as disabled, and cannot sign in", remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn missing_attributes_fail_warn_or_are_left_out() {
        let attribute = |claim, value: Option<&str>| MappedAttribute {
            claim,
            attribute: "a".to_owned(),
            value: value.map(str::to_owned),
        };
        let mapping = Mapping {
            dn: "uid=einstein,o=example".to_owned(),
            attributes: vec![
                attribute("user id", None),
                attribute("preferred_username", Some("einstein")),
                attribute("email", None),
                attribute("given_name", None),
            ],
            groups: vec!["physicists".to_owned()],
            is_disabled: true,
        };
        let found = of_user("einstein", &mapping);
        let outcomes: Vec<_> = found.iter().map(|finding| finding.outcome).collect();
        let expected = [
            Outcome::Ok,
            Outcome::Failed,
            Outcome::Ok,
            Outcome::Warning,
            Outcome::NotChecked,
            Outcome::Ok,
            Outcome::Warning,
        ];
        assert_eq!(outcomes, expected);
    }
}
