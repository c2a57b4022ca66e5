//! The standings of a version that is being prepared, from the log.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use scoring::{EventRef, Verdict};
use serde_json::Map;
use sqlx::PgConnection;

use super::{
    Additions,
    person::People,
    sheet::{Circumstances, Sheet},
    store,
};
use crate::{
    clock::to_instant,
    ids::LeadId,
    leads::Resolved,
    models::{Covers, Version},
};

/// Gives locked leads a state under a version, from their logs; those that have one keep it. Stages stay as they are.
pub async fn rebuild(
    conn: &mut PgConnection,
    version: &Version,
    now: DateTime<Utc>,
    leads: &Resolved,
) -> sqlx::Result<()> {
    let nothing_new = Additions::new();
    let mut sheet = Sheet::load(conn, version, Covers::All, leads).await?;
    let stale: BTreeSet<LeadId> = sheet.stale().collect();
    replay(conn, &mut sheet, &stale).await?;
    let people = People::known(conn, leads, &stale).await?;
    let given = Circumstances { now, leads, people: &people, additions: &nothing_new };
    sheet.take(given);
    sheet.write(conn, given, &BTreeMap::new()).await?;
    Ok(())
}

/// Adds the events of the log to the tallies as they come from the database: a tally does not ask for their order.
async fn replay(
    conn: &mut PgConnection,
    sheet: &mut Sheet<'_>,
    leads: &BTreeSet<LeadId>,
) -> sqlx::Result<()> {
    let leads: Vec<LeadId> = leads.iter().copied().collect();
    let read: Vec<String> = sheet.version.model.types_read().map(str::to_owned).collect();
    let none = Map::new();
    let mut rows = store::counted_events_of(conn, &leads, &read);
    while let Some(row) = rows.try_next().await? {
        let event = EventRef {
            id: "",
            kind: &row.kind,
            occurred_at: to_instant(row.occurred_at),
            verdict: if row.human { Verdict::Human } else { Verdict::Suspect },
            properties: row.properties.as_ref().map_or(&none, |properties| &properties.0),
            traits: None,
        };
        sheet.add(row.lead_id, event);
    }
    Ok(())
}
