//! `/v1/leads`.

use axum::{
    extract::FromRef,
    extract::{self, OriginalUri, State},
    http::HeaderMap,
    response::Response,
};
use chrono::{DateTime, Utc};
use scoring::Instant;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Stage,
    consent::{self, store::SuppressedRow},
    identity::{Identity, Kind},
    store::{self, Filter, Place, Sort},
    view::{self, LeadView},
    words,
};
use crate::{
    http::{
        etag::tagged,
        extract::{Many, Path, Query},
        page::{self, Page},
        problem::Problem,
    },
    keys::auth::{Reader, RouterState},
    models::{Models, published},
    platform::{clock::to_utc, ids::LeadId},
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Models: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_leads))
        .routes(routes!(get_lead))
        .routes(routes!(get_lead_by))
        .routes(routes!(list_suppressions))
}

/// An e-mail address that must not be written to.
#[derive(Debug, Serialize, ToSchema)]
struct Suppression {
    /// The address.
    email: String,
    /// The reason: `bounced`, `withdrawn` or `complained`. Null if the only reason is that the person asked
    /// not to be contacted on any channel.
    #[schema(value_type = Option<consent::State>)]
    state: Option<consent::State>,
    /// Since when the address is in this state.
    since: Option<DateTime<Utc>>,
    /// Whether the person asked not to be contacted on any channel.
    do_not_contact: bool,
    /// The lead of the address; null if the address was named only in passing, such as in a provider's
    /// report.
    lead_id: Option<LeadId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListSuppressions {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// The `next_cursor` of the page before; the first page if absent.
    cursor: Option<String>,
}

/// Lists the e-mail addresses that must not be written to, each once and in no particular order.
///
/// An address is on the list if a mail to it bounced hard. All addresses of a person are on the list if the
/// person unsubscribed, called a mail spam, or asked not to be contacted, by any identity. An address is also
/// listed if it belongs to no lead.
#[utoipa::path(get, path = "/v1/suppressions", tag = "Leads", params(ListSuppressions),
    security(("key" = ["read"])), responses((status = 200, body = Page<Suppression>)))]
async fn list_suppressions(
    extract::State(models): extract::State<Models>,
    _reader: Reader,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ListSuppressions>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(page::decode).transpose()?;
    let mut conn = models.db.acquire().await?;
    let live = models.live.current(&mut conn).await?;
    let rows = consent::store::suppressed(&mut conn, live.id, after, i64::from(limit) + 1).await?;
    let page = Page::of(rows, limit, |row| row.identity_id);
    Ok(page.map(Suppression::from).respond(&uri))
}

impl From<SuppressedRow> for Suppression {
    fn from(row: SuppressedRow) -> Suppression {
        let SuppressedRow { address, state, since, do_not_contact, lead_id, .. } = row;
        Suppression { email: address, state, since, do_not_contact, lead_id }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListLeads {
    /// Only leads at one of these stages. Write several with commas, or repeat the parameter.
    #[serde(default)]
    #[param(value_type = Option<Vec<Stage>>)]
    stage: Many<Stage>,
    /// Only leads in one of these bands, such as `hot`. Write several with commas, or repeat the parameter.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    band: Many<String>,
    /// Only leads with one of these grades, such as `A1`. Write several with commas, or repeat the parameter.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    grade: Many<String>,
    /// Only leads with at least this published score, in whole points.
    min_score: Option<i32>,
    /// Only leads whose attribute `owner` is this text.
    owner: Option<String>,
    /// Only leads that changed at or after this instant (RFC 3339).
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    updated_since: Option<Instant>,
    /// Only the lead with this e-mail address.
    email: Option<String>,
    /// Only leads that match each of these words. A lead matches if a word of its name, company, company
    /// domain, e-mail addresses or user ids begins with the given word. Case and accents do not matter.
    #[param(example = "campbell north")]
    q: Option<String>,
    /// The order: `score`, `updated_at` or `created_at`, lowest or oldest first; with `-` in front, highest
    /// or newest first. `-score` if absent.
    sort: Option<String>,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// The `next_cursor` of the page before; the first page if absent.
    cursor: Option<String>,
}

/// Lists leads, by default those with the highest score first.
///
/// The list shows stored scores. If a score changes only because time passes, the service updates the stored
/// score within about a second. `GET /v1/leads/{id}` returns the score as of now.
#[utoipa::path(get, path = "/v1/leads", tag = "Leads", params(ListLeads),
    responses((status = 200, body = Page<LeadView>)))]
