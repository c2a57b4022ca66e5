//! The sweep that repeats the pass for a day.

use std::time::Duration;

use super::{WATCHED, step, store};
use crate::{lifecycle::Lifecycle, platform::sweep::Sweep};

/// Normalises identities that an instance of an earlier release has written in another form since the last
/// pass.
#[derive(Debug)]
pub struct Normalise;

impl Sweep for Normalise {
    type State = Lifecycle;

    const NAME: &'static str = "normalise";
    const PERIOD: Duration = Duration::from_mins(5);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let state = store::state(&mut *lifecycle.db.acquire().await?).await?;
        let (Some(first), Some(last)) = (state.first_at, state.last_at) else { return Ok(0) };
        let (whole, every) = WATCHED;
        let under_way = state.reached.is_some();
        let due = last < first + whole && last + every <= lifecycle.clock.now();
        if !under_way && !due {
            return Ok(0);
        }
        Ok(step(lifecycle).await?.map_or(0, |changed| changed.max(1)))
    }

    async fn rest(lifecycle: &Lifecycle, worked: Duration) -> Duration {
        lifecycle.pace.rest(&lifecycle.db, worked).await
    }
}
