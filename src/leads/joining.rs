//! Joins identities: records links and moves the spans that the links change.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Cause, Mention, ResolveError, Span, Why,
    identity::{Fact, Kind, fold},
    locked::{IdentityOwner, LockedLeads},
    merging::hand_over,
    store,
};
use crate::platform::ids::{IdentityId, LeadId};

/// Records the links of new events, and moves the spans that these links change. `waiting` are links of
/// earlier aliases that take effect only now.
pub(super) async fn link(
    conn: &mut PgConnection,
    mentions: &[Mention<'_>],
    waiting: Vec<(Kind, IdentityId, Fact)>,
    locked: &mut LockedLeads,
    now: DateTime<Utc>,
) -> Result<(), ResolveError> {
    let mut facts: Vec<(Kind, IdentityId, Fact)> = mentions
        .iter()
        .flat_map(|mention| mention.links().iter().map(|(child, parent)| (mention.at, child, parent.id())))
        .map(|(at, child, parent)| (child.kind(), child.id(), Fact { at, parent }))
        .chain(waiting)
        .collect();
    if facts.is_empty() {
        return Ok(());
    }
    // E-mail addresses before devices: a device may follow an address that only now follows a user id.
    facts.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    facts.dedup();
    let children: Vec<IdentityId> = facts.iter().map(|(_, child, _)| *child).collect();
    let at: Vec<DateTime<Utc>> = facts.iter().map(|(_, _, fact)| fact.at).collect();
    let parents: Vec<IdentityId> = facts.iter().map(|(_, _, fact)| fact.parent).collect();
    let addresses: Vec<bool> = facts.iter().map(|(kind, ..)| *kind == Kind::Email).collect();
    store::insert_links(conn, &children, &addresses, &at, &parents).await?;

    let mut changing = Changing::default();
    for (_, child, fact) in facts.iter().filter(|(kind, ..)| *kind == Kind::UserId) {
        if !locked.spans.contains_key(child) {
            // Nobody is known by this user id yet, so the alias waits.
            continue;
        }
        changing.load_parents(conn, locked, &[*fact]).await?;
        changing.join_leads(conn, locked, *child, fact.parent).await?;
    }
    let refold: Vec<(Kind, IdentityId)> = news(&facts, locked);
    let wanted: Vec<IdentityId> = refold.iter().map(|(_, child)| *child).collect();
    let mut known: HashMap<IdentityId, Vec<Fact>> = HashMap::new();
    for row in store::links_of(conn, &wanted).await? {
        known.entry(row.identity_id).or_default().push(Fact { at: row.at, parent: row.parent_id });
    }
    for (kind, child) in refold {
        let mut facts = known.remove(&child).unwrap_or_default();
        changing.follow(conn, locked, kind, child, &mut facts).await?;
    }
    changing.write(conn, locked, now).await
}

/// The identities whose spans these links may change. An identity that already follows the same parent at all
/// times is left out.
fn news(facts: &[(Kind, IdentityId, Fact)], locked: &LockedLeads) -> Vec<(Kind, IdentityId)> {
    let unchanged = |child: &IdentityId, parent: IdentityId| match locked.spans.get(child).map(Vec::as_slice)
    {
        Some([span]) => span.parent_id == Some(parent),
        _ => false,
    };
    let mut refold: Vec<(Kind, IdentityId)> = facts
        .iter()
        .filter(|(kind, child, fact)| *kind != Kind::UserId && !unchanged(child, fact.parent))
        .map(|(kind, child, _)| (*kind, *child))
        .collect();
    refold.dedup();
    refold
}

/// A lead that loses identities whose home it was, and where they went.
#[derive(Clone, Copy)]
struct Loss {
    /// The lead for which the identities counted: the home itself, unless it was merged into another lead.
    lead: LeadId,
    heir: IdentityOwner,
}

/// The spans to write, and the leads that lose or gain identities.
#[derive(Default)]
pub(super) struct Changing {
    spans: BTreeMap<IdentityId, Vec<Span>>,
    losing: BTreeMap<LeadId, Loss>,
    touched: BTreeSet<LeadId>,
}

impl Changing {
    /// Gives an identity new spans. If the spans are the same as before, as when an alias is repeated,
    /// nothing changes. If only the parent is new, the lead is not replayed.
    pub(super) fn set(&mut self, locked: &mut LockedLeads, identity: IdentityId, spans: Vec<Span>) {
        if locked.spans.get(&identity) == Some(&spans) {
            return;
        }
        let before = locked.spans.insert(identity, spans.clone()).unwrap_or_default();
        for span in &before {
            if let Some(heir) = spans.iter().find(|one| one.home != span.home).map(IdentityOwner::of) {
                self.losing.insert(span.home, Loss { lead: span.lead_id, heir });
            }
        }
        let place = |span: &Span| (span.since, span.until, span.lead_id);
        if !before.iter().map(place).eq(spans.iter().map(place)) && !before.is_empty() {
            locked.moved.extend(before.iter().chain(&spans).map(|span| span.lead_id));
        }
        if locked.waited.contains(&identity) {
            locked.moved.extend(spans.iter().map(|span| span.lead_id));
        }
        locked.named.extend(spans.iter().map(|span| span.lead_id));
        self.touched.extend(before.iter().map(|span| span.lead_id));
        self.spans.insert(identity, spans);
    }

    /// Joins the leads of two user ids, because an alias says that they are one person.
    pub(super) async fn join_leads(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        former: IdentityId,
        current: IdentityId,
    ) -> Result<(), ResolveError> {
        let (Some(from), Some(into)) = (locked.only_lead(former), locked.only_lead(current)) else {
            return Ok(());
        };
        self.bring_home(conn, locked, from, into).await?;
        let mut spans = locked.spans[&former].clone();
        for span in &mut spans {
            span.parent_id = Some(current);
        }
        self.set(locked, former, spans);
        Ok(())
    }

    /// Joins two identities that follow nobody. The later lead goes into the earlier one. Returns the owner
    /// that remains.
    pub(super) async fn unite(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        one: IdentityOwner,
        other: IdentityOwner,
    ) -> Result<IdentityOwner, ResolveError> {
        let (from, into) = if one.home < other.home { (other, one) } else { (one, other) };
        self.bring_home(conn, locked, from, into).await
    }

    /// Moves everything whose home is one lead to the home of the other. Returns the owner that everything
    /// moved to.
    async fn bring_home(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        from: IdentityOwner,
        into: IdentityOwner,
    ) -> Result<IdentityOwner, ResolveError> {
        if from.home == into.home {
            return Ok(into);
        }
        // A lead that was merged by hand stays merged, so the other lead moves to it.
        let stays = from.lead != from.home && into.lead == into.home;
        let (from, into) = if stays { (into, from) } else { (from, into) };
        self.load(conn, locked, &[], &[from.lead]).await?;
        let everything: Vec<IdentityId> = locked
            .spans
            .iter()
            .filter(|(_, spans)| spans.iter().any(|span| span.home == from.home))
            .map(|(identity, _)| *identity)
            .collect();
        for identity in everything {
            let mut spans = locked.spans[&identity].clone();
            for span in spans.iter_mut().filter(|span| span.home == from.home) {
                (span.lead_id, span.home) = (into.lead, into.home);
            }
            self.set(locked, identity, spans);
        }
        Ok(into)
    }

    /// Notes that an identity with these spans is gone, and that the identity `place` has replaced it.
    pub(super) fn leave(&mut self, locked: &mut LockedLeads, place: IdentityId, before: &[Span]) {
        let taken = locked.spans.get(&place).cloned().unwrap_or_default();
        for span in before {
            if let Some(heir) = taken.iter().find(|one| one.home != span.home).map(IdentityOwner::of) {
                self.losing.insert(span.home, Loss { lead: span.lead_id, heir });
            }
        }
        locked.moved.extend(before.iter().chain(&taken).map(|span| span.lead_id));
        self.touched.extend(before.iter().map(|span| span.lead_id));
    }

    /// Computes an identity's spans again from its links. Identities that follow an e-mail address move with
    /// the address.
    pub(super) async fn follow(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        kind: Kind,
        child: IdentityId,
        facts: &mut [Fact],
    ) -> Result<(), ResolveError> {
        self.load_parents(conn, locked, facts).await?;
        let before = locked.only_lead(child);
        let mut spans = Vec::new();
        for stretch in fold(kind, facts) {
            let IdentityOwner { lead, home } =
                locked.only_lead(stretch.parent).ok_or(ResolveError::Changed)?;
            spans.push(Span {
                identity_id: child,
                since: stretch.since,
                until: stretch.until,
                lead_id: lead,
                home,
                parent_id: Some(stretch.parent),
            });
        }
        let after = spans.first().map(IdentityOwner::of);
        self.set(locked, child, spans);
        let (Kind::Email, Some(after)) = (kind, after) else { return Ok(()) };
        if before.is_some_and(|before| before.home != after.home) {
            self.bring_along(conn, locked, child, after).await?;
        }
        Ok(())
    }

    async fn bring_along(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        email: IdentityId,
        to: IdentityOwner,
    ) -> Result<(), ResolveError> {
        self.load(conn, locked, &[email], &[]).await?;
        let followers: Vec<IdentityId> = locked
            .spans
            .iter()
            .filter(|(_, spans)| spans.iter().any(|span| span.parent_id == Some(email)))
            .map(|(identity, _)| *identity)
            .collect();
        for follower in followers {
            let mut spans = locked.spans[&follower].clone();
            for span in spans.iter_mut().filter(|span| span.parent_id == Some(email)) {
                (span.lead_id, span.home) = (to.lead, to.home);
            }
            self.set(locked, follower, spans);
        }
        Ok(())
    }

    /// Reads and locks the identities that follow these parents or belong to these leads. The batch itself
    /// may not name them.
    async fn load(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        parents: &[IdentityId],
        leads: &[LeadId],
    ) -> Result<(), ResolveError> {
        let found = store::identities_following(conn, parents, leads).await?;
        let unknown: Vec<IdentityId> =
            found.into_iter().filter(|identity| !locked.spans.contains_key(identity)).collect();
        locked.read(conn, &unknown).await?;
        locked.settle(conn).await
    }

    pub(super) async fn load_parents(
        &mut self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        facts: &[Fact],
    ) -> Result<(), ResolveError> {
        let unknown: BTreeSet<IdentityId> =
            facts.iter().map(|fact| fact.parent).filter(|id| !locked.spans.contains_key(id)).collect();
        locked.read(conn, &unknown.into_iter().collect::<Vec<_>>()).await?;
        locked.settle(conn).await
    }

    /// Writes the spans, and turns leads that have no identity left into signposts.
    pub(super) async fn write(
        self,
        conn: &mut PgConnection,
        locked: &mut LockedLeads,
        now: DateTime<Utc>,
    ) -> Result<(), ResolveError> {
        if self.spans.is_empty() && self.touched.is_empty() {
            return Ok(());
        }
        let spans: Vec<Span> = self.spans.into_values().flatten().collect();
        store::replace_spans(conn, &spans).await?;
        for id in &self.touched {
            if let Some(lead) = locked.leads.get_mut(id) {
                lead.epoch += 1;
            }
        }
        let (homes, leads): (Vec<LeadId>, Vec<LeadId>) =
            self.losing.iter().map(|(home, loss)| (*home, loss.lead)).unzip();
        let kept: HashSet<LeadId> = store::with_identities(conn, &homes, &leads).await?.into_iter().collect();
        let left: BTreeMap<LeadId, Loss> =
            self.losing.into_iter().filter(|(home, _)| !kept.contains(home)).collect();
        let mut gone = Vec::new();
        for (home, loss) in &left {
            let heir = last_heir(&left, *home);
            if loss.lead != *home {
                store::redirect(conn, *home, heir.home, now).await?;
            } else if heir.lead != *home {
                bequeath(conn, locked, *home, heir.lead).await?;
                hand_over(locked, *home, heir.home, heir.lead, &Why::rule(Cause::Merge, now));
                gone.push(*home);
            }
        }
        store::delete_profiles(conn, &gone).await?;
        Ok(())
    }
}

/// Moves what was merged by hand into a lead that is now gone to the lead that took its place.
async fn bequeath(
    conn: &mut PgConnection,
    locked: &mut LockedLeads,
    from: LeadId,
    to: LeadId,
) -> sqlx::Result<()> {
    store::move_spans(conn, from, to).await?;
    locked.moved.insert(to);
    for span in locked.spans.values_mut().flatten().filter(|span| span.lead_id == from) {
        span.lead_id = to;
    }
    Ok(())
}

/// The owner with which a lead's identities ended up, if several leads became one in the same batch.
fn last_heir(left: &BTreeMap<LeadId, Loss>, from: LeadId) -> IdentityOwner {
    let mut heir = left[&from].heir;
    for _ in 0..left.len() {
        let next = |lead: LeadId| left.get(&lead).map(|loss| loss.heir);
        if let Some(next) = next(heir.home) {
            heir = next;
        } else if let Some(next) = next(heir.lead) {
            heir.lead = next.lead;
        }
    }
    heir
}
