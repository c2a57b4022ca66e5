//! Sweeps that make deliveries of changes, send them, and delete old ones.

use std::time::Duration;

use super::{
    courier::Turn,
    deliveries::{self, store},
    endpoints::store as endpoints,
    lanes::store as lanes,
};
use crate::{
    feed::{outbox, webhooks::Webhooks},
    platform::sweep::Sweep,
};

/// How many deliveries are deleted in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 1_000;
/// How many due lanes of an endpoint are counted at most: more than an endpoint may have couriers.
const LANES: i64 = 16;

/// Makes deliveries of the changes in the feed.
#[derive(Debug)]
pub struct FanOut;

impl Sweep for FanOut {
    type State = Webhooks;

    const NAME: &'static str = "webhook_fan_out";
    const PERIOD: Duration = Duration::from_millis(500);

    async fn run_once(webhooks: &Webhooks) -> Result<usize, sqlx::Error> {
        let mut conn = webhooks.db.acquire().await?;
        let end = outbox::end(&mut conn, webhooks.clock.now()).await?;
        let mut read = 0;
        for endpoint in endpoints::behind(&mut conn, end).await? {
            read += deliveries::fan_out(webhooks, &mut conn, endpoint).await?;
        }
        let slowest = endpoints::slowest(&mut conn).await?;
        outbox::hold(&mut conn, slowest.unwrap_or(end)).await?;
        Ok(read)
    }
}

/// Starts couriers for the endpoints with lanes that are due. Couriers are tasks of their own.
#[derive(Debug)]
pub struct Deliver;

impl Sweep for Deliver {
    type State = Webhooks;

    const NAME: &'static str = "webhook_deliver";
    const PERIOD: Duration = Duration::from_millis(500);

    async fn run_once(webhooks: &Webhooks) -> Result<usize, sqlx::Error> {
        let due = lanes::due(&mut *webhooks.db.acquire().await?, webhooks.clock.now(), LANES).await?;
        let mut started = 0;
        for endpoint in due {
            for _ in 0..endpoint.lanes {
                let Some(turn) = webhooks.couriers.turn(endpoint.id, endpoint.failing) else { break };
                started += 1;
                webhooks.tasks.spawn(courier(webhooks.clone(), turn));
            }
        }
        Ok(started)
    }
}

async fn courier(webhooks: Webhooks, turn: Turn) {
    if let Err(error) = deliveries::deliver(&webhooks, &turn).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(endpoint.id = %turn.endpoint, error, "a courier failed; its lane is due again later");
    }
}

/// Deletes deliveries that are older than changes are kept, and what removed endpoints have left.
#[derive(Debug)]
pub struct Forget;

impl Sweep for Forget {
    type State = Webhooks;

    const NAME: &'static str = "forget_deliveries";
    const PERIOD: Duration = Duration::from_mins(10);

    async fn run_once(webhooks: &Webhooks) -> Result<usize, sqlx::Error> {
        let before = webhooks.clock.now() - webhooks.changes_kept;
        let mut conn = webhooks.db.acquire().await?;
        let forgotten = store::forget(&mut conn, before, FORGOTTEN_AT_ONCE).await?;
        let endpoints = endpoints::forget(&mut conn).await?;
        Ok(usize::try_from(forgotten + endpoints).expect("a count of rows fits"))
    }
}
