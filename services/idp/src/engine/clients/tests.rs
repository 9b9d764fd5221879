//! Tests of clients: their metadata, those that are built in, the file, and the registry over a store.

mod built_in;
mod fapi2;
mod file;
mod file_changes;
mod metadata;
mod registry;

use oidc::redirect::Sites;
use runtime::Random;
use serde_json::Value;

use super::*;

const SITE: &str = "https://cloud.example";
const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

fn sites() -> Sites {
    Sites::parse([SITE]).expect("a site")
}

fn sealer() -> Sealer {
    Sealer::new(&SECRET.into(), &"".into(), Random::seeded(7))
}

/// The client of this metadata.
fn client(source: Source, metadata: &Value) -> Result<Client, MetadataError> {
    Client::from_metadata(&Metadata::parse(metadata.to_string().as_bytes())?, source, &sites())
}
