use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use authn::{Attribute, Profile, User, UserId};
use oidc::jose::UnverifiedJwt;
use oidc::scope;
use serde_json::json;

use super::*;
use crate::engine::tokens::Issue;
use crate::model::Grant;
use crate::testing::{Bench, Browser, EINSTEIN, NO_PROOFS};

async fn bench(more: &Value) -> Bench {
    let bench = Bench::new().await;
    bench.add("app", more).await;
    bench
}

async fn granted(bench: &Bench, scope: &str) -> Grant {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.grant(&session, "app", bench.endpoints(), scope).await
}

async fn ask(bench: &Bench, scheme: Scheme, token: &str) -> Result<Document, OAuthError> {
    let credential = Credential { scheme, token: token.to_owned(), proofs: NO_PROOFS };
    userinfo(&bench.provider, bench.endpoints(), &credential).await.map(|response| response.claims)
}

async fn refused(bench: &Bench, scheme: Scheme, token: &str) -> ErrorCode {
    ask(bench, scheme, token).await.expect_err("is refused").code
}

/// The response to a token of this grant.
async fn told(bench: &Bench, grant: &Grant) -> Map<String, Value> {
    let token = bench.tokens(grant).await.1;
    let Document::Json(json) = ask(bench, Scheme::Bearer, &token).await.expect("is answered") else {
        panic!("signed");
    };
    serde_json::from_slice(&json).expect("a JSON object")
}

/// Gives the user a mail address and a profile.
fn fill(bench: &Bench) {
    bench.change(|user| {
        let user = user.as_mut().expect("is there");
        (user.mail, user.mail_verified) = ("einstein@example.org".to_owned(), true);
    });
    bench.change_profile(|profile| {
        for (attribute, value) in [
            (Attribute::GivenName, "Albert"),
            (Attribute::FamilyName, "Einstein"),
            (Attribute::MiddleName, "Hermann"),
            (Attribute::Nickname, "Al"),
            (Attribute::Profile, "https://example.org/einstein"),
            (Attribute::Picture, "https://example.org/einstein.jpg"),
            (Attribute::Website, "https://einstein.example.org"),
            (Attribute::Gender, "male"),
            (Attribute::Birthdate, "1879-03-14"),
            (Attribute::Zoneinfo, "Europe/Zurich"),
            (Attribute::Locale, "de-CH"),
            (Attribute::PhoneNumber, "+41 44 632 11 11"),
            (Attribute::AddressStreet, "Kramgasse 49"),
            (Attribute::AddressLocality, "Bern"),
            (Attribute::AddressCountry, "Switzerland"),
        ] {
            profile.set(attribute, value).expect("is valid");
        }
        profile.phone_number_verified = true;
        profile.updated = Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    });
}

#[tokio::test]
async fn claims_follow_the_scope_of_the_access_token() {
    let bench = bench(&json!({})).await;
    for (scope, name) in [("openid", None), ("openid profile", Some("Albert Einstein"))] {
        let token = bench.tokens(&granted(&bench, scope).await).await.1;
        let Document::Json(json) = ask(&bench, Scheme::Bearer, &token).await.expect("is answered") else {
            panic!("signed");
        };
        let claims: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!((claims["sub"].as_str(), claims["name"].as_str()), (Some(EINSTEIN), name), "{scope}");
    }
}

/// All claims of `OpenID` Connect Core 5.4, and no other.
#[tokio::test]
async fn filled_profile_is_returned_by_the_standard_scopes() {
    let bench = bench(&json!({})).await;
    fill(&bench);
    for scope in [scope::PROFILE, scope::EMAIL, scope::ADDRESS, scope::PHONE] {
        let told = told(&bench, &granted(&bench, &format!("openid {scope}")).await).await;
        let mut names: Vec<_> = told.keys().map(String::as_str).filter(|name| *name != "sub").collect();
        let mut wanted = scope::claims(scope).to_vec();
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "{scope}");
    }
    let told = told(&bench, &granted(&bench, "openid profile address phone").await).await;
    assert_eq!(
        told["address"],
        json!({ "street_address": "Kramgasse 49", "locality": "Bern", "country": "Switzerland" })
    );
    assert_eq!((&told["phone_number"], &told["phone_number_verified"]), (&json!("+41 44 632 11 11"), &json!(true)));
    assert_eq!((&told["birthdate"], &told["updated_at"]), (&json!("1879-03-14"), &json!(1_700_000_000)));
}

