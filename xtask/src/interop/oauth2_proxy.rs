//! oauth2-proxy: users sign in at our idp to an application behind it.

use std::net::TcpStream;
use std::process::Command;

use super::Session;
use super::family::{Family, MAIL, USER};
use super::go_program::GoProgram;
use super::openid::CLIENT;
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

pub(super) const PROGRAM: GoProgram = GoProgram::new(
    "oauth2-proxy",
    ("github.com/oauth2-proxy/oauth2-proxy/v7", "v7.15.6"),
    "github.com/oauth2-proxy/oauth2-proxy/v7",
);

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let (proxy, client) = (session.build(&PROGRAM)?, session.build(&CLIENT)?);
    let family = Family::start(session, "oauth2-proxy", scenarios)?;
    let (address, upstream) = (session.processes.address()?, session.processes.address()?);
    let site = format!("http://localhost:{}", address.port());
    let callback = format!("{site}/oauth2/callback");
    let added = family.doorward(
        &[
            "client",
            "add",
            "--id",
            "oauth2-proxy",
            "--trusted",
            "--native",
            "--redirect-uri",
            &callback,
            "--scope",
            "openid profile email groups",
            "--id-token-claim",
            "email",
            "--id-token-claim",
            "groups",
            "--id-token-claim",
            "preferred_username",
        ],
        "",
    )?;
    let secret = added.lines().find_map(|line| line.strip_prefix("client_secret")).map(str::trim);
    let secret = secret.ok_or_else(|| format!("no secret: {added}"))?;
    let cookie_secret = tools::output(Command::new("openssl").args(["rand", "-hex", "16"]))?;

    let mut served = Command::new(&client);
    served.arg("upstream").env("ADDRESS", upstream.to_string());
    let mut application = session.processes.start(&mut served, &scenarios.log("upstream"))?;
    application.wait_for("the application is ready", 60, || TcpStream::connect(upstream).is_ok())?;
    let mut command = Command::new(proxy);
    command.args(["--provider=oidc", "--client-id=oauth2-proxy", "--email-domain=*", "--cookie-secure=false"]);
    command.args(["--code-challenge-method=S256", "--scope=openid profile email groups", "--skip-provider-button"]);
    command.arg(format!("--allowed-group={}", family.group_id()?));
    command.arg(format!("--oidc-issuer-url={}", family.url)).arg(format!("--client-secret={secret}"));
    command.arg(format!("--cookie-secret={}", cookie_secret.trim())).arg(format!("--redirect-url={callback}"));
    command.arg(format!("--provider-ca-file={}", family.certificates.path("ca.pem")));
    command.arg(format!("--http-address={address}")).arg(format!("--upstream=http://{upstream}/"));
    let mut running = session.processes.start(&mut command, &scenarios.log("oauth2-proxy"))?;
    running.wait_for("oauth2-proxy is ready", 60, || TcpStream::connect(address).is_ok())?;

    let mut browse = family.client(&client, "browse");
    let outcome = tools::output(browse.env("URL", format!("{site}/page"))).and_then(|said| reached(&said));
    scenarios.add("sign-in at idp to an application, allowed by a group of the ID token", outcome);
    Ok(())
}

/// The application has seen who the user is, and no password.
fn reached(said: &str) -> Outcome<String> {
    let wanted = [
        "upstream /page".to_owned(),
        format!("X-Forwarded-Email: {MAIL}"),
        format!("X-Forwarded-Preferred-Username: {USER}"),
    ];
    let missing = wanted.iter().find(|line| !said.contains(line.as_str()));
    missing.map_or_else(
        || Ok(format!("the application receives {MAIL} and {USER}")),
        |line| Err(format!("the application has not received `{line}`: {}", said.replace('\n', " "))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_has_to_be_reached_by_the_user() {
        let said = format!(
            "200 http://localhost/page\nupstream /page\nX-Forwarded-Email: {MAIL}\nX-Forwarded-Preferred-Username: {USER}\n"
        );
        assert!(reached(&said).is_ok());
        for line in ["upstream /page", "X-Forwarded-Email", "X-Forwarded-Preferred-Username"] {
            assert!(reached(&said.replace(line, "")).is_err(), "without {line}");
        }
    }
}
