//! The demo users of the quick start, and the three lines to paste.

use std::fmt::Write;

use authn::BoxError;
use config::Secret;
use runtime::Context;

use crate::{
    admin::Admin,
    command::{make_password, say},
    services::Settings,
    user_administration::NewUser,
};

/// Login, name to show, role, group.
const PEOPLE: [(&str, &str, &str, &str); 4] = [
    ("einstein", "Albert Einstein", "user", "physicists"),
    ("marie", "Marie Skłodowska Curie", "user", "physicists"),
    ("richard", "Richard Feynman", "user", "physicists"),
    ("admin", "Admin", "admin", ""),
];

/// Adds the demo users that are not there yet, and says how to go on. Users whose passwords cannot be shown are taken back.
pub(crate) async fn welcome(settings: &Settings, context: &Context) -> Result<(), BoxError> {
    if settings.users.is_ldap() {
        return say(introduction(settings, Demo::InLdap)?);
    }
    let mut admin = Admin::connect(settings, context).await?;
    let mut added = Vec::new();
    let outcome = match add(&mut admin, &mut added, context).await {
        Ok(()) if added.is_empty() => say(introduction(settings, Demo::Known)?),
        Ok(()) => introduction(settings, Demo::Added(&added))
            .and_then(|text| runtime::print_once(format_args!("{text}\n"), "no demo users were added")),
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        for (username, _) in &added {
            admin.delete(username).await?;
        }
    }
    outcome
}

/// Adds the demo users that are not there yet, and their passwords to `added`.
async fn add(admin: &mut Admin, added: &mut Vec<(&'static str, Secret)>, context: &Context) -> Result<(), BoxError> {
    admin.ensure_group("physicists").await?;
    for (username, display_name, role, group) in PEOPLE {
        if admin.find(username).await?.is_some() {
            continue;
        }
        let password = make_password(&context.random);
        let groups: Vec<String> =
            [group].iter().filter(|group| !group.is_empty()).map(|&group| group.to_owned()).collect();
        let mail = format!("{username}@example.org");
        let roles = [role.to_owned()];
        let person = NewUser { username, mail: &mail, display_name, roles: &roles, groups: &groups };
        admin.add(&person, Some(&password)).await?;
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

/// Where everything is, the passwords that were made, and what to do next.
fn introduction(settings: &Settings, demo: Demo<'_>) -> Result<String, BoxError> {
    let program = std::env::current_exe()?;
    let program = shell_word(&program.display().to_string());
    let http = &settings.proxy.http.0;
    let scheme = if http.tls.enabled { "https" } else { "http" };
    let mut text = format!(
        "\nDoorward is ready: the gateway answers gRPC on {}.\n\
         The edge answers on {scheme}://{}, for browsers, WebDAV clients and other proxies.\n\
         Everything it keeps is in {}.\n",
        settings.gateway_endpoint(),
        runtime::endpoint_of(&http.addr),
        settings.data.display(),
    );
    match demo {
        Demo::Added(added) => {
            text.push_str("\nDemo users, and their passwords, which are not shown again:\n");
            for (username, password) in added {
                writeln!(text, "  {username:10}{}", password.expose())?;
            }
        }
        Demo::Known => text.push_str(
            "\nThe demo users are there already; `doorward user passwd einstein` gives one a new password.\n",
        ),
        Demo::InLdap => text.push_str("\nThe users are read from LDAP (USERS_DRIVER): no demo users are added.\n"),
    }
    text.push_str("\nPaste these into a second terminal:\n\n");
    if let Demo::Added(added) = demo
        && let Some((_, password)) = added.iter().find(|(username, _)| *username == "einstein")
    {
        let password = password.expose();
        writeln!(text, "echo {password} | {program} authenticate --type basic --client-id einstein --secret-stdin")?;
    } else if matches!(demo, Demo::Known) {
        writeln!(text, "{program} authenticate --type basic --client-id einstein")?;
    }
    if !matches!(demo, Demo::InLdap) {
        writeln!(text, "{program} auth-app create --user-name=marie --expiration=72h")?;
    }
    writeln!(text, "{program} user list")?;
    Ok(text)
}

/// A word that a shell reads as it stands.
fn shell_word(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-".contains(sign);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
