//! What is sent through each proxy, and what has to become of it.

use std::time::{Duration, Instant};

use crate::front_proxies::client::{HOST, Request};
use crate::front_proxies::door::{Door, Want};
use crate::front_proxies::forged::{
    FORGED, NEEDED, ODD_PATHS, Part, TRAILING, spelled, with_forged, with_forged_identity,
};
use crate::front_proxies::front::Front;
use crate::front_proxies::world::NEIGHBOUR;

/// A path that is public from one address only.
pub(crate) const NEAR: &str = "/near";
/// A host all of whose paths are public.
pub(crate) const OPEN_HOST: &str = "open.example.org";
/// A host that a rule denies.
pub(crate) const CLOSED_HOST: &str = "closed.example.org";

const CREDENTIALS: &str = "Access";
const ODD: &str = "Ambiguous paths";
const LIES: &str = "Forged request data";
const HEADERS: &str = "Identity headers";
const REQUESTS: &str = "Other requests";
const AWAY: &str = "Doorward unavailable";

/// Sends everything, ending with an edge that hangs, and one that is gone.
pub(crate) async fn walk(door: &mut Door) {
    credentials(door).await;
    rules(door).await;
    odd_paths(door).await;
    lies(door).await;
    headers(door).await;
    hosts(door).await;
    dotted_hosts(door).await;
    requests(door).await;
    upgrades(door).await;
    away(door).await;
    let late = door.unexpected();
    if !late.is_empty() {
        door.fault(AWAY, "at the end", &format!("requests reached the application later: {late:?}"));
    }
}

async fn credentials(door: &mut Door) {
    let world = std::sync::Arc::clone(&door.world);
    for (path, place) in [("/files/a", "a private path"), ("/pub/a", "a public path")] {
        for (name, credential) in &world.credentials {
            let want = match *name {
                _ if path == "/pub/a" => Want::Anonymous,
                "no credential" | "a wrong password" => Want::Refused(&[401]),
                _ => Want::As("einstein"),
            };
            let row = format!("{place}, with {name}");
            let request = door.get(path).authorized(credential.as_deref());
            let plain = door.hold(CREDENTIALS, &row, &request, want).await;
            let forged = door.hold(CREDENTIALS, &row, &with_forged_identity(request), want).await;
            door.write(CREDENTIALS, &row, &[plain.text(), forged.text()]);
        }
    }
}

async fn rules(door: &mut Door) {
    let (einstein, admin) = (password(door), Some(door.world.admin.clone()));
    for (row, credential, path, want) in [
        ("a path for a role, by a user without it", &einstein, "/admin", Want::Refused(&[403])),
        ("a path for a role, by a user who has it", &admin, "/admin", Want::As("admin")),
        ("a denied path", &admin, "/internal/a", Want::Refused(&[403])),
    ] {
        let request = door.get(path).authorized(credential.as_deref());
        door.cell(CREDENTIALS, row, &request, want).await;
    }
}

/// An unusual path is refused, or decided by the form that the application gets.
async fn odd_paths(door: &mut Door) {
    let einstein = password(door);
    for path in ODD_PATHS {
        let mut texts = Vec::new();
        for credential in [None, einstein.as_deref()] {
            let outcome = door.ask(&with_forged_identity(door.get(path)).authorized(credential)).await;
            let target = outcome.reached.as_ref().map(|seen| seen.target.clone());
            // einstein may not go to /admin either, so that whatever passes has become public
            let is_public = |target: &String| target == "/pub" || (target.starts_with("/pub/") && !is_odd(target));
            if !target.as_ref().is_none_or(is_public) {
                door.fault(ODD, path, &format!("a request for {target:?} reaches the application"));
            }
            door.faults(ODD, path, &outcome);
            let reached = target.map(|target| format!(" as `{target}`"));
            texts.push(format!("{}{}", outcome.text(), reached.unwrap_or_default()));
        }
        door.write(ODD, &format!("`{path}`"), &texts);
    }
}

fn is_odd(target: &str) -> bool {
    ["..", "//", "%", ";", "\\"].iter().any(|part| target.contains(part))
}

