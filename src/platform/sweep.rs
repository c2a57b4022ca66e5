//! Background work: idempotent functions that find the rows that are due.
//!
//! A sweep takes no input, may run on several instances at once, and changes nothing when nothing is due. So a
//! restart, a second instance and a late run are all handled in the same way.

use std::time::{Duration, Instant};

use rand::RngExt;

use crate::platform::{core::Core, db};

/// Something that is done again and again.
pub trait Sweep {
    /// What the sweep works with.
    type State: Clone + Send + Sync + 'static;
    /// How it is called in logs and metrics.
    const NAME: &'static str;
    /// How long to wait when nothing is due.
    const PERIOD: Duration;

    /// Does what is due, up to a bounded amount; the number of rows seen to. More than none means: again at once.
    fn run_once(state: &Self::State) -> impl Future<Output = Result<usize, sqlx::Error>> + Send;

    /// How long to rest after a run that had something to do and took so long.
    fn rest(_state: &Self::State, _worked: Duration) -> impl Future<Output = Duration> + Send {
        std::future::ready(Duration::ZERO)
    }
}

/// Starts a sweep; it ends when the service stops, between two runs.
pub fn start<S: Sweep + 'static>(core: &Core, state: &S::State) {
    core.tasks.spawn(drive::<S>(core.clone(), state.clone()));
}

async fn drive<S: Sweep + 'static>(core: Core, state: S::State) {
    loop {
        let began = Instant::now();
        let done = run::<S>(&state).await;
        metrics::counter!("leadscore_swept_total", "sweep" => S::NAME).increment(done as u64);
        if core.stop.is_cancelled() {
            return;
        }
        let wait = match done {
            // Instances that started together drift apart.
            0 => S::PERIOD.mul_f64(rand::rng().random_range(0.9..1.1)),
            _ => S::rest(&state, began.elapsed()).await,
        };
        if core.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// One run; one that collided with another transaction is tried again by the next.
pub async fn run_once<S: Sweep>(state: &S::State) -> Result<usize, sqlx::Error> {
    match S::run_once(state).await {
        Err(error) if db::is_collision(&error) => Ok(1),
        done => done,
    }
}

/// One run in a task of its own: a panic is logged, and the next run comes after the period.
async fn run<S: Sweep + 'static>(state: &S::State) -> usize {
    let one = state.clone();
    match tokio::spawn(async move { run_once::<S>(&one).await }).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            tracing::warn!(sweep = S::NAME, error = &error as &dyn std::error::Error, "a sweep failed");
            0
        }
        Err(error) => {
            tracing::error!(sweep = S::NAME, %error, "a sweep ended in a panic");
            0
        }
    }
}
