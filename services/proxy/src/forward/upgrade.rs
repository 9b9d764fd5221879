//! Upgrades to `WebSocket` (RFC 6455). There are no others: `h2c` in particular would carry requests past the edge.

use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The client's end, if the request is for a `WebSocket`.
pub(super) fn requested(parts: &mut Parts) -> Option<OnUpgrade> {
    let has = |name, wanted: &str| {
        let mut values = parts.headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        values.any(|value| value.split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted)))
    };
    let one = parts.headers.get_all(UPGRADE).iter().count() == 1;
    let wanted = parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && one
        && has(UPGRADE, "websocket")
        && has(CONNECTION, "upgrade");
    if wanted { parts.extensions.remove::<OnUpgrade>() } else { None }
}

/// Sets the headers that request a `WebSocket`, or grant one.
pub(super) fn set(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Joins both ends if the backend grants the upgrade; whether it does.
pub(super) fn accepted(
    client: Option<OnUpgrade>,
    response: &mut Response<Incoming>,
    shutdown: &CancellationToken,
) -> bool {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return false;
    }
    let Some(client) = client else {
        // The client did not request it, and would take what follows for a response.
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return false;
    };
    let (backend, shutdown) = (hyper::upgrade::on(response), shutdown.clone());
    tokio::spawn(async move {
        let joined = async {
            let (client, backend) = tokio::try_join!(client, backend)?;
            let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
            // Either end may disconnect at any time.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
            Ok::<_, hyper::Error>(())
        };
        if let Some(Err(error)) = shutdown.run_until_cancelled(joined).await {
            tracing::debug!(%error, "an upgrade was not completed");
        }
    });
    true
}