async fn lies(door: &mut Door) {
    let preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")];
    for (row, headers) in [
        ("`X-Original-URI: /pub/a`", &[("X-Original-URI", "/pub/a")][..]),
        ("`X-Forwarded-Uri: /pub/a`", &[("X-Forwarded-Uri", "/pub/a")]),
        ("`X-Original-URL`, `X-Rewrite-URL`: `/pub/a`", &[("X-Original-URL", "/pub/a"), ("X-Rewrite-URL", "/pub/a")]),
        ("`X-Envoy-Original-Path: /pub/a`", &[("X-Envoy-Original-Path", "/pub/a")]),
        ("`X-Forwarded-Method: OPTIONS`", &[("X-Forwarded-Method", "OPTIONS"), preflight[0], preflight[1]]),
        ("`X-Original-Method: OPTIONS`", &[("X-Original-Method", "OPTIONS"), preflight[0], preflight[1]]),
        ("`X-Forwarded-Host: open.example.org`", &[("X-Forwarded-Host", OPEN_HOST)]),
        ("`X-Original-Host: open.example.org`", &[("X-Original-Host", OPEN_HOST)]),
    ] {
        let request = door.get("/files/a").with(headers);
        door.cell(LIES, row, &request, Want::Refused(&[401])).await;
    }
    let [a, b, c, d] = NEIGHBOUR;
    let neighbour = format!("{a}.{b}.{c}.{d}");
    let lie = format!("for={neighbour}");
    let headers = [("X-Forwarded-For", neighbour.as_str()), ("X-Real-IP", &neighbour), ("Forwarded", &lie)];
    let request = door.get(NEAR).with(&headers);
    let row = "a path that is public for a network: `X-Forwarded-For` names an address there";
    door.cell(LIES, row, &request, Want::Refused(&[401])).await;
    let near = Request { from: NEIGHBOUR.into(), ..door.get(NEAR) };
    door.cell(LIES, "the same path from there", &near, Want::Anonymous).await;
    let target = "/files/a?user=admin&rd=//evil.example&access_token=x";
    door.cell(LIES, "`?user=admin&rd=//evil.example`", &door.get(target), Want::Refused(&[401])).await;
    let request = door.get(target).authorized(password(door).as_deref());
    door.cell(LIES, "the same with a password", &request, Want::As("einstein")).await;
}

/// Every listed header, and some that have to get through.
async fn headers(door: &mut Door) {
    let einstein = password(door);
    for (what, part) in [("every listed name", Part::Names), ("two members of every listed family", Part::Families)] {
        // nginx takes out what it is named; a family it cannot be
        let is_known = door.front == Front::NginxInclude && part == Part::Families;
        for (place, path, credential, want) in [
            ("on a public path", "/pub/a", None, Want::Anonymous),
            ("with a password", "/files/a", einstein.as_deref(), Want::As("einstein")),
        ] {
            let row = format!("{what} in four spellings, {place}");
            let mut texts = Vec::new();
            for names in spelled(part) {
                let request = with_forged(door.get(path), &names).authorized(credential);
                let mut outcome = door.ask(&request).await;
                let forged = outcome.reached.as_ref().map(|seen| seen.names_with(FORGED)).unwrap_or_default();
                if is_known && !forged.is_empty() {
                    let is_plain =
                        |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                    if forged.iter().all(is_plain) {
                        outcome.faults.retain(|fault| !fault.contains(FORGED));
                    }
                    texts.push(format!("{}, with some of them", outcome.text()));
                } else {
                    texts.push(outcome.text());
                }
                door.held(HEADERS, &row, &request, want, &outcome);
            }
            door.write(HEADERS, &row, &texts);
        }
    }
    let needed: Vec<_> = NEEDED.iter().map(|name| (*name, "needed")).collect();
    let row = "headers that applications need";
    let request = door.get("/files/a").with(&needed).authorized(einstein.as_deref());
    let outcome = door.cell(HEADERS, row, &request, Want::As("einstein")).await;
    let passed = outcome.reached.map(|seen| seen.names_with("needed")).unwrap_or_default();
    let missing: Vec<_> = NEEDED.iter().filter(|name| !passed.iter().any(|passed| passed == *name)).collect();
    if !missing.is_empty() {
        door.fault(HEADERS, row, &format!("these do not get through: {missing:?}"));
    }
}

/// Hosts as clients may write them who want no rule to fit.
async fn dotted_hosts(door: &mut Door) {
    let einstein = password(door);
    for (row, host, want) in [
        ("a host that a rule denies", CLOSED_HOST.to_owned(), Want::Refused(&[403])),
        ("the same with a final dot", format!("{CLOSED_HOST}."), Want::Refused(&[403])),
        ("the same with a final dot and a port", format!("{CLOSED_HOST}.:80"), Want::Refused(&[403])),
        (
            "the same in capital letters with a final dot",
            format!("{}.", CLOSED_HOST.to_uppercase()),
            Want::Refused(&[403]),
        ),
        ("the same with two final dots", format!("{CLOSED_HOST}.."), Want::Refused(&[400, 403, 404])),
        ("a public host with a final dot", format!("{OPEN_HOST}."), Want::Anonymous),
    ] {
        let request = door.get("/files/a").with(&[("Host", &host)]);
        let request = if host.starts_with(OPEN_HOST) { request } else { request.authorized(einstein.as_deref()) };
        door.cell(REQUESTS, row, &request, want).await;
    }
}

