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

/// An account at an e-mail provider.
#[derive(Debug, Serialize, ToSchema)]
struct MailSource {
    id: SourceId,
    provider: Provider,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<Source> for MailSource {
    fn from(source: Source) -> MailSource {
        let Source { id, name, provider, created_at } = source;
        MailSource { id, provider, name, created_at }
    }
}

/// An account with the address to which its webhook is to send. This is the only time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
struct MailSourceWithUrl {
    #[serde(flatten)]
    source: MailSource,
    /// What to enter at the provider.
    url: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListMailSources {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The e-mail providers that tell what becomes of mails.
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

/// Makes the address to which an account's webhook is to send.
///
/// To change a secret, make another source, enter its address at the provider, and delete this one. With `Idempotency-Key`,
/// the same call again makes no second source. Its answer is 409 `conflict` and names the source that was made.
#[utoipa::path(post, path = "/v1/mail-sources", tag = "E-mail", request_body = CreateMailSource,
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the source")),
    responses((status = 201, body = MailSourceWithUrl)))]
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

/// The source that a call has made before.
async fn made_before(mail: &Mail, request_key: &str) -> sqlx::Result<Option<MadeBefore>> {
    let made = store::made_by(&mut *mail.db.acquire().await?, request_key).await?;
    Ok(made.map(|id| MadeBefore {
        what: format!("the mail source {id}"),
        showed: "its address",
        advice: format!(
            "remove it by DELETE /v1/mail-sources/{id} and make another under a new Idempotency-Key"
        ),
    }))
}

/// Takes nothing more from an account. What came stays.
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
