use oidc::error::ErrorCode;
use oidc::jose::Algorithm;
use oidc::pkce;
use oidc::response::{ResponseMode, ResponseType};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A small client with these members.
pub(super) fn with(more: &Value) -> Value {
    let mut metadata = json!({ "client_id": "app", "redirect_uris": ["https://app.example/cb"] });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    metadata
}

pub(super) fn added(more: &Value) -> Client {
    client(Source::Added, &with(more)).unwrap_or_else(|error| panic!("{more}: {error}"))
}

/// The member that is wrong.
pub(super) fn wrong(more: &Value) -> String {
    let refused = client(Source::Registered, &with(more));
    refused.err().unwrap_or_else(|| panic!("{more} is accepted")).member
}

#[test]
fn i14_a_new_client_gets_code_only() {
    let app = added(&json!({}));
    assert_eq!(app.responses, [ResponseType::CODE].into());
    assert_eq!(app.grants, [GrantType::AuthorizationCode, GrantType::RefreshToken].into());
    assert_eq!(app.auth, AuthMethod::SecretBasic);
    assert_eq!((app.format, app.consent), (TokenFormat::Jwt, ConsentPolicy::Remembered));
    assert_eq!((app.signatures.id_token, app.subject), (None, SubjectType::Public));
    assert!(app.scopes.is_none() && app.implicit_scopes.is_empty() && !app.is_native && !app.introspects_all);
}

#[test]
fn i5_pkce_is_required_of_public_clients_unless_their_registration_says_otherwise() {
    let policy = |more| added(&more).pkce;
    let required = pkce::Policy { required: true, plain: false };
    let optional = pkce::Policy { required: false, plain: false };
    assert_eq!(policy(json!({ "token_endpoint_auth_method": "none" })), required);
    assert_eq!(policy(json!({})), optional);
    assert_eq!(policy(json!({ "pkce": "required" })), required);
    assert_eq!(policy(json!({ "token_endpoint_auth_method": "none", "pkce": "optional" })), optional);
    assert_eq!(policy(json!({ "pkce": "plain" })), pkce::Policy { required: false, plain: true });
}

#[test]
fn i21_people_are_asked_each_time_by_public_native_clients() {
    let consent = |more| added(&more).consent;
    let native = json!({ "application_type": "native", "token_endpoint_auth_method": "none" });
    assert_eq!(consent(native), ConsentPolicy::Always);
    assert_eq!(consent(json!({ "application_type": "native" })), ConsentPolicy::Remembered);
    assert_eq!(consent(json!({ "token_endpoint_auth_method": "none" })), ConsentPolicy::Remembered);
    assert_eq!(consent(json!({ "consent": "trusted" })), ConsentPolicy::Trusted);
}

#[test]
fn response_types_and_grant_types_go_together() {
    let implicit = added(&json!({ "response_types": ["id_token token"] }));
    assert_eq!(implicit.grants, [GrantType::Implicit].into());
    let hybrid = added(&json!({ "grant_types": ["authorization_code", "implicit"] }));
    assert_eq!(hybrid.responses.len(), ResponseType::ALL.len());
    let machine = json!({ "grant_types": ["client_credentials"], "redirect_uris": [] });
    assert!(added(&machine).responses.is_empty());
    for (member, more) in [
        ("response_types", json!({ "grant_types": ["authorization_code"], "response_types": ["token"] })),
        ("response_types", json!({ "grant_types": ["implicit"], "response_types": ["code id_token"] })),
        ("response_types", json!({ "response_types": ["code code"] })),
        ("grant_types", json!({ "grant_types": ["authorization_code", "implicit"], "response_types": ["code"] })),
        ("grant_types", json!({ "grant_types": ["implicit", "authorization_code"], "response_types": ["token"] })),
        ("grant_types", json!({ "grant_types": ["password"] })),
        (
            "grant_types",
            json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none", "redirect_uris": [] }),
        ),
    ] {
        assert_eq!(wrong(&more), member, "{more}");
    }
}

