//! The standings of a version that is being prepared, from the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Additions,
    person::People,
    sheet::{Circumstances, Sheet},
};
use crate::{
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
    let people = People::load(conn, leads, &nothing_new, &sheet.stale().collect()).await?;
    let given = Circumstances { now, leads, people: &people, additions: &nothing_new };
    sheet.take(given);
    sheet.write(conn, given, &BTreeMap::new()).await?;
    Ok(())
}
