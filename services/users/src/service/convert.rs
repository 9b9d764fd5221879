//! Wire messages to domain types, and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::UserStatus;
use proto::doorward::users::v1 as wire;

use crate::{Author, Change, Expected, Group, GroupRef, NewPerson, PeopleError, Person, PersonRef, role_name};

pub(super) fn new_person(request: wire::CreateUserRequest, author: Author) -> NewPerson {
    let wire::CreateUserRequest { id, username, mail, display_name, uid_number, gid_number, roles } = request;
    NewPerson { id, username, mail, display_name, uid_number, gid_number, roles, author }
}

pub(super) fn change(request: wire::UpdateUserRequest, author: Author) -> Result<(PersonRef, Change), PeopleError> {
    let expected = request.expected.unwrap_or_default();
    let expected = Expected {
        mail: expected.mail,
        display_name: expected.display_name,
        status: expected.status.map(user_status).transpose()?,
        roles: expected.roles.map(|list| list.roles),
    };
    let change = Change {
        username: None,
        mail: request.mail,
        display_name: request.display_name,
        status: request.status.map(user_status).transpose()?,
        uid_number: request.uid_number,
        gid_number: request.gid_number,
        roles: request.roles.map(|list| list.roles),
        expected,
        author,
    };
    Ok((person_ref(request.user)?, change))
}

fn user_status(status: i32) -> Result<UserStatus, PeopleError> {
    match wire::PersonStatus::try_from(status) {
        Ok(wire::PersonStatus::Active) => Ok(UserStatus::Active),
        Ok(wire::PersonStatus::Disabled) => Ok(UserStatus::Blocked),
        Ok(wire::PersonStatus::Unspecified) | Err(_) => Err(invalid("the status must be active or disabled")),
    }
}

pub(super) fn password_change(request: wire::NotePasswordChangeRequest) -> Result<(String, SystemTime), PeopleError> {
    let wire::NotePasswordChangeRequest { user_id, at_micros } = request;
    let micros = u64::try_from(at_micros).map_err(|_| invalid("the time lies before 1970"))?;
    Ok((user_id, UNIX_EPOCH + Duration::from_micros(micros)))
}

pub(super) fn person_ref(wire: Option<wire::PersonRef>) -> Result<PersonRef, PeopleError> {
    match wire.and_then(|wire| wire.by) {
        Some(wire::person_ref::By::Id(id)) => Ok(PersonRef::Id(id)),
        Some(wire::person_ref::By::Username(name)) => Ok(PersonRef::Username(name)),
        None => Err(invalid("the user must be named, by id or by username")),
    }
}

pub(super) fn group_ref(wire: Option<wire::GroupRef>) -> Result<GroupRef, PeopleError> {
    match wire.and_then(|wire| wire.by) {
        Some(wire::group_ref::By::Id(id)) => Ok(GroupRef::Id(id)),
        Some(wire::group_ref::By::Name(name)) => Ok(GroupRef::Name(name)),
        None => Err(invalid("the group must be named, by id or by name")),
    }
}

pub(super) fn person(person: Person) -> wire::Person {
    let status = match person.status {
        UserStatus::Active | UserStatus::Expiring => wire::PersonStatus::Active,
        UserStatus::Blocked => wire::PersonStatus::Disabled,
    };
    wire::Person {
        id: person.id,
        username: person.username,
        mail: person.mail,
        display_name: person.display_name,
        status: status.into(),
        uid_number: person.uid_number,
        gid_number: person.gid_number,
        roles: person.roles.iter().map(|role| role_name(role).to_owned()).collect(),
        group_ids: person.groups.iter().map(|group| group.id.clone()).collect(),
        groups: person.groups.into_iter().map(|group| group.name).collect(),
        created: person.created,
        updated: person.updated,
    }
}

pub(super) fn group(group: Group) -> wire::Group {
    let Group { id, name, description, member_count } = group;
    wire::Group { id, name, description, member_count }
}

fn invalid(problem: &str) -> PeopleError {
    PeopleError::Invalid(problem.to_owned())
}
