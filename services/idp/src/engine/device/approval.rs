//! What a user grants a device.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::request::DeviceRequest;
use crate::engine::levels::Level;
use crate::engine::scopes;
use crate::model::{Grant, Seconds, Session, SignIn, loses_api_scopes, seconds};

/// What the user has granted a device, as it waits for the device to ask.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Approval {
    /// The grant.
    #[serde(flatten)]
    pub(crate) grant: Grant,
    /// When that was decided.
    #[serde(rename = "d", default)]
    pub(crate) decided: Seconds,
}

/// What the user grants the device, with those of the scopes that are still ticked.
pub(crate) fn grant<'a>(
    id: Uuid,
    request: &DeviceRequest,
    client: &str,
    session: &Session,
    ticked: impl IntoIterator<Item = &'a str>,
) -> Grant {
    let ticked: Vec<&str> = ticked.into_iter().collect();
    let asked = request.scopes();
    let scope = scopes::granted(&asked, &ticked);
    Grant {
        id,
        layout: request.layout,
        client: client.to_owned(),
        person: Some(session.person.clone()),
        sign_in: Some(SignIn {
            session: Some(session.id),
            at: seconds(session.signed_in),
            amr: session.amr.split(' ').map(str::to_owned).collect(),
            acr: Level::of(session).name().to_owned(),
        }),
        limited: request.limited || loses_api_scopes(&asked, &scope),
        scope,
        claims: None,
        resources: request.resources.clone(),
        actor: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::endpoints::EndpointProfile;

    #[test]
    fn what_is_granted_is_what_was_asked_for_and_is_still_ticked() {
        let request = DeviceRequest {
            layout: EndpointProfile::Cells,
            scope: "address email offline_access openid".to_owned(),
            resources: vec!["urn:x".to_owned()],
            limited: false,
        };
        let session = Session {
            id: Uuid::from_u128(7),
            digest: [0; 32],
            person: "einstein".to_owned(),
            signed_in: UNIX_EPOCH + Duration::from_secs(1000),
            amr: "pwd otp mfa".to_owned(),
            seen: UNIX_EPOCH,
            idle: Duration::from_hours(1),
            end: UNIX_EPOCH + Duration::from_hours(1),
            remembered: false,
            user_agent: String::new(),
            address: None,
        };
        let granted = grant(Uuid::from_u128(1), &request, "tv", &session, ["email", "admin"]);
        assert_eq!(granted.scope.to_string(), "email offline_access openid");
        assert_eq!((granted.layout, granted.client.as_str()), (EndpointProfile::Cells, "tv"));
        assert_eq!(granted.person.as_deref(), Some("einstein"));
        assert_eq!(granted.resources, ["urn:x"]);
        let sign_in = granted.sign_in.unwrap();
        assert_eq!((sign_in.session, sign_in.at), (Some(Uuid::from_u128(7)), 1000));
        assert_eq!((sign_in.amr, sign_in.acr.as_str()), (["pwd", "otp", "mfa"].map(str::to_owned).to_vec(), "mfa"));
    }
}
