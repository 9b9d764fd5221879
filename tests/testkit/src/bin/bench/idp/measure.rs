//! The rounds.

use std::time::Duration;

use authn::BoxError;

use super::{
    Arguments,
    signature::{Cost, Signatures},
    work::{Endpoints, Work},
};
use crate::{http::Connection, load::Callers, report::Series, server::Server};

/// In how many rounds OpenSSL is measured once: it counts in whole seconds.
const ROUNDS_OF_OPENSSL: usize = 3;

/// A row: the work, and what it cost on both sides.
pub(super) struct Row {
    /// What is done.
    pub(super) work: Work,
    /// idp, then the peer.
    pub(super) series: [Series; 2],
}

/// Both servers and what was measured so far.
pub(super) struct Bench<'a> {
    sides: [Contender<'a>; 2],
    rounds: usize,
    duration: Duration,
    rows: Vec<Row>,
    signatures: Signatures,
}

struct Contender<'a> {
    endpoints: Endpoints,
    callers: Callers<'a, Connection>,
}

impl<'a> Bench<'a> {
    /// Nothing measured yet, of idp and the peer: each with what is behind it.
    pub(super) fn new(
        arguments: &Arguments,
        sides: [(&'a Server, Endpoints, &'a [Server]); 2],
    ) -> Result<Self, BoxError> {
        let is_wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| name.contains(only));
        let wanted = Work::ALL.into_iter().filter(|work| is_wanted(&work.name()));
        let rows = wanted.map(|work| Row { work, series: [(); 2].map(|()| Series::new(work.name())) }).collect();
        let sides = sides.map(|(server, endpoints, behind)| {
            let connections = (0..arguments.callers).map(|_| Connection::to(&server.address)).collect();
            Contender { endpoints, callers: Callers::over(server, behind, connections) }
        });
        let duration = Duration::from_millis(arguments.milliseconds);
        Ok(Self { sides, rounds: arguments.rounds, duration, rows, signatures: Signatures::new()? })
    }

    /// Does everything once on both, so that nothing is measured that does not work.
    pub(super) async fn check(&self) -> Result<(), BoxError> {
        for Contender { endpoints, callers } in &self.sides {
            for Row { work, .. } in &self.rows {
                let checked = work.check(*endpoints, &callers.channel(0)).await;
                checked.map_err(|error| format!("{:?}, {}: {error}", endpoints.side, work.name()))?;
            }
        }
        Ok(())
    }

    /// Measures everything, both servers in turn.
    pub(super) async fn rounds(&mut self) -> Result<(), BoxError> {
        for round in 0..self.rounds {
            for Row { work, series } in &mut self.rows {
                // who is first changes with the round
                for place in 0..2 {
                    let side = (place + round) % 2;
                    let Contender { endpoints, callers } = &self.sides[side];
                    let call = work.call(*endpoints, &callers.channel(0)).await?;
                    series[side].add(callers.keep_calling(&call, self.duration).await?)?;
                }
            }
            self.signatures.library().await?;
            if round % ROUNDS_OF_OPENSSL == 0 {
                self.signatures.openssl().await?;
            }
        }
        Ok(())
    }

    /// What was measured.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What a signature costs.
    pub(super) fn signature(&self) -> Cost {
        self.signatures.cost()
    }
}
