//! `AccountAPI`, without a network.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use authn::ended_sessions::Issuance;
use authn::{Authenticated, Caller, EndedSessions, Grants, User, UserId, UserStatus, amr};
use oidc::error::ErrorCode;
use proto::doorward::idp::v1::{AccountEvent, AccountSession, account_api_client::AccountApiClient};
use serde_json::json;
use tonic::Code;

use super::*;
use crate::engine::sessions::{self, SignedInUser};
use crate::engine::tokens::access_token::PresentedToken;
use crate::engine::tokens::refresh_token::RefreshToken;
use crate::model::{Family, Grant};
use crate::testing::{ADDRESS, Bench, Browser, EINSTEIN, MailBox, with_password};

const MINUTE: Duration = Duration::from_mins(1);

/// A provider with the public client `app`.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.add("app", &json!({ "grant_types": ["authorization_code", "refresh_token"] })).await;
    bench
}

/// The interface, called without a network between.
fn api(bench: &Bench) -> AccountApiClient<AccountApiServer<Api>> {
    AccountApiClient::new(serve(bench.provider.clone(), None))
}

fn credential(user: &str, sid: Option<Uuid>) -> Authenticated {
    let id = UserId { opaque_id: user.to_owned(), ..UserId::default() };
    let user = Arc::new(User { id, ..User::default() });
    Authenticated { sid: sid.map(|sid| sid.to_string()), ..Authenticated::full(user, amr::OIDC) }
}

/// A message with the internal token of this answer of an authenticator.
fn by<T>(bench: &Bench, credential: &Authenticated, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let token = bench.minted(credential).parse().expect("a token");
    request.metadata_mut().insert(::token::METADATA_KEY, token);
    request
}

async fn listed(bench: &Bench, credential: &Authenticated) -> Vec<AccountSession> {
    let answer = api(bench).list_sessions(by(bench, credential, ListSessionsRequest {})).await;
    answer.expect("is listed").into_inner().sessions
}

async fn end(bench: &Bench, credential: &Authenticated, id: Uuid) -> Result<(), Code> {
    let message = EndSessionRequest { id: id.to_string() };
    api(bench).end_session(by(bench, credential, message)).await.map(drop).map_err(|status| status.code())
}

/// What a session has brought the client `app`: a grant that outlives a sign-out with its tokens, and one that does not.
struct Tokens {
    grant: Grant,
    access: [String; 2],
    refresh: String,
}

impl Tokens {
    async fn of(bench: &Bench, session: &Session) -> Self {
        let short = bench.grant(session, "app", bench.endpoints(), "openid").await;
        let grant = bench.grant(session, "app", bench.endpoints(), "openid offline_access").await;
        let (now, binding) = (bench.clock.now(), None);
        let end = now + Duration::from_hours(24);
        let family =
            Family { grant: grant.clone(), binding, generation: 0, rotated: now, created: now, idle_end: end, end };
        bench.provider.store.begin_family(&family).await.expect("begins");
        let refresh = RefreshToken { grant: grant.id, generation: 0 }.write(&bench.provider.sealer);
        let access = [bench.tokens(&short).await.1, bench.tokens(&grant).await.1];
        Self { grant, access, refresh }
    }

    fn are_valid(&self, bench: &Bench) -> [bool; 2] {
        let is_valid = |text: &String| PresentedToken::verify(&bench.provider, bench.endpoints(), text).is_some();
        [is_valid(&self.access[0]), is_valid(&self.access[1])]
    }

    async fn refresh(&self, bench: &Bench) -> Result<(), ErrorCode> {
        let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &self.refresh)];
        bench.issue(&form).await.map(drop).map_err(|error| error.code)
    }
}

