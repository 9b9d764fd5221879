//! Users, their names and roles.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use authn::{Login, UserStatus, role};
use sea_orm::{
    ConnectionTrait, DbErr, QueryResult,
    sea_query::{Condition, Expr, ExprTrait, IntoCondition, Order, Query, SelectStatement, SimpleExpr, UnionType},
};
use store::columns::{micros, time};
use store::{StoreError, Transaction};

use super::{Key, PageRange, UserStore, along, contains};
use crate::{Author, Change, GroupName, PeopleError, Person, rules::fold};

impl UserStore {
    /// The users that match the key, at most two: enough to see that it is ambiguous.
    pub(crate) async fn find(&self, key: Key<'_>) -> Result<Vec<Person>, PeopleError> {
        let (name, column) = match key {
            Key::Id(id) => return self.read(at_most_two(Expr::col("id").eq(id))).await,
            Key::UidNumber(number) => return self.read(at_most_two(Expr::col("uid_number").eq(number))).await,
            Key::GidNumber(number) => return self.read(at_most_two(Expr::col("gid_number").eq(number))).await,
            Key::Username(name) => (name, NameColumn::Username),
            Key::Mail(address) => (address, NameColumn::Mail),
        };
        let (login, mut found) = (Login::new(name), self.read(at_most_two(column.names(name))).await?);
        // the version before leaves a prepared form behind when it changes a name
        found.retain(|person| login.names(column.of(person)));
        // of two variants that were both stored before they had to be prepared each has its own spelling
        if let Some(exact) = found.iter().position(|person| fold(column.of(person)) == fold(name)) {
            found = vec![found.swap_remove(exact)];
        }
        Ok(found)
    }

    /// The login names of the users with these identifiers.
    pub(crate) async fn usernames(&self, ids: &[&str]) -> Result<BTreeMap<String, String>, PeopleError> {
        let mut query = Query::select().columns(["id", "username"]).from("people").take();
        query.and_where(Expr::col("id").is_in(ids.iter().copied()));
        let read = || async { Ok(self.database.reader().query_all(&query).await?) };
        let name = |row: &QueryResult| Ok((row.try_get("", "id")?, row.try_get("", "username")?));
        let names: Result<_, DbErr> = self.database.run(read).await?.iter().map(name).collect();
        names.map_err(|error| StoreError::from(error).into())
    }

    /// Users in whose login name, display name or mail address every one of the texts stands, regardless of case.
    pub(crate) async fn search(&self, texts: &[&str], range: PageRange<'_>) -> Result<Vec<Person>, PeopleError> {
        // the names first: on SQLite they are found in an index that has both columns, without reading each row
        let names = Query::select().column("username_key").from("people").take();
        let mut names = along("username_key", range, names);
        for text in texts {
            names.cond_where(contains("search_text", text));
        }
        let found = Expr::col("username_key").in_subquery(names);
        self.read(people().and_where(found).order_by("username_key", Order::Asc).take()).await
    }

    /// Adds a user who is in no group.
    pub(crate) async fn add(&self, person: &Person, author: Author) -> Result<(), PeopleError> {
        let claimed = self.database.run(|| self.add_once(person, author)).await.map_err(taken)?;
        claimed.map_or(Ok(()), |what| Err(PeopleError::Taken(what)))
    }

    /// Changes a user, at the time `now` in seconds since the Unix epoch; returns the user after the change.
    pub(crate) async fn change(&self, id: &str, change: &Change, now: i64) -> Result<Person, PeopleError> {
        let changed = self.database.run(|| self.change_once(id, change, now)).await.map_err(taken)?;
        changed.ok_or(PeopleError::NoSuchPerson)?
    }

    /// Notes when the password of a user was changed, unless a later change is noted already. One that lies in the future of `now`,
    /// as the clock was corrected since, is followed by this one directly.
    pub(crate) async fn note_password_change(
        &self,
        id: &str,
        at: SystemTime,
        now: SystemTime,
    ) -> Result<(), PeopleError> {
        let (at, now) = (micros(at), micros(now));
        // one statement, so that of two changes at the same time the later one stays, whichever is written last
        let noted = Expr::col("password_changed");
        let latest =
            Expr::case(noted.clone().gt(now), noted.clone().add(1)).case(noted.clone().gt(at), noted).finally(at);
        let update =
            Query::update().table("people").value("password_changed", latest).and_where(Expr::col("id").eq(id)).take();
        let write = || async { Ok(self.database.connection().execute(&update).await?.rows_affected()) };
        match self.database.run(write).await? {
            0 => Err(PeopleError::NoSuchPerson),
            _ => Ok(()),
        }
    }

