//! Erasing a person.
//!
//! The guarantees:
//!
//! - One transaction removes everything about the person: events, identities, attributes, scores, handoffs, answers,
//!   merges, and all leads that were the person.
//! - On a device that several people used, the other people keep what is theirs.
//! - Counts stay: passages and outcomes remain, without any text, under an id that is nobody's.
//! - A refusal stays: the hash of an address says that the address must not be written to. The address cannot
//!   be read from the hash.
//! - A person who comes again afterwards is a new lead.

pub mod api;
mod store;

use serde_json::json;
use sqlx::PgConnection;

use crate::{
    feed::outbox::{self, Change, Kind},
    leads::{
        self, Stage,
        consent::{self, Channel, State, Word},
        identity::Identity,
    },
    lifecycle::Lifecycle,
    models,
    platform::{
        db,
        ids::{EventKey, LeadId},
    },
    scores,
};

/// Erases the person whom a lead stands for. Returns false if there is no such lead.
pub(crate) async fn erase(lifecycle: &Lifecycle, lead: LeadId) -> sqlx::Result<bool> {
    db::retrying(|| try_to_erase(lifecycle, lead)).await
}

/// Erases the person to whom an identity belongs. Does nothing if no lead has the identity.
pub(crate) async fn erase_named(lifecycle: &Lifecycle, identity: &Identity) -> sqlx::Result<()> {
    let lead = leads::lead_of(&mut *lifecycle.db.acquire().await?, identity.id()).await?;
    if let Some(lead) = lead {
        erase(lifecycle, lead).await?;
    }
    Ok(())
}

/// Erases the person in one transaction. Fails if another transaction changes the same rows; the caller tries
/// again.
async fn try_to_erase(lifecycle: &Lifecycle, lead: LeadId) -> sqlx::Result<bool> {
    let mut tx = models::begin(&lifecycle.db).await?;
    let Some((heir, locked)) = leads::lock_heir(&mut tx, lead).await? else { return Ok(false) };
    let family: Vec<LeadId> = leads::family(&mut tx, heir).await?.iter().map(|lead| lead.id).collect();
    leads::lock_rows(&mut tx, &family).await?;

    let own = store::own_identities(&mut tx, heir).await?;
    let shared = store::shared_identities(&mut tx, heir).await?;
    let refused = refused(lifecycle, &mut tx, heir).await?;
    store::delete_events(&mut tx, heir).await?;
    store::delete_spans(&mut tx, heir).await?;
    store::close_gaps(&mut tx, &shared, leads::identity::beginning()).await?;
    store::delete_links(&mut tx, &own).await?;
    store::delete_permissions(&mut tx, &own).await?;
    if let Some(word) = refused {
        store::refuse_mails(&mut tx, &own, word, EventKey::of(&heir.to_string())).await?;
    }
    store::delete_identities(&mut tx, &own).await?;
    store::silence_passages(&mut tx, &family).await?;
    store::silence_outcomes(&mut tx, &family).await?;
    store::silence_claims(&mut tx, &family).await?;
    store::delete_records(&mut tx, &family).await?;
    store::delete_leads(&mut tx, &family).await?;

    if locked.leads.get(&heir).is_some_and(|lead| lead.stage() != Stage::Anonymous) {
        let change = Change { lead_id: heir, kind: Kind::Erased, at: lifecycle.clock.now(), data: json!({}) };
        outbox::publish(&mut tx, &lifecycle.ids, &[change]).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Returns the person's refusal of mails, if there is one: the consent for e-mail, or else the request not to
/// be contacted.
///
/// A bounce is no refusal: it says something about one address, not about the person.
async fn refused(lifecycle: &Lifecycle, conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<Word>> {
    let channels = consent::of_leads(conn, &[lead]).await?.remove(&lead).unwrap_or_default();
    let said = channels.get(&Channel::Email).filter(|word| word.state >= State::Withdrawn);
    let live = lifecycle.live.scored(conn).await?.live.id;
    let silent = scores::not_to_be_contacted(conn, live, &[lead]).await?.contains(&lead);
    let now = || Word { state: State::Withdrawn, since: lifecycle.clock.now() };
    Ok(said.copied().or_else(|| silent.then(now)))
}