/// `docs/security-requirements.md#s2`
#[tokio::test]
async fn ended_session_takes_its_access_and_refresh_tokens_with_it() {
    let bench = bench().await;
    let this = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.advance(MINUTE);
    let mut elsewhere = Browser::default();
    let other = bench.sign_in(&mut elsewhere, EINSTEIN).await;
    let (kept, gone) = (Tokens::of(&bench, &this).await, Tokens::of(&bench, &other).await);
    let me = credential(EINSTEIN, Some(this.id));

    let sessions = listed(&bench, &me).await;
    let marks: Vec<_> = sessions.iter().map(|session| (session.id.clone(), session.current)).collect();
    assert_eq!(marks, [(other.id.to_string(), false), (this.id.to_string(), true)], "the last used one first");
    assert_eq!((sessions[1].created, sessions[1].expires > sessions[1].last_used), (1_800_000_000, true));

    assert_eq!((gone.are_valid(&bench), gone.refresh(&bench).await), ([true; 2], Ok(())));
    assert_eq!(end(&bench, &me, other.id).await, Ok(()));
    assert_eq!(gone.are_valid(&bench), [false; 2]);
    assert_eq!(gone.refresh(&bench).await, Err(ErrorCode::InvalidGrant));
    assert!(!bench.is_signed_in(other.id).await, "nor is its browser signed in");
    let cuts_off = |grant: &Grant| bench.provider.revocations.cuts_off_grant(grant, seconds(bench.clock.now()));
    assert!(cuts_off(&gone.grant) && !cuts_off(&kept.grant), "a code that is under way is not redeemed");
    assert_eq!((kept.are_valid(&bench), kept.refresh(&bench).await), ([true; 2], Ok(())));
    assert_eq!(end(&bench, &me, other.id).await, Err(Code::NotFound), "once");
    assert_eq!(listed(&bench, &me).await.len(), 1);
}

/// `docs/security-requirements.md#s1`
#[tokio::test]
async fn users_see_and_end_only_their_own_sessions() {
    let bench = bench().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let curie = credential("u-curie", None);
    assert_eq!(listed(&bench, &curie).await, []);
    assert_eq!(end(&bench, &curie, session.id).await, Err(Code::NotFound), "as if there were no such session");
    let all = by(&bench, &curie, EndAllSessionsRequest {});
    api(&bench).end_all_sessions(all).await.expect("she has none");
    assert!(bench.is_signed_in(session.id).await);
    assert_eq!(end(&bench, &credential(EINSTEIN, None), session.id).await, Ok(()));
}

/// `docs/security-requirements.md#n2`
#[tokio::test]
async fn current_session_says_how_its_user_signed_in() {
    let bench = bench().await;
    let current = async |sid| {
        let request = by(&bench, &credential(EINSTEIN, sid), GetCurrentSessionRequest {});
        api(&bench).get_current_session(request).await.expect("answers").into_inner()
    };
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let found = current(Some(session.id)).await;
    assert_eq!(found.session.map(|found| (found.id, found.current)), Some((session.id.to_string(), true)));
    assert_eq!((found.signed_in, found.acr.as_str()), (account_messages::epoch(session.signed_in), "1"));
    assert_eq!((found.amr, found.second_factor_enrolled), (vec!["pwd".to_owned()], false));

    bench.enrol().await;
    bench.advance(MINUTE);
    let several = SignedInUser { amr: "pwd otp mfa", ..with_password(EINSTEIN) };
    let begun = sessions::begin(&bench.provider, Some(&session), several, &Caller::default()).await.expect("begins");
    let found = current(Some(begun.session.id)).await;
    assert_eq!((found.acr.as_str(), found.second_factor_enrolled), ("mfa", true));
    assert_eq!(found.signed_in, account_messages::epoch(bench.clock.now()), "the last sign-in counts");
    // a credential from before, which may be in other hands, is not renewed by what its user has done since
    let former = current(Some(session.id)).await;
    assert_eq!(former.session.map(|found| found.id), Some(begun.session.id.to_string()));
    assert_eq!((former.signed_in, former.amr, former.acr.as_str()), (0, Vec::new(), ""));
    for sid in [None, Some(Uuid::from_u128(1))] {
        let found = current(sid).await;
        assert_eq!((found.session, found.acr.as_str(), found.second_factor_enrolled), (None, "", true), "{sid:?}");
    }
    let program = Authenticated { amr: Cow::Borrowed(amr::APP), ..credential(EINSTEIN, Some(begun.session.id)) };
    let refused = api(&bench).get_current_session(by(&bench, &program, GetCurrentSessionRequest {})).await;
    assert_eq!(refused.expect_err("is a program's").code(), Code::PermissionDenied);
}

