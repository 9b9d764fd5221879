use authn::BoxError;
use proto::doorward::users::v1::{
    CreateGroupRequest, DeleteGroupRequest, Group, ListMembersRequest, Person, RemoveMemberRequest,
};
use serde_json::json;

use super::{json, say, table};
use crate::{
    admin::Admin,
    cli::{self, Member, Output},
    user_administration::{by_login, by_name, refused},
};

/// Runs `doorward group ...`.
pub(crate) async fn run(command: cli::Group, mut admin: Admin) -> Result<(), BoxError> {
    match command {
        cli::Group::Add { name, description } => {
            let description = (!description.is_empty()).then_some(description);
            let request = admin.request(CreateGroupRequest { name: name.clone(), description, id: None });
            let answer = admin.users.create_group(request).await.map_err(refused)?.into_inner();
            say(format_args!("added {name} ({})", answer.group.unwrap_or_default().id))?;
        }
        cli::Group::List { output } => list(&mut admin, output).await?,
        cli::Group::Delete { name, confirmation } => {
            if confirmation.is_given(&format!("Delete the group {name}?"))? {
                let request = admin.request(DeleteGroupRequest { group: Some(by_name(&name)) });
                admin.users.delete_group(request).await.map_err(refused)?;
                say(format_args!("{name} is deleted"))?;
            }
        }
        cli::Group::Member { command } => member(command, &mut admin).await?,
    }
    Ok(())
}

async fn list(admin: &mut Admin, output: Output) -> Result<(), BoxError> {
    let groups = admin.groups().await?;
    if output.json {
        let value = |Group { id, name, description, member_count }: &Group| json!({ "id": id, "name": name, "description": description, "member_count": member_count });
        return json(&groups.iter().map(value).collect());
    }
    let row =
        |group: Group| [group.name, group.member_count.to_string(), group.description.unwrap_or_default(), group.id];
    let rows: Vec<_> = groups.into_iter().map(row).collect();
    table(["NAME", "MEMBERS", "DESCRIPTION", "ID"], &rows)
}

async fn member(command: Member, admin: &mut Admin) -> Result<(), BoxError> {
    match command {
        Member::Add { group, username } => {
            let changed = admin.add_member(&group, &username).await?;
            say(format_args!("{username} {} a member of {group}", if changed { "is now" } else { "was already" }))?;
        }
        Member::Remove { group, username } => {
            let message = RemoveMemberRequest { group: Some(by_name(&group)), user: Some(by_login(&username)) };
            let request = admin.request(message);
            let changed = admin.users.remove_member(request).await.map_err(refused)?.into_inner().changed;
            say(format_args!("{username} {} a member of {group}", if changed { "is no longer" } else { "was not" }))?;
        }
        Member::List { group, output } => members(&group, admin, output).await?,
    }
    Ok(())
}

async fn members(group: &str, admin: &mut Admin, output: Output) -> Result<(), BoxError> {
    let (mut members, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = admin.request(ListMembersRequest { group: Some(by_name(group)), page_size: 100, page_token });
        let page = admin.users.list_members(request).await.map_err(refused)?.into_inner();
        members.extend(page.members);
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    if output.json {
        let value =
            |user: &Person| json!({ "id": user.id, "user_name": user.username, "display_name": user.display_name });
        return json(&members.iter().map(value).collect());
    }
    let rows: Vec<_> = members.into_iter().map(|user| [user.username, user.display_name, user.id]).collect();
    table(["LOGIN", "NAME", "ID"], &rows)
}
