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

/// A sweep together with the state that the sweep works with.
pub struct Job {
    /// How the sweep is called in logs and metrics.
    pub name: &'static str,
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
    /// The sweep `S` with its state.
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

    /// One run. Returns how many rows the run saw to.
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
                // Instances that started together drift apart.
                0 => self.period.mul_f64(rand::rng().random_range(0.9..1.1)),
                _ => (self.rest)(began.elapsed()).await,
            };
            if core.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// One run in a task of its own, with a span that has the run's id. A panic is logged, and the next run comes after
    /// the period.
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
                told.in_scope(|| tracing::warn!(error = &error as &dyn std::error::Error, "a sweep failed"));
                0
            }
            Err(error) => {
                told.in_scope(|| tracing::error!(%error, "a sweep ended in a panic"));
                0
            }
        }
    }
}

/// One run of a sweep. A run that collided with another transaction is tried again by the next run.
pub async fn run_once<S: Sweep>(state: &S::State) -> Result<usize, sqlx::Error> {
    match S::run_once(state).await {
        Err(error) if db::is_collision(&error) => Ok(1),
        done => done,
    }
}