#[tokio::test]
async fn single_claims_of_the_profile_are_requested_by_the_claims_parameter() {
    let bench = bench(&json!({})).await;
    fill(&bench);
    let mut grant = granted(&bench, "openid").await;
    let wanted = json!({ "userinfo": {
        "given_name": { "essential": true },
        "locale": { "value": "fr" },
        "phone_number_verified": { "value": true },
        "address": null,
    } });
    grant.claims = Some(wanted.to_string());
    let told = told(&bench, &grant).await;
    let names: Vec<_> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["address", "given_name", "phone_number_verified", "sub"], "the locale is another");
}

#[tokio::test]
async fn empty_profile_has_no_empty_claims() {
    let bench = bench(&json!({})).await;
    let told = told(&bench, &granted(&bench, "openid profile email address phone").await).await;
    assert_eq!(told.keys().map(String::as_str).collect::<Vec<_>>(), ["name", "preferred_username", "sub"]);
}

#[tokio::test]
async fn token_without_openid_has_insufficient_scope() {
    let bench = bench(&json!({})).await;
    let token = bench.tokens(&granted(&bench, "profile").await).await.1;
    assert_eq!(refused(&bench, Scheme::Bearer, &token).await, ErrorCode::InsufficientScope);
}

/// Row I30.
#[tokio::test]
async fn id_token_is_no_access_token() {
    let bench = bench(&json!({})).await;
    let (id_token, _) = bench.tokens(&granted(&bench, "openid").await).await;
    assert_eq!(refused(&bench, Scheme::Bearer, &id_token).await, ErrorCode::InvalidToken);
}

/// Row I29.
#[tokio::test]
async fn token_counts_only_with_the_proof_it_is_bound_to() {
    let bench = bench(&json!({})).await;
    let grant = granted(&bench, "openid").await;
    let client = bench.provider.clients.find("app").await.expect("asks").expect("is known");
    let user = Arc::new(User { id: UserId { opaque_id: EINSTEIN.into(), ..UserId::default() }, ..User::default() });
    let issue = |binding: &Binding| {
        let issue = Issue {
            endpoints: bench.endpoints(),
            client: &client,
            grant: &grant,
            user: Some(&user),
            profile: &Profile::default(),
            binding: Some(binding),
            nonce: None,
            now: bench.clock.now(),
        };
        issue.access_token(&bench.provider).text
    };
    let bound = issue(&Binding::Dpop("jkt".to_owned()));
    assert_eq!(refused(&bench, Scheme::Bearer, &bound).await, ErrorCode::InvalidToken);
    assert_eq!(refused(&bench, Scheme::Dpop, &bound).await, ErrorCode::InvalidDpopProof, "the proof is missing");
    let bound = issue(&Binding::Certificate("x5t".to_owned()));
    assert_eq!(refused(&bench, Scheme::Bearer, &bound).await, ErrorCode::InvalidToken, "no certificate");
    let (_, free) = bench.tokens(&grant).await;
    assert_eq!(refused(&bench, Scheme::Dpop, &free).await, ErrorCode::InvalidToken);
}

#[tokio::test]
async fn client_that_is_registered_for_it_gets_a_signed_response() {
    let bench = bench(&json!({ "userinfo_signed_response_alg": "ES256" })).await;
    let token = bench.tokens(&granted(&bench, "openid").await).await.1;
    let Document::Jwt(text) = ask(&bench, Scheme::Bearer, &token).await.expect("is answered") else {
        panic!("not signed");
    };
    let jwt = UnverifiedJwt::parse(&text).expect("a JWT");
    assert!(bench.provider.keys.verifies(&jwt));
    assert_eq!((&jwt.claims()["sub"], &jwt.claims()["aud"]), (&json!(EINSTEIN), &json!("app")));
}
