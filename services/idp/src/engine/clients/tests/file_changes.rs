//! Changes of the file of clients.

use std::time::SystemTime;

use serde_json::json;
use uuid::Uuid;

use super::registry::{add, bench, find, wiki};
use super::*;
use crate::endpoints::EndpointProfile;
use crate::model::{Family, Grant};
use crate::testing::Bench;

const SECOND: Duration = Duration::from_secs(1);

/// Reads the file again, as after a change.
async fn read_file_again(bench: &Bench) -> Result<String, FileChangeError> {
    let clients = &bench.provider.clients;
    let mut reloads = clients.take_reloads().expect("a file that is not followed yet");
    let outcome = clients.read_file_again(&mut reloads).await;
    *clients.0.reloads.lock().expect("not poisoned") = Some(reloads);
    outcome
}

#[tokio::test]
async fn a_client_in_the_file_replaces_the_built_in_one_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    let write = |name: &str| {
        let text = format!("clients:\n  - id: web\n    name: {name}\n    redirect_uris: [https://other.example/]\n");
        std::fs::write(&file, text).expect("writes");
    };
    write("Other");
    let bench = bench(Some(file.clone())).await;
    let name = || async { find(&bench, "web").await.map(|client| client.presentation.name.clone()) };
    assert_eq!(name().await.as_deref(), Some("Other"));
    assert!(find(&bench, "OpenCloudDesktop").await.is_some(), "the others stay");
    std::fs::write(&file, "clients: [{id: web, redirect_uris: [http://other.example/]}]").expect("writes");
    read_file_again(&bench).await.expect_err("is refused");
    assert_eq!(name().await.as_deref(), Some("Other"));
    write("Third");
    let changes = read_file_again(&bench).await.expect("is read");
    assert_eq!(changes, "1 clients; added: []; changed: [web]; removed: []");
    assert_eq!(name().await.as_deref(), Some("Third"));
    std::fs::write(&file, "clients: []").expect("writes");
    read_file_again(&bench).await.expect("is read");
    assert_eq!(name().await.as_deref(), Some("OpenCloud Web"), "the built-in one is there again");
}

/// Begins a family of refresh tokens of a client, and returns its grant.
async fn begin_family(bench: &Bench, client: &str) -> Uuid {
    let (now, end) = (bench.clock.now(), bench.clock.now() + Duration::from_hours(1));
    let grant = Grant {
        id: bench.provider.random.uuid(),
        layout: EndpointProfile::OpenCloud,
        client: client.to_owned(),
        person: Some("einstein".to_owned()),
        sign_in: None,
        scope: "openid offline_access".parse().expect("scopes"),
        claims: None,
        resources: Vec::new(),
        actor: None,
        limited: false,
    };
    let id = grant.id;
    let family = Family { grant, binding: None, generation: 0, rotated: now, created: now, idle_end: end, end };
    bench.provider.store.begin_family(&family).await.expect("begins");
    id
}

/// Row [I60](../../../../../../docs/security-requirements.md#i60).
#[tokio::test]
async fn client_removed_from_the_file_loses_its_grants_and_others_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    let write = |ids: &[&str]| {
        let clients = ids.iter().map(|id| format!("{{id: {id}, redirect_uris: ['https://{id}.example/cb']}}"));
        let clients = clients.collect::<Vec<_>>().join(", ");
        std::fs::write(&file, format!("clients: [{clients}]")).expect("writes");
    };
    write(&["wiki", "lab"]);
    let bench = bench(Some(file.clone())).await;
    let (wiki, lab) = (begin_family(&bench, "wiki").await, begin_family(&bench, "lab").await);
    let is_there = async |grant| {
        let found = bench.provider.store.family(grant, bench.clock.now()).await.expect("answers");
        (found.is_some(), !bench.provider.revocations.contains(grant))
    };

    std::fs::write(&file, "clients: [{id: lab, redirect_uri: x}]").expect("writes");
    read_file_again(&bench).await.expect_err("is refused");
    std::fs::write(&file, "").expect("writes");
    read_file_again(&bench).await.expect_err("an editor has begun to write");
    for begun in ["clients:\n", "{}\n", "routes: []\n"] {
        std::fs::write(&file, begun).expect("writes");
        read_file_again(&bench).await.expect_err("it has no list");
    }
    std::fs::remove_file(&file).expect("removes");
    read_file_again(&bench).await.expect_err("is missing");
    assert!(find(&bench, "wiki").await.is_some() && is_there(wiki).await == (true, true), "nothing has changed");

    write(&["lab"]);
    let changes = read_file_again(&bench).await.expect("is read");
    assert_eq!(changes, "1 clients; added: []; changed: []; removed: [wiki]");
    assert!(find(&bench, "wiki").await.is_none());
    assert_eq!((is_there(wiki).await, is_there(lab).await), ((false, false), (true, true)));
}

