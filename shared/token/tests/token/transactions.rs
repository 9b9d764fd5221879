//! Transaction tokens: what is minted is accepted, nothing else is, and a replacement never says more.

mod confusion;
mod keys;
mod replacements;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oidc::jose::Algorithm;
use secrecy::SecretString;
use serde_json::{Value, json};
use token::transaction::names::TYP;
use token::transaction::{
    ALGORITHMS, Authority, KeySource, Minted, PublishedKeys, Subject, SubjectType, TransactionDefect, TransactionError,
    TransactionKeys, TransactionMinter, TransactionRequest, TransactionVerifier, WorkloadPolicy,
};

use crate::support::{NOW, at};

const SECRET: &str = "a secret for transaction tokens, 32 bytes or more";
const DOMAIN: &str = "cloud.example.org";
const FILES: &str = "spiffe://example.org/files";

fn keys_of(secret: &str, signs: Algorithm) -> Arc<TransactionKeys> {
    Arc::new(TransactionKeys::new(&SecretString::from(secret), None, signs).unwrap())
}

fn keys() -> Arc<TransactionKeys> {
    keys_of(SECRET, Algorithm::Es256)
}

fn verifier(keys: &Arc<TransactionKeys>) -> TransactionVerifier {
    TransactionVerifier::new(DOMAIN, KeySource::Derived(Arc::clone(keys)))
}

/// What another process verifies with that has fetched the keys at this time.
fn remote_verifier(keys: &TransactionKeys, now: SystemTime) -> TransactionVerifier {
    let published = PublishedKeys::default();
    published.replace(&keys.published(now)).unwrap();
    TransactionVerifier::new(DOMAIN, KeySource::Published(Arc::new(published)))
}

fn policy(scopes: &[&str]) -> WorkloadPolicy {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    WorkloadPolicy {
        scopes: owned(scopes),
        details: owned(&["file"]),
        context: owned(&["req_ip"]),
        may_replace: true,
        lifetime: Duration::from_mins(1),
    }
}

