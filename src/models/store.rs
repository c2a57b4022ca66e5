//! SQL of scoring models.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    Covers, Settling, VersionState,
    api::{ModelView, Role},
};
use crate::platform::ids::{LeadId, ModelId};

/// Begins a transaction that changes scores. The transaction takes the schema's lock of scores, shared, before it reads
/// anything. The planner may only look rows up by key, so that no plan reads all events for a thousand leads.
pub(super) const BEGIN: &str = "begin;
    select pg_advisory_xact_lock_shared(hashtextextended(current_schema(), 7309453671));
    set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off";
/// Begins a transaction that changes which versions leads are scored under. The transaction holds the schema's lock of
/// scores alone.
pub(super) const BEGIN_CHANGE: &str = "begin;
    select pg_advisory_xact_lock(hashtextextended(current_schema(), 7309453671))";

/// Reads the id of the live version.
pub(super) async fn live(conn: &mut PgConnection) -> sqlx::Result<ModelId> {
    sqlx::query_scalar!(
        "-- models::live
        select model_id from scored_model where live_since is not null"
    )
    .fetch_one(conn)
    .await
}

pub(super) async fn document(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        "-- models::document
        select document from scoring_model where id = $1",
        id as ModelId
    )
    .fetch_optional(conn)
    .await
    .map(|document| document.map(Value::from))
}

/// Publishes a first version, unless a model is live. Several instances may try at once. Returns whether this call did
/// it.
pub(super) async fn insert_first(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "-- models::insert_first
        insert into scoring_model (id, name, version, state, document, created_at, published_at)
        values ($1, $2, 1, 'published', $3, $4, $4)
        on conflict do nothing",
        id as ModelId,
        name,
        document as _,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that leads are scored by the first version. There are no leads yet.
pub(super) async fn insert_first_scored(
    conn: &mut PgConnection,
    id: ModelId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- models::insert_first_scored
        insert into scored_model (model_id, purpose, started_at, leads, rebuilt_at, live_since, settled_at)
        values ($1, 'publish', $2, 0, $2, $2, $2)",
        id as ModelId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A version under which leads are scored.
pub(super) struct ScoredRow {
    pub(super) model_id: ModelId,
    pub(super) live_since: Option<DateTime<Utc>>,
    offers: bool,
    rebuilt_to: Option<LeadId>,
    rebuilt_at: Option<DateTime<Utc>>,
    settled_to: Option<LeadId>,
    settled_at: Option<DateTime<Utc>>,
    pub(super) era: i32,
    kept_until: Option<DateTime<Utc>>,
}

impl ScoredRow {
    pub(super) fn is_kept(&self) -> bool {
        self.kept_until.is_some()
    }

    pub(super) fn settling(&self) -> Option<Settling> {
        self.settled_at.is_none().then_some(Settling { to: self.settled_to, offers: self.offers })
    }

    pub(super) fn covers(&self) -> Covers {
        if self.rebuilt_at.is_some() { Covers::All } else { Covers::UpTo(self.rebuilt_to) }
    }
}

pub(super) async fn scored(conn: &mut PgConnection) -> sqlx::Result<Vec<ScoredRow>> {
    sqlx::query_as!(
        ScoredRow,
        r#"-- models::scored
        select model_id, live_since, offers, rebuilt_to, rebuilt_at,
            settled_to, settled_at, era, kept_until
        from scored_model where dropped_at is null"#
    )
    .fetch_all(conn)
    .await
}

/// Selects versions, each with the role in which leads are scored by it.
macro_rules! versions {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            ModelView,
            r#"-- models::versions
            select id, name, version, state as "state: VersionState", document, created_at, published_at,
                case
                    when s.model_id is null or dropped_at is not null then null
                    when live_since is not null then 'live'
                    when purpose = 'shadow' then 'shadow'
                    when rebuilt_at is null then 'preparing'
                    else 'previous'
                end as "role: Role"
            from scoring_model left join scored_model s on s.model_id = id "# + $rest
            $(, $argument)*
        )
    };
}

pub(super) async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<ModelView>> {
    versions!("order by id desc").fetch_all(conn).await
}

pub(super) async fn find(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<ModelView>> {
    versions!("where id = $1", id as ModelId).fetch_optional(conn).await
}

/// Reads a version and locks it, so that it is not published while it changes.
pub(super) async fn find_for_update(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<ModelView>> {
    versions!("where id = $1 for update of scoring_model", id as ModelId).fetch_optional(conn).await
}

/// Adds a draft under the next number of its name. `None` if another draft took that number.
pub(super) async fn insert_draft(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
    request_key: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<ModelView>> {
    sqlx::query_as!(
        ModelView,
        r#"-- models::insert_draft
        insert into scoring_model (id, name, version, state, document, created_at, request_key)
        select $1, $2, coalesce(max(version), 0) + 1, 'draft', $3, $4, $5 from scoring_model where name = $2
        on conflict (name, version) do nothing
        returning id, name, version, state as "state: VersionState", document, created_at, published_at,
            null as "role: Role""#,
        id as ModelId,
        name,
        document as _,
        now,
        request_key
    )
    .fetch_optional(conn)
    .await
}

/// Reads the version that a call with this idempotency key has added.
pub(super) async fn made_by(conn: &mut PgConnection, request_key: &str) -> sqlx::Result<Option<ModelView>> {
    versions!("where request_key = $1", request_key).fetch_optional(conn).await
}

/// Replaces a draft's document and name. With another name, the draft becomes the next version of that name.
pub(super) async fn update_draft(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
) -> sqlx::Result<ModelView> {
    sqlx::query_as!(
        ModelView,
        r#"-- models::update_draft
        update scoring_model set document = $3, name = $2, version = case when name = $2 then version
            else (select coalesce(max(version), 0) + 1 from scoring_model where name = $2) end
        where id = $1
        returning id, name, version, state as "state: VersionState", document, created_at, published_at,
            null as "role: Role""#,
        id as ModelId,
        name,
        document as _
    )
    .fetch_one(conn)
    .await
}

pub(super) async fn delete_draft(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- models::delete_draft
        delete from scoring_model where id = $1",
        id as ModelId
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn seen_types(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "-- models::seen_types
        select type from event_type"
    )
    .fetch_all(conn)
    .await
}

/// Whether leads are or were scored by a version.
pub(super) async fn is_scored(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- models::is_scored
        select exists (select from scored_model where model_id = $1) as "is_scored!""#,
        id as ModelId
    )
    .fetch_one(conn)
    .await
}
