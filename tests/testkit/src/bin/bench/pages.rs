//! What the account and administration pages cost the services in one process, with many users and app tokens: asked for at the
//! edge, in a browser session.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use authn::{BoxError, role};
use testkit::{Browser, signed_in};
use uuid::Uuid;

use crate::family::Family;
use crate::http::{Ask, Connection};
use crate::load::{Call, Callers};
use crate::report::{self, Series};
use crate::tokens::{self, Owner};
use crate::users;

/// How many tokens each user has.
const OF_ONE_USER: NonZeroUsize = NonZeroUsize::new(10).unwrap();
/// Callers at the same time, each with a connection.
const CALLERS: usize = 4;
/// The password of the administrator who asks for the pages.
const PASSWORD: &str = "0123456789-horses-and-staples";
/// The pages at the edge. The second search finds no user.
const PAGES: [&str; 21] = [
    "/",
    "/account",
    "/account/tokens",
    "/account/sessions",
    "/account/connected",
    "/account/activity",
    "/account/profile",
    "/account/password",
    "/signin/v1/security",
    "/admin/users",
    "/admin/users?q=user-77",
    "/admin/users?q=user-x",
    "/admin/users/new",
    "/admin/groups",
    "/admin/tokens",
    "/admin/sessions",
    "/admin/clients",
    "/admin/keys",
    "/admin/service-accounts",
    "/admin/audit",
    "/admin/health",
];

/// How much is measured, and what is accepted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Users in the directory.
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// App tokens in the store, 1,000 at least.
    #[arg(long, default_value_t = 1_000_000)]
    tokens: usize,
    /// How often each page is requested.
    #[arg(long, default_value_t = 400)]
    requests: usize,
    /// Accepted CPU time of the server for the median page, in milliseconds.
    #[arg(long, default_value_t = 5.0)]
    most_cpu_ms: f64,
    /// Accepted time of 95 of 100 requests for a page, in milliseconds.
    #[arg(long, default_value_t = 200.0)]
    most_p95_ms: f64,
}

/// Measures each page and prints a row for it; fails if a page was not answered, or costs more than accepted.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let mut family = Family::new()?;
    let begin = Instant::now();
    let (crowds, tokens) = tokens::fill(&family.token_store(), &[OF_ONE_USER], arguments.tokens).await?;
    let owners = &crowds.first().ok_or("no tokens to use")?.owners;
    let server = family.start()?;
    let others: Vec<Owner> = (0..arguments.users.saturating_sub(owners.len()))
        .map(|number| Owner { id: Uuid::from_u64_pair(u64::MAX - 1, number as u64), login: format!("user-{number}") })
        .collect();
    let (administrator, owners) = owners.split_first().ok_or("no tokens to use")?;
    users::add(&family.users, role::ADMIN, [administrator].into_iter()).await?;
    users::add(&family.users, role::USER, owners.iter().chain(&others)).await?;
    let passwords = family.setting("AUTH_BASIC_GRPC_ADDR").ok_or("no address of auth-basic")?;
    users::set_password(passwords, std::slice::from_ref(administrator), PASSWORD).await?;
    let (people, seconds) = (1 + owners.len() + others.len(), begin.elapsed().as_secs_f64());
    report::line(&format!("{people} users and {tokens} app tokens, made in {seconds:.0} s"))?;

    let site = family.setting("OCIS_URL").ok_or("no URL of the edge")?;
    let browser = signed_in(Browser::new(), site, "/account", (&administrator.login, PASSWORD)).await;
    let cookie = |name| browser.cookie(name).map(|value| format!("{name}={value}"));
    let cookies = browser.cookies().filter_map(cookie).collect::<Vec<_>>().join("; ");
    let connections = (0..CALLERS).map(|_| Connection::to(&family.edge[0])).collect();
    let callers = Callers::over(&server, &[], connections);
    let mut rows = Vec::with_capacity(PAGES.len());
    for page in PAGES {
        let call = asking(Ask { cookies: cookies.clone(), ..Ask::get(page) });
        // once for the caches, which every page of a running service has
        callers.succeed(&call, CALLERS).await?;
        let mut row = Series::new(page);
        row.add(callers.call_each_once(&call, arguments.requests).await?)?;
        rows.push((page, row));
    }
    server.stop()?;
    print(&rows)?;
    check(&rows, arguments)
}

fn asking(ask: Ask) -> Call<Connection> {
    Arc::new(move |connection, _| {
        let ask = ask.clone();
        Box::pin(async move { connection.ask(ask).await.is_ok_and(|reply| reply.holds("</html>")) })
    })
}

fn print(rows: &[(&str, Series)]) -> Result<(), BoxError> {
    report::line("\n| page | CPU ms | p50 ms | p95 ms | failures |\n|---|---:|---:|---:|---:|")?;
    for (page, row) in rows {
        report::line(&format!(
            "| `{page}` | {:.2} | {:.2} | {:.2} | {} |",
            row.cpu_ms(),
            row.percentile_ms(50.0),
            row.percentile_ms(95.0),
            row.failures()
        ))?;
    }
    Ok(())
}

fn check(rows: &[(&str, Series)], arguments: &Arguments) -> Result<(), BoxError> {
    let cpu: Vec<f64> = rows.iter().map(|(_, row)| row.cpu_ms()).collect();
    let median = report::median(&cpu);
    report::line(&format!("\nCPU time of the median page: {median:.2} ms; {} is accepted", arguments.most_cpu_ms))?;
    for (page, row) in rows {
        if row.failures() > 0 {
            return Err(format!("{page}: {} requests failed", row.failures()).into());
        }
        if row.percentile_ms(95.0) > arguments.most_p95_ms {
            return Err(format!("{page} takes more than {} ms", arguments.most_p95_ms).into());
        }
    }
    if median > arguments.most_cpu_ms { Err("the pages take too much CPU time".into()) } else { Ok(()) }
}
