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

/// An address that is not to be written to.
#[derive(Debug, Serialize, ToSchema)]
struct Suppression {
    /// The address.
    email: String,
    /// Why: `bounced`, `withdrawn` or `complained`; null if the person asked not to be contacted at all, and nothing else.
    #[schema(value_type = Option<consent::State>)]
    state: Option<consent::State>,
    /// Since when it is in this state.
    since: Option<DateTime<Utc>>,
    /// Whether the person asked not to be contacted at all.
    do_not_contact: bool,
    /// Whose it is; null if nobody has named it otherwise.
    lead_id: Option<LeadId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListSuppressions {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The addresses that are not to be written to, whoever they belong to, each once and in no order that says anything.
///
/// Mails bounced there for good; or the person unsubscribed, called it spam, or asked not to be contacted, by whichever of
/// its identities: then all of its addresses are on the list. An address is on it whether or not it is a lead's.
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
    /// Only leads at one of these stages: several with commas, or the parameter several times.
    #[serde(default)]
    #[param(value_type = Option<Vec<Stage>>)]
    stage: Many<Stage>,
    /// Only leads in one of these bands.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    band: Many<String>,
    /// Only leads of one of these grades.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    grade: Many<String>,
    /// Only leads with at least this score.
    min_score: Option<i32>,
    /// Only leads whose attribute `owner` is this.
    owner: Option<String>,
    /// Only leads that changed at or after this instant (RFC 3339).
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    updated_since: Option<Instant>,
    /// Only the lead with this e-mail address.
    email: Option<String>,
    /// Only leads that have, for each of these words, a word that begins so: in their names, their company and its domain,
    /// their e-mail addresses or their user ids. Case and accents do not matter.
    #[param(example = "campbell north")]
    q: Option<String>,
    /// `score`, `updated_at` or `created_at`; with `-` in front, greatest first. `-score` if absent.
    sort: Option<String>,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Leads, best first unless asked otherwise.
///
/// Scores are as stored, which the background keeps to the second; `GET /v1/leads/{id}` is exact as of now.
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
            Problem::parameter("sort is score, updated_at or created_at, with - in front for greatest first")
        })?,
    };
    let after: Option<Place> = query.cursor.as_deref().map(page::decode).transpose()?;
    if after.is_some_and(|place| place.sort() != sort) {
        return Err(Problem::parameter("the cursor belongs to another order; start without a cursor"));
    }
    let filter = filter(query)?;
    let mut conn = models.db.acquire().await?;
    let live = models.live.current(&mut conn).await?;
    let rows = store::list(&mut conn, live.id, &filter, sort, after, i64::from(limit) + 1).await?;
    let page = Page::of(rows, limit, |row| Place::of(row, sort));
    let data = view::shown(&mut conn, page.data).await?;
    Ok(Page { data, has_more: page.has_more, next_cursor: page.next_cursor }.respond(&uri))
}

/// One lead, scored as of now.
///
/// A lead that was merged into another is answered with that other.
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

/// By what a lead is known elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// What the customer's own system calls it: its `user_id`.
    ExternalId,
    /// An e-mail address, in upper or lower case.
    Email,
}

impl By {
    /// The identity that a value is.
    pub(crate) fn identity(self, value: &str) -> Result<Identity, Problem> {
        let (kind, name) = self.kind();
        Identity::parse(kind, value).map_err(|why| Problem::parameter(format!("{name}: {why}")))
    }

    /// The same, where somebody is to be known by it from now on: a placeholder is refused.
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

/// One lead, by what it is known as elsewhere, scored as of now.
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

/// The lead that an identity is of, scored as of now; none if nobody ever named it.
pub(crate) async fn find(models: &Models, identity: &Identity) -> Result<Option<LeadView>, Problem> {
    let lead = store::lead_of(&mut *models.db.acquire().await?, identity.id()).await?;
    match lead {
        Some(lead) => current(models, lead).await.map(Some),
        None => Ok(None),
    }
}

/// A lead, or the one that it was joined with, scored as of now.
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
    /// The same lead with its score at another instant.
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
