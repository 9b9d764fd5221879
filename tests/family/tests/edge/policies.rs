//! The routes of an oCIS's `proxy.yaml`, with a policy for each user.

use std::net::SocketAddr;

use serde_json::json;
use testkit::Layout;

use crate::edge::backend::{Backend, header};
use crate::edge::issuer::Issuer;
use crate::edge::raw;
use crate::edge::world::{World, basic};

/// einstein has another policy than the others.
const BY_NAME: &str = r"
policy_selector:
  regex:
    default_policy: plain
    unauthenticated_policy: public
    selector_cookie_name: selector
    matches_policies:
      - { priority: 1, property: username, match: '^einstein$', policy: relative }
";

/// The issuer names the policy.
const BY_CLAIM: &str = r"
policy_selector:
  claims: { default_policy: plain, unauthenticated_policy: public, selector_cookie_name: selector }
";

const POLICIES: &str = r"
policies:
  - name: public
    routes:
      - { endpoint: /, backend: PUBLIC }
      - { endpoint: /open/, backend: PUBLIC, unprotected: true }
      - { type: regex, endpoint: ';', backend: PUBLIC }
  - name: plain
    routes:
      - { endpoint: /, backend: PLAIN }
      - { endpoint: /open/, backend: PLAIN, unprotected: true }
  - name: relative
    routes:
      - { endpoint: /a, backend: RELATIVE }
      - { endpoint: /dav/, backend: RELATIVE }
      - { endpoint: /free/, backend: RELATIVE, unprotected: true }
      - { endpoint: /open/, backend: RELATIVE, unprotected: true }
";

struct Behind {
    public: Backend,
    plain: Backend,
    relative: Backend,
}

impl Behind {
    /// The name of the backend that a request has reached, and what reached it.
    fn take(&self) -> Option<(&'static str, serde_json::Value)> {
        let all = [("public", &self.public), ("plain", &self.plain), ("relative", &self.relative)];
        let mut seen =
            all.into_iter().flat_map(|(name, backend)| backend.take().into_iter().map(move |one| (name, one)));
        let first = seen.next();
        assert!(seen.next().is_none(), "a request reaches one backend");
        first
    }
}

async fn start(name: &str) -> (World, Behind) {
    start_with(name, BY_NAME, |_| ()).await
}

async fn start_with(name: &str, selector: &str, more: impl FnOnce(&mut Layout)) -> (World, Behind) {
    let behind =
        Behind { public: Backend::start().await, plain: Backend::start().await, relative: Backend::start().await };
    let url = |address: SocketAddr| format!("http://{address}");
    let policies = POLICIES
        .replace("PUBLIC", &url(behind.public.address))
        .replace("PLAIN", &url(behind.plain.address))
        .replace("RELATIVE", &url(behind.relative.address));
    let world = World::start_with(name, |layout| {
        let [routes, file] = ["none.yaml", "proxy.yaml"].map(|name| layout.folder().join(name));
        std::fs::write(&routes, "routes: []\n").expect("the folder can be written to");
        std::fs::write(&file, format!("{selector}{policies}")).expect("the folder can be written to");
        layout.set("PROXY_ROUTES_FILE", &routes.display().to_string());
        layout.set("PROXY_POLICIES_FILE", &file.display().to_string());
        layout.set("ACCOUNT_FRONT_PAGE", "false");
        more(layout);
    })
    .await;
    (world, behind)
}

/// Row E47.
#[tokio::test(flavor = "multi_thread")]
async fn policy_is_that_of_the_claim_of_either_product() {
    let issuer = Issuer::start().await;
    let (world, behind) = start_with("edge-policy-claim", BY_CLAIM, |layout| issuer.settle(layout)).await;
    for (claims, reached) in [
        (json!({ "ocis.routing.policy": "relative" }), Some("relative")),
        (json!({ "opencloud.routing.policy": "relative" }), Some("relative")),
        (json!({ "opencloud.routing.policy": "" }), Some("plain")),
        (json!({ "opencloud": { "routing": { "policy": "relative" } } }), Some("plain")),
        (json!({ "opencloud.routing.policy": "unheard-of" }), None),
    ] {
        let token = format!("Authorization: Bearer {}", issuer.token(&claims));
        let reply = raw::request(world.edge, "GET /a", &[&token, "Cookie: selector=public"]).await;
        let status = if reached.is_some() { 200 } else { 403 };
        assert_eq!((reply.status(), behind.take().map(|(name, _)| name)), (status, reached), "{claims}: {reply:?}");
    }
    let app_token = format!("Authorization: {}", basic("einstein", &world.token));
    assert_eq!(raw::request(world.edge, "GET /a", &[&app_token]).await.status(), 200);
    assert_eq!(behind.take().map(|(name, _)| name), Some("plain"), "an app token has no claims");
}

