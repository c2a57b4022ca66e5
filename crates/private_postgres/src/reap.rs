//! Children that outlive the call which started them are waited for, lest they stay as zombies.

use std::process::Child;
use std::thread;

use nix::sys::signal::SigSet;

/// Waits for the child in a thread that takes no signal away from the program.
pub(crate) fn in_background(mut child: Child) {
    let waiter = thread::Builder::new().name("private-postgres".into()).spawn(move || {
        let blocked = SigSet::all().thread_block();
        tracing::trace!(?blocked, ended = ?child.wait(), "a child has ended");
    });
    if let Err(error) = waiter {
        tracing::debug!(%error, "no thread to wait for a child; it stays as a zombie until we end");
    }
}
