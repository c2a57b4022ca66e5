//! Merging two leads because a person says that they are the same person, and undoing that.
//!
//! - *Merge*: the events of one lead, the merged one, now count for another, the heir. The row of the merged lead
//!   stays as a signpost. Nothing is rewritten: spans, handoffs, outcomes and claims keep their *home*, the lead that
//!   they would belong to without merges. The merge stores how the heir stood.
//! - *Unmerge*: takes a lead out again with everything that has its home there, including what came during the merge.
//! - *Conflict*: an e-mail address that belongs to one user id and that another has claimed.
//!
//! The guarantees. The score of merged leads is that of one person with all the events. Leads that were merged and
//! taken apart score as if they had never been merged. Each returns to where it stood, unless somebody has moved the
//! heir since: what people decided stays with the lead for which they decided it. Merges can be chained and undone in
//! any order. Each merge and unmerge is one transaction, and an event in both logs with author and reason.

pub mod api;
mod restoring;
mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    feed::outbox::{self, Change, Kind},
    intake::ingest::{
        self,
        event::{Arrival, Found, NewEvent},
    },
    leads::{self, Cause, Lead, LockedLeads, Stage, Why, identity::Named},
    lifecycle::{
        Lifecycle,
        change::{Begun, LeadChange},
        stages,
    },
    platform::{
        db::{self, Contended},
        ids::{IdentityId, KeyId, LeadId, MergeId},
    },
    queues::claims,
    scores,
};

/// A merge of two leads, with author and reason.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Merge {
    /// The id of the merge.
    id: MergeId,
    /// The lead that was merged.
    lead_id: LeadId,
    /// The lead that it was merged into.
    into: LeadId,
    /// When the leads were merged.
    merged_at: DateTime<Utc>,
    /// Who decided the merge.
    author: String,
    /// Why the leads were merged.
    reason: String,
    /// When the merge was undone. Null if it was not.
    undone_at: Option<DateTime<Utc>>,
    /// Who undid the merge.
    undone_by: Option<String>,
    /// Why the merge was undone.
    undone_reason: Option<String>,
}

/// Who calls, with the reason and the keys of the call.
#[derive(Debug)]
pub(crate) struct Said {
    author: String,
    reason: String,
    request_key: Option<String>,
    api_key: KeyId,
}

/// A conflict: an e-mail address that belongs to one lead and was named by the user id of another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Conflict {
    /// The e-mail address.
    email: String,
    /// The lead to which it belongs.
    lead_id: LeadId,
    /// The other lead.
    claimant_lead_id: LeadId,
    /// The user id of the other lead that was named with the address.
    claimant_user_id: String,
    /// When that user id was first named with the address.
    at: DateTime<Utc>,
    #[serde(skip)]
    identity_id: IdentityId,
    #[serde(skip)]
    claimant_id: IdentityId,
}

/// A place in the list of conflicts, as a cursor holds it.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    identity: IdentityId,
    claimant: IdentityId,
}

/// Why a merge or unmerge is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    #[error("no such lead")]
    NotFound,
    #[error("a lead is not merged with itself")]
    Itself,
    #[error("lead {0} was merged into {1} already")]
    Signpost(LeadId, LeadId),
    #[error("lead {0} is not merged")]
    NotMerged(LeadId),
    #[error("lead {0} was merged into {1}")]
    Elsewhere(LeadId, LeadId),
    #[error("lead {0} was joined with {1}")]
    Joined(LeadId, LeadId),
    #[error("the two leads together have more attributes than a lead may have")]
    TooMuch,
    #[error("the idempotency key belongs to another call")]
    KeyTaken,
    #[error("another transaction has changed the same leads")]
    Changed,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Contended for MergeError {
    fn is_contended(&self) -> bool {
        match self {
            MergeError::Changed => true,
            MergeError::Database(error) => error.is_contended(),
            _ => false,
        }
    }
}

/// The result of a merge or unmerge.
#[derive(Debug)]
pub(crate) struct Decided {
    merge: Merge,
    /// Whether this call did it. False for a repetition.
    new: bool,
}

