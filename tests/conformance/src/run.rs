//! Runs the checks of some plans.

use futures_util::{StreamExt, stream};

use crate::{
    checks::{self, Check},
    context::Context,
    outcome::{Outcome, Verdict, failed},
    plan::Plan,
    provider::{self, Discovery},
    receiver::Receiver,
    report::{Entry, Report},
    target::Target,
};

/// Runs every check that applies to these plans, some at a time, and reports them in the order of the suite.
///
/// What keeps the walk from starting, such as a provider that does not answer, fails every check.
pub async fn run(target: &Target, plans: &[Plan]) -> Report {
    let checks = checks::all();
    let wanted = checks.iter().flat_map(|check| plans.iter().map(move |plan| (check, *plan)));
    let wanted: Vec<_> = wanted.filter(|(check, plan)| check.applies(*plan)).collect();
    let walk = match Walk::prepare(target).await {
        Ok(walk) => walk,
        Err(outcome) => {
            let entries = wanted.iter().map(|(check, plan)| entry(check, *plan, outcome.clone())).collect();
            return Report::new(entries);
        }
    };
    let walk = &walk;
    let running = wanted.into_iter().map(|(check, plan)| walk.one(check, plan));
    Report::new(stream::iter(running).buffered(target.at_a_time.max(1)).collect().await)
}

/// What all checks share.
struct Walk<'a> {
    target: &'a Target,
    http: reqwest::Client,
    discovery: Discovery,
    receiver: Receiver,
}

impl<'a> Walk<'a> {
    async fn prepare(target: &'a Target) -> Verdict<Self> {
        let http = provider::http(target).map_err(failed)?;
        let receiver = Receiver::start(&target.receiver).await.map_err(failed)?;
        let discovery = Discovery::fetch(&http, &target.issuer).await?;
        Ok(Self { target, http, discovery, receiver })
    }

    async fn one(&self, check: &Check, plan: Plan) -> Entry {
        let context = Context::new(self.target, plan, &self.discovery, &self.http, &self.receiver);
        entry(check, plan, check.outcome(&context).await)
    }
}

fn entry(check: &Check, plan: Plan, outcome: Outcome) -> Entry {
    Entry { check: check.name, plan, outcome }
}
