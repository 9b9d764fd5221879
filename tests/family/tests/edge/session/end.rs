//! What ends a session, and what does not.

use std::time::Duration;

use authn::{Claim, Directory, Groups};
use doorward::ServiceId;
use reqwest::StatusCode;
use testkit::Browser;

use super::COOKIE;
use super::site::Site;
use crate::edge::backend::header;
use crate::edge::world::client;

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_here_at_the_provider_and_in_every_other_browser_of_that_session() {
    let site = Site::start("edge-session-logout").await;
    let mut one = Browser::new();
    site.sign_in(&mut one, "/a").await;
    // the provider's session is the same, the edge's is another
    let mut two = one.clone();
    two.forget(COOKIE);
    site.sign_in(&mut two, "/a").await;
    assert_ne!(one.cookie(COOKIE), two.cookie(COOKIE));
    assert!(!site.is_signed_out(&mut one).await && !site.is_signed_out(&mut two).await);
    let kept = one.cookie(COOKIE).expect("a session").to_owned();

    let url = format!("{}/_doorward/logout", site.own);
    let sent = one.submit(&url, &site.own, &[]).await.expect("answers");
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert!(sent.location.starts_with(&site.issuer) && sent.location.contains("id_token_hint="), "{sent:?}");
    assert_eq!(one.cookie(COOKIE), None);
    let mut thief = Browser::new();
    thief.keep(COOKIE, &kept);
    assert!(site.is_signed_out(&mut thief).await, "the session has ended for every holder of the cookie");

    let ended = one.open(&sent.location).await.expect("answers");
    assert_eq!(ended.location, url, "{ended:?}");
    let page = one.open(&ended.location).await.expect("answers");
    assert!(page.page.contains("You are signed out"), "{page:?}");
    // the provider has notified the edge
    let signed_out = async {
        while !site.is_signed_out(&mut two).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), signed_out).await.expect("the other browser's session has ended");
    assert_eq!(site.navigate(&mut two, "/a").await.status, StatusCode::FOUND);

    let authorize = site.begin(&mut one, "/a").await;
    let sign_in = one.open(&authorize).await.expect("answers");
    assert!(!sign_in.location.starts_with(&site.own), "the provider asks for the password again: {sign_in:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_logout_token_ends_no_session() {
    let site = Site::start("edge-session-forged").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    let url = format!("{}/_doorward/backchannel_logout", site.own);
    for token in ["", "junk", &site.world.token, "eyJhbGciOiJub25lIn0.e30."] {
        let answer = browser.submit(&url, &site.issuer, &[("logout_token", token)]).await.expect("answers");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{token}");
    }
    assert_eq!(client().post(&url).send().await.expect("answers").status(), StatusCode::BAD_REQUEST);
    assert_eq!(client().get(&url).send().await.expect("answers").status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(!site.is_signed_out(&mut browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_exchanged_behind_the_scenes_until_the_session_is_over() {
    let site = Site::start("edge-session-refresh").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    for hours in 1..=3 {
        site.clock.advance(Duration::from_hours(1));
        assert!(!site.is_signed_out(&mut browser).await, "after {hours} hours");
    }
    let seen = site.world.backend.take();
    let tokens: Vec<_> = seen.iter().flat_map(|seen| header(seen, "x-access-token")).collect();
    assert_eq!(tokens.len(), 3, "every request has one: {seen:?}");
    let token = tokens.last().expect("there is one");
    assert_eq!(site.world.family.who_am_i(token).await.expect("the last one is good").username, "einstein");

    site.clock.advance(Duration::from_hours(13));
    assert!(site.is_signed_out(&mut browser).await, "the session was unused for too long");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_refresh_token_ends_the_session() {
    let site = Site::start_with("edge-session-refused", |layout| {
        layout.set("IDP_REFRESH_TOKEN_EXPIRATION", "30m");
    })
    .await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    site.clock.advance(Duration::from_mins(20));
    assert!(!site.is_signed_out(&mut browser).await, "it is exchanged");
    site.world.backend.take();
    site.clock.advance(Duration::from_hours(1));
    assert!(site.is_signed_out(&mut browser).await);
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::FOUND);
    assert!(site.world.backend.take().is_empty());
}

/// Row E14.
#[tokio::test(flavor = "multi_thread")]
async fn refused_user_is_not_redirected_in_a_loop_after_sign_in() {
    let site = Site::start_with("edge-session-circles", |layout| {
        layout.set("AUTH_BEARER_OIDC_AUDIENCE", "another-audience");
    })
    .await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::UNAUTHORIZED);
    site.clock.advance(Duration::from_secs(61));
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::FOUND, "later it may help");
    assert!(site.world.backend.take().is_empty());
}

/// The clock is two hours ahead when a password is changed, and is corrected afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn clock_corrected_backwards_locks_no_user_out() {
    let site = Site::start("edge-session-clock").await;
    let family = &site.world.family;
    let before = site.world.token.clone();
    let mut earlier = Browser::new();
    site.sign_in(&mut earlier, "/a").await;
    // what is from before the change is older
    site.clock.advance(Duration::from_secs(2));
    let password = family.layout.password.clone();
    let passwd = ["user", "passwd", "einstein", "--password-stdin"];
    assert_eq!(family.command(&passwd, &password).await.code, 0);

    site.clock.set(site.clock.now() - Duration::from_hours(2));
    let directory = authn::directory::Remote::users(family.channel(ServiceId::Users));
    let id = directory
        .user_by_claim(&Claim::Username("einstein".to_owned()), Groups::Skip)
        .await
        .expect("einstein")
        .id
        .clone();
    for step in ["at once", "after another change"] {
        let mut browser = Browser::new();
        site.sign_in(&mut browser, "/a").await;
        assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::OK, "{step}");
        let token = family.app_token("einstein").await;
        family.authenticate("appauth", "einstein", &token).await.expect(step);
        family.authenticate("appauth", "einstein", &before).await.expect_err("it is from before the change");
        assert!(site.is_signed_out(&mut earlier).await, "{step}: so is this session");
        let (_, admin) = family.authenticate("basic", "admin", &password).await.expect("an administrator");
        directory.note_password_change(&id, site.clock.now(), &admin).await.expect("an administrator may");
        family.authenticate("appauth", "einstein", &token).await.expect_err("it is from before another change");
    }
}
