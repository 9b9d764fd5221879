use super::*;
use crate::engine::clients::file;

fn read(text: &str) -> Result<Vec<Described>, FileError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("clients.yaml");
    std::fs::write(&path, text).expect("writes");
    file::read(&path, &sites(), &sealer())
}

fn one(text: &str) -> Arc<Client> {
    let mut clients = read(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(clients.len(), 1);
    Arc::clone(&clients.remove(0).client)
}

/// What is said of a client that is wrong, without the name of the file.
fn refused(members: &str) -> String {
    let text = format!("clients:\n  - id: wiki\n    redirect_uris: [https://wiki.example/cb]\n{members}");
    let error = read(&text).err().unwrap_or_else(|| panic!("is accepted: {members}")).to_string();
    error.split_once("clients.yaml: ").map_or(error.clone(), |(_, rest)| rest.to_owned())
}

#[test]
fn a_file_of_lico_is_understood() {
    let web = one(r#"
clients:
  - id: web
    name: ownCloud Web app
    trusted: true
    secret: ""
    application_type: web
    uri: https://owncloud.example
    contacts: [admin@owncloud.example]
    trusted_scopes: [LibreGraph.UUID]
    implicit_scopes: [groups]
    origins: ['{{OCIS_URL}}']
    redirect_uris:
      - '{{OCIS_URL}}/'
      - '{{OCIS_URL}}/oidc-callback.html'
authorities: []
"#);
    assert_eq!((web.source, web.auth, web.consent), (Source::Configured, AuthMethod::None, ConsentPolicy::Trusted));
    assert_eq!(web.presentation.name, "ownCloud Web app");
    assert_eq!(web.presentation.home.as_deref(), Some("https://owncloud.example"));
    assert_eq!(web.implicit_scopes.to_string(), "groups");
    assert!(web.redirects.find("https://cloud.example/oidc-callback.html").is_some());
    assert!(web.logout.redirects.find("https://cloud.example/").is_some(), "as lico has it");
}

/// Access tokens are for the client of `docs/transaction-tokens.md` only if other clients can name it as their resource.
#[test]
fn documented_client_of_transaction_tokens_can_be_named_as_a_resource() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/transaction-tokens.md"));
    let (_, rest) = page.split_once("```yaml\nclients:\n").expect("a file of clients");
    let (entry, _) = rest.split_once("```").expect("the end of the block");
    let client = one(&format!("clients:\n{}", entry.replace("secret: ...", "secret: 8J3kd93jfJ93jdkfl39dkf")));
    assert!(reqwest::Url::parse(&client.id).is_ok(), "{}", client.id);
    assert_eq!(client.auth, AuthMethod::SecretBasic);
    let policy = client.transaction_tokens.as_ref().expect("a policy");
    assert_eq!(policy.lifetime, Some(Duration::from_secs(30)));
    let scopes: Vec<_> = policy.allowed.scopes.iter().map(String::as_str).collect();
    assert_eq!((scopes, policy.allowed.may_replace), (vec!["files.read", "files.write"], false));
}

#[test]
fn a_secret_is_kept_as_a_digest_and_sealed_only_where_it_has_to_be_known() {
    let plain = one(
        "clients:\n  - id: wiki\n    secret: 8J3kd93jfJ93jdkfl39dkf\n    redirect_uris: [https://wiki.example/cb]\n",
    );
    assert_eq!((plain.auth, plain.sealed_secret.is_none()), (AuthMethod::SecretBasic, true));
    assert_eq!(plain.secrets[0].digest, secret::digest("8J3kd93jfJ93jdkfl39dkf"));
    let signing = one(
        "clients:\n  - id: wiki\n    secret: 8J3kd93jfJ93jdkfl39dkf\n    token_endpoint_auth_method: client_secret_jwt\n    redirect_uris: [https://wiki.example/cb]\n",
    );
    let sealed = signing.sealed_secret.as_deref().expect("is sealed");
    let opened = sealer().open_bytes(crate::seal::Purpose::ClientSecret, sealed).expect("is opened");
    assert_eq!(opened, b"8J3kd93jfJ93jdkfl39dkf");
}

#[test]
fn byte_order_mark_before_the_file_is_skipped() {
    let client = one(
        "\u{feff}clients:\n- id: wiki\n  secret: 8J3kd93jfJ93jdkfl39dkf\n  redirect_uris: [https://wiki.example/cb]\n",
    );
    assert_eq!(client.id, "wiki");
}

#[test]
fn i41_secrets_of_examples_are_refused() {
    let example = "client wiki: secret: is the one of an example: make one with openssl rand -base64 32";
    for secret in ["change-me", "change-me-change-me-change-me", "CHANGEME", "insecure", "secret"] {
        assert_eq!(refused(&format!("    secret: {secret}\n")), example, "{secret}");
    }
    assert!(refused("    secret: k3j4h5k3j4h5\n").contains("must have at least 16 bytes, not 12"));
    for secret in ["'                        '", "aaaaaaaaaaaaaaaaaaaaaaaa", "a a a a a a a a a a a a"] {
        assert!(refused(&format!("    secret: {secret}\n")).contains("blanks or of one character"), "{secret}");
    }
    assert!(refused("    secret: 12345678901234567890\n").contains("quotation marks"));
    let published = "UBntmLjC2yYCeHwsyj73Uwo9TAaecAetRwMw0xYcvNL9yRdLSUi0hUAHfvCHFeFh";
    assert!(refused(&format!("    secret: {published}\n")).contains("it is public"));
}

#[test]
fn the_clients_of_ocis_keep_their_published_secrets_and_stay_public() {
    let desktop = one(
        "clients:\n  - id: xdXOt13JKxym1B1QcEncf2XDkLAexMBFwiT9j6EfhhHFJhs2KM9jbjTmf8JBXE69\n    secret: UBntmLjC2yYCeHwsyj73Uwo9TAaecAetRwMw0xYcvNL9yRdLSUi0hUAHfvCHFeFh\n    application_type: native\n    redirect_uris: [http://127.0.0.1, http://localhost]\n",
    );
    assert_eq!((desktop.auth, desktop.secrets.len()), (AuthMethod::None, 1));
}

#[test]
fn what_is_wrong_is_told_with_file_client_and_member() {
    assert_eq!(refused("    redirect_uri: x\n"), "client wiki: redirect_uri: is no member of a client's metadata");
    assert_eq!(refused("    trusted: 7\n"), "client wiki: trusted: is true or false");
    assert_eq!(refused("    application_type: desktop\n"), "client wiki: application_type: is web or native");
    assert_eq!(refused("    name: 7\n").split(": ").nth(1), Some("client_name"));
    let needed = refused("    token_endpoint_auth_method: client_secret_post\n");
    assert_eq!(needed, "client wiki: secret: is needed for client_secret_post");
    let twice = "clients:\n  - {id: a, redirect_uris: [https://a.example/]}\n  - {id: a, redirect_uris: [https://a.example/]}\n";
    assert!(read(twice).expect_err("is there twice").to_string().ends_with("client a: id: is there twice"));
    let nameless = "clients:\n  - {redirect_uris: [https://a.example/]}\n";
    assert!(read(nameless).expect_err("has no id").to_string().contains("client number 1: client_id: is missing"));
    let error = read("clients: {").expect_err("is no YAML").to_string();
    assert!(error.contains("clients.yaml: "), "{error}");
    let gone = file::read(std::path::Path::new("/nowhere/clients.yaml"), &sites(), &sealer());
    assert!(gone.expect_err("is not there").to_string().starts_with("IDP_CLIENTS_FILE: /nowhere/clients.yaml: "));
}

#[test]
fn an_empty_file_has_no_clients() {
    for text in ["clients: []\n", "{}\n", "authorities: []\n"] {
        assert!(read(text).expect("is read").is_empty(), "{text:?}");
    }
}
