//! The claims that a client receives about a user, and the user's `sub` for that client.

use std::time::UNIX_EPOCH;

use authn::{Attribute, Profile, User, role};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::request::{ClaimRequest, ClaimValue, Claims, ClaimsRequest};
use oidc::scope::{self, Scopes};
use serde_json::{Map, Value, json};

use super::clients::{Client, Metadata, MetadataError, RoleNames, SubjectType};
use crate::model::Grant;
use crate::seal::{Sealer, Tag};

/// The scope, and the claim, of the groups of a user.
pub const GROUPS: &str = "groups";
/// The scope, and the claim, of the roles of a user.
pub const ROLES: &str = "roles";

const ADDRESS: &str = "address";
const PHONE_NUMBER_VERIFIED: &str = "phone_number_verified";
const UPDATED_AT: &str = "updated_at";

/// The source of claims that a token leaves out.
const USERINFO: &str = "userinfo";

/// The claims that are no part of the protocol itself, each with the scope that requests it.
pub const SUPPORTED: [(&str, &str); 21] = [
    ("name", scope::PROFILE),
    ("family_name", scope::PROFILE),
    ("given_name", scope::PROFILE),
    ("middle_name", scope::PROFILE),
    ("nickname", scope::PROFILE),
    ("preferred_username", scope::PROFILE),
    ("profile", scope::PROFILE),
    ("picture", scope::PROFILE),
    ("website", scope::PROFILE),
    ("gender", scope::PROFILE),
    ("birthdate", scope::PROFILE),
    ("zoneinfo", scope::PROFILE),
    ("locale", scope::PROFILE),
    (UPDATED_AT, scope::PROFILE),
    ("email", scope::EMAIL),
    ("email_verified", scope::EMAIL),
    (ADDRESS, scope::ADDRESS),
    ("phone_number", scope::PHONE),
    (PHONE_NUMBER_VERIFIED, scope::PHONE),
    (GROUPS, GROUPS),
    (ROLES, ROLES),
];

/// The `sub` of a user for a client (`OpenID` Connect Core 8): `person` is the identifier in the directory.
pub fn subject(sealer: &Sealer, client: &Client, person: &str) -> String {
    match &client.subject {
        SubjectType::Public => person.to_owned(),
        SubjectType::Pairwise { sector } => {
            // no host contains this character, so different pairs never hash alike
            let message = format!("{sector}|{person}");
            URL_SAFE_NO_PAD.encode(sealer.permanent_tag(Tag::PairwiseSubject, message.as_bytes()))
        }
    }
}

/// Whether `sub` was requested with other values than this one (`OpenID` Connect Core 5.5.1). Such a request must not be
/// answered with this user's tokens.
pub fn is_another_subject(request: &ClaimsRequest, subject: &str) -> bool {
    let places = [&request.userinfo, &request.id_token];
    places.into_iter().filter_map(|place| place.get("sub")).any(|wanted| !fits(wanted, &Value::from(subject)))
}

/// Whether a scope gives the client a claim, without an individual request.
fn by_scope(client: &Client, granted: &Scopes, scope: &str) -> bool {
    granted.contains(scope) || client.implicit_scopes.contains(scope)
}

/// Whether a client may request an individual claim: if it may request the scope that includes it.
fn may_ask(client: &Client, scope: &str) -> bool {
    client.implicit_scopes.contains(scope) || client.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
}

/// The scopes whose claims are requested individually: the user consents to them like to requested scopes.
pub fn asked_scopes(client: &Client, asked: &ClaimsRequest) -> Scopes {
    let is_asked = |name: &str| asked.userinfo.contains_key(name) || asked.id_token.contains_key(name);
    let is_subject =
        |name: &str, scope: &str| is_asked(name) && may_ask(client, scope) && !client.implicit_scopes.contains(scope);
    let scopes = SUPPORTED.into_iter().filter_map(|(name, scope)| is_subject(name, scope).then_some(scope));
    // these few names are valid
    Scopes::of(scopes).unwrap_or_default()
}

/// The request without claims of scopes that the user was asked for and has left out.
pub fn without_refused(client: &Client, mut asked: ClaimsRequest, is_given: impl Fn(&str) -> bool) -> ClaimsRequest {
    let is_kept = |name: &String| {
        let known = SUPPORTED.into_iter().find(|(supported, _)| supported == name);
        known.is_none_or(|(_, scope)| client.implicit_scopes.contains(scope) || is_given(scope))
    };
    asked.userinfo.retain(|name, _| is_kept(name));
    asked.id_token.retain(|name, _| is_kept(name));
    asked
}

/// Whether the groups of the user are needed: for the claims of the client, or to decide whether the user may use it.
pub fn needs_groups(client: &Client, grant: &Grant) -> bool {
    // the `claims` parameter is not parsed for that: that it contains the name is enough
    let asked = grant.claims.as_deref().is_some_and(|claims| claims.contains(GROUPS));
    asked || !client.groups.is_empty() || by_scope(client, &grant.scope, GROUPS)
}

