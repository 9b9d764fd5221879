//! Writes the OpenAPI document of the HTTP API to the standard output. `cargo xtask openapi` renews the copy in `docs/openapi` by it.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(auth_app::http::openapi_document().as_bytes())
}
