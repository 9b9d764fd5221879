//! Hashes passwords on a few threads outside the runtime, with a bounded queue.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bounded_cache::{ARC, HeapSize, MIB};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use prometheus_client::metrics::histogram::Histogram;
use runtime::Metrics;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::digest::Digest;
use crate::password::Memory;

/// How many attempts at one account may wait or run, so that they never fill the queue.
const SEATS_OF_ACCOUNT: usize = 8;

/// The bound of the state that is held for accounts, in bytes: enough for some 2,000 accounts at the same time.
const ACCOUNTS_BOUND: u64 = MIB;

/// Memory that was unused for this long is freed.
pub(crate) const TRIM_INTERVAL: Duration = Duration::from_secs(10);

/// Why work was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The queue is full: of this account's attempts, or as a whole.
    #[error("too many passwords are being verified")]
    Full,
    /// A thread failed.
    #[error("hashing failed")]
    Failed,
}

/// The bounded pool. At most `slots` hashes run at the same time, so that memory is bounded too; at most `queue` more wait.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    accounts: Cache<Digest, Account>,
    turns: usize,
    size: Size,
    waits: Histogram,
    work: Arc<Work>,
}

/// How much runs and waits at most.
#[derive(Debug, Clone, Copy)]
struct Size {
    slots: usize,
    /// Of those that run too.
    places: usize,
}

/// The attempts at one account.
#[derive(Debug, Clone)]
struct Account {
    seats: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl HeapSize for Account {
    fn heap_size(&self) -> usize {
        2 * (ARC + size_of::<Semaphore>())
    }
}

impl Pool {
    /// A pool of so many `slots`, each with so many blocks of memory.
    pub(crate) fn new(slots: usize, queue: usize, blocks: usize) -> Self {
        let slots = slots.max(1);
        Self {
            slots: Arc::new(Semaphore::new(slots)),
            queue: Arc::new(Semaphore::new(slots + queue)),
            accounts: bounded_cache::sync(ACCOUNTS_BOUND).eviction_policy(EvictionPolicy::lru()).build(),
            turns: slots.div_ceil(2),
            size: Size { slots, places: slots + queue },
            // from at once to longer than a caller waits
            waits: Histogram::new([0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]),
            work: Arc::new(Work { blocks, ..Work::default() }),
        }
    }

    /// Does work on a thread of its own. Attempts at one `account` never take more than half of the slots, nor many of the
    /// queue's places, so that attempts at one account do not delay those at others.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        account: Digest,
        job: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let account = self.accounts.get_with(account, || Account {
            seats: Arc::new(Semaphore::new(SEATS_OF_ACCOUNT)),
            turns: Arc::new(Semaphore::new(self.turns)),
        });
        let seat = account.seats.try_acquire_owned().map_err(|_| PoolError::Full)?;
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| PoolError::Full)?;
        let begin = Instant::now();
        let turn = account.turns.acquire_owned().await.map_err(|_| PoolError::Failed)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| PoolError::Failed)?;
        self.waits.observe(begin.elapsed().as_secs_f64());
        let work = Arc::clone(&self.work);
        let done = spawn_blocking(move || {
            let result = work.run(job);
            // held until here: a caller who goes away does not stop the thread, so must not free its slot
            drop((slot, turn, place, seat));
            result
        });
        done.await.map_err(|_| PoolError::Failed)
    }

    /// Shows how much runs and waits, and how long.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        metrics.histogram(
            "doorward_password_hash_wait_seconds",
            "How long passwords waited to be hashed",
            self.waits.clone(),
        );
        let (slots, places, size) = (Arc::downgrade(&self.slots), Arc::downgrade(&self.queue), self.size);
        let running = move || Some(size.slots.saturating_sub(slots.upgrade()?.available_permits()));
        let taken = move || Some(size.places.saturating_sub(places.upgrade()?.available_permits()));
        let waiting = {
            let running = running.clone();
            move || Some(taken()?.saturating_sub(running()?))
        };
        metrics.gauge_of("doorward_password_hash_running", "Passwords that are being hashed", Vec::new(), move || {
            running().map(as_f64)
        });
        metrics.gauge_of(
            "doorward_password_hash_waiting",
            "Passwords that wait to be hashed; a full queue refuses more",
            Vec::new(),
            move || waiting().map(as_f64),
        );
    }

    /// Whether work for this account would be refused now.
    pub(crate) fn is_full(&self, account: Digest) -> bool {
        let no_seat = self.accounts.get(&account).is_some_and(|account| account.seats.available_permits() == 0);
        no_seat || self.queue.available_permits() == 0
    }

    /// Gives memory back that was not used since the last time.
    pub(crate) fn trim(&self) {
        self.work.trim();
    }

    /// How many jobs were done.
    pub(crate) fn done(&self) -> u64 {
        self.work.done.load(Ordering::Relaxed)
    }

    /// How many jobs ran at the same time at most.
    pub(crate) fn peak(&self) -> usize {
        self.work.peak.load(Ordering::Relaxed)
    }
}

/// A small number.
fn as_f64(number: usize) -> f64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}

