//! The keys of routes that oCIS's proxy has too: the header with the user, further headers, and no internal token.

use serde_json::Value;

use crate::edge::backend::{Backend, header};
use crate::edge::raw;
use crate::edge::world::{World, basic};

/// The edge before one backend, with these routes.
async fn start(name: &str, routes: &str) -> (World, Backend) {
    let backend = Backend::start().await;
    let routes = routes.replace("BACKEND", &format!("http://{}", backend.address));
    let world = World::start_with(name, |layout| {
        let file = layout.folder().join("keys.yaml");
        std::fs::write(&file, routes).expect("the folder can be written to");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    })
    .await;
    (world, backend)
}

/// What reached the backend of headers that mean this one for some server.
fn spelled(seen: &Value, name: &str) -> Vec<String> {
    let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let pairs = ["headers", "trailers"].into_iter().flat_map(|part| seen[part].as_array().expect("a list"));
    let same = pairs.filter(|pair| letters(pair[0].as_str().expect("text")) == letters(name));
    same.map(|pair| pair[1].as_str().expect("text").to_owned()).collect()
}

/// Row E45.
#[tokio::test(flavor = "multi_thread")]
async fn remote_user_header_has_the_verified_user_only() {
    let routes = r"
routes:
  - { path: /app, backend: BACKEND, remote_user_header: X-Tenant-Person }
  - { path: /listed, backend: BACKEND, remote_user_header: Remote-User }
  - { path: /open, backend: BACKEND, unprotected: true, remote_user_header: X-Tenant-Person }
  - { path: /, backend: BACKEND, unprotected: true }
";
    let (world, backend) = start("edge-remote-user", routes).await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let token = world.family.token_of("einstein").await;
    let user = world.family.who_am_i(&token).await.expect("the token is good").id.expect("an id").opaque_id;
    let forged = [
        "x_tenant_person: forged",
        "X-Tenant-Person: forged",
        "X-TENANT-PERSON: forged",
        "X.Tenant.Person: forged",
        "X~Tenant~Person: forged",
        "remote_user: forged",
        "Remote-User: forged",
        "REMOTE-USER: forged",
    ];
    for (target, name, expected) in [
        ("/app/a", "x-tenant-person", Some(&user)),
        ("/listed/a", "remote-user", Some(&user)),
        ("/open/a", "x-tenant-person", None),
        // the same backend by another route
        ("/other", "x-tenant-person", None),
    ] {
        let lines: Vec<&str> = forged.into_iter().chain([&*authorization]).collect();
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), &lines).await.status(), 200, "{target}");
        let seen = backend.take();
        let found: Vec<String> = [spelled(&seen[0], "x-tenant-person"), spelled(&seen[0], "remote-user")].concat();
        assert_eq!(found, expected.into_iter().cloned().collect::<Vec<_>>(), "{target}: {seen:?}");
        assert_eq!(header(&seen[0], name).len(), usize::from(expected.is_some()), "{target}");
    }
    let request = format!(
        "POST /app/a HTTP/1.1\r\nHost: a\r\n{authorization}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         3\r\nabc\r\n0\r\nx_tenant_person: forged\r\n\r\n"
    );
    assert_eq!(raw::send(world.edge, request.as_bytes()).await.status(), 200);
    assert_eq!(spelled(&backend.take()[0], "x-tenant-person"), [user], "a trailer cannot say it either");
    assert_eq!(raw::request(world.edge, "GET /app/a", &forged).await.status(), 401);
    assert!(backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_add_headers_and_leave_the_internal_token_out() {
    let routes = r"
routes:
  - { path: /wopi, backend: BACKEND, skip_x_access_token: true, additional_headers: { X-Tenant: a } }
  - { path: /, backend: BACKEND }
";
    let (world, backend) = start("edge-skip-token", routes).await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let lines = [&*authorization, "X-Access-Token: forged", "X_Tenant: forged"];
    for (target, tokens, tenants) in [("/wopi/files", 0, &["a"][..]), ("/other", 1, &["forged"])] {
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), &lines).await.status(), 200, "{target}");
        let seen = backend.take();
        assert_eq!(spelled(&seen[0], "x-access-token").len(), tokens, "{target}: {seen:?}");
        assert_eq!(spelled(&seen[0], "x-tenant"), tenants, "{target}");
        assert_eq!(header(&seen[0], "x-multi-factor-authentication"), ["true"], "{target}");
    }
    assert_eq!(raw::request(world.edge, "GET /wopi/files", &[]).await.status(), 401, "a credential is still needed");
}