/// Request lines that name a host of their own, or no path.
async fn hosts(door: &mut Door) {
    let open = format!("http://{OPEN_HOST}/files/a");
    let closed = format!("http://{HOST}/files/a");
    for (row, method, target, host) in [
        ("a request line with a public host, `Host` with another one", "GET", open.as_str(), HOST),
        ("a request line with a host that is not public, `Host` with a public one", "GET", &closed, OPEN_HOST),
        ("a request line without a path", "GET", "http://cloud.example.org", HOST),
        ("a path without a `/`", "GET", "files", HOST),
        ("an empty path", "GET", "?a", HOST),
        ("`OPTIONS *`", "OPTIONS", "*", HOST),
        ("`CONNECT`", "CONNECT", "127.0.0.1:22", HOST),
    ] {
        let request = Request { method, ..door.get(target) }.with(&[("Host", host)]);
        let outcome = door.ask(&request).await;
        if let Some(seen) = &outcome.reached {
            // only by the rule for the public host, and as that host
            let is_that_host = seen.header("host") == [OPEN_HOST] && seen.target == "/files/a";
            if !is_that_host {
                door.fault(REQUESTS, row, &format!("it reaches the application: {seen:?}"));
            }
        }
        door.faults(REQUESTS, row, &outcome);
        door.write(REQUESTS, row, &[outcome.text()]);
    }
}

async fn requests(door: &mut Door) {
    let einstein = password(door);
    let body = "0123456789abcdef".repeat(8 * 1024).into_bytes();
    let length = body.len().to_string();
    let post =
        Request { method: "POST", body: body.clone(), ..door.get("/files/a") }.with(&[("Content-Length", &length)]);
    door.cell(REQUESTS, "a POST of 128 KiB without a credential", &post, Want::Refused(&[401])).await;
    let row = "a POST of 128 KiB with a password";
    let outcome = door.cell(REQUESTS, row, &post.authorized(einstein.as_deref()), Want::As("einstein")).await;
    if outcome.reached.is_none_or(|seen| seen.body != body) {
        door.fault(REQUESTS, row, "the body is not what was sent");
    }
    trailer(door).await;
    moves(door).await;
    let request = Request { method: "PROPFIND", ..door.get("/files/a") }.with(&[("Depth", "1")]);
    door.cell(REQUESTS, "a PROPFIND with a password", &request.authorized(einstein.as_deref()), Want::As("einstein"))
        .await;
    let preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT")];
    let request = Request { method: "OPTIONS", ..door.get("/files/a") }.with(&preflight);
    door.cell(REQUESTS, "a browser's preflight", &request, Want::Anonymous).await;
    let filling = "a".repeat(4 * 1024);
    let names: Vec<_> = (0..16).map(|number| format!("X-Filling-{number}")).collect();
    let headers: Vec<_> = names.iter().map(|name| (name.as_str(), filling.as_str())).collect();
    let request = door.get("/files/a").with(&headers).authorized(einstein.as_deref());
    door.cell(REQUESTS, "64 KiB of headers", &request, Want::Stopped).await;
    let request = door.get("/files/a").authorized(einstein.as_deref());
    door.cell(REQUESTS, "an ordinary request after that", &request, Want::As("einstein")).await;
}

/// The proxy must pass the destination of a MOVE to Doorward.
async fn moves(door: &mut Door) {
    let folder = Some(door.world.folder.clone());
    let outside = format!("http://{HOST}/webdav/other/a");
    for (row, from, to, want) in [
        ("a GET in the folder that a token is for", "/webdav/photos/a", None, Want::As("einstein")),
        ("a GET outside of it", "/webdav/other/a", None, Want::Refused(&[403])),
        ("a MOVE within it", "/webdav/photos/a", Some("/webdav/photos/b"), Want::As("einstein")),
        ("a MOVE out of it", "/webdav/photos/a", Some(outside.as_str()), Want::Refused(&[403])),
    ] {
        let method = if to.is_some() { "MOVE" } else { "GET" };
        let request = Request { method, ..door.get(from) }.authorized(folder.as_deref());
        let destination: Vec<_> = to.map(|to| ("Destination", to)).into_iter().collect();
        let request = request.with(&destination);
        door.cell(REQUESTS, row, &request, want).await;
    }
}

