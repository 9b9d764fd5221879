use oidc::jose::UnverifiedJwt;

use super::*;
use crate::engine::termination::end;
use crate::testing::{Bench, Browser, EINSTEIN, Listener, SITE};

/// Ends a session in which this client took part.
async fn ended(listener: &Listener, more: Value) -> (Bench, uuid::Uuid) {
    let bench = Bench::new().await;
    let mut metadata = more;
    metadata["backchannel_logout_uri"] = listener.listen().await.into();
    bench.add("app", &metadata).await;
    bench.add("quiet", &json!({})).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    for client in ["app", "quiet"] {
        bench.grant(&session, client, bench.endpoints(), "openid").await;
    }
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 0, "nothing has ended");
    end(&bench.provider, session.id).await.unwrap();
    (bench, session.id)
}

#[tokio::test]
async fn i38_a_client_receives_a_logout_token_that_is_valid_for_two_minutes() {
    let listener = Listener::default();
    let (bench, session) = ended(&listener, json!({"id_token_signed_response_alg": "ES256"})).await;
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 1, "the other client has no back-channel");
    let token = listener.token();
    let jwt = UnverifiedJwt::parse(&token).unwrap();
    assert!(bench.provider.keys.verifies(&jwt));
    assert_eq!((jwt.typ(), jwt.header()["alg"].as_str()), (Some("logout+jwt"), Some("ES256")));
    let mut claims = jwt.claims().clone();
    assert!(claims.remove("jti").is_some_and(|jti| jti.is_string()));
    let expected = json!({
        "iss": SITE,
        "sub": EINSTEIN,
        "aud": "app",
        "iat": 1_800_000_000,
        "exp": 1_800_000_120,
        "sid": session,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    assert_eq!(Value::Object(claims), expected);
    bench.advance(Duration::from_hours(1));
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 0, "it is notified once");
}

#[tokio::test]
async fn a_client_that_is_not_there_is_told_later_by_a_fresh_token() {
    let listener = Listener::default();
    listener.answers(&[500, 503, 204]);
    let (bench, _) = ended(&listener, json!({})).await;
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 1);
    for pause in [1, 5] {
        assert_eq!(deliver_due(&bench.provider).await.unwrap(), 0, "not yet");
        bench.advance(Duration::from_secs(pause));
        assert_eq!(deliver_due(&bench.provider).await.unwrap(), 1);
    }
    bench.advance(Duration::from_hours(24));
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 0);
    let heard = listener.heard();
    assert_eq!(heard.len(), 3);
    let last = UnverifiedJwt::parse(heard[2].strip_prefix("logout_token=").unwrap()).unwrap();
    assert_eq!(last.claims()["iat"], 1_800_000_006);
}

#[tokio::test]
async fn a_client_that_refuses_is_not_told_again() {
    let listener = Listener::default();
    listener.answers(&[400]);
    let (bench, _) = ended(&listener, json!({})).await;
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 1);
    bench.advance(Duration::from_hours(24));
    assert_eq!(deliver_due(&bench.provider).await.unwrap(), 0);
}

#[tokio::test]
async fn the_task_sends_until_it_is_stopped() {
    let listener = Listener::default();
    let (bench, _) = ended(&listener, json!({})).await;
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(deliver(bench.provider.clone(), shutdown.clone()));
    bench.provider.deliveries.notify_one();
    while listener.heard().is_empty() {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    task.await.unwrap();
    listener.token();
}

#[test]
fn i38_a_logout_token_says_what_a_client_needs_and_has_no_nonce() {
    let claims = Claims {
        iss: "https://cloud.example",
        sub: "einstein",
        aud: "web",
        iat: 1000,
        exp: 1000 + LIFE,
        jti: Uuid::from_u128(1),
        events: json!({ EVENT: {} }),
        sid: Uuid::from_u128(7),
    };
    let expected = json!({
        "iss": "https://cloud.example",
        "sub": "einstein",
        "aud": "web",
        "iat": 1000,
        "exp": 1120,
        "jti": "00000000-0000-0000-0000-000000000001",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        "sid": "00000000-0000-0000-0000-000000000007",
    });
    assert_eq!(serde_json::to_value(&claims).unwrap(), expected);
}

#[test]
fn a_message_is_tried_until_it_arrives_is_refused_or_a_day_is_over() {
    for good in [200, 204] {
        assert_eq!(next(&Ok(good), 0), Next::Done);
    }
    assert_eq!(next(&Ok(400), 0), Next::GiveUp);
    for bad in [302, 401, 404, 429, 500, 501, 503] {
        assert_eq!(next(&Ok(bad), 0), Next::Again(Duration::from_secs(1)), "{bad}");
    }
    let unreachable = || Err(FetchError("no answer".to_owned()));
    let mut waited = Duration::ZERO;
    for attempts in 0.. {
        match next(&unreachable(), attempts) {
            Next::Again(pause) => waited += pause,
            outcome => {
                assert_eq!((outcome, attempts), (Next::GiveUp, 9));
                break;
            }
        }
    }
    let day = Duration::from_hours(24);
    assert!(waited > day && waited < day + Duration::from_hours(1), "{waited:?}");
}
