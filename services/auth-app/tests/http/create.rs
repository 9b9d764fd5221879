//! `POST` by the query, as it is documented.

use std::time::Duration;

use auth_app::Tokens;
use serde_json::{Value, json};

use crate::support::{HOUR, Service, Settings, date, text};

/// A node of the tree of files.
const NODE: &str = "4c510ada-c86b-4815-8820-42cdf82c3d51";

#[tokio::test]
async fn the_documented_call_answers_as_is_documented() {
    let service = Service::new().await;
    let made = service.by("einstein").post("?expiry=72h").await.is(200);
    assert_eq!(date(&made["expiration_date"]), service.now() + 72 * HOUR);
    assert_eq!(date(&made["created_date"]), service.now().replace_nanosecond(0).expect("a date"), "whole seconds");
    assert_eq!(made["label"], "Generated via API");
    assert!(text(&made["token"]).starts_with("dwa_"));
    assert!(service.accepts("einstein", &text(&made["token"])).await);
    assert!(!service.accepts("marie", &text(&made["token"])).await);
}

#[tokio::test]
async fn created_token_has_members_that_are_not_documented() {
    let service = Service::new().await;
    let made = service.by("einstein").post("?expiry=72h").await.is(200);
    assert_eq!(made["kind"], "app");
    assert_eq!(made["scopes"], json!(["user"]));
    assert_eq!(made["created_by"], "id-of-einstein");
    assert_eq!(made["expires_in"], 72 * 3600);
    assert_eq!(made["last_used"], Value::Null);
    assert!(made.get("window").is_none() && made.get("max_expiration_date").is_none());
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let made = einstein.post("/?expiry=72h").await.is(200);
    assert_eq!(einstein.get("/").await.is(200)[0]["id"], made["id"]);
    einstein.delete(&format!("/?token={}", text(&made["id"]))).await.is(200);
}

#[tokio::test]
async fn a_label_takes_the_place_of_the_usual_one() {
    let service = Service::new().await;
    let made = service.by("einstein").post("?expiry=72h&label=My+phone%21").await.is(200);
    assert_eq!(made["label"], "My phone!");
}

/// Row A13.
#[tokio::test]
async fn scopes_are_repeated_and_normalised() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let query =
        format!("?expiry=1h&scope=profile&scope=node:{NODE}:w&scope=node:{NODE}:r&scope=profile&scope=path:/a/:wr");
    let made = einstein.post(&query).await.is(200);
    assert_eq!(made["scopes"], json!([format!("node:{NODE}:rw"), "path:/a:rw", "profile"]));
    let many: Vec<String> = (0..32).map(|number| format!("scope=path:/{number}:r")).collect();
    let made = einstein.post(&format!("?expiry=1h&{}", many.join("&"))).await.is(200);
    assert_eq!(made["scopes"].as_array().map(Vec::len), Some(32));
}

/// Row A13.
#[tokio::test]
async fn unknown_scope_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let many = "&scope=user".repeat(33);
    let wrong = ["&scope=", "&scope=node:*:rw", "&scope=node:x:rwx", "&scope=all", "&scope=user&scope=User", &many];
    for scopes in wrong {
        einstein.post(&format!("?expiry=1h{scopes}")).await.blames("scope");
    }
    assert_eq!(einstein.listed().await, [""; 0]);
}

/// Row A13.
#[tokio::test]
async fn kind_of_scope_that_the_operator_does_not_give_out_is_refused() {
    let tokens = Tokens { allowed_scopes: vec!["node".to_owned()], ..Tokens::default() };
    let service = Service::with(Settings { tokens, ..Settings::default() }).await;
    let einstein = service.by("einstein");
    einstein.post("?expiry=1h").await.blames("scope");
    einstein.post("?expiry=1h&scope=profile").await.blames("scope");
    einstein.post(&format!("?expiry=1h&scope=node:{NODE}:r")).await.is(200);
}

#[tokio::test]
async fn a_window_slides_up_to_an_absolute_end() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let made = einstein.post("?window=1h&max_lifetime=7d").await.is(200);
    assert_eq!((&made["window"], &made["expires_in"]), (&json!(3600), &json!(3600)));
    assert_eq!(date(&made["expiration_date"]), service.now() + HOUR);
    assert_eq!(date(&made["max_expiration_date"]), service.now() + 7 * 24 * HOUR);
    let usual = einstein.post("?window=1h").await.is(200);
    assert_eq!(date(&usual["max_expiration_date"]), service.now() + 30 * 24 * HOUR);
}

