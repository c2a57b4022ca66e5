//! What is stored of leads' attributes: a cache of what the log says of them.
//!
//! A row that cannot be read, because something else has written it, costs nothing but the time to read the lead's log: whoever
//! asks for attributes gets what the log says. That is stored in the place of the row, and told in the service's log.

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

/// A lead's attributes with their provenance, as they are stored.
#[derive(Debug, Clone)]
pub(crate) enum Attributes {
    /// In the form in which this release writes them.
    Read(Fold),
    /// In no form that it knows, and why.
    Unreadable(String),
}

impl Attributes {
    fn of(stored: Value) -> Attributes {
        match serde_json::from_value(stored) {
            Ok(fold) => Attributes::Read(fold),
            Err(why) => Attributes::Unreadable(why.to_string()),
        }
    }

    /// Whether they have to come from the log.
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

/// What is known of leads; those of whom nothing was ever said are left out.
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

/// Attributes as they are, of rows as they are stored: those that cannot be read come from the log.
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

/// Tells the operator of a row that cannot be read.
pub(crate) fn tell(lead: LeadId, why: &str) {
    tracing::warn!(
        lead = %lead.0,
        column = "lead_profile.attributes",
        why,
        "what is stored of a lead cannot be read, and comes from the log"
    );
}

/// Folds the log anew, and stores what comes of it, unless somebody else has stored something meanwhile.
async fn restore(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<BTreeMap<LeadId, Fold>> {
    // The rows' versions first: what changes the log after that changes the row, too, or says nothing of attributes.
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
