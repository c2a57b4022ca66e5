//! The stored form of a tally, as bytes. It has the version of the semantics, the model's fingerprint, and a
//! sorted list of the distinct instants. Each instant is stored as the step from the one before it. All other
//! fields refer to places in this list.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Occurrence, Tally};
use crate::adjustment::Adjustment;
use crate::model::Model;
use crate::points::Milli;
use crate::time::Instant;

/// The version of the semantics: what the rules and the profile make of the same events. It is the first byte
/// of a stored tally. Raise the version with every change of the semantics. The service then replays all
/// states that were stored under a lower version.
///
/// 1: numbers compare as binary floats and never as texts; `company` is one attribute.
/// 2: numbers compare as exact decimals, also numbers written as text; `company` is folded key by key; traits of
/// events with the verdict `machine` do not count.
/// 3: event types compare in one form, in whatever spelling the log or the model has them.
pub const SEMANTICS: u8 = 3;

/// A place in the list of instants, counted from 1; 0 means no instant.
type Place = u32;

#[derive(Serialize, Deserialize)]
struct Wire {
    semantics: u8,
    fingerprint: [u8; 4],
    first: i64,
    /// The time from each instant to the next. The two lowest bits are the index of the unit in [`UNITS`].
    steps: Vec<u64>,
    /// By rule: for each occurrence, the difference between its place and the place of the one before (0
    /// before the first).
    occurrences: Vec<Vec<Place>>,
    /// Whether each attribute rule holds: one bit for each rule, eight to a byte.
    holds: Vec<u8>,
    adjustments: Vec<(Place, i64, Place)>,
    reset: Place,
    last_activity: Place,
    last_human_activity: Place,
    hand_raised_at: Place,
    do_not_contact_at: Place,
}

/// Why bytes are not a tally of this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TallyError {
    /// The bytes have a version of the semantics that this crate does not know. Replay the log.
    UnknownVersion(u8),
    /// The tally was made with a model that has other rules. Replay the log.
    OtherModel,
    /// The bytes are not a complete tally. Replay the log.
    Corrupt,
}

impl fmt::Display for TallyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVersion(version) => {
                write!(f, "the tally has the unknown version {version}; replay the log")
            }
            Self::OtherModel => f.write_str("the tally was made with other rules; replay the log"),
            Self::Corrupt => f.write_str("the bytes are not a tally; replay the log"),
        }
    }
}

impl std::error::Error for TallyError {}

impl Tally {
    /// Writes the tally as bytes: a few bytes for each occurrence that the tally holds.
    pub fn encode(&self) -> Vec<u8> {
        let instants: Vec<Instant> = self.instants().into_iter().collect();
        let place = |at: Option<Instant>| -> Place {
            let found = at.and_then(|at| instants.binary_search(&at).ok());
            found.and_then(|i| Place::try_from(i + 1).ok()).unwrap_or(0)
        };
        let occurrences = self.occurrences.by_rule().map(|occurrences| {
            let mut before = 0;
            let places = occurrences.iter().map(|o| place(Some(o.at)));
            places.map(|place| std::mem::replace(&mut before, place).abs_diff(place)).collect()
        });
        let wire = Wire {
            semantics: SEMANTICS,
            fingerprint: self.fingerprint.to_le_bytes(),
            first: instants.first().map_or(0, |at| at.as_micros()),
            steps: instants.windows(2).filter_map(|pair| pair.last().zip(pair.first())).map(step).collect(),
            occurrences: occurrences.collect(),
            holds: self.holds.chunks(8).map(packed).collect(),
            adjustments: self
                .adjustments
                .iter()
                .map(|(o, a)| (place(Some(o.at)), a.points.0, place(a.expires_at)))
                .collect(),
            reset: place(self.reset),
            last_activity: place(self.last_activity()),
            last_human_activity: place(self.last_human_activity),
            hand_raised_at: place(self.hand_raised_at),
            do_not_contact_at: place(self.do_not_contact_at),
        };
        // Writing to memory cannot fail. If it did, decoding would refuse the empty bytes as corrupt, and the
        // log would be replayed.
        postcard::to_allocvec(&wire).unwrap_or_default()
    }

