//! Which names users may have, and how they are found by them.

use sea_orm::ConnectionTrait;
use status::Kind;
use users::{Author, Change, NewPerson, PersonRef};

use crate::tables::{Tables, marie, named, who};

pub(crate) async fn confusable_names_are_not_created(tables: &Tables) {
    let administration = tables.administration();
    let zoe = tables.create("zoë").await;
    for name in ["zo\u{200b}ë", "\u{202e}zoë", "zoe\u{308}", "ｚｏë", "zo ë"] {
        let outcome = administration.create_person(named(name)).await;
        assert_eq!(outcome.expect_err(name).kind(), Kind::InvalidArgument, "{name:?}");
        let change = Change { username: Some(name.to_owned()), ..Change::default() };
        let outcome = administration.update_person(&PersonRef::Id(zoe.id.clone()), change).await;
        assert_eq!(outcome.expect_err(name).kind(), Kind::InvalidArgument, "{name:?}");
        let change = Change { mail: Some(format!("{name}@example.org")), ..Change::default() };
        let outcome = administration.update_person(&PersonRef::Id(zoe.id.clone()), change).await;
        assert_eq!(outcome.expect_err(name).kind(), Kind::InvalidArgument, "{name:?}");
    }
}

pub(crate) async fn login_finds_its_user_in_every_form(tables: Tables) {
    let zoe = tables.create("Zoë").await;
    let old = tables.create("old").await;
    for form in ["zoë", "ZOË", "zoe\u{308}", "ＺＯＥ\u{308}"] {
        assert_eq!(tables.by_username(form).await.expect("the same login").id.opaque_id, zoe.id, "{form:?}");
        let found = tables.administration().person(&PersonRef::Username(form.to_owned())).await;
        assert_eq!(found.expect("the same login").id, zoe.id, "{form:?}");
    }
    assert!(tables.by_username("zo\u{200b}ë").await.is_err());
    // as a former version let it be stored
    let Tables { database, opened } = tables;
    drop(opened);
    let statement = format!(
        "UPDATE people SET username = 'Ma\u{308}rie Curie', username_key = 'ma\u{308}rie curie' WHERE id = '{}'",
        old.id
    );
    let connection = database.open().await;
    connection.connection().execute_unprepared(&statement).await.expect("a row");
    connection.close().await.expect("closes");
    let tables = Tables::open(database).await;
    assert_eq!(tables.by_username("Ma\u{308}rie Curie").await.expect("still found").id.opaque_id, old.id);
    let change = Change { display_name: Some("Marie".to_owned()), ..Change::default() };
    let changed =
        tables.administration().update_person(&PersonRef::Username("ma\u{308}rie curie".into()), change).await;
    assert_eq!(changed.expect("the name stays as it is").id, old.id);
}

pub(crate) async fn what_must_be_unique_is(tables: &Tables) {
    let first = tables.administration().create_person(marie()).await.unwrap();
    let clashes = [
        (named("mARIE"), "username"),
        (NewPerson { mail: "marie@sorbonne.EXAMPLE".to_owned(), ..named("other") }, "mail address"),
        (NewPerson { id: Some(first.id), ..named("other") }, "id"),
    ];
    for (new, what) in clashes {
        let refused = tables.administration().create_person(new).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::AlreadyExists);
        assert_eq!(refused.to_string(), format!("the {what} is already taken"));
    }
    tables.create("pierre").await;
    tables.create("irène").await;
    let change = Change { username: Some("Irène".to_uppercase()), ..Change::default() };
    let refused = tables.administration().update_person(&who("pierre"), change).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::AlreadyExists);

    tables.administration().create_group("Physics", None, None).await.unwrap();
    let refused = tables.administration().create_group("physics", None, None).await.unwrap_err();
    assert_eq!(refused.to_string(), "the group name is already taken");
}

pub(crate) async fn names_of_an_issuer_are_no_addresses_of_others(tables: &Tables) {
    let administration = tables.administration();
    administration.create_person(marie()).await.unwrap();
    tables.create("pierre@sorbonne.example").await;
    let by_issuer =
        |username: &str, mail: &str| NewPerson { mail: mail.to_owned(), author: Author::Issuer, ..named(username) };
    for (username, mail, what) in
        [("Marie@Sorbonne.example", "", "username"), ("irene", "PIERRE@sorbonne.example", "mail address")]
    {
        let refused = administration.create_person(by_issuer(username, mail)).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.to_string()),
            (Kind::AlreadyExists, format!("the {what} is already taken"))
        );
    }
    let own = administration.create_person(by_issuer("eve@sorbonne.example", "eve@sorbonne.example")).await.unwrap();
    let change = |mail: &str, author| Change { mail: Some(mail.to_owned()), author, ..Change::default() };
    let eve = PersonRef::Id(own.id);
    let taken = change("pierre@sorbonne.example", Author::Issuer);
    assert_eq!(administration.update_person(&eve, taken).await.unwrap_err().kind(), Kind::AlreadyExists);
    administration.update_person(&eve, change("eve@sorbonne.example", Author::Issuer)).await.unwrap();
    let decided = change("pierre@sorbonne.example", Author::Administrator);
    administration.update_person(&eve, decided).await.expect("an administrator knows both");
}

pub(crate) async fn of_two_who_take_one_name_one_wins(tables: &Tables) {
    for round in 0..10 {
        let name = format!("twin{round}");
        let (one, other) = tokio::join!(
            tables.administration().create_person(named(&name)),
            tables.administration().create_person(named(&name.to_uppercase())),
        );
        let (winner, loser) = if one.is_ok() { (one, other) } else { (other, one) };
        assert_eq!(loser.unwrap_err().kind(), Kind::AlreadyExists);
        assert_eq!(tables.by_username(&name).await.unwrap().id.opaque_id, winner.unwrap().id);
    }
}
