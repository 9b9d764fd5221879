//! How long `doorward db copy` takes for a family with many app tokens, and whether both sides are the same afterwards.

use std::num::NonZeroUsize;
use std::process::Stdio;
use std::time::{Duration, Instant};

use authn::{BoxError, role};
use clap::ValueEnum;
use sea_orm::{ConnectionTrait, Statement};
use store::testing::Cluster;
use store::{Database, Options};

use crate::family::Family;
use crate::{report, tokens, users};

/// How many tokens each user has.
const OF_ONE_USER: NonZeroUsize = NonZeroUsize::new(10).unwrap();
/// The variable that names the database of all services.
const DATABASE: &str = "OCIS_DATABASE_URL";
/// The table that has most of the rows.
const TOKENS: &str = "app_tokens";

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Files in the data folder, or one file for all services.
    Sqlite,
    /// A database of a PostgreSQL server that ends with the load tool.
    Postgres,
}

/// What is copied.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// App tokens in the databases of the family, 1,000 or more.
    #[arg(long, default_value_t = 1_000_000)]
    tokens: usize,
    /// What is copied from.
    #[arg(long, value_enum, default_value_t = Kind::Sqlite)]
    source: Kind,
    /// What is copied to.
    #[arg(long, value_enum, default_value_t = Kind::Postgres)]
    destination: Kind,
}

/// Fills a family's databases and copies them; prints the counts and checksums of both sides, and the time. Fails unless they are the
/// same.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let Arguments { tokens, source, destination } = *arguments;
    let cluster = if [source, destination].contains(&Kind::Postgres) {
        Some(Cluster::start().await.ok_or("there is no PostgreSQL")?)
    } else {
        None
    };
    let (family, tokens) = fill(tokens).await?;
    let from = match source {
        Kind::Sqlite => None,
        Kind::Postgres => {
            let place = place(source, "source", &family, cluster.as_ref()).await?;
            copy(&family, None, &place)?;
            Some(place)
        }
    };
    let to = place(destination, "destination", &family, cluster.as_ref()).await?;
    let (printed, duration) = copy(&family, from.as_deref(), &to)?;
    report::line(&format!("\n{printed}"))?;
    let sides = check(&printed, tokens)?;
    let there = count(&to).await?;
    if there != tokens {
        return Err(format!("the destination has {there} app tokens after the copy, not {tokens}").into());
    }
    report::line(&format!(
        "{} rows of {} tables, {tokens} of them app tokens, copied in {:.1} s; counts and checksums are equal",
        sides.rows,
        sides.tables,
        duration.as_secs_f64()
    ))?;
    Ok(())
}

/// A family that has been started once, with so many app tokens in the files of its data folder.
async fn fill(tokens: usize) -> Result<(Family, usize), BoxError> {
    let mut family = Family::new()?;
    let begin = Instant::now();
    let (crowds, tokens) = tokens::fill(&family.token_store(), &[OF_ONE_USER], tokens).await?;
    report::line(&format!("{tokens} app tokens, made in {:.0} s", begin.elapsed().as_secs_f64()))?;
    let server = family.start()?;
    users::add(&family.users, role::USER, crowds.iter().flat_map(|crowd| &crowd.owners)).await?;
    server.stop()?;
    Ok((family, tokens))
}

/// The URL of an empty database.
async fn place(kind: Kind, name: &str, family: &Family, cluster: Option<&Cluster>) -> Result<String, BoxError> {
    Ok(match kind {
        Kind::Sqlite => store::sqlite_url(&family.file(&format!("{name}.db"))),
        Kind::Postgres => {
            let cluster = cluster.ok_or("there is no PostgreSQL")?;
            cluster.fresh_database().await.url().to_owned()
        }
    })
}

/// Copies everything, from the files of the data folder unless a database is named. Returns what the command printed, and its time.
fn copy(family: &Family, from: Option<&str>, to: &str) -> Result<(String, Duration), BoxError> {
    let mut command = family.command(&["db", "copy", "--to", to]);
    command.envs(from.map(|url| (DATABASE, url))).stdin(Stdio::null()).stderr(Stdio::inherit());
    let begin = Instant::now();
    let output = command.output()?;
    let duration = begin.elapsed();
    let printed = String::from_utf8(output.stdout)?;
    if output.status.success() {
        Ok((printed, duration))
    } else {
        Err(format!("doorward db copy has failed ({}):\n{printed}", output.status).into())
    }
}

/// How much is on each side.
#[derive(Debug, PartialEq, Eq)]
struct Sides {
    tables: usize,
    rows: usize,
}

/// Fails unless the command has printed equal counts and checksums of all tables, and so many app tokens.
fn check(printed: &str, tokens: usize) -> Result<Sides, BoxError> {
    let mut sides = Sides { tables: 0, rows: 0 };
    let mut copied_tokens = None;
    // below the head there is a line of six cells for each table
    for line in printed.lines().skip_while(|line| !line.starts_with("SERVICE")).skip(1) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [_, table, rows, rows_there, checksum, checksum_there] = cells[..] else { continue };
        if (rows, checksum) != (rows_there, checksum_there) {
            return Err(format!("{table}: the two sides are not the same").into());
        }
        let rows: usize = rows.parse()?;
        sides = Sides { tables: sides.tables + 1, rows: sides.rows + rows };
        if table == TOKENS {
            copied_tokens = Some(rows);
        }
    }
    if copied_tokens == Some(tokens) {
        Ok(sides)
    } else {
        Err(format!("{} app tokens were copied, not {tokens}", copied_tokens.unwrap_or_default()).into())
    }
}

/// The number of app tokens in a database.
async fn count(url: &str) -> Result<usize, BoxError> {
    let database = Database::connect(url, &Options::default().for_transfer()).await?;
    let backend = database.connection().get_database_backend();
    let question = Statement::from_string(backend, format!("SELECT count(*) AS n FROM {TOKENS}"));
    let row = database.connection().query_one_raw(question).await?.ok_or("a count has a row")?;
    let rows: i64 = row.try_get("", "n")?;
    database.close().await?;
    Ok(usize::try_from(rows)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "idp has stored nothing yet\nSERVICE  TABLE  ROWS  ROWS THERE  CHECKSUM  CHECKSUM THERE\n";

    fn refusal(rows: &str) -> String {
        check(&format!("{HEAD}{rows}"), 1000).expect_err("is refused").to_string()
    }

    #[test]
    fn equal_counts_and_checksums_are_added_up() {
        let printed = format!(
            "{HEAD}users     people      100   100   ab12  ab12\nauth-app  app_tokens  1000  1000  cd34  cd34\nboth sides are the same; \
             name postgres://h/d in the settings of these services and start them\n"
        );
        assert_eq!(check(&printed, 1000).expect("are equal"), Sides { tables: 2, rows: 1100 });
    }

    #[test]
    fn differences_and_missing_tokens_are_found() {
        assert!(refusal("auth-app  app_tokens  1000  999  cd34  cd34\n").starts_with("app_tokens: "));
        assert!(refusal("auth-app  app_tokens  1000  1000  cd34  cd35\n").starts_with("app_tokens: "));
        assert!(refusal("auth-app  app_tokens  999  999  cd34  cd34\n").starts_with("999 app tokens were copied"));
        assert!(refusal("users  people  1000  1000  ab12  ab12\n").starts_with("0 app tokens were copied"));
    }
}
