//! Passwords and mail addresses by links in mail, with a mail server on loopback.

use std::sync::Arc;
use std::time::Duration;

use authn::{Authenticated, User, UserId, amr};
use doorward::ServiceId;
use proto::doorward::idp::v1::{ChangeMailRequest, ListSessionsRequest, account_api_client::AccountApiClient};
use reqwest::StatusCode;
use runtime::Clock;
use testkit::{Browser, Landing, Layout, MailServer, Mode, TestFamily, access_token, log_on, note_secret};
use token::{KeyRing, METADATA_KEY, Minter};
use tonic::{Code, Request};

const FORGOTTEN: &str = "/signin/v1/forgotten";
const LINK: &str = "/signin/v1/link";
const MAIL_LINK: &str = "/signin/v1/mail";

/// A family that sends mail, and where browsers find its provider.
struct World {
    family: TestFamily,
    mail: MailServer,
    issuer: String,
}

impl World {
    async fn start(name: &str, mode: Mode) -> Self {
        let mail = MailServer::start().await;
        let mut layout = Layout::new(name, false);
        let port = layout.variables()["IDP_HTTP_ADDR"].rsplit_once(':').expect("an address has a port").1;
        let issuer = format!("http://localhost:{port}");
        layout.set("OCIS_URL", &issuer);
        layout.set("OCIS_SMTP_HOST", "127.0.0.1");
        layout.set("OCIS_SMTP_PORT", &mail.address.port().to_string());
        layout.set("OCIS_SMTP_ENCRYPTION", "none");
        layout.set("OCIS_SMTP_SENDER", "Cloud <noreply@example.org>");
        layout.set("IDP_NEW_SIGN_IN_NOTICE", "false");
        layout.set("USERS_SELF_SERVICE_ATTRIBUTES", "display_name,mail");
        Self { family: TestFamily::start_with(layout, mode, |context| context).await, mail, issuer }
    }

    /// The page of the form that asks for a link, once idp knows that passwords can be set.
    async fn forgotten(&self, browser: &mut Browser) -> Landing {
        for _ in 0..500 {
            let page = browser.open(&format!("{}{FORGOTTEN}", self.issuer)).await.expect("answers");
            if page.status == StatusCode::OK {
                return page;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("there is no page for forgotten passwords");
    }

    async fn ask(&self, browser: &mut Browser, username: &str) -> Landing {
        let page = self.forgotten(browser).await;
        let form = [("csrf", page.field("csrf")), ("username", username)];
        browser.submit(&format!("{}{FORGOTTEN}", self.issuer), &self.issuer, &form).await.expect("answers")
    }

    /// Opens the link of a mail and sends its form.
    async fn set_password(&self, browser: &mut Browser, link: &str, password: &str) -> Landing {
        note_secret(password);
        let page = browser.open(link).await.expect("answers");
        if page.status != StatusCode::OK {
            return page;
        }
        let form = [("link", page.field("link")), ("csrf", page.field("csrf")), ("new", password)];
        browser.submit(&format!("{}{LINK}", self.issuer), &self.issuer, &form).await.expect("answers")
    }

    /// A request of einstein, who has signed in with this session of idp.
    async fn by_einstein<T>(&self, sid: Option<String>, message: T) -> Request<T> {
        let machine_key = &self.family.layout.machine_key;
        let found = self.family.authenticate("machine", "username:einstein", machine_key).await;
        let id = found.expect("the machine key opens").0.id.unwrap_or_default();
        let id = UserId { opaque_id: id.opaque_id, idp: id.idp, ..UserId::default() };
        let user = User { id, username: "einstein".to_owned(), ..User::default() };
        let keys = KeyRing::new(&self.family.layout.jwt_secret.clone().into(), None).expect("a secret");
        let credential = Authenticated { sid, ..Authenticated::full(Arc::new(user), amr::OIDC) };
        let minter = Minter::new(Arc::new(keys), Duration::from_mins(5), false);
        let jwt = minter.mint(Clock::system().now(), &credential).expect("a token");
        note_secret(&jwt);
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, jwt.parse().expect("a token is ASCII"));
        request
    }

    async fn signs_in(&self, username: &str, password: &str) -> bool {
        let mut browser = Browser::new();
        let page = browser.open(&format!("{}/signin/v1/consents", self.issuer)).await.expect("answers");
        let landing = log_on(&mut browser, &self.issuer, &page.location, (username, password)).await;
        landing.expect("the page asks for a password").status == StatusCode::SEE_OTHER
    }
}

/// Rows [L1](../../../docs/security-requirements.md#l1) and [L3](../../../docs/security-requirements.md#l3).
#[tokio::test(flavor = "multi_thread")]
async fn forgotten_password_is_replaced_by_a_link_in_a_mail() {
    for mode in [Mode::OneProcess, Mode::Processes] {
        let world = World::start("process-mail", mode).await;
        let mut browser = Browser::new();
        let unknown = world.ask(&mut browser, "nobody").await;
        let known = world.ask(&mut browser, "einstein").await;
        assert_eq!((unknown.status, &unknown.page), (known.status, &known.page));
        let mails = world.mail.wait_for(1).await;
        assert_eq!(mails[0].to, "einstein@example.org");
        let link = mails[0].url(&format!("{}{LINK}?link=", world.issuer));

        let new = "another phrase that nobody has guessed";
        let done = world.set_password(&mut browser, &link, new).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.page);
        assert!(world.signs_in("einstein", new).await, "the new password");
        assert!(!world.signs_in("einstein", &world.family.layout.password).await, "the old one");
        let again = world.set_password(&mut browser, &link, "yet another phrase for this user").await;
        assert_eq!(again.status, StatusCode::GONE, "{}", again.page);
        let mails = world.mail.wait_for(2).await;
        assert_eq!(mails.len(), 2, "the link and the notice of the change: {mails:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invited_user_sets_the_first_password() {
    let world = World::start("process-invitation", Mode::OneProcess).await;
    world.forgotten(&mut Browser::new()).await;
    let refused = world.family.command(&["user", "invite", "marie"], "").await;
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("--no-password"), "{}", refused.stderr);
    let removed = world.family.command(&["user", "passwd", "marie", "--no-password"], "").await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    let invited = world.family.command(&["user", "invite", "marie"], "").await;
    assert_eq!(invited.code, 0, "{}", invited.stderr);
    let mails = world.mail.wait_for(1).await;
    assert_eq!(mails[0].to, "marie@example.org");
    let link = mails[0].url(&format!("{}{LINK}?link=", world.issuer));
    let new = "a first phrase that is long enough";
    let done = world.set_password(&mut Browser::new(), &link, new).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.page);
    assert!(world.signs_in("marie", new).await);
}

