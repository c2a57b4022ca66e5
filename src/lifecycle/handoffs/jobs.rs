//! Sweeps over handoffs that nobody answers.

use std::time::Duration;

use serde_json::json;

use super::{HandoffError, close, open, store};
use crate::{
    feed::outbox::{self, Kind},
    leads::{self, Cause, Target},
    lifecycle::{
        Lifecycle,
        policy::ExpiredTo,
        stages::{End, HandoffState},
    },
    models,
    platform::sweep::Sweep,
};

/// How many handoffs one run handles.
const AT_ONCE: i64 = 500;

/// Marks handoffs whose due time has passed, and publishes that in the feed, once for each handoff.
#[derive(Debug)]
pub struct Breach;

impl Sweep for Breach {
    type State = Lifecycle;

    const NAME: &'static str = "breach_handoffs";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&lifecycle.db).await?;
        let now = lifecycle.clock.now();
        let due = store::due(&mut tx, now, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let free: Vec<_> = leads::lock_free(&mut tx, &due).await?.leads.into_keys().collect();
        let breached = store::breach(&mut tx, &free, now).await?;
        let changes: Vec<_> =
            breached.iter().map(|handoff| handoff.change(Kind::HandoffOverdue, now, json!({}))).collect();
        outbox::publish(&mut tx, &lifecycle.ids, &changes).await?;
        tx.commit().await?;
        Ok(breached.len())
    }
}

/// Ends the handoffs whose time to expire has come, and moves their leads to the stage that the policy names.
#[derive(Debug)]
pub struct Expire;

impl Sweep for Expire {
    type State = Lifecycle;

    const NAME: &'static str = "expire_handoffs";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let expiring =
            store::expiring(&mut *lifecycle.db.acquire().await?, lifecycle.clock.now(), AT_ONCE).await?;
        let mut ended = 0;
        for id in expiring {
            match expire(lifecycle, id).await {
                Ok(()) => ended += 1,
                // A person answered the handoff in the meantime.
                Err(HandoffError::Closed(_) | HandoffError::NotFound(_)) => {}
                Err(HandoffError::Database(error)) => return Err(error),
                Err(other) => tracing::error!(%id, %other, "a handoff cannot expire"),
            }
        }
        Ok(ended)
    }
}

/// Ends a handoff as expired and moves its lead.
async fn expire(lifecycle: &Lifecycle, id: crate::platform::ids::HandoffId) -> Result<(), HandoffError> {
    let (locked, handoff) = open(lifecycle, id).await?;
    handoff.must_be_open()?;
    let target = match locked.policy().document.handoff.expired_to {
        ExpiredTo::Lead => Target::Lead,
        ExpiredTo::Recycled => Target::Recycled(None),
    };
    let end = End::ruled(HandoffState::Expired, None);
    close(lifecycle, locked, handoff, target, Cause::Expired, &end).await?;
    Ok(())
}
