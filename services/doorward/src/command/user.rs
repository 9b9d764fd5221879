use authn::BoxError;
use config::Secret;
use proto::doorward::users::v1::{Person, PersonStatus, UserProfile};
use runtime::Context;
use serde_json::{Value, json};

use super::{NewPassword, factors, invitation, json, make_password, new_password, say, table};
use crate::{admin::Admin, cli::User, user_administration::NewUser};

/// Runs `doorward user ...`.
pub(crate) async fn run(command: User, mut admin: Admin, idp: &idp::Config, context: &Context) -> Result<(), BoxError> {
    match command {
        User::Add { username, mail, display_name, roles, groups, password } => {
            let password = new_password(&password, &username, || make_password(&context.random))?;
            let display_name = display_name.as_deref().unwrap_or(&username);
            let person = NewUser { username: &username, mail: &mail, display_name, roles: &roles, groups: &groups };
            let added = admin.add(&person, password.secret()).await?;
            if let NewPassword::Generated(password) = &password
                && let Err(error) = show_password(&username, password, "the user is not added")
            {
                admin.undo_add(&username).await?;
                return Err(error);
            }
            say(format_args!("added {username} ({})", added.id))?;
        }
        User::List { query, output } => {
            let users = admin.list(&query).await?;
            if output.json {
                return json(&users.iter().map(value).collect());
            }
            let rows: Vec<_> = users.into_iter().map(row).collect();
            table(["LOGIN", "NAME", "MAIL", "STATUS", "ID"], &rows)?;
        }
        User::Import(import) => import.run(&mut admin, context).await?,
        User::Show { username, output } => {
            let (person, profile) = (admin.person(&username).await?, admin.profile(&username).await?);
            if output.json { json(&with_profile(&person, &profile))? } else { show(&person, &profile)? }
        }
        User::Update { username, change } => {
            if change.is_empty() {
                return Err("nothing to change is given; `doorward user update --help` lists what can be".into());
            }
            admin.update(&username, *change).await?;
            say(format_args!("{username} is changed"))?;
        }
        User::Passwd { username, password } => {
            let person = admin.person(&username).await?;
            let password = new_password(&password, &username, || make_password(&context.random))?;
            let Some(secret) = password.secret() else {
                admin.remove_password(&person.id).await?;
                return say(format_args!("{username} has no password"));
            };
            admin.set_password(&person.id, secret).await?;
            if matches!(password, NewPassword::Generated(_)) {
                show_password(&username, secret, "it is set all the same: repeat the command for another one")?;
            }
            say(format_args!("{username} has a new password"))?;
        }
        User::Disable { username } => {
            admin.set_status(&username, PersonStatus::Disabled).await?;
            say(format_args!("{username} is disabled"))?;
        }
        User::Enable { username } => {
            admin.set_status(&username, PersonStatus::Active).await?;
            say(format_args!("{username} is enabled"))?;
        }
        User::Invite { username } => invitation::invite(&admin.person(&username).await?, idp, context).await?,
        User::ResetFactors { username, confirmation } => {
            factors::reset(&admin.person(&username).await?, confirmation, idp, context).await?;
        }
        User::Delete { username, id, confirmation } => {
            let found = match (&username, &id) {
                (Some(username), _) => Some(admin.person(username).await?),
                (None, Some(id)) => admin.person_with_id(id).await?,
                (None, None) => return Err("name the user: doorward user delete NAME, or --id ID".into()),
            };
            let (name, id, question) = if let Some(Person { id, username, display_name, .. }) = found {
                let question = format!("Delete the user {username} ({display_name}, id {id})?");
                (username, id, question)
            } else {
                let id = id.unwrap_or_default();
                let question = format!("No user has the id {id}. Remove what is left of one who had it?");
                (format!("the user with the id {id}"), id, question)
            };
            if confirmation.is_given(&question)? {
                admin.delete(&name, &id).await?;
                say(format_args!("{name} is deleted"))?;
            }
        }
    }
    Ok(())
}

/// Shows a generated password, which is possible only now.
fn show_password(username: &str, password: &Secret, remedy: &str) -> Result<(), BoxError> {
    runtime::print_once(format_args!("password of {username}: {}\n", password.expose()), remedy)
}

fn status(person: &Person) -> &'static str {
    match person.status() {
        PersonStatus::Active => "active",
        PersonStatus::Disabled => "disabled",
        PersonStatus::Unspecified => "unknown",
    }
}

/// A user as JSON.
fn value(user: &Person) -> Value {
    json!({
        "id": user.id,
        "user_name": user.username,
        "display_name": user.display_name,
        "mail": user.mail,
        "status": status(user),
        "roles": user.roles,
        "groups": user.groups,
    })
}

fn row(person: Person) -> [String; 5] {
    let status = status(&person).to_owned();
    [person.username, person.display_name, person.mail, status, person.id]
}

fn show(person: &Person, profile: &UserProfile) -> Result<(), BoxError> {
    let lines = [
        ("id", person.id.clone()),
        ("login", person.username.clone()),
        ("name", person.display_name.clone()),
        ("mail", person.mail.clone()),
        ("status", status(person).to_owned()),
        ("roles", person.roles.join(", ")),
        ("groups", person.groups.join(", ")),
        ("uid", person.uid_number.to_string()),
        ("gid", person.gid_number.to_string()),
    ];
    lines.iter().try_for_each(|(name, value)| say(format!("{name:8}{value}").trim_end()))?;
    for (name, value) in &profile.attributes {
        let note = if name == "phone_number" && profile.phone_number_verified { " (verified)" } else { "" };
        say(format_args!("{name}: {}{note}", value.replace('\n', ", ")))?;
    }
    Ok(())
}

/// A user and the profile as JSON.
fn with_profile(person: &Person, profile: &UserProfile) -> Value {
    let mut shown = value(person);
    shown["uid_number"] = person.uid_number.into();
    shown["gid_number"] = person.gid_number.into();
    shown["profile"] = json!(profile.attributes);
    shown["phone_number_verified"] = profile.phone_number_verified.into();
    shown
}
