//! The store of app tokens, filled before the family starts.

use std::{
    num::NonZeroUsize,
    path::Path,
    time::{Duration, SystemTime},
};

use auth_app::{
    Migrator,
    digest_keys::DigestKeys,
    model::{AppToken, Fingerprint, Kind, Life, Stored},
    store::{ImportedToken, TokenStore},
    token,
};
use authn::{BoxError, Grants, UserId, UserType};
use config::Secret;
use runtime::{Clock, Random};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;
use store::{Database, Options};
use uuid::Uuid;

use crate::{call::Credential, family::TOKEN_KEY};

/// How many tokens of each crowd are used.
pub(crate) const USED: usize = 1000;
/// How many tokens each of those has who only fill the store.
const OF_OTHERS: usize = 10;
/// Rows in one statement: the database takes 32,766 values.
const BATCH: usize = 1000;
const LIFETIME: Duration = Duration::from_hours(24 * 30);

/// A user who has tokens.
pub(crate) struct Owner {
    /// The identifier.
    pub(crate) id: Uuid,
    /// The login name.
    pub(crate) login: String,
}

/// Users who have equally many tokens.
pub(crate) struct Crowd {
    /// How many each has.
    pub(crate) tokens: usize,
    /// The users.
    pub(crate) owners: Vec<Owner>,
    /// [`USED`] of their tokens, with their login names.
    pub(crate) credentials: Vec<Credential>,
}

/// A token before it has a place in the store.
struct Planned {
    /// A user of a crowd; `None` for a user that the directory does not have.
    owner: Option<Uuid>,
    fingerprint: Fingerprint,
}

struct Plan {
    digest_keys: DigestKeys,
    random: Random,
    tokens: Vec<Planned>,
}

impl Plan {
    /// Room for so many tokens.
    fn of(total: usize) -> Self {
        let digest_keys = DigestKeys::new(&Secret::from(TOKEN_KEY), &Secret::default());
        Self { digest_keys, random: Random::system(), tokens: Vec::with_capacity(total) }
    }

    /// Makes a token, and returns its secret.
    fn add(&mut self, owner: Option<Uuid>) -> String {
        let secret = token::generate(&self.random).expose_secret().to_owned();
        self.tokens.push(Planned { owner, fingerprint: self.digest_keys.fingerprint(&secret) });
        secret
    }

    /// Makes the tokens of a crowd. `number` tells it from other crowds.
    fn add_crowd(&mut self, number: usize, tokens: usize) -> Crowd {
        let owner = |place| Owner {
            id: Uuid::from_u64_pair(number as u64 + 1, place as u64),
            login: format!("owner-{place}-of-{tokens}"),
        };
        let owners: Vec<_> = (0..USED.div_ceil(tokens)).map(owner).collect();
        let mut credentials = Vec::with_capacity(USED);
        for _ in 0..tokens {
            for Owner { id, login } in &owners {
                let secret = self.add(Some(*id));
                if credentials.len() < USED {
                    credentials.push((login.clone(), secret));
                }
            }
        }
        Crowd { tokens, owners, credentials }
    }
}

/// Fills the store with the tokens of crowds, and with others' until there are `total`.
pub(crate) async fn fill(
    file: &Path,
    each_has: &[NonZeroUsize],
    total: usize,
) -> Result<(Vec<Crowd>, usize), BoxError> {
    let mut plan = Plan::of(total);
    let crowds = each_has.iter().enumerate().map(|(number, tokens)| plan.add_crowd(number, tokens.get())).collect();
    while plan.tokens.len() < total {
        plan.add(None);
    }
    // By digest, which is by chance: no crowd's tokens lie closer together than another's. It also fills the largest index
    // from one end to the other, which is quick.
    plan.tokens.sort_unstable_by_key(|planned| planned.fingerprint.digest);
    let count = plan.tokens.len();
    write(&store::sqlite_url(file), plan.tokens, Clock::system().now()).await?;
    Ok((crowds, count))
}

/// Fills the store at this URL with so many tokens, which the users get in turn, and returns all of them.
pub(crate) async fn fill_for(url: &str, owners: &[Owner], total: usize) -> Result<Vec<Credential>, BoxError> {
    let mut plan = Plan::of(total);
    let owners = owners.iter().cycle().take(total);
    let credentials = owners.map(|Owner { id, login }| (login.clone(), plan.add(Some(*id)))).collect();
    write(url, plan.tokens, Clock::system().now()).await?;
    Ok(credentials)
}

async fn write(url: &str, tokens: Vec<Planned>, now: SystemTime) -> Result<(), BoxError> {
    let database = Database::connect(url, &Options::default()).await?;
    database.migrate::<Migrator>().await?;
    if !database.is_postgres() {
        // Calls that follow one another share one connection. Nothing is lost with a store that was only begun.
        database.connection().execute_unprepared("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000").await?;
    }
    let store = TokenStore::new(database.clone());
    let mut rows = tokens.into_iter().enumerate().map(|(place, planned)| row(place, planned, now));
    loop {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        store.import(&batch).await?;
    }
    // Taking over is the only way to add many at once, but these are not another system's: as long as one is, auth-app looks
    // for junk in the store that it refuses by its form otherwise.
    database.connection().execute_unprepared("UPDATE app_tokens SET imported = NULL").await?;
    Ok(database.close().await?)
}

fn row(place: usize, planned: Planned, created: SystemTime) -> ImportedToken {
    let Planned { owner, fingerprint } = planned;
    let owner = owner.unwrap_or_else(|| Uuid::from_u64_pair(u64::MAX, (place / OF_OTHERS) as u64)).to_string();
    let token = AppToken {
        id: Uuid::from_u128(place as u128),
        owner: UserId { opaque_id: owner.clone(), kind: UserType::Primary, ..UserId::default() },
        kind: Kind::App,
        label: "bench".to_owned(),
        grants: Grants::user(),
        created,
        imported: None,
        created_by: owner,
        life: Life::Fixed(created.checked_add(LIFETIME)),
        slid: None,
        last_use: None,
        revoked: None,
    };
    let mut imported = [0; 32];
    imported[..16].copy_from_slice(token.id.as_bytes());
    ImportedToken { stored: Stored { token, fingerprint }, imported, verifier: None }
}
