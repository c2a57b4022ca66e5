//! `/v1/webhooks/{id}/deliveries`, and the calls that send again: `redeliver`, `recover` and `ping`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State as Shared},
    http::StatusCode,
    response::Response,
};
use scoring::Instant;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    State, ping, recover, redeliver,
    view::{Delivery, Filter, deliveries},
};
use crate::{
    feed::webhooks::{
        Webhooks,
        endpoints::{Endpoint, api::missing, store as endpoints},
    },
    http::{
        extract::{Json, Many, Path, Query},
        page::{self, Page},
        problem::{Code, Problem},
    },
    keys::auth::{Admin, RouterState},
    platform::{
        clock::to_utc,
        ids::{DeliveryId, EndpointId},
    },
};

/// The calls on deliveries.
pub(in crate::feed::webhooks) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Webhooks: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(redeliver_one))
        .routes(routes!(recover_deliveries))
        .routes(routes!(ping_webhook))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListDeliveries {
    /// Only deliveries in one of these states. Separate several by commas, or repeat the parameter.
    #[serde(default)]
    #[param(value_type = Option<Vec<State>>)]
    state: Many<State>,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which deliveries to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Recover {
    /// Deliveries that were made at or after this instant and given up.
    #[schema(value_type = DateTime<Utc>)]
    since: Instant,
}

/// The result of a recovery.
#[derive(Debug, Serialize, ToSchema)]
struct Recovered {
    /// How many deliveries are sent again.
    redelivered: usize,
}

/// Lists the deliveries to an endpoint, newest first, with their attempts.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "Webhooks",
    params(("id" = EndpointId, Path), ListDeliveries), responses((status = 200, body = Page<Delivery>)))]
async fn list_deliveries(
    Shared(webhooks): Shared<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
    Query(query): Query<ListDeliveries>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let before = query.cursor.as_deref().map(page::decode).transpose()?;
    known(&webhooks, id).await?;
    let states = query.state.0.into_iter().map(State::as_str).collect();
    let filter = Filter { states, before, ..Filter::default() };
    let rows = deliveries(&mut *webhooks.db.acquire().await?, id, filter, i64::from(limit) + 1).await?;
    Ok(Page::of(rows, limit, |delivery| delivery.id).respond(&uri))
}

/// Reads a delivery, with its attempts.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries/{delivery}", tag = "Webhooks",
    params(("id" = EndpointId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 200, body = Delivery)))]
async fn get_delivery(
    Shared(webhooks): Shared<Webhooks>,
    _admin: Admin,
    Path((id, delivery)): Path<(EndpointId, DeliveryId)>,
) -> Result<Json<Delivery>, Problem> {
    known(&webhooks, id).await?;
    one(&webhooks, id, delivery).await.map(Json)
}

/// Sends a delivery again, whatever its state, with the same bytes under the same `webhook-id`.
///
/// The delivery goes out in its old place among the deliveries of its lead: after earlier ones that still wait, and
/// before later ones. A ping cannot be sent again.
#[utoipa::path(post, path = "/v1/webhooks/{id}/deliveries/{delivery}/redeliver", tag = "Webhooks",
    params(("id" = EndpointId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 202, body = Delivery, description = "The delivery waits to be sent")))]
async fn redeliver_one(
    Shared(webhooks): Shared<Webhooks>,
    _admin: Admin,
    Path((id, delivery)): Path<(EndpointId, DeliveryId)>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    match redeliver(&webhooks, id, delivery).await? {
        None => Err(Problem::not_found("delivery")),
        Some(false) => Err(Problem::new(Code::Conflict, "A ping cannot be sent again. Send a new one.")),
        Some(true) => Ok((StatusCode::ACCEPTED, Json(one(&webhooks, id, delivery).await?))),
    }
}

/// Sends all deliveries again that were made since an instant and given up, in the order of each lead's changes.
#[utoipa::path(post, path = "/v1/webhooks/{id}/recover", tag = "Webhooks", request_body = Recover,
    params(("id" = EndpointId, Path)),
    responses((status = 202, body = Recovered, description = "The deliveries wait to be sent")))]
async fn recover_deliveries(
    Shared(webhooks): Shared<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
    Json(body): Json<Recover>,
) -> Result<(StatusCode, Json<Recovered>), Problem> {
    let redelivered = recover(&webhooks, id, to_utc(body.since)).await?.ok_or_else(missing)?;
    Ok((StatusCode::ACCEPTED, Json(Recovered { redelivered })))
}

/// Sends a message of type `webhook.ping` now, once, and answers with its result.
///
/// This also works if the endpoint is disabled. Each call sends a ping of its own.
#[utoipa::path(post, path = "/v1/webhooks/{id}/ping", tag = "Webhooks", params(("id" = EndpointId, Path)),
    responses((status = 200, body = Delivery)))]
async fn ping_webhook(
    Shared(webhooks): Shared<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
) -> Result<Json<Delivery>, Problem> {
    let endpoint = known(&webhooks, id).await?;
    let delivery = ping(&webhooks, &endpoint).await?;
    one(&webhooks, id, delivery).await.map(Json)
}

async fn known(webhooks: &Webhooks, id: EndpointId) -> Result<Endpoint, Problem> {
    endpoints::find(&mut *webhooks.db.acquire().await?, id).await?.ok_or_else(missing)
}

async fn one(webhooks: &Webhooks, id: EndpointId, delivery: DeliveryId) -> Result<Delivery, Problem> {
    let filter = Filter { one: Some(delivery), ..Filter::default() };
    let found = deliveries(&mut *webhooks.db.acquire().await?, id, filter, 1).await?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("delivery"))
}
