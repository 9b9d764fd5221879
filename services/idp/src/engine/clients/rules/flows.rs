//! What a client may ask for: grant types and response types, which have to fit together (RFC 7591 2.1).

use std::collections::BTreeSet;

use oidc::response::{ResponseMode, ResponseType};

use crate::engine::clients::client::{AuthMethod, GrantType};
use crate::engine::clients::metadata::{Metadata, MetadataError};

type Flows = (BTreeSet<GrantType>, BTreeSet<ResponseType>);

/// Reads both. Where only one is named, the other one is what goes with it; where none is, it is the code flow.
pub(super) fn read(metadata: &Metadata, auth: AuthMethod) -> Result<Flows, MetadataError> {
    let named_grants = metadata.grant_types.as_ref().map(|names| grants(names)).transpose()?;
    let named_responses = metadata.response_types.as_ref().map(|names| responses(names)).transpose()?;
    let (grants, responses) = match (named_grants, named_responses) {
        (Some(grants), Some(responses)) => (grants, responses),
        (Some(grants), None) => (grants.clone(), responses_of(&grants)),
        (None, named) => {
            let responses = named.unwrap_or_else(|| BTreeSet::from([ResponseType::CODE]));
            (grants_of(&responses), responses)
        }
    };
    check(&grants, &responses, auth)?;
    Ok((grants, responses))
}

fn grants(names: &[String]) -> Result<BTreeSet<GrantType>, MetadataError> {
    let one = |name: &String| {
        let known = GrantType::ALL.into_iter().find(|grant| grant.name() == name);
        known.ok_or_else(|| MetadataError::new("grant_types", format!("{name:?} is not supported")))
    };
    names.iter().map(one).collect()
}

fn responses(names: &[String]) -> Result<BTreeSet<ResponseType>, MetadataError> {
    let one = |name: &String| {
        name.parse().map_err(|error| MetadataError::new("response_types", format!("{name:?}: {error}")))
    };
    names.iter().map(one).collect()
}

/// The response modes to which the client limits itself, if it does: each of them must fit a response type.
pub(super) fn response_modes(
    metadata: &Metadata,
    responses: &BTreeSet<ResponseType>,
) -> Result<Option<BTreeSet<ResponseMode>>, MetadataError> {
    let one = |name: &String| {
        let refused =
            |problem: &dyn std::fmt::Display| MetadataError::new("response_modes", format!("{name:?}: {problem}"));
        let mode = name.parse::<ResponseMode>().map_err(|error| refused(&error))?;
        let fits = |response: &ResponseType| response.delivery(Some(mode)).is_ok();
        let is_usable = responses.iter().any(fits);
        if is_usable { Ok(mode) } else { Err(refused(&"is for none of the client's response types")) }
    };
    let modes: BTreeSet<_> = metadata.response_modes.iter().map(one).collect::<Result<_, _>>()?;
    Ok((!modes.is_empty()).then_some(modes))
}

fn is_implicit(response: ResponseType) -> bool {
    response.issues_id_token() || response.issues_token()
}

fn responses_of(grants: &BTreeSet<GrantType>) -> BTreeSet<ResponseType> {
    let (code, implicit) = (grants.contains(&GrantType::AuthorizationCode), grants.contains(&GrantType::Implicit));
    let goes_with =
        |response: &ResponseType| (code || !response.issues_code()) && (implicit || !is_implicit(*response));
    ResponseType::ALL.into_iter().filter(goes_with).collect()
}

fn grants_of(responses: &BTreeSet<ResponseType>) -> BTreeSet<GrantType> {
    let mut grants = BTreeSet::new();
    if responses.iter().any(|response| response.issues_code()) {
        grants.extend([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    }
    if responses.iter().copied().any(is_implicit) {
        grants.insert(GrantType::Implicit);
    }
    grants
}

fn check(
    grants: &BTreeSet<GrantType>,
    responses: &BTreeSet<ResponseType>,
    auth: AuthMethod,
) -> Result<(), MetadataError> {
    for response in responses {
        let needs =
            [(response.issues_code(), GrantType::AuthorizationCode), (is_implicit(*response), GrantType::Implicit)];
        if let Some((_, missing)) = needs.into_iter().find(|(needed, grant)| *needed && !grants.contains(grant)) {
            let problem = format!("\"{response}\" needs the grant type {}", missing.name());
            return Err(MetadataError::new("response_types", problem));
        }
    }
    let is_used = |issues: fn(ResponseType) -> bool| responses.iter().copied().any(issues);
    if grants.contains(&GrantType::AuthorizationCode) && !is_used(ResponseType::issues_code) {
        return Err(MetadataError::new("grant_types", "authorization_code needs a response type with code"));
    }
    if grants.contains(&GrantType::Implicit) && !is_used(is_implicit) {
        return Err(MetadataError::new("grant_types", "implicit needs a response type with token or id_token"));
    }
    if auth == AuthMethod::None && grants.contains(&GrantType::ClientCredentials) {
        let problem = "client_credentials is not for a client that cannot prove who it is";
        return Err(MetadataError::new("grant_types", problem));
    }
    Ok(())
}
