//! Work that keeps a processor busy. It runs on other threads, so that all other calls are answered meanwhile.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
    task::{block_in_place, spawn_blocking},
};

use super::problem::{Code, Problem};

/// How many pieces of work run at once. Others wait.
const AT_ONCE: usize = 2;

/// Bodies larger than this, in bytes, are read on another thread. A smaller body takes about a millisecond at most.
const LARGE: usize = 32 * 1024;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Runs work on another thread. Use it for work that takes more than about a millisecond on the largest body of the
/// call. At most two such pieces of work run at once.
///
/// # Errors
/// 503 `overloaded` if the service stops.
///
/// # Panics
/// If the work panics.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let stopping = || Problem::new(Code::Overloaded, "The service is stopping. Try again.");
    let _turn = TURNS.acquire().await.map_err(|_| stopping())?;
    match spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(stopping()),
        },
    }
}

/// Does work on a body of `size` bytes, or on what was read from the body. If the body is large, the work runs as in
/// [`apart`]. The budget of bodies bounds how many large bodies there are at once.
pub fn in_place<T>(size: usize, work: impl FnOnce() -> T) -> T {
    if size > LARGE { apart(work) } else { work() }
}

/// Does work while the other tasks of this thread continue on another thread. The caller bounds how much of this work
/// runs at once.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(work),
        _ => work(),
    }
}
