//! The provider is killed before, in and after each step of a code flow, and started again: the flow ends well or fails
//! cleanly, and nothing is given twice.

use std::time::{Duration, Instant};

use reqwest::Error;
use testkit::{Browser, Landing};

use crate::provider::flow::{OAuthResponse, at, authorization};
use crate::provider::world::{ASKING, CALLBACK, World};

/// When the process is killed, seen from the step's request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    Before,
    /// So long after it was sent; whether it was answered or not, it is sent again.
    In(Duration),
    /// When it is answered.
    After,
    /// After its response; it is sent again nevertheless.
    Repeated,
}

fn moments() -> impl Iterator<Item = Moment> {
    let within = [0, 400, 1_000, 2_000, 3_000, 4_500, 6_500, 9_000, 13_000, 20_000];
    let within = within.map(|micros| Moment::In(Duration::from_micros(micros)));
    [Moment::Before, Moment::After, Moment::Repeated].into_iter().chain(within)
}

/// The steps of a flow, in their order.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Authorize,
    SignInPage,
    LogOn,
    ConsentPage,
    Agree,
    Redeem,
    Refresh,
}

const STEPS: [Step; 7] =
    [Step::Authorize, Step::SignInPage, Step::LogOn, Step::ConsentPage, Step::Agree, Step::Redeem, Step::Refresh];

/// What a step brought.
#[derive(Debug, Clone)]
enum Brought {
    Landing(Landing),
    Response(OAuthResponse),
}

/// The state of a flow between two steps.
struct Walk {
    browser: Browser,
    last: Option<Landing>,
    code: String,
    access_token: String,
    refresh_token: String,
}

impl Walk {
    fn new() -> Self {
        let nothing = String::new;
        Self { browser: Browser::new(), last: None, code: nothing(), access_token: nothing(), refresh_token: nothing() }
    }

    /// One request. The browser keeps what it learns even if the answer is lost half way, as browsers do.
    async fn take(&mut self, world: &World, step: Step) -> Result<Brought, Error> {
        let base = world.base(0);
        let last = self.last.clone();
        let page = || last.clone().expect("a page was shown");
        Ok(Brought::Landing(match step {
            Step::Authorize => self.browser.open(&authorization(base, ASKING)).await?,
            Step::SignInPage | Step::ConsentPage => {
                self.browser.open(&at(base, &page().location, &world.issuer)).await?
            }
            Step::LogOn => world.log_on(base, &mut self.browser, &page()).await?,
            Step::Agree => world.agree(base, &mut self.browser, &page()).await?,
            Step::Redeem => return world.redeem(base, ASKING, &self.code).await.map(Brought::Response),
            Step::Refresh => return world.refresh(base, ASKING, &self.refresh_token).await.map(Brought::Response),
        }))
    }

    /// Takes up what a step brought; whether the flow can go on.
    fn takes(&mut self, step: Step, brought: Brought) -> bool {
        match brought {
            Brought::Response(response) => {
                response.text("access_token").clone_into(&mut self.access_token);
                response.text("refresh_token").clone_into(&mut self.refresh_token);
                assert!(
                    response.is_good() || response.is_invalid_grant(),
                    "{step:?}: neither tokens nor a refusal: {response:?}"
                );
                response.is_good()
            }
            Brought::Landing(landing) => {
                let is_page = landing.page.contains("<main") && landing.page.contains("</html>");
                let is_clean = !landing.location.is_empty() || is_page;
                assert!(is_clean && !landing.status.is_server_error(), "{step:?}: no clean answer: {landing:?}");
                self.code = landing.parameter("code").unwrap_or_default();
                let goes_on = match step {
                    Step::Authorize | Step::LogOn => landing.location.contains("/signin/v1/identifier?flow="),
                    Step::SignInPage => landing.page.contains("name=\"password\""),
                    Step::ConsentPage => landing.page.contains("name=\"decision\""),
                    Step::Agree => landing.location.starts_with(CALLBACK) && !self.code.is_empty(),
                    Step::Redeem | Step::Refresh => false,
                };
                self.last = Some(landing);
                goes_on
            }
        }
    }
}

/// What became of a flow that was interrupted.
#[derive(Debug, Default)]
struct Tally {
    killed: usize,
    /// Requests whose answer was lost.
    unanswered: usize,
    ended_well: usize,
    failed_cleanly: usize,
}

