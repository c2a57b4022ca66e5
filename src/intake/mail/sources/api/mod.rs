//! `/v1/mail-sources`.

mod wanted;

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use wanted::CreateMailSource;

use crate::{
    http::{
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::Problem,
        said::{MadeBefore, idempotency_key, once},
    },
    intake::mail::{
        Mail,
        providers::Provider,
        sources::{Source, create, store},
    },
    keys::auth::{Admin, RouterState},
    platform::ids::SourceId,
};

pub(in crate::intake::mail) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Mail: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_mail_sources, create_mail_source))
        .routes(routes!(delete_mail_source))
}

/// A mail source: an account at an e-mail provider.
#[derive(Debug, Serialize, ToSchema)]
struct MailSource {
    /// The id of the source.
    id: SourceId,
    /// The e-mail provider.
    provider: Provider,
    /// Your name for the source.
    name: String,
    /// When the source was made.
    created_at: DateTime<Utc>,
}

impl From<Source> for MailSource {
    fn from(source: Source) -> MailSource {
        let Source { id, name, provider, created_at } = source;
        MailSource { id, provider, name, created_at }
    }
}

/// A new mail source, with the URL for its webhook. The URL is shown only this once.
#[derive(Debug, Serialize, ToSchema)]
struct MailSourceWithUrl {
    #[serde(flatten)]
    source: MailSource,
    /// The URL to enter at the provider. It contains a secret token.
    url: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListMailSources {
    /// How many sources to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the mail sources, oldest first.
#[utoipa::path(get, path = "/v1/mail-sources", tag = "E-mail", params(ListMailSources),
    responses((status = 200, body = Page<MailSource>)))]
async fn list_mail_sources(
    State(mail): State<Mail>,
    _admin: Admin,
    Query(query): Query<ListMailSources>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(page::decode).transpose()?;
    let rows = store::list(&mut *mail.db.acquire().await?, after, i64::from(limit) + 1).await?;
    Ok(Page::of(rows, limit, |source| source.id).map(MailSource::from).respond(&uri))
}

/// Makes a mail source, with the URL for its webhook.
///
/// To change a secret, make another source, enter its URL at the provider, and delete the old source. A
/// repeated call with the same `Idempotency-Key` makes no second source: it fails with 409 `conflict`, and
/// the message names the source that was made.
#[utoipa::path(post, path = "/v1/mail-sources", tag = "E-mail", request_body = CreateMailSource,
    params(("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    responses((status = 201, body = MailSourceWithUrl, description = "The source was made")))]
async fn create_mail_source(
    State(mail): State<Mail>,
    _admin: Admin,
    headers: HeaderMap,
    Json(body): Json<CreateMailSource>,
) -> Result<(StatusCode, Json<MailSourceWithUrl>), Problem> {
    let (name, verification) = body.checked()?;
    let request_key = idempotency_key(&headers)?;
    let made = create(&mail, &name, &verification, request_key.as_deref()).await;
    let (source, token) =
        once(made, request_key.as_deref(), async |key| made_before(&mail, key).await).await?;
    let url = format!("{}/v1/hooks/{}/{token}", mail.public_url, source.provider.as_str());
    Ok((StatusCode::CREATED, Json(MailSourceWithUrl { source: source.into(), url })))
}

/// The source that an earlier call with this idempotency key made.
async fn made_before(mail: &Mail, request_key: &str) -> sqlx::Result<Option<MadeBefore>> {
    let made = store::made_by(&mut *mail.db.acquire().await?, request_key).await?;
    Ok(made.map(|id| MadeBefore {
        what: format!("the mail source {id}"),
        showed: "its address",
        advice: format!(
            "delete it with DELETE /v1/mail-sources/{id} and make another under a new Idempotency-Key"
        ),
    }))
}

/// Deletes a mail source: later reports of the account are refused. Earlier events stay.
#[utoipa::path(delete, path = "/v1/mail-sources/{id}", tag = "E-mail", params(("id" = SourceId, Path)),
    responses((status = 204)))]
async fn delete_mail_source(
    State(mail): State<Mail>,
    _admin: Admin,
    Path(id): Path<SourceId>,
) -> Result<StatusCode, Problem> {
    let removed = store::remove(&mut *mail.db.acquire().await?, id, mail.clock.now()).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("mail source")) }
}
