//! The checks, each under the name that the OpenID Foundation's suite gives it.

mod assertions;
mod codes;
mod discovery;
mod fapi;
mod hints;
mod logout;
mod logout_channels;
mod prompts;
mod redirects;
mod refresh;
mod registration;
mod request_objects;
mod rotation;
mod runs;
mod scopes;
mod session;
mod sign_in;
mod signatures;
mod userinfo;

use std::{fmt, pin::Pin};

use self::runs::Runs;
use crate::{
    context::Context,
    outcome::{Outcome, Verdict},
    plan::Plan,
};

type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;
type Run = for<'a> fn(&'a Context<'a>) -> Running<'a>;

/// One module of the certification.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name in the OpenID Foundation's suite.
    pub name: &'static str,
    runs: &'static [Runs],
    /// Whether it works without registering a client of its own.
    static_too: bool,
    run: Run,
}

impl Check {
    /// A check that any client can make.
    const fn new(name: &'static str, runs: &'static [Runs], run: Run) -> Self {
        Self { name, runs, static_too: true, run }
    }

    /// A check that has to register its client.
    const fn registering(name: &'static str, runs: &'static [Runs], run: Run) -> Self {
        Self { name, runs, static_too: false, run }
    }

    /// Whether it is part of a plan.
    pub fn applies(&self, plan: Plan) -> bool {
        let fits =
            self.runs.iter().any(|runs| runs.profile == plan.profile && runs.types.contains(&plan.response_type));
        fits && (self.static_too || !plan.static_client)
    }

    pub(crate) async fn outcome(&self, context: &Context<'_>) -> Outcome {
        let verdict = (self.run)(context).await;
        context.outcome(verdict)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name)
    }
}

/// Every check, in the order of the suite.
pub fn all() -> Vec<Check> {
    let topics: [&[Check]; 17] = [
        sign_in::CHECKS,
        signatures::CHECKS,
        userinfo::CHECKS,
        scopes::CHECKS,
        prompts::CHECKS,
        hints::CHECKS,
        codes::CHECKS,
        request_objects::CHECKS,
        refresh::CHECKS,
        redirects::CHECKS,
        discovery::CHECKS,
        registration::CHECKS,
        rotation::CHECKS,
        assertions::CHECKS,
        logout::CHECKS,
        logout_channels::CHECKS,
        session::CHECKS,
    ];
    let mut checks = topics.concat();
    checks.extend(fapi::all());
    checks
}
