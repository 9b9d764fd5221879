//! Against a token that Go minted.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use authn::{Authenticated, ExternalIdentity, OpaqueEntry, Scopes, User, UserId, UserStatus, UserType, role};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use prost::Message;
use proto::cs3::auth::provider::v1beta1::AuthenticateResponse;
use secrecy::SecretString;
use serde::Deserialize;
use token::{Claims, Defect, KeyRing, Minter, TokenError, Verifier};

#[derive(Deserialize)]
struct Golden {
    jwt_secret: String,
    x_access_token: String,
    x_access_token_claims_raw: String,
}

impl Golden {
    fn load() -> Self {
        serde_json::from_str(include_str!("../golden/go-token.json")).unwrap()
    }

    fn ring(&self) -> Arc<KeyRing> {
        Arc::new(KeyRing::new(&SecretString::from(self.jwt_secret.as_str()), None).unwrap())
    }
}

const ISSUED: u64 = 1_795_317_292;
const LIFETIME: Duration = Duration::from_hours(24);

fn verify(golden: &Golden, seconds: u64) -> Result<Claims, TokenError> {
    Verifier::new(golden.ring()).verify(UNIX_EPOCH + Duration::from_secs(seconds), &golden.x_access_token)
}

/// The raw claims of what we mint, with an identifier of zeros.
fn mint(golden: &Golden, answer: &Authenticated, skip_groups: bool) -> String {
    let minter = Minter::new(golden.ring(), LIFETIME, skip_groups).with_identifiers(|| [0; 16]);
    let token = minter.mint(UNIX_EPOCH + Duration::from_secs(ISSUED), answer).unwrap();
    let [header, claims, _] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert!(golden.x_access_token.starts_with(&format!("{header}.")), "the header is Go's");
    String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn answer(claims: &Claims) -> Authenticated {
    Authenticated {
        user: Arc::new(claims.user.clone()),
        scopes: Arc::new(claims.scopes.clone()),
        not_after: None,
        amr: "".into(),
        actor: None,
        sid: None,
        revalidate: None,
    }
}

#[test]
fn a_token_of_go_is_understood() {
    let claims = verify(&Golden::load(), ISSUED + 60).unwrap();
    assert_eq!(claims.user.id.idp, "https://localhost:9200");
    assert_eq!(claims.user.id.opaque_id, "b1f74ec4-dd7e-11ef-a543-03775734d0f7");
    assert_eq!(claims.user.id.kind, UserType::Primary);
    assert_eq!((claims.user.username.as_str(), claims.user.display_name.as_str()), ("alan", "Alan Turing"));
    assert_eq!((claims.user.groups.len(), claims.user.uid_number, claims.user.gid_number), (4, 99, 99));
    assert_eq!(claims.user.status, UserStatus::Active);
    assert_eq!(claims.scopes, Scopes::full_user());
    assert_eq!(claims.issuer, claims.user.id.idp);
    assert_eq!(claims.issued_at, UNIX_EPOCH + Duration::from_secs(ISSUED));
    assert_eq!(claims.expires_at, claims.issued_at + LIFETIME);
    assert_eq!((claims.jti, claims.amr.len(), claims.actor), (None, 0, None));
}

#[test]
fn a_token_of_go_ends() {
    let golden = Golden::load();
    assert!(verify(&golden, ISSUED + 86_400 + 4).is_ok());
    assert!(matches!(verify(&golden, ISSUED + 86_400 + 5), Err(TokenError::Invalid(Defect::Expired))));
    assert!(matches!(verify(&golden, ISSUED - 6), Err(TokenError::Invalid(Defect::NotYetValid))));
}

#[test]
fn we_mint_the_bytes_that_go_mints() {
    let golden = Golden::load();
    let claims = verify(&golden, ISSUED).unwrap();
    let ours = mint(&golden, &answer(&claims), false);
    let identifier = r#","jti":"AAAAAAAAAAAAAAAAAAAAAA"}"#;
    assert_eq!(ours, golden.x_access_token_claims_raw.replace("}}}", "}}") + identifier);
}

#[test]
fn our_own_claims_come_last() {
    let golden = Golden::load();
    let claims = verify(&golden, ISSUED).unwrap();
    let (actor, sid) = (Some("svc".into()), Some("0b1d8a3e".to_owned()));
    let answer = Authenticated { amr: "machine".into(), actor, sid, ..answer(&claims) };
    let ours = mint(&golden, &answer, true);
    assert!(
        ours.ends_with(
            r#","jti":"AAAAAAAAAAAAAAAAAAAAAA","amr":["machine"],"act":{"sub":"svc"},"sid":"0b1d8a3e","groups_omitted":true}"#
        ),
        "{ours}"
    );
    assert!(!ours.contains(r#""groups":"#), "{ours}");
}

#[test]
fn every_field_has_go_s_name_and_shape() {
    let id = UserId {
        idp: String::new(),
        opaque_id: "7".to_owned(),
        kind: UserType::Guest,
        tenant_id: "t".to_owned(),
        external_identities: vec![ExternalIdentity { idp: "https://other".to_owned(), opaque_id: "8".to_owned() }],
    };
    let entry = |value: &[u8]| OpaqueEntry { decoder: "plain".to_owned(), value: value.to_vec() };
    let user = User {
        id,
        mail_verified: true,
        roles: vec![role::USER.to_owned()],
        opaque: BTreeMap::from([("a".to_owned(), entry(&[255])), ("z".to_owned(), entry(&[]))]),
        uid_number: -1,
        status: UserStatus::Expiring,
        // stands in no token
        password_changed: Some(UNIX_EPOCH),
        ..User::default()
    };
    let answer = Authenticated { scopes: Arc::default(), ..Authenticated::full(Arc::new(user), "") };
    let roles = "WyJkN2JlZWVhOC04ZmY0LTQwNmItOGZiNi1hYjJkZDgxZTZiMTEiXQ==";
    let expected = [
        r#"{"aud":["reva"],"exp":1795403692,"iat":1795317292,"user":{"id":{"opaque_id":"7","type":5,"tenant_id":"t","#,
        r#""external_identities":[{"idp":"https://other","opaque_id":"8"}]},"mail_verified":true,"opaque":{"map":{"#,
        r#""a":{"decoder":"plain","value":"/w=="},"roles":{"decoder":"json","value":""#,
        roles,
        r#""},"z":{"decoder":"plain"}}},"uid_number":-1,"status":1},"scope":{},"jti":"AAAAAAAAAAAAAAAAAAAAAA"}"#,
    ];
    assert_eq!(mint(&Golden::load(), &answer, false), expected.concat());
}

/// What reva does with an answer of auth-app whose scopes carry the marker, and with the same answer without it.
#[derive(Deserialize)]
struct Recorded {
    jwt_secret: String,
    issued: u64,
    with_marker: Exchange,
    without_marker: Exchange,
    marker_alone: BTreeMap<String, bool>,
}

#[derive(Deserialize)]
struct Exchange {
    /// A CS3 `AuthenticateResponse`, in base64.
    answer: String,
    /// The token that was minted of it.
    token: String,
    /// Which requests are allowed with that token.
    allowed: BTreeMap<String, bool>,
}

impl Recorded {
    fn load() -> Self {
        serde_json::from_str(include_str!("../golden/reva-marker.json")).unwrap()
    }

    fn claims(&self, exchange: &Exchange) -> Claims {
        let ring = KeyRing::new(&SecretString::from(self.jwt_secret.as_str()), None).unwrap();
        Verifier::new(Arc::new(ring)).verify(UNIX_EPOCH + Duration::from_secs(self.issued), &exchange.token).unwrap()
    }
}

/// What auth-app answers for this user with these scopes.
fn wire(user: &User, scopes: &Scopes) -> String {
    let answer =
        AuthenticateResponse { status: Some(status::ok()), user: Some(user.into()), token_scope: scopes.into() };
    STANDARD.encode(answer.encode_to_vec())
}

#[test]
fn reva_copies_the_marker_of_an_app_token_and_allows_neither_more_nor_less_for_it() {
    let recorded = Recorded::load();
    let plain = recorded.claims(&recorded.without_marker);
    assert_eq!(wire(&plain.user, &Scopes::full_user()), recorded.without_marker.answer);
    let marked = Scopes::full_user().with_amr(authn::amr::APP);
    assert_eq!(wire(&plain.user, &marked), recorded.with_marker.answer, "this is what auth-app answers");

    let claims = recorded.claims(&recorded.with_marker);
    assert_eq!((claims.amr.as_slice(), &claims.user), (&["app".to_owned()][..], &plain.user));
    assert_eq!(claims.scopes, marked, "it was copied as it is");
    assert_eq!(plain.amr, Vec::<String>::new(), "a password's token says nothing");

    assert_eq!(recorded.with_marker.allowed, recorded.without_marker.allowed);
    assert!(recorded.with_marker.allowed.values().all(|allowed| *allowed));
    assert!(recorded.marker_alone.values().all(|allowed| !allowed), "it grants nothing by itself");
}
