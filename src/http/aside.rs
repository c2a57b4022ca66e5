//! Work that keeps a processor busy: done on threads of its own, so that every other call is answered meanwhile.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
    task::{block_in_place, spawn_blocking},
};

use super::problem::{Code, Problem};

/// How many pieces of work are done at once; others wait.
const AT_ONCE: usize = 2;

/// From which size on a body is read aside, in bytes: a smaller one takes about a millisecond at most.
const LARGE: usize = 32 * 1024;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Does work that takes more than about a millisecond for the largest body that a call takes.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let stopping = || Problem::new(Code::Overloaded, "The service is stopping; try again.");
    let _turn = TURNS.acquire().await.map_err(|_| stopping())?;
    match spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(stopping()),
        },
    }
}

/// Does work on a body of a size, or with what was read of it; aside if the body is large. How many large bodies there are at
/// once is bounded by what they are paid from.
pub fn in_place<T>(size: usize, work: impl FnOnce() -> T) -> T {
    if size > LARGE { apart(work) } else { work() }
}

/// Does work of which others are not to wait: while it is done, the other tasks of this thread go on on another. The caller
/// bounds how much of it is done at once.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(work),
        _ => work(),
    }
}
