//! SQL of scoring models.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::api::ModelView;
use crate::ids::ModelId;

/// The version that is live.
pub(super) async fn live(conn: &mut PgConnection) -> sqlx::Result<ModelId> {
    sqlx::query_scalar!(
        "-- models::live
        select id from scoring_model where state = 'published'"
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
}

/// Publishes a first version, unless one is live: several instances may try at once.
pub(super) async fn insert_first(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- models::insert_first
        insert into scoring_model (id, name, version, state, document, created_at, published_at)
        values ($1, $2, 1, 'published', $3, $4, $4)
        on conflict do nothing",
        id as ModelId,
        name,
        document,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<ModelView>> {
    sqlx::query_as!(
        ModelView,
        "-- models::list
        select id, name, version, state, document, created_at, published_at from scoring_model order by id desc"
    )
    .fetch_all(conn)
    .await
}

pub(super) async fn find(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<ModelView>> {
    sqlx::query_as!(
        ModelView,
        "-- models::find
        select id, name, version, state, document, created_at, published_at from scoring_model where id = $1",
        id as ModelId
    )
    .fetch_optional(conn)
    .await
}

/// A version, locked so that it is not published while it changes.
pub(super) async fn find_for_update(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<ModelView>> {
    sqlx::query_as!(
        ModelView,
        "-- models::find_for_update
        select id, name, version, state, document, created_at, published_at
        from scoring_model where id = $1 for update",
        id as ModelId
    )
    .fetch_optional(conn)
    .await
}

/// Adds a draft under the next number of its name; none if somebody else took that number.
pub(super) async fn insert_draft(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<ModelView>> {
    sqlx::query_as!(
        ModelView,
        "-- models::insert_draft
        insert into scoring_model (id, name, version, state, document, created_at)
        select $1, $2, coalesce(max(version), 0) + 1, 'draft', $3, $4 from scoring_model where name = $2
        on conflict (name, version) do nothing
        returning id, name, version, state, document, created_at, published_at",
        id as ModelId,
        name,
        document,
        now
    )
    .fetch_optional(conn)
    .await
}

/// A draft that gets another name becomes the next version of that.
pub(super) async fn update_draft(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
) -> sqlx::Result<ModelView> {
    sqlx::query_as!(
        ModelView,
        "-- models::update_draft
        update scoring_model set document = $3, name = $2, version = case when name = $2 then version
            else (select coalesce(max(version), 0) + 1 from scoring_model where name = $2) end
        where id = $1
        returning id, name, version, state, document, created_at, published_at",
        id as ModelId,
        name,
        document
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

/// Whether leads have states under a version.
pub(super) async fn is_scored(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- models::is_scored
        select exists (select from scored_model where model_id = $1) as "is_scored!""#,
        id as ModelId
    )
    .fetch_one(conn)
    .await
}
