//! Deliveries as the API shows them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::State;
use crate::platform::ids::{ChangeId, DeliveryId, EndpointId, LeadId};

/// One change for one endpoint, or a ping.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    /// The delivery's id.
    pub(super) id: DeliveryId,
    /// The message's `webhook-id`: the id of the change, the same at every attempt and endpoint.
    pub(super) message_id: ChangeId,
    /// The type of the change, or `webhook.ping`.
    pub(super) r#type: String,
    /// The lead to which the change happened. Null for a ping.
    pub(super) lead_id: Option<LeadId>,
    /// Whether the delivery waits, has arrived or was given up.
    pub(super) state: State,
    /// When the next attempt is due. Null if the delivery is done, is being sent, or waits for an earlier delivery of
    /// its lead.
    pub(super) next_attempt_at: Option<DateTime<Utc>>,
    /// The body that is sent, byte for byte.
    pub(super) body: String,
    /// When the delivery was made.
    pub(super) created_at: DateTime<Utc>,
    /// The attempts, oldest first.
    pub(super) attempts: Vec<AttemptView>,
}

/// One request and its result.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(super) struct AttemptView {
    /// The number of the attempt, from 1.
    number: i32,
    /// When the attempt began.
    at: DateTime<Utc>,
    /// How long the attempt took, in milliseconds.
    duration_ms: i32,
    /// The answer's HTTP status. Null if there was no answer.
    status: Option<i32>,
    /// Why there was no answer.
    error: Option<String>,
    /// The beginning of the answer's body, at most 1024 bytes.
    response: String,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) one: Option<DeliveryId>,
    /// Only deliveries in these states. Empty: in every state.
    pub(super) states: Vec<&'static str>,
    pub(super) before: Option<DeliveryId>,
}

/// Deliveries of an endpoint, newest first, with their attempts.
pub(super) async fn deliveries(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    filter: Filter,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let rows = sqlx::query!(
        r#"-- webhooks::deliveries::deliveries
        select d.id, d.message_id, d.type, d.lead_id, d.state as "state: State", d.body, d.created_at,
            (
                select l.due_at from webhook_lane l
                where d.state = 'pending' and l.endpoint_id = d.endpoint_id and l.lead_id = d.lead_id
                    and l.lease_token is null and not exists (
                        select from webhook_delivery earlier
                        where earlier.endpoint_id = d.endpoint_id and earlier.lead_id = d.lead_id
                            and earlier.state = 'pending' and earlier.position < d.position
                    )
            ) as next_attempt_at
        from webhook_delivery d
        where d.endpoint_id = $1 and ($2::uuid is null or d.id = $2) and (cardinality($3::text[]) = 0 or d.state = any($3))
            and ($4::uuid is null or d.id < $4)
        order by d.id desc limit $5"#,
        endpoint as EndpointId,
        filter.one as Option<DeliveryId>,
        &filter.states as &[&str],
        filter.before as Option<DeliveryId>,
        limit
    )
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<DeliveryId> = rows.iter().map(|row| row.id).collect();
    let mut attempts = attempts(conn, endpoint, &ids).await?;
    let delivery = rows.into_iter().map(|row| Delivery {
        id: row.id,
        message_id: row.message_id,
        r#type: row.r#type,
        lead_id: row.lead_id,
        state: row.state,
        next_attempt_at: row.next_attempt_at,
        body: row.body,
        created_at: row.created_at,
        attempts: attempts.remove(&row.id).unwrap_or_default(),
    });
    Ok(delivery.collect())
}

async fn attempts(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    deliveries: &[DeliveryId],
) -> sqlx::Result<HashMap<DeliveryId, Vec<AttemptView>>> {
    let rows = sqlx::query!(
        "-- webhooks::deliveries::attempts
        select delivery_id, number, at, duration_ms, status, error, response
        from webhook_attempt where endpoint_id = $1 and delivery_id = any($2) order by delivery_id, number",
        endpoint as EndpointId,
        deliveries as &[DeliveryId]
    )
    .fetch_all(conn)
    .await?;
    let mut by_delivery: HashMap<DeliveryId, Vec<AttemptView>> = HashMap::new();
    for row in rows {
        by_delivery.entry(row.delivery_id).or_default().push(AttemptView {
            number: row.number,
            at: row.at,
            duration_ms: row.duration_ms,
            status: row.status,
            error: row.error,
            response: row.response,
        });
    }
    Ok(by_delivery)
}
