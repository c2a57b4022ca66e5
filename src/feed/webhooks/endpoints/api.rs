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

/// For how long an old secret signs beside the new one, where nobody says.
const OVERLAP: TimeDelta = TimeDelta::days(1);
/// The longest that an old secret may go on signing.
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

/// A receiver of webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
struct WebhookView {
    id: EndpointId,
    /// Where deliveries are sent.
    url: String,
    description: String,
    /// The types of changes that it gets; none: all.
    #[schema(value_type = Vec<Kind>)]
    events: Vec<String>,
    /// Whether deliveries are sent. If not they wait, as long as changes are kept.
    enabled: bool,
    disabled_at: Option<DateTime<Utc>>,
    disabled_because: Option<Cause>,
    /// When the first delivery failed since the last one arrived; null if the last one arrived. After five days the endpoint
    /// is disabled.
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

/// A receiver with a new secret. This is the only time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookView,
    /// What its deliveries are signed with, as the Standard Webhooks libraries take it: `whsec_…`.
    secret: String,
}

impl WebhookWithSecret {
    fn of((endpoint, secret): (Endpoint, Secret)) -> WebhookWithSecret {
        WebhookWithSecret { webhook: endpoint.into(), secret: secret.reveal() }
    }
}

/// A receiver to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateWebhook {
    /// Where to send: `https://…` or `http://…`, at a public address, port 80, 443 or from 1024.
    url: String,
    /// What it is for, at most 500 characters.
    #[serde(default)]
    description: String,
    /// The types of changes to send; none: all, also those that are yet to come.
    #[serde(default)]
    events: Vec<Kind>,
    /// Whether to send from the start; true if absent.
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// What to change of a receiver; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeWebhook {
    url: Option<String>,
    description: Option<String>,
    events: Option<Vec<Kind>>,
    /// False: deliveries wait. True: they are sent at once, beginning where it stopped.
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
    /// For how many seconds the old secret signs too, 0 to 604800; 86400 (a day) if absent. 0: it is known to others, and
    /// ends now, as does every older one.
    overlap_seconds: Option<u32>,
}

/// The receivers of webhooks.
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

/// Makes a receiver, which gets what happens from now on.
///
/// With `Idempotency-Key`, the same call again makes no second receiver. Its answer is 409 `conflict` and names the receiver
/// that was made; to see a secret, make a new one with `/rotate`.
#[utoipa::path(post, path = "/v1/webhooks", tag = "Webhooks", request_body = CreateWebhook,
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the receiver")),
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
    let made = create(&webhooks, &checked(&webhooks, wanted)?, request_key.as_deref()).await;
    let made = once(made, request_key.as_deref(), async |key| made_before(&webhooks, key).await).await?;
    Ok((StatusCode::CREATED, Json(WebhookWithSecret::of(made))))
}

/// The receiver that a call has made before.
async fn made_before(webhooks: &Webhooks, request_key: &str) -> sqlx::Result<Option<MadeBefore>> {
    let made = store::made_by(&mut *webhooks.db.acquire().await?, request_key).await?;
    Ok(made.map(|id| MadeBefore {
        what: format!("the webhook {id}"),
        showed: "its secret",
        advice: format!("ask for a new one by POST /v1/webhooks/{id}/rotate"),
    }))
}

/// One receiver of webhooks.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "Webhooks", params(("id" = EndpointId, Path)),
    responses((status = 200, body = WebhookView), (status = 304, description = "As `If-None-Match` has it")))]
async fn get_webhook(
    State(webhooks): State<Webhooks>,
    _admin: Admin,
    Path(id): Path<EndpointId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = store::find(&mut *webhooks.db.acquire().await?, id).await?.ok_or_else(missing)?;
    Ok(tagged(&headers, WebhookView::from(found)))
}

/// Changes a receiver, disables or enables it.
///
/// What is in line already goes to the new URL, too. Which types it gets counts for what has not been put into line yet.
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
        checked(&webhooks, wanted)
    });
    Ok(Json(changed.await?.ok_or_else(missing)?.into()))
}

/// Removes a receiver with its secrets and its log; what waits is not sent.
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

/// Gives a receiver a new secret; for a time the old one signs, too.
///
/// A delivery then carries a signature by each, so the receiver may change over when it likes. The call may be repeated: the
/// secret of the last answer is the one that signs.
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
        return Err(Problem::parameter("overlap_seconds is a number from 0 to 604800"));
    }
    let rotated = rotate(&webhooks, id, overlap).await?.ok_or_else(missing)?;
    Ok(Json(WebhookWithSecret::of(rotated)))
}

/// Each kind once, as it is stored.
fn words(events: &[Kind]) -> Vec<String> {
    let once: std::collections::BTreeSet<&Kind> = events.iter().collect();
    once.into_iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// What is wanted, if it can be had.
fn checked(webhooks: &Webhooks, wanted: Wanted) -> Result<Wanted, Problem> {
    let mut mistakes = Mistakes::default();
    if let Err(message) = webhooks.couriers.settings().reachable.parse(&wanted.url) {
        mistakes.add("/url", "invalid", message);
    }
    if !wanted.description.is_empty() {
        mistakes.text("/description", &wanted.description, LONGEST_DESCRIPTION);
    }
    mistakes.refuse()?;
    Ok(wanted)
}

/// There is no such endpoint.
pub(in crate::feed::webhooks) fn missing() -> Problem {
    Problem::not_found("webhook")
}