/// `docs/security-requirements.md#s3`
#[tokio::test]
async fn credentials_of_programs_do_not_manage_the_account() {
    let bench = bench().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let good = || credential(EINSTEIN, Some(session.id));
    let with_amr = |amr: &'static str| Authenticated { amr: Cow::Borrowed(amr), ..good() };
    let narrow = Grants::parse(["tokens:read"]).expect("a scope").to_cs3();
    let blocked = User { status: UserStatus::Blocked, ..good().user.as_ref().clone() };
    for (what, credential) in [
        ("app token", with_amr(amr::APP)),
        ("other client", with_amr(amr::OIDC_CLIENT)),
        ("machine key", with_amr(amr::MACHINE)),
        ("service account", with_amr(amr::SERVICE)),
        ("unknown", with_amr("")),
        ("actor", Authenticated { actor: Some("office".into()), ..good() }),
        ("narrow scope", Authenticated { scopes: Arc::new(narrow), ..good() }),
        ("disabled", Authenticated { user: Arc::new(blocked), ..good() }),
    ] {
        let answer = api(&bench).list_sessions(by(&bench, &credential, ListSessionsRequest {})).await;
        assert_eq!(answer.expect_err(what).code(), Code::PermissionDenied, "{what}");
        assert_eq!(end(&bench, &credential, session.id).await, Err(Code::PermissionDenied), "{what}");
    }
    let anonymous = api(&bench).list_sessions(Request::new(ListSessionsRequest {})).await;
    assert_eq!(anonymous.expect_err("has no token").code(), Code::Unauthenticated);
    assert!(bench.is_signed_in(session.id).await);
}

/// `docs/security-requirements.md#s2`
#[tokio::test]
async fn internal_token_from_before_the_end_of_its_session_is_refused() {
    let bench = bench().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let me = credential(EINSTEIN, Some(session.id));
    assert_eq!(end(&bench, &me, session.id).await, Ok(()));
    assert_eq!(end(&bench, &me, session.id).await, Err(Code::Unauthenticated));

    let without_session = credential(EINSTEIN, None);
    let all = by(&bench, &without_session, EndAllSessionsRequest {});
    api(&bench).end_all_sessions(all).await.expect("signs out everywhere");
    assert_eq!(end(&bench, &without_session, session.id).await, Err(Code::Unauthenticated));
}

/// Row [N47](../../../../../docs/security-requirements.md#n47).
#[tokio::test]
async fn other_sessions_are_ended_only_from_a_live_session() {
    let bench = bench().await;
    let this = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(bench.sign_in(&mut Browser::default(), EINSTEIN).await);
    }
    let end_others = async |sid: Option<Uuid>| {
        let request = by(&bench, &credential(EINSTEIN, sid), EndOtherSessionsRequest {});
        api(&bench).end_other_sessions(request).await.map(|answer| answer.into_inner().ended).map_err(|s| s.code())
    };
    for sid in [None, Some(Uuid::from_u128(7))] {
        assert_eq!(end_others(sid).await, Err(Code::FailedPrecondition));
    }
    assert_eq!(end_others(Some(this.id)).await, Ok(3));
    for other in others {
        assert!(!bench.is_signed_in(other.id).await);
    }
    assert!(bench.is_signed_in(this.id).await);
    assert_eq!(end_others(Some(this.id)).await, Ok(0));
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let events = provider.store.events(&EventFilter::default(), None, 10).await.expect("reads");
    let told: Vec<_> = events.iter().map(|event| (&*event.event, &*event.object)).collect();
    assert_eq!(told, [("session_end_others", "3")], "one for all of them");
}

#[tokio::test]
async fn session_shows_browser_and_address_and_stays_current_when_its_user_signs_in_again() {
    let bench = bench().await;
    let first = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.grant(&first, "app", bench.endpoints(), "openid").await;
    let user_agent = format!("Firefox\u{1b}[2J{}", "x".repeat(300));
    let caller = Caller { user_agent, source: Some([192, 0, 2, 7].into()), ..Caller::default() };
    let again = sessions::begin(&bench.provider, Some(&first), with_password(EINSTEIN), &caller).await.expect("begins");
    let sessions = listed(&bench, &credential(EINSTEIN, Some(first.id))).await;
    let [session] = sessions.as_slice() else { panic!("one: {sessions:?}") };
    assert_eq!((session.id.as_str(), session.current), (again.session.id.to_string().as_str(), true));
    assert_eq!((session.address.as_str(), session.user_agent.len()), ("192.0.2.7", 256));
    assert!(session.user_agent.starts_with("Firefox[2Jx"), "without control characters");
}

