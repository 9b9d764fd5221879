//! Everything that costs no hash, while what it needs is in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use authn::BoxError;

use super::{Bench, order};
use crate::{
    call::{self, Junk, authenticate, credential},
    family::{MACHINE_KEY, SERVICE_ACCOUNT, SERVICE_SECRET},
    load::Call,
    report::{self, Series},
    tokens::USED,
};

/// JWTs of a workload that are shown in turn: more than are shown in the minute for which one that was verified is remembered.
const WORKLOAD_JWTS: usize = 60_000;
/// The rows with them: keys and policy are known, while each JWT is verified and an internal JWT is minted for it.
const NEW_JWTS: [&str; 2] =
    ["machine, another Kubernetes token at each call", "machine, another JWT-SVID at each call"];
/// The rows in which a workload shows its JWT again, as it does until the JWT expires.
const WARM_JWTS: [&str; 2] = ["machine, the same JWT-SVID", "serviceaccounts, the same JWT-SVID"];
/// The rows whose CPU time has a limit.
const LIMITED: [&str; 3] = [NEW_JWTS[0], WARM_JWTS[0], WARM_JWTS[1]];
/// The most CPU time that each of these may take, in milliseconds.
const MOST: f64 = 0.15;

/// The same call, which does not begin again with the first credential in the next round: what was verified and minted is remembered for
/// as long as several rounds take.
fn going_on(call: Call) -> Call {
    let number = Arc::new(AtomicUsize::new(0));
    Arc::new(move |channel, _| call(channel, number.fetch_add(1, Ordering::Relaxed)))
}

impl Bench<'_> {
    /// Measures in rounds.
    pub(super) async fn calls(&self) -> Result<(), BoxError> {
        let warm: Vec<_> =
            self.crowds.iter().map(|crowd| call::gateway("appauth", crowd.credentials.clone())).collect();
        for call in &warm {
            self.callers.succeed(call, USED).await?;
        }
        let names = self.crowds.iter().map(|crowd| format!("appauth warm, {} of one user", crowd.tokens));
        let mut calls: Vec<(String, Call)> = names.zip(warm).collect();
        let tokens = calls.len();
        calls.extend(self.others().await?);

        let mut floor = Series::new("bare tonic echo");
        let mut rows: Vec<_> = calls.iter().map(|(name, _)| Series::new(name.clone())).collect();
        for round in 0..self.arguments.rounds {
            self.round(self.echo, &call::echo(), &mut floor).await?;
            for place in order(calls.len(), round) {
                self.round(&self.callers, &calls[place].1, &mut rows[place]).await?;
            }
        }
        let rows: Vec<_> = rows.iter().collect();
        let title = format!("Authenticate of each type, and WhoAmI: the median of {} rounds", self.arguments.rounds);
        report::table(&title, &floor, &rows)?;
        report::spread("appauth warm", &rows[..tokens])?;
        let mut measured = calls.iter().zip(&rows).filter(|((name, _), _)| LIMITED.contains(&name.as_str()));
        match measured.find(|(_, row)| row.cpu_ms() > MOST || row.failures() > 0) {
            None => Ok(()),
            Some(((name, _), row)) => Err(format!(
                "{name}: {:.4} ms of CPU and {} failures; at most {MOST} ms and none are allowed",
                row.cpu_ms(),
                row.failures()
            )
            .into()),
        }
    }

    async fn others(&self) -> Result<Vec<(String, Call)>, BoxError> {
        let account = credential(SERVICE_ACCOUNT, SERVICE_SECRET);
        let token =
            authenticate(self.callers.channel(0), "machine", "einstein".to_owned(), MACHINE_KEY.to_owned()).await?;
        let workload = |client_id: &str, tokens: &[String]| -> Vec<_> {
            tokens.iter().map(|token| credential(client_id, token)).collect()
        };
        let (svids, of_cluster) =
            (self.workloads.svids(WORKLOAD_JWTS), self.workloads.service_account_tokens(WORKLOAD_JWTS)?);
        let ([new_token, new_svid], [warm_machine, warm_account], first) =
            (NEW_JWTS, WARM_JWTS, self.workloads.svids(1));
        let calls = [
            (warm_machine, call::gateway("machine", workload("einstein", &first))),
            (new_token, going_on(call::gateway("machine", workload("einstein", &of_cluster)))),
            (new_svid, going_on(call::gateway("machine", workload("einstein", &svids)))),
            (warm_account, call::gateway("serviceaccounts", workload("", &first))),
            ("appauth, wrong checksum", call::junk("einstein", Junk::Malformed)),
            ("appauth, well-formed forgery", call::junk("einstein", Junk::Forged)),
            ("machine", call::gateway("machine", vec![credential("einstein", MACHINE_KEY)])),
            ("serviceaccounts", call::gateway("serviceaccounts", vec![account])),
            ("WhoAmI", call::who_am_i(token)),
        ];
        Ok(calls.map(|(name, call)| (name.to_owned(), call)).into())
    }
}
