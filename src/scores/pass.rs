//! Makes the tallies of many leads in one pass over the log, in the order of the log on disk.
//!
//! Reading the events lead by lead would need random access to the disk. A tally does not depend on the order
//! of events, so a pass can read them in disk order. A pass first notes, for many leads, the spans of their
//! identities and a *mark*: which version of its row each lead has under the live model. Then the pass adds
//! every event of the log to the tally of the lead for which the event counts.
//!
//! Every transaction that changes which events count for a lead also writes the lead's row. So if a locked
//! lead still has its mark, its events are the same as when the pass began. The pass has read all of them,
//! and the tally is complete. All other leads are replayed one by one.

use std::{
    collections::{BTreeMap, HashMap},
    panic::resume_unwind,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures_util::{
    TryStreamExt,
    future::{join, try_join_all},
};
use scoring::{Tally, event::SCORE_ADJUSTED};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use tokio::task::{JoinError, spawn_blocking};

use super::{
    rebuild::{Adding, Read},
    store::{self, Asked, CountedEvents, Log, Mark},
};
use crate::{
    models::Version,
    platform::{
        ids::{IdentityId, LeadId, ModelId},
        json::Stored,
    },
};

/// The most leads of one pass. A lead with twenty events takes about 0.7 KB of memory.
const LEADS: usize = 1_000_000;
/// How many leads are noted in one step.
const NOTED: usize = 25_000;
/// How many pages of the log one statement reads: 8 MiB.
const PAGES: usize = 1_024;

/// A pass over the log that is under way or done.
#[derive(Debug)]
pub struct Pass {
    version: Arc<Version>,
    /// The live version. The marks are those of its rows.
    live: ModelId,
    /// The pass is for leads with a greater id than this.
    after: LeadId,
    /// The leads of the pass, in the order of their ids.
    leads: Vec<Entry>,
    whose: HashMap<IdentityId, Whose>,
    /// The file and the length of the log; `None` while leads are being noted.
    log: Option<Log>,
    /// How many pages of the log have been read.
    read: i64,
    /// Events that were read but are not yet added to the tallies.
    waiting: Vec<CountedEvents>,
}

#[derive(Debug)]
struct Entry {
    lead: LeadId,
    mark: Mark,
    /// `None` after [`Pass::take`] has handed the tally over.
    tally: Option<Tally>,
}

/// The leads for which an identity's events count, by stretch of time. Leads are places in [`Pass::leads`].
#[derive(Debug)]
enum Whose {
    One(Stretch),
    Several(Vec<Stretch>),
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    place: usize,
}

/// Tallies with the marks of their leads. A tally is valid if its lead still has the mark.
#[derive(Debug, Default)]
pub struct Prepared {
    live: Option<ModelId>,
    tallies: BTreeMap<LeadId, (Mark, Tally)>,
}

impl Pass {
    /// A pass that has not begun, for the leads with a greater id than `lead`, or for all leads.
    pub fn after(version: Arc<Version>, live: ModelId, lead: Option<LeadId>) -> Pass {
        Pass {
            version,
            live,
            after: lead.unwrap_or(LeadId(uuid::Uuid::nil())),
            leads: Vec::new(),
            whose: HashMap::new(),
            log: None,
            read: 0,
            waiting: Vec::new(),
        }
    }

    /// Whether the pass is useful for a rebuild of this version that has come as far as the lead `last`.
    pub fn serves(&self, version: ModelId, last: Option<LeadId>) -> bool {
        self.version.id == version
            && (self.log.is_none() || self.leads.last().is_some_and(|entry| last < Some(entry.lead)))
    }

    /// The share of the log that has been read: 0 to 1.
    pub fn share(&self) -> f32 {
        if self.is_done() {
            1.0
        } else {
            self.log.as_ref().map_or(0.0, |log| self.read as f32 / log.pages as f32)
        }
    }

    /// Whether the whole log has been read.
    pub fn is_done(&self) -> bool {
        self.log.as_ref().is_some_and(|log| self.read >= log.pages)
    }

    /// Whether the pass found no leads.
    pub fn is_empty(&self) -> bool {
        self.log.is_some() && self.leads.is_empty()
    }

    /// Does the next step: notes more leads, or reads more of the log on `lanes` connections at once. Returns
    /// `None` if the log has moved to another file since the pass began (`vacuum full`). The pages of the two
    /// files do not fit together, so a new pass must begin.
    pub async fn go_on(self, pool: &PgPool, lanes: usize) -> sqlx::Result<Option<Pass>> {
        match self.log {
            None => Ok(Some(self.note(&mut *pool.acquire().await?).await?)),
            Some(Log { file, pages }) => self.read_on(pool, lanes, file, pages).await,
        }
    }

    /// Notes the next leads. Marks are read before spans, so that a later change also changes the mark. After
    /// the last lead, notes the length of the log, so that the log holds all events that the marks stand for.
    async fn note(mut self, conn: &mut PgConnection) -> sqlx::Result<Pass> {
        let before = self.leads.len();
        let after = self.leads.last().map_or(self.after, |entry| entry.lead);
        let marked = store::marked_after(conn, self.live, after, NOTED as i64).await?;
        let full = marked.len() == NOTED && before + marked.len() < LEADS;
        self.leads.extend(marked.into_iter().map(|row| Entry {
            lead: row.lead_id,
            mark: row.mark,
            tally: Some(Tally::new(&self.version.model)),
        }));
        if let Some(last) = self.leads.get(before..).and_then(|new| new.last()).map(|entry| entry.lead) {
            self.note_spans(conn, after, last).await?;
        }
        if !full {
            self.log = Some(store::log(conn).await?);
        }
        Ok(self)
    }

    async fn note_spans(&mut self, conn: &mut PgConnection, after: LeadId, last: LeadId) -> sqlx::Result<()> {
        let mut spans = store::spans_between(conn, after, last);
        while let Some(span) = spans.try_next().await? {
            // The lead was created after the leads were noted. A new lead gets its state at once.
            let Ok(place) = self.leads.binary_search_by_key(&span.lead_id, |entry| entry.lead) else {
                continue;
            };
            let stretch = Stretch { since: span.since, until: span.until, place };
            self.whose
                .entry(span.identity_id)
                .and_modify(|whose| whose.add(stretch))
                .or_insert(Whose::One(stretch));
        }
        Ok(())
    }

    /// Reads the next pages. At the same time another thread adds the events that were read before.
    async fn read_on(self, pool: &PgPool, lanes: usize, file: i64, pages: i64) -> sqlx::Result<Option<Pass>> {
        let asked = Asked::by(&self.version.model);
        let stretches: Vec<i64> = (self.read..pages).step_by(PAGES).take(lanes).collect();
        let read = stretches.iter().map(async |from| {
            let until = (from + PAGES as i64).min(pages);
            store::counted_events_between(&mut *pool.acquire().await?, *from, until, &asked).await
        });
        let reading = try_join_all(read);
        let (read, pass) = join(reading, spawn_blocking(move || self.add_waiting())).await;
        let mut pass = added(pass)?;
        pass.waiting = read?.into_iter().flatten().collect();
        pass.read += (stretches.len() * PAGES) as i64;
        if pass.is_done() {
            pass = added(spawn_blocking(move || pass.add_waiting()).await)?;
        }
        let now = store::log(&mut *pool.acquire().await?).await?.file;
        Ok((now == file).then_some(pass))
    }

    fn add_waiting(mut self) -> Pass {
        for events in std::mem::take(&mut self.waiting) {
            self.add(events);
        }
        self
    }

    fn add(&mut self, events: CountedEvents) {
        let Pass { version, leads, whose, .. } = self;
        let (mut adding, asked) = (Adding::under(&version.model), Asked::by(&version.model));
        // A loop of its own, so that the processor can look up many identities at once.
        let places: Vec<Option<usize>> = events
            .identities
            .iter()
            .zip(&events.occurred_at)
            .map(|(identity, at)| whose.get(identity).and_then(|whose| whose.at(*at)))
            .collect();
        let said = places.into_iter().zip(events.kinds.split(' ')).zip(events.occurred_at).zip(events.human);
        let [mut first, mut second, mut third] =
            [events.first, events.second, events.third].map(|field| field.into_iter().flatten());
        let mut properties = events.properties.into_iter().flatten();
        for (((place, kind), at), human) in said {
            let next =
                |field: &mut dyn Iterator<Item = Option<Stored>>| field.next().flatten().map(Value::from);
            let found = [next(&mut first), next(&mut second), next(&mut third)];
            let all = (asked.all || kind == SCORE_ADJUSTED).then(|| properties.next()).flatten();
            let entry = place.and_then(|place| leads.get_mut(place));
            if let Some(tally) = entry.and_then(|entry| entry.tally.as_mut()) {
                adding
                    .add(tally, Read { kind, at, human, found, all: all.as_ref().and_then(Stored::fields) });
            }
        }
    }

    /// Takes the tallies of some leads out of the pass.
    pub fn take(&mut self, leads: &[LeadId]) -> Prepared {
        let taken = leads.iter().filter_map(|lead| {
            let place = self.leads.binary_search_by_key(lead, |entry| entry.lead).ok()?;
            let entry = self.leads.get_mut(place)?;
            Some((*lead, (entry.mark, entry.tally.take()?)))
        });
        Prepared { live: Some(self.live), tallies: taken.collect() }
    }
}

/// Unwraps the result of the thread that adds events, and passes its panic on. The thread is only cancelled
/// when the service stops.
fn added(pass: Result<Pass, JoinError>) -> sqlx::Result<Pass> {
    pass.map_err(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => sqlx::Error::PoolClosed,
    })
}

