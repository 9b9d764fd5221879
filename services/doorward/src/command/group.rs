use authn::BoxError;
use proto::doorward::users::v1::{
    CreateGroupRequest, DeleteGroupRequest, ListGroupsRequest, ListMembersRequest, RemoveMemberRequest,
};

use super::{say, table};
use crate::{
    admin::Admin,
    cli::{Group, Member},
    user_administration::{by_login, by_name, refused},
};

/// Runs `doorward group ...`.
pub(crate) async fn run(command: Group, mut admin: Admin) -> Result<(), BoxError> {
    match command {
        Group::Add { name, description } => {
            let description = (!description.is_empty()).then_some(description);
            let request = admin.request(CreateGroupRequest { name: name.clone(), description, id: None });
            let answer = admin.users.create_group(request).await.map_err(refused)?.into_inner();
            say(format_args!("added {name} ({})", answer.group.unwrap_or_default().id))?;
        }
        Group::List => list(&mut admin).await?,
        Group::Delete { name, confirmation } => {
            if confirmation.is_given(&format!("Delete the group {name}?"))? {
                let request = admin.request(DeleteGroupRequest { group: Some(by_name(&name)) });
                admin.users.delete_group(request).await.map_err(refused)?;
                say(format_args!("{name} is deleted"))?;
            }
        }
        Group::Member { command } => member(command, &mut admin).await?,
    }
    Ok(())
}

async fn list(admin: &mut Admin) -> Result<(), BoxError> {
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = admin.request(ListGroupsRequest { page_size: 100, page_token, query: String::new() });
        let page = admin.users.list_groups(request).await.map_err(refused)?.into_inner();
        rows.extend(page.groups.into_iter().map(|group| {
            [group.name, group.member_count.to_string(), group.description.unwrap_or_default(), group.id]
        }));
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
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
        Member::List { group } => members(&group, admin).await?,
    }
    Ok(())
}

async fn members(group: &str, admin: &mut Admin) -> Result<(), BoxError> {
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = admin.request(ListMembersRequest { group: Some(by_name(group)), page_size: 100, page_token });
        let page = admin.users.list_members(request).await.map_err(refused)?.into_inner();
        rows.extend(page.members.into_iter().map(|person| [person.username, person.display_name, person.id]));
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    table(["LOGIN", "NAME", "ID"], &rows)
}