/// What the threads share.
#[derive(Debug, Default)]
struct Work {
    blocks: usize,
    idle: Mutex<Vec<Memory>>,
    done: AtomicU64,
    running: AtomicUsize,
    peak: AtomicUsize,
    /// How many jobs ran at the same time at most since memory was last given back.
    recent_peak: AtomicUsize,
}

impl Work {
    fn run<T>(&self, job: impl FnOnce(&mut Memory) -> T) -> T {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(running, Ordering::Relaxed);
        self.recent_peak.fetch_max(running, Ordering::Relaxed);
        let taken = self.idle().pop();
        let mut memory = taken.unwrap_or_default();
        let result = job(&mut memory);
        // what a costlier verifier of another system needed is not kept
        if !memory.is_empty() && memory.len() <= self.blocks {
            self.idle().push(memory);
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Keeps the memory of as many jobs as ran at the same time lately, or that of one rare peak would stay for as long as any password
    /// is verified.
    fn trim(&self) {
        let needed = self.recent_peak.swap(self.running.load(Ordering::Relaxed), Ordering::Relaxed);
        let mut idle = self.idle();
        idle.truncate(needed);
        idle.shrink_to_fit();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use argon2::Block;

    use super::*;

    const ONE: Digest = [1; 32];
    const OTHER: Digest = [2; 32];

    /// Occupies the pool until the sender is dropped.
    fn occupy(pool: &Arc<Pool>, account: Digest) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), PoolError>>) {
        let (sender, receiver) = mpsc::channel::<()>();
        let pool = Arc::clone(pool);
        let task = tokio::spawn(async move {
            pool.run(account, move |_| {
                let _ = receiver.recv();
            })
            .await
        });
        (sender, task)
    }

    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn b1_a_full_queue_refuses_at_once() {
        let pool = Arc::new(Pool::new(1, 1, 1));
        let held = [occupy(&pool, [3; 32]), occupy(&pool, [4; 32])];
        settle().await;
        assert_eq!(pool.run(ONE, |_| ()).await, Err(PoolError::Full));
        let metrics = Metrics::default();
        pool.measure(&metrics);
        let text = metrics.render();
        assert!(text.contains("doorward_password_hash_running 1"), "{text}");
        assert!(text.contains("doorward_password_hash_waiting 1"), "{text}");
        for (sender, task) in held {
            drop(sender);
            task.await.expect("the task ends").expect("the work was done");
        }
        assert_eq!(pool.run(ONE, |_| ()).await, Ok(()));
        assert_eq!(pool.peak(), 1);
        assert!(metrics.render().contains("doorward_password_hash_wait_seconds_count 3"));
    }

    #[tokio::test]
    async fn one_account_never_takes_all_slots_nor_the_queue() {
        let pool = Arc::new(Pool::new(2, 64, 1));
        let held: Vec<_> = (0..SEATS_OF_ACCOUNT).map(|_| occupy(&pool, ONE)).collect();
        settle().await;
        assert_eq!(pool.run(ONE, |_| ()).await, Err(PoolError::Full), "the account's seats are taken");
        assert!(pool.is_full(ONE) && !pool.is_full(OTHER));
        assert_eq!(pool.run(OTHER, |_| ()).await, Ok(()), "another account finds a slot that is free");
        for (sender, task) in held {
            drop(sender);
            task.await.expect("the task ends").expect("the work was done");
        }
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_does_not_free_the_slot() {
        let pool = Arc::new(Pool::new(1, 0, 1));
        let (sender, task) = occupy(&pool, ONE);
        settle().await;
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(pool.run(OTHER, |_| ()).await, Err(PoolError::Full));
        drop(sender);
        while pool.run(OTHER, |_| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn memory_is_kept_while_it_is_used_and_no_longer() {
        let pool = Pool::new(1, 0, 4);
        let grow = |blocks: usize| {
            move |memory: &mut Memory| {
                let found = memory.len();
                memory.resize(blocks, Block::default());
                found
            }
        };
        assert_eq!(pool.run(ONE, grow(4)).await, Ok(0));
        assert_eq!(pool.run(ONE, grow(9)).await, Ok(4), "it is used again");
        assert_eq!(pool.run(ONE, grow(4)).await, Ok(0), "more than is needed is not kept");
        pool.trim();
        assert_eq!(pool.run(ONE, grow(4)).await, Ok(4), "what was used lately stays");
        pool.trim();
        pool.trim();
        assert_eq!(pool.run(ONE, grow(4)).await, Ok(0), "what was not goes");
    }

    #[test]
    fn memory_of_a_peak_is_given_back_while_less_is_used() {
        let work = Work { blocks: 4, ..Work::default() };
        let grow = |memory: &mut Memory| memory.resize(4, Block::default());
        work.run(|memory| {
            grow(memory);
            work.run(grow);
        });
        work.trim();
        assert_eq!(work.idle().len(), 2, "both were used lately");
        work.run(grow);
        work.trim();
        assert_eq!(work.idle().len(), 1);
    }

    #[tokio::test]
    async fn a_job_that_fails_is_an_error_and_nothing_more() {
        let pool = Pool::new(1, 0, 1);
        assert_eq!(pool.run(ONE, |_| panic!("a test's panic")).await, Err::<(), _>(PoolError::Failed));
        assert_eq!(pool.run(ONE, |_| ()).await, Ok(()));
    }
}
