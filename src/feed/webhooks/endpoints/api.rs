//! `/v1/webhooks` and `/v1/webhooks/{id}`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Cause, Endpoint, Wanted, change, create, remove, rotate, store};
use crate::{
    feed::{
        outbox::Kind,
        webhooks::{Webhooks, signature::Secret},
    },
    http::{
        etag::{IfMatch, require_match, tagged},
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::Problem,
        said::{LONGEST_DESCRIPTION, MadeBefore, Mistakes, Texts, idempotency_key, once},
    },
    keys::auth::{Admin, RouterState},
    platform::ids::EndpointId,
};

/// How long an old secret signs beside the new one, if the caller does not say.
const OVERLAP: TimeDelta = TimeDelta::days(1);
/// How long an old secret may sign at most beside the new one.
const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(7);

/// The calls on endpoints.
pub(in crate::feed::webhooks) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Webhooks: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_webhooks, create_webhook))
        .routes(routes!(get_webhook, change_webhook, delete_webhook))
        .routes(routes!(rotate_webhook_secret))
}

/// An endpoint: a receiver of webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
struct WebhookView {
    id: EndpointId,
    /// Where deliveries are sent.
    url: String,
    description: String,
    /// The types of changes that are sent. Empty: all types.
    #[schema(value_type = Vec<Kind>)]
    events: Vec<String>,
    /// Whether deliveries are sent. If not, they wait, for as long as changes are kept.
    enabled: bool,
    /// When the endpoint was disabled.
    disabled_at: Option<DateTime<Utc>>,
    /// Why the endpoint was disabled.
    disabled_because: Option<Cause>,
    /// When the first delivery failed after the last one that arrived. Null if the last one arrived. After five days of
    /// failures the endpoint is disabled.
    failing_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Endpoint> for WebhookView {
    fn from(endpoint: Endpoint) -> WebhookView {
        WebhookView {
            id: endpoint.id,
            url: endpoint.url,
            description: endpoint.description,
            events: endpoint.events,
            enabled: endpoint.disabled_at.is_none(),
            disabled_at: endpoint.disabled_at,
            disabled_because: endpoint.disabled_because,
            failing_since: endpoint.failing_since,
            created_at: endpoint.created_at,
        }
    }
}

/// An endpoint with a new secret. The secret is shown only in this answer.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookView,
    /// The secret that signs the deliveries, in the form of the Standard Webhooks libraries: `whsec_…`.
    secret: String,
}

impl WebhookWithSecret {
    fn of((endpoint, secret): (Endpoint, Secret)) -> WebhookWithSecret {
        WebhookWithSecret { webhook: endpoint.into(), secret: secret.reveal() }
    }
}

/// An endpoint to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateWebhook {
    /// Where deliveries are sent: `https://…` or `http://…`, at a public address, on port 80, 443 or one from 1024.
    url: String,
    /// What the endpoint is for, at most 500 characters.
    #[serde(default)]
    description: String,
    /// The types of changes to send. Empty: all types, also types of later releases.
    #[serde(default)]
    events: Vec<Kind>,
    /// Whether deliveries are sent from the start; true if absent.
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// What to change in an endpoint. Absent fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeWebhook {
    url: Option<String>,
    description: Option<String>,
    events: Option<Vec<Kind>>,
    /// `false`: deliveries wait. `true`: they are sent at once, beginning where sending stopped.
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListWebhooks {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// How many seconds the old secret still signs, 0 to 604800; 86400 (a day) if absent. Send 0 if others may know the
    /// old secret: it then ends at once, with every older one.
    overlap_seconds: Option<u32>,
}

/// Lists the endpoints of webhooks, oldest first.
#[utoipa::path(get, path = "/v1/webhooks", tag = "Webhooks", params(ListWebhooks),
    responses((status = 200, body = Page<WebhookView>)))]
async fn list_webhooks(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    Query(query): Query<ListWebhooks>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(page::decode).transpose()?;
    let rows = store::list(&mut *webhooks.db.acquire().await?, after, i64::from(limit) + 1).await?;
    Ok(Page::of(rows, limit, |endpoint| endpoint.id).map(WebhookView::from).respond(&uri))
}

/// Makes an endpoint, which gets the changes that happen from now on.
///
/// If you repeat the call with the same `Idempotency-Key`, the service makes no second endpoint. It answers 409
/// `conflict` and names the endpoint that the first call made. If you have not received its secret, make a new one with
/// `/rotate`.
#[utoipa::path(post, path = "/v1/webhooks", tag = "Webhooks", request_body = CreateWebhook,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 512 printable ASCII characters")),
    responses((status = 201, body = WebhookWithSecret)))]
