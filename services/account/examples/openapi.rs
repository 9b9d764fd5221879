//! Writes the OpenAPI document of the API to the standard output. `cargo xtask openapi` renews the copy in `docs/openapi` by it.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let document = account::openapi_document(account::Config::default().root());
    std::io::stdout().write_all(document.as_bytes())
}