/// Merges `lead` into `into`. A repetition under the same idempotency key changes nothing.
pub(crate) async fn merge(
    lifecycle: &Lifecycle,
    into: LeadId,
    lead: LeadId,
    said: &Said,
) -> Result<Decided, MergeError> {
    if into == lead {
        return Err(MergeError::Itself);
    }
    let mut begun = LeadChange::begin(lifecycle).await?;
    let rows = leads::lock_rows(begun.conn(), &[into, lead]).await?;
    let mut rows: BTreeMap<LeadId, Lead> = rows.into_iter().map(|row| (row.id, row)).collect();
    let (Some(heir), Some(gone)) = (rows.get(&into), rows.get(&lead)) else {
        return Err(MergeError::NotFound);
    };
    if let Some(key) = &said.request_key
        && let Some(before) = store::by_key(begun.conn(), lead, key).await?
    {
        let merge = Merge::from(before);
        let same = merge.into == into && (&merge.author, &merge.reason) == (&said.author, &said.reason);
        return if same { Ok(Decided { merge, new: false }) } else { Err(MergeError::KeyTaken) };
    }
    for row in [heir, gone] {
        if row.merged_into.is_some() {
            let end = leads::trail(begun.conn(), row.id).await?.pop();
            return Err(MergeError::Signpost(row.id, end.expect("a trail begins with its lead")));
        }
    }
    let now = begun.now();
    let (author, reason) = (said.author.clone(), said.reason.clone());
    let merge = Merge {
        id: MergeId(lifecycle.ids.next()),
        lead_id: lead,
        into,
        merged_at: now,
        author,
        reason,
        undone_at: None,
        undone_by: None,
        undone_reason: None,
    };
    // If one of the leads must not be contacted, the merged person must not either, even if the other lead
    // asked for sales earlier.
    let live = lifecycle.live.current(begun.conn()).await?.id;
    for id in scores::not_to_be_contacted(begun.conn(), live, &[into, lead]).await? {
        rows.entry(id).and_modify(|row| row.withheld_at = Some(now));
    }
    begun.watch_consents([into]).await?;
    let described = leads::attributes_of(begun.conn(), &[into]).await?.remove(&into);
    let stood = restoring::snapshot(begun.conn(), &rows[&into]).await?;
    store::insert(begun.conn(), &merge, &stood, said.request_key.as_deref()).await?;
    note(begun.conn(), lifecycle, ("lead_merged", "into"), said, [lead, into]).await?;
    let mut change = begun.with(LockedLeads::holding(rows.into_values())).await?;
    let why = Why::said(Cause::Merge, now, &said.author, Some(&said.reason));
    let (conn, leads) = change.identities();
    leads::take_in(conn, leads, lead, into, &why).await?;
    let mut applied = change.apply().await?;
    let together = leads::attributes_of(applied.conn(), &[into]).await?.remove(&into).unwrap_or_default();
    if scores::is_swollen(described.as_ref(), &together) {
        return Err(MergeError::TooMuch);
    }
    applied.commit().await?;
    Ok(Decided { merge, new: true })
}

/// Undoes a merge: takes `lead` out of the lead that it was merged into. Tries again if other transactions
/// change the same leads.
pub(crate) async fn unmerge(
    lifecycle: &Lifecycle,
    from: LeadId,
    lead: LeadId,
    said: &Said,
) -> Result<Decided, MergeError> {
    db::retrying(|| try_to_unmerge(lifecycle, from, lead, said)).await
}

/// # Errors
/// [`MergeError::Changed`] if another transaction has changed the same leads.
async fn try_to_unmerge(
    lifecycle: &Lifecycle,
    from: LeadId,
    lead: LeadId,
    said: &Said,
) -> Result<Decided, MergeError> {
    let mut begun = LeadChange::begin(lifecycle).await?;
    if let Some(key) = &said.request_key
        && let Some(before) = store::by_undo_key(begun.conn(), lead, key).await?
    {
        let merge = Merge::from(before);
        let (author, reason) = (merge.undone_by.as_ref(), merge.undone_reason.as_ref());
        let same = (author, reason) == (Some(&said.author), Some(&said.reason));
        return if same { Ok(Decided { merge, new: false }) } else { Err(MergeError::KeyTaken) };
    }
    let Some(merge) = store::in_force(begun.conn(), lead).await? else {
        let end = leads::trail(begun.conn(), lead).await?.pop().ok_or(MergeError::NotFound)?;
        return Err(if end == lead { MergeError::NotMerged(lead) } else { MergeError::Joined(lead, end) });
    };
    // The trail: the leads on the way from the merge's heir to the lead that they all belong to now.
    let trail = leads::trail(begun.conn(), merge.into_lead_id).await?;
    leads::lock_rows(begun.conn(), &[trail.as_slice(), &[lead]].concat()).await?;
    let now_in_force = store::in_force(begun.conn(), lead).await?.map(|merge| merge.id);
    if now_in_force != Some(merge.id) || leads::trail(begun.conn(), merge.into_lead_id).await? != trail {
        return Err(MergeError::Changed);
    }
    let end = *trail.last().ok_or(MergeError::NotFound)?;
    let asked = leads::trail(begun.conn(), from).await?.pop().ok_or(MergeError::NotFound)?;
    if asked != end {
        return Err(MergeError::Elsewhere(lead, end));
    }
    let now = begun.now();
    part(lifecycle, begun, (lead, end), &merge, said).await?;
    let undone = (Some(now), Some(said.author.clone()), Some(said.reason.clone()));
    let (undone_at, undone_by, undone_reason) = undone;
    let merge = Merge { undone_at, undone_by, undone_reason, ..merge.into() };
    Ok(Decided { merge, new: true })
}

