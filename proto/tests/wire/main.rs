//! The numbers, names and paths that peers rely on.

mod paths;

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Label;
use proto::cs3::auth::provider::v1beta1 as provider;
use proto::cs3::gateway::v1beta1 as gateway;
use proto::cs3::identity::user::v1beta1 as user;
use proto::cs3::rpc::v1beta1::{Code, Status};
use proto::cs3::storage::provider::v1beta1 as storage;
use proto::cs3::types::v1beta1::{Opaque, OpaqueEntry, Timestamp};
use proto::doorward::users;

/// The message has exactly these bytes, in both directions.
#[track_caller]
fn round_trip<M: Message + Default + PartialEq + std::fmt::Debug>(message: &M, bytes: &[u8]) {
    assert_eq!(message.encode_to_vec(), bytes);
    assert_eq!(M::decode(bytes).as_ref(), Ok(message));
}

#[test]
fn status() {
    round_trip(
        &Status {
            code: Code::Ok.into(),
            message: "m".into(),
            trace: "t".into(),
            target_uri: "u".into(),
            inner_error: Some(OpaqueEntry { decoder: "plain".into(), value: b"e".to_vec() }),
        },
        b"\x08\x01\x12\x01m\x1a\x01t\x22\x01u\x2a\x0a\x0a\x05plain\x12\x01e",
    );
    assert_eq!(Status::decode(&b""[..]).unwrap().code(), Code::Invalid, "an empty status is no success");
}

#[test]
fn opaque_is_deterministic() {
    let entry = |value: &[u8]| OpaqueEntry { decoder: String::new(), value: value.to_vec() };
    let map = BTreeMap::from([("b".to_owned(), entry(b"2")), ("a".to_owned(), entry(b"1"))]);
    round_trip(&Opaque { map }, b"\x0a\x08\x0a\x01a\x12\x03\x12\x011\x0a\x08\x0a\x01b\x12\x03\x12\x012");
}

