//! Upserts: identifies of which only those enter the log that say something new.
//!
//! The leads that are named are locked before it is decided, so what is compared is what is so until the commit: of the same
//! call twice at once, one writes and the other finds that it is known. What is not known yet cannot be locked; whether it was
//! somebody else who made it in between is seen when it is entered, and then the batch begins again.
//!
//! An upsert that joins identities leaves open what it leads to, so others of the same batch that name one of them are put
//! off to the next transaction, in their order.

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

/// Identifies, of which those that say nothing new are left out.
#[derive(Debug)]
pub struct Upserts {
    /// What is said; each names one lead.
    pub events: Vec<NewEvent>,
    /// The attributes on which the caller goes: if the lead has others by now, nothing is written.
    pub seen: Option<Map<String, Value>>,
}

/// What became of an upsert.
#[derive(Debug, Clone, PartialEq)]
pub enum Upserted {
    /// The lead is new.
    Created(LeadId),
    /// An attribute has another value, or an identity has joined.
    Updated(LeadId),
    /// The lead is as it was: what was said is known, or older than what is known. Nothing was written.
    Unchanged(LeadId),
    /// Nothing was written.
    Rejected(Rejection),
}

/// An upsert, and the attributes on which its caller goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) event: &'a NewEvent,
    pub(super) seen: Option<&'a Map<String, Value>>,
}

enum Decision {
    /// It is written, and leads to this if it makes the identities that are not known yet.
    Write(fn(LeadId) -> Upserted, Vec<IdentityId>),
    /// It is not written.
    Settled(Upserted),
    /// It is looked at again once the others are committed.
    PutOff,
}

impl WriterContext {
    /// Decides on upserts and writes what is new in one transaction; those that come back without an outcome are to be
    /// asked again. The first never is one of them.
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
    /// The outcome of an upsert in a transaction that writes nothing.
    fn without_writing(self) -> Option<Upserted> {
        match self {
            Decision::Settled(outcome) => Some(outcome),
            Decision::PutOff | Decision::Write(..) => None,
        }
    }
}

/// What is known of everything that the upserts of a transaction name, and what becomes of it.
struct Table {
    locked: LockedLeads,
    profiles: BTreeMap<LeadId, Fold>,
    /// The events that are known under the upserts' ids, by their digests.
    logged: HashMap<Place, i64>,
    /// Identities and leads of which it is only known after the commit how they stand.
    open: (HashSet<IdentityId>, HashSet<LeadId>),
}

impl Table {
    async fn load(conn: &mut PgConnection, wishes: &[Wish<'_>]) -> Result<Table, ResolveError> {
        let locked = leads::look_up(conn, wishes.iter().flat_map(|wish| wish.event.named.all())).await?;
        let known: Vec<LeadId> = locked.leads.keys().copied().collect();
        let profiles = leads::attributes_of(conn, &known).await?;
        let (identities, keys): (Vec<_>, Vec<_>) = wishes.iter().map(|wish| place(wish.event)).unzip();
        let logged = store::known(conn, &identities, &keys).await?;
        let logged = logged.into_iter().map(|one| ((one.identity_id, one.event_key), one.digest)).collect();
        Ok(Table { locked, profiles, logged, open: (HashSet::new(), HashSet::new()) })
    }

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

    /// Why an upsert that names this lead first is not taken.
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

    fn leave_open(&mut self, named: Vec<IdentityId>, leads: BTreeSet<LeadId>) {
        self.open.0.extend(named);
        self.open.1.extend(leads);
    }
}
