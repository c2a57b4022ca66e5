//! An end for what was refused.

use std::time::Duration;

use super::store;
use crate::{intake::ingest::Intake, platform::sweep::Sweep};

/// How many refused items are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Forgets refused items that are older than the operator wants them kept, and the oldest beyond the number kept.
#[derive(Debug)]
pub struct ForgetRejected;

impl Sweep for ForgetRejected {
    type State = Intake;

    const NAME: &'static str = "forget_rejected";
    const PERIOD: Duration = Duration::from_secs(10);

    async fn run_once(intake: &Intake) -> Result<usize, sqlx::Error> {
        let before = intake.clock.now() - intake.rejects.kept;
        let mut conn = intake.db.acquire().await?;
        store::forget_rejected(&mut conn, before, intake.rejects.most, FORGOTTEN_AT_ONCE).await
    }
}
