//! Mailpit: mail of idp arrives, and its link works.

use std::net::SocketAddr;
use std::process::Command;

use super::Session;
use super::family::{Family, MAIL, USER};
use super::go_program::GoProgram;
use super::openid::{CLIENT, add_public_client, id_token};
use super::processes::{get, write};
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

pub(super) const PROGRAM: GoProgram =
    GoProgram::new("mailpit", ("github.com/axllent/mailpit", "v1.33.1"), "github.com/axllent/mailpit");

const SENDER: &str = "noreply@cloud.example";
const LOGIN: &str = "cloud";
const LOGIN_PASSWORD: &str = "mail-passw0rd-Xv72";
const NEW_PASSWORD: &str = "interop-n3w-password-Kp53";

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let (mailpit, client) = (session.build(&PROGRAM)?, session.build(&CLIENT)?);
    let (smtp, http) = (session.processes.address()?, session.processes.address()?);
    let mut family = Family::prepare(session, "mailpit", scenarios)?;
    let logins = session.processes.scratch.join("mailpit-logins");
    write(&logins, &format!("{LOGIN}:{LOGIN_PASSWORD}\n"))?;
    let mut command = Command::new(mailpit);
    command.args(["--smtp", &smtp.to_string(), "--listen", &http.to_string(), "--disable-version-check"]);
    command.args(["--smtp-tls-cert", &family.certificates.path("server.pem")]);
    command.args(["--smtp-tls-key", &family.certificates.path("server.key"), "--smtp-require-starttls"]);
    command.arg("--smtp-auth-file").arg(&logins);
    command.arg("--database").arg(session.processes.scratch.join("mailpit.db"));
    let mut running = session.processes.start(&mut command, &scenarios.log("mailpit"))?;
    running.wait_for("Mailpit is ready", 60, || get(http, "/readyz").is_ok_and(|(status, _)| status == 200))?;
    for (name, value) in [
        ("OCIS_SMTP_HOST", "localhost".to_owned()),
        ("OCIS_SMTP_PORT", smtp.port().to_string()),
        ("OCIS_SMTP_SENDER", format!("Cloud <{SENDER}>")),
        ("OCIS_SMTP_USERNAME", LOGIN.to_owned()),
        ("OCIS_SMTP_PASSWORD", LOGIN_PASSWORD.to_owned()),
    ] {
        family.set(name, value);
    }
    family.run()?;
    add_public_client(&family, "mail")?;
    let mut mail = String::new();
    let arrived = tools::output(&mut family.client(&client, "forgotten"))
        .and_then(|_| {
            running.wait_for("a mail", 60, || {
                received(http).is_some_and(|text| {
                    mail = text;
                    true
                })
            })
        })
        .and_then(|()| has_addresses(http));
    if !scenarios.add("a mail of idp arrives, by STARTTLS and with a password", arrived) {
        return Ok(());
    }
    let outcome = reset(&family, &client, &mail);
    scenarios.add("the link in the mail sets a new password, once", outcome);
    Ok(())
}

/// The latest mail to the user, as plain text.
fn received(http: SocketAddr) -> Option<String> {
    let (status, text) = get(http, &format!("/view/latest.txt?query=to:{MAIL}")).ok()?;
    (status == 200).then_some(text)
}

fn has_addresses(http: SocketAddr) -> Outcome<String> {
    let (_, list) = get(http, "/api/v1/messages")?;
    let missing = [SENDER, MAIL].into_iter().find(|address| !list.contains(&format!("\"{address}\"")));
    missing.map_or(Ok(String::new()), |address| Err(format!("no mail has the address {address}: {list}")))
}

fn reset(family: &Family<'_>, client: &std::path::Path, mail: &str) -> Outcome<String> {
    let reset = || {
        let mut call = family.client(client, "reset");
        tools::output(call.env("MAIL", mail).env("NEW_PASSWORD", NEW_PASSWORD))
    };
    reset()?;
    if id_token(family, client, "mail").is_ok() {
        return Err(format!("{USER} still signs in with the earlier password"));
    }
    let mut call = family.client(client, "id-token");
    tools::output(
        call.env("PASSWORD", NEW_PASSWORD)
            .env("CLIENT_ID", "mail")
            .env("REDIRECT_URI", "http://localhost:8000/callback"),
    )?;
    if reset().is_ok() { Err("the link works twice".to_owned()) } else { Ok(String::new()) }
}