/// Row E47.
#[tokio::test(flavor = "multi_thread")]
async fn policy_is_that_of_the_verified_user() {
    let (world, behind) = start("edge-policies").await;
    let einstein = format!("Authorization: {}", world.password());
    let admin = format!("Authorization: {}", basic("admin", &world.family.layout.password));
    for (credential, cookie, policy) in [
        (&einstein, "", "relative"),
        (&einstein, "selector=plain", "relative"),
        (&einstein, "selector=relative", "relative"),
        (&admin, "", "plain"),
        (&admin, "selector=relative", "plain"),
        (&admin, "selector=unheard-of", "plain"),
    ] {
        let cookies = if cookie.is_empty() { "Cookie: a=1".to_owned() } else { format!("Cookie: a=1; {cookie}") };
        let reply = raw::request(world.edge, "GET /a", &[credential, &cookies]).await;
        assert_eq!(reply.status(), 200, "{cookie} {policy}: {reply:?}");
        let (reached, seen) = behind.take().expect("a request");
        assert_eq!(reached, policy, "{cookie}");
        assert_eq!(header(&seen, "cookie"), ["a=1"], "backends do not see the cookie");
        assert_eq!(header(&seen, "x-access-token").len(), 1);
        let set: Vec<_> = reply.header("set-cookie").into_iter().map(str::to_owned).collect();
        let expected = format!("selector={policy}; HttpOnly; SameSite=Lax; Path=/");
        let expected = if cookie == format!("selector={policy}") { vec![] } else { vec![expected] };
        assert_eq!(set, expected, "{cookie}");
    }
    // a path for which the user's policy has no route
    assert_eq!(raw::request(world.edge, "GET /b", &[&einstein]).await.status(), 404);
    assert_eq!(raw::request(world.edge, "GET /b", &[&admin]).await.status(), 200);
    assert_eq!(behind.take().map(|(name, _)| name), Some("plain"));
    // names that servers read differently, of which the policy without a user has another route for each reading
    for (credential, reached) in [(&einstein, "relative"), (&admin, "plain")] {
        for target in ["/dav/spaces/a;b.txt", "/dav/spaces/100%2525.txt"] {
            let reply = raw::request(world.edge, &format!("PROPFIND {target}"), &[credential]).await;
            assert_eq!(reply.status(), 200, "{target}: {reply:?}");
            let (name, seen) = behind.take().expect("a request");
            assert_eq!((name, &seen["target"]), (reached, &serde_json::json!(target)));
        }
        let other = raw::request(world.edge, "GET /a/b;c", &[credential]).await;
        assert_eq!((other.status(), behind.take().is_none()), (400, true), "no file: {other:?}");
    }
    let without = raw::request(world.edge, "PROPFIND /dav/spaces/a;b.txt", &[]).await;
    assert_eq!((without.status(), behind.take().is_none()), (401, true), "{without:?}");
    // where it needs none, the token is not sent
    assert_eq!(raw::request(world.edge, "GET /free/a", &[&einstein]).await.status(), 200);
    let (reached, seen) = behind.take().expect("a request");
    assert_eq!((reached, header(&seen, "x-access-token").len()), ("relative", 0));
}

/// Row E13.
#[tokio::test(flavor = "multi_thread")]
async fn client_that_the_file_names_is_offered_its_scheme_alone() {
    let agents = "auth_middleware: { credentials_by_user_agent: { mirall: basic, Sync/1: bearer } }";
    let (world, behind) = start_with("edge-user-agents", &format!("{agents}{BY_NAME}"), |_| ()).await;
    for (agent, schemes) in [
        ("Mozilla/5.0 (Linux) mirall/3.2", &["Basic"][..]),
        ("Sync/1.2", &["Bearer"]),
        ("curl/8", &["Bearer", "Basic"]),
    ] {
        let reply = raw::request(world.edge, "GET /a", &[&format!("User-Agent: {agent}")]).await;
        let challenges = reply.header("www-authenticate");
        let offered: Vec<_> = challenges.iter().filter_map(|challenge| challenge.split(' ').next()).collect();
        assert_eq!((reply.status(), &offered[..]), (401, schemes), "{agent}: {reply:?}");
        assert!(behind.take().is_none(), "{agent}");
    }
}

/// Row E47.
#[tokio::test(flavor = "multi_thread")]
async fn cookie_selects_the_backend_of_unprotected_requests_only() {
    let (world, behind) = start("edge-policy-cookie").await;
    for (target, cookie, expected) in [
        ("/open/a", "a=1", Some("public")),
        ("/open/a", "selector=relative", Some("relative")),
        ("/open/a", "selector=plain", Some("plain")),
        ("/open/a", "selector=unheard-of", Some("public")),
        ("/open/a", "selector=plain; selector=relative", Some("public")),
        ("/free/a", "selector=relative", Some("relative")),
        ("/free/a", "a=1", None),
        ("/a", "a=1", None),
        ("/a", "selector=relative", None),
        ("/a", "selector=plain", None),
        ("/b", "selector=relative", None),
        ("/data/a", "selector=plain", None),
        ("/magic_guest_link_auth/a", "selector=plain", None),
    ] {
        let reply = raw::request(world.edge, &format!("GET {target}"), &[&format!("Cookie: {cookie}")]).await;
        let reached = behind.take().map(|(name, _)| name);
        let status = if expected.is_some() { 200 } else { 401 };
        assert_eq!((reply.status(), reached), (status, expected), "{target} {cookie}");
        assert_eq!(reply.header("set-cookie").len(), 0, "{target} {cookie}");
    }
}
