//! A client that is described by a document, and finds the issuer by itself, as clients of the Model Context Protocol do.

use std::collections::BTreeMap;

use testkit::{Layout, free_address};

use crate::relying::world::{Place, World};

/// Rows [E61](../../../../docs/security-requirements.md#e61), [E62](../../../../docs/security-requirements.md#e62),
/// [I77](../../../../docs/security-requirements.md#i77) and [R24](../../../../docs/security-requirements.md#r24).
#[tokio::test(flavor = "multi_thread")]
async fn client_of_a_document_finds_the_issuer_and_reaches_its_resource_alone() {
    let backend = free_address();
    let settle = |layout: &mut Layout| {
        let routes = layout.folder().join("routes.yaml");
        let text = format!(
            r"
routes:
  - {{ path: /notes, backend: 'http://{backend}', protected_resource: {{ name: Notes, scopes: [openid, profile, 'path:/notes:rw'] }} }}
  - {{ path: /other, backend: 'http://{backend}', protected_resource: {{ name: Other }} }}
  - {{ path: /plain, backend: 'http://{backend}' }}
access:
  - {{ path: /notes, scopes: ['path:/notes:rw'], action: authenticate }}
  - {{ path: /other, scopes: ['path:/notes:rw'], action: authenticate }}
  - {{ path: /plain, scopes: ['path:/notes:rw'], action: authenticate }}
"
        );
        std::fs::write(&routes, text).expect("the folder can be written to");
        for (name, value) in [
            ("PROXY_ROUTES_FILE", routes.display().to_string().as_str()),
            ("IDP_CLIENT_ID_METADATA_DOCUMENTS", "true"),
            ("IDP_CLIENT_ID_METADATA_SCOPES", "path:/notes:rw"),
            // the document is on this machine
            ("IDP_ALLOW_PRIVATE_ADDRESSES", "true"),
        ] {
            layout.set(name, value);
        }
        BTreeMap::from([("BACKEND_PORT", backend.port().to_string())])
    };
    let Some(world) = World::start_with("documents", Place::Edge, settle).await else { return };
    let done = world.node("documents.mjs").await;
    assert_eq!(done.lines().count(), 5, "{done}");
}