impl Whose {
    fn add(&mut self, stretch: Stretch) {
        match self {
            Whose::One(first) => *self = Whose::Several(vec![*first, stretch]),
            Whose::Several(stretches) => stretches.push(stretch),
        }
    }

    /// Returns the place of the lead that owns an event at this instant. If the identity moved while leads
    /// were being noted, the span that was noted last wins. The old owner's mark no longer matches, so that
    /// lead is replayed.
    fn at(&self, at: DateTime<Utc>) -> Option<usize> {
        let holds = |stretch: &&Stretch| stretch.since <= at && stretch.until.is_none_or(|until| at < until);
        match self {
            Whose::One(stretch) => Some(stretch).filter(holds),
            Whose::Several(stretches) => stretches.iter().rev().find(holds),
        }
        .map(|stretch| stretch.place)
    }
}

impl Prepared {
    /// The tallies that are complete. The leads must be locked, and `live` must be the current live version.
    pub(super) async fn whole(
        self,
        conn: &mut PgConnection,
        live: ModelId,
    ) -> sqlx::Result<BTreeMap<LeadId, Tally>> {
        // The marks are from rows of another version, and those rows may no longer be updated.
        if self.tallies.is_empty() || self.live != Some(live) {
            return Ok(BTreeMap::new());
        }
        let leads: Vec<LeadId> = self.tallies.keys().copied().collect();
        let marks: HashMap<LeadId, Mark> = store::marks_of(conn, live, &leads)
            .await?
            .into_iter()
            .map(|row| (row.lead_id, row.mark))
            .collect();
        let whole = |(lead, (mark, tally)): (LeadId, (Mark, Tally))| {
            let still = mark.is_some() && marks.get(&lead) == Some(&mark);
            still.then_some((lead, tally))
        };
        Ok(self.tallies.into_iter().filter_map(whole).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_who_had_an_identity_the_one_noted_last_has_its_events() {
        let at = DateTime::UNIX_EPOCH;
        let stretch = |place| Stretch { since: at, until: None, place };
        let mut whose = Whose::One(stretch(1));

        whose.add(stretch(2));

        assert_eq!(whose.at(at), Some(2));
    }
}
