//! The family in one process, on a disk that takes nothing any more and then does again.

mod world;

use std::time::{Duration, Instant};

use testkit::{Browser, Layout, note_secret};

use world::World;

/// More than any store has connections that write.
const TIMES: usize = 6;
/// The size of the disk.
const MEBIBYTES: u32 = 16;
const NEW_PASSWORD: &str = "an entirely new secret phrase";

/// What was begun while the disk was well.
struct Before {
    tokens: Vec<String>,
    codes: Vec<String>,
    kept: Browser,
    left: Browser,
}

impl Before {
    async fn of(world: &World) -> Self {
        let mut tokens = Vec::new();
        let mut codes = Vec::new();
        let mut at_provider = Browser::new();
        for _ in 0..TIMES {
            tokens.push(world.create_token().await.expect("a token is made"));
            codes.push(world.code(&mut at_provider).await);
        }
        let (mut kept, mut left) = (Browser::new(), Browser::new());
        assert!(world.sign_in(&mut kept).await && world.sign_in(&mut left).await);
        Self { tokens, codes, kept, left }
    }
}

/// Each change is tried until every connection that writes has failed at least once.
async fn nothing_is_acknowledged(world: &World, before: &Before) {
    for (token, code) in before.tokens.iter().zip(&before.codes) {
        assert!(!world.command(&["user", "disable", "marie"], "").await, "users");
        assert!(!world.command(&["user", "passwd", "richard", "--password-stdin"], NEW_PASSWORD).await, "auth-basic");
        assert_eq!(world.create_token().await, None, "auth-app creates");
        assert!(!world.revoke_token(token).await, "auth-app revokes");
        assert!(!world.redeem(code).await, "idp");
        assert!(!world.sign_out(&mut before.left.clone()).await, "proxy");
    }
    assert!(!world.sign_in(&mut Browser::new()).await, "nor is anyone signed in");
}

/// Each write of a file fails, as on a disk that is full or broken.
#[tokio::test(flavor = "multi_thread")]
async fn full_disk_loses_nothing_acknowledged_and_shows_in_readiness() {
    let world = World::start(Layout::new("process-disk", false)).await;
    recovers(world, |world, fails| world.family.limit_files(fails.then_some(0))).await;
}

/// A file system without space. Where this machine allows no mount namespaces, the test above is all there is.
#[tokio::test(flavor = "multi_thread")]
async fn full_tmpfs_loses_nothing_acknowledged_and_shows_in_readiness() {
    let mut layout = Layout::new("process-tmpfs", false);
    let mut disk = match layout.use_small_disk(MEBIBYTES) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("NOT TESTED: {reason}. Allow unprivileged user namespaces, or run the tests as root.");
            return;
        }
    };
    let world = World::start(layout).await;
    let set = |_: &World, fails: bool| if fails { disk.fill() } else { disk.free() };
    recovers(world, set).await;
}

/// Rows D1, G14: after a disk that was full, or fails, has recovered. `set` has each write fail, or not.
async fn recovers(mut world: World, mut set: impl FnMut(&World, bool)) {
    note_secret(NEW_PASSWORD);
    let mut before = Before::of(&world).await;
    assert_eq!(world.readiness().await, [200; 5]);

    set(&world, true);
    // what a write-ahead log has allocated may take some writes yet
    world.is_soon([503; 5]).await;
    nothing_is_acknowledged(&world, &before).await;
    world.is_soon([503; 5]).await;

    set(&world, false);
    world.is_soon([200; 5]).await;
    let created = {
        let mut created = Vec::new();
        for _ in 0..TIMES {
            created.push(world.create_token().await.expect("a token is made"));
        }
        created
    };
    for (token, code) in before.tokens.iter().zip(&before.codes) {
        assert!(world.revoke_token(token).await, "auth-app");
        assert!(world.redeem(code).await, "idp");
    }
    assert!(world.command(&["user", "disable", "marie"], "").await, "users");
    assert!(world.command(&["user", "passwd", "richard", "--password-stdin"], NEW_PASSWORD).await, "auth-basic");
    assert!(world.sign_out(&mut before.left.clone()).await, "proxy ends a session");
    let mut begun = Browser::new();
    assert!(world.sign_in(&mut begun).await, "proxy begins a session");

    world.family.crash().await;
    world.is_soon([200; 5]).await;
    let family = &world.family;
    for token in &created {
        assert!(family.authenticate("appauth", "einstein", token).await.is_ok(), "an acknowledged token is lost");
    }
    for (token, code) in before.tokens.iter().zip(&before.codes) {
        assert!(family.authenticate("appauth", "einstein", token).await.is_err(), "a revoked token is back");
        assert!(!world.redeem(code).await, "a redeemed code is redeemed again");
    }
    let password = family.layout.password.clone();
    assert!(family.authenticate("basic", "marie", &password).await.is_err(), "a disabled user is active again");
    assert!(family.authenticate("basic", "richard", &password).await.is_err(), "a former password is back");
    assert!(family.authenticate("basic", "richard", NEW_PASSWORD).await.is_ok(), "a new password is lost");
    assert!(world.is_signed_in(&mut begun).await && world.is_signed_in(&mut before.kept).await, "a session is lost");
    assert!(!world.is_signed_in(&mut before.left).await, "an ended session is back");
}

impl World {
    /// Until the readiness of the five stores is this.
    async fn is_soon(&self, wanted: [u16; 5]) {
        let begin = Instant::now();
        loop {
            let found = self.readiness().await;
            if found == wanted {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{found:?}, not {wanted:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