#[tokio::test]
async fn a_window_out_of_bounds_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for window in ["59s", "30d1s", "1", "", "-1h", "never"] {
        einstein.post(&format!("?window={window}")).await.blames("window");
    }
    for lifetime in ["59m", "31d", "", "never", "0s"] {
        einstein.post(&format!("?window=1h&max_lifetime={lifetime}")).await.blames("max_lifetime");
    }
    assert_eq!(einstein.listed().await, [""; 0]);
}

#[tokio::test]
async fn a_token_has_an_expiry_or_a_window() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    einstein.post("?expiry=1h&window=1h").await.blames("window");
    einstein.post("?expiry=1h&max_lifetime=1d").await.blames("max_lifetime");
    einstein.post("?max_lifetime=1d").await.blames("max_lifetime");
    assert_eq!(einstein.listed().await, [""; 0]);
}

/// Row A5.
#[tokio::test]
async fn invalid_expiry_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let wrong =
        ["-1h", "0s", "99999999999999999999", "99999999999999999999h", "1e9h", "NaN", "3x", "", "72", "8761h", "never"];
    for expiry in wrong {
        einstein.post(&format!("?expiry={expiry}")).await.blames("expiry");
    }
    einstein.post("").await.blames("expiry");
    einstein.post("?label=phone").await.blames("expiry");
    assert_eq!(einstein.listed().await, [""; 0]);
}

/// Row A5.
#[tokio::test]
async fn expiry_may_be_as_long_as_is_allowed() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for (expiry, seconds) in
        [("1s", 1), ("1m", 60), ("1h30m", 5400), ("1.5h", 5400), ("7d", 604_800), ("8760h", 31_536_000)]
    {
        let made = einstein.post(&format!("?expiry={expiry}")).await.is(200);
        assert_eq!(made["expires_in"], seconds, "{expiry}");
    }
}

#[tokio::test]
async fn a_token_without_an_end_has_to_be_allowed() {
    let tokens = Tokens { allow_never: true, ..Tokens::default() };
    let service = Service::with(Settings { tokens, ..Settings::default() }).await;
    let einstein = service.by("einstein");
    let made = einstein.post("?expiry=never").await.is(200);
    assert_eq!((&made["expiration_date"], &made["expires_in"]), (&Value::Null, &Value::Null));
    einstein.json("POST", "", &json!({ "expires_in": "never" })).await.is(201);
    assert_eq!(einstein.get("").await.is(200)[1]["expiration_date"], Value::Null);
}

#[tokio::test]
async fn unknown_parameter_is_refused() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    let known = vec![admin.made().await.0];
    for name in ["userId", "username", "UserName", "userid", "Expiry", "labels", "max-lifetime", "token", "x", ""] {
        let answer = admin.post(&format!("?expiry=72h&{name}=einstein")).await;
        answer.blames(name);
        assert!(answer.text.contains("there is no such parameter"), "{}", answer.text);
        assert_eq!(admin.listed().await, known, "{name}");
    }
    assert_eq!(service.by("einstein").listed().await, [""; 0]);
}

#[tokio::test]
async fn names_of_parameters_are_case_sensitive() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for name in ["EXPIRY", "Expiry", "eXpiry"] {
        einstein.post(&format!("?{name}=72h")).await.blames(name);
    }
    assert_eq!(einstein.listed().await, [""; 0]);
}

#[tokio::test]
async fn a_parameter_that_is_given_twice_makes_no_token() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    let twice = [
        ("expiry", "?expiry=1h&expiry=1h"),
        ("expiry", "?expiry=1h&label=x&expiry=72h"),
        ("label", "?expiry=1h&label=x&label=y"),
        ("window", "?window=1h&window=2h"),
        ("userName", "?expiry=1h&userName=einstein&userName=marie"),
    ];
    for (name, query) in twice {
        admin.post(query).await.blames(name);
    }
    for name in ["admin", "einstein", "marie"] {
        assert_eq!(service.by(name).listed().await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_token_ends_when_it_was_promised() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let made = einstein.post("?expiry=1m").await.is(200);
    let (id, secret) = (text(&made["id"]), text(&made["token"]));
    let second = Duration::from_secs(1);
    service.clock.advance(59 * second);
    assert!(service.accepts("einstein", &secret).await);
    assert_eq!(einstein.listed().await, [id]);
    service.clock.advance(second);
    assert!(!service.accepts("einstein", &secret).await);
    assert_eq!(einstein.listed().await, [""; 0]);
}