    /// Removes a user from all groups and altogether.
    pub(crate) async fn remove(&self, id: &str, author: Author) -> Result<(), PeopleError> {
        self.database.run(|| self.remove_once(id, author)).await?
    }

    async fn remove_once(&self, id: &str, author: Author) -> Result<Result<(), PeopleError>, StoreError> {
        let transaction = self.database.begin_serializable().await?;
        let Some(person) = read(&transaction, &at_most_two(Expr::col("id").eq(id))).await?.pop() else {
            return Ok(Err(PeopleError::NoSuchPerson));
        };
        if author == Author::Administrator && is_administrator(&person) && !has_other(&transaction, &person).await? {
            return Ok(Err(PeopleError::LastAdministrator));
        }
        // roles and memberships go with it: their foreign keys cascade
        let delete = Query::delete().from_table("people").and_where(Expr::col("id").eq(id)).take();
        transaction.execute(&delete).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }

    pub(super) async fn read(&self, query: SelectStatement) -> Result<Vec<Person>, PeopleError> {
        Ok(self.database.run(|| read(self.database.reader(), &query)).await?)
    }

    /// Adds a person. Returns which name belongs to another person if an issuer gives it; then nothing is added.
    async fn add_once(&self, person: &Person, author: Author) -> Result<Option<&'static str>, StoreError> {
        let transaction = self.begin(author == Author::Issuer).await?;
        if author == Author::Issuer
            && let Some(what) = others(&transaction, person).await?
        {
            return Ok(Some(what));
        }
        let mut columns = attributes(person);
        columns.extend(NameColumn::ALL.map(|column| column.prepared(person)));
        columns.push(("id", person.id.as_str().into()));
        columns.push(("created", person.created.into()));
        let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let insert = Query::insert().into_table("people").columns(names).values_panic(values).take();
        transaction.execute(&insert).await?;
        add_roles(&transaction, person).await?;
        transaction.commit().await?;
        Ok(None)
    }

    /// What an issuer writes depends on what was read: of two who take each other's name at the same time only one may succeed. So does
    /// what takes away an administrator.
    async fn begin(&self, depends_on_others: bool) -> Result<Transaction, StoreError> {
        if depends_on_others { self.database.begin_serializable().await } else { self.database.begin_write().await }
    }

    /// Changes a person; `None` if there is no such person. The inner error is that something else is stored than was expected, that a
    /// name belongs to another person if an issuer gives it, or that an administrator takes away the last one.
    async fn change_once(
        &self,
        id: &str,
        change: &Change,
        now: i64,
    ) -> Result<Option<Result<Person, PeopleError>>, StoreError> {
        let may_take_away =
            change.author == Author::Administrator && (change.status.is_some() || change.roles.is_some());
        let transaction = self.begin(change.author == Author::Issuer || may_take_away).await?;
        // on PostgreSQL the lock makes a second change wait until it sees this one
        let query = people().and_where(Expr::col("id").eq(id)).lock_exclusive().take();
        let Some(mut person) = read(&transaction, &query).await?.pop() else { return Ok(None) };
        if !change.expected.is_stored(&person) {
            return Ok(Some(Err(PeopleError::Concurrent)));
        }
        let before = NameColumn::ALL.map(|column| column.of(&person).to_owned());
        let was_administrator = is_administrator(&person);
        apply(change, &mut person);
        if may_take_away && was_administrator && !is_administrator(&person) && !has_other(&transaction, &person).await?
        {
            return Ok(Some(Err(PeopleError::LastAdministrator)));
        }
        person.updated = now;
        let changed: Vec<_> =
            NameColumn::ALL.into_iter().zip(before).filter(|(column, before)| column.of(&person) != before).collect();
        let renames = change.mail.is_some() || change.username.is_some();
        if change.author == Author::Issuer
            && renames
            && let Some(what) = others(&transaction, &person).await?
        {
            return Ok(Some(Err(PeopleError::Taken(what))));
        }
        let mut values = attributes(&person);
        // what stays as it is may be a variant of another user's, from before names were prepared
        values.extend(changed.into_iter().map(|(column, _)| column.prepared(&person)));
        let update = Query::update().table("people").values(values).and_where(Expr::col("id").eq(id)).take();
        transaction.execute(&update).await?;
        if change.roles.is_some() {
            let clear = Query::delete().from_table("roles").and_where(Expr::col("user_id").eq(id)).take();
            transaction.execute(&clear).await?;
            add_roles(&transaction, &person).await?;
        }
        transaction.commit().await?;
        Ok(Some(Ok(person)))
    }
}

