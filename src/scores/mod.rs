//! Scores kept: what is stored of a lead always equals a replay of its log.
//!
//! - *Tally*: the bounded state to which a lead's events are added, one for each model.
//! - *Standing*: what is stored of a lead under a model, including the tally.
//!
//! Standings change only by [`apply`]: for new events, for identities that moved, at an instant at which the score
//! changes by itself, or because another model decides. [`apply`] runs in the caller's transaction, on leads that the
//! caller has locked. It keeps the standings under every version that leads are scored by. Only the live version
//! decides on stages. [`rebuild()`] makes the standings of a version that is being prepared.
//!
//! A standing is *outdated* if older semantics made it ([`scoring::SEMANTICS`]). It is served as it is, and no event
//! is added to it. The next change of the lead replays the log, including the attributes. The sweep `renew` replays
//! all other outdated leads.

pub mod api;
mod changes;
mod doubts;
mod evidence;
mod held;
pub mod jobs;
mod log;
mod offers;
mod pass;
mod person;
mod rebuild;
mod rollback;
mod sheet;
mod store;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, Utc};
use scoring::{EventRef, Score, Tally};
use sqlx::PgConnection;

pub use changes::tell_consents;
pub use evidence::Evidence;
pub use held::{Held, hold};
pub use log::{History, read as read_log};
pub use offers::{ByHand, offer};
pub use pass::{Pass, Prepared};
pub use person::{MOST_ATTRIBUTES, MOST_BYTES, Overfull, is_swollen, overfull};
pub use rebuild::rebuild;

use person::People;
use rollback::Moves;
use sheet::{Circumstances, Sheet};

use crate::{
    ids::{LeadId, ModelId},
    leads::{Lead, Resolved, Stage},
    models::Covers,
    outbox,
    policy::Label,
    qualification::{self, Decided, Frame, Look, Occasion, Transition},
};

/// The events that have just entered the log, by the lead for which they count.
pub type Additions<'a> = BTreeMap<LeadId, Vec<EventRef<'a>>>;

/// A lead's standing under a model, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whose.
    pub lead_id: LeadId,
    /// The lead's stage.
    pub stage: Stage,
    /// Whether the person asked not to be contacted, and has not asked for contact since.
    pub do_not_contact: bool,
    /// As published.
    pub score: i32,
    /// In milli-points, before the score's own bounds.
    pub raw: i64,
    /// In milli-points.
    pub fit: i64,
    /// In milli-points.
    pub engagement: i64,
    /// Such as `A1`.
    pub grade: String,
    /// Such as `hot`.
    pub band: String,
    /// The instant for which the numbers hold.
    pub as_of: DateTime<Utc>,
    /// When the score changes if nothing happens.
    pub next_change_at: Option<DateTime<Utc>>,
    /// When to look again: then, or when a dwell ends.
    pub due_at: Option<DateTime<Utc>>,
    /// When the person last did something.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When the lead first did something: the earliest of its events that count; none: there is no such event.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// Whether it is an MQL for having asked for sales.
    pub hand_raised: bool,
    /// When the person last asked for sales, by this version.
    pub hand_raised_at: Option<DateTime<Utc>>,
    /// When anything changed that a reader sees.
    pub updated_at: DateTime<Utc>,
    tally: Vec<u8>,
}

/// Brings the standings of locked leads up to date: adds what is new, replays what moved, decides on stages, and
/// writes it all back. What comes back is each lead's standing under the live model.
pub async fn apply(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &mut Resolved,
    additions: &Additions<'_>,
) -> sqlx::Result<BTreeMap<LeadId, Standing>> {
    let mut live = Sheet::load(conn, frame.live(), Covers::All, resolved).await?;
    let mut others = Vec::with_capacity(frame.scored.others.len());
    for other in &frame.scored.others {
        others.push(Sheet::load(conn, &other.version, other.covers, resolved).await?);
    }
    let stale = live.stale().chain(others.iter().flat_map(Sheet::stale)).collect();
    let outdated = live.outdated().chain(others.iter().flat_map(Sheet::outdated)).collect();
    let people = People::load(conn, resolved, additions, &stale, &outdated).await?;

    let mut moves = Moves::default();
    let given = Circumstances { now: frame.now, leads: resolved, people: &people, additions };
    let waiting = waiting(frame, given, &live);
    let mut passages = settle(conn, frame, resolved, (&waiting, &people), &mut moves).await?;
    for sheet in std::iter::once(&mut live).chain(&mut others) {
        sheet.take(Circumstances { now: frame.now, leads: resolved, people: &people, additions });
    }
    let given = Circumstances { now: frame.now, leads: resolved, people: &people, additions };
    let looks = looks(conn, frame, given, &live).await?;
    let dwells = decide(frame, resolved, (&live, additions), &looks, (&mut passages, &mut moves));

    let given = Circumstances { now: frame.now, leads: resolved, people: &people, additions };
    let standings = live.write(conn, given, &dwells).await?;
    for other in &others {
        other.write(conn, given, &BTreeMap::new()).await?;
    }
    people.write(conn).await?;
    people.write_words(conn, resolved).await?;
    let changes = changes::of(frame, (&live, &people), standings.values(), resolved);
    outbox::publish(conn, frame.ids, &changes).await?;
    store::delete(conn, &resolved.gone.keys().copied().collect::<Vec<_>>()).await?;
    resolved.save(conn).await?;
    qualification::record(conn, frame.ids, &passages).await?;
    let touched = offers::follow(conn, frame, resolved, (&live, &moves.put_back), &passages).await?;
    moves.keep(conn, frame, &passages, touched).await?;
    Ok(standings)
}

