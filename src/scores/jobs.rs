//! Scores that change by themselves: points fade, windows close, a silence grows long.

use std::time::Duration;

use super::{Additions, apply, store};
use crate::{app::App, leads, models, qualification::Frame, sweep::Sweep};

/// How many leads one run sees to.
const AT_ONCE: i64 = 1_000;

/// Brings the leads up to date whose score changes, or whose dwell ends, by now; and nobody else.
#[derive(Debug)]
pub struct DueScores;

impl Sweep for DueScores {
    const NAME: &'static str = "due_scores";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&app.db).await?;
        let scored = app.live.scored(&mut tx).await?;
        let due = store::due(&mut tx, &scored.ids(), app.clock.now(), AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut resolved = leads::lock_free(&mut tx, &due).await?;
        // A rebuild may have come further before the leads were ours.
        let scored = app.live.scored(&mut tx).await?;
        let frame = Frame { scored: &scored, now: app.clock.now(), ids: &app.ids };
        let standings = apply(&mut tx, frame, &mut resolved, &Additions::new()).await?;
        tx.commit().await?;
        Ok(standings.len())
    }
}
