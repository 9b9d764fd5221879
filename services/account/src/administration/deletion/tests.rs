use authn::Caller;
use tonic::metadata::MetadataValue;

use super::*;
use crate::stub_service::StubService;

/// A profile of which something may be changed (field 2, `writable`).
const WRITABLE: &[u8] = b"\x12\x01x";
const ALL: [&str; 6] =
    ["GetProfile", "RemovePassword", "ResetFactors", "RevokeTokens", "DeleteUser", "EndAllUserSessions"];

fn service() -> StubService {
    let service = StubService::default();
    service.known().answers.insert("GetProfile", WRITABLE);
    service
}

fn everything(service: &StubService) -> Administration {
    let with_users = Administration::default().with_users(service.clone()).with_auth_basic(service.clone());
    with_users.with_auth_app(service.clone()).with_idp(service.clone())
}

async fn delete(administration: &Administration) -> Result<(), DeletionError> {
    let (token, caller) = (MetadataValue::from_static("token"), Caller::default());
    administration.delete_user(&OnBehalfOf::new(&token, &caller), "id").await
}

#[tokio::test]
async fn user_is_deleted_after_what_the_other_services_have_and_before_the_sessions() {
    let service = service();
    delete(&everything(&service)).await.expect("is deleted");
    assert_eq!(service.calls(), ALL);
}

#[tokio::test]
async fn services_that_are_not_connected_are_skipped() {
    let service = service();
    delete(&Administration::default().with_users(service.clone())).await.expect("is deleted");
    assert_eq!(service.calls(), ["GetProfile", "DeleteUser"]);
    service.fail("RemovePassword", status::grpc(Kind::Unimplemented, "passwords are kept in LDAP"));
    delete(&everything(&service)).await.expect("is deleted");
    assert_eq!(service.calls(), ALL, "passwords in LDAP are no reason to stop");
}

#[tokio::test]
async fn failure_stops_before_the_user_is_deleted_and_a_repeat_removes_the_rest() {
    let service = service();
    let administration = everything(&service);
    service.fail("RevokeTokens", status::grpc(Kind::Unavailable, "auth-app cannot be reached"));
    let error = delete(&administration).await.expect_err("has failed");
    let text =
        "the app tokens could not be removed: auth-app cannot be reached; removed so far: password, second factors";
    assert_eq!((error.to_string().as_str(), error.kind()), (text, Kind::Unavailable));
    assert_eq!(service.calls(), ALL[..4]);

    service.recover();
    service.fail("EndAllUserSessions", status::grpc(Kind::Unavailable, "idp cannot be reached"));
    let error = delete(&administration).await.expect_err("has failed");
    assert!(matches!(error, DeletionError::Unfinished { failed: AccountPart::Sessions, .. }), "{error}");
    service.recover();
    for method in ["GetProfile", "DeleteUser"] {
        service.fail(method, status::grpc(Kind::NotFound, "there is no such user"));
    }
    service.calls();
    delete(&administration).await.expect("is complete");
    assert_eq!(service.calls(), ALL, "the sessions of a user who is gone end");
}

#[tokio::test]
async fn user_of_a_directory_that_is_only_read_keeps_everything() {
    let service = service();
    service.known().answers.clear();
    let error = delete(&everything(&service)).await.expect_err("is refused");
    assert!(
        matches!(&error, DeletionError::Refused(_)) && error.to_string().contains("delete the user there"),
        "{error}"
    );
    assert_eq!(service.calls(), ["GetProfile"]);
}

#[tokio::test]
async fn first_failure_says_that_nothing_is_removed() {
    let service = service();
    let refusal = || status::grpc(Kind::Unavailable, "the directory could not be notified");
    service.fail("RemovePassword", refusal());
    let error = delete(&everything(&service)).await.expect_err("is refused");
    assert!(matches!(error, DeletionError::Refused(_)), "{error}");
    service.fail("RemovePassword", status::partly_done(refusal()));
    let error = delete(&everything(&service)).await.expect_err("is not finished");
    assert!(matches!(error, DeletionError::Unfinished { failed: AccountPart::Password, .. }), "{error}");
}