/// A header behind the body. `HAProxy` is known to pass it on, which its page says.
async fn trailer(door: &mut Door) {
    let row = "a chunked POST with a forged trailer";
    let is_known = door.front == Front::HaProxy;
    let body = format!("2\r\nhi\r\n0\r\nX-Access-Token: {}\r\n\r\n", if is_known { TRAILING } else { FORGED });
    let headers = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Access-Token")];
    let post = Request { method: "POST", body: body.into_bytes(), ..door.get("/files/a") }.with(&headers);
    let request = post.authorized(password(door).as_deref());
    let outcome = door.hold(REQUESTS, row, &request, Want::As("einstein")).await;
    let is_passed_on = outcome.reached.as_ref().is_some_and(|seen| seen.has(TRAILING));
    if is_known != is_passed_on {
        door.fault(REQUESTS, row, "it is not as the page of the proxy says");
    }
    let text = outcome.text();
    door.write(REQUESTS, row, &[if is_passed_on { format!("{text}, with the trailer") } else { text }]);
}

async fn upgrades(door: &mut Door) {
    let einstein = password(door);
    let request = door.get("/files/a").with(&[
        ("Connection", "Upgrade, X-Access-Token, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ]);
    let outcome = door.ask(&request.authorized(einstein.as_deref())).await;
    let row = "an upgrade to HTTP/2";
    if outcome.reached.as_ref().is_some_and(|seen| !seen.header("upgrade").is_empty()) {
        door.fault(REQUESTS, row, &format!("the request reaches the application: {outcome:?}"));
    }
    door.faults(REQUESTS, row, &outcome);
    door.write(REQUESTS, row, &[outcome.text()]);
    let row = "a WebSocket whose `Connection` names our token";
    let request = door.get("/files/a").with(&[
        ("Connection", "Upgrade, X-Access-Token"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("X-Access-Token", FORGED),
    ]);
    let outcome = door.cell(REQUESTS, row, &request.authorized(einstein.as_deref()), Want::As("einstein")).await;
    if outcome.reached.is_none_or(|seen| seen.header("upgrade") != ["websocket"]) {
        door.fault(REQUESTS, row, "the upgrade to a WebSocket does not reach the application");
    }
}

async fn away(door: &mut Door) {
    door.edge.pause();
    refuses(door, "the edge hangs").await;
    door.edge.resume();
    // requests of that time may be answered now: no client waits for them
    let request = door.get("/files/a").authorized(password(door).as_deref());
    door.cell(AWAY, "the edge has resumed: a private path, with a password", &request, Want::As("einstein")).await;
    door.edge.kill();
    refuses(door, "the edge is down").await;
}

/// Everything is refused.
async fn refuses(door: &mut Door, how: &'static str) {
    let einstein = password(door);
    let mut requests = Vec::new();
    for (place, path) in [("a private path", "/files/a"), ("a public path", "/pub/a")] {
        for (what, credential) in [("without a credential", None), ("with a password", einstein.as_deref())] {
            let request = with_forged_identity(door.get(path)).authorized(credential);
            requests.push((format!("{how}: {place}, {what}"), request));
        }
    }
    let shared: &Door = door;
    let [(_, a), (_, b), (_, c), (_, d)] = &requests[..] else { unreachable!("two places, with and without") };
    let start = Instant::now();
    // at the same time, as each may wait long
    let (a, b, c, d) = tokio::join!(shared.ask(a), shared.ask(b), shared.ask(c), shared.ask(d));
    // the pages say eight seconds at most, and of Traefik thirty; a busy machine takes longer
    let longest = Duration::from_secs(if door.front == Front::Traefik { 40 } else { 15 });
    if start.elapsed() > longest {
        door.fault(AWAY, how, &format!("clients wait {:?}", start.elapsed()));
    }
    for ((row, _), outcome) in requests.into_iter().zip([a, b, c, d]) {
        let is_refused = outcome.reached.is_none() && outcome.status >= 400;
        if !is_refused {
            door.fault(AWAY, &row, &format!("{outcome:?}"));
        }
        door.write(AWAY, &row, &[outcome.text()]);
    }
}

fn password(door: &Door) -> Option<String> {
    door.world.credentials.iter().find(|(name, _)| *name == "a password").and_then(|(_, value)| value.clone())
}
