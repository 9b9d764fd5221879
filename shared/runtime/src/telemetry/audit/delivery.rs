//! Delivering lines from a queue: in their order, again and again until they are taken.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::{Line, Losses};

/// How many lines may wait: for some seconds of many sign-ins, in a few MiB.
const MOST_WAITING: usize = 4096;
/// How many lines are delivered at once at most.
const BATCH: usize = 256;
/// How long a destination that takes nothing is left alone: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where lines are delivered to.
pub(super) trait Destination: Send + 'static {
    /// Delivers lines, of which there is at least one.
    fn deliver(&mut self, lines: &[Line]) -> impl Future<Output = Delivered> + Send;
}

/// What became of some lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// How many of the first ones need not be delivered again.
    pub(super) done: usize,
    /// How many of these the destination will never take.
    pub(super) refused: usize,
    /// What went wrong.
    pub(super) problem: Option<String>,
}

/// The lines that wait for a destination.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: mpsc::Sender<Waiting>,
    undelivered: Arc<Undelivered>,
    losses: Arc<Losses>,
}

/// The lines that are not delivered yet, in the queue or taken from it.
#[derive(Debug, Default)]
struct Undelivered {
    lines: AtomicUsize,
    /// Ends a pause.
    hurry: Notify,
}

#[derive(Debug)]
enum Waiting {
    Line(Line),
    /// Answered when the lines before it are delivered.
    Flush(oneshot::Sender<()>),
}

impl Queue {
    /// An empty queue, and what delivers from it.
    pub(super) fn to(name: &'static str, destination: impl Destination) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let (undelivered, losses) = (Arc::new(Undelivered::default()), Losses::of(name));
        let delivery = deliver(receiver, destination, Arc::clone(&undelivered), Arc::clone(&losses));
        (Self { waiting: sender, undelivered, losses }, delivery)
    }

    pub(super) fn losses(&self) -> &Arc<Losses> {
        &self.losses
    }

    /// Adds a line, which is lost if the queue is full.
    pub(super) fn push(&self, line: Line) {
        // before it can be delivered, which counts it off
        self.undelivered.lines.fetch_add(1, Ordering::AcqRel);
        if self.waiting.try_send(Waiting::Line(line)).is_err() {
            self.undelivered.lines.fetch_sub(1, Ordering::AcqRel);
            self.losses.add(1);
        }
    }

    /// Waits until the lines that wait now are delivered, however long that takes. A destination that is left alone is tried at once.
    pub(super) async fn flush(&self) {
        self.undelivered.hurry.notify_one();
        let (done, delivered) = oneshot::channel();
        if self.waiting.send(Waiting::Flush(done)).await.is_ok() {
            let _ = delivered.await;
        }
    }

    /// Gives up the lines that wait.
    pub(super) fn lose_waiting(&self) {
        self.losses.add(self.undelivered.lines.load(Ordering::Acquire));
    }
}

