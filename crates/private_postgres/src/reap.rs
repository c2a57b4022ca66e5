//! Children that outlive the call which started them are waited for, lest they stay as zombies.

use std::process::Child;
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};

/// How long a child may take to end after it has let go of its lock.
const LIMIT: Duration = Duration::from_secs(1);

/// Children that a thread waits for.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<JoinHandle<()>>);

impl Waiters {
    /// Waits for the child in a thread that takes no signal away from the program.
    pub(crate) fn add(&mut self, mut child: Child) {
        // The thread inherits our mask. Were the signals blocked in it, one could come before that.
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let waiter = thread::Builder::new().name("private-postgres".into()).spawn(move || {
            tracing::trace!(ended = ?child.wait(), "a child has ended");
        });
        if let Err(error) = mask.and_then(|mask| mask.thread_set_mask()) {
            tracing::warn!(%error, "the signal mask cannot be restored");
        }
        match waiter {
            Ok(waiter) => self.0.push(waiter),
            Err(error) => tracing::debug!(%error, "no thread to wait for a child: a zombie until we end"),
        }
    }

    /// Gives children that are about to end the time for it, so that they end before we do: where
    /// process 1 reaps nobody they would stay as zombies.
    pub(crate) fn finish(&self) {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline && !self.0.iter().all(JoinHandle::is_finished) {
            sleep(Duration::from_millis(1));
        }
    }
}