fn user(authority: Authority<'_>) -> Subject<'_> {
    Subject { id: "b1f74ec4", kind: SubjectType::User, actor: None, authority, not_after: at(NOW + 3600) }
}

fn mint(keys: &Arc<TransactionKeys>) -> Minted {
    let request = TransactionRequest::new("files.read files.write", r#"{"file":"7"}"#, r#"{"req_ip":"192.0.2.1"}"#);
    let minter = TransactionMinter::new(Arc::clone(keys), DOMAIN);
    let policy = policy(&["files.read", "files.write"]);
    minter.mint(at(NOW), &user(Authority::WholeUser), &request.unwrap(), FILES, &policy).unwrap()
}

/// The claims of a good token; each test changes one.
fn good_claims() -> Value {
    json!({
        "iss": DOMAIN, "aud": DOMAIN, "txn": "t1", "sub": "b1f74ec4", "scope": "files.read",
        "tctx": {"sub_type": "user", "file": "7"}, "rctx": {"req_ip": "192.0.2.1"}, "req_wl": FILES,
        "act": {"sub": "portal"}, "iat": NOW, "exp": NOW + 60,
    })
}

#[test]
fn minted_token_says_what_it_was_minted_for() {
    for algorithm in ALGORITHMS {
        let keys = keys_of(SECRET, algorithm);
        let minted = mint(&keys);
        for verifier in [verifier(&keys), remote_verifier(&keys, at(NOW))] {
            let claims = verifier.verify(at(NOW), &minted.token).unwrap();
            assert_eq!(claims, minted.claims);
            assert_eq!((claims.subject.as_str(), claims.subject_type), ("b1f74ec4", SubjectType::User));
            assert_eq!(claims.scope.to_string(), "files.read files.write");
            assert_eq!((&claims.details["file"], &claims.context["req_ip"]), (&json!("7"), &json!("192.0.2.1")));
            assert_eq!((claims.issued_at, claims.expires_at), (at(NOW), at(NOW + 60)));
            assert_eq!(claims.transaction.len(), 22);
        }
    }
}

#[test]
fn claims_have_the_names_of_the_draft() {
    let keys = keys();
    let minter = TransactionMinter::new(Arc::clone(&keys), DOMAIN).with_identifiers(|| [0; 16]);
    let actor = "portal".into();
    let subject = Subject { actor: Some(&actor), ..user(Authority::WholeUser) };
    let request = TransactionRequest::new("files.read", r#"{"file":"7"}"#, "").unwrap();
    let issued = minter.mint(at(NOW), &subject, &request, FILES, &policy(&["files.read"])).unwrap();
    let jwt = oidc::jose::UnverifiedJwt::parse(&issued.token).unwrap();
    let mut expected = good_claims();
    expected.as_object_mut().unwrap().remove("rctx");
    expected["txn"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(&Value::Object(jwt.claims().clone()), &expected);
    assert_eq!((jwt.typ(), jwt.algorithm()), (Some("txntoken+jwt"), Some(Algorithm::Es256)));
}

#[test]
fn page_lists_the_names_of_the_draft_and_all_claims() {
    let page = include_str!("../../../../docs/transaction-tokens.md");
    let section = page.split("\n## ").find(|section| section.starts_with("What is in it\n")).unwrap().to_lowercase();
    let source = include_str!("../../src/transaction/names.rs");
    let names = source.lines().filter_map(|line| line.split_once(": &str = \"")?.1.strip_suffix("\";"));
    let names: Vec<_> = names.collect();
    assert!(names.contains(&TYP) && names.contains(&"req_wl"), "{names:?}");
    let claims = good_claims();
    let all = names.into_iter().chain(claims.as_object().unwrap().keys().map(String::as_str));
    let missing: Vec<_> = all.filter(|name| !section.contains(&format!("`{}`", name.to_lowercase()))).collect();
    assert!(missing.is_empty(), "docs/transaction-tokens.md lacks {missing:?}");
}

/// `docs/security-requirements.md#x4`
#[test]
fn scope_is_within_the_policy_and_the_subject_s() {
    let minter = TransactionMinter::new(keys(), DOMAIN);
    let own = "files.read search".parse().unwrap();
    let mint = |authority, scope: &str| {
        let request = TransactionRequest::new(scope, "", "")?;
        let policy = policy(&["files.read", "files.write"]);
        minter.mint(at(NOW), &user(authority), &request, FILES, &policy).map(|issued| issued.claims.scope.to_string())
    };
    assert_eq!(mint(Authority::WholeUser, "files.write files.read").as_deref(), Ok("files.read files.write"));
    assert_eq!(mint(Authority::Scopes(&own), "files.read").as_deref(), Ok("files.read"));
    assert_eq!(mint(Authority::Scopes(&own), "files.write"), Err(TransactionError::Scope), "the subject may not");
    assert_eq!(mint(Authority::Scopes(&own), "search"), Err(TransactionError::Scope), "the policy does not list it");
    assert_eq!(mint(Authority::WholeUser, ""), Err(TransactionError::Scope));
}

/// `docs/security-requirements.md#x6`
#[test]
fn token_ends_after_its_lifetime_or_with_its_subject() {
    let minter = TransactionMinter::new(keys(), DOMAIN);
    let request = TransactionRequest::new("files.read", "", "").unwrap();
    let mint = |lifetime, not_after| {
        let policy = WorkloadPolicy { lifetime, ..policy(&["files.read"]) };
        let subject = Subject { not_after, ..user(Authority::WholeUser) };
        minter.mint(at(NOW), &subject, &request, FILES, &policy).map(|minted| minted.claims.expires_at)
    };
    let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
    assert_eq!(mint(minute, at(NOW + 3600)), Ok(at(NOW + 60)));
    assert_eq!(mint(hour, at(NOW + 3600)), Ok(at(NOW + 300)), "no token is valid for longer than five minutes");
    assert_eq!(mint(minute, at(NOW + 7)), Ok(at(NOW + 7)));
    for ended in [at(NOW), at(NOW - 1), at(NOW) + Duration::from_millis(999)] {
        assert_eq!(mint(minute, ended), Err(TransactionError::Expired), "{ended:?}");
    }
    let token = mint_token_of(&minter, &request);
    let verifier = verifier(&keys());
    assert!(verifier.verify(at(NOW + 64), &token).is_ok(), "clocks differ by five seconds");
    assert_eq!(verifier.verify(at(NOW + 65), &token), Err(TransactionDefect::Expired));
    assert_eq!(verifier.verify(at(NOW - 6), &token), Err(TransactionDefect::NotYetValid));
}

fn mint_token_of(minter: &TransactionMinter, request: &TransactionRequest) -> String {
    minter.mint(at(NOW), &user(Authority::WholeUser), request, FILES, &policy(&["files.read"])).unwrap().token
}

#[test]
fn workload_subject_and_members_are_checked() {
    let minter = TransactionMinter::new(keys(), DOMAIN);
    let mint = |id: &str, workload: &str, details: &str| {
        let request = TransactionRequest::new("files.read", details, "")?;
        let subject = Subject { id, ..user(Authority::WholeUser) };
        minter.mint(at(NOW), &subject, &request, workload, &policy(&["files.read"])).map(drop)
    };
    assert_eq!(mint("7", FILES, ""), Ok(()));
    for workload in ["", "a,b", "a b", "ä", "a".repeat(2049).as_str()] {
        assert!(matches!(mint("7", workload, ""), Err(TransactionError::Malformed(_))), "{workload}");
    }
    for id in ["", "x".repeat(256).as_str()] {
        assert!(matches!(mint(id, FILES, ""), Err(TransactionError::Malformed(_))), "{id}");
    }
    assert_eq!(mint("7", FILES, r#"{"folder":"7"}"#), Err(TransactionError::Policy));
    let large = format!(r#"{{"file":"{}"}}"#, "x".repeat(4000));
    assert_eq!(mint("7", FILES, &large), Ok(()));
}