/// Row [I60](../../../../../../docs/security-requirements.md#i60).
#[tokio::test]
async fn clients_that_were_removed_before_the_start_lose_their_grants_and_others_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    std::fs::write(&file, "clients: [{id: lab, redirect_uris: ['https://lab.example/cb']}]").expect("writes");
    let bench = bench(Some(file.clone())).await;
    let clients = &bench.provider.clients;
    add(&bench, wiki()).await.expect("is added");
    let registered = Metadata::parse(json!({ "redirect_uris": ["https://app.example/cb"] }).to_string().as_bytes());
    let by_itself = Addition::ByItself { secret_lifetime: None };
    let registered = clients.add(registered.expect("metadata"), by_itself).await.expect("is registered");
    let registered = registered.described.client.id.clone();
    let mut grants = Vec::new();
    for client in ["lab", "wiki", registered.as_str(), "web", "removed"] {
        grants.push((client, begin_family(&bench, client).await));
    }
    let now = bench.clock.now();
    bench.provider.store.give_consent("einstein", "asked", "openid", now).await.expect("is given");
    let left = async || {
        let mut left = Vec::new();
        for (client, grant) in &grants {
            if bench.provider.store.family(*grant, now).await.expect("answers").is_some() {
                left.push(*client);
            }
        }
        left
    };

    let write = |text: &str, at: SystemTime| {
        std::fs::write(&file, text).expect("writes");
        let opened = std::fs::File::options().write(true).open(&file).expect("opens");
        opened.set_modified(at).expect("has another time");
    };
    for begun in ["", "clients:\n"] {
        write(begun, now + SECOND);
        clients.revoke_what_no_source_has().await.expect("answers");
        assert_eq!(left().await.len(), grants.len(), "the file is not complete");
    }
    write("clients: []", now - SECOND);
    clients.revoke_what_no_source_has().await.expect("answers");
    assert_eq!(left().await.len(), grants.len(), "a replica with a newer file may know the clients");
    assert!(bench.provider.store.consent("einstein", "asked").await.expect("answers").is_some());
    write("clients: []", now + SECOND);
    clients.revoke_what_no_source_has().await.expect("answers");
    assert_eq!(left().await, ["lab", "wiki", registered.as_str(), "web"]);
    assert_eq!(bench.provider.store.consent("einstein", "asked").await.expect("answers"), None);
}

#[tokio::test]
async fn file_of_clients_with_an_algorithm_without_a_key_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    std::fs::write(&file, "clients: [{id: other, redirect_uris: ['https://other.example/']}]").expect("writes");
    let bench = bench(Some(file.clone())).await;
    bench.provider.clients.signing_algorithms().await.expect("answers");
    let signing =
        "clients: [{id: new, redirect_uris: ['https://other.example/'], id_token_signed_response_alg: EdDSA}]";
    std::fs::write(&file, signing).expect("writes");
    read_file_again(&bench).await.expect_err("is refused");
    assert!(find(&bench, "new").await.is_none() && find(&bench, "other").await.is_some());
}