/// The user of a grant, as claims need it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The account.
    pub user: &'a User,
    /// The profile; an empty one does where [no claim needs it](needs_profile).
    pub profile: &'a Profile,
}

/// Whether a claim comes from the profile of the user, and not from the account.
fn is_of_profile(name: &str) -> bool {
    [ADDRESS, PHONE_NUMBER_VERIFIED, UPDATED_AT].contains(&name) || Attribute::parse(name).is_some()
}

/// Whether a claim from the profile may be returned: by the scopes, if those count in that place, or by an individual request.
pub fn needs_profile(client: &Client, grant: &Grant, scopes_count: bool) -> bool {
    let asked = asked(grant);
    let is_asked = |name: &str| asked.userinfo.contains_key(name) || asked.id_token.contains_key(name);
    let registered = [&client.access_token_claims, &client.id_token_claims];
    let is_registered = |name: &str| registered.into_iter().flatten().any(|wanted| wanted == name);
    SUPPORTED.into_iter().filter(|(name, _)| is_of_profile(name)).any(|(name, scope)| {
        let by_scope = (scopes_count || is_registered(name)) && by_scope(client, &grant.scope, scope);
        by_scope || is_asked(name)
    })
}

/// The claims of the scopes, including those that the client gets by default.
pub fn of_scopes(subject: Subject<'_>, client: &Client, granted: &Scopes) -> Map<String, Value> {
    let told = SUPPORTED.into_iter().filter(|(_, scope)| by_scope(client, granted, scope));
    told.filter_map(|(name, _)| Some((name.to_owned(), value(subject, client, name)?))).collect()
}

/// The claims with these names, as far as scopes allow: those a client wants in its access tokens, or in its ID tokens.
pub fn named(subject: Subject<'_>, client: &Client, granted: &Scopes, names: &[String]) -> Map<String, Value> {
    let told = SUPPORTED
        .into_iter()
        .filter(|(name, scope)| names.iter().any(|wanted| wanted == name) && by_scope(client, granted, scope));
    told.filter_map(|(name, _)| Some((name.to_owned(), value(subject, client, name)?))).collect()
}

/// Rejects names in `id_token_claims` that no scope gives, which an operator has mistyped.
///
/// # Errors
/// [`MetadataError`] for the first of them.
pub fn check_id_token_claims(metadata: &Metadata) -> Result<(), MetadataError> {
    let is_known = |name: &String| SUPPORTED.iter().any(|(supported, _)| supported == name);
    match metadata.id_token_claims.iter().find(|name| !is_known(name)) {
        Some(unknown) => {
            Err(MetadataError::new("id_token_claims", format!("{unknown:?} is no claim that a scope gives")))
        }
        None => Ok(()),
    }
}

/// Adds the claims that were requested individually. One that was requested with values is included only if it has one of
/// them; a missing claim is no error, even if it is essential (`OpenID` Connect Core 5.5.1).
pub fn add_asked(told: &mut Map<String, Value>, subject: Subject<'_>, client: &Client, asked: &Claims) {
    for (name, request) in asked {
        let known = SUPPORTED.iter().find(|(supported, _)| supported == name);
        if !known.is_some_and(|(_, scope)| may_ask(client, scope)) || told.contains_key(name) {
            continue;
        }
        if let Some(value) = value(subject, client, name).filter(|value| fits(request, value)) {
            told.insert(name.clone(), value);
        }
    }
}

/// The claims of a token, without the groups if they exceed `most` bytes. The token then refers to userinfo for them
/// (`OpenID` Connect Core 5.6.2), so that the user does not seem to have no groups.
pub fn bounded(mut told: Map<String, Value>, user: &User, most: usize, userinfo: &str) -> Map<String, Value> {
    if user.groups_size() > most && told.remove(GROUPS).is_some() {
        told.insert("_claim_names".to_owned(), json!({ GROUPS: USERINFO }));
        told.insert("_claim_sources".to_owned(), json!({ USERINFO: { "endpoint": userinfo } }));
    }
    told
}

/// The individual claims of a userinfo response: those that were requested there, and the groups that an
/// [ID token left out](bounded).
pub fn asked_of_userinfo(grant: &Grant, user: &User, most: usize) -> Claims {
    let ClaimsRequest { mut userinfo, mut id_token } = asked(grant);
    if user.groups_size() > most
        && let Some(groups) = id_token.remove(GROUPS)
    {
        userinfo.entry(GROUPS.to_owned()).or_insert(groups);
    }
    userinfo
}

