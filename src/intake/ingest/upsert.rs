//! Upserts: identifies that enter the log only if they say something new.
//!
//! A writer locks the named leads before it decides, so nothing it compares can change before the commit. If
//! the same call comes twice at the same time, one call writes, and the other finds that nothing is new. A
//! lead that does not exist yet cannot be locked. If another transaction makes it in the meantime, the writer
//! notices that when it enters the event, and the batch begins again.
//!
//! An upsert that joins identities may change the leads that others of the same batch name. So those others
//! wait for the next transaction, in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use scoring::profile::Fold;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{
    commit::{Entered, Item, Place, Said, WriterContext, enter, id_conflict, lead_of, place},
    event::NewEvent,
    rejection::Rejection,
    store,
};
use crate::{
    leads::{self, LockedLeads, ResolveError},
    lifecycle::change::LeadChange,
    platform::ids::{IdentityId, LeadId},
};

/// The upserts of a request.
#[derive(Debug)]
pub struct Upserts {
    /// The upserts as events. Each names one lead.
    pub events: Vec<NewEvent>,
    /// The attributes that the caller has read. If the lead has other attributes now, nothing is written.
    /// `None`: no condition.
    pub seen: Option<Map<String, Value>>,
}

/// The result of an upsert.
#[derive(Debug, Clone, PartialEq)]
pub enum Upserted {
    /// The lead is new.
    Created(LeadId),
    /// An attribute has another value, or another identity belongs to the lead.
    Updated(LeadId),
    /// The lead is as it was: the upsert said what is known, or something older. Nothing was written.
    Unchanged(LeadId),
    /// The upsert was refused. Nothing was written.
    Rejected(Rejection),
}

/// An upsert, with the attributes that its caller has read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) event: &'a NewEvent,
    pub(super) seen: Option<&'a Map<String, Value>>,
}

/// What the writer does with an upsert.
enum Decision {
    /// Write it. The function gives the result. The identities are unknown so far, and this transaction must
    /// be the one that makes them.
    Write(fn(LeadId) -> Upserted, Vec<IdentityId>),
    /// Do not write it. This is the result.
    Settled(Upserted),
    /// Decide again after the others are committed.
    PutOff,
}

