//! Every service but the gateway and users can be left out.

use std::collections::BTreeSet;

use authn::kind;
use config::Environment;
use gateway::{Gateway, Peers};
use runtime::{Context, Service};

use crate::deploy::kubernetes::{Manifests, changed};
use crate::deploy::settings::{Files, check};

/// The services that can be left out, the other components that go with them, and the type of credentials that the gateway has no
/// more.
const OPTIONAL: [(&str, &[&str], Option<&str>); 8] = [
    ("auth-app", &[], Some(kind::APP)),
    ("auth-basic", &["idp", "browser-sessions"], Some(kind::BASIC)),
    ("auth-bearer", &["browser-sessions"], Some(kind::BEARER)),
    ("auth-machine", &[], Some(kind::MACHINE)),
    ("auth-service", &[], Some(kind::SERVICE)),
    ("idp", &["browser-sessions"], None),
    ("account", &[], None),
    ("proxy", &["browser-sessions"], None),
];

/// The types that the gateway answers for with the settings that it is given.
fn types(manifests: &Manifests, files: &Files) -> BTreeSet<&'static str> {
    let gateway = manifests.servers().find(|workload| workload.name() == "gateway").expect("it is there");
    let environment: Environment = files.variables(gateway, manifests).into_iter().collect();
    let config = config::load::<gateway::Config>(&Gateway::IDENTITY, &environment).expect("it is valid").config;
    let peers = Peers::remote(&config, &Context::new(environment)).expect("every endpoint is one");
    peers.providers.keys().copied().collect()
}

#[tokio::test]
async fn each_optional_service_can_be_left_out() {
    let files = Files::make();
    for (service, others, kind) in OPTIONAL {
        let without: Vec<_> = others.iter().copied().chain([service]).collect();
        for overlay in ["ha-postgres", "mtls"] {
            let Some(manifests) = changed(overlay, &without, &[]) else { return };
            for kind in ["Deployment", "Service", "NetworkPolicy", "Certificate"] {
                assert!(manifests.find(kind, service).is_none(), "{overlay} without {service}: {kind}");
            }
            if overlay == "ha-postgres" {
                // the settings of the other are the same
                check(&format!("without {service}"), &manifests, &files);
            }
            let expected: BTreeSet<_> = kind::ALL.iter().copied().filter(|one| Some(*one) != kind).collect();
            let found = types(&manifests, &files);
            assert_eq!(found, expected, "{overlay} without {service}");
        }
    }
}

#[tokio::test]
async fn gateway_and_users_are_enough() {
    let all: Vec<_> = OPTIONAL.iter().map(|(service, ..)| *service).chain(["browser-sessions"]).collect();
    let Some(manifests) = changed("ha-postgres", &all, &[]) else { return };
    assert_eq!(manifests.names_of("Deployment"), ["gateway", "users"].into());
    let files = Files::make();
    check("gateway and users", &manifests, &files);
    assert!(types(&manifests, &files).is_empty());
}
