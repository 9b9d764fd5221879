//! Starts the service.

use std::path::Path;

use config::Environment;
use runtime::{Context, Running};

const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

/// The service with its database in a folder, on free ports, with these variables.
pub(crate) async fn start(folder: &Path, more: &[(&str, String)]) -> Running {
    let all = [
        ("IDP_HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("IDP_GRPC_ADDR", "127.0.0.1:0".to_owned()),
        ("IDP_DEBUG_ADDR", String::new()),
        ("OCIS_URL", "https://cloud.example".to_owned()),
        ("IDP_DATABASE_URL", format!("sqlite://{}", folder.join("idp.db").display())),
        ("IDP_ENCRYPTION_SECRET", SECRET.to_owned()),
        ("IDP_JWT_SECRET", SECRET.to_owned()),
    ];
    let variables = all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone()));
    let context = Context::new(variables.collect::<Environment>());
    Box::pin(runtime::start::<idp::Idp>(&context)).await.expect("starts")
}