#[test]
fn a_redirect_uri_is_one_that_its_kind_of_application_may_have() {
    let native = json!({
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/cb", "http://localhost", "com.example.app:/cb", "https://app.example/cb"],
    });
    let native = added(&native);
    assert!(native.redirects.find("http://127.0.0.1:51004/cb").is_some());
    assert!(native.redirects.find("http://localhost:51004").is_none(), "only where it is said");
    let anywhere =
        json!({ "application_type": "native", "redirect_uris": ["http://localhost"], "any_port": "localhost" });
    assert!(added(&anywhere).redirects.find("http://localhost:51004").is_some());
    let insecure = json!({ "redirect_uris": ["http://intranet/cb"], "insecure": true });
    assert!(added(&insecure).redirects.find("http://intranet/cb").is_some());
    for (uri, kind) in [
        ("https://app.example/cb#x", "web"),
        ("http://app.example/cb", "web"),
        ("http://app.example/cb", "native"),
        ("http://localhost/cb", "web"),
        ("http://127.0.0.1/cb", "web"),
        ("com.example.app:/cb", "web"),
        ("javascript:alert(1)", "native"),
        ("https://*.example/cb", "web"),
        ("/cb", "web"),
        ("#default_bind#/cb", "web"),
    ] {
        let more = json!({ "redirect_uris": [uri], "application_type": kind });
        let error = client(Source::Registered, &with(&more)).err().unwrap_or_else(|| panic!("{uri} is accepted"));
        assert_eq!(error.code(), ErrorCode::InvalidRedirectUri, "{error}");
        let is_for_native = kind == "web" && ["http:", "com."].iter().any(|start| uri.starts_with(start));
        assert_eq!(error.to_string().contains("--native"), is_for_native, "{error}");
    }
    assert_eq!(wrong(&json!({ "redirect_uris": [] })), "redirect_uris");
    assert_eq!(wrong(&json!({ "post_logout_redirect_uris": ["http://app.example"] })), "post_logout_redirect_uris");
    assert_eq!(wrong(&json!({ "any_port": "addresses" })), "any_port");
    let own_site = json!({ "redirect_uris": ["#default_bind#/cb"] });
    assert!(added(&own_site).redirects.find("https://cloud.example/cb").is_some(), "an operator may name the site");
}