/// The individual claims that a grant requests; none if there is no such request, or it cannot be read any more.
pub fn asked(grant: &Grant) -> ClaimsRequest {
    grant.claims.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn fits(request: &ClaimRequest, value: &Value) -> bool {
    let is_value = |wanted: &ClaimValue| match wanted {
        ClaimValue::Text(text) => value.as_str() == Some(text),
        ClaimValue::Integer(number) => value.as_i64() == Some(*number),
        ClaimValue::Boolean(truth) => value.as_bool() == Some(*truth),
    };
    request.value.as_ref().is_none_or(is_value) && (request.values.is_empty() || request.values.iter().any(is_value))
}

/// The value of one claim, if the user has it.
fn value(Subject { user, profile }: Subject<'_>, client: &Client, name: &str) -> Option<Value> {
    let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
    match name {
        "name" => text(&user.display_name),
        "preferred_username" => text(&user.username),
        "email" => text(&user.mail),
        "email_verified" => (!user.mail.is_empty()).then_some(Value::Bool(user.mail_verified)),
        GROUPS => Some(user.groups.iter().map(String::as_str).collect()),
        ROLES => Some(user.roles.iter().map(|id| role_name(client.roles, id)).collect()),
        ADDRESS => address(profile),
        PHONE_NUMBER_VERIFIED => {
            profile.get(Attribute::PhoneNumber).map(|_| Value::Bool(profile.phone_number_verified))
        }
        UPDATED_AT => profile.updated?.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs().into()),
        _ => Attribute::parse(name).and_then(|attribute| profile.get(attribute)).map(Value::from),
    }
}

/// The claim `address` (`OpenID` Connect Core 5.1.1), if the user has any part of one.
fn address(profile: &Profile) -> Option<Value> {
    let members: Map<String, Value> = profile
        .attributes()
        .filter_map(|(attribute, value)| Some((attribute.address_member()?.to_owned(), value.into())))
        .collect();
    (!members.is_empty()).then(|| members.into())
}

/// The name of a role; a role that Doorward does not define keeps its identifier.
fn role_name(names: RoleNames, id: &str) -> &str {
    let [open_cloud, ocis, plain] = match id {
        role::ADMIN => ["opencloudAdmin", "ocisAdmin", "admin"],
        role::SPACE_ADMIN => ["opencloudSpaceAdmin", "ocisSpaceAdmin", "spaceadmin"],
        role::USER => ["opencloudUser", "ocisUser", "user"],
        role::GUEST => ["opencloudGuest", "ocisGuest", "guest"],
        other => [other; 3],
    };
    match names {
        RoleNames::OpenCloud => open_cloud,
        RoleNames::Ocis => ocis,
        RoleNames::Plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::endpoints::EndpointProfile;

    const USERINFO_URL: &str = "https://cloud.example/konnect/v1/userinfo";

    fn user(groups: usize) -> User {
        User { groups: (0..groups).map(|number| format!("{number:036}")).collect(), ..User::default() }
    }

    fn told(user: &User) -> Map<String, Value> {
        let groups: Value = user.groups.iter().map(String::as_str).collect();
        [("name".to_owned(), "Einstein".into()), (GROUPS.to_owned(), groups)].into_iter().collect()
    }

    #[test]
    fn groups_beyond_the_bound_are_left_out_of_tokens_which_say_so() {
        // each has 36 characters, and takes three more bytes
        for (groups, most) in [(0, 0), (100, 3900), (100, 4096)] {
            let user = user(groups);
            assert_eq!(bounded(told(&user), &user, most, USERINFO_URL), told(&user), "{groups} fit into {most}");
        }
        for (groups, most) in [(1, 38), (106, 4096), (1000, 4096)] {
            let user = user(groups);
            let expected = json!({
                "name": "Einstein",
                "_claim_names": {"groups": "userinfo"},
                "_claim_sources": {"userinfo": {"endpoint": USERINFO_URL}},
            });
            assert_eq!(Value::Object(bounded(told(&user), &user, most, USERINFO_URL)), expected);
        }
        let (other, user) = (Map::from_iter([("name".to_owned(), "Einstein".into())]), user(1000));
        assert_eq!(bounded(other.clone(), &user, 4096, USERINFO_URL), other, "a client without the groups scope");
    }

    #[test]
    fn userinfo_answers_the_groups_that_an_id_token_left_out() {
        let grant = Grant {
            id: Uuid::nil(),
            layout: EndpointProfile::OpenCloud,
            client: "a".to_owned(),
            person: None,
            sign_in: None,
            scope: Scopes::default(),
            claims: Some(r#"{"id_token":{"groups":null,"email":null},"userinfo":{"name":null}}"#.to_owned()),
            resources: Vec::new(),
            limited: false,
            actor: None,
        };
        let names = |user: &User| asked_of_userinfo(&grant, user, 4096).into_keys().collect::<Vec<_>>();
        assert_eq!(names(&user(1)), ["name"]);
        assert_eq!(names(&user(1000)), ["groups", "name"]);
    }
}
