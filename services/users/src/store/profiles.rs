//! The profiles of users: a row for each user who has one.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::Profile;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, QueryResult};
use store::StoreError;

use super::UserStore;
use super::users::{attributes, people, read};
use crate::{PeopleError, ProfileChange};

impl UserStore {
    /// The profile of a user.
    pub(crate) async fn profile(&self, id: &str) -> Result<Profile, PeopleError> {
        let profile = self.database.run(|| read_profile(self.database.reader(), id)).await?;
        profile.ok_or(PeopleError::NoSuchPerson)
    }

    /// Changes a profile whose values are valid, at the time `now` in seconds since the Unix epoch; returns it after the change.
    ///
    /// # Errors
    /// [`PeopleError::Concurrent`] if something else is stored than was expected.
    pub(crate) async fn change_profile(
        &self,
        id: &str,
        change: &ProfileChange,
        now: i64,
    ) -> Result<Profile, PeopleError> {
        let profile = self.database.run(|| self.change_profile_once(id, change, now)).await?;
        profile.ok_or(PeopleError::NoSuchPerson)?
    }

    async fn change_profile_once(
        &self,
        id: &str,
        change: &ProfileChange,
        now: i64,
    ) -> Result<Option<Result<Profile, PeopleError>>, StoreError> {
        let transaction = self.database.begin_write().await?;
        // on PostgreSQL the lock makes a second change wait until it sees this one
        let query = people().and_where(Expr::col("id").eq(id)).lock_exclusive().take();
        let Some(mut person) = read(&transaction, &query).await?.pop() else { return Ok(None) };
        let Some(mut profile) = read_profile(&transaction, id).await? else { return Ok(None) };
        if !change.is_expected(&profile, &person.display_name) {
            return Ok(Some(Err(PeopleError::Concurrent)));
        }
        change.apply(&mut profile).map_err(|error| StoreError::internal(error.to_string()))?;
        if let Some(name) = &change.display_name {
            person.display_name.clone_from(name);
        }
        person.updated = now;
        profile.updated = time(now);
        let columns = attributes(&person);
        let update = Query::update().table("people").values(columns).and_where(Expr::col("id").eq(id)).take();
        transaction.execute(&update).await?;
        let text = serde_json::to_string(&profile.names()).map_err(|error| StoreError::internal(error.to_string()))?;
        let columns = ["attributes", "phone_number_verified"];
        let upsert = Query::insert()
            .into_table("profiles")
            .columns(["user_id", "attributes", "phone_number_verified"])
            .values_panic([id.into(), text.into(), profile.phone_number_verified.into()])
            .on_conflict(OnConflict::column("user_id").update_columns(columns).to_owned())
            .take();
        transaction.execute(&upsert).await?;
        transaction.commit().await?;
        Ok(Some(Ok(profile)))
    }
}

/// The profile of a user, which is empty without a row; `None` if there is no such user.
async fn read_profile(connection: &impl ConnectionTrait, id: &str) -> Result<Option<Profile>, StoreError> {
    let query = Query::select()
        .columns(["updated", "attributes", "phone_number_verified"])
        .from("people")
        .left_join("profiles", Expr::col("user_id").equals("id"))
        .and_where(Expr::col("id").eq(id))
        .take();
    connection.query_one(&query).await?.as_ref().map(profile).transpose()
}

fn profile(row: &QueryResult) -> Result<Profile, StoreError> {
    let text = row.try_get::<Option<String>>("", "attributes")?.unwrap_or_else(|| "{}".to_owned());
    let names: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|_| unreadable())?;
    let mut profile = Profile::from_names(names.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    profile.phone_number_verified = row.try_get::<Option<bool>>("", "phone_number_verified")?.unwrap_or_default();
    profile.updated = time(row.try_get("", "updated")?);
    Ok(profile)
}

fn unreadable() -> StoreError {
    StoreError::internal("the attributes of a profile are not a JSON object")
}

/// The moment at so many seconds since the Unix epoch; `None` before it.
fn time(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}