#[test]
fn who_proves_itself_by_keys_has_keys() {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1" });
    let set = json!({ "keys": [key] });
    for more in [
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": set }),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks" }),
        json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example" }),
        json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=app,O=Example" }),
        json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_ip": "2001:db8::1" }),
        json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_email": "app@example.org" }),
    ] {
        added(&more);
    }
    for (member, more) in [
        ("jwks", json!({ "token_endpoint_auth_method": "private_key_jwt" })),
        ("jwks", json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" })),
        ("jwks", json!({ "jwks": set, "jwks_uri": "https://app.example/jwks" })),
        ("jwks", json!({ "jwks": { "keys": [] } })),
        ("jwks", json!({ "jwks": { "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] } })),
        ("jwks_uri", json!({ "jwks_uri": "http://app.example/jwks" })),
        ("tls_client_auth_san_dns", json!({ "token_endpoint_auth_method": "tls_client_auth" })),
        ("tls_client_auth_san_dns", json!({ "tls_client_auth_san_dns": "a", "tls_client_auth_san_uri": "b:c" })),
        ("tls_client_auth_subject_dn", json!({ "tls_client_auth_subject_dn": "app" })),
        ("tls_client_auth_san_ip", json!({ "tls_client_auth_san_ip": "app.example" })),
        (
            "tls_client_certificate_bound_access_tokens",
            json!({ "tls_client_certificate_bound_access_tokens": true, "dpop_bound_access_tokens": true }),
        ),
        ("token_endpoint_auth_method", json!({ "token_endpoint_auth_method": "client_secret" })),
    ] {
        assert_eq!(wrong(&more), member, "{more}");
    }
}

#[test]
fn algorithms_are_known_ones() {
    let signed = added(&json!({
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "RS256",
        "request_object_signing_alg": "none",
    }));
    assert_eq!(signed.signatures.id_token, Some(Algorithm::Es256));
    assert_eq!(signed.signatures.userinfo, Some(Algorithm::Rs256));
    assert!(signed.signatures.request_object_unsigned && added(&json!({})).signatures.request_object_unsigned);
    assert!(!added(&json!({ "request_object_signing_alg": "RS256" })).signatures.request_object_unsigned);
    assert!(added(&json!({ "id_token_signed_response_alg": "none" })).signatures.id_token_unsigned);
    for (member, more) in [
        ("id_token_signed_response_alg", json!({ "id_token_signed_response_alg": "RS1" })),
        ("id_token_signed_response_alg", json!({ "id_token_signed_response_alg": "HS256" })),
        (
            "id_token_signed_response_alg",
            json!({ "id_token_signed_response_alg": "none", "response_types": ["code id_token"] }),
        ),
        ("authorization_signed_response_alg", json!({ "authorization_signed_response_alg": "none" })),
        ("request_object_signing_alg", json!({ "request_object_signing_alg": "HS256" })),
        ("token_endpoint_auth_signing_alg", json!({ "token_endpoint_auth_signing_alg": "none" })),
        (
            "token_endpoint_auth_signing_alg",
            json!({ "token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256" }),
        ),
    ] {
        assert_eq!(wrong(&more), member, "{more}");
    }
}

#[test]
fn response_modes_are_known_and_fit_a_response_type() {
    assert_eq!(added(&json!({})).response_modes, None);
    let listed = added(&json!({ "response_modes": ["jwt", "form_post"] })).response_modes;
    assert_eq!(listed, Some([ResponseMode::Jwt, ResponseMode::FormPost].into()));
    for (modes, responses) in [(["post"], ["code"]), (["query"], ["id_token"])] {
        let more = json!({ "response_modes": modes, "response_types": responses });
        assert_eq!(wrong(&more), "response_modes", "{more}");
    }
}

#[test]
fn profile_is_one_that_is_known_and_survives_an_update_by_the_client() {
    assert_eq!(wrong(&json!({ "profile": "fapi1" })), "profile");
    assert!(!added(&json!({})).is_fapi2());
    let stored = Metadata::parse(br#"{"profile": "fapi2", "client_name": "old"}"#).expect("metadata");
    let sent = Metadata::parse(br#"{"client_name": "new"}"#).expect("metadata");
    let updated = sent.with_ours_of(&stored).expect("metadata").to_members();
    assert_eq!(Value::Object(updated), json!({ "profile": "fapi2", "client_name": "new" }));
}

#[test]
fn pairwise_subjects_have_one_sector() {
    let sector = |more| added(&more).subject;
    let named = |host: &str| SubjectType::Pairwise { sector: host.to_owned() };
    assert_eq!(sector(json!({ "subject_type": "pairwise" })), named("app.example"));
    let several = ["https://app.example/cb", "https://other.example/cb"];
    assert_eq!(wrong(&json!({ "subject_type": "pairwise", "redirect_uris": several })), "sector_identifier_uri");
    let listed = json!({
        "subject_type": "pairwise",
        "redirect_uris": several,
        "sector_identifier_uri": "https://sector.example/list",
    });
    assert_eq!(sector(listed), named("sector.example"));
    assert_eq!(wrong(&json!({ "subject_type": "secret" })), "subject_type");
    assert_eq!(wrong(&json!({ "sector_identifier_uri": "http://sector.example/" })), "sector_identifier_uri");
}

#[test]
fn addresses_of_a_client_that_registers_itself_are_https() {
    for member in [
        "initiate_login_uri",
        "logo_uri",
        "client_uri",
        "tos_uri",
        "policy_uri",
        "backchannel_logout_uri",
        "frontchannel_logout_uri",
        "jwks_uri",
    ] {
        for bad in ["http://app.example/x", "javascript:alert(1)", "https://user:word@app.example/", "x", "data:,x"] {
            assert_eq!(wrong(&json!({ member: bad })), member, "{bad}");
        }
        let good = json!({ member: "https://app.example/x" });
        client(Source::Registered, &with(&good)).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    assert_eq!(wrong(&json!({ "request_uris": ["ftp://app.example/"] })), "request_uris");
    let elsewhere = json!({ "frontchannel_logout_uri": "https://victim.example/transfer" });
    assert_eq!(wrong(&elsewhere), "frontchannel_logout_uri", "browsers would be made to load it");
}

#[test]
fn texts_that_people_read_cannot_disturb_a_page() {
    for bad in ["a\u{202e}b", "a\nb", "a\u{0}b", &"x".repeat(257)] {
        assert_eq!(wrong(&json!({ "client_name": bad })), "client_name", "{bad:?}");
    }
    assert_eq!(added(&json!({ "client_name": " Wiki " })).presentation.name, "Wiki");
    assert_eq!(added(&json!({})).presentation.name, "app", "the identifier where there is none");
}

#[test]
fn lifetimes_are_seconds_or_durations_within_limits() {
    let lives = added(&json!({ "lifetimes": { "access_token": 60, "code": "2m" } })).lifetimes;
    assert_eq!((lives.access_token, lives.code), (Some(Duration::from_mins(1)), Some(Duration::from_mins(2))));
    assert_eq!(lives.id_token, None);
    for bad in [json!({ "access_token": "2d" }), json!({ "code": "1h" }), json!({ "code": 0 }), json!({ "other": 1 })] {
        assert_eq!(wrong(&json!({ "lifetimes": bad })), "lifetimes");
    }
}

#[test]
fn rights_over_others_are_not_for_public_clients() {
    let public = |more: Value| {
        let mut more = more;
        more["token_endpoint_auth_method"] = "none".into();
        wrong(&more)
    };
    assert_eq!(public(json!({ "introspects_all": true })), "introspects_all");
    assert_eq!(public(json!({ "exchange": { "impersonate": true } })), "exchange");
    assert_eq!(public(json!({ "transaction_tokens": { "scopes": ["files.read"] } })), "transaction_tokens");
}

/// `docs/security-requirements.md#x7`
#[test]
fn transaction_tokens_need_scopes_and_live_for_minutes() {
    let policy = |member: Value| added(&json!({ "transaction_tokens": member })).transaction_tokens;
    let full = json!({
        "scopes": ["files.read", "files.write"], "details": ["path"], "context": ["req_ip"], "replace": true, "lifetime": "30s",
    });
    let full = policy(full).expect("a policy");
    assert_eq!(full.lifetime, Some(Duration::from_secs(30)));
    let full = full.allowed;
    assert!(full.scopes.contains("files.write") && full.details.contains("path") && full.context.contains("req_ip"));
    assert!(full.may_replace);
    let least = policy(json!({ "scopes": ["files.read"] })).expect("a policy");
    assert_eq!(least.lifetime, None);
    let least = least.allowed;
    assert!(!least.may_replace && least.details.is_empty() && least.context.is_empty());
    assert_eq!(added(&json!({})).transaction_tokens, None);
    for bad in [
        json!({}),
        json!({ "scopes": [] }),
        json!({ "scopes": ["files.read files.write"] }),
        json!({ "scopes": ["a"], "lifetime": "6m" }),
        json!({ "scopes": ["a"], "lifetime": 0 }),
        json!({ "scopes": ["a"], "detail": ["path"] }),
    ] {
        assert_eq!(wrong(&json!({ "transaction_tokens": bad })), "transaction_tokens", "{bad}");
    }
    let comma = json!({ "client_id": "a,b", "transaction_tokens": { "scopes": ["a"] } });
    assert_eq!(wrong(&comma), "transaction_tokens");
}

#[test]
fn the_member_of_a_wrong_type_is_named() {
    for (member, value) in [
        ("redirect_uris", json!("https://app.example/cb")),
        ("client_name", json!(7)),
        ("default_max_age", json!("soon")),
        ("consent", json!("never")),
        ("exchange", json!({ "impersonates": true })),
    ] {
        assert_eq!(wrong(&json!({ member: value })), member);
    }
    assert_eq!(Metadata::parse(b"[]").expect_err("is no object").member, "metadata");
}

#[test]
fn members_in_several_languages_are_kept_and_unknown_ones_are_not() {
    let Value::Object(members) = json!({
        "client_name": "Wiki",
        "client_name#de": "Das Wiki",
        "logo_uri#de": null,
        "client_name#fr": 7,
        "software_statement": "x",
        "consent": "trusted",
    }) else {
        panic!("is an object")
    };
    let told = Metadata::of_stranger(members).expect("metadata").to_members();
    assert_eq!(Value::Object(told), json!({ "client_name": "Wiki", "client_name#de": "Das Wiki" }));
    let mistyped = Metadata::parse(br#"{"redirect_uri": "x"}"#).expect("metadata");
    assert_eq!(mistyped.refuse_unknown().expect_err("is mistyped").member, "redirect_uri");
}

#[test]
fn scopes_of_the_api_are_for_clients_whose_registration_lists_them_and_for_the_installations_own() {
    let listing = added(&json!({ "scope": "openid user" }));
    assert!(listing.may_be_granted("user") && !listing.may_be_granted("tokens:write") && !listing.is_first_party());
    let plain = added(&json!({}));
    assert!(plain.may_be_granted("profile") && !plain.is_first_party());
    let trusted = added(&json!({ "consent": "trusted" }));
    assert!(trusted.is_first_party());
    for scope in ["user", "tokens:write", "path:/photos:r"] {
        assert!(!plain.may_be_granted(scope) && !plain.may_ask_for(scope), "{scope}");
        assert!(trusted.may_be_granted(scope), "{scope}");
    }
    let itself =
        client(Source::Registered, &with(&json!({ "scope": "openid user tokens:write" }))).expect("is accepted");
    assert!(itself.may_be_granted("openid") && !itself.may_be_granted("user") && !itself.may_ask_for("tokens:write"));
}

#[test]
fn i33_a_client_cannot_give_itself_what_is_ours_to_give() {
    let Value::Object(members) = json!({
        "redirect_uris": ["https://app.example/cb"],
        "access_token_claims": ["email"],
        "access_token_format": "opaque",
        "access_token_signed_response_alg": "ES256",
        "allowed_groups": ["admins"],
        "any_port": "localhost",
        "consent": "trusted",
        "exchange": { "impersonate": true, "audiences": ["gateway"] },
        "id_token_claims": ["groups"],
        "implicit_scopes": ["roles"],
        "insecure": true,
        "introspects_all": true,
        "lifetimes": { "access_token": 86400 },
        "pkce": "plain",
        "resources": ["https://gateway.example"],
        "roles": "plain",
        "transaction_tokens": { "scopes": ["files.read"] },
        "spiffe_id": "spiffe://example.org/billing",
    }) else {
        panic!("is an object")
    };
    let told = Metadata::of_stranger(members).expect("metadata");
    assert_eq!(Value::Object(told.to_members()), json!({ "redirect_uris": ["https://app.example/cb"] }));
    let mine = Metadata::parse(br#"{"consent": "trusted", "client_name": "old"}"#).expect("metadata");
    let both = told.with_ours_of(&mine).expect("metadata").to_members();
    let expected = json!({ "redirect_uris": ["https://app.example/cb"], "consent": "trusted" });
    assert_eq!(Value::Object(both), expected, "what was given stays");
}

/// Row [I80](../../../../../../docs/security-requirements.md#i80).
#[test]
fn spiffe_id_is_for_clients_that_show_svids() {
    let with = |id: Value| json!({ "token_endpoint_auth_method": "spiffe_jwt", "spiffe_id": id });
    let billing = added(&with(json!("spiffe://example.org/billing/*")));
    let id = billing.spiffe_id.expect("is set");
    assert!(billing.auth == AuthMethod::SpiffeJwt && id.fits("spiffe://example.org/billing/worker"));
    assert!(!id.fits("spiffe://example.org/billing") && !id.fits("spiffe://example.org/other/worker"));
    for other in ["billing", "https://example.org/billing", "spiffe://example.org/bill*", "spiffe://", ""] {
        assert_eq!(wrong(&with(json!(other))), "spiffe_id", "{other}");
    }
    assert_eq!(wrong(&with(Value::Null)), "spiffe_id");
    assert_eq!(wrong(&json!({ "spiffe_id": "spiffe://example.org/billing" })), "spiffe_id");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from("https://app.example/cb")),
        Just(Value::from("none")),
        Just(Value::from("code id_token")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
}

pub(super) fn member_name() -> impl Strategy<Value = String> {
    let known: Vec<String> = serde_json::to_value(Metadata::default())
        .ok()
        .and_then(|value| Some(value.as_object()?.keys().cloned().collect()))
        .expect("has members");
    prop_oneof![4 => prop::sample::select(known), 1 => "[a-z_#]{1,12}"]
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_or_refused_and_what_is_read_stays_the_same(
        members in prop::collection::btree_map(member_name(), json_value(), 0..8)
    ) {
        let mut members: serde_json::Map<String, Value> = members.into_iter().collect();
        members.insert("client_id".to_owned(), "app".into());
        if let Ok(metadata) = Metadata::of_stranger(members) {
            let again = Metadata::read(metadata.to_members()).expect("is read again");
            prop_assert_eq!(again.to_members(), metadata.to_members());
            if let Ok(client) = Client::from_metadata(&metadata, Source::Registered, &sites()) {
                prop_assert!(client.consent != ConsentPolicy::Trusted && !client.introspects_all);
                prop_assert!(client.implicit_scopes.is_empty() && client.groups.is_empty());
            }
        }
    }
}