/// Rows [L9](../../../docs/security-requirements.md#l9) and [L10](../../../docs/security-requirements.md#l10).
#[tokio::test(flavor = "multi_thread")]
async fn mail_address_is_changed_by_a_link_to_the_new_one() {
    const NEW: &str = "albert@example.org";
    for mode in [Mode::OneProcess, Mode::Processes] {
        let world = World::start("process-mail-change", mode).await;
        world.forgotten(&mut Browser::new()).await;
        let redirect_uri = format!("{}/oidc-callback.html", world.issuer);
        let who = ("einstein", world.family.layout.password.as_str());
        let site = (world.issuer.as_str(), world.issuer.as_str());
        access_token(Browser::new(), site, ("web", &redirect_uri), who).await;

        let mut account = AccountApiClient::new(world.family.channel(ServiceId::Idp));
        let message = ChangeMailRequest { address: NEW.to_owned(), ..ChangeMailRequest::default() };
        let refused = account.change_mail(world.by_einstein(None, message.clone()).await).await;
        assert_eq!(refused.expect_err("no session").code(), Code::FailedPrecondition);
        let sessions = account.list_sessions(world.by_einstein(None, ListSessionsRequest {}).await).await;
        let sid = sessions.expect("is listed").into_inner().sessions.pop().map(|session| session.id);
        account.change_mail(world.by_einstein(sid, message).await).await.expect("a link is sent");
        let mails = world.mail.wait_for(1).await;
        assert_eq!(mails[0].to, NEW);
        let link = mails[0].url(&format!("{}{MAIL_LINK}?link=", world.issuer));

        let mut browser = Browser::new();
        let sign_in = browser.open(&link).await.expect("answers");
        assert_eq!(sign_in.status, StatusCode::SEE_OTHER, "{}", sign_in.page);
        let back = log_on(&mut browser, &world.issuer, &sign_in.location, who).await.expect("a sign-in page");
        let page = browser.open(&format!("{}{}", world.issuer, back.location.trim_start_matches(&world.issuer))).await;
        let page = page.expect("answers");
        assert!(page.status == StatusCode::OK && page.page.contains("einstein"), "{}", page.page);
        let form = [("link", page.field("link")), ("csrf", page.field("csrf"))];
        let url = format!("{}{MAIL_LINK}", world.issuer);
        let done = browser.submit(&url, &world.issuer, &form).await.expect("answers");
        assert_eq!(done.status, StatusCode::OK, "{}", done.page);
        let again = browser.submit(&url, &world.issuer, &form).await.expect("answers");
        assert_eq!(again.status, StatusCode::GONE, "{}", again.page);
        assert_eq!(world.mail.wait_for(2).await[1].to, "einstein@example.org", "the notice");
        assert!(world.signs_in(NEW, &world.family.layout.password).await, "the address is a login name at once");
    }
}
