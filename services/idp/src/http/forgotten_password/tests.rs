use std::time::Duration;

use authn::Caller;

use super::*;
use crate::testing::{ADDRESS, Bench, Browser, EINSTEIN, MailBox, Reply};

async fn ask(bench: &Bench, browser: &mut Browser, username: &str) -> Reply {
    let form = bench.get(browser, page::FORGOTTEN, &[]).await;
    let csrf = form.csrf();
    bench.post(browser, page::FORGOTTEN, &[("csrf", &csrf), ("username", username)]).await
}

/// [Row L3](../../../../../docs/security-requirements.md#l3).
#[tokio::test]
async fn unknown_user_gets_the_same_page_and_no_mail() {
    let (bench, mail_box) = MailBox::with_bench().await;
    let mut browser = Browser::default();
    let unknown = ask(&bench, &mut browser, "nobody@cloud.example").await;
    let known = ask(&bench, &mut browser, ADDRESS).await;
    assert_eq!((unknown.status, &unknown.text), (known.status, &known.text));
    let mails = mail_box.wait_for(1).await;
    assert!(mails[0].contains(&format!("To: {ADDRESS}")), "{mails:?}");
    assert_eq!(mail_box.all().len(), 1);
}

/// [Row L8](../../../../../docs/security-requirements.md#l8).
#[tokio::test]
async fn user_without_a_password_gets_no_link() {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.set_passwords.remove(EINSTEIN);
    let ask = || {
        let browser = ([0; 32], Language::English);
        account_links::request_reset(bench.provider.clone(), ADDRESS.to_owned(), browser, Caller::default())
    };
    ask().await;
    assert!(mail_box.all().is_empty());
}

/// [Row L4](../../../../../docs/security-requirements.md#l4).
#[tokio::test]
async fn user_gets_three_links_in_half_an_hour() {
    let (bench, mail_box) = MailBox::with_bench().await;
    let ask = || {
        let browser = ([0; 32], Language::English);
        account_links::request_reset(bench.provider.clone(), ADDRESS.to_owned(), browser, Caller::default())
    };
    for _ in 0..4 {
        ask().await;
    }
    bench.advance(Duration::from_mins(31));
    ask().await;
    mail_box.wait_for(4).await;
    assert_eq!(mail_box.all().len(), 4, "the fourth request brought no mail");
}

/// [Row L4](../../../../../docs/security-requirements.md#l4).
#[tokio::test]
async fn source_asks_for_ten_links_in_an_hour() {
    let (bench, _mail_box) = MailBox::with_bench().await;
    let mut browser = Browser::default();
    for _ in 0..10 {
        ask(&bench, &mut browser, "nobody").await.is(200);
    }
    let refused = ask(&bench, &mut browser, "nobody").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "360"));
}

#[tokio::test]
async fn form_of_another_site_is_refused() {
    let (bench, mail_box) = MailBox::with_bench().await;
    let mut browser = Browser::default();
    let refused = bench.post(&mut browser, page::FORGOTTEN, &[("csrf", "x"), ("username", ADDRESS)]).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert!(mail_box.all().is_empty());
}

#[tokio::test]
async fn without_mail_there_is_no_page_and_no_link() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    for path in [page::FORGOTTEN, page::LINK] {
        assert_eq!(bench.get(&mut browser, path, &[]).await.status.as_u16(), 404, "{path}");
    }
    let sign_in = sign_in_page(&bench).await;
    assert!(!sign_in.text.contains(page::FORGOTTEN), "{}", sign_in.text);
    let (bench, _mail_box) = MailBox::with_bench().await;
    let sign_in = sign_in_page(&bench).await;
    assert!(sign_in.text.contains(page::FORGOTTEN), "{}", sign_in.text);
}

/// The page to which a browser without a session is sent.
async fn sign_in_page(bench: &Bench) -> Reply {
    let mut browser = Browser::default();
    let redirect = bench.get(&mut browser, page::CONSENTS, &[]).await;
    let target = redirect.location().expect("a redirect");
    let (path, query) = target.split_once('?').expect("a query");
    let flow = query.strip_prefix("flow=").expect("a flow");
    let path = path.strip_prefix(crate::testing::SITE).unwrap_or(path);
    bench.get(&mut browser, path, &[("flow", flow)]).await
}
