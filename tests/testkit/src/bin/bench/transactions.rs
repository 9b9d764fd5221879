//! What a transaction token costs in comparison with its signature, on one thread.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use authn::BoxError;
use oidc::jose::Algorithm;
use secrecy::SecretString;
use token::transaction::{
    ALGORITHMS, Authority, KeySource, ReplacementRequest, Subject, SubjectType, TransactionKeys, TransactionMinter,
    TransactionRequest, TransactionVerifier, WorkloadPolicy,
};

use crate::{report, spent::on_this_thread};

/// How long each row is measured in each round.
const ROUND: Duration = Duration::from_millis(300);
/// The length of what is signed in a token like those that are measured, in bytes.
const MESSAGE: usize = 600;
/// The most that minting a token may cost, in signatures.
const MOST: f64 = 1.2;
const DOMAIN: &str = "cloud.example.org";

/// Measures transaction tokens, and fails if minting one costs more than 1.2 times its signature.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds: in each, every row is measured once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

/// What is measured, in this order.
const ROWS: [&str; 4] = ["signature", "mint", "replace", "verify"];

pub(crate) fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let mut too_slow = Vec::new();
    for algorithm in ALGORITHMS {
        let costs = measured(algorithm, arguments.rounds.max(1))?;
        let [signature, mint, ..] = costs;
        report::line(&format!("{algorithm}: microseconds of CPU time, and in signatures"))?;
        for (row, cost) in ROWS.iter().zip(costs) {
            report::line(&format!("  {row:<10} {:>8.2} {:>6.2}", cost * 1000.0, cost / signature))?;
        }
        if mint > signature * MOST {
            too_slow.push(algorithm.name());
        }
    }
    if too_slow.is_empty() {
        return Ok(());
    }
    Err(format!("minting costs more than {MOST} signatures with {}", too_slow.join(" and ")).into())
}

/// The medians of the rows, in milliseconds. The rows take turns, so that a machine's moods meet all alike.
fn measured(algorithm: Algorithm, rounds: usize) -> Result<[f64; ROWS.len()], BoxError> {
    let now = UNIX_EPOCH + Duration::from_hours(500_000);
    let secret = SecretString::from("a secret for transaction tokens, 32 bytes or more");
    let keys = Arc::new(TransactionKeys::new(&secret, None, algorithm)?);
    let minter = TransactionMinter::new(Arc::clone(&keys), DOMAIN);
    let verifier = TransactionVerifier::new(DOMAIN, KeySource::Derived(Arc::clone(&keys)));
    let (request, replacement) = requests()?;
    let policy = policy();
    let subject = Subject {
        id: "b1f74ec4-dd7e-11ef-a543-03775734d0f7",
        kind: SubjectType::User,
        actor: None,
        authority: Authority::WholeUser,
        not_after: now + Duration::from_mins(5),
    };
    let (files, search) = ("spiffe://example.org/files", "spiffe://example.org/search");
    let first = minter.mint(now, &subject, &request, files, &policy)?;
    let (signer, message) = (keys.signer(now), [7_u8; MESSAGE]);
    let mut times: [Vec<f64>; ROWS.len()] = Default::default();
    let [signature, mint, replace, verify] = &mut times;
    for _ in 0..rounds {
        let sign = || {
            black_box(signer.sign(&message));
            Ok(())
        };
        signature.push(cost(sign)?);
        mint.push(cost(|| done(minter.mint(now, &subject, &request, files, &policy)))?);
        replace.push(cost(|| done(minter.replace(now, &first.claims, &replacement, search, &policy)))?);
        verify.push(cost(|| done(verifier.verify(now, &first.token)))?);
    }
    Ok(times.map(|times| report::median(&times)))
}

fn requests() -> Result<(TransactionRequest, ReplacementRequest), BoxError> {
    let (details, context) = (r#"{"service":"webdav"}"#, r#"{"req_ip":"192.0.2.1","method":"PUT"}"#);
    let request = TransactionRequest::new("files.read files.write", details, context)?;
    Ok((request, ReplacementRequest::new("files.read", "", "")?))
}

fn policy() -> WorkloadPolicy {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    WorkloadPolicy {
        scopes: owned(&["files.read", "files.write"]),
        details: owned(&["service"]),
        context: owned(&["req_ip", "method"]),
        may_replace: true,
        lifetime: Duration::from_mins(1),
    }
}

/// The outcome of a call without its result.
fn done<T, E: Into<BoxError>>(outcome: Result<T, E>) -> Result<(), BoxError> {
    outcome.map(drop).map_err(Into::into)
}

/// Milliseconds of CPU time for one call.
#[expect(clippy::cast_precision_loss, reason = "the nanoseconds of a run are far below 2^52")]
fn cost(mut call: impl FnMut() -> Result<(), BoxError>) -> Result<f64, BoxError> {
    let (start, before, mut calls) = (Instant::now(), on_this_thread()?, 0.0);
    while start.elapsed() < ROUND {
        call()?;
        calls += 1.0;
    }
    Ok((on_this_thread()? - before) as f64 / 1e6 / calls)
}
