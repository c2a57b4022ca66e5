//! Background work: idempotent functions that find the rows that are due.
//!
//! A sweep takes no input, may run on several instances at once, and changes nothing when nothing is due. So a
//! restart, a second instance and a late run are all handled in the same way.

use std::{
    fmt,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use rand::RngExt;
use tracing::Instrument;

use crate::platform::{core::Core, db};

/// Background work that is done again and again.
pub trait Sweep {
    /// What the sweep works with.
    type State: Clone + Send + Sync + 'static;
    /// The name in logs and metrics.
    const NAME: &'static str;
    /// How long to wait when nothing is due.
    const PERIOD: Duration;

    /// Does a bounded amount of what is due, and returns how many rows it handled. If that is more than zero, the next
    /// run follows at once.
    ///
    /// # Errors
    /// If a statement fails. The next run tries again.
    fn run_once(state: &Self::State) -> impl Future<Output = Result<usize, sqlx::Error>> + Send;

    /// Returns how long to rest after a run that handled rows and took `worked`.
    fn rest(_state: &Self::State, _worked: Duration) -> impl Future<Output = Duration> + Send {
        std::future::ready(Duration::ZERO)
    }
}

/// A sweep together with the state that the sweep works with.
pub struct Job {
    name: &'static str,
    period: Duration,
    run_once: Box<RunOnce>,
    rest: Box<Rest>,
}

type RunOnce = dyn Fn() -> BoxFuture<'static, Result<usize, sqlx::Error>> + Send + Sync;
type Rest = dyn Fn(Duration) -> BoxFuture<'static, Duration> + Send + Sync;

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Job {
    /// Makes a job of the sweep `S` and its state.
    pub fn of<S: Sweep + 'static>(state: &S::State) -> Job {
        let (running, resting) = (state.clone(), state.clone());
        Job {
            name: S::NAME,
            period: S::PERIOD,
            run_once: Box::new(move || {
                let state = running.clone();
                async move { run_once::<S>(&state).await }.boxed()
            }),
            rest: Box::new(move |worked| {
                let state = resting.clone();
                async move { S::rest(&state, worked).await }.boxed()
            }),
        }
    }

    /// Runs the sweep once, and returns how many rows the run handled.
    pub async fn run_once(&self) -> Result<usize, sqlx::Error> {
        (self.run_once)().await
    }

    /// Starts the sweep. The sweep ends when the service stops, between two runs.
    pub fn start(self, core: &Core) {
        core.tasks.spawn(self.drive(core.clone()));
    }

    async fn drive(self, core: Core) {
        loop {
            let began = Instant::now();
            let done = self.run(&core).await;
            metrics::counter!("leadscore_swept_total", "sweep" => self.name).increment(done as u64);
            if core.stop.is_cancelled() {
                return;
            }
            let wait = match done {
                // A random part, so that instances that started together do not stay in step.
                0 => self.period.mul_f64(rand::rng().random_range(0.9..1.1)),
                _ => (self.rest)(began.elapsed()).await,
            };
            if core.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Runs the sweep once in a task of its own, in a span with the run's id. If the run panics, the panic is logged
    /// and the next run follows after the period.
    async fn run(&self, core: &Core) -> usize {
        let span = tracing::info_span!("sweep", name = self.name, run = %core.ids.next());
        let told = span.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "a task of its own, so that a panic ends the run and not the sweep"
        )]
        let ended = tokio::spawn((self.run_once)().instrument(span)).await;
        match ended {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => {
                told.in_scope(|| {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a sweep failed; it runs again after its period"
                    );
                });
                0
            }
            Err(error) => {
                told.in_scope(|| tracing::error!(%error, "a sweep panicked; it runs again after its period"));
                0
            }
        }
    }
}

/// Runs a sweep once. A collision with another transaction is not an error: the next run tries again at once.
pub async fn run_once<S: Sweep>(state: &S::State) -> Result<usize, sqlx::Error> {
    match S::run_once(state).await {
        Err(error) if db::is_collision(&error) => Ok(1),
        done => done,
    }
}
