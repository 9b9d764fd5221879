//! `InvitationsAPI`, without a network.

use authn::UserType;
use proto::doorward::idp::v1::invitations_api_client::InvitationsApiClient;
use tonic::Code;

use super::*;
use crate::endpoints::page;
use crate::testing::{ADDRESS, Bench, Browser, EINSTEIN, MailBox};

async fn invite(bench: &Bench, token: &str, user: &str) -> Result<(), Status> {
    let mut request = Request::new(InviteUserRequest { user_id: user.to_owned() });
    request.metadata_mut().insert(::token::METADATA_KEY, token.parse().expect("a header"));
    InvitationsApiClient::new(serve(bench.provider.clone(), None)).invite_user(request).await.map(drop)
}

async fn policy(bench: &Bench, token: &str) -> Result<bool, Status> {
    let mut request = Request::new(GetInvitationPolicyRequest {});
    request.metadata_mut().insert(::token::METADATA_KEY, token.parse().expect("a header"));
    let answer = InvitationsApiClient::new(serve(bench.provider.clone(), None)).get_invitation_policy(request).await;
    answer.map(|answer| answer.into_inner().enabled)
}

/// [Row L1](../../../../../docs/security-requirements.md#l1).
#[tokio::test]
async fn administrator_invites_a_user_who_sets_a_password() {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.set_passwords.remove(EINSTEIN);
    invite(&bench, &bench.admin(), EINSTEIN).await.expect("is invited");
    let mail = mail_box.wait_for(1).await.remove(0);
    assert!(mail.contains(&format!("To: {ADDRESS}")), "{mail}");
    let secret = MailBox::secret(&mail);
    let mut browser = Browser::default();
    let form = bench.get(&mut browser, page::LINK, &[("link", &secret)]).await;
    assert!(form.text.contains("einstein"), "{}", form.text);
    let sent = [("link", secret.as_str()), ("csrf", &form.csrf()), ("new", "a first phrase")];
    assert_eq!(bench.post(&mut browser, page::LINK, &sent).await.status.as_u16(), 200);
    assert_eq!(bench.set_passwords.all(), [(EINSTEIN.to_owned(), "a first phrase".to_owned())]);
}

#[tokio::test]
async fn invitation_is_refused_without_mail_address_or_permission() {
    let bench = Bench::new().await;
    let refused = invite(&bench, &bench.admin(), EINSTEIN).await.expect_err("no mail");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("OCIS_SMTP_HOST"), "{refused}");

    let (bench, mail_box) = MailBox::with_bench().await;
    let refused = invite(&bench, &bench.internal_token("marie", &[]), EINSTEIN).await.expect_err("no administrator");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = invite(&bench, &bench.admin(), "u-nobody").await.expect_err("no such user");
    assert_eq!(refused.code(), Code::NotFound);
    bench.change(|user| user.as_mut().expect("a user").mail.clear());
    let refused = invite(&bench, &bench.admin(), EINSTEIN).await.expect_err("no address");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(mail_box.all().is_empty());
}

/// [Row L1](../../../../../docs/security-requirements.md#l1).
#[tokio::test]
async fn invitation_ends_earlier_ones_and_goes_to_one_address() {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.set_passwords.remove(EINSTEIN);
    let mut browser = Browser::default();
    let mut secrets = Vec::new();
    for sent in 1..=3 {
        invite(&bench, &bench.admin(), EINSTEIN).await.expect("is invited");
        let mails = mail_box.wait_for(sent).await;
        let new = mails.iter().map(|mail| MailBox::secret(mail)).find(|secret| !secrets.contains(secret));
        secrets.push(new.expect("another link"));
    }
    for (secret, status) in secrets.iter().zip([410, 410, 200]) {
        assert_eq!(bench.get(&mut browser, page::LINK, &[("link", secret)]).await.status.as_u16(), status);
    }
    let refused = invite(&bench, &bench.admin(), EINSTEIN).await.expect_err("too many");
    assert_eq!(refused.code(), Code::ResourceExhausted);

    bench.change(|user| user.as_mut().expect("a user").mail = "albert@cloud.example".to_owned());
    let moved = bench.get(&mut browser, page::LINK, &[("link", &secrets[2])]).await;
    assert_eq!(moved.status.as_u16(), 410, "it was sent to another address");
}

/// [Row L8](../../../../../docs/security-requirements.md#l8).
#[tokio::test]
async fn user_with_a_password_and_account_of_a_program_are_not_invited() {
    let (bench, mail_box) = MailBox::with_bench().await;
    let refused = invite(&bench, &bench.admin(), EINSTEIN).await.expect_err("has a password");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("has a password already"), "{refused}");
    bench.set_passwords.remove(EINSTEIN);
    for kind in [UserType::Service, UserType::Application, UserType::SpaceOwner, UserType::Federated] {
        bench.change(|user| user.as_mut().expect("a user").id.kind = kind);
        let refused = invite(&bench, &bench.admin(), EINSTEIN).await.expect_err("is no person of this installation");
        assert_eq!(refused.code(), Code::FailedPrecondition, "{kind:?}");
    }
    assert!(mail_box.all().is_empty());
}

#[tokio::test]
async fn policy_tells_administrators_whether_mail_is_sent() {
    let bench = Bench::new().await;
    assert!(!policy(&bench, &bench.admin()).await.expect("is answered"));
    let (bench, _mail_box) = MailBox::with_bench().await;
    assert!(policy(&bench, &bench.admin()).await.expect("is answered"));
    let refused = policy(&bench, &bench.internal_token("marie", &[])).await.expect_err("no administrator");
    assert_eq!(refused.code(), Code::PermissionDenied);
}