/// Takes a lead out of the lead at the end of its trail. Both rows must be locked.
async fn part(
    lifecycle: &Lifecycle,
    mut begun: Begun<'_>,
    (lead, end): (LeadId, LeadId),
    merge: &store::MergeRow,
    said: &Said,
) -> sqlx::Result<()> {
    let now = begun.now();
    begun.watch_consents([end]).await?;
    let why = Why::said(Cause::Unmerge, now, &said.author, Some(&said.reason));
    store::undo(begun.conn(), merge.id, now, &said.author, &said.reason, said.request_key.as_deref()).await?;
    let (leads, homes) = restoring::part(begun.conn(), end, lead, merge, &why).await?;
    let mut change = begun.with(leads).await?;
    change.tell_all_consents(lead);
    if !homes.is_empty() {
        stages::give_back(change.conn(), end, &homes, lead, merge.merged_at).await?;
        claims::give_back(lifecycle, change.conn(), end, &homes, lead).await?;
    }
    for (id, other) in [(lead, end), (end, lead)] {
        if let Some(row) = change.leads().leads.get(&id).cloned() {
            let (conn, context) = change.parts();
            stages::reopen(conn, context, &row, other, merge.merged_at).await?;
        }
    }
    note(change.conn(), lifecycle, ("lead_unmerged", "from"), said, [lead, end]).await?;
    if change.leads().leads.get(&lead).is_some_and(|lead| lead.stage() != Stage::Anonymous) {
        let unmerged = Change { lead_id: lead, kind: Kind::Unmerged, at: now, data: json!({"from": end}) };
        outbox::publish(change.conn(), &lifecycle.ids, &[unmerged]).await?;
    }
    change.commit().await?;
    Ok(())
}

/// Writes an event into the logs of both leads. `as_what` is the name of the property that holds the second
/// lead.
async fn note(
    conn: &mut PgConnection,
    lifecycle: &Lifecycle,
    (kind, as_what): (&str, &str),
    said: &Said,
    leads: [LeadId; 2],
) -> sqlx::Result<()> {
    let [lead, other] = leads;
    let properties = Map::from_iter([
        ("lead_id".to_owned(), json!(lead)),
        (as_what.to_owned(), json!(other)),
        ("author".to_owned(), json!(said.author)),
        ("reason".to_owned(), json!(said.reason)),
    ]);
    let id = lifecycle.ids.next().to_string();
    let arrival = Arrival { at: lifecycle.clock.now(), api_key: Some(said.api_key) };
    let mut events = Vec::new();
    for lead in leads {
        if let Some(named) = leads::named(conn, lead, lead).await? {
            events.push(event(&id, kind, named, &properties, arrival)?);
        }
    }
    ingest::append(conn, &events).await
}

/// Makes the event that a lead's log gets about a merge or unmerge.
fn event(
    id: &str,
    kind: &str,
    named: Named,
    properties: &Map<String, Value>,
    arrival: Arrival,
) -> sqlx::Result<NewEvent> {
    let found = Found {
        id: Some(id.to_owned()),
        kind: kind.to_owned(),
        name: None,
        named,
        original_at: None,
        sent_at: None,
        corrected: true,
        properties: properties.clone(),
        traits: None,
        context: None,
        hint: None,
    };
    // If the event cannot be made, the merge fails, because every merge must be in the log.
    found.into_event(arrival, String::new).map_err(|why| sqlx::Error::Encode(why.detail.into()))
}

impl From<store::MergeRow> for Merge {
    fn from(row: store::MergeRow) -> Merge {
        Merge {
            id: row.id,
            lead_id: row.lead_id,
            into: row.into_lead_id,
            merged_at: row.merged_at,
            author: row.merged_by,
            reason: row.reason,
            undone_at: row.undone_at,
            undone_by: row.undone_by,
            undone_reason: row.undone_reason,
        }
    }
}
