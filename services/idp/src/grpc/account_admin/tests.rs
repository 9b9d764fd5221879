//! `AccountAdminAPI`, without a network.

use std::sync::Arc;
use std::time::Duration;

use authn::{Authenticated, User, UserId, amr, role};
use proto::doorward::idp::v1::ListEventsRequest;
use proto::doorward::idp::v1::account_admin_api_client::AccountAdminApiClient;
use proto::doorward::idp::v1::account_api_client::AccountApiClient;
use tonic::Code;
use uuid::Uuid;

use super::*;
use crate::store::StoredEvent;
use crate::testing::{Bench, Browser, EINSTEIN};

/// The identifier of the administrator who calls.
const ADMINISTRATOR: &str = "id-of-admin";

/// The interface, called without a network between.
fn api(bench: &Bench) -> AccountAdminApiClient<AccountAdminApiServer<Api>> {
    AccountAdminApiClient::new(serve(bench.provider.clone(), None))
}

fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(::token::METADATA_KEY, token.parse().expect("a token"));
    request
}

fn with_id(id: &str) -> AccountUser {
    AccountUser { name: Some(Name::Id(id.to_owned())) }
}

fn code<T>(answer: Result<Response<T>, Status>) -> Option<Code> {
    answer.err().map(|status| status.code())
}

/// `docs/security-requirements.md#s4`
#[tokio::test]
async fn only_administrators_who_have_signed_in_may_call_the_api() {
    let bench = Bench::new().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let id = UserId { opaque_id: "moss".to_owned(), ..UserId::default() };
    let admin = Arc::new(User { id, roles: vec![role::ADMIN.to_owned()], ..User::default() });
    let by_app_token = bench.minted(&Authenticated::full(admin, amr::APP));
    for token in [bench.internal_token("marie", &["user"]), by_app_token] {
        let mut api = api(&bench);
        let list = ListUserSessionsRequest::default();
        assert_eq!(code(api.list_user_sessions(by(&token, list)).await), Some(Code::PermissionDenied));
        let end = EndUserSessionRequest { id: session.id.to_string(), user: None };
        assert_eq!(code(api.end_user_session(by(&token, end)).await), Some(Code::PermissionDenied));
        let all = EndAllUserSessionsRequest { user: Some(with_id(EINSTEIN)) };
        assert_eq!(code(api.end_all_user_sessions(by(&token, all)).await), Some(Code::PermissionDenied));
        let list = ListUserApplicationsRequest { user: Some(with_id(EINSTEIN)) };
        assert_eq!(code(api.list_user_applications(by(&token, list)).await), Some(Code::PermissionDenied));
        let disconnect =
            DisconnectUserApplicationRequest { user: Some(with_id(EINSTEIN)), client_id: "web".to_owned() };
        assert_eq!(code(api.disconnect_user_application(by(&token, disconnect)).await), Some(Code::PermissionDenied));
        let every = EndEveryUsersSessionsRequest::default();
        assert_eq!(code(api.end_every_users_sessions(by(&token, every)).await), Some(Code::PermissionDenied));
        let list = ListUserEventsRequest::default();
        assert_eq!(code(api.list_user_events(by(&token, list)).await), Some(Code::PermissionDenied));
        let export = ExportUserEventsRequest::default();
        assert_eq!(code(api.export_user_events(by(&token, export)).await), Some(Code::PermissionDenied));
    }
    assert!(bench.is_signed_in(session.id).await);
}

