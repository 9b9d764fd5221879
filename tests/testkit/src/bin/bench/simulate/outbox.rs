//! Revocations as `store::ReplicaSync` spreads them, event by event: a row in the outbox, an announcement that may be lost, and a
//! read of the outbox, which every replica repeats each second in any case.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use authn::BoxError;
use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Arguments, Lags};

/// Between the end of a read of the outbox and the next one, in microseconds, if nothing is announced.
const POLL_INTERVAL: u64 = 1_000_000;
/// Between two announcements of a replica.
const ANNOUNCE_INTERVAL: u64 = 50_000;
/// How long an announcement is on its way.
const DELIVERY: u64 = 1_000;
/// How long a read of the outbox takes.
const READ: u64 = 3_000;

/// What happens next, at a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A revocation is committed and answered.
    Revocation,
    /// It may announce what it has revoked since it did so last.
    Announcement,
    /// It receives the announcement of another one.
    Received,
    /// The time of its poll has come, if it has not read the outbox since: reads are counted.
    Poll { after: u64 },
    /// It has read the outbox, in which so many revocations were committed when the read began.
    Read { committed: usize },
}

/// A replica.
#[derive(Debug, Clone, Default)]
struct Replica {
    /// How many revocations, in the order of their commits, it knows.
    known: usize,
    /// Whether it reads the outbox at this moment.
    is_reading: bool,
    /// Whether it received an announcement meanwhile.
    was_notified: bool,
    /// How often it has read.
    reads: u64,
    announcer: Announcer,
}

/// What a replica tells the others.
#[derive(Debug, Clone, Default)]
struct Announcer {
    /// Whether it has revoked something that is not announced.
    is_unannounced: bool,
    /// Whether it waits until it may announce again.
    is_waiting: bool,
}

/// The replicas and the outbox.
pub(super) struct Outbox {
    replicas: Vec<Replica>,
    /// When each revocation was committed, and where, which knows it at once.
    committed: Vec<(u64, usize)>,
    /// The next events, the earliest first; the number keeps those of one moment in their order.
    events: BinaryHeap<Reverse<(u64, u64, usize, Event)>>,
    number: u64,
    random: SmallRng,
    lost: f64,
    /// The mean time between two revocations, in microseconds.
    period: f64,
    end: u64,
    statements: u64,
}

impl Outbox {
    /// Replicas that have just started, at moments of their own.
    pub(super) fn new(arguments: &Arguments, lost: f64) -> Self {
        let replicas = vec![Replica::default(); arguments.nodes.get() as usize];
        let mut outbox = Self {
            committed: Vec::new(),
            events: BinaryHeap::new(),
            number: 0,
            random: SmallRng::seed_from_u64(arguments.seed),
            lost,
            period: 1_000_000.0 / arguments.revocations,
            end: u64::from(arguments.seconds) * 1_000_000,
            statements: 0,
            replicas,
        };
        for replica in 0..outbox.replicas.len() {
            let first = outbox.random.random_range(0..POLL_INTERVAL);
            outbox.schedule(first, replica, Event::Poll { after: 0 });
        }
        outbox.schedule_revocation(0);
        outbox
    }

    /// Runs until the end, and until every revocation is known to all.
    ///
    /// # Errors
    /// When a lag is out of the range of the histogram.
    pub(super) fn run(mut self) -> Result<Lags, BoxError> {
        let mut lag = Histogram::new(3)?;
        while let Some(Reverse((now, _, replica, event))) = self.events.pop() {
            if now >= self.end && self.is_known_to_all() {
                break;
            }
            match event {
                Event::Revocation => self.revoke(now, replica),
                Event::Announcement => self.announce(now, replica),
                Event::Received => self.receive(now, replica),
                Event::Poll { after } if after == self.replicas[replica].reads => self.read(now, replica),
                Event::Poll { .. } => {}
                Event::Read { committed } => {
                    let known = self.replicas[replica].known;
                    for &(at, _) in self.committed[known..committed].iter().filter(|(_, by)| *by != replica) {
                        lag.record(now - at)?;
                    }
                    self.replicas[replica].known = committed;
                    self.end_read(now, replica);
                }
            }
        }
        Ok(Lags { lag, statements: self.statements })
    }

    fn revoke(&mut self, now: u64, replica: usize) {
        self.committed.push((now, replica));
        let revoking = &mut self.replicas[replica].announcer;
        revoking.is_unannounced = true;
        if !revoking.is_waiting {
            self.announce(now, replica);
        }
        self.schedule_revocation(now);
    }

    /// Announces to all others, if there is something to announce.
    fn announce(&mut self, now: u64, replica: usize) {
        let announcing = &mut self.replicas[replica].announcer;
        announcing.is_waiting = announcing.is_unannounced;
        if !std::mem::take(&mut announcing.is_unannounced) {
            return;
        }
        self.statements += 1;
        self.schedule(now + ANNOUNCE_INTERVAL, replica, Event::Announcement);
        for other in (0..self.replicas.len()).filter(|other| *other != replica) {
            if !self.random.random_bool(self.lost) {
                self.schedule(now + DELIVERY, other, Event::Received);
            }
        }
    }

    fn receive(&mut self, now: u64, replica: usize) {
        if self.replicas[replica].is_reading {
            self.replicas[replica].was_notified = true;
        } else {
            self.read(now, replica);
        }
    }

    fn read(&mut self, now: u64, replica: usize) {
        let reading = &mut self.replicas[replica];
        reading.is_reading = true;
        reading.reads += 1;
        self.statements += 1;
        let committed = self.committed.len();
        self.schedule(now + READ, replica, Event::Read { committed });
    }

    fn end_read(&mut self, now: u64, replica: usize) {
        let reader = &mut self.replicas[replica];
        reader.is_reading = false;
        let after = reader.reads;
        if std::mem::take(&mut reader.was_notified) {
            self.read(now, replica);
        } else {
            self.schedule(now + POLL_INTERVAL, replica, Event::Poll { after });
        }
    }

    /// The next revocation, after a time that does not depend on when the previous one was.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the time is positive, and short")]
    fn schedule_revocation(&mut self, now: u64) {
        let share: f64 = self.random.random();
        let at = now + (-(1.0 - share).ln() * self.period) as u64;
        let replica = self.random.random_range(0..self.replicas.len());
        if at < self.end {
            self.schedule(at, replica, Event::Revocation);
        }
    }

    fn schedule(&mut self, at: u64, replica: usize, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, replica, event)));
    }

    fn is_known_to_all(&self) -> bool {
        self.replicas.iter().all(|replica| replica.known == self.committed.len())
    }
}
