//! The pages for groups.

use axum::http::StatusCode;

use super::AdminBench;

const GROUPS: &str = "/account/admin/groups";

#[tokio::test]
async fn group_is_created_renamed_filled_and_deleted_by_the_forms() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let csrf = admin.get(GROUPS).await.field("csrf", 1);
    let created = admin.post(GROUPS, &[("csrf", &csrf), ("name", "physicists")]).await;
    let path = created.location().strip_suffix("?done=created").expect("a new group").to_owned();
    let path = format!("/account{path}");
    let taken = admin.post(GROUPS, &[("csrf", &csrf), ("name", "Physicists")]).await;
    assert!(taken.status == StatusCode::BAD_REQUEST && taken.page.contains("id=\"name-error\""), "{}", taken.page);

    let csrf = admin.get(&path).await.field("csrf", 1);
    let renamed = admin.post(&path, &[("csrf", &csrf), ("name", "chemists")]).await;
    assert!(renamed.location().ends_with("?done=renamed"), "{}", renamed.page);
    let members = format!("{path}/members");
    let unknown = admin.post(&members, &[("csrf", &csrf), ("username", "nobody")]).await;
    assert!(unknown.page.contains("id=\"username-error\""), "{}", unknown.page);
    let added = admin.post(&members, &[("csrf", &csrf), ("username", "marie")]).await;
    assert!(added.location().ends_with("?done=members"), "{}", added.page);
    let page = admin.get(&path).await.page;
    assert!(page.contains("<h1>chemists</h1>") && page.contains("<bdi>MARIE</bdi>"), "{page}");
    let list = admin.get(&format!("{GROUPS}?q=chem")).await.page;
    assert!(list.contains("<bdi>chemists</bdi>") && list.contains(">1</td>"), "{list}");

    let id = bench.user("marie").id.opaque_id;
    let removed = admin.post(&format!("{members}/remove"), &[("csrf", &csrf), ("user", &id)]).await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER);
    assert!(admin.get(&path).await.page.contains("The group has no members."));

    let delete = format!("{path}/delete");
    let csrf = admin.get(&delete).await.field("csrf", 1);
    let wrong = admin.post(&delete, &[("csrf", &csrf), ("name", "physicists")]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let deleted = admin.post(&delete, &[("csrf", &csrf), ("name", "chemists")]).await;
    assert_eq!(deleted.location(), "/admin/groups?done=deleted");
    assert_eq!(admin.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn groups_of_a_user_change_on_the_page_of_the_user() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let csrf = admin.get(GROUPS).await.field("csrf", 1);
    admin.post(GROUPS, &[("csrf", &csrf), ("name", "physicists")]).await;
    let path = bench.path_of("marie", "");
    let csrf = admin.get(&path).await.field("csrf", 1);
    let unknown = admin.post(&format!("{path}/groups"), &[("csrf", &csrf), ("group", "alchemists")]).await;
    assert!(
        unknown.status == StatusCode::BAD_REQUEST && unknown.page.contains("id=\"group-error\""),
        "{}",
        unknown.page
    );
    let added = admin.post(&format!("{path}/groups"), &[("csrf", &csrf), ("group", "physicists")]).await;
    assert!(added.location().ends_with("?done=groups"), "{}", added.page);
    let page = admin.get(&path).await;
    assert!(page.page.contains("<bdi>physicists</bdi>"), "{}", page.page);
    let group = page.field("group", 1);
    let removed = admin.post(&format!("{path}/groups/remove"), &[("csrf", &csrf), ("group", &group)]).await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER);
    assert!(!admin.get(&path).await.page.contains("<bdi>physicists</bdi>"));
}
