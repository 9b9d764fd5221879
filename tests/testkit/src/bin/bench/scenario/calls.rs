//! Everything that costs no hash, while what it needs is in memory.

use authn::BoxError;

use super::{Bench, order};
use crate::{
    call::{self, Junk, authenticate, credential},
    family::{MACHINE_KEY, SERVICE_ACCOUNT, SERVICE_SECRET},
    load::Call,
    report::{self, Series},
    tokens::USED,
};

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
        report::line("a workload JWT that was verified before has to take at most 0.15 ms of CPU")?;
        Ok(report::spread("appauth warm", &rows[..tokens])?)
    }

    async fn others(&self) -> Result<Vec<(String, Call)>, BoxError> {
        let account = credential(SERVICE_ACCOUNT, SERVICE_SECRET);
        let token =
            authenticate(self.callers.channel(0), "machine", "einstein".to_owned(), MACHINE_KEY.to_owned()).await?;
        // more than are remembered once they are verified
        let workload = |client_id: &str, count: usize| -> Vec<_> {
            self.workloads.tokens(count).iter().map(|token| credential(client_id, token)).collect()
        };
        let calls = [
            ("machine, workload JWT", call::gateway("machine", workload("einstein", 1))),
            ("machine, workload JWT, 20,000 in turn", call::gateway("machine", workload("einstein", 20_000))),
            ("serviceaccounts, workload JWT", call::gateway("serviceaccounts", workload("", 1))),
            ("appauth, wrong checksum", call::junk("einstein", Junk::Malformed)),
            ("appauth, well-formed forgery", call::junk("einstein", Junk::Forged)),
            ("machine", call::gateway("machine", vec![credential("einstein", MACHINE_KEY)])),
            ("serviceaccounts", call::gateway("serviceaccounts", vec![account])),
            ("WhoAmI", call::who_am_i(token)),
        ];
        Ok(calls.map(|(name, call)| (name.to_owned(), call)).into())
    }
}