/// Walks a flow, kills the process at this moment of this step, starts it again and goes on.
async fn interrupted(world: &mut World, step: Step, moment: Moment, tally: &mut Tally) {
    let mut walk = Walk::new();
    for &now in &STEPS {
        if now != step {
            let brought = walk.take(world, now).await.expect("the provider answers");
            assert!(
                walk.takes(now, brought),
                "{now:?} after a kill at {step:?}, {moment:?}: what was acknowledged is lost"
            );
            continue;
        }
        let answered = kill_at(world, &mut walk, step, moment).await;
        tally.killed += 1;
        world.start(0).await;
        let brought = match (moment, answered) {
            (Moment::After, Some(answered)) => answered,
            (_, answered) => {
                // without a complete response the request is sent again
                let again = walk.take(world, step).await.expect("the provider answers");
                tally.unanswered += usize::from(answered.is_none() && moment != Moment::Before);
                if let Some(lost) = is_given_once(step, answered, &again) {
                    is_revoked(world, &lost).await;
                }
                again
            }
        };
        if !walk.takes(step, brought) {
            let may_fail = step == Step::Redeem && matches!(moment, Moment::In(_) | Moment::Repeated);
            assert!(may_fail, "{step:?}, {moment:?}: nothing but a code is used up by a request whose answer is lost");
            tally.failed_cleanly += 1;
            return finish(world).await;
        }
    }
    is_alive(world, &walk).await;
    tally.ended_well += 1;
}

/// Nothing is given twice; the tokens that the replay of a code has to end.
fn is_given_once(step: Step, first: Option<Brought>, again: &Brought) -> Option<OAuthResponse> {
    let Brought::Response(again) = again else { return None };
    if step == Step::Refresh {
        assert!(again.is_good(), "within the grace time the refresh token is accepted: {again:?}");
    }
    let Some(Brought::Response(first)) = first else { return None };
    assert!(first.is_good(), "{step:?}: {first:?}");
    if step == Step::Refresh {
        let successors = (first.text("refresh_token"), again.text("refresh_token"));
        assert_eq!(successors.0, successors.1, "within the grace: the same successor");
        return None;
    }
    assert!(again.is_invalid_grant(), "a code is redeemed twice: {again:?}");
    Some(first)
}

/// A code that comes again takes with it what it has brought, though the process has been another one since (row I7).
async fn is_revoked(world: &World, response: &OAuthResponse) {
    let (base, token) = (world.base(0), response.text("refresh_token"));
    assert!(
        !world.is_active(base, ASKING, response.text("access_token")).await,
        "the replay has ended the access token"
    );
    let refreshed = world.refresh(base, ASKING, token).await.expect("the provider answers");
    assert!(refreshed.is_invalid_grant(), "the replay has ended the family: {refreshed:?}");
}

/// What a flow has brought in the end is good.
async fn is_alive(world: &World, walk: &Walk) {
    let base = world.base(0);
    assert!(world.is_active(base, ASKING, &walk.access_token).await, "the access token is good");
    let response = world.refresh(base, ASKING, &walk.refresh_token).await.expect("the provider answers");
    assert!(response.is_good(), "the refresh token is good: {response:?}");
}

/// Sends the request, and kills the process; the answer, if it came.
async fn kill_at(world: &mut World, walk: &mut Walk, step: Step, moment: Moment) -> Option<Brought> {
    match moment {
        Moment::Before => {
            world.kill(0);
            walk.take(world, step).await.expect_err("the provider does not run");
            None
        }
        Moment::After | Moment::Repeated => {
            let answered = walk.take(world, step).await.expect("the provider answers");
            world.kill(0);
            Some(answered)
        }
        Moment::In(wait) => {
            let answered = {
                let asking = walk.take(world, step);
                tokio::pin!(asking);
                tokio::select! {
                    answered = &mut asking => Some(answered),
                    () = tokio::time::sleep(wait) => None,
                }
            };
            world.kill(0);
            answered.and_then(Result::ok)
        }
    }
}

/// After a failure everything is as if nothing had been begun: a fresh flow ends well.
async fn finish(world: &World) {
    let code = world.code(&mut Browser::new(), ASKING).await;
    let response = world.redeem(world.base(0), ASKING, &code).await.expect("the provider answers");
    assert!(response.is_good(), "{response:?}");
    let again = world.redeem(world.base(0), ASKING, &code).await.expect("the provider answers");
    assert!(again.is_invalid_grant(), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_each_step_of_a_sign_in() {
    let mut world = World::alone("killed", &[]).await;
    let (begin, mut tally) = (Instant::now(), Tally::default());
    for step in STEPS {
        for moment in moments() {
            interrupted(&mut world, step, moment, &mut tally).await;
        }
    }
    eprintln!("{tally:?} in {:.0?}", begin.elapsed());
    assert_eq!(tally.killed, STEPS.len() * moments().count());
    assert_eq!(tally.ended_well + tally.failed_cleanly, tally.killed, "{tally:?}");
    assert!(tally.unanswered >= STEPS.len(), "requests are cut off in the middle: {tally:?}");
}
