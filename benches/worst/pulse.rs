//! How long the tasks of a runtime are kept from going on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use tokio::task::{AbortHandle, yield_now};

/// A task that does nothing but let others go before it, and notes how long each time they took.
///
/// In a runtime with one worker that is how long nothing else could be done. It is counted in processor time of the worker,
/// so that other processes of the machine do not count; where the task has gone to another thread meanwhile, on the clock.
pub(crate) struct Pulse {
    longest: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Pulse {
    /// Begins to note.
    pub(crate) fn start() -> Pulse {
        let longest = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&longest);
        let task = tokio::spawn(async move {
            let mut last = Beat::now();
            loop {
                yield_now().await;
                let beat = Beat::now();
                noted.fetch_max(beat.since(&last), Ordering::Relaxed);
                last = beat;
            }
        });
        Pulse { longest, task: task.abort_handle() }
    }

    /// The longest time since this was last asked.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Beat {
    thread: ThreadId,
    processor: Duration,
    clock: Instant,
}

impl Beat {
    fn now() -> Beat {
        let processor = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock of the thread");
        Beat { thread: thread::current().id(), processor: processor.into(), clock: Instant::now() }
    }

    /// In nanoseconds.
    fn since(&self, last: &Beat) -> u64 {
        let took = if self.thread == last.thread {
            self.processor.saturating_sub(last.processor)
        } else {
            self.clock - last.clock
        };
        u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
    }
}
