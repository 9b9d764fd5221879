//! How long an HTTP/1 connection waits for the head of a request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection's heads, which come one after the other. hyper makes a timer for each and drops it when the head
/// is there; to make one takes a lock that all connections share, to move the end of one that is there takes none.
#[derive(Clone, Default)]
pub(super) struct HeadTimer(Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>);

/// The wait for one head.
struct Head(HeadTimer);

impl HeadTimer {
    fn with<T>(&self, act: impl FnOnce(&mut Option<Pin<Box<tokio::time::Sleep>>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.with(|timer| match timer {
            Some(timer) => timer.as_mut().reset(deadline.into()),
            none => *none = Some(Box::pin(tokio::time::sleep_until(deadline.into()))),
        });
        Box::pin(Head(self.clone()))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl Future for Head {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.with(|timer| timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(context)))
    }
}

impl Sleep for Head {}
