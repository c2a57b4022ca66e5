//! Brings an identity that an earlier release stored in another form into its normal form. The identity is
//! renamed, or joined with the identity that already has the normal form.
//!
//! The links and words of consent of the old form become those of the normal form. The spans of the normal
//! form, and of all identities that follow it, are computed again from the links. Leads that have no identity
//! left become signposts, as with every join.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    ResolveError, Span,
    identity::{Fact, Identity, Kind, beginning},
    joining::Changing,
    locked::{IdentityOwner, LockedLeads},
    store,
};
use crate::platform::ids::IdentityId;

/// An identity that must get its normal form. Its row is locked until the transaction ends.
#[derive(Debug)]
pub struct Respelling {
    /// The id of the identity in its old form.
    pub old: IdentityId,
    /// The identity in its normal form.
    pub new: Identity,
}

impl Respelling {
    /// Locks an identity by its id. Returns `None` if it already has its normal form, cannot get one, or is a
    /// placeholder. A placeholder stays as it is, because its events belong to many people and to no single
    /// person.
    pub async fn hold(
        conn: &mut PgConnection,
        old: IdentityId,
        now: DateTime<Utc>,
    ) -> Result<Option<Respelling>, ResolveError> {
        store::lock_identities(conn, &[old]).await?;
        let Some(new) = store::identity(conn, old).await? else { return Ok(None) };
        if new.id() == old || new.is_placeholder() {
            return Ok(None);
        }
        store::insert_normal_identity(conn, old, &new, now).await?;
        store::lock_identities(conn, &[new.id()]).await?;
        Ok(Some(Respelling { old, new }))
    }

    /// Moves everything that is stored for the old form to the normal form. Returns the affected leads,
    /// locked. Leads in `moved` must be replayed.
    pub async fn carry_out(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<LockedLeads, ResolveError> {
        let (old, new) = (self.old, self.new.id());
        let followers = store::followers(conn, &[old, new]).await?;
        let mut locked = LockedLeads::about(std::iter::once(&self.new));
        let everybody: BTreeSet<IdentityId> =
            followers.iter().map(|(_, follower)| *follower).chain([old, new]).collect();
        locked.read(conn, &everybody.into_iter().collect::<Vec<_>>()).await?;
        locked.settle(conn).await?;

        store::rename_facts(conn, old, new).await?;
        store::rename_spans(conn, old, new).await?;
        let before = locked.spans.remove(&old);
        let follows = |span: &&mut Span| span.parent_id == Some(old);
        for span in locked.spans.values_mut().flatten().filter(follows) {
            span.parent_id = Some(new);
        }

        let mut changing = Changing::default();
        self.take_over(conn, &mut changing, &mut locked, before.unwrap_or_default()).await?;
        for (kind, follower) in followers.into_iter().filter(|(_, follower)| ![old, new].contains(follower)) {
            follow_again(conn, &mut changing, &mut locked, (kind, follower), new).await?;
        }
        changing.write(conn, &mut locked, now).await?;
        store::remember_former(conn, old, new).await?;
        store::forget_identity(conn, old).await?;
        Ok(locked)
    }

    /// Gives the normal form its spans. `before` are the spans of the old form.
    async fn take_over(
        &self,
        conn: &mut PgConnection,
        changing: &mut Changing,
        locked: &mut LockedLeads,
        before: Vec<Span>,
    ) -> Result<(), ResolveError> {
        let new = self.new.id();
        let known = locked.spans.get(&new).cloned().unwrap_or_default();
        let leads = known.iter().chain(&before).map(|span| span.lead_id);
        locked.moved.extend(leads);
        let own = |span: &Span| span.parent_id.filter(|parent| *parent != new);
        match (known.first(), before.first()) {
            (None, None) => return Ok(()),
            (Some(_), None) => {}
            (None, Some(_)) => {
                let spans =
                    before.iter().map(|span| Span { identity_id: new, parent_id: own(span), ..*span });
                changing.set(locked, new, spans.collect());
            }
            (Some(one), Some(other)) => {
                let parent_id = own(one).or(own(other));
                if self.new.kind() == Kind::UserId || parent_id.is_none() {
                    let owner = changing
                        .unite(conn, locked, IdentityOwner::of(one), IdentityOwner::of(other))
                        .await?;
                    let span = Span {
                        identity_id: new,
                        since: beginning(),
                        until: None,
                        lead_id: owner.lead,
                        home: owner.home,
                        parent_id,
                    };
                    changing.set(locked, new, vec![span]);
                }
            }
        }
        self.follow(conn, changing, locked).await?;
        changing.leave(locked, new, &before);
        Ok(())
    }

    /// Computes whom the normal form follows, from the links of both forms.
    async fn follow(
        &self,
        conn: &mut PgConnection,
        changing: &mut Changing,
        locked: &mut LockedLeads,
    ) -> Result<(), ResolveError> {
        let new = self.new.id();
        let mut facts = facts_of(conn, &[new]).await?.remove(&new).unwrap_or_default();
        if facts.is_empty() {
            return Ok(());
        }
        changing.load_parents(conn, locked, &facts).await?;
        if self.new.kind() != Kind::UserId {
            return changing.follow(conn, locked, self.new.kind(), new, &mut facts).await;
        }
        for fact in facts {
            changing.join_leads(conn, locked, new, fact.parent).await?;
        }
        Ok(())
    }
}

/// Computes the spans of a follower again from its links, because some of its links now have another parent.
async fn follow_again(
    conn: &mut PgConnection,
    changing: &mut Changing,
    locked: &mut LockedLeads,
    (kind, follower): (Kind, IdentityId),
    parent: IdentityId,
) -> Result<(), ResolveError> {
    if !locked.spans.contains_key(&follower) {
        // Nobody is known by this former user id.
        return Ok(());
    }
    if kind == Kind::UserId {
        return changing.join_leads(conn, locked, follower, parent).await;
    }
    let mut facts = facts_of(conn, &[follower]).await?.remove(&follower).unwrap_or_default();
    changing.follow(conn, locked, kind, follower, &mut facts).await
}

async fn facts_of(
    conn: &mut PgConnection,
    children: &[IdentityId],
) -> sqlx::Result<BTreeMap<IdentityId, Vec<Fact>>> {
    let mut facts: BTreeMap<IdentityId, Vec<Fact>> = BTreeMap::new();
    for row in store::links_of(conn, children).await? {
        facts.entry(row.identity_id).or_default().push(Fact { at: row.at, parent: row.parent_id });
    }
    Ok(facts)
}