/// `docs/security-requirements.md#s2`
#[tokio::test]
async fn ended_session_takes_tokens_from_before_its_user_signed_in_again_with_it() {
    let bench = bench().await;
    let first = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let tokens = Tokens::of(&bench, &first).await;
    let caller = Caller::default();
    let again = sessions::begin(&bench.provider, Some(&first), with_password(EINSTEIN), &caller).await.expect("begins");
    // its client knows the session by the new identifier now
    bench.grant(&again.session, "app", bench.endpoints(), "openid").await;
    assert_eq!(tokens.are_valid(&bench), [true; 2]);
    assert_eq!(end(&bench, &credential(EINSTEIN, None), again.session.id).await, Ok(()));
    assert_eq!((tokens.are_valid(&bench), tokens.refresh(&bench).await), ([false; 2], Err(ErrorCode::InvalidGrant)));
}

/// `docs/security-requirements.md#i24`
#[tokio::test]
async fn disconnected_application_loses_its_tokens() {
    let bench = bench().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let tokens = Tokens::of(&bench, &session).await;
    let me = credential(EINSTEIN, Some(session.id));
    let applications = async || {
        let request = by(&bench, &me, ListConnectedApplicationsRequest {});
        api(&bench).list_connected_applications(request).await.expect("is listed").into_inner().applications
    };
    let listed = applications().await;
    let [application] = listed.as_slice() else { panic!("one: {listed:?}") };
    assert_eq!((application.client_id.as_str(), application.name.as_str()), ("app", "The app"));
    assert_eq!(application.scopes, ["offline_access", "openid"]);
    assert_eq!((application.since, application.last_used), (1_800_000_000, Some(1_800_000_000)));

    let disconnect = DisconnectApplicationRequest { client_id: "app".to_owned() };
    api(&bench).disconnect_application(by(&bench, &me, disconnect)).await.expect("is disconnected");
    assert_eq!((tokens.are_valid(&bench), tokens.refresh(&bench).await), ([false; 2], Err(ErrorCode::InvalidGrant)));
    assert_eq!(applications().await, []);
    assert!(bench.is_signed_in(session.id).await, "the browser stays signed in");

    // what services ask that have only the claims of a token
    let (now, issuer) = (seconds(bench.clock.now()), bench.endpoints().issuer.as_str());
    let token = Issuance {
        user: Some(EINSTEIN),
        client: "app",
        session: Some(session.id),
        signed_in: Some(seconds(session.signed_in)),
        issued: now,
    };
    let other = Issuance { client: "other", ..token };
    let later = Issuance { issued: now + 1, ..token };
    let ended = [&token, &other, &later].map(|token| bench.provider.cuts_off(issuer, token));
    assert_eq!(ended, [Some(true), Some(false), Some(false)]);
    assert_eq!(bench.provider.cuts_off("https://other.example", &token), Some(false), "of another issuer");
}

