//! Deliveries: made from the feed, sent in the order of their lanes, sent again on request.

pub(super) mod api;
pub(super) mod store;
mod view;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};

use super::{
    PATIENCE_DAYS,
    courier::{Attempt, Message, Turn},
    endpoints::{Endpoint, store as endpoints},
    lanes::{Head, Lease, store as lanes},
    schedule,
};
use crate::{
    feed::{
        outbox::{self, Position, Recorded},
        webhooks::Webhooks,
    },
    platform::ids::{ChangeId, DeliveryId, EndpointId, LeadId},
};

/// How many changes become deliveries in one transaction, and how many deliveries are put back in one.
const AT_ONCE: i64 = 1_000;
/// How much longer a lease lasts than a request may take. In this time the courier writes the result.
const MARGIN: Duration = Duration::from_secs(5);

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[schema(as = DeliveryState)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum State {
    /// Waits to be sent, for the first time or again.
    Pending,
    /// The receiver has accepted the delivery.
    Delivered,
    /// Given up after the last attempt.
    Failed,
}

impl State {
    /// Returns the state as it is stored and sent.
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A delivery to make.
#[derive(Debug)]
struct New {
    id: DeliveryId,
    message_id: ChangeId,
    lead_id: LeadId,
    position: Position,
    kind: String,
    body: String,
}

impl New {
    fn of(id: DeliveryId, change: Recorded) -> New {
        let mut data = match change.data {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        data.insert("lead_id".to_owned(), json!(change.lead_id));
        New {
            id,
            message_id: change.id,
            lead_id: change.lead_id,
            position: change.position,
            body: body(&change.kind, change.at, data),
            kind: change.kind,
        }
    }
}

/// Writes a message's body by the Standard Webhooks specification.
fn body(kind: &str, at: DateTime<Utc>, data: Map<String, Value>) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'a str,
        timestamp: DateTime<Utc>,
        data: Map<String, Value>,
    }
    serde_json::to_string(&Body { r#type: kind, timestamp: at, data }).expect("a message is plain data")
}

/// Makes deliveries of the changes after an endpoint's place in the feed, and moves the place. Returns how many changes
/// were read.
pub(super) async fn fan_out(
    webhooks: &Webhooks,
    conn: &mut PgConnection,
    id: EndpointId,
) -> sqlx::Result<usize> {
    let now = webhooks.clock.now();
    let mut tx = conn.begin().await?;
    let Some(reader) = endpoints::lock_reader(&mut tx, id).await? else { return Ok(0) };
    let changes = outbox::after(&mut tx, reader.position, AT_ONCE).await?;
    let (Some(last), read) = (changes.last().map(|last| last.position), changes.len()) else { return Ok(0) };
    let wanted = |change: &Recorded| reader.events.is_empty() || reader.events.contains(&change.kind);
    let wanted: Vec<Recorded> = changes.into_iter().filter(wanted).collect();
    // Ids of one millisecond are in no order. The log of deliveries must have the order of the feed.
    let mut ids: Vec<DeliveryId> = wanted.iter().map(|_| DeliveryId(webhooks.ids.next())).collect();
    ids.sort_unstable();
    let new: Vec<New> = ids.into_iter().zip(wanted).map(|(id, change)| New::of(id, change)).collect();
    if !new.is_empty() {
        let leads: Vec<LeadId> = new.iter().map(|one| one.lead_id).collect();
        store::insert(&mut tx, id, &new, now).await?;
        lanes::open(&mut tx, id, &leads, false, now).await?;
    }
    endpoints::read_up_to(&mut tx, id, last).await?;
    tx.commit().await?;
    Ok(read)
}

/// Runs one courier: sends the deliveries that are due at an endpoint, lane by lane, until nothing is due or the
/// service stops.
pub(super) async fn deliver(webhooks: &Webhooks, turn: &Turn) -> sqlx::Result<()> {
    let mut failing = false;
    while !webhooks.stop.is_cancelled() && turn.goes_on(failing) {
        let mut conn = webhooks.db.acquire().await?;
        let (now, token) = (webhooks.clock.now(), webhooks.ids.next());
        let until = now + webhooks.couriers.settings().timeout + MARGIN;
        let Some(lease) = lanes::acquire(&mut conn, turn.endpoint, token, now, until).await? else {
            return Ok(());
        };
        let Some(head) = lanes::head(&mut conn, &lease).await? else {
            give_back(&mut conn, &lease, now).await?;
            continue;
        };
        let secrets = endpoints::secrets(&mut conn, turn.endpoint, now).await?;
        drop(conn);
        let Head { id, message_id, body, tries, url } = head;
        let message = Message { url, id: message_id, body, secrets };
        let Some(attempt) = webhooks.couriers.send_unless_stopped(message, now, &webhooks.stop).await else {
            return give_back(&mut *webhooks.db.acquire().await?, &lease, webhooks.clock.now()).await;
        };
        failing = !attempt.succeeded();
        finish(webhooks, &lease, id, tries + 1, &attempt).await?;
    }
    Ok(())
}

/// Gives back a lane from which nothing was sent. Closes the lane if it is empty.
async fn give_back(conn: &mut PgConnection, lease: &Lease, now: DateTime<Utc>) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    if lanes::holds(&mut tx, lease).await? {
        next_in_lane(&mut tx, lease, now).await?;
    }
    tx.commit().await
}

/// Sets when the lane's next delivery is due. Closes the lane if it is empty.
async fn next_in_lane(conn: &mut PgConnection, lease: &Lease, due_at: DateTime<Utc>) -> sqlx::Result<()> {
    match lanes::head(conn, lease).await? {
        Some(_) => lanes::release(conn, lease, due_at).await,
        None => lanes::close(conn, lease).await,
    }
}

/// Stores the result of an attempt, and when the lane is due again. Stores nothing if another courier has taken the
/// lane.
async fn finish(
    webhooks: &Webhooks,
    lease: &Lease,
    delivery: DeliveryId,
    tries: i32,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    let now = webhooks.clock.now();
    let wait = schedule::wait(tries, attempt.retry_after, rand::rng().random());
    let (state, outcome, due_at) = match (attempt.succeeded(), wait) {
        (true, _) => (State::Delivered, "delivered", now),
        (false, Some(wait)) => (State::Pending, "retried", now + wait),
        (false, None) => (State::Failed, "failed", now),
    };
    let mut tx = webhooks.db.begin().await?;
    // Locks the endpoint before the lane, as all code does.
    let disabled = if attempt.succeeded() {
        endpoints::note_success(&mut tx, lease.endpoint_id).await?;
        None
    } else {
        let patience = now - TimeDelta::days(PATIENCE_DAYS);
        endpoints::note_failure(&mut tx, lease.endpoint_id, attempt.is_gone(), patience, now).await?
    };
    if !lanes::holds(&mut tx, lease).await? {
        tracing::warn!(endpoint.id = %lease.endpoint_id, "a delivery took longer than its lease; another courier has the lane, and may send it again");
        return Ok(());
    }
    store::record(&mut tx, lease.endpoint_id, delivery, attempt, state).await?;
    next_in_lane(&mut tx, lease, due_at).await?;
    tx.commit().await?;
    metrics::counter!("leadscore_webhook_attempts_total", "outcome" => outcome).increment(1);
    metrics::histogram!("leadscore_webhook_seconds").record(attempt.duration);
    if let Some(because) = disabled {
        tracing::warn!(endpoint.id = %lease.endpoint_id, ?because, "a webhook endpoint was disabled");
    }
    Ok(())
}

/// Makes one delivery wait to be sent again, at once and in its old place. `None` if there is no such delivery. `false`
/// if it is a ping.
pub(super) async fn redeliver(
    webhooks: &Webhooks,
    endpoint: EndpointId,
    delivery: DeliveryId,
) -> sqlx::Result<Option<bool>> {
    let mut tx = webhooks.db.begin().await?;
    if endpoints::lock(&mut tx, endpoint).await?.is_none() {
        return Ok(None);
    }
    let lead = match store::lead_of(&mut tx, endpoint, delivery).await? {
        None => return Ok(None),
        Some(None) => return Ok(Some(false)),
        Some(Some(lead)) => lead,
    };
    lanes::open(&mut tx, endpoint, &[lead], true, webhooks.clock.now()).await?;
    store::put_back(&mut tx, endpoint, &[delivery]).await?;
    tx.commit().await?;
    Ok(Some(true))
}

/// Makes all deliveries wait to be sent again that were made since an instant and given up. Returns how many. `None` if
/// there is no such endpoint.
pub(super) async fn recover(
    webhooks: &Webhooks,
    endpoint: EndpointId,
    since: DateTime<Utc>,
) -> sqlx::Result<Option<usize>> {
    let (mut after, mut recovered) = (None, 0);
    loop {
        let mut tx = webhooks.db.begin().await?;
        if endpoints::lock(&mut tx, endpoint).await?.is_none() {
            return Ok(None);
        }
        let found = store::given_up(&mut tx, endpoint, since, after, AT_ONCE).await?;
        let (deliveries, leads): (Vec<DeliveryId>, Vec<LeadId>) = found.into_iter().unzip();
        let Some(last) = deliveries.last() else { return Ok(Some(recovered)) };
        lanes::open(&mut tx, endpoint, &leads, true, webhooks.clock.now()).await?;
        store::put_back(&mut tx, endpoint, &deliveries).await?;
        tx.commit().await?;
        (after, recovered) = (Some(*last), recovered + deliveries.len());
    }
}

/// Sends a ping once, also to a disabled endpoint.
pub(super) async fn ping(webhooks: &Webhooks, endpoint: &Endpoint) -> sqlx::Result<DeliveryId> {
    let (now, delivery, message) =
        (webhooks.clock.now(), DeliveryId(webhooks.ids.next()), ChangeId(webhooks.ids.next()));
    let data = Map::from_iter([("endpoint_id".to_owned(), json!(endpoint.id))]);
    let body = body("webhook.ping", now, data);
    let secrets = endpoints::secrets(&mut *webhooks.db.acquire().await?, endpoint.id, now).await?;
    let sent = Message { url: endpoint.url.clone(), id: message, body: body.clone(), secrets };
    let attempt = webhooks.couriers.send(sent, now).await;
    let state = if attempt.succeeded() { State::Delivered } else { State::Failed };
    let mut tx = webhooks.db.begin().await?;
    store::insert_ping(&mut tx, endpoint.id, delivery, message, &body, now).await?;
    store::record(&mut tx, endpoint.id, delivery, &attempt, state).await?;
    tx.commit().await?;
    Ok(delivery)
}

/// Returns since when the oldest waiting delivery to an enabled endpoint has waited. `None` if no delivery waits.
pub async fn waiting_since(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    store::oldest(conn).await
}
