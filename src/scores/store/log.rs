//! SQL that reads the log: the events that count, page by page or lead by lead, and the spans that say for
//! which lead.

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use serde_json::Value;
use sqlx::PgConnection;

use crate::platform::{
    ids::{IdentityId, LeadId, ModelId},
    json::Stored,
};

/// An event of a lead's log.
pub(in crate::scores) struct LoggedEvent {
    pub(in crate::scores) lead_id: LeadId,
    pub(in crate::scores) id: String,
    pub(in crate::scores) kind: String,
    pub(in crate::scores) occurred_at: DateTime<Utc>,
    pub(in crate::scores) verdict: String,
    pub(in crate::scores) properties: Value,
    pub(in crate::scores) traits: Option<Stored>,
}

/// The events of some leads, each lead's oldest first. Held events, which wait for a verdict, are left out.
pub(in crate::scores) async fn events_of(
    conn: &mut PgConnection,
    leads: &[LeadId],
) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as!(
        LoggedEvent,
        r#"-- scores::events_of
        select lead_id as "lead_id!", id as "id!", type as "kind!", occurred_at as "occurred_at!", verdict as "verdict!",
            properties as "properties!", traits
        from lead_event
        where lead_id = any($1) and held_until is null
        order by lead_id, occurred_at, id"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// An event of a lead, with the fields that a tally needs.
pub(in crate::scores) struct CountedEvent {
    pub(in crate::scores) lead_id: LeadId,
    pub(in crate::scores) kind: String,
    pub(in crate::scores) occurred_at: DateTime<Utc>,
    /// Whether the verdict is `human`; false is `suspect`.
    pub(in crate::scores) human: bool,
    /// The properties that [`Asked::fields`] names, if the event has them.
    pub(in crate::scores) first: Option<Stored>,
    pub(in crate::scores) second: Option<Stored>,
    pub(in crate::scores) third: Option<Stored>,
    /// All properties, if [`Asked::all`] is set or the event is an adjustment.
    pub(in crate::scores) properties: Option<Stored>,
}

/// The properties of events that a statement reads.
pub(in crate::scores) struct Asked {
    /// Single properties, for every event. Reading one of many properties takes a tenth of the time of
    /// reading all.
    pub(in crate::scores) fields: [Option<String>; 3],
    /// Whether all properties of every event are read. If not, all properties are read only of adjustments.
    pub(in crate::scores) all: bool,
}

/// The events that count for some leads, in no particular order.
pub(in crate::scores) fn counted_events_of<'a>(
    conn: &'a mut PgConnection,
    leads: &'a [LeadId],
    asked: &'a Asked,
) -> BoxStream<'a, sqlx::Result<CountedEvent>> {
    let [first, second, third] = &asked.fields;
    sqlx::query_as!(
        CountedEvent,
        r#"-- scores::counted_events_of
        select lead_id as "lead_id!", type as "kind!", occurred_at as "occurred_at!", verdict = 'human' as "human!",
            properties -> $2 as first, properties -> $3 as second, properties -> $4 as third,
            case when $5 or type = 'score_adjusted' then properties end as properties
        from lead_event
        where lead_id = any($1) and verdict <> 'machine' and held_until is null"#,
        leads as &[LeadId],
        first.as_deref(),
        second.as_deref(),
        third.as_deref(),
        asked.all
    )
    .fetch(conn)
}

/// Events that count, as parallel lists. Reading a hundred thousand rows one by one would take twice the
/// time.
#[derive(Debug)]
pub(in crate::scores) struct CountedEvents {
    pub(in crate::scores) identities: Vec<IdentityId>,
    /// The event types, separated by a space; no type has a space.
    pub(in crate::scores) kinds: String,
    pub(in crate::scores) occurred_at: Vec<DateTime<Utc>>,
    pub(in crate::scores) human: Vec<bool>,
    /// The first property of [`Asked::fields`] for each event; `None` if no property was asked for.
    pub(in crate::scores) first: Option<Vec<Option<Stored>>>,
    pub(in crate::scores) second: Option<Vec<Option<Stored>>>,
    pub(in crate::scores) third: Option<Vec<Option<Stored>>>,
    /// All properties, only of the events for which all were asked for.
    pub(in crate::scores) properties: Option<Vec<Stored>>,
}