fn apply(change: &Change, person: &mut Person) {
    let Change { username, mail, display_name, status, uid_number, gid_number, roles, .. } = change.clone();
    person.username = username.unwrap_or_else(|| std::mem::take(&mut person.username));
    person.mail = mail.unwrap_or_else(|| std::mem::take(&mut person.mail));
    person.display_name = display_name.unwrap_or_else(|| std::mem::take(&mut person.display_name));
    person.status = status.unwrap_or(person.status);
    person.uid_number = uid_number.unwrap_or(person.uid_number);
    person.gid_number = gid_number.unwrap_or(person.gid_number);
    person.roles = roles.unwrap_or_else(|| std::mem::take(&mut person.roles));
}

/// The columns that a change may touch.
pub(super) fn attributes(person: &Person) -> Vec<(&'static str, SimpleExpr)> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let number = |number: i64| (number != 0).then_some(number);
    let search_text = fold(&[&*person.username, &*person.display_name, &*person.mail].join("\n")).into_owned();
    vec![
        ("username", person.username.as_str().into()),
        ("username_key", fold(&person.username).into_owned().into()),
        ("mail", given(&person.mail).into()),
        ("mail_key", given(&fold(&person.mail)).into()),
        ("search_text", search_text.into()),
        ("display_name", person.display_name.as_str().into()),
        ("status", (person.status as i32).into()),
        ("uid_number", number(person.uid_number).into()),
        ("gid_number", number(person.gid_number).into()),
        ("updated", person.updated.into()),
    ]
}

/// A name that users sign in with.
#[derive(Debug, Clone, Copy)]
pub(super) enum NameColumn {
    Username,
    Mail,
}

impl NameColumn {
    const ALL: [Self; 2] = [Self::Username, Self::Mail];

    fn of(self, person: &Person) -> &str {
        match self {
            Self::Username => &person.username,
            Self::Mail => &person.mail,
        }
    }

    /// The columns of its folded and of its prepared form.
    const fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Username => ["username_key", "username_prepared"],
            Self::Mail => ["mail_key", "mail_prepared"],
        }
    }

    /// The row is of this name, or of a variant of it (RFC 8265).
    fn names(self, name: &str) -> Condition {
        let [key, prepared] = self.columns();
        let variant = Login::new(name).prepared().map(|name| Expr::col(prepared).eq(name));
        Condition::any().add(Expr::col(key).eq(&*fold(name))).add_option(variant)
    }

    /// The column of the prepared form, with its value.
    pub(super) fn prepared(self, person: &Person) -> (&'static str, SimpleExpr) {
        let [_, column] = self.columns();
        (column, Login::new(self.of(person)).prepared().map(str::to_owned).into())
    }
}

/// At most two people, enough to see that it is not one.
fn at_most_two(condition: impl IntoCondition) -> SelectStatement {
    people().cond_where(condition).limit(2).take()
}

