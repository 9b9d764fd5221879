//! The demo people of the quick start, and the three lines to paste.

use authn::BoxError;
use runtime::{Context, config::Secret};

use crate::{
    admin::Admin,
    command::{make_password, say},
    people::NewPerson,
    settings::Settings,
};

/// Login, name to show, role, group.
const PEOPLE: [(&str, &str, &str, &str); 4] = [
    ("einstein", "Albert Einstein", "user", "physicists"),
    ("marie", "Marie Skłodowska Curie", "user", "physicists"),
    ("richard", "Richard Feynman", "user", "physicists"),
    ("admin", "Admin", "admin", ""),
];

/// Adds the demo people that are not there yet, and says how to go on.
pub(crate) async fn welcome(settings: &Settings, context: &Context) -> Result<(), BoxError> {
    let mut admin = Admin::connect(settings, context).await?;
    admin.ensure_group("physicists").await?;
    let mut added = Vec::new();
    for (username, display_name, role, group) in PEOPLE {
        if admin.find(username).await?.is_some() {
            continue;
        }
        let password = make_password(&context.random);
        let groups: Vec<String> =
            [group].iter().filter(|group| !group.is_empty()).map(|&group| group.to_owned()).collect();
        let mail = format!("{username}@example.org");
        let roles = [role.to_owned()];
        let person = NewPerson { username, mail: &mail, display_name, roles: &roles, groups: &groups };
        admin.add(&person, Some(&password)).await?;
        added.push((username, password));
    }
    introduce(settings, &added)?;
    Ok(())
}

fn introduce(settings: &Settings, added: &[(&str, Secret)]) -> Result<(), BoxError> {
    let program = std::env::current_exe()?;
    let program = shell_word(&program.display().to_string());
    say(&format!("\nDoorward is ready: the gateway answers gRPC on {}.", settings.gateway_endpoint()))?;
    let http = &settings.proxy.http.0;
    let scheme = if http.tls.enabled { "https" } else { "http" };
    let port = runtime::endpoint_of(&http.addr);
    say(&format!("The edge answers on {scheme}://{port}, for browsers, WebDAV clients and other proxies."))?;
    say(&format!("Everything it keeps is in {}.", settings.data.display()))?;
    if added.is_empty() {
        say("\nThe demo people are there already; `doorward user passwd einstein` gives one a new password.")?;
    } else {
        say("\nDemo people, and their passwords, which are not shown again:")?;
        for (username, password) in added {
            say(&format!("  {username:10}{}", password.expose()))?;
        }
    }
    let password = added.iter().find(|(username, _)| *username == "einstein").map(|(_, password)| password.expose());
    say("\nPaste these into a second terminal:\n")?;
    match password {
        Some(password) => {
            say(&format!("echo {password} | {program} authenticate --type basic --client-id einstein --secret-stdin"))?;
        }
        None => say(&format!("{program} authenticate --type basic --client-id einstein"))?,
    }
    say(&format!("{program} auth-app create --user-name=marie --expiration=72h"))?;
    say(&format!("{program} user list"))?;
    say("")?;
    Ok(())
}

/// A word that a shell reads as it stands.
fn shell_word(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-".contains(sign);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
