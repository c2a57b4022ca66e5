//! SQL of verdicts.

use chrono::{DateTime, Utc};
use scoring::Verdict;
use serde_json::Map;
use sqlx::PgConnection;

use super::{
    Decided, Finding, Judgement,
    mails::{Link, Trace, What},
    verdict, word,
};
use crate::platform::ids::{EventKey, IdentityId, LeadId};

/// A stored event of a mail.
#[derive(Debug)]
pub(super) struct MailEvent {
    pub(super) identity_id: IdentityId,
    pub(super) event_key: EventKey,
    pub(super) message_id: String,
    pub(super) kind: String,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) link: Option<String>,
    /// Whether the link is hidden from people.
    pub(super) hidden: bool,
    /// The finding of the event by itself.
    pub(super) found: Option<String>,
    pub(super) verdict: String,
    pub(super) verdict_reason: Option<String>,
    pub(super) held_until: Option<DateTime<Utc>>,
    /// Whether a person has decided the verdict.
    pub(super) decided: bool,
}

impl MailEvent {
    /// The event as a trace of its mail.
    pub(super) fn trace(&self) -> Trace<'_> {
        let what = match (self.kind.as_str(), &self.link) {
            ("email_delivered", _) => What::Delivered,
            _ if self.hidden => What::Clicked(Link::Hidden),
            (_, Some(link)) => What::Clicked(Link::To(link)),
            ("email_unsubscribed", None) => What::Clicked(Link::Unsubscribe),
            _ => What::Clicked(Link::Unknown),
        };
        Trace { at: self.occurred_at, what }
    }
}

/// Reads all events of some mails. Each mail is named by the address that got it and by its id.
pub(super) async fn events_of_mails(
    conn: &mut PgConnection,
    mails: &[(IdentityId, &str)],
) -> sqlx::Result<Vec<MailEvent>> {
    let (identities, messages): (Vec<IdentityId>, Vec<&str>) = mails.iter().copied().unzip();
    sqlx::query_as!(
        MailEvent,
        r#"-- verdicts::events_of_mails
        select e.identity_id, e.event_key, e.properties ->> 'message_id' as "message_id!", e.type as kind, e.occurred_at,
            e.properties ->> 'url' as link, coalesce(e.properties -> 'honeypot' = 'true', false) as "hidden!",
            e.found, e.verdict, e.verdict_reason, e.held_until, e.decided_at is not null as "decided!"
        from (select distinct * from unnest($1::uuid[], $2::text[]) as asked (identity_id, message_id)) asked
        join event e on e.identity_id = asked.identity_id and e.properties ->> 'message_id' = asked.message_id
            and e.type in ('email_clicked', 'email_delivered', 'email_unsubscribed')"#,
        &identities as &[IdentityId],
        &messages as &[&str]
    )
    .fetch_all(conn)
    .await
}

/// Stores new judgements of events.
pub(super) async fn judge(conn: &mut PgConnection, judged: &[Judgement]) -> sqlx::Result<()> {
    if judged.is_empty() {
        return Ok(());
    }
    let identities: Vec<IdentityId> = judged.iter().map(|one| one.identity_id).collect();
    let keys: Vec<EventKey> = judged.iter().map(|one| one.event_key).collect();
    let verdicts: Vec<&str> = judged.iter().map(|one| word(verdict(one.finding))).collect();
    let reasons: Vec<Option<&str>> = judged.iter().map(|one| one.finding.map(Finding::as_str)).collect();
    let held: Vec<Option<DateTime<Utc>>> = judged.iter().map(|one| one.held_until).collect();
    sqlx::query!(
        "-- verdicts::judge
        update event set verdict = new.verdict, verdict_reason = new.reason, held_until = new.held_until
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
            as new (identity_id, event_key, verdict, reason, held_until)
        where event.identity_id = new.identity_id and event.event_key = new.event_key",
        &identities as &[IdentityId],
        &keys as &[EventKey],
        &verdicts as &[&str],
        &reasons as &[Option<&str>],
        &held as &[Option<DateTime<Utc>>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores a person's verdict on the lead's events with this key, with the person's words, unless there is a
/// later decision. Returns the events that were changed.
pub(super) async fn decide(
    conn: &mut PgConnection,
    lead: LeadId,
    event: EventKey,
    verdict: Verdict,
    (words, at): (&str, DateTime<Utc>),
) -> sqlx::Result<Vec<Decided>> {
    let rows = sqlx::query!(
        r#"-- verdicts::decide
        update event set verdict = $3, verdict_reason = $4, held_until = null, decided_at = $5
        from identity_span s
        where s.lead_id = $1 and event.identity_id = s.identity_id and event.event_key = $2
            and event.occurred_at >= s.since and (s.until is null or event.occurred_at < s.until)
            and (event.decided_at is null or event.decided_at <= $5)
        returning event.identity_id, event.event_key, event.type as kind, event.occurred_at,
            event.properties"#,
        lead as LeadId,
        event as EventKey,
        word(verdict),
        words,
        at
    )
    .fetch_all(conn)
    .await?;
    let decided = rows.into_iter().map(|row| Decided {
        identity_id: row.identity_id,
        event_key: row.event_key,
        kind: row.kind,
        occurred_at: row.occurred_at,
        properties: row.properties.into_fields().unwrap_or_else(|| {
            let (identity, event) = (row.identity_id.0, row.event_key.0);
            tracing::warn!(%identity, %event, "the properties of an event are not an object and are ignored");
            Map::new()
        }),
    });
    Ok(decided.collect())
}

/// Locks identities that have no lead, but events whose quarantine has ended. The lock keeps other
/// transactions from giving them a lead.
pub(super) async fn hold_strays(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<IdentityId>> {
    sqlx::query_scalar!(
        "-- verdicts::hold_strays
        select id from identity
        where id in (
            select identity_id from event
            where held_until <= $1
                and not exists (select from identity_span s where s.identity_id = event.identity_id)
            limit $2
        )
        order by id for no key update skip locked",
        now,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Releases the events of identities that still have no lead.
pub(super) async fn release_strays(
    conn: &mut PgConnection,
    identities: &[IdentityId],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- verdicts::release_strays
        update event set held_until = null
        where identity_id = any($1) and held_until <= $2
            and not exists (select from identity_span s where s.identity_id = event.identity_id)",
        identities as &[IdentityId],
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the leads that have events whose quarantine has ended.
pub(super) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- verdicts::due
        select distinct lead_id as "lead_id!"
        from (select lead_id from lead_event where held_until <= $1 order by held_until limit $2) as due"#,
        now,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Releases the events of leads whose quarantine has ended. Returns the leads, once for each event.
pub(super) async fn release(
    conn: &mut PgConnection,
    leads: &[LeadId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        "-- verdicts::release
        update event set held_until = null
        from identity_span s
        where s.lead_id = any($1) and event.identity_id = s.identity_id and event.held_until <= $2
            and event.occurred_at >= s.since and (s.until is null or event.occurred_at < s.until)
        returning s.lead_id",
        leads as &[LeadId],
        now
    )
    .fetch_all(conn)
    .await
}
