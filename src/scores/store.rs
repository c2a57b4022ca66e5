//! SQL of scores.

mod log;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub(super) use log::{
    Asked, CountedEvents, Log, LoggedEvent, Mark, counted_events_between, counted_events_of, events_of, log,
    marked_after, marks_of, spans_between,
};

use super::State;
use crate::platform::ids::{LeadId, ModelId};

/// A lead's stored state under a model.
pub(crate) struct StateRow {
    pub(crate) lead_id: LeadId,
    pub(crate) tally: Vec<u8>,
    pub(crate) score: i32,
    pub(crate) raw: i64,
    pub(crate) fit: i64,
    pub(crate) engagement: i64,
    pub(crate) band: String,
    pub(crate) do_not_contact: bool,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) next_change_at: Option<DateTime<Utc>>,
    pub(crate) due_at: Option<DateTime<Utc>>,
    pub(crate) last_activity_at: Option<DateTime<Utc>>,
    pub(crate) first_seen_at: Option<DateTime<Utc>>,
    pub(crate) hand_raised: bool,
    pub(crate) updated_at: DateTime<Utc>,
}

/// The instant of the earliest event that counts of some leads, from their stored states under a version.
pub(super) async fn first_seen(
    conn: &mut PgConnection,
    model: ModelId,
    leads: &[LeadId],
) -> sqlx::Result<HashMap<LeadId, Option<DateTime<Utc>>>> {
    let rows = sqlx::query!(
        r#"-- scores::first_seen
        select lead_id as "lead_id: LeadId", first_seen_at from score
        where lead_id = any($1) and model_id = (select $2::uuid)"#,
        leads as &[LeadId],
        model as ModelId
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.lead_id, row.first_seen_at)).collect())
}

pub(super) async fn states_of(
    conn: &mut PgConnection,
    model: ModelId,
    leads: &[LeadId],
) -> sqlx::Result<Vec<StateRow>> {
    sqlx::query_as!(
        StateRow,
        "-- scores::states_of
        select lead_id, tally, score, raw, fit, engagement, band, do_not_contact, as_of, next_change_at, due_at,
            last_activity_at, first_seen_at, hand_raised, updated_at
        from score where lead_id = any($1) and model_id = (select $2::uuid)",
        leads as &[LeadId],
        model as ModelId
    )
    .fetch_all(conn)
    .await
}

/// The current passage of a lead that became an MQL by score.
pub(super) struct PassageRow {
    pub(super) below_since: Option<DateTime<Utc>>,
}

/// Reads the current passage of a lead that is an MQL by score; `None` for any other lead.
pub(super) async fn passage_by_threshold(
    conn: &mut PgConnection,
    lead: LeadId,
) -> sqlx::Result<Option<PassageRow>> {
    sqlx::query_as!(
        PassageRow,
        "-- scores::passage_by_threshold
        select below_since from lead where id = $1 and stage = 'mql' and mql_by in ('threshold', 'model_change')",
        lead as LeadId
    )
    .fetch_optional(conn)
    .await
}

/// The columns of `score` for some leads, as parallel lists for `unnest`.
#[derive(Default)]
struct Columns {
    leads: Vec<LeadId>,
    stages: Vec<&'static str>,
    do_not_contact: Vec<bool>,
    scores: Vec<i32>,
    raw: Vec<i64>,
    fit: Vec<i64>,
    engagement: Vec<i64>,
    grades: Vec<String>,
    bands: Vec<String>,
    as_of: Vec<DateTime<Utc>>,
    next_change_at: Vec<Option<DateTime<Utc>>>,
    due_at: Vec<Option<DateTime<Utc>>>,
    last_activity_at: Vec<Option<DateTime<Utc>>>,
    first_seen_at: Vec<Option<DateTime<Utc>>>,
    hand_raised: Vec<bool>,
    hand_raised_at: Vec<Option<DateTime<Utc>>>,
    tallies: Vec<Vec<u8>>,
    updated_at: Vec<DateTime<Utc>>,
}

impl Columns {
    fn of(states: &[&State]) -> Columns {
        let mut columns = Columns::default();
        for state in states {
            columns.leads.push(state.lead_id);
            columns.stages.push(state.stage.as_str());
            columns.do_not_contact.push(state.do_not_contact);
            columns.scores.push(state.score);
            columns.raw.push(state.raw);
            columns.fit.push(state.fit);
            columns.engagement.push(state.engagement);
            columns.grades.push(state.grade.clone());
            columns.bands.push(state.band.clone());
            columns.as_of.push(state.as_of);
            columns.next_change_at.push(state.next_change_at);
            columns.due_at.push(state.due_at);
            columns.last_activity_at.push(state.last_activity_at);
            columns.first_seen_at.push(state.first_seen_at);
            columns.hand_raised.push(state.hand_raised);
            columns.hand_raised_at.push(state.hand_raised_at);
            columns.tallies.push(state.tally.clone());
            columns.updated_at.push(state.updated_at);
        }
        columns
    }
}

