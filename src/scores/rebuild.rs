//! The standings of a version that is being prepared, from the log.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use scoring::{EventRef, Model, Verdict};
use sqlx::PgConnection;

use super::{
    Additions,
    person::People,
    sheet::{Circumstances, Sheet},
    store::{self, Asked},
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
    let asked = Asked::by(&sheet.version.model);
    let mut rows = store::counted_events_of(conn, &leads, &asked);
    while let Some(row) = rows.try_next().await? {
        let (lead, at) = (row.lead_id, to_instant(row.occurred_at));
        let verdict = if row.human { Verdict::Human } else { Verdict::Suspect };
        let fields = asked.fields.iter().flatten().cloned().zip([row.first, row.second, row.third]);
        let properties = match row.properties {
            Some(all) => all.0,
            None => fields.filter_map(|(name, value)| Some((name, value?))).collect(),
        };
        let event = EventRef {
            id: "",
            kind: &row.kind,
            occurred_at: at,
            verdict,
            properties: &properties,
            traits: None,
        };
        sheet.add(lead, event);
    }
    Ok(())
}

impl Asked {
    /// What a model reads.
    fn by(model: &Model) -> Asked {
        let mut read = model.properties_read().into_iter().map(str::to_owned);
        let fields = [read.next(), read.next(), read.next()];
        match read.next() {
            None => Asked { fields, all: false },
            Some(_) => Asked { fields: [None, None, None], all: true },
        }
    }
}