#[tokio::test]
async fn sessions_of_all_users_are_listed_a_page_at_a_time() {
    let bench = Bench::new().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let user = if number == 2 { "u-curie" } else { EINSTEIN };
        expected.insert(0, bench.sign_in(&mut Browser::default(), user).await.id.to_string());
        bench.advance(Duration::from_secs(1));
    }
    let list = async |user: Option<AccountUser>, page_size, page_token: String| {
        let message = ListUserSessionsRequest { user, page_size, page_token };
        api(&bench).list_user_sessions(by(&bench.admin(), message)).await.map(Response::into_inner)
    };
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = list(None, 2, page_token).await.expect("is listed");
        assert!(page.sessions.len() <= 2);
        found.extend(page.sessions.into_iter().map(|session| session.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, expected, "the newest first");
    let curie = list(Some(with_id("u-curie")), 0, String::new()).await.expect("is listed").sessions;
    assert_eq!(curie.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), [expected[2].as_str()]);
    let unknown = Some(AccountUser { name: Some(Name::Username("nobody".to_owned())) });
    assert_eq!(list(unknown, 0, String::new()).await.expect_err("is unknown").code(), Code::NotFound);
    let nameless = Some(AccountUser::default());
    assert_eq!(list(nameless, 0, String::new()).await.expect_err("is nobody").code(), Code::InvalidArgument);
    assert_eq!(list(None, 0, "x".to_owned()).await.expect_err("is no token").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn administrator_ends_one_session_or_all_of_a_user() {
    let bench = Bench::new().await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(bench.sign_in(&mut Browser::default(), EINSTEIN).await.id);
    }
    let end = |id: String| by(&bench.admin(), EndUserSessionRequest { id, user: None });
    let ended = api(&bench).end_user_session(end(sessions[0].to_string())).await.expect("is ended").into_inner();
    assert_eq!(ended.session.map(|session| session.user_id).as_deref(), Some(EINSTEIN));
    assert!(!bench.is_signed_in(sessions[0]).await && bench.is_signed_in(sessions[1]).await);
    for id in [sessions[0].to_string(), "x".to_owned()] {
        assert_eq!(code(api(&bench).end_user_session(end(id)).await), Some(Code::NotFound));
    }
    let of =
        |user: AccountUser| by(&bench.admin(), EndUserSessionRequest { id: sessions[1].to_string(), user: Some(user) });
    assert_eq!(
        code(api(&bench).end_user_session(of(with_id("u-curie"))).await),
        Some(Code::NotFound),
        "of another user"
    );
    assert_eq!(code(api(&bench).end_user_session(of(AccountUser::default())).await), Some(Code::InvalidArgument));
    assert!(bench.is_signed_in(sessions[1]).await);
    api(&bench).end_user_session(of(with_id(EINSTEIN))).await.expect("is ended");
    assert!(!bench.is_signed_in(sessions[1]).await && bench.is_signed_in(sessions[2]).await);
    let all = by(&bench.admin(), EndAllUserSessionsRequest { user: Some(with_id(EINSTEIN)) });
    let answer = api(&bench).end_all_user_sessions(all).await.expect("are ended").into_inner();
    assert_eq!(answer.user_id, EINSTEIN);
    assert!(!bench.is_signed_in(sessions[1]).await && !bench.is_signed_in(sessions[2]).await);
}

#[tokio::test]
async fn administrator_is_not_shown_to_the_user_and_events_are_filtered() {
    let bench = Bench::new().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut end = by(&bench.admin(), EndUserSessionRequest { id: session.id.to_string(), user: None });
    end.metadata_mut().insert("user-agent", "Firefox".parse().expect("ASCII"));
    api(&bench).end_user_session(end).await.expect("is ended");
    bench.advance(Duration::from_secs(10));
    let all = by(&bench.admin(), EndAllUserSessionsRequest { user: Some(with_id("u-curie")) });
    api(&bench).end_all_user_sessions(all).await.expect("are ended");
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");

    let list = async |filter: ListUserEventsRequest| {
        let answer = api(&bench).list_user_events(by(&bench.admin(), filter)).await;
        answer.expect("is listed").into_inner().events
    };
    let names = async |filter| list(filter).await.into_iter().map(|event| event.event).collect::<Vec<_>>();
    let (one, everywhere) = ("session_end_by_administrator", "session_end_all_by_administrator");
    let none = ListUserEventsRequest::default;
    assert_eq!(names(none()).await, [everywhere, one]);
    assert_eq!(names(ListUserEventsRequest { user: Some(with_id(EINSTEIN)), ..none() }).await, [one]);
    assert_eq!(names(ListUserEventsRequest { event: everywhere.to_owned(), ..none() }).await, [everywhere]);
    assert_eq!(names(ListUserEventsRequest { since: Some(1_800_000_010), ..none() }).await, [everywhere]);
    assert_eq!(names(ListUserEventsRequest { until: Some(1_800_000_010), ..none() }).await, [one]);
    assert_eq!(names(ListUserEventsRequest { outcome: "failure".to_owned(), ..none() }).await, [""; 0]);
    assert_eq!(names(ListUserEventsRequest { address: "2001:db8::7".to_owned(), ..none() }).await, [""; 0]);
    let junk = ListUserEventsRequest { address: "localhost".to_owned(), ..none() };
    assert_eq!(code(api(&bench).list_user_events(by(&bench.admin(), junk)).await), Some(Code::InvalidArgument));

    let shown = list(ListUserEventsRequest { user: Some(with_id(EINSTEIN)), ..none() }).await;
    assert_eq!((shown[0].user_agent.as_str(), shown[0].administrator_id.as_str()), ("Firefox", ADMINISTRATOR));
    assert_eq!(shown[0].object, session.id.to_string());
    let mut own = AccountApiClient::new(super::super::account::serve(bench.provider.clone(), None));
    let id = UserId { opaque_id: EINSTEIN.to_owned(), ..UserId::default() };
    let token = bench.minted(&Authenticated::full(Arc::new(User { id, ..User::default() }), "pwd"));
    let own = own.list_events(by(&token, ListEventsRequest::default())).await.expect("is listed").into_inner().events;
    assert_eq!(own[0].event, one);
    let AccountEvent { user_agent, address, administrator_id, object, id, .. } = &own[0];
    assert!([user_agent, address, administrator_id, object, id].into_iter().all(String::is_empty), "{own:?}");
}