async fn list_leads(
    State(models): State<Models>,
    _reader: Reader,
    Query(query): Query<ListLeads>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let sort = match query.sort.as_deref() {
        None => Sort::default(),
        Some(text) => Sort::parse(text).ok_or_else(|| {
            Problem::parameter(
                "sort: write score, updated_at or created_at, with - in front for highest or newest first",
            )
        })?,
    };
    let after: Option<Place> = query.cursor.as_deref().map(page::decode).transpose()?;
    if after.is_some_and(|place| place.sort() != sort) {
        return Err(Problem::parameter(
            "cursor: it belongs to a list with another `sort`; start without a cursor",
        ));
    }
    let filter = filter(query)?;
    let mut conn = models.db.acquire().await?;
    let live = models.live.current(&mut conn).await?;
    let rows = store::list(&mut conn, live.id, &filter, sort, after, i64::from(limit) + 1).await?;
    let page = Page::of(rows, limit, |row| Place::of(row, sort));
    let data = view::shown(&mut conn, page.data).await?;
    Ok(Page { data, has_more: page.has_more, next_cursor: page.next_cursor }.respond(&uri))
}

/// Returns one lead, with its score as of now.
///
/// For a lead that was merged into another, returns that other lead.
#[utoipa::path(get, path = "/v1/leads/{id}", tag = "Leads", params(("id" = LeadId, Path)),
    responses((status = 200, body = LeadView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_lead(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(tagged(&headers, &current(&models, id).await?))
}

/// The kind of identity by which a lead is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The user id: the id that your own system gives the person.
    ExternalId,
    /// An e-mail address, in upper or lower case.
    Email,
}

impl By {
    /// Reads a value as an identity of this kind.
    ///
    /// # Errors
    /// 400 if the value is no such identity.
    pub(crate) fn identity(self, value: &str) -> Result<Identity, Problem> {
        let (kind, name) = self.kind();
        Identity::parse(kind, value).map_err(|why| Problem::parameter(format!("{name}: {why}")))
    }

    /// Reads a value as an identity that a lead will get from now on.
    ///
    /// # Errors
    /// 400 if the value is no such identity, or a placeholder such as `undefined`.
    pub(crate) fn identity_of_somebody(self, value: &str) -> Result<Identity, Problem> {
        let (kind, name) = self.kind();
        Identity::of_somebody(kind, value).map_err(|why| Problem::parameter(format!("{name}: {why}")))
    }

    fn kind(self) -> (Kind, &'static str) {
        match self {
            By::ExternalId => (Kind::UserId, "external_id"),
            By::Email => (Kind::Email, "email"),
        }
    }
}

/// Returns the lead of a user id or an e-mail address, with its score as of now.
#[utoipa::path(get, path = "/v1/leads/by/{by}/{value}", tag = "Leads",
    params(("by" = inline(By), Path), ("value" = String, Path, description = "Percent-encoded.")),
    responses((status = 200, body = LeadView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_lead_by(
    State(models): State<Models>,
    _reader: Reader,
    Path((by, value)): Path<(By, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let lead = find(&models, &by.identity(&value)?).await?.ok_or_else(|| Problem::not_found("lead"))?;
    Ok(tagged(&headers, &lead))
}

/// The lead of an identity, with its score as of now; `None` if the identity has no lead.
pub(crate) async fn find(models: &Models, identity: &Identity) -> Result<Option<LeadView>, Problem> {
    let lead = store::lead_of(&mut *models.db.acquire().await?, identity.id()).await?;
    match lead {
        Some(lead) => current(models, lead).await.map(Some),
        None => Ok(None),
    }
}

/// A lead, or the lead into which it was merged, with its score as of now.
pub(crate) async fn current(models: &Models, id: LeadId) -> Result<LeadView, Problem> {
    let mut conn = models.db.acquire().await?;
    let live = models.live.current(&mut conn).await?;
    let row = view::find(&mut conn, live.id, id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let score = live.evaluate(row.id, row.tally(), models.clock.now());
    let mut lead =
        view::shown(&mut conn, vec![row]).await?.pop().ok_or_else(|| Problem::not_found("lead"))?;
    if let Some(score) = score {
        lead.score_as(&score);
    }
    Ok(lead)
}

impl LeadView {
    /// Replaces the score of the lead by a score at another instant.
    fn score_as(&mut self, score: &scoring::Score) {
        self.score = published(score.score);
        (self.raw, self.fit, self.engagement) = (score.raw.0, score.fit.0, score.engagement.0);
        (self.grade, self.band) = (score.grade.clone(), score.band.clone());
        self.next_change_at = score.next_change_at.map(to_utc);
    }
}

fn filter(query: ListLeads) -> Result<Filter, Problem> {
    let identity = |email: String| {
        Identity::parse(Kind::Email, &email)
            .map(|identity| identity.id())
            .map_err(|why| Problem::parameter(format!("email: {why}")))
    };
    Ok(Filter {
        stages: query.stage.0.into_iter().map(Stage::as_str).collect(),
        bands: query.band.0,
        grades: query.grade.0,
        min_score: query.min_score,
        owner: query.owner,
        updated_since: query.updated_since.map(to_utc),
        identity: query.email.map(identity).transpose()?,
        question: query.q.filter(|q| !q.is_empty()).map(|q| words::question(&q)),
    })
}
