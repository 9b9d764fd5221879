//! Who may manage app tokens, by what the internal token says of its credential and of its user.

use std::sync::Arc;

use crate::support::{Fixture, HOUR, claims, token_request};
use auth_app::applications::{ApplicationsError, PersonRef};
use auth_app::policy::LifetimeRequest;
use authn::testing::user;
use authn::{Caller, Grants, Permission};
use secrecy::{ExposeSecret, SecretString};
use token::{KeyRing, Minter, Verifier};

fn text(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// Row A9.
#[tokio::test]
async fn third_party_client_without_token_scope_manages_no_app_tokens() {
    let fixture = Fixture::new().await;
    let caller = Caller::default();
    let session = claims("einstein", &["oidc_client"]);
    for wanted in [Permission::Read, Permission::Write] {
        let refused = fixture.applications.own(&session, &caller, wanted).map(drop);
        assert!(matches!(refused, Err(ApplicationsError::WithClient)), "{wanted:?}");
    }
    let grants = Grants::parse(["path:/photos:r", "tokens:write"]).expect("grants");
    let writer = token::Claims { scopes: grants.to_cs3(), ..session };
    fixture.applications.own(&writer, &caller, Permission::Write).expect("its scope says so");
    fixture.applications.own(&claims("einstein", &["oidc"]), &caller, Permission::Write).expect("a user has signed in");
    let marie = PersonRef { username: Some("marie".to_owned()), id: None };
    let refused =
        fixture.applications.impersonate(&claims("admin", &["oidc_client"]), &caller, &marie, "").await.map(drop);
    assert!(matches!(refused, Err(ApplicationsError::WithClient)), "not even with an administrator's token");
}

/// Row A9: A gateway of the Go family mints the user and the scopes of an answer, and knows no `amr`.
#[tokio::test]
async fn app_token_behind_a_go_gateway_creates_no_app_token() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let keys = KeyRing::new(&SecretString::from("an-adequate-secret-of-32-bytes-ok"), None).expect("is long enough");
    let keys = Arc::new(keys);
    let (minter, verifier) = (Minter::new(Arc::clone(&keys), HOUR, false), Verifier::new(keys));
    let minted_by_go = |answer: authn::Authenticated| {
        let answer = authn::Authenticated { amr: "".into(), actor: None, ..answer };
        let now = fixture.clock.now();
        verifier.verify(now, &minter.mint(now, &answer).expect("mints")).expect("is good")
    };
    let caller = Caller::default();
    let by_app_token = minted_by_go(fixture.authenticate("einstein", text(&secret)).await.expect("is good"));
    let refused = fixture.applications.own(&by_app_token, &caller, Permission::Write).map(drop);
    assert!(matches!(refused, Err(ApplicationsError::WithAppToken)));
    let refused = fixture.applications.impersonate(&by_app_token, &caller, &PersonRef::default(), "").await.map(drop);
    assert!(matches!(refused, Err(ApplicationsError::WithAppToken)));
    let by_password = minted_by_go(authn::Authenticated::full(Arc::new(user("einstein")), "pwd"));
    fixture.applications.own(&by_password, &caller, Permission::Write).expect("the documented call goes on working");
}

#[tokio::test]
async fn app_tokens_survive_another_name_of_the_installation() {
    let fixture = Fixture::new().await;
    let named = |idp: &str| {
        let mut session = claims("einstein", &["pwd"]);
        session.user.id.idp = idp.to_owned();
        session
    };
    let (caller, before) = (Caller::default(), named("https://cloud.example/"));
    let acting = fixture.applications.own(&before, &caller, Permission::Write).expect("may manage");
    let (token, secret) =
        fixture.applications.create(&acting, token_request(LifetimeRequest::Usual)).await.expect("is made");
    for idp in ["https://cloud.example", "https://files.example", ""] {
        let einstein = named(idp).user;
        fixture.change_user("einstein", |user| user.clone_from(&einstein));
        for login in ["einstein", ""] {
            let answer = fixture.authenticate(login, text(&secret)).await;
            assert_eq!(
                answer.map(|answer| answer.user.id.clone()).ok(),
                Some(einstein.id.clone()),
                "{idp:?} {login:?}"
            );
        }
        let session = named(idp);
        let acting = fixture.applications.own(&session, &caller, Permission::Write).expect("may manage");
        assert_eq!(
            fixture.applications.get(&acting, token.id).await.map(|token| token.id).ok(),
            Some(token.id),
            "{idp}"
        );
    }
}
