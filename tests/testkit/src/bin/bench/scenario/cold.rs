//! First uses: the family is started again and knows no token.

use authn::BoxError;

use super::{callers, order};
use crate::{
    Arguments,
    call::{self, Junk, credential},
    family::{Family, MACHINE_KEY},
    load::{Call, Callers},
    report::{self, Series},
    tokens::{Crowd, USED},
};

/// Measures in rounds, each a restart.
pub(super) async fn run(
    arguments: &Arguments,
    family: &mut Family,
    crowds: &[Crowd],
    echo: &Callers<'_>,
) -> Result<(), BoxError> {
    let calls: Vec<_> = crowds.iter().map(|crowd| call::gateway("appauth", crowd.credentials.clone())).collect();
    let mut rows: Vec<_> =
        crowds.iter().map(|crowd| Series::new(format!("appauth cold, {} of one user", crowd.tokens))).collect();
    let mut floor = Series::new("bare tonic echo");
    let mut junk = Series::new("appauth, wrong checksum");
    let mut forged = Series::new("appauth, well-formed forgery");
    let (owners, count) = owners(crowds);
    for restart in 0..arguments.restarts {
        let server = family.start()?;
        let callers = callers(arguments, &server).await?;
        // The directory is to know the owners: how many they are differs from row to row, and is not what is measured.
        callers.succeed(&owners, count).await?;
        floor.add(echo.call_each_once(&call::echo(), USED).await?)?;
        // Junk comes first: nothing that the server does by itself is under way yet, so that its reads are all counted.
        // Forged tokens then open the connections to the store, whose cost would otherwise count for the next row.
        junk.add(callers.call_each_once(&call::junk("einstein", Junk::Malformed), USED).await?)?;
        forged.add(callers.call_each_once(&call::junk("einstein", Junk::Forged), USED).await?)?;
        for place in order(calls.len(), restart) {
            rows[place].add(callers.call_each_once(&calls[place], USED).await?)?;
        }
        server.stop()?;
    }
    let title = format!("First uses, {USED} of each after a restart: the median of {} restarts", arguments.restarts);
    let rows: Vec<_> = rows.iter().collect();
    report::table(&title, &floor, &[&rows[..], &[&junk, &forged]].concat())?;
    Ok(report::spread("appauth cold", &rows)?)
}

/// How to ask for every owner of a token, and how many they are.
fn owners(crowds: &[Crowd]) -> (Call, usize) {
    let owners = crowds.iter().flat_map(|crowd| &crowd.owners);
    let credentials: Vec<_> = owners.map(|owner| credential(&owner.login, MACHINE_KEY)).collect();
    let count = credentials.len();
    (call::gateway("machine", credentials), count)
}
