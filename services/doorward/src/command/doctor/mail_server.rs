//! The mail server.

use std::error::Error;

use mail::{Mail, MailServerReport, probe, send_once};

use super::{Finding, Installation, Subject};
use crate::cli::Check;
use crate::services::ServiceId;

/// Connects as for a mail, and sends one if an address is given.
pub(super) async fn check(installation: &Installation, address: Option<&str>) -> Vec<Finding> {
    let settings = &installation.settings.idp.mail;
    let subject = Subject::new(Check::Mail, "mail");
    if !installation.enabled.contains(ServiceId::Idp) {
        return vec![subject.not_checked("idp, which sends mail, does not run with this configuration")];
    }
    if !settings.is_on() {
        return vec![subject.not_checked("no mail is sent (OCIS_SMTP_HOST): users cannot reset forgotten passwords")];
    }
    let connected = async {
        match probe(settings).await {
            Ok(Some(report)) => of_server(&report, &settings.encryption, !settings.username.is_empty()),
            Ok(None) => vec![subject.not_checked("mails go to the log or a folder (IDP_MAIL_TRANSPORT)")],
            Err(problem) => {
                let problem = innermost(&problem);
                let remedy = "see OCIS_SMTP_HOST, OCIS_SMTP_PORT and OCIS_SMTP_ENCRYPTION, and whether its certificate is trusted";
                vec![Subject::new(Check::Mail, &settings.host).failed(problem, remedy)]
            }
        }
    };
    let mut findings = subject.within_limit(connected).await;
    if let Some(address) = address {
        let sent = async { vec![send(installation, address).await] };
        findings.extend(subject.within_limit(sent).await);
    }
    findings
}

/// Those around the innermost cause only say that it failed.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn of_server(report: &MailServerReport, encryption: &str, has_user: bool) -> Vec<Finding> {
    let MailServerReport { address, is_encrypted, offers_starttls, offers_auth, accepts_user } = report;
    let subject = Subject::new(Check::Mail, address);
    let mut findings = vec![match (*is_encrypted, encryption) {
        (true, _) => subject.ok("it answers, and the connection is encrypted"),
        (false, "none") if *offers_starttls => {
            subject.warning("it offers STARTTLS, which is not used", "set OCIS_SMTP_ENCRYPTION=starttls")
        }
        (false, "none") => subject.ok("it answers; the connection is not encrypted (OCIS_SMTP_ENCRYPTION=none)"),
        (false, _) => {
            let remedy = "set OCIS_SMTP_ENCRYPTION to tls and its port, or to none for a server on this machine";
            subject.failed("it does not offer STARTTLS, without which no mail is sent", remedy)
        }
    }];
    match accepts_user {
        Some(true) => findings.push(subject.ok("it accepts the user")),
        Some(false) => {
            findings.push(subject.failed("it refuses the user", "correct OCIS_SMTP_USERNAME and OCIS_SMTP_PASSWORD"));
        }
        None if has_user && !offers_auth => {
            let remedy = "unset OCIS_SMTP_USERNAME, or name a port for submission (587, 465)";
            findings.push(subject.failed("it does not offer to authenticate users", remedy));
        }
        None if has_user => findings.push(subject.not_checked("whether it accepts the user")),
        None => {}
    }
    findings
}

async fn send(installation: &Installation, address: &str) -> Finding {
    let settings = &installation.settings.idp.mail;
    let subject = Subject::new(Check::Mail, address);
    let text = "This mail was sent by doorward doctor, to try the mail server. There is nothing to do.";
    let mail = Mail {
        to: address.to_owned(),
        subject: "A test of the mail server".to_owned(),
        text: text.to_owned(),
        html: format!("<p>{text}</p>"),
    };
    match send_once(settings, &mail, installation.context.random.clone()).await {
        Ok(()) => subject.ok("the mail server has taken a mail; see whether it arrives"),
        Err(problem) => subject.failed(problem, "see OCIS_SMTP_SENDER, and the log of the mail server"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn offers_of_the_mail_server_are_judged_by_the_settings() {
        let report = |is_encrypted, offers_starttls, offers_auth, accepts_user| MailServerReport {
            address: "mail.example:587".to_owned(),
            is_encrypted,
            offers_starttls,
            offers_auth,
            accepts_user,
        };
        let outcomes = |report: &MailServerReport, encryption: &str, has_user| {
            let found = of_server(report, encryption, has_user);
            found.into_iter().map(|finding| finding.outcome).collect::<Vec<_>>()
        };
        let good = report(true, true, true, Some(true));
        assert_eq!(outcomes(&good, "starttls", true), [Outcome::Ok, Outcome::Ok]);
        let refused = report(true, true, true, Some(false));
        assert_eq!(outcomes(&refused, "starttls", true), [Outcome::Ok, Outcome::Failed]);
        let bare = report(false, false, false, None);
        assert_eq!(outcomes(&bare, "starttls", false), [Outcome::Failed]);
        assert_eq!(outcomes(&bare, "none", false), [Outcome::Ok]);
        assert_eq!(outcomes(&bare, "none", true), [Outcome::Ok, Outcome::Failed]);
        assert_eq!(outcomes(&report(false, true, false, None), "none", false), [Outcome::Warning]);
    }
}
