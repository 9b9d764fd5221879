//! App tokens keep working when the URL of the installation changes.

use proto::cs3::auth::applications::v1beta1::ListAppPasswordsRequest;
use testkit::{Layout, Mode, TestFamily};
use tonic::Request;

async fn listed(family: &TestFamily) -> usize {
    let mut request = Request::new(ListAppPasswordsRequest::default());
    let token = family.token_of("einstein").await;
    request.metadata_mut().insert("x-access-token", token.parse().expect("a token"));
    let answer = family.gateway().list_app_passwords(request).await.expect("answers").into_inner();
    answer.app_passwords.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn app_tokens_go_on_working_when_the_url_of_the_installation_changes() {
    let mut layout = Layout::new("renamed", false);
    layout.set("OCIS_URL", "https://cloud.example");
    let mut family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    let token = family.app_token("einstein").await;
    for url in ["https://cloud.example", "https://cloud.example/", "https://files.example:9200"] {
        family = family.restart(Mode::Inside, |layout| layout.set("OCIS_URL", url)).await;
        for login in ["einstein", ""] {
            let answer = family.authenticate("appauth", login, &token).await;
            let (user, _) = answer.unwrap_or_else(|error| panic!("{url} {login:?}: {error:?}"));
            let id = user.id.expect("an identifier");
            assert_eq!((user.username.as_str(), id.idp.as_str()), ("einstein", url.trim_end_matches('/')), "{login:?}");
        }
        assert_eq!(listed(&family).await, 1, "{url}");
    }
}