/// Row [N46](../../../../../docs/security-requirements.md#n46).
#[tokio::test]
async fn export_of_events_is_an_event_itself() {
    let bench = Bench::new().await;
    let list = async |is_export, page_token: &str| {
        let message = ListUserEventsRequest { is_export, page_token: page_token.to_owned(), ..Default::default() };
        let answer = api(&bench).list_user_events(by(&bench.admin(), message)).await;
        answer.expect("is listed").into_inner().events
    };
    list(false, "").await;
    list(true, "").await;
    list(true, "1.00000000000000000000000000000007").await;
    bench.provider.audit_events.flush(&bench.provider.store, &*bench.provider.directory).await.expect("stores");
    let events = list(false, "").await;
    let told: Vec<_> = events.iter().map(|event| (&*event.event, &*event.administrator_id, &*event.user_id)).collect();
    assert_eq!(told, [("audit_export", ADMINISTRATOR, "")], "once, and of no user's account");
}

/// Row [N46](../../../../../docs/security-requirements.md#n46).
#[tokio::test]
async fn export_goes_on_after_the_end_of_the_token_that_began_it() {
    let bench = Bench::new().await;
    let stored = |number: u128| StoredEvent {
        id: Uuid::from_u128(number),
        at: bench.clock.now(),
        user: if number.is_multiple_of(2) { "u-curie" } else { EINSTEIN }.to_owned(),
        event: "sign_in".to_owned(),
        outcome: "success".to_owned(),
        client: String::new(),
        address: None,
        user_agent: String::new(),
        administrator: String::new(),
        object: String::new(),
    };
    let events: Vec<_> = (0..450).map(stored).collect();
    bench.provider.store.add_events(&events).await.expect("stores");
    let token = bench.admin();
    let filter = ListUserEventsRequest { user: Some(with_id(EINSTEIN)), page_size: 1, ..Default::default() };
    let message = ExportUserEventsRequest { filter: Some(filter) };
    let mut export = api(&bench).export_user_events(by(&token, message)).await.expect("begins").into_inner();
    let mut found = export.message().await.expect("answers").expect("has events").events;
    assert_eq!(found.len(), 100, "a page at a time");
    bench.advance(Duration::from_hours(2));
    let list = by(&token, ListUserEventsRequest::default());
    assert!(code(api(&bench).list_user_events(list).await).is_some(), "the token has ended");
    while let Some(message) = export.message().await.expect("answers") {
        found.extend(message.events);
    }
    assert_eq!(found.len(), 225);
    assert!(found.iter().all(|event| event.user_id == EINSTEIN));
    bench.provider.audit_events.flush(&bench.provider.store, &*bench.provider.directory).await.expect("stores");
    let recorded = ListUserEventsRequest { event: "audit_export".to_owned(), ..Default::default() };
    let recorded = api(&bench).list_user_events(by(&bench.admin(), recorded)).await.expect("is listed").into_inner();
    assert_eq!(recorded.events.len(), 1);
}

/// Rows [N45](../../../../../docs/security-requirements.md#n45) and [N47](../../../../../docs/security-requirements.md#n47).
#[tokio::test]
async fn all_users_are_signed_out_some_at_a_time_and_the_administrator_last() {
    let bench = Bench::new().await;
    let mut sessions = Vec::new();
    for number in 0..60 {
        sessions.push(bench.sign_in(&mut Browser::default(), &format!("u-{number:02}")).await.id);
    }
    let own = bench.sign_in(&mut Browser::default(), ADMINISTRATOR).await.id;
    let (mut page_token, mut calls, mut users) = (String::new(), 0, 0);
    loop {
        let message = EndEveryUsersSessionsRequest { page_token };
        let answer =
            api(&bench).end_every_users_sessions(by(&bench.admin(), message)).await.expect("ends").into_inner();
        (calls, users, page_token) = (calls + 1, users + answer.users, answer.next_page_token);
        if page_token.is_empty() {
            break;
        }
        assert!(bench.is_signed_in(own).await, "until the last call");
    }
    assert_eq!((users, calls > 2), (60, true));
    assert!(!bench.is_signed_in(own).await);
    for session in sessions {
        assert!(!bench.is_signed_in(session).await);
    }
    let junk = EndEveryUsersSessionsRequest { page_token: "x".to_owned() };
    assert_eq!(code(api(&bench).end_every_users_sessions(by(&bench.admin(), junk)).await), Some(Code::InvalidArgument));
}