#[test]
fn timestamp_is_unsigned() {
    round_trip(&Timestamp { seconds: u64::MAX, nanos: 1 }, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01");
}

#[test]
fn provider_response_has_no_opaque() {
    let scope = provider::Scope {
        resource: Some(OpaqueEntry { decoder: "json".into(), value: br#"{"path":"/"}"#.to_vec() }),
        role: provider::Role::Owner.into(),
    };
    round_trip(
        &provider::AuthenticateResponse {
            status: Some(Status { code: Code::Ok.into(), ..Default::default() }),
            user: Some(user::User { username: "u".into(), ..Default::default() }),
            token_scope: BTreeMap::from([("user".to_owned(), scope)]),
        },
        b"\x0a\x02\x08\x01\x12\x03\x12\x01u\x1a\x20\x0a\x04user\x12\x18\x0a\x14\x0a\x04json\x12\x0c{\"path\":\"/\"}\x10\x01",
    );
}

#[test]
fn gateway_authenticate() {
    round_trip(
        &gateway::AuthenticateRequest {
            opaque: None,
            r#type: "t".into(),
            client_id: "i".into(),
            client_secret: "s".into(),
        },
        b"\x12\x01t\x1a\x01i\x22\x01s",
    );
    round_trip(
        &gateway::AuthenticateResponse {
            status: Some(Status { code: Code::Ok.into(), ..Default::default() }),
            opaque: None,
            token: "t".into(),
            user: Some(user::User::default()),
        },
        b"\x0a\x02\x08\x01\x1a\x01t\x22\x00",
    );
}

#[test]
fn user_with_the_fields_of_the_newer_generation() {
    round_trip(
        &user::User {
            id: Some(user::UserId {
                idp: "i".into(),
                opaque_id: "o".into(),
                r#type: user::UserType::Service.into(),
                tenant_id: "t".into(),
                external_identities: vec![user::ExternalIdentity { idp: "x".into(), opaque_id: "y".into() }],
            }),
            username: "u".into(),
            mail: "m".into(),
            mail_verified: true,
            display_name: "d".into(),
            groups: vec!["g".into(), "h".into()],
            opaque: Some(Opaque::default()),
            uid_number: 1,
            gid_number: -1,
            status: user::UserStatus::Blocked.into(),
        },
        b"\x0a\x13\x0a\x01i\x12\x01o\x18\x03\x22\x01t\x2a\x06\x0a\x01x\x12\x01y\
          \x12\x01u\x1a\x01m\x20\x01\x2a\x01d\x32\x01g\x32\x01h\x3a\x00\
          \x40\x01\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x50\x02",
    );
}

#[test]
fn find_users_takes_both_generations() {
    let old = user::FindUsersRequest::decode(&b"\x12\x03ein\x18\x01"[..]).unwrap();
    assert_eq!(old.filters, [b"ein"]);
    assert!(old.skip_fetching_user_groups);
    let new = user::FindUsersRequest::decode(&b"\x12\x07\x08\x02\x1a\x03ein\x12\x04\x08\x01\x10\x01"[..]).unwrap();
    assert_eq!(new.filters, [&b"\x08\x02\x1a\x03ein"[..], b"\x08\x01\x10\x01"]);
}

#[test]
fn fields_that_are_not_known_are_skipped() {
    assert_eq!(user::UserId::decode(&b"\x0a\x01i\xfa\x01\x01z"[..]).unwrap().idp, "i");
}

#[test]
fn enums() {
    let codes = [
        "INVALID",
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "REDIRECTION",
        "INSUFFICIENT_STORAGE",
        "LOCKED",
        "TOO_EARLY",
    ];
    for (number, name) in (0..).zip(codes) {
        assert_eq!(Code::from_str_name(&format!("CODE_{name}")).map(i32::from), Some(number));
    }
    let roles = ["INVALID", "OWNER", "LEGACY", "VIEWER", "EDITOR", "FILE_EDITOR", "COOWNER", "UPLOADER"];
    for (number, name) in (0..).zip(roles) {
        assert_eq!(provider::Role::from_str_name(&format!("ROLE_{name}")).map(i32::from), Some(number));
    }
    let types = [
        "INVALID",
        "PRIMARY",
        "SECONDARY",
        "SERVICE",
        "APPLICATION",
        "GUEST",
        "FEDERATED",
        "LIGHTWEIGHT",
        "SPACE_OWNER",
    ];
    for (number, name) in (0..).zip(types) {
        assert_eq!(user::UserType::from_str_name(&format!("USER_TYPE_{name}")).map(i32::from), Some(number));
    }
    for (number, name) in (0..).zip(["ACTIVE", "EXPIRING", "BLOCKED"]) {
        assert_eq!(user::UserStatus::from_str_name(&format!("USER_STATUS_{name}")).map(i32::from), Some(number));
    }
    for (number, name) in (0..).zip(["INVALID", "USERTYPE", "QUERY"]) {
        assert_eq!(user::filter::Type::from_str_name(&format!("TYPE_{name}")).map(i32::from), Some(number));
    }
}

/// Every message of the CS3 part with its fields, as `number name`, `*` after those that repeat.
#[test]
fn cs3_fields() {
    let expected = "\
cs3.auth.applications.v1beta1.AppPassword: 1 password, 2 token_scope*, 3 label, 4 user, 5 expiration, 6 ctime, 7 utime
cs3.auth.applications.v1beta1.GenerateAppPasswordRequest: 1 opaque, 2 token_scope*, 3 label, 4 expiration
cs3.auth.applications.v1beta1.GenerateAppPasswordResponse: 1 status, 2 opaque, 3 app_password
cs3.auth.applications.v1beta1.GetAppPasswordRequest: 1 opaque, 2 user, 3 password
cs3.auth.applications.v1beta1.GetAppPasswordResponse: 1 status, 2 opaque, 3 app_password
cs3.auth.applications.v1beta1.InvalidateAppPasswordRequest: 1 opaque, 2 password
cs3.auth.applications.v1beta1.InvalidateAppPasswordResponse: 1 status, 2 opaque
cs3.auth.applications.v1beta1.ListAppPasswordsRequest: 1 opaque
cs3.auth.applications.v1beta1.ListAppPasswordsResponse: 1 status, 2 opaque, 3 app_passwords*
cs3.auth.provider.v1beta1.AuthenticateRequest: 1 opaque, 2 client_id, 3 client_secret
cs3.auth.provider.v1beta1.AuthenticateResponse: 1 status, 2 user, 3 token_scope*
cs3.auth.provider.v1beta1.Scope: 1 resource, 2 role
cs3.auth.registry.v1beta1.GetAuthProvidersRequest: 1 opaque, 2 type
cs3.auth.registry.v1beta1.GetAuthProvidersResponse: 1 status, 2 opaque, 3 providers*
cs3.auth.registry.v1beta1.ListAuthProvidersRequest: 1 opaque
cs3.auth.registry.v1beta1.ListAuthProvidersResponse: 1 status, 2 opaque, 3 providers*
cs3.auth.registry.v1beta1.ProviderInfo: 1 opaque, 2 provider_type, 4 address, 5 description
cs3.gateway.v1beta1.AuthenticateRequest: 1 opaque, 2 type, 3 client_id, 4 client_secret
cs3.gateway.v1beta1.AuthenticateResponse: 1 status, 2 opaque, 3 token, 4 user
cs3.gateway.v1beta1.ListAuthProvidersResponse: 1 status, 2 opaque, 3 types*
cs3.gateway.v1beta1.WhoAmIRequest: 1 opaque, 2 token
cs3.gateway.v1beta1.WhoAmIResponse: 1 status, 2 opaque, 3 user
cs3.identity.tenant.v1beta1.GetTenantByClaimRequest: 1 claim, 2 value
cs3.identity.tenant.v1beta1.GetTenantByClaimResponse: 1 status, 2 tenant
cs3.identity.tenant.v1beta1.GetTenantRequest: 1 tenant_id
cs3.identity.tenant.v1beta1.GetTenantResponse: 1 status, 2 tenant
cs3.identity.tenant.v1beta1.Tenant: 1 id, 2 name, 3 external_id
cs3.identity.user.v1beta1.ExternalIdentity: 1 idp, 2 opaque_id
cs3.identity.user.v1beta1.Filter: 1 type, 2 usertype, 3 query
cs3.identity.user.v1beta1.FindUsersRequest: 1 opaque, 2 filters*, 3 skip_fetching_user_groups
cs3.identity.user.v1beta1.FindUsersResponse: 1 status, 2 opaque, 3 users*
cs3.identity.user.v1beta1.GetUserByClaimRequest: 1 opaque, 2 claim, 3 value, 4 skip_fetching_user_groups
cs3.identity.user.v1beta1.GetUserByClaimResponse: 1 status, 2 opaque, 3 user
cs3.identity.user.v1beta1.GetUserGroupsRequest: 1 opaque, 2 user_id
cs3.identity.user.v1beta1.GetUserGroupsResponse: 1 status, 2 opaque, 3 groups*
cs3.identity.user.v1beta1.GetUserRequest: 1 opaque, 2 user_id, 3 skip_fetching_user_groups
cs3.identity.user.v1beta1.GetUserResponse: 1 status, 2 opaque, 3 user
cs3.identity.user.v1beta1.User: 1 id, 2 username, 3 mail, 4 mail_verified, 5 display_name, 6 groups*, 7 opaque, \
8 uid_number, 9 gid_number, 10 status
cs3.identity.user.v1beta1.UserId: 1 idp, 2 opaque_id, 3 type, 4 tenant_id, 5 external_identities*
cs3.rpc.v1beta1.Status: 1 code, 2 message, 3 trace, 4 target_uri, 5 InnerError
cs3.storage.provider.v1beta1.CreateHomeRequest: 1 opaque
cs3.storage.provider.v1beta1.CreateHomeResponse: 1 status, 2 opaque
cs3.types.v1beta1.Opaque: 1 map*
cs3.types.v1beta1.OpaqueEntry: 1 decoder, 2 value
cs3.types.v1beta1.Timestamp: 1 seconds, 2 nanos";

    let mut found = Vec::new();
    for file in FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap().file {
        for message in file.message_type.iter().filter(|_| file.package().starts_with("cs3.")) {
            let mut fields: Vec<_> = message.field.iter().collect();
            fields.sort_by_key(|field| field.number());
            let fields: Vec<_> = fields
                .into_iter()
                .map(|field| {
                    let repeats = if field.label() == Label::Repeated { "*" } else { "" };
                    format!("{} {}{repeats}", field.number(), field.name())
                })
                .collect();
            found.push(format!("{}.{}: {}", file.package(), message.name(), fields.join(", ")));
        }
    }
    found.sort();
    assert_eq!(found.join("\n"), expected);
}

#[test]
fn create_home_numbers() {
    let status = Some(Status { code: Code::Ok.into(), ..Status::default() });
    round_trip(&storage::CreateHomeResponse { status, opaque: None }, b"\x0a\x02\x08\x01");
    let opaque = Some(Opaque::default());
    round_trip(&storage::CreateHomeRequest { opaque }, b"\x0a\x00");
}

#[test]
fn an_update_tells_absent_from_empty() {
    use users::v1::{ExpectedUser, RoleList, UpdateUserRequest};
    round_trip(&UpdateUserRequest::default(), b"");
    round_trip(
        &UpdateUserRequest {
            mail: Some(String::new()),
            uid_number: Some(0),
            roles: Some(RoleList::default()),
            ..Default::default()
        },
        b"\x12\x00\x28\x00\x3a\x00",
    );
    let expected = ExpectedUser { mail: Some(String::new()), roles: Some(RoleList::default()), ..Default::default() };
    round_trip(&UpdateUserRequest { expected: Some(expected), ..Default::default() }, b"\x42\x04\x0a\x00\x22\x00");
}
