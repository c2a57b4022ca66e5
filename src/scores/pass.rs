//! The tallies of many leads from one reading of the log, in the order in which it lies on disk.
//!
//! To read one lead's events after the other's is to jump about the disk, and a tally does not ask for their order. So a
//! pass notes for many leads which row each has under the live version, its *mark*, and whose each identity's events
//! are; then it adds every event of the log to the tally of the lead for which it counts.
//!
//! Whatever changes what counts for a lead writes that row anew, in the same transaction. So a lead that has its mark still
//! when it is locked has the events that it had when the pass began, all of them were there to be read, and its tally is
//! whole. Every other lead is replayed by itself.

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

/// How many leads a pass is about. With twenty events each they take about 0.7 KB apiece.
const LEADS: usize = 1_000_000;
/// How many leads are noted in one step.
const NOTED: usize = 25_000;
/// How many pages of the log are read in one statement: 8 MiB.
const PAGES: usize = 1_024;

/// A reading of the log that is under way, or done.
#[derive(Debug)]
pub struct Pass {
    version: Arc<Version>,
    /// The version under whose rows the leads are marked.
    live: ModelId,
    /// The lead after whom it begins.
    after: LeadId,
    /// In the order of their ids.
    leads: Vec<Entry>,
    whose: HashMap<IdentityId, Whose>,
    /// None while leads are being noted.
    log: Option<Log>,
    /// How many pages of the log have been read.
    read: i64,
    /// Read last, and not added yet.
    waiting: Vec<CountedEvents>,
}

#[derive(Debug)]
struct Entry {
    lead: LeadId,
    mark: Mark,
    /// None once it has been taken.
    tally: Option<Tally>,
}

/// For whom an identity's events count, by the places of the leads.
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

/// Tallies that hold if the leads still have their marks.
#[derive(Debug, Default)]
pub struct Prepared {
    live: Option<ModelId>,
    tallies: BTreeMap<LeadId, (Mark, Tally)>,
}

impl Pass {
    /// A pass for the leads after one. It knows nobody yet.
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

    /// Whether it is of use to somebody who has come so far with a version.
    pub fn serves(&self, version: ModelId, last: Option<LeadId>) -> bool {
        self.version.id == version
            && (self.log.is_none() || self.leads.last().is_some_and(|entry| last < Some(entry.lead)))
    }

    /// How much of the log has been read: 0 to 1.
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

    /// Whether there is nobody after the lead where it began.
    pub fn is_empty(&self) -> bool {
        self.log.is_some() && self.leads.is_empty()
    }

    /// The next step: notes more leads, or reads more of the log, on several connections side by side. None if the log was
    /// moved to another file meanwhile (`vacuum full`): then the pages read and those to come are not one whole, and a
    /// new pass must begin.
    pub async fn go_on(self, pool: &PgPool, lanes: usize) -> sqlx::Result<Option<Pass>> {
        match self.log {
            None => Ok(Some(self.note(&mut *pool.acquire().await?).await?)),
            Some(Log { file, pages }) => self.read_on(pool, lanes, file, pages).await,
        }
    }

    /// Notes the next leads, with their marks first: what changes after that changes the mark too. After the last of
    /// them, how long the log is: what the marks stand for is in it.
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
            // A lead that came meanwhile was born with a state.
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

    /// Reads the next pages, and meanwhile, on another thread, adds what was read before.
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
        // Apart from the adding, so that the processor can look for many at once.
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

    /// Hands over the tallies of some leads.
    pub fn take(&mut self, leads: &[LeadId]) -> Prepared {
        let taken = leads.iter().filter_map(|lead| {
            let place = self.leads.binary_search_by_key(lead, |entry| entry.lead).ok()?;
            let entry = self.leads.get_mut(place)?;
            Some((*lead, (entry.mark, entry.tally.take()?)))
        });
        Prepared { live: Some(self.live), tallies: taken.collect() }
    }
}

/// What the thread that adds has done. Its panic goes on here; it is stopped only with the service.
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

    /// Whose an event of an instant is: as noted last, where an identity moved while leads were being noted. From whom it
    /// moved has lost its mark.
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
    /// The tallies that are whole. The leads are locked, and `live` is the version that is live now.
    pub(super) async fn whole(
        self,
        conn: &mut PgConnection,
        live: ModelId,
    ) -> sqlx::Result<BTreeMap<LeadId, Tally>> {
        // Rows under another version may not have been kept up.
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