async fn deliver(
    mut queue: mpsc::Receiver<Waiting>,
    mut destination: impl Destination,
    undelivered: Arc<Undelivered>,
    losses: Arc<Losses>,
) {
    let (mut lines, mut received) = (Vec::new(), Vec::new());
    let mut flushes: Vec<oneshot::Sender<()>> = Vec::new();
    let mut pause = PAUSES.0;
    loop {
        if lines.is_empty() {
            if queue.recv_many(&mut received, BATCH).await == 0 {
                return;
            }
            for waiting in received.drain(..) {
                match waiting {
                    Waiting::Line(line) => lines.push(line),
                    Waiting::Flush(flush) => flushes.push(flush),
                }
            }
        }
        if !lines.is_empty() {
            let Delivered { done, refused, problem } = destination.deliver(&lines).await;
            let done = done.min(lines.len());
            lines.drain(..done);
            undelivered.lines.fetch_sub(done, Ordering::AcqRel);
            losses.add(refused);
            if let Some(problem) = problem {
                losses.explain(problem);
            }
            if !lines.is_empty() {
                // whichever of the two ends it
                let _ = timeout(pause, undelivered.hurry.notified()).await;
                pause = (pause * 2).min(PAUSES.1);
                continue;
            }
        }
        pause = PAUSES.0;
        for flush in flushes.drain(..) {
            // who waits for it may have given up
            let _ = flush.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::UNIX_EPOCH;

    use super::*;

    /// What was delivered, and what is answered next; everything is taken when no answer is left.
    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<(Vec<String>, VecDeque<Delivered>)>>);

    impl Recorder {
        fn answering(answers: impl IntoIterator<Item = Delivered>) -> Self {
            Self(Arc::new(Mutex::new((Vec::new(), answers.into_iter().collect()))))
        }

        fn delivered(&self) -> Vec<String> {
            self.0.lock().expect("no panic").0.clone()
        }
    }

    impl Destination for Recorder {
        async fn deliver(&mut self, lines: &[Line]) -> Delivered {
            let (delivered, answers) = &mut *self.0.lock().expect("no panic");
            let answer = answers.pop_front();
            let answer = answer.unwrap_or_else(|| Delivered { done: lines.len(), ..Delivered::default() });
            let taken = lines.iter().take(answer.done - answer.refused);
            delivered.extend(taken.map(|line| String::from_utf8_lossy(line.object()).into_owned()));
            answer
        }
    }

    fn line(text: &str) -> Line {
        Line { at: UNIX_EPOCH, json: format!("{text}\n").into() }
    }

    fn lost(queue: &Queue) -> u64 {
        queue.losses.lost.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn lines_wait_for_a_destination_that_is_away_and_stay_in_order() {
        let away = || Delivered { problem: Some("away".into()), ..Delivered::default() };
        let half = Delivered { done: 1, problem: Some("closed".into()), ..Delivered::default() };
        let recorder = Recorder::answering([away(), away(), half]);
        let (queue, delivery) = Queue::to("test", recorder.clone());
        for text in ["one", "two", "three"] {
            queue.push(line(text));
        }
        tokio::spawn(delivery);
        queue.flush().await;
        assert_eq!((recorder.delivered(), lost(&queue)), (vec!["one".into(), "two".into(), "three".into()], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn flush_does_not_wait_for_the_end_of_a_pause() {
        let away = Delivered { problem: Some("away".into()), ..Delivered::default() };
        let recorder = Recorder::answering(std::iter::repeat_n(away, 6));
        let (queue, delivery) = Queue::to("test", recorder.clone());
        tokio::spawn(delivery);
        queue.push(line("one"));
        // the sixth attempt is made after 31 s, and the next one is due after 61 s
        tokio::time::sleep(Duration::from_secs(40)).await;
        timeout(Duration::from_secs(1), queue.flush()).await.expect("it is tried at once");
        assert_eq!(recorder.delivered(), ["one"]);
    }

    #[tokio::test(start_paused = true)]
    async fn full_queue_loses_lines_without_waiting_and_counts_them() {
        let recorder = Recorder::default();
        let (queue, delivery) = Queue::to("test", recorder.clone());
        (0..MOST_WAITING + 7).for_each(|_| queue.push(line("line")));
        assert_eq!(lost(&queue), 7);
        tokio::spawn(delivery);
        queue.flush().await;
        assert_eq!(recorder.delivered().len(), MOST_WAITING);
    }

    #[tokio::test(start_paused = true)]
    async fn refused_lines_are_lost_and_those_given_up_too() {
        let refused = Delivered { done: 2, refused: 1, problem: None };
        let away = Delivered { problem: Some("away".into()), ..Delivered::default() };
        let recorder = Recorder::answering(std::iter::once(refused).chain(std::iter::repeat_n(away, 1000)));
        let (queue, delivery) = Queue::to("test", recorder.clone());
        for text in ["one", "two"] {
            queue.push(line(text));
        }
        tokio::spawn(delivery);
        queue.flush().await;
        assert_eq!(lost(&queue), 1);
        queue.push(line("three"));
        tokio::time::timeout(Duration::from_secs(5), queue.flush()).await.expect_err("it is away");
        queue.lose_waiting();
        assert_eq!(lost(&queue), 2, "the mark of the flush, which waits too, is no line");
    }

    #[tokio::test(start_paused = true)]
    async fn queue_that_is_delivered_loses_nothing_when_others_are_given_up() {
        let (queue, delivery) = Queue::to("test", Recorder::default());
        tokio::spawn(delivery);
        queue.push(line("one"));
        queue.flush().await;
        queue.lose_waiting();
        assert_eq!(lost(&queue), 0);
    }
}
