//! An end for what was refused.

use std::time::Duration;

use super::store;
use crate::{app::App, sweep::Sweep};

/// How many refused items are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Forgets refused items that are older than the operator wants them kept, and the oldest beyond the number kept.
#[derive(Debug)]
pub struct ForgetRejected;

impl Sweep for ForgetRejected {
    const NAME: &'static str = "forget_rejected";
    const PERIOD: Duration = Duration::from_secs(10);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let before = app.clock.now() - app.rejects.kept;
        let mut conn = app.db.acquire().await?;
        store::forget_rejected(&mut conn, before, app.rejects.most, FORGOTTEN_AT_ONCE).await
    }
}