/// The leads whose stages nobody has looked at since a model went live, or newer semantics came, before anything new is added:
/// what comes of that is the model's doing.
fn waiting<'a>(
    frame: Frame<'_>,
    given: Circumstances<'_>,
    live: &'a Sheet<'_>,
) -> BTreeMap<LeadId, (Cow<'a, Tally>, Score)> {
    let mut waiting = BTreeMap::new();
    for (id, state) in &live.states {
        let (before, lead) = (given.leads.before(*id), given.leads.leads.get(id));
        // A lead that has been moved on, by joining or on somebody's word, has passed by that.
        if before.map(Lead::stage) != lead.map(Lead::stage) {
            continue;
        }
        let awaiting = frame.scored.settling.and_then(|settling| state.awaiting(*id, &settling));
        let renewed = || live.renewed(*id, given).map(Cow::Owned);
        if let Some(tally) = awaiting.map(Cow::Borrowed).or_else(renewed) {
            let score = live.evaluate(&tally, state.as_of(frame.now));
            waiting.insert(*id, (tally, score));
        }
    }
    waiting
}

/// Decides on the leads that wait, by what the model says. After a rollback a lead to which nothing has happened is put back.
async fn settle(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &mut Resolved,
    (waiting, people): (&BTreeMap<LeadId, (Cow<'_, Tally>, Score)>, &People),
    moves: &mut Moves,
) -> sqlx::Result<Vec<Transition>> {
    let settling = |id: &LeadId| frame.scored.settling.filter(|settling| settling.awaits(*id));
    let ids: Vec<LeadId> = waiting.keys().copied().filter(|id| settling(id).is_some()).collect();
    let mut noted = rollback::noted(conn, frame, &ids).await?;
    let looks = waiting.iter().map(|(id, (tally, score))| (*id, tally.as_ref(), score));
    let excluded = people.excluded(conn, frame, resolved, looks).await?;
    let mut passages = Vec::new();
    for (id, (tally, score)) in waiting {
        let Some(lead) = resolved.leads.get_mut(id) else { continue };
        let before = lead.clone();
        let made = if let Some(note) = noted.remove(id).filter(|note| lead.stands_as(&note.left_as)) {
            moves.put_back.insert(*id, note.offers);
            qualification::put_back(frame, lead, &note.stood, score)
        } else {
            // Whether sales is offered what a publish makes was said with it; what newer semantics make is not offered.
            let offers = settling(id).is_some_and(|settling| settling.offers);
            let look = Look { score, tally, excluded: excluded.get(id).copied(), unfounded: false };
            let occasion = Occasion::ModelChange { offers };
            qualification::advance(frame, occasion, lead, look).transitions
        };
        // A rollback takes back what a version did, and not what newer semantics do.
        if settling(id).is_some() {
            moves.look(before, lead, &made);
        }
        passages.extend(made);
    }
    Ok(passages)
}

/// What the policy and the log say of leads that the model alone does not.
#[derive(Debug)]
struct Looks {
    excluded: BTreeMap<LeadId, Label>,
    unfounded: BTreeSet<LeadId>,
}

async fn looks(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    given: Circumstances<'_>,
    live: &Sheet<'_>,
) -> sqlx::Result<Looks> {
    let looks = live.scored().map(|(id, state, score)| (id, &state.tally, score));
    let excluded = given.people.excluded(conn, frame, given.leads, looks).await?;
    let unfounded = doubts::unfounded(conn, frame, given.leads).await?;
    Ok(Looks { excluded, unfounded })
}

/// Decides on each lead's stage; when those whose dwell is running are to be looked at again.
fn decide(
    frame: Frame<'_>,
    resolved: &mut Resolved,
    (live, additions): (&Sheet<'_>, &Additions<'_>),
    looks: &Looks,
    (passages, moves): (&mut Vec<Transition>, &mut Moves),
) -> BTreeMap<LeadId, DateTime<Utc>> {
    let mut dwells = BTreeMap::new();
    for (id, state, score) in live.scored() {
        let untouched = !additions.contains_key(&id) && !resolved.moved.contains(&id);
        let quiet = untouched && (moves.has(id) || resolved.before(id) == resolved.leads.get(&id));
        let Some(lead) = resolved.leads.get_mut(&id) else { continue };
        let before = lead.clone();
        let occasion = Occasion::Life { active: state.is_active() };
        let look = Look {
            score,
            tally: &state.tally,
            excluded: looks.excluded.get(&id).copied(),
            unfounded: looks.unfounded.contains(&id),
        };
        let Decided { transitions, dwell_ends_at } = qualification::advance(frame, occasion, lead, look);
        moves.time(before, lead, &transitions, quiet);
        passages.extend(transitions);
        dwells.extend(dwell_ends_at.map(|ends_at| (id, ends_at)));
    }
    dwells
}

/// Those of some leads that are not to be contacted, by what is stored under a model.
pub async fn not_to_be_contacted(
    conn: &mut PgConnection,
    model: ModelId,
    leads: &[LeadId],
) -> sqlx::Result<Vec<LeadId>> {
    store::not_to_be_contacted(conn, model, leads).await
}

/// Whether some lead has a state of older semantics: its attributes may then be of older semantics too.
pub async fn any_outdated(conn: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(!store::outdated(conn, 1).await?.is_empty())
}

/// For how long the score that is due longest has been waiting to be brought up to date.
pub async fn overdue(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<TimeDelta> {
    let oldest = store::oldest_due(conn).await?;
    Ok(oldest.map_or(TimeDelta::zero(), |due| (now - due).max(TimeDelta::zero())))
}
