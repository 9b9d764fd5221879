//! The commands and calls that the documents of ownCloud and Cells show, as they show them: only the program's name, the
//! host and the values that they leave open are filled in.

use std::process::Command;

use authn::Permission;
use proto::cs3::auth::applications::v1beta1::{GenerateAppPasswordRequest, ListAppPasswordsRequest};
use proto::cs3::identity::user::v1beta1::FindUsersRequest;
use serde_json::Value;
use status::Kind;
use testkit::{Certificates, Finished, Layout, Mode, TestFamily, is_ok, note_secret};
use tonic::{Code, Request, metadata::MetadataValue};

fn succeeded(finished: &Finished) -> &str {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.as_str()
}

/// The first word of a text that is a token.
fn token_in(text: &str) -> String {
    let token = text.split_whitespace().find(|word| word.starts_with("dwa_")).expect("a token is printed");
    note_secret(token);
    token.to_owned()
}

/// A family whose `/auth-app/tokens` speaks TLS, as in the documents, and the certificate of its authority.
async fn family(name: &str) -> (TestFamily, Certificates) {
    let mut layout = Layout::new(name, false);
    let made = Certificates::make(layout.folder(), "spiffe://doorward.test/auth-app");
    layout.set("OCIS_HTTP_TLS_ENABLED", "true");
    layout.set("OCIS_HTTP_TLS_CERTIFICATE", &made.certificate.display().to_string());
    layout.set("OCIS_HTTP_TLS_KEY", &made.key.display().to_string());
    layout.set("AUTH_APP_ENABLE_IMPERSONATION", "true");
    layout.set("AUTH_MACHINE_ALLOW_IMPERSONATION", "*=users,*=admins");
    (TestFamily::start_with(layout, Mode::OneProcess, |context| context).await, made)
}

/// Runs a documented call of curl; answers the status and the body.
fn curl(family: &TestFamily, authority: &Certificates, documented: &str, filled_in: &[(&str, &str)]) -> (u16, Value) {
    let host = family.layout.variables()["AUTH_APP_HTTP_ADDR"].replace("127.0.0.1", "localhost");
    let mut call = documented.replace("<your host:9200>", &host);
    for (open, value) in filled_in {
        call = call.replacen(open, value, 1);
    }
    let call = format!(r"{call} --silent --write-out '\n%{{http_code}}'");
    let run = Command::new("sh").args(["-c", &call]).env("CURL_CA_BUNDLE", &authority.ca).output();
    let run = run.expect("this test needs curl: install the package curl (Debian)");
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    let (body, status) = text.rsplit_once('\n').expect("a status");
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") };
    (status.parse().expect("a number"), body)
}

const CREATE: &str = "curl --request POST 'https://<your host:9200>/auth-app/tokens?expiry={value}' \
     --header 'accept: application/json' \
     --header 'authorization: Bearer {token}'";
const LIST: &str = "curl --request GET 'https://<your host:9200>/auth-app/tokens' \
     --header 'accept: application/json' \
     --header 'authorization: Bearer {token}'";
const DELETE: &str = "curl --request DELETE 'https://<your host:9200>/auth-app/tokens?token={value}' \
     --header 'accept: application/json' \
     --header 'authorization: Bearer {token}'";
