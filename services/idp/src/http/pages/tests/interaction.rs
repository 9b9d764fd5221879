//! The pages of a sign-in and a sign-out: why they are shown, how they are left, and errors.

use super::*;

#[tokio::test]
async fn signed_in_user_reads_why_to_sign_in_again() {
    let endpoints = site();
    let client = client("Photos", Source::Configured);
    let einstein = User { display_name: "Albert Einstein".to_owned(), ..user("einstein") };
    for (too_old, told) in [
        (None, "<strong><bdi>Photos</bdi></strong> asks you to confirm that it is you."),
        (
            Some(UNIX_EPOCH + Duration::from_mins(61)),
            "You signed in on <time datetime=\"1970-01-01T01:01Z\">1 January 1970, 01:01 UTC</time>. That is too long ago \
             for <strong><bdi>Photos</bdi></strong>.",
        ),
    ] {
        let again = Reauthentication { user: Arc::new(einstein.clone()), too_old };
        let form = SignIn { username: "einstein", client: Some(&client), again: Some(&again), ..SignIn::default() };
        let Shown { html, .. } = Shown::read(sign_in(&english(&endpoints), &form)).await;
        assert!(html.contains(told), "{html}");
        assert!(html.contains("Confirm it&#39;s you") && html.contains(">AE</span>"), "{html}");
        let elements = html::elements(&html);
        let username = elements.iter().find(|element| element.get("name") == Some("username")).unwrap();
        assert_eq!((username.get("value"), username.get("readonly")), (Some("einstein"), None));
    }
}

#[tokio::test]
async fn chosen_account_is_shown_with_all_names_and_initials() {
    let endpoints = site();
    let client = client("Photos", Source::Configured);
    let users = [
        ("Albert Einstein", "albert", "a@example.org", "AE", 2),
        ("", "albert", "a@example.org", "A", 1),
        ("albert", "albert", "", "A", 0),
    ];
    for (name, username, mail, initials, hints) in users {
        let [display_name, username, mail] = [name, username, mail].map(str::to_owned);
        let user = User { display_name, username, mail, ..User::default() };
        let form = Account { flow: "f", csrf: "c", cancel: "x", user: &user, client: &client, redirect_uri: None };
        let Shown { html, .. } = Shown::read(account(&english(&endpoints), &form)).await;
        assert!(html.contains(&format!("<span class=\"avatar\" aria-hidden=\"true\">{initials}</span>")), "{html}");
        let shown = html.split("class=\"user\"").nth(1).unwrap().split("</p>").next().unwrap();
        assert_eq!(shown.matches("class=\"hint\"").count(), hints, "{shown}");
        for text in [&user.display_name, &user.username, &user.mail] {
            assert!(shown.contains(&**text), "{shown}");
        }
    }
}

/// Row [W2](../../../../../docs/security-requirements.md#w2).
#[tokio::test]
async fn sign_in_for_a_client_can_be_cancelled_by_a_form_of_its_own() {
    let endpoints = site();
    let client = client("Photos", Source::Configured);
    let user = user("p");
    let sign_in_form = SignIn { flow: "f", csrf: "c", cancel: "x", client: Some(&client), ..SignIn::default() };
    let chosen = Account { flow: "f", csrf: "c", cancel: "x", user: &user, client: &client, redirect_uri: None };
    for response in [sign_in(&english(&endpoints), &sign_in_form), account(&english(&endpoints), &chosen)] {
        let Shown { html, .. } = Shown::read(response).await;
        let form = html.split("<form ").last().unwrap().split("</form>").next().unwrap();
        assert!(form.contains(page::CANCEL) && form.contains("name=\"csrf\" value=\"x\""), "{form}");
        assert!(!form.contains("password"), "{form}");
    }
    let Shown { html, .. } = Shown::read(sign_in(&english(&endpoints), &SignIn::default())).await;
    assert!(!html.contains(page::CANCEL), "without a client there is nothing to go back to");
}

#[tokio::test]
async fn buttons_of_the_script_are_hidden_without_it() {
    let endpoints = site();
    for (response, attribute) in [
        (sign_in(&english(&endpoints), &SignIn::default()), "data-reveals"),
        (out_of_band(&english(&endpoints), Ok("code-1")), "data-copies"),
    ] {
        let Shown { html, .. } = Shown::read(response).await;
        let elements = html::elements(&html);
        let button = elements.iter().find(|element| element.get(attribute).is_some()).unwrap();
        assert_eq!((button.get("type"), button.get("hidden")), (Some("button"), Some("")), "{button:?}");
        let target = button.get(attribute);
        assert!(elements.iter().any(|element| element.get("id") == target), "{html}");
        assert!(elements.iter().any(|element| element.get("src") == Some(CLOUD.script_url())), "{html}");
    }
}

#[tokio::test]
async fn pages_about_errors_show_the_id_of_the_request_and_no_others_do() {
    let endpoints = site();
    for Shown { status, html, .. } in shown(&english(&endpoints), "text").await {
        let is_message = !html.contains("<form") && !html.contains("class=\"code\"");
        let is_error = status.is_client_error() || status.is_server_error();
        assert_eq!(html.contains(REQUEST_ID), is_message && is_error, "{status}: {html}");
    }
}

#[tokio::test]
async fn signed_out_page_leads_to_the_front_page_unless_to_an_application() {
    let endpoints = site();
    let links = |html: &str| -> Vec<String> {
        let all = html::elements(html).into_iter().filter(|element| element.name == "a");
        all.filter_map(|link| link.get("href").map(str::to_owned)).collect()
    };
    let alone = Shown::read(signed_out(&english(&endpoints), &[], None)).await;
    assert_eq!(links(&alone.html), ["https://cloud.example/"]);
    let onward = Shown::read(signed_out(&english(&endpoints), &[], Some(REDIRECT))).await;
    assert_eq!(links(&onward.html), [REDIRECT]);
}

#[tokio::test]
async fn signing_out_loads_the_frames_of_the_applications_and_then_goes_on() {
    let endpoints = site();
    let frames = ["https://a.example/out?iss=x&sid=1", "https://b.example:8443/out"].map(str::to_owned);
    let shown = Shown::read(signed_out(&english(&endpoints), &frames, Some("https://a.example/bye?state=1&x=2"))).await;
    assert!(shown.policy().ends_with("; frame-src https://a.example https://b.example:8443"), "{}", shown.policy());
    let elements = html::elements(&shown.html);
    let loaded = elements.iter().filter(|element| element.name == "iframe").filter_map(|frame| frame.get("src"));
    assert_eq!(loaded.collect::<Vec<_>>(), frames);
    let refresh = elements.iter().find(|element| element.get("http-equiv") == Some("refresh")).unwrap();
    assert_eq!(refresh.get("content"), Some("2; url=https://a.example/bye?state=1&x=2"));
    assert!(elements.iter().any(|element| element.get("href") == Some("https://a.example/bye?state=1&x=2")));
}

#[tokio::test]
async fn a_request_that_cannot_be_answered_is_explained_to_its_developer() {
    let endpoints = site();
    for (code, told) in [
        (ErrorCode::InvalidRequest, "This sign-in request is not valid"),
        (ErrorCode::ServerError, "Something went wrong"),
        (ErrorCode::TemporarilyUnavailable, "Not possible right now"),
    ] {
        let wrong = RequestError { code, description: "nonce is missing".into(), reply: None };
        let shown = Shown::read(error(&english(&endpoints), &wrong)).await;
        assert_eq!(shown.status, code.kind().http());
        for text in [told, code.code(), "nonce is missing"] {
            assert!(shown.html.contains(text), "{text}");
        }
    }
}
