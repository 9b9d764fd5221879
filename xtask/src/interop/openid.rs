//! go-oidc: a relying party in Go that signs a user in.

use super::Session;
use super::family::Family;
use super::go_program::GoProgram;
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

/// The client of the scenarios; kubectl's, oauth2-proxy's and Mailpit's sign in by it too.
pub(super) const CLIENT: GoProgram = GoProgram {
    more: &[("golang.org/x/oauth2", "v0.36.0")],
    sources: &[
        ("main.go", include_str!("client/main.go")),
        ("browser.go", include_str!("client/browser.go")),
        ("upstream.go", include_str!("client/upstream.go")),
    ],
    ..GoProgram::new("client", ("github.com/coreos/go-oidc/v3", "v3.21.0"), ".")
};

const REDIRECT_URI: &str = "http://localhost:8000/callback";

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let client = session.build(&CLIENT)?;
    let family = Family::start(session, "go-oidc", scenarios)?;
    add_public_client(&family, "go-oidc")?;
    let call = |command| -> Outcome<String> {
        let mut call = family.client(&client, command);
        call.env("CLIENT_ID", "go-oidc").env("REDIRECT_URI", REDIRECT_URI);
        Ok(tools::output(&mut call)?.trim().to_owned())
    };
    scenarios.add("discovery; another spelling of the issuer is refused", call("discovery"));
    scenarios.add(
        "sign-in with PKCE, ID token (nonce, `at_hash`; changed or for another client: refused), userinfo",
        call("sign-in"),
    );
    Ok(())
}

/// Adds a client that has no secret and gets groups in its ID tokens.
pub(super) fn add_public_client(family: &Family<'_>, id: &str) -> Outcome {
    let scope = "openid profile email groups";
    let claims = ["--id-token-claim", "groups", "--id-token-claim", "email", "--id-token-claim", "preferred_username"];
    let mut add = vec!["client", "add", "--id", id, "--public", "--native", "--trusted"];
    add.extend(["--redirect-uri", REDIRECT_URI, "--scope", scope]);
    add.extend(claims);
    family.doorward(&add, "").map(drop)
}

/// An ID token of the user for such a client.
pub(super) fn id_token(family: &Family<'_>, client: &std::path::Path, id: &str) -> Outcome<String> {
    let mut call = family.client(client, "id-token");
    Ok(tools::output(call.env("CLIENT_ID", id).env("REDIRECT_URI", REDIRECT_URI))?.trim().to_owned())
}