    /// Whether the bytes are a tally of older semantics, or empty. Such a tally may be evaluated, and then
    /// gives the score that it gave when it was stored. Add no events to it: replay the log instead.
    pub fn is_outdated(bytes: &[u8]) -> bool {
        bytes.first().is_none_or(|semantics| *semantics < SEMANTICS)
    }

    /// Reads a tally that [`encode`](Self::encode) wrote, under these semantics or older ones.
    ///
    /// # Errors
    /// See [`TallyError`]. After any error, replay the log.
    pub fn decode(model: &Model, bytes: &[u8]) -> Result<Self, TallyError> {
        match bytes.first() {
            Some(1..=SEMANTICS) => {}
            Some(&version) => return Err(TallyError::UnknownVersion(version)),
            None => return Err(TallyError::Corrupt),
        }
        let (wire, rest) = postcard::take_from_bytes::<Wire>(bytes).map_err(|_| TallyError::Corrupt)?;
        if wire.fingerprint != model.fingerprint().to_le_bytes() {
            return Err(TallyError::OtherModel);
        }
        if !rest.is_empty() || wire.occurrences.len() != model.rule_count {
            return Err(TallyError::Corrupt);
        }
        wire.tally(model).ok_or(TallyError::Corrupt)
    }

    /// Every distinct instant that the tally names.
    fn instants(&self) -> BTreeSet<Instant> {
        let newest = [
            self.reset,
            self.last_activity(),
            self.last_human_activity,
            self.hand_raised_at,
            self.do_not_contact_at,
        ];
        let adjusted = self.adjustments.iter().flat_map(|(o, a)| [Some(o.at), a.expires_at]);
        let occurred = self.occurrences.iter().map(|o| Some(o.at));
        newest.into_iter().chain(adjusted).chain(occurred).flatten().collect()
    }
}

fn packed(holds: &[bool]) -> u8 {
    holds.iter().enumerate().fold(0, |byte, (bit, holds)| byte | (u8::from(*holds) << bit))
}

impl Wire {
    fn tally(&self, model: &Model) -> Option<Tally> {
        let mut instants = vec![Instant::from_micros(self.first)];
        for step in &self.steps {
            let last = instants.last()?.as_micros();
            instants.push(Instant::from_micros(last.checked_add(micros(*step)?)?));
        }
        let at = |place: Place| match usize::try_from(place).ok()?.checked_sub(1) {
            None => Some(None),
            Some(i) => instants.get(i).copied().map(Some),
        };
        let mut tally = Tally::new(model);
        for (rule, steps) in self.occurrences.iter().enumerate() {
            let mut place: Place = 0;
            for step in steps {
                place = place.checked_add(*step)?;
                tally.occurrences.keep_newest(rule, Occurrence { at: at(place)??, label: () }, usize::MAX);
            }
        }
        for (rule, holds) in tally.holds.iter_mut().enumerate() {
            *holds = self.holds.get(rule / 8)? >> (rule % 8) & 1 == 1;
        }
        for (place, points, expires) in &self.adjustments {
            let adjustment = Adjustment { points: Milli(*points), expires_at: at(*expires)? };
            tally.adjustments.push((Occurrence { at: at(*place)??, label: () }, adjustment));
        }
        tally.reset = at(self.reset)?;
        tally.last_activity = at(self.last_activity)?.map(|at| Occurrence { at, label: () });
        tally.last_human_activity = at(self.last_human_activity)?;
        tally.hand_raised_at = at(self.hand_raised_at)?;
        tally.do_not_contact_at = at(self.do_not_contact_at)?;
        Some(tally)
    }
}

/// The units of steps, in microseconds. Most clocks give whole milliseconds or seconds, and a step in these
/// units takes about half the bytes of a step in microseconds.
const UNITS: [i64; 3] = [1, 1_000, 1_000_000];

fn step((later, earlier): (&Instant, &Instant)) -> u64 {
    let micros = later.since(*earlier).0.unsigned_abs();
    let unit = UNITS.iter().rposition(|unit| micros % unit.unsigned_abs() == 0).unwrap_or(0);
    let count = micros / UNITS.get(unit).map_or(1, |unit| unit.unsigned_abs());
    count << 2 | u64::try_from(unit).unwrap_or(0)
}

fn micros(step: u64) -> Option<i64> {
    let unit = UNITS.get(usize::try_from(step & 3).ok()?)?;
    i64::try_from(step >> 2).ok()?.checked_mul(*unit)
}
