//! The end of the quarantine.

use std::time::Duration;

use super::store;
use crate::{
    app::App,
    leads, models,
    qualification::Frame,
    scores::{self, Additions},
    sweep::Sweep,
};

/// How many events one run lets go.
const AT_ONCE: i64 = 500;

/// Lets suspect clicks go that have waited long enough: from then on they count as what they are thought to be. Of an
/// address that is no lead there is nothing to replay.
#[derive(Debug)]
pub struct Release;

impl Sweep for Release {
    const NAME: &'static str = "release";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&app.db).await?;
        let now = app.clock.now();
        let strays = store::hold_strays(&mut tx, now, AT_ONCE).await?;
        if !strays.is_empty() {
            store::release_strays(&mut tx, &strays, now).await?;
        }
        let due = store::due(&mut tx, now, AT_ONCE).await?;
        if due.is_empty() && strays.is_empty() {
            return Ok(0);
        }
        let mut locked = leads::lock_free(&mut tx, &due).await?;
        let held: Vec<_> = locked.leads.keys().copied().collect();
        // Until they were locked, their identities may have moved, and their events been judged otherwise.
        locked.moved.extend(store::release(&mut tx, &held, now).await?);
        let released = locked.moved.len() + strays.len();
        let (scored, policy) = (app.live.scored(&mut tx).await?, app.policies.current(&mut tx).await?);
        let frame = Frame { scored: &scored, policy: &policy, now, ids: &app.ids };
        scores::apply(&mut tx, frame, &mut locked, &Additions::new()).await?;
        tx.commit().await?;
        Ok(released)
    }
}