async fn create_webhook(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    headers: HeaderMap,
    Json(body): Json<CreateWebhook>,
) -> Result<(StatusCode, Json<WebhookWithSecret>), Problem> {
    let wanted = Wanted {
        url: body.url,
        description: body.description,
        events: words(&body.events),
        enabled: body.enabled,
    };
    let request_key = idempotency_key(&headers)?;
    let made = create(&webhooks, &checked(&webhooks, wanted, "")?, request_key.as_deref()).await;
    let made = once(made, request_key.as_deref(), async |key| made_before(&webhooks, key).await).await?;
    Ok((StatusCode::CREATED, Json(WebhookWithSecret::of(made))))
}

/// Finds the endpoint that an earlier call with the same idempotency key has made.
async fn made_before(webhooks: &Webhooks, request_key: &str) -> sqlx::Result<Option<MadeBefore>> {
    let made = store::made_by(&mut *webhooks.db.acquire().await?, request_key).await?;
    Ok(made.map(|id| MadeBefore {
        what: format!("the webhook {id}"),
        showed: "its secret",
        advice: format!("ask for a new one by POST /v1/webhooks/{id}/rotate"),
    }))
}

/// Reads an endpoint.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "Webhooks", params(("id" = EndpointId, Path)),
    responses((status = 200, body = WebhookView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_webhook(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = store::find(&mut *webhooks.db.acquire().await?, id).await?.ok_or_else(missing)?;
    Ok(tagged(&headers, WebhookView::from(found)))
}

/// Changes, disables or enables an endpoint.
///
/// A new URL also holds for deliveries that already wait. New types hold only for changes that have no delivery yet.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "Webhooks", request_body = ChangeWebhook,
    params(("id" = EndpointId, Path),
        IfMatch),
    responses((status = 200, body = WebhookView)))]
async fn change_webhook(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
    headers: HeaderMap,
    Json(body): Json<ChangeWebhook>,
) -> Result<Json<WebhookView>, Problem> {
    let changed = change(&webhooks, id, |before| {
        require_match(&headers, WebhookView::from(before.clone()))?;
        let wanted = Wanted {
            url: body.url.unwrap_or_else(|| before.url.clone()),
            description: body.description.unwrap_or_else(|| before.description.clone()),
            events: body.events.map_or_else(|| before.events.clone(), |events| words(&events)),
            enabled: body.enabled.unwrap_or(before.disabled_at.is_none()),
        };
        checked(&webhooks, wanted, &before.description)
    });
    Ok(Json(changed.await?.ok_or_else(missing)?.into()))
}

/// Removes an endpoint with its secrets and its deliveries. Deliveries that wait are not sent.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "Webhooks", params(("id" = EndpointId, Path)),
    responses((status = 204)))]
async fn delete_webhook(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
) -> Result<StatusCode, Problem> {
    let removed = remove(&webhooks, id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}

/// Gives an endpoint a new secret. The old one still signs for a time.
///
/// In that time each delivery has a signature by both secrets, so the receiver can change to the new one at any moment.
/// The call may be repeated: the secret in the last answer is the one that signs.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate", tag = "Webhooks",
    params(("id" = EndpointId, Path), Rotate), responses((status = 200, body = WebhookWithSecret)))]
async fn rotate_webhook_secret(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
    Query(query): Query<Rotate>,
) -> Result<Json<WebhookWithSecret>, Problem> {
    let overlap = query.overlap_seconds.map_or(OVERLAP, |seconds| TimeDelta::seconds(seconds.into()));
    if overlap > LONGEST_OVERLAP {
        return Err(Problem::parameter("overlap_seconds is a number from 0 to 604800 (seven days)"));
    }
    let rotated = rotate(&webhooks, id, overlap).await?.ok_or_else(missing)?;
    Ok(Json(WebhookWithSecret::of(rotated)))
}

/// Returns each kind once, as it is stored.
fn words(events: &[Kind]) -> Vec<String> {
    let once: std::collections::BTreeSet<&Kind> = events.iter().collect();
    once.into_iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// Checks what an endpoint is to be, and trims its description. A description that is `stored` already is not checked
/// again: an earlier release may have taken what is refused now.
///
/// # Errors
/// 422 `invalid_request` with all mistakes.
fn checked(webhooks: &Webhooks, mut wanted: Wanted, stored: &str) -> Result<Wanted, Problem> {
    let mut mistakes = Mistakes::default();
    if let Err(message) = webhooks.couriers.settings().reachable.parse(&wanted.url) {
        mistakes.add("/url", "invalid", message);
    }
    if wanted.description != stored {
        wanted.description = mistakes.text("/description", &wanted.description, LONGEST_DESCRIPTION);
    }
    mistakes.refuse()?;
    Ok(wanted)
}

/// Makes the problem 404 `not_found` of an unknown endpoint.
pub(in crate::feed::webhooks) fn missing() -> Problem {
    Problem::not_found("webhook")
}
