//! The stored attributes of leads: a cache of the log.
//!
//! A row may be unreadable, for example if another program has written it. Then the attributes are computed
//! from the lead's log again, which takes time but loses nothing. The result replaces the row, and a warning
//! is logged.

use std::collections::BTreeMap;

use scoring::profile::Fold;
use serde_json::Value;
use sqlx::{
    Decode, PgConnection, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

use super::store;
use crate::platform::{clock::to_instant, ids::LeadId, json::Stored};

/// A lead's stored attributes, each with its date and event.
#[derive(Debug, Clone)]
pub(crate) enum Attributes {
    /// The attributes, in a form that this release can read.
    Read(Fold),
    /// The stored form is unknown to this release; the text says why.
    Unreadable(String),
}

impl Attributes {
    fn of(stored: Value) -> Attributes {
        match serde_json::from_value(stored) {
            Ok(fold) => Attributes::Read(fold),
            Err(why) => Attributes::Unreadable(why.to_string()),
        }
    }

    /// Whether the attributes must be computed from the log.
    pub(crate) fn are_unreadable(&self) -> bool {
        matches!(self, Attributes::Unreadable(_))
    }
}

impl Type<Postgres> for Attributes {
    fn type_info() -> PgTypeInfo {
        <Stored as Type<Postgres>>::type_info()
    }

    fn compatible(info: &PgTypeInfo) -> bool {
        <Stored as Type<Postgres>>::compatible(info)
    }
}

impl<'r> Decode<'r, Postgres> for Attributes {
    fn decode(value: PgValueRef<'r>) -> Result<Attributes, BoxDynError> {
        Stored::<Value>::decode(value).map(|stored| Attributes::of(stored.0))
    }
}

/// Reads the attributes of leads. Leads without attributes are left out.
pub(crate) async fn attributes_of(
    conn: &mut PgConnection,
    leads: &[LeadId],
) -> sqlx::Result<BTreeMap<LeadId, Fold>> {
    if leads.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = store::profiles_of(conn, leads).await?;
    read(conn, rows.into_iter().map(|row| (row.lead_id, row.attributes)).collect()).await
}

/// Turns stored rows into attributes. Attributes that cannot be read are computed from the log.
pub(crate) async fn read(
    conn: &mut PgConnection,
    rows: Vec<(LeadId, Attributes)>,
) -> sqlx::Result<BTreeMap<LeadId, Fold>> {
    let (mut known, mut unreadable) = (BTreeMap::new(), Vec::new());
    for (lead, attributes) in rows {
        match attributes {
            Attributes::Read(fold) => drop(known.insert(lead, fold)),
            Attributes::Unreadable(why) => {
                tell(lead, &why);
                unreadable.push(lead);
            }
        }
    }
    if !unreadable.is_empty() {
        known.extend(restore(conn, &unreadable).await?);
    }
    Ok(known)
}

/// Logs a warning for the operator about a row that cannot be read.
pub(crate) fn tell(lead: LeadId, why: &str) {
    tracing::warn!(
        lead = %lead.0,
        column = "lead_profile.attributes",
        why,
        "the stored attributes of a lead cannot be read; they are computed from the log again"
    );
}

/// Computes attributes from the log and stores them, unless another transaction has written the row
/// meanwhile.
async fn restore(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<BTreeMap<LeadId, Fold>> {
    // Read the rows' versions before the log. Whoever adds traits to the log later also writes the row, so
    // its version changes.
    let versions = store::profile_versions(conn, leads).await?;
    let mut folds: BTreeMap<LeadId, Fold> = leads.iter().map(|lead| (*lead, Fold::default())).collect();
    for stated in store::facts_logged(conn, leads).await? {
        if let Some(traits) = stated.traits.fields() {
            folds.entry(stated.lead_id).or_default().apply(
                traits,
                to_instant(stated.occurred_at),
                &stated.id,
            );
        }
    }
    for (lead, version) in versions {
        if let Some(fold) = folds.get(&lead) {
            store::replace_profile(conn, lead, &version, &Stored(fold)).await?;
        }
    }
    Ok(folds)
}
