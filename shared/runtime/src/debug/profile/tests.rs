use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::read::GzDecoder;
use prost::Message;

use super::proto::Profile;
use super::*;

#[test]
fn length_of_a_profile_is_limited() {
    assert_eq!(seconds(None), Some(30));
    assert_eq!(seconds(Some("1")), Some(1));
    assert_eq!(seconds(Some("120")), Some(120));
    for wrong in ["0", "121", "-1", "", "1.5", "ten"] {
        assert_eq!(seconds(Some(wrong)), None, "{wrong}");
    }
}

/// Works until the flag is set.
fn work(is_done: &AtomicBool) -> u64 {
    let mut number = 1_u64;
    while !is_done.load(Ordering::Relaxed) {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    number
}

#[tokio::test]
async fn profile_has_the_stacks_of_what_works() {
    let is_done = Arc::new(AtomicBool::default());
    let worker = std::thread::Builder::new().name("worker".into());
    let worker = worker.spawn({
        let is_done = Arc::clone(&is_done);
        move || work(&is_done)
    });
    let compressed = take(Duration::from_millis(400)).await.expect("a profile");
    is_done.store(true, Ordering::Relaxed);
    worker.expect("a thread").join().expect("no panic");

    let mut bytes = Vec::new();
    GzDecoder::new(&*compressed).read_to_end(&mut bytes).expect("gzip");
    let profile = Profile::decode(&*bytes).expect("a profile");
    let string = |index: i64| profile.string_table[usize::try_from(index).expect("an index")].as_str();
    assert_eq!(string(0), "");
    let types: Vec<_> = profile.sample_type.iter().map(|one| (string(one.kind), string(one.unit))).collect();
    assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert!(profile.duration_nanos >= 400_000_000 && profile.period == 1_000_000_000 / 99, "{profile:?}");

    let of_worker =
        profile.sample.iter().filter(|sample| sample.label.iter().any(|label| string(label.str) == "worker"));
    let of_worker: Vec<_> = of_worker.collect();
    assert!(!of_worker.is_empty(), "{profile:?}");
    let functions = of_worker.iter().flat_map(|sample| &sample.location_id).flat_map(|id| {
        let location = profile.location.iter().find(|location| location.id == *id).expect("a location");
        location.line.iter().map(|line| line.function_id)
    });
    let mut names = functions.map(|id| {
        let function = profile.function.iter().find(|function| function.id == id).expect("a function");
        string(function.name)
    });
    // with debug information a function has its own name, without that of its module
    assert!(names.any(|name| name == "work" || name.ends_with("profile::tests::work")), "{profile:?}");
}

#[tokio::test]
async fn second_profile_at_the_same_time_is_refused() {
    let _other = PROFILER.acquire().await.expect("is never closed");
    assert_eq!(cpu(Query(HashMap::new())).await.status(), StatusCode::CONFLICT);
    let query = HashMap::from([("seconds".to_owned(), "121".to_owned())]);
    assert_eq!(cpu(Query(query)).await.status(), StatusCode::BAD_REQUEST);
}
