//! The sweep that deletes old refused items.

use std::time::Duration;

use super::store;
use crate::{intake::ingest::Intake, platform::sweep::Sweep};

/// How many refused items one transaction deletes.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Deletes refused items that are older than the operator wants to keep, and the oldest ones if there are
/// more than the number to keep.
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
