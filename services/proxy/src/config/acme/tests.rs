use super::*;

fn acme() -> Acme {
    Acme { enabled: true, accept_terms: true, ..Acme::default() }
}

fn problem(acme: &Acme, url: &str) -> Option<String> {
    acme.plan(url).err().map(|invalid| invalid.to_string())
}

#[test]
fn hosts_are_those_of_the_url_unless_others_are_named() {
    let plan = acme().plan("https://Cloud.example.org:9200").expect("a plan");
    assert_eq!((plan.hosts, plan.challenge.as_str()), (vec!["cloud.example.org".to_owned()], TLS_ALPN_01));
    let hosts = ["a.example.org", "B.example.org", "b.example.org"].map(str::to_owned).to_vec();
    let plan = Acme { hosts, ..acme() }.plan("https://localhost:9200").expect("a plan");
    assert_eq!(plan.hosts, ["a.example.org", "b.example.org"]);
}

#[test]
fn hosts_that_no_authority_can_validate_are_refused_with_the_setting() {
    for url in ["https://localhost:9200", "https://10.0.0.1", "https://[::1]:9200", "https://cloud", "https://a.local"]
    {
        let problem = problem(&acme(), url).expect(url);
        assert!(problem.starts_with("url has the host") && problem.contains("OCIS_URL"), "{problem}");
    }
    for host in ["*.example.org", "a_b.example.org", "a.example.org:443", "a b", "", "1.2.3.4", "example.org."] {
        let problem = problem(&Acme { hosts: vec![host.to_owned()], ..acme() }, "https://a.example.org").expect(host);
        assert!(problem.starts_with("acme.hosts has the host"), "{problem}");
    }
    let own = Acme { directory: "https://ca.internal/acme/directory".into(), ..acme() };
    assert_eq!(problem(&own, "https://localhost:9200"), None, "an authority of the operator's own may know it");
    assert!(problem(&own, "https://10.0.0.1").is_some());
}

/// `docs/security-requirements.md#e43`
#[test]
fn directory_is_called_by_https_or_within_this_machine() {
    let with = |directory: &str| problem(&Acme { directory: directory.to_owned(), ..acme() }, "https://a.example.org");
    for good in ["https://ca.example/dir", "http://127.0.0.1:14000/dir", "http://localhost/dir", "http://[::1]:1/dir"] {
        assert_eq!(with(good), None, "{good}");
    }
    for bad in
        ["http://ca.example/dir", "http://127.0.0.1.example/dir", "ftp://ca.example", "ca.example", "", "https://"]
    {
        assert!(with(bad).is_some_and(|problem| problem.starts_with("acme.directory must be like")), "{bad}");
    }
}

#[test]
fn terms_have_to_be_accepted_and_mail_addresses_are_one() {
    let refused = Acme { accept_terms: false, ..acme() };
    assert!(
        problem(&refused, "https://a.example.org").expect("is refused").starts_with("acme.accept_terms must be true")
    );
    let with = |email: &str| problem(&Acme { email: email.to_owned(), ..acme() }, "https://a.example.org");
    assert_eq!((with(""), with("admin@example.org")), (None, None));
    for email in
        ["admin", "@example.org", "a@b@", "a@example.org,b@example.org", "a b@example.org", "mailto:a@example.org"]
    {
        assert!(with(email).is_some(), "{email}");
    }
}

#[test]
fn external_account_has_an_identifier_and_a_key() {
    let with = |id: &str, key: &str| {
        Acme { eab_key_id: id.to_owned(), eab_hmac_key: Secret::from(key), ..acme() }.plan("https://a.example.org")
    };
    assert_eq!(with("", "").expect("a plan").external_account, None);
    for key in ["_-8", "_-8=", "/+8", "/+8="] {
        assert_eq!(with("kid", key).expect(key).external_account, Some(("kid".to_owned(), vec![0xff, 0xef])));
    }
    for (id, key) in [("kid", ""), ("", "_-8"), ("kid", "!")] {
        assert!(with(id, key).is_err(), "{id} {key}");
    }
}