/// Which of a person's names is another's: the username another's mail address, or the mail address another's username.
async fn others(connection: &impl ConnectionTrait, person: &Person) -> Result<Option<&'static str>, StoreError> {
    let pairs =
        [(NameColumn::Mail, &person.username, "username"), (NameColumn::Username, &person.mail, "mail address")];
    for (column, name, what) in pairs.into_iter().filter(|(_, name, _)| !name.is_empty()) {
        if is_name_of_other(connection, column, name, &person.id).await? {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// Whether another user than the one with this identifier has the name in this column.
pub(super) async fn is_name_of_other(
    connection: &impl ConnectionTrait,
    column: NameColumn,
    name: &str,
    id: &str,
) -> Result<bool, StoreError> {
    let of_others = Condition::all().add(column.names(name)).add(Expr::col("id").ne(id));
    let query = Query::select().column("id").from("people").cond_where(of_others).limit(1).take();
    Ok(connection.query_one(&query).await?.is_some())
}

/// Whether a person may sign in as an administrator.
fn is_administrator(person: &Person) -> bool {
    person.status != UserStatus::Blocked && person.roles.iter().any(|role| role == role::ADMIN)
}

/// Whether there is another administrator than this one.
async fn has_other(connection: &impl ConnectionTrait, person: &Person) -> Result<bool, StoreError> {
    let administrators = Query::select()
        .column("user_id")
        .from("roles")
        .and_where(Expr::col("role_id").eq(role::ADMIN))
        .and_where(Expr::col("user_id").ne(person.id.as_str()))
        .take();
    let active = Query::select()
        .column("id")
        .from("people")
        .and_where(Expr::col("id").in_subquery(administrators))
        .and_where(Expr::col("status").ne(UserStatus::Blocked as i32))
        .limit(1)
        .take();
    Ok(connection.query_one(&active).await?.is_some())
}

async fn add_roles(connection: &impl ConnectionTrait, person: &Person) -> Result<(), StoreError> {
    if person.roles.is_empty() {
        return Ok(());
    }
    let mut insert = Query::insert().into_table("roles").columns(["user_id", "role_id"]).take();
    for role in &person.roles {
        insert.values_panic([person.id.as_str().into(), role.as_str().into()]);
    }
    Ok(connection.execute(&insert).await.map(drop)?)
}

pub(super) fn people() -> SelectStatement {
    const COLUMNS: [&str; 10] = [
        "id",
        "username",
        "mail",
        "display_name",
        "status",
        "uid_number",
        "gid_number",
        "created",
        "updated",
        "password_changed",
    ];
    Query::select().columns(COLUMNS).from("people").take()
}

pub(super) async fn read(
    connection: &impl ConnectionTrait,
    query: &SelectStatement,
) -> Result<Vec<Person>, StoreError> {
    let rows = connection.query_all(query).await?;
    let mut people = rows.iter().map(person).collect::<Result<Vec<_>, _>>()?;
    if !people.is_empty() {
        attach(connection, &mut people).await?;
    }
    Ok(people)
}

fn person(row: &QueryResult) -> Result<Person, DbErr> {
    Ok(Person {
        id: row.try_get("", "id")?,
        username: row.try_get("", "username")?,
        mail: row.try_get::<Option<String>>("", "mail")?.unwrap_or_default(),
        display_name: row.try_get("", "display_name")?,
        status: UserStatus::from_number(row.try_get("", "status")?),
        uid_number: row.try_get::<Option<i64>>("", "uid_number")?.unwrap_or_default(),
        gid_number: row.try_get::<Option<i64>>("", "gid_number")?.unwrap_or_default(),
        roles: Vec::new(),
        groups: Vec::new(),
        created: row.try_get("", "created")?,
        updated: row.try_get("", "updated")?,
        password_changed: row.try_get::<Option<i64>>("", "password_changed")?.map(time),
    })
}

/// Roles and groups of all these people, in one statement: a role is a row without a name.
async fn attach(connection: &impl ConnectionTrait, people: &mut [Person]) -> Result<(), StoreError> {
    let ids: Vec<&str> = people.iter().map(|person| person.id.as_str()).collect();
    let groups = Query::select()
        .column("user_id")
        .column("id")
        .column("name")
        .from("memberships")
        .inner_join("groups", Expr::col("id").equals("group_id"))
        .and_where(Expr::col("user_id").is_in(ids.clone()))
        .take();
    let query = Query::select()
        .column("user_id")
        .expr_as(Expr::col("role_id"), "id")
        .expr_as(Expr::cust("NULL"), "name")
        .from("roles")
        .and_where(Expr::col("user_id").is_in(ids))
        .union(UnionType::All, groups)
        .take();
    let mut attached: HashMap<String, (Vec<String>, Vec<GroupName>)> = HashMap::new();
    for row in connection.query_all(&query).await? {
        let (roles, groups) = attached.entry(row.try_get("", "user_id")?).or_default();
        let id = row.try_get("", "id")?;
        match row.try_get::<Option<String>>("", "name")? {
            Some(name) => groups.push(GroupName { id, name }),
            None => roles.push(id),
        }
    }
    for person in people {
        (person.roles, person.groups) = attached.remove(&person.id).unwrap_or_default();
        person.roles.sort();
        person.groups.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(())
}

/// Names what is taken, by the unique index that said so.
pub(super) fn taken(error: StoreError) -> PeopleError {
    let indexes = [
        ("username_key", "username"),
        ("username_prepared", "username"),
        ("mail_key", "mail address"),
        ("mail_prepared", "mail address"),
        ("name_key", "group name"),
    ];
    let named = indexes.into_iter().find(|(index, _)| error.is_taken(index)).map(|(_, name)| name);
    let id = || (error.is_taken("people") || error.is_taken("groups")).then_some("id");
    named.or_else(id).map_or(PeopleError::Store(error), PeopleError::Taken)
}
