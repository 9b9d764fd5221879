//! The demo users of the quick start, and what it says.

use std::fmt::Write;

use authn::BoxError;
use config::{Environment, Secret};
use runtime::Context;

use crate::admin::Admin;
use crate::command::{make_password, say};
use crate::services::{ServiceId, Settings};
use crate::user_administration::NewUser;

/// The secrets that commands need, where they are configured.
const SECRETS: [&str; 4] = ["OCIS_JWT_SECRET", "OC_JWT_SECRET", "AUTH_APP_TOKEN_KEY", "IDP_ENCRYPTION_SECRET"];

/// Login, name to show, role, group.
const DEMO_USERS: [(&str, &str, &str, &str); 4] = [
    ("einstein", "Albert Einstein", "user", "physicists"),
    ("marie", "Marie Skłodowska Curie", "user", "physicists"),
    ("richard", "Richard Feynman", "user", "physicists"),
    ("admin", "Admin", "admin", ""),
];

/// Adds the demo users that are not there yet, and says how to go on. Users whose passwords cannot be shown are taken back.
pub(crate) async fn welcome(settings: &Settings, context: &Context) -> Result<(), BoxError> {
    if settings.users.is_ldap() {
        return say(introduction(settings, &context.environment, Demo::InLdap)?);
    }
    let mut admin = Admin::connect(settings, context).await?;
    let mut added = Vec::new();
    let outcome = match add(&mut admin, &mut added, context).await {
        Ok(()) if added.is_empty() => say(introduction(settings, &context.environment, Demo::Known)?),
        Ok(()) => introduction(settings, &context.environment, Demo::Added(&added))
            .and_then(|text| runtime::print_once(format_args!("{text}\n"), "no demo users were added")),
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        for (username, _) in &added {
            admin.undo_add(username).await?;
        }
    }
    outcome
}

/// Adds the demo users that are not there yet, and their passwords to `added`.
async fn add(admin: &mut Admin, added: &mut Vec<(&'static str, Secret)>, context: &Context) -> Result<(), BoxError> {
    admin.ensure_group("physicists").await?;
    for (username, display_name, role, group) in DEMO_USERS {
        if admin.find(username).await?.is_some() {
            continue;
        }
        let password = make_password(&context.random);
        let groups: Vec<String> =
            [group].iter().filter(|group| !group.is_empty()).map(|&group| group.to_owned()).collect();
        let mail = format!("{username}@example.org");
        let roles = [role.to_owned()];
        let user = NewUser { username, mail: &mail, display_name, roles: &roles, groups: &groups };
        admin.add(&user, Some(&password)).await?;
        added.push((username, password));
    }
    Ok(())
}

/// The demo users of this start.
#[derive(Clone, Copy)]
enum Demo<'a> {
    /// These were added.
    Added(&'a [(&'static str, Secret)]),
    /// They were added before.
    Known,
    /// There are none: the users are read from LDAP.
    InLdap,
}

/// The URL to open, the passwords that were made, and what to do next.
fn introduction(settings: &Settings, environment: &Environment, demo: Demo<'_>) -> Result<String, BoxError> {
    let program = std::env::current_exe()?;
    let program = shell_word(&program.display().to_string());
    let mut text = format!("\nDoorward is ready. Open {}/ and sign in.\n", settings.proxy.url.trim_end_matches('/'));
    match demo {
        Demo::Added(added) => {
            text.push_str("\nUsers, and their passwords, which are not shown again:\n");
            for (username, password) in added {
                writeln!(text, "  {username:10}{}", password.expose())?;
            }
        }
        Demo::Known => text.push_str(
            "\nThe demo users are there already; `doorward user passwd einstein` gives one a new password.\n",
        ),
        Demo::InLdap => text.push_str("\nThe users are read from LDAP (USERS_DRIVER): no demo users are added.\n"),
    }
    writeln!(text, "\nThe data folder is {}. For a second terminal:\n", settings.data.display())?;
    text.push_str(&exports(environment));
    if !matches!(demo, Demo::InLdap) {
        writeln!(text, "{program} authenticate --type basic --client-id einstein")?;
        writeln!(text, "{program} auth-app create --user-name=marie --expiration=72h")?;
    }
    writeln!(text, "{program} user list")?;
    Ok(text)
}

/// The line that gives a second terminal the variables by which commands find this family; empty if none is set. Secrets are
/// named only.
fn exports(environment: &Environment) -> String {
    let set = |name: &&str| environment.get_filled(name).is_some();
    let assignment = |name: &str| format!(" {name}={}", shell_word(environment.get(name).unwrap_or_default()));
    let shown: String = environment.names().filter(|name| is_of_commands(name)).filter(set).map(assignment).collect();
    let secret: Vec<_> = SECRETS.into_iter().filter(set).collect();
    let note = (!secret.is_empty()).then(|| format!("# set {} there too\n", secret.join(", ")));
    let export = (!shown.is_empty()).then(|| format!("export{shown}\n"));
    note.into_iter().chain(export).collect()
}

/// Whether commands read a variable to find the family.
fn is_of_commands(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "XDG_DATA_HOME",
        "OCIS_BASE_DATA_PATH",
        "OC_BASE_DATA_PATH",
        "OCIS_CONFIG_DIR",
        "OC_CONFIG_DIR",
        "OCIS_REVA_GATEWAY",
    ];
    let of_services = ServiceId::ALL.into_iter().filter_map(|service| name.strip_prefix(service.identity().prefix));
    let is_address = of_services.into_iter().any(|rest| rest == "_GRPC_ADDR" || rest.ends_with("_ENDPOINT"));
    let is_file = SECRETS.iter().any(|secret| name.strip_suffix("_FILE") == Some(secret));
    NAMES.contains(&name) || is_address || is_file || name.starts_with("OCIS_GRPC_CLIENT_TLS_")
}

/// A word that a shell reads as it stands.
fn shell_word(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-".contains(sign);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_terminal_gets_what_differs_from_the_defaults_and_no_secret() {
        assert_eq!(exports(&Environment::default()), "");
        let environment = [
            ("HOME", "/home/a"),
            ("OCIS_BASE_DATA_PATH", "/tmp/my data"),
            ("GATEWAY_GRPC_ADDR", "127.0.0.1:1"),
            ("PROXY_HTTP_ADDR", "127.0.0.1:2"),
            ("OCIS_JWT_SECRET", "confidential"),
            ("AUTH_APP_TOKEN_KEY_FILE", "/run/key"),
            ("USERS_GRPC_ADDR", ""),
            ("OTHER_PROGRAM_ENDPOINT", "https://user:password@example.org"),
        ];
        let text = exports(&environment.into());
        let expected = "# set OCIS_JWT_SECRET there too\nexport AUTH_APP_TOKEN_KEY_FILE=/run/key GATEWAY_GRPC_ADDR='127.0.0.1:1' \
                        OCIS_BASE_DATA_PATH='/tmp/my data'\n";
        assert_eq!(text, expected);
    }
}