const IMPERSONATE: &str = "curl --request POST 'https://<your host:9200>/auth-app/tokens?expiry={value}&userName={value}' \
     --header 'accept: application/json' \
     --header 'authorization: Bearer {token}'";

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_the_owncloud_document_work_in_one_process() {
    let (family, authority) = family("documented-calls").await;
    let session = family.token_of("einstein").await;
    let bearer = ("{token}", session.as_str());

    let (status, made) = curl(&family, &authority, CREATE, &[("{value}", "72h"), bearer]);
    assert_eq!((status, made["label"].as_str()), (200, Some("Generated via API")), "{made}");
    let secret = token_in(made["token"].as_str().expect("a token"));
    for member in ["token", "expiration_date", "created_date", "label"] {
        assert!(made[member].is_string(), "{member} is documented: {made}");
    }
    let (user, _) = family.authenticate("appauth", "einstein", &secret).await.expect("it authenticates");
    assert_eq!(user.username, "einstein");
    family.authenticate("appauth", "", &secret).await.expect("also as a bearer");

    let (status, listed) = curl(&family, &authority, LIST, &[bearer]);
    assert_eq!((status, listed.as_array().map(Vec::len)), (200, Some(1)), "{listed}");
    assert_eq!(listed[0]["token"], made["id"], "a list carries the id, never the secret or a hash");

    let (status, _) = curl(&family, &authority, DELETE, &[("{value}", &secret), bearer]);
    assert_eq!(status, 200, "by the token that was issued, as is documented");
    let refused = family.authenticate("appauth", "einstein", &secret).await.expect_err("it has ended");
    assert_eq!(refused.0, Kind::Unauthenticated, "on the very next request");
    let (status, _) = curl(&family, &authority, DELETE, &[("{value}", &secret), bearer]);
    assert_eq!(status, 404);

    let admin = family.token_of("admin").await;
    let for_marie = [("{value}", "1h"), ("{value}", "marie"), ("{token}", admin.as_str())];
    let (status, made) = curl(&family, &authority, IMPERSONATE, &for_marie);
    assert_eq!((status, made["label"].as_str()), (200, Some("Generated via Impersonation API")), "{made}");
    let secret = token_in(made["token"].as_str().expect("a token"));
    let (user, internal) = family.authenticate("appauth", "marie", &secret).await.expect("hers");
    assert_eq!(user.username, "marie");
    let (administrator, actor) = (family.claims_of(&admin).user.id.opaque_id, family.claims_of(&internal).actor);
    assert_eq!(actor.expect("the administrator acts").subject(), administrator);
    let (status, _) = curl(&family, &authority, IMPERSONATE, &[("{value}", "1h"), ("{value}", "marie"), bearer]);
    assert_eq!(status, 403, "not by who is no administrator");
    let (status, _) = curl(&family, &authority, LIST, &[("{token}", "junk")]);
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_the_owncloud_document_works_in_one_process() {
    let family = TestFamily::start("documented-command", Mode::OneProcess).await;
    // ocis auth-app create --user-name={user-name} --expiration={token-expiration}
    for expiration in ["--expiration=72h", "--expiration=1h", "--expiration=1m", "--expiration=1s", "--label=phone"] {
        let printed = family.command(&["auth-app", "create", "--user-name=einstein", expiration], "").await;
        let token = token_in(succeeded(&printed));
        assert_eq!(printed.stdout, format!("{token}\n"));
        if expiration != "--expiration=1s" {
            family.authenticate("appauth", "einstein", &token).await.expect(expiration);
        }
    }
    let prompted = family.command(&["auth-app", "create", "--quiet"], "marie\n").await;
    let token = token_in(succeeded(&prompted));
    assert_eq!(prompted.stdout, token, "and nothing else");

    let listed = family.command(&["auth-app", "list", "--user-name", "marie", "--json"], "").await;
    let listed: Value = serde_json::from_str(succeeded(&listed)).expect("JSON");
    let id = listed[0]["id"].as_str().expect("an id").to_owned();
    assert!(!listed.to_string().contains(&token));
    let shown = family.command(&["auth-app", "show", &id], "").await;
    assert!(succeeded(&shown).contains("Generated via CLI"), "{}", shown.stdout);
    let revoked = family.command(&["auth-app", "revoke", "--token-stdin"], &format!("{token}\n")).await;
    assert_eq!(succeeded(&revoked), format!("revoked {id}\n"));
    family.authenticate("appauth", "marie", &token).await.expect_err("on the very next request");
    let shown = family.command(&["auth-app", "show", &id], "").await;
    assert!(succeeded(&shown).contains("revoked"), "{}", shown.stdout);
    let all = family.command(&["auth-app", "revoke", "--all-of", "einstein", "--yes"], "").await;
    assert!(succeeded(&all).starts_with("revoked "), "{}", all.stdout);
    assert_eq!(succeeded(&family.command(&["auth-app", "prune"], "").await), "removed 0 app tokens\n");

    for wrong in [
        &["create", "--user-name=einstein", "--expiration=-1h"][..],
        &["create", "--user-name=einstein", "--expiration=0s"],
        &["create", "--user-name=einstein", "--expiration=99999999999999999999h"],
        &["create", "--user-name=einstein", "--expiration=20000h"],
        &["create", "--user-name=unknown"],
        &["create", "--user-name=einstein", "--scope=node:*:rw"],
        &["create", "--user-name=einstein", "--window=10s"],
        &["create", "--user-name=einstein", "--window=1h", "--expiration=1h"],
        &["create", "--user-name=einstein", "--max-lifetime=1h"],
        &["create"],
        &["show", "junk"],
        &["revoke", "00000000-0000-0000-0000-000000000000"],
        &["import", "--from", "ocis", "/nowhere.json"],
    ] {
        let arguments: Vec<&str> = std::iter::once("auth-app").chain(wrong.iter().copied()).collect();
        let refused = family.command(&arguments, "").await;
        assert_ne!(refused.code, 0, "{wrong:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{wrong:?}: {}", refused.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_cells_document_work_in_one_process() {
    let family = TestFamily::start("documented-cells", Mode::OneProcess).await;
    let node = "1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11";
    let scope = format!("node:{node}:rw");
    for (arguments, words) in [
        // ./cells admin user token -u admin -e 24h, and as the examples in its help write it
        (&["admin", "user", "token", "-u", "admin", "-e", "24h"][..], "will expire on"),
        (&["user", "token", "-u", "admin", "-e", "24h"], "will expire on"),
        (&["user", "token", "-u", "admin", "-a", "600"], "unless it is used"),
        (&["admin", "user", "token", "--user", "admin", "--auto", "10m"], "unless it is used"),
        (&["admin", "user", "token", "-u", "admin", "-e", "24h", "-s", &scope, "-s", "profile"], "will expire on"),
    ] {
        let printed = family.command(arguments, "").await;
        assert!(succeeded(&printed).contains(words), "{}", printed.stdout);
        let token = token_in(&printed.stdout);
        let (user, _) = family.authenticate("appauth", "admin", &token).await.expect("as a password");
        assert_eq!(user.username, "admin");
        family.authenticate("appauth", "", &token).await.expect("as a bearer");
    }
    let quiet = family.command(&["admin", "user", "token", "-u", "admin", "-e", "24h", "-q"], "").await;
    assert_eq!(succeeded(&quiet), token_in(&quiet.stdout));
    let help = family.command(&["admin", "user", "token", "--help"], "").await;
    for flag in ["-a, --auto", "-e, --expire", "-h, --help", "-s, --scope", "-u, --user", "-q, --quiet"] {
        assert!(succeeded(&help).contains(flag), "{flag}: {}", help.stdout);
    }
    for wrong in [
        &["-u", "admin"][..],
        &["-e", "24h"],
        &["-u", "admin", "-e", "24h", "-a", "600"],
        &["-u", "admin", "-a", "59"],
        &["-u", "admin", "-e", "soon"],
        &["-u", "unknown", "-e", "24h"],
        &["-u", "admin", "-e", "24h", "-s", "node:x:rwx"],
        &["-u", "admin", "-e", "24h", "-s", ""],
    ] {
        let arguments: Vec<&str> = ["admin", "user", "token"].into_iter().chain(wrong.iter().copied()).collect();
        let refused = family.command(&arguments, "").await;
        assert!(refused.code != 0 && refused.stdout.is_empty() && !refused.stderr.is_empty(), "{wrong:?}");
    }
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-access-token", MetadataValue::try_from(token).expect("ASCII"));
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_token_is_refused_for_other_calls_in_any_process() {
    for mode in [Mode::OneProcess, Mode::Processes] {
        let family = TestFamily::start("process-narrow", mode).await;
        let node = "node:1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11";
        let printed =
            family.command(&["auth-app", "create", "--user-name=admin", &format!("--scope={node}:r")], "").await;
        let token = token_in(succeeded(&printed));
        let (_, jwt) = family.authenticate("appauth", "admin", &token).await.expect("it authenticates");
        family.who_am_i(&jwt).await.expect("it says who it is");
        let ask = GenerateAppPasswordRequest {
            token_scope: (&authn::Scopes::full_user()).into(),
            ..GenerateAppPasswordRequest::default()
        };
        let made = family.gateway().generate_app_password(with_token(ask, &jwt)).await.expect("answers").into_inner();
        assert!(!is_ok(made.status.as_ref()), "it makes no tokens");
        let list = ListAppPasswordsRequest::default();
        let listed = family.gateway().list_app_passwords(with_token(list, &jwt)).await.expect("answers").into_inner();
        assert!(!is_ok(listed.status.as_ref()), "nor lists them");
        let query =
            FindUsersRequest { filters: proto::find_users::encode_query_old("marie"), ..FindUsersRequest::default() };
        let found = family.gateway().find_users(with_token(query, &jwt)).await.expect_err("nor searches");
        assert_eq!(found.code(), Code::PermissionDenied);
        let scopes = authn::Grants::parse([format!("{node}:r").as_str()]).expect("a scope").to_cs3();
        let access =
            |permission| authn::Access::Tree { permission, node: Some(&node[5..]), ancestors: &[], path: None };
        assert!(scopes.allow(&access(Permission::Read)) && !scopes.allow(&access(Permission::Write)), "row G12");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_app_tokens_in_any_process() {
    for mode in [Mode::OneProcess, Mode::Processes] {
        let family = TestFamily::start("process-ended", mode).await;
        let (hers, his) = (family.app_token("marie").await, family.app_token("einstein").await);
        for (login, token) in [("marie", &hers), ("einstein", &his)] {
            family.authenticate("appauth", login, token).await.expect("it is good");
        }
        let new = "an entirely new secret phrase";
        note_secret(new);
        succeeded(&family.command(&["user", "passwd", "marie", "--password-stdin"], new).await);
        family.authenticate("appauth", "marie", &hers).await.expect_err("it has ended");
        family.authenticate("appauth", "einstein", &his).await.expect("his password is the same");
        let after = family.app_token("marie").await;
        family.authenticate("appauth", "marie", &after).await.expect("a new one works");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_other_systems_are_taken_over_in_one_process() {
    let family = TestFamily::start("process-import", Mode::OneProcess).await;
    let shown = family.command(&["user", "show", "marie"], "").await;
    let id = succeeded(&shown).split_whitespace().nth(1).expect("an id").to_owned();
    // recorded from the Go family; the owner's identifier and the end are this test's
    let (secret, hash) = ("2w0nBg795K6aN3h8", "$2a$11$YNTd2s/ktiERmKraAvzVeesUaPUKTs.SqisVLiihZ14/9BG3jA1Te");
    let file = format!(
        r#"{{"idp:\"https://localhost:9200\"  opaque_id:\"{id}\"  type:USER_TYPE_PRIMARY": {{"{hash}":
        {{"password": "{hash}", "token_scope": {{"user": {{"resource": {{"decoder": "json", "value": "e30="}}, "role": 1}}}},
        "label": "bench", "expiration": {{"seconds": 4102444800}}, "ctime": {{"seconds": 1795317425}}}}}}}}"#
    );
    let path = family.layout.folder().join("appauth.json");
    std::fs::write(&path, file).expect("writes");
    let import = ["auth-app", "import", "--from", "ocis", path.to_str().expect("UTF-8")];
    let dry: Vec<&str> = import.iter().copied().chain(["--dry-run"]).collect();
    assert!(succeeded(&family.command(&dry, "").await).contains("1 would be imported"));
    assert!(succeeded(&family.command(&import, "").await).contains("1 imported"));
    assert!(succeeded(&family.command(&import, "").await).contains("1 imported before"));
    for _ in 0..2 {
        family.authenticate("appauth", "marie", secret).await.expect("it goes on working");
    }
    family.authenticate("appauth", "einstein", secret).await.expect_err("for its owner alone");
    let listed = family.command(&["auth-app", "list", "--user-name", "marie"], "").await;
    assert!(succeeded(&listed).contains("bench"), "{}", listed.stdout);
    succeeded(&family.command(&["auth-app", "revoke", hash], "").await);
    family.authenticate("appauth", "marie", secret).await.expect_err("it was ended by its hash");
}
