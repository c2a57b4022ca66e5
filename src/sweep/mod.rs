//! Background work: idempotent functions that find their own due rows.
//!
//! A sweep takes no input, may run on several instances at once, and changes nothing when nothing is due; so a
//! restart, a second instance and a missed beat all take the same path.

use std::time::Duration;

use rand::RngExt;

use crate::app::App;

/// Something that is done again and again.
pub trait Sweep {
    /// How it is called in logs and metrics.
    const NAME: &'static str;
    /// How long to wait when nothing is due.
    const PERIOD: Duration;

    /// Does what is due, up to a bounded amount; the number of rows seen to. More than none means: again at once.
    fn run_once(app: &App) -> impl Future<Output = Result<usize, sqlx::Error>> + Send;
}

/// Starts a sweep; it ends when the service stops, between two runs.
pub fn start<S: Sweep + 'static>(app: &App) {
    app.tasks.spawn(drive::<S>(app.clone()));
}

async fn drive<S: Sweep + 'static>(app: App) {
    loop {
        let done = run::<S>(&app).await;
        metrics::counter!("leadscore_swept_total", "sweep" => S::NAME).increment(done as u64);
        if app.stop.is_cancelled() {
            return;
        }
        if done == 0 {
            // Instances that started together drift apart.
            let wait = S::PERIOD.mul_f64(rand::rng().random_range(0.9..1.1));
            if app.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }
}

/// One run in a task of its own: a panic is logged, and the next run comes after the period.
async fn run<S: Sweep + 'static>(app: &App) -> usize {
    let one = app.clone();
    match tokio::spawn(async move { S::run_once(&one).await }).await {
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