/// `docs/security-requirements.md#s1`
#[tokio::test]
async fn users_see_only_events_of_their_own_accounts() {
    let bench = bench().await;
    for _ in 0..3 {
        let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
        bench.advance(MINUTE);
        assert_eq!(end(&bench, &credential(EINSTEIN, None), session.id).await, Ok(()));
    }
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let events = async |user: &str| {
        let (mut found, mut page_token): (Vec<AccountEvent>, _) = (Vec::new(), String::new());
        loop {
            let request = by(&bench, &credential(user, None), ListEventsRequest { page_size: 2, page_token });
            let page = api(&bench).list_events(request).await.expect("is listed").into_inner();
            assert!(page.events.len() <= 2);
            found.extend(page.events);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    };
    let own = events(EINSTEIN).await;
    let told: Vec<_> = own.iter().map(|event| (event.event.as_str(), event.outcome.as_str(), event.time)).collect();
    let at = |minutes: i64| ("session_end", "done", 1_800_000_000 + 60 * minutes);
    assert_eq!(told, [at(3), at(2), at(1)], "the newest first");
    assert_eq!(events("u-curie").await, []);
}

async fn change_mail(bench: &Bench, credential: &Authenticated, address: &str) -> Result<(), Code> {
    let message = ChangeMailRequest { address: address.to_owned(), language: "fr".to_owned() };
    api(bench).change_mail(by(bench, credential, message)).await.map(drop).map_err(|status| status.code())
}

/// A provider that sends mail, and whose users may change their address.
async fn with_mail_changes() -> (Bench, MailBox) {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.change_mail_changes(|changes| changes.are_permitted = true);
    (bench, mail_box)
}

/// [Row L9](../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn mail_change_needs_a_recent_sign_in_in_person() {
    let (bench, mail_box) = with_mail_changes().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let me = credential(EINSTEIN, Some(session.id));
    for amr in [amr::APP, amr::OIDC_CLIENT, amr::MACHINE, amr::SERVICE] {
        let program = Authenticated { amr: Cow::Borrowed(amr), ..me.clone() };
        assert_eq!(change_mail(&bench, &program, "a@cloud.example").await, Err(Code::PermissionDenied), "{amr}");
    }
    for sid in [None, Some(Uuid::from_u128(1))] {
        let without = credential(EINSTEIN, sid);
        assert_eq!(change_mail(&bench, &without, "a@cloud.example").await, Err(Code::FailedPrecondition), "{sid:?}");
    }
    bench.advance(MINUTE * 10);
    assert_eq!(change_mail(&bench, &me, "a@cloud.example").await, Err(Code::FailedPrecondition));
    assert!(mail_box.all().is_empty());

    let again = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let me = credential(EINSTEIN, Some(again.id));
    assert_eq!(change_mail(&bench, &me, " a@cloud.example ").await, Ok(()));
    let mails = mail_box.wait_for(1).await;
    assert!(mails[0].contains("To: a@cloud.example") && mails[0].contains("Bonjour einstein"), "{mails:?}");
    assert_eq!(bench.user().mail, ADDRESS);
    bench.enrol().await;
    assert_eq!(change_mail(&bench, &me, "b@cloud.example").await, Err(Code::FailedPrecondition), "no second factor");
}

/// Rows [L11](../../../../../docs/security-requirements.md#l11) and [L12](../../../../../docs/security-requirements.md#l12).
#[tokio::test]
async fn mail_change_answers_the_same_for_every_address_until_it_is_throttled() {
    let (bench, _mail_box) = with_mail_changes().await;
    bench.change_mail_changes(|changes| "taken@cloud.example".clone_into(&mut changes.taken));
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let me = credential(EINSTEIN, Some(session.id));
    for invalid in ["", "albert", ADDRESS] {
        assert_eq!(change_mail(&bench, &me, invalid).await, Err(Code::InvalidArgument), "{invalid}");
    }
    for address in ["taken@cloud.example", "free@cloud.example", "a@cloud.example"] {
        assert_eq!(change_mail(&bench, &me, address).await, Ok(()), "{address}");
    }
    let message = ChangeMailRequest { address: "b@cloud.example".to_owned(), ..ChangeMailRequest::default() };
    let refused = api(&bench).change_mail(by(&bench, &me, message)).await.expect_err("too many");
    let wait = refused.metadata().get("retry-after").map(|value| value.as_bytes().to_vec());
    assert_eq!((refused.code(), wait), (Code::ResourceExhausted, Some(b"1800".to_vec())));
}

/// [Row L9](../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn mail_change_is_offered_only_with_mail_and_permission() {
    let policy = async |bench: &Bench, me: &Authenticated| {
        let request = by(bench, me, GetMailChangePolicyRequest {});
        api(bench).get_mail_change_policy(request).await.expect("answers").into_inner().enabled
    };
    let (bench, _mail_box) = with_mail_changes().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let me = credential(EINSTEIN, Some(session.id));
    assert!(policy(&bench, &me).await);
    bench.change_mail_changes(|changes| changes.are_permitted = false);
    assert!(!policy(&bench, &me).await);
    assert_eq!(change_mail(&bench, &me, "a@cloud.example").await, Err(Code::Unimplemented));

    let without_mail = bench_without_mail().await;
    let session = without_mail.sign_in(&mut Browser::default(), EINSTEIN).await;
    let me = credential(EINSTEIN, Some(session.id));
    assert!(!policy(&without_mail, &me).await);
    assert_eq!(change_mail(&without_mail, &me, "a@cloud.example").await, Err(Code::Unimplemented));
}

async fn bench_without_mail() -> Bench {
    let bench = bench().await;
    bench.change_mail_changes(|changes| changes.are_permitted = true);
    bench
}
