//! The edge without the machine key: it looks the users of links up by a token or its client certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use runtime::Clock;
use testkit::{Browser, Layout, Mode, note_secret};
use workload::testing::SpiffeAuthority;

use super::{Site, key_of_session, link, opens, status};
use crate::edge::backend::header;
use crate::edge::world::client;

/// How long a change may take until it holds, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The name in the client certificates of the family's services.
const SERVICE: &str = "spiffe://doorward.test/service";

/// Leaves the machine key to auth-machine, so that the edge has none, and writes a policy with this entry.
fn replace_key_by_policy(layout: &mut Layout, entry: &str) -> PathBuf {
    let (key, policy) = (layout.machine_key.clone(), layout.folder().join("policy.yaml"));
    layout.unset("OCIS_MACHINE_AUTH_API_KEY");
    layout.set("AUTH_MACHINE_API_KEY", &key);
    write(&policy, entry);
    layout.set("OCIS_WORKLOAD_POLICY_FILE", &policy.display().to_string());
    policy
}

/// Replaces a policy at once.
fn write(policy: &Path, entry: &str) {
    let next = policy.with_extension("next");
    fs::write(&next, format!("callers:\n  - {entry}\n# end\n")).expect("writes");
    fs::rename(&next, policy).expect("renames");
}

/// Signs einstein in, and returns the key of the session, with which a link opens.
async fn usable_key(site: &Site) -> String {
    let mut browser = Browser::new();
    site.sign_in(&mut browser).await;
    let key = key_of_session(site, &mut browser).await;
    drop(site.world.backend.take());
    assert!(opens(site, &key).await);
    let token = header(&site.world.backend.take()[0], "x-access-token").concat();
    assert_eq!(site.world.family.who_am_i(&token).await.expect("good").username, "einstein");
    key
}

/// Puts this entry into the place of that of the edge: no link opens any more.
async fn end_by_policy(site: &Site, policy: &Path, entry: &str, key: &str) {
    write(policy, entry);
    site.world.family.hang_up();
    let begin = Instant::now();
    let ended = loop {
        let answer = status(client().get(link(site, key, "/dav/a.txt"))).await;
        if answer != StatusCode::OK {
            break answer;
        }
        assert!(begin.elapsed() < PATIENCE, "the entry is still in force");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(ended, StatusCode::FORBIDDEN, "auth-machine answers, and refuses");
}

/// Whether the audit log has a use of this proof by this caller.
fn audited(site: &Site, proof: &str, caller: &str) -> bool {
    let log = fs::read_to_string(&site.world.family.layout.variables()["OCIS_LOG_FILE"]).expect("a log");
    let wanted = [("event", "impersonation"), ("outcome", "granted"), ("proof", proof), ("caller", caller)];
    let wanted = wanted.map(|(name, value)| format!(r#""{name}":"{value}""#));
    log.lines().any(|line| wanted.iter().all(|field| line.contains(field)))
}

/// Rows M1 and M18 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn edge_without_the_key_looks_users_up_by_its_token() {
    let authority = SpiffeAuthority::new("example.org");
    let token = authority.svid("/edge", "doorward", Duration::from_hours(1), Clock::system().now());
    note_secret(&token);
    let mut policy = PathBuf::new();
    let site = Site::start("edge-workload-token", Mode::Processes, "", |layout| {
        let entry = format!(
            "{{ identity: '{}', audience: [doorward], may_act_for: {{ users: ['*'] }} }}",
            authority.id("/edge")
        );
        policy = replace_key_by_policy(layout, &entry);
        let [bundle, file] = ["bundle.json", "token"].map(|name| layout.folder().join(name));
        fs::write(&bundle, authority.bundle()).expect("writes");
        fs::write(&file, format!("{token}\n")).expect("writes");
        layout.set("OCIS_SPIFFE_TRUST_DOMAINS", &format!("example.org={}", bundle.display()));
        layout.set("PROXY_WORKLOAD_TOKEN_FILE", &file.display().to_string());
    })
    .await;
    let key = usable_key(&site).await;
    assert!(audited(&site, "jwt_svid", &authority.id("/edge")));

    // through the edge the token is no credential
    let url = format!("{}/dav/a.txt", site.own);
    for (request, name) in [
        (client().get(&url).bearer_auth(&token), "as access token"),
        (client().get(&url).basic_auth("einstein", Some(&token)), "as password"),
    ] {
        assert_eq!(status(request).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    assert!(site.world.backend.take().is_empty());
    let other = authority.id("/other");
    let other = format!("{{ identity: '{other}', audience: [doorward], may_act_for: {{ users: [einstein] }} }}");
    end_by_policy(&site, &policy, &other, &key).await;
}

/// Rows M1 and M18 of `docs/security-requirements.md`: no secret of a client is empty for the edge's certificate.
#[tokio::test(flavor = "multi_thread")]
async fn edge_without_the_key_looks_users_up_by_its_certificate() {
    let mut policy = PathBuf::new();
    let site = Site::start("edge-workload-certificate", Mode::ProcessesWithTls, "", |layout| {
        layout.set_tls();
        let entry = format!("{{ identity: '{SERVICE}', may_act_for: {{ users: ['*'] }} }}");
        policy = replace_key_by_policy(layout, &entry);
        layout.set("AUTH_MACHINE_TRUSTED_GATEWAYS", SERVICE);
        layout.set("PROXY_WORKLOAD_CERTIFICATE", "true");
    })
    .await;
    let key = usable_key(&site).await;
    assert!(audited(&site, "certificate", SERVICE));

    let url = format!("{}/dav/a.txt", site.own);
    let request = client().get(&url).basic_auth("einstein", Some(""));
    assert_eq!(status(request).await, StatusCode::UNAUTHORIZED, "an empty password");
    assert!(site.world.backend.take().is_empty());
    let other = "{ identity: 'other.example.org', may_act_for: { users: [einstein] } }";
    end_by_policy(&site, &policy, other, &key).await;
}
