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
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, future::try_join_all};
use scoring::Tally;
use sqlx::{PgConnection, PgPool};

use super::{
    rebuild::{Adding, Read},
    store::{self, Asked, CountedEvents, Mark},
};
use crate::{
    ids::{IdentityId, LeadId, ModelId},
    models::Version,
};

/// How many leads a pass is about: their tallies take some 700 bytes each.
const LEADS: i64 = 1_000_000;
/// How many pages of the log are read in one statement: 8 MiB.
const PAGES: usize = 1_024;

/// A reading of the log that is under way, or done.
#[derive(Debug)]
pub struct Pass {
    version: Arc<Version>,
    /// The version under whose rows the leads are marked.
    live: ModelId,
    /// In the order of their ids.
    leads: Vec<Entry>,
    whose: HashMap<IdentityId, Whose>,
    /// The file in which the log lies: another one has other pages.
    file: i64,
    pages: i64,
    read: i64,
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
    /// Notes who there is after a lead; none if nobody is.
    pub async fn begin(
        conn: &mut PgConnection,
        version: Arc<Version>,
        live: ModelId,
        after: Option<LeadId>,
    ) -> sqlx::Result<Option<Pass>> {
        let after = after.unwrap_or(LeadId(uuid::Uuid::nil()));
        let marked = store::marked_after(conn, live, after, LEADS).await?;
        let Some(last) = marked.last().map(|row| row.lead_id) else { return Ok(None) };
        let new = || Tally::new(&version.model);
        let leads: Vec<Entry> = marked
            .into_iter()
            .map(|row| Entry { lead: row.lead_id, mark: row.mark, tally: Some(new()) })
            .collect();
        let mut whose: HashMap<IdentityId, Whose> = HashMap::with_capacity(leads.len());
        let mut spans = store::spans_between(conn, after, last);
        while let Some(span) = spans.try_next().await? {
            // A lead that came meanwhile was born with a state.
            let Ok(place) = leads.binary_search_by_key(&span.lead_id, |entry| entry.lead) else { continue };
            let stretch = Stretch { since: span.since, until: span.until, place };
            whose
                .entry(span.identity_id)
                .and_modify(|whose| whose.add(stretch))
                .or_insert(Whose::One(stretch));
        }
        drop(spans);
        let log = store::log(conn).await?;
        Ok(Some(Pass { version, live, leads, whose, file: log.file, pages: log.pages, read: 0 }))
    }

    /// Whether it is of use to somebody who has come so far with a version.
    pub fn serves(&self, version: ModelId, last: Option<LeadId>) -> bool {
        self.version.id == version && self.leads.last().is_some_and(|entry| last < Some(entry.lead))
    }

    /// How much of the log has been read: 0 to 1.
    pub fn share(&self) -> f32 {
        if self.is_done() { 1.0 } else { self.read as f32 / self.pages as f32 }
    }

    /// Whether the whole log has been read.
    pub fn is_done(&self) -> bool {
        self.read >= self.pages
    }

    /// Reads the next pages, on several connections side by side. None if the log was moved to another file meanwhile
    /// (`vacuum full`): then the pages read and those to come are not one whole, and a new pass must begin.
    pub async fn read_on(mut self, pool: &PgPool, lanes: usize) -> sqlx::Result<Option<Pass>> {
        let asked = Asked::by(&self.version.model);
        let stretches: Vec<i64> = (self.read..self.pages).step_by(PAGES).take(lanes).collect();
        let read = stretches.iter().map(async |from| {
            let until = (from + PAGES as i64).min(self.pages);
            store::counted_events_between(&mut *pool.acquire().await?, *from, until, &asked).await
        });
        let read = try_join_all(read).await?;
        for events in read.into_iter().flatten() {
            self.add(events);
        }
        self.read += (stretches.len() * PAGES) as i64;
        let file = store::log(&mut *pool.acquire().await?).await?.file;
        Ok((file == self.file).then_some(self))
    }

    fn add(&mut self, events: CountedEvents) {
        let Pass { version, leads, whose, .. } = self;
        let mut adding = Adding::under(&version.model);
        let CountedEvents { identities, kinds, occurred_at, human, first, second, third, properties } =
            events;
        let said = identities.into_iter().zip(kinds).zip(occurred_at).zip(human);
        let found = first.into_iter().zip(second).zip(third).zip(properties);
        for ((((identity, kind), at), human), (((first, second), third), properties)) in said.zip(found) {
            let place = whose.get(&identity).and_then(|whose| whose.at(at));
            let entry = place.and_then(|place| leads.get_mut(place));
            if let Some(tally) = entry.and_then(|entry| entry.tally.as_mut()) {
                let found = [first, second, third];
                adding.add(tally, Read { kind: &kind, at, human, found, all: properties.as_deref() });
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

impl Whose {
    fn add(&mut self, stretch: Stretch) {
        match self {
            Whose::One(first) => *self = Whose::Several(vec![*first, stretch]),
            Whose::Several(stretches) => stretches.push(stretch),
        }
    }

    fn at(&self, at: DateTime<Utc>) -> Option<usize> {
        let holds = |stretch: &&Stretch| stretch.since <= at && stretch.until.is_none_or(|until| at < until);
        match self {
            Whose::One(stretch) => Some(stretch).filter(holds),
            Whose::Several(stretches) => stretches.iter().find(holds),
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