/// The events that count for any lead, from a page of the log up to but not including another; `None` if
/// there are no events.
pub(in crate::scores) async fn counted_events_between(
    conn: &mut PgConnection,
    from: i64,
    until: i64,
    asked: &Asked,
) -> sqlx::Result<Option<CountedEvents>> {
    let [first, second, third] = &asked.fields;
    sqlx::query_as!(
        CountedEvents,
        r#"-- scores::counted_events_between
        select array_agg(identity_id) as "identities!: Vec<IdentityId>", string_agg(type, ' ') as "kinds!",
            array_agg(occurred_at) as "occurred_at!", array_agg(verdict = 'human') as "human!",
            array_agg(properties -> $3) filter (where $3 is not null) as "first: Vec<Option<Stored>>",
            array_agg(properties -> $4) filter (where $4 is not null) as "second: Vec<Option<Stored>>",
            array_agg(properties -> $5) filter (where $5 is not null) as "third: Vec<Option<Stored>>",
            array_agg(properties) filter (where $6 or type = 'score_adjusted')
                as "properties: Vec<Stored>"
        from event
        where ctid >= $1::text::tid and ctid < $2::text::tid and verdict <> 'machine' and held_until is null
        having count(*) > 0"#,
        format!("({from},0)"),
        format!("({until},0)"),
        first.as_deref(),
        second.as_deref(),
        third.as_deref(),
        asked.all
    )
    .fetch_optional(conn)
    .await
}

/// The file of the log and its number of pages. If the file changes, all page numbers change.
#[derive(Debug)]
pub(in crate::scores) struct Log {
    pub(in crate::scores) file: i64,
    pub(in crate::scores) pages: i64,
}

pub(in crate::scores) async fn log(conn: &mut PgConnection) -> sqlx::Result<Log> {
    sqlx::query_as!(
        Log,
        r#"-- scores::log
        select pg_relation_filenode('event')::bigint as "file!",
            pg_relation_size('event') / current_setting('block_size')::bigint as "pages!""#
    )
    .fetch_one(conn)
    .await
}

/// The id of the transaction that wrote a lead's row. It changes whenever the row is written. `None` if the
/// lead has no row.
pub(in crate::scores) type Mark = Option<i64>;

/// A lead with its mark.
pub(in crate::scores) struct MarkedLead {
    pub(in crate::scores) lead_id: LeadId,
    pub(in crate::scores) mark: Mark,
}

/// The next leads in the order of their ids, with their marks under a version.
pub(in crate::scores) async fn marked_after(
    conn: &mut PgConnection,
    model: ModelId,
    after: LeadId,
    limit: i64,
) -> sqlx::Result<Vec<MarkedLead>> {
    sqlx::query_as!(
        MarkedLead,
        r#"-- scores::marked_after
        select l.id as lead_id, s.xmin::text::bigint as mark
        from lead l left join score s on s.lead_id = l.id and s.model_id = $1
        where l.id > $2 and l.merged_into is null
        order by l.id limit $3"#,
        model as ModelId,
        after as LeadId,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The marks of leads under a version.
///
/// Every lookup of states by lead passes the version as a `select`, which hides its value from the planner.
/// For a new version the statistics say that it has no states, and the planner would then read all its states
/// to find a few.
pub(in crate::scores) async fn marks_of(
    conn: &mut PgConnection,
    model: ModelId,
    leads: &[LeadId],
) -> sqlx::Result<Vec<MarkedLead>> {
    sqlx::query_as!(
        MarkedLead,
        "-- scores::marks_of
        select lead_id, xmin::text::bigint as mark from score
        where lead_id = any($2) and model_id = (select $1::uuid)",
        model as ModelId,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// A span: the lead for which an identity's events count in a stretch of time.
pub(in crate::scores) struct SpanRow {
    pub(in crate::scores) identity_id: IdentityId,
    pub(in crate::scores) since: DateTime<Utc>,
    pub(in crate::scores) until: Option<DateTime<Utc>>,
    pub(in crate::scores) lead_id: LeadId,
}

/// The spans of leads with ids above `after`, up to `last` inclusive.
pub(in crate::scores) fn spans_between(
    conn: &mut PgConnection,
    after: LeadId,
    last: LeadId,
) -> BoxStream<'_, sqlx::Result<SpanRow>> {
    sqlx::query_as!(
        SpanRow,
        "-- scores::spans_between
        select identity_id, since, until, lead_id from identity_span where lead_id > $1 and lead_id <= $2",
        after as LeadId,
        last as LeadId
    )
    .fetch(conn)
}
