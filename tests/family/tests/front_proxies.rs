//! Doorward's endpoints for other proxies, called by the real proxies, each configured as its page describes.

mod backend;
mod cells;
mod client;
mod door;
mod forged;
mod front;
mod kubernetes;
mod lists;
mod page;
mod table;
mod world;

use std::sync::Arc;

use config::Environment;
use tokio::task::{JoinSet, LocalSet};

use door::{Column, Door};
use front::Front;
use world::World;

/// What becomes of everything at one proxy.
async fn column(front: Front, world: Arc<World>) -> (Front, Column) {
    let mut door = Door::open(front, world).await;
    cells::walk(&mut door).await;
    if !door.column.faults.is_empty() {
        door.column.faults.push(format!("{} says: {}", front.name(), door.log()));
    }
    (front, door.column)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_before_the_process() {
    if !front::are_there(&Front::ALL.map(Front::program)) {
        return;
    }
    let world = Arc::new(World::start().await);
    let mut running = JoinSet::new();
    let all = LocalSet::new();
    for front in Front::ALL {
        running.spawn_local_on(column(front, Arc::clone(&world)), &all);
    }
    let mut columns = all.run_until(running.join_all()).await;
    columns.sort_by_key(|(front, _)| Front::ALL.iter().position(|other| other == front));
    let faults: Vec<_> = columns.iter().flat_map(|(_, column)| column.faults.iter().map(String::as_str)).collect();
    let new = table::of(&columns);
    let path = format!("{}/doors.md", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, &new).expect("the table can be written");
    assert!(faults.is_empty(), "{} faults; the table is {path}\n{}", faults.len(), faults.join("\n"));
    if Environment::of_process().get("DOORWARD_TEST_WRITE_DOORS") == Some("1") {
        std::fs::write(page::path("doors"), &new).expect("the book can be written");
    }
    let kept = std::fs::read_to_string(page::path("doors")).unwrap_or_else(|error| panic!("docs/doors.md: {error}"));
    for (kept, new) in table::without_versions(&kept).zip(table::without_versions(&new)) {
        assert_eq!(
            kept, new,
            "the book has another table; the new one is {path}: set DOORWARD_TEST_WRITE_DOORS=1 to keep it"
        );
    }
    assert_eq!(kept.lines().count(), new.lines().count(), "the book has another table; the new one is {path}");
}