impl WriterContext {
    /// Decides about upserts, and writes the new ones in one transaction. Returns the result of each, in
    /// order. `None`: it must be tried again. The first upsert always has a result.
    pub(super) async fn upsert(&self, wishes: &[Wish<'_>]) -> Result<Vec<Option<Upserted>>, ResolveError> {
        let mut begun = LeadChange::begin(&self.lifecycle).await?;
        let mut table = Table::load(begun.conn(), wishes).await?;
        let decisions: Vec<Decision> = wishes.iter().map(|wish| table.decide(*wish)).collect();
        let written: Vec<Item<'_>> = wishes
            .iter()
            .zip(&decisions)
            .filter(|(_, decision)| matches!(decision, Decision::Write(..)))
            .map(|(wish, _)| Item { event: wish.event, want_lead: false })
            .collect();
        if written.is_empty() {
            begun.commit().await?;
            return Ok(decisions.into_iter().map(Decision::without_writing).collect());
        }
        let Entered { log, applied } = enter(begun, &written).await?;
        let mut outcomes = Vec::with_capacity(wishes.len());
        let mut index = 0;
        for (wish, decision) in wishes.iter().zip(decisions) {
            outcomes.push(match decision {
                Decision::Write(effect, unknown) => {
                    if !unknown.iter().all(|identity| applied.leads.claimed.contains(identity)) {
                        return Err(ResolveError::Changed);
                    }
                    let lead = lead_of(&applied.leads, wish.event).ok_or(ResolveError::Changed)?;
                    let outcome = match log.said(index, wish.event) {
                        Said::New => effect(lead),
                        Said::Before => Upserted::Unchanged(lead),
                        Said::Otherwise => Upserted::Rejected(id_conflict()),
                    };
                    index += 1;
                    Some(outcome)
                }
                Decision::Settled(outcome) => Some(outcome),
                Decision::PutOff => None,
            });
        }
        applied.commit().await?;
        self.types.note(&self.lifecycle.db, written.iter().map(|item| item.event.kind.as_str())).await;
        Ok(outcomes)
    }
}

impl Decision {
    /// The result of an upsert in a transaction that writes nothing.
    fn without_writing(self) -> Option<Upserted> {
        match self {
            Decision::Settled(outcome) => Some(outcome),
            Decision::PutOff | Decision::Write(..) => None,
        }
    }
}

/// What is known of the leads that the upserts of a transaction name. It is updated with each decision.
struct Table {
    locked: LockedLeads,
    profiles: BTreeMap<LeadId, Fold>,
    /// The digests of the events that the log has under the upserts' ids.
    logged: HashMap<Place, i64>,
    /// The identities and leads whose state is known only after the commit.
    open: (HashSet<IdentityId>, HashSet<LeadId>),
}

impl Table {
    /// Locks the named leads, and reads their attributes and the events under the upserts' ids.
    async fn load(conn: &mut PgConnection, wishes: &[Wish<'_>]) -> Result<Table, ResolveError> {
        let locked = leads::look_up(conn, wishes.iter().flat_map(|wish| wish.event.named.all())).await?;
        let known: Vec<LeadId> = locked.leads.keys().copied().collect();
        let profiles = leads::attributes_of(conn, &known).await?;
        let (identities, keys): (Vec<_>, Vec<_>) = wishes.iter().map(|wish| place(wish.event)).unzip();
        let logged = store::known(conn, &identities, &keys).await?;
        let logged = logged.into_iter().map(|one| ((one.identity_id, one.event_key), one.digest)).collect();
        Ok(Table { locked, profiles, logged, open: (HashSet::new(), HashSet::new()) })
    }

    /// Decides about one upsert, after the upserts before it.
    fn decide(&mut self, wish: Wish<'_>) -> Decision {
        let event = wish.event;
        let lead_at = |identity| self.locked.lead_at(identity, event.occurred_at);
        let named: Vec<IdentityId> = event.named.all().map(leads::identity::Identity::id).collect();
        let leads: BTreeSet<LeadId> = named.iter().filter_map(|identity| lead_at(*identity)).collect();
        let unknown: Vec<IdentityId> =
            named.iter().copied().filter(|identity| lead_at(*identity).is_none()).collect();
        let lead = lead_at(named[0]);
        if named.iter().any(|one| self.open.0.contains(one))
            || leads.iter().any(|one| self.open.1.contains(one))
        {
            self.leave_open(named, leads);
            return Decision::PutOff;
        }
        if let (Some(lead), Some(digest)) = (lead, self.logged.get(&place(event))) {
            let same = event.repeats(*digest);
            return Decision::Settled(if same {
                Upserted::Unchanged(lead)
            } else {
                Upserted::Rejected(id_conflict())
            });
        }
        if let Some(rejection) = self.objection(wish, lead) {
            return Decision::Settled(Upserted::Rejected(rejection));
        }
        let (Some(lead), true, 1) = (lead, unknown.is_empty(), leads.len()) else {
            let effect = if leads.is_empty() { Upserted::Created } else { Upserted::Updated };
            self.leave_open(named, leads);
            return Decision::Write(effect, unknown);
        };
        let before = self.profiles.entry(lead).or_default();
        let mut after = before.clone();
        let scored = event.as_scored();
        if !scored.facts().is_some_and(|facts| after.apply(facts, scored.occurred_at, scored.id)) {
            return Decision::Settled(Upserted::Unchanged(lead));
        }
        *before = after;
        Decision::Write(Upserted::Updated, Vec::new())
    }

    /// Returns why an upsert of this lead is refused, if it is: an address belongs to another user id, or the
    /// caller's condition fails.
    fn objection(&self, wish: Wish<'_>, lead: Option<LeadId>) -> Option<Rejection> {
        let event = wish.event;
        for (email, user) in event.named.links() {
            let owner = self.locked.owner_of(email.id());
            let elsewhere = self.locked.lead_at(email.id(), event.occurred_at) != lead;
            if elsewhere && owner.is_some_and(|owner| owner != user.id()) {
                let detail = "the e-mail address belongs to a lead with another user id, which claimed the address first";
                return Some(Rejection::new("identity_conflict", detail));
            }
        }
        let profile =
            lead.and_then(|lead| self.profiles.get(&lead)).map(Fold::to_profile).unwrap_or_default();
        wish.seen
            .is_some_and(|seen| *seen != profile)
            .then(|| Rejection::new("precondition_failed", "the lead has changed since it was read"))
    }

    /// Notes that the state of these identities and leads is known only after the commit.
    fn leave_open(&mut self, named: Vec<IdentityId>, leads: BTreeSet<LeadId>) {
        self.open.0.extend(named);
        self.open.1.extend(leads);
    }
}