/// A statement over the columns of a number of leads, `new`, under the model `$1`.
macro_rules! write_states {
    ($conn:expr, $model:expr, $states:expr, [$($before:tt)+], [$($after:tt)+]) => {{
        let new = Columns::of($states);
        sqlx::query!(
            $($before)+ + "
            from unnest($2::uuid[], $3::text[], $4::boolean[], $5::integer[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
                $14::timestamptz[], $15::bytea[], $16::timestamptz[], $17::timestamptz[], $18::boolean[],
                $19::timestamptz[])
                as new (lead_id, stage, do_not_contact, score, raw, fit, engagement, grade, band, as_of,
                    next_change_at, due_at, last_activity_at, tally, updated_at, first_seen_at, hand_raised,
                    hand_raised_at)
            " + $($after)+,
            $model as ModelId,
            &new.leads as &[LeadId],
            &new.stages as &[&str],
            &new.do_not_contact,
            &new.scores,
            &new.raw,
            &new.fit,
            &new.engagement,
            &new.grades,
            &new.bands,
            &new.as_of,
            &new.next_change_at as &[Option<DateTime<Utc>>],
            &new.due_at as &[Option<DateTime<Utc>>],
            &new.last_activity_at as &[Option<DateTime<Utc>>],
            &new.tallies,
            &new.updated_at,
            &new.first_seen_at as &[Option<DateTime<Utc>>],
            &new.hand_raised,
            &new.hand_raised_at as &[Option<DateTime<Utc>>]
        )
        .execute($conn)
        .await?;
        Ok(())
    }};
}

/// Writes the states of leads that had none under this model.
pub(super) async fn insert(conn: &mut PgConnection, model: ModelId, states: &[&State]) -> sqlx::Result<()> {
    write_states!(
        conn,
        model,
        states,
        ["-- scores::insert
            insert into score (lead_id, model_id, stage, do_not_contact, score, raw, fit, engagement, grade, band,
                as_of, next_change_at, due_at, last_activity_at, tally, updated_at, first_seen_at, hand_raised,
                hand_raised_at)
            select lead_id, $1, stage, do_not_contact, score, raw, fit, engagement, grade, band,
                as_of, next_change_at, due_at, last_activity_at, tally, updated_at, first_seen_at, hand_raised,
                hand_raised_at"],
        [""]
    )
}

/// Writes the states of leads that have one under this model.
pub(super) async fn update(conn: &mut PgConnection, model: ModelId, states: &[&State]) -> sqlx::Result<()> {
    write_states!(
        conn,
        model,
        states,
        ["-- scores::update
            update score set stage = new.stage, do_not_contact = new.do_not_contact, score = new.score,
                raw = new.raw, fit = new.fit, engagement = new.engagement, grade = new.grade, band = new.band,
                as_of = new.as_of, next_change_at = new.next_change_at, due_at = new.due_at,
                last_activity_at = new.last_activity_at, tally = new.tally, updated_at = new.updated_at,
                first_seen_at = new.first_seen_at, hand_raised = new.hand_raised,
                hand_raised_at = new.hand_raised_at"],
        ["where score.lead_id = new.lead_id and score.model_id = (select $1::uuid)"]
    )
}

/// Deletes the states of leads that have no identity left, under all versions.
pub(crate) async fn delete(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "-- scores::delete
        delete from score where lead_id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The leads that are due: by now their score changes without an event under one of the versions, or a dwell
/// or cooldown ends. The longest overdue first.
pub(crate) async fn due(
    conn: &mut PgConnection,
    models: &[ModelId],
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- scores::due
        select lead_id from score where due_at <= $2 and model_id = any($1) order by due_at limit $3"#,
        models as &[ModelId],
        now,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The first leads, by id, that have an outdated state under a version by which leads are scored.
pub(crate) async fn outdated(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- scores::outdated
        select distinct lead_id from score
        where semantics < 3
            and exists (select from scored_model m where m.model_id = score.model_id and dropped_at is null)
        order by lead_id limit $1"#,
        limit
    )
    .fetch_all(conn)
    .await
}

/// How many leads have an outdated state.
pub(crate) async fn count_outdated(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"-- scores::count_outdated
        select count(distinct lead_id) as "count!" from score
        where semantics < 3
            and exists (select from scored_model m where m.model_id = score.model_id and dropped_at is null)"#
    )
    .fetch_one(conn)
    .await
}

/// The earliest `due_at` of all scores, in the past or in the future; `None` if no score has one.
pub(super) async fn oldest_due(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"-- scores::oldest_due
        select due_at as "due_at!" from score
        where due_at is not null
            and exists (select from scored_model m where m.model_id = score.model_id and dropped_at is null)
        order by due_at limit 1"#
    )
    .fetch_optional(conn)
    .await
}

/// The leads among the given ones that must not be contacted.
pub(crate) async fn not_to_be_contacted(
    conn: &mut PgConnection,
    model: ModelId,
    leads: &[LeadId],
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        "-- scores::not_to_be_contacted
        select lead_id from score where model_id = $1 and lead_id = any($2) and do_not_contact",
        model as ModelId,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// When some anonymous leads were identified. Leads that were identified from the start are left out.
pub(crate) async fn known_since(
    conn: &mut PgConnection,
    leads: &[LeadId],
) -> sqlx::Result<HashMap<LeadId, DateTime<Utc>>> {
    let rows = sqlx::query!(
        r#"-- scores::known_since
        select lead_id as "lead_id: LeadId", min(at) as "at!" from transition
        where lead_id = any($1) and cause = 'identified' group by lead_id"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.lead_id, row.at)).collect())
}
