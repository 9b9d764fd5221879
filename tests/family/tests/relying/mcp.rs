//! The SDK of the Model Context Protocol as a client: npm `@modelcontextprotocol/client`, and the former `@modelcontextprotocol/sdk`.

use std::collections::BTreeMap;

use testkit::{Layout, free_address};

use crate::relying::world::{Place, World};

/// Rows [E61](../../../../docs/security-requirements.md#e61) and [I77](../../../../docs/security-requirements.md#i77), RFC 6750 3.
#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_mcp_sdk_sign_in_without_registration_and_reach_their_server_alone() {
    let backend = free_address();
    let settle = |layout: &mut Layout| {
        let (routes, ca) = (layout.folder().join("routes.yaml"), layout.folder().join("ca.pem"));
        let text = format!(
            r"
routes:
  - {{ path: /notes, backend: 'http://{backend}', protected_resource: {{ name: Notes, scopes: [openid, profile, offline_access, 'path:/notes:rw'] }} }}
  - {{ path: /other, backend: 'http://{backend}', protected_resource: {{ name: Other }} }}
  - {{ path: /steps, backend: 'http://{backend}', protected_resource: {{ name: Steps, scopes: [openid, profile, 'path:/steps:r'] }} }}
access:
  - {{ path: /notes, scopes: ['path:/notes:rw'], action: authenticate }}
  - {{ path: /other, scopes: ['path:/notes:rw'], action: authenticate }}
  - {{ path: /steps/write, scopes: ['path:/steps:rw'], action: authenticate }}
  - {{ path: /steps, scopes: ['path:/steps:r'], action: authenticate }}
"
        );
        std::fs::write(&routes, text).expect("the folder can be written to");
        for (name, value) in [
            ("PROXY_ROUTES_FILE", routes.display().to_string().as_str()),
            ("IDP_CLIENT_ID_METADATA_DOCUMENTS", "true"),
            ("IDP_CLIENT_ID_METADATA_SCOPES", "path:/notes:rw,path:/steps:r,path:/steps:rw"),
            // the document is on this machine, and its server has the certificate of the test
            ("IDP_ALLOW_PRIVATE_ADDRESSES", "true"),
            ("IDP_OUTBOUND_CACERT", ca.display().to_string().as_str()),
        ] {
            layout.set(name, value);
        }
        BTreeMap::from([("BACKEND_PORT", backend.port().to_string())])
    };
    let Some(world) = World::start_with("mcp", Place::Edge, settle).await else { return };
    let done = world.node("mcp.mjs").await;
    assert_eq!(done.lines().count(), 10, "{done}");
}
