//! What publishing a version would change, counted lead by lead.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use scoring::{
    Instant, Span,
    mql::{Entry, Move},
};

use super::{
    replay::{Replayed, Side},
    statistics::spearman,
};
use crate::{leads::Stage, models::Version, platform::ids::LeadId};

/// The time over which passages into `mql` are counted. It is four weeks, so that each weekday weighs the
/// same.
pub(super) const WINDOW: Span = Span(28 * Span::DAY.0);
/// How many leads each list names.
const MOST_NAMED: usize = 20;

/// A lead with its score and its decision under both models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) id: LeadId,
    pub(super) stage: Stage,
    /// The published scores: under the live model, and under the other.
    pub(super) scores: [i64; 2],
    /// The scores before their bounds, in milli-points: under the live model, and under the other.
    pub(super) raw: [i64; 2],
    /// Why the lead would become an MQL under the other model, if it would.
    pub(super) enters_by: Option<Entry>,
    /// When the lead would stop being an MQL under the other model, if it would: at the end of the dwell.
    pub(super) leaves_at: Option<Instant>,
}

/// Leads to which the same happens: how many there are, and those whose score changes most.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) count: u64,
    /// The leads whose score changes most, the largest change first.
    pub(super) most: Vec<Moved>,
}

/// A band: how many leads are in it before and after, and which leads come and go.
#[derive(Debug, Default)]
pub(super) struct Label {
    pub(super) counts: [u64; 2],
    pub(super) enters: Group,
    pub(super) leaves: Group,
}

/// What would happen to the MQLs.
#[derive(Debug, Default)]
pub(super) struct Mqls {
    /// How many MQLs there are now.
    pub(super) now: u64,
    /// Leads that become MQLs at once, and would not under the live model.
    pub(super) enters: Group,
    /// MQLs that stop being one at the end of the dwell, and would stay under the live model.
    pub(super) leaves: Group,
    /// How many MQLs stop being one under either model.
    pub(super) leaves_anyway: u64,
    /// How many MQLs would stop being one under the live model, and stay under the other.
    pub(super) stays: u64,
}

/// Everything that changes among the leads of the basis.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) bands: BTreeMap<String, Label>,
    pub(super) grades: BTreeMap<String, [u64; 2]>,
    pub(super) mqls: Mqls,
    pub(super) movers: Group,
    /// How many leads would have become an MQL within the [`WINDOW`]: under the live model, and under the
    /// other.
    pub(super) became_mql: [u64; 2],
    /// The number of days over which passages were counted. Fewer than the [`WINDOW`] has, if the log is
    /// younger.
    pub(super) days: u32,
    pub(super) rank_correlation: Option<f64>,
}

impl Changes {
    /// Counts what changes for leads that were scored under the live version and another.
    pub(super) fn of(leads: &[Replayed], versions: &[Arc<Version>; 2], now: Instant) -> Changes {
        let mut changes = Changes { days: days(leads, now), ..Changes::default() };
        for version in versions {
            for step in version.model.bands().steps() {
                changes.bands.entry(step.label.clone()).or_default();
            }
        }
        for lead in leads {
            changes.count(lead);
        }
        let places = [0, 1].map(|side| leads.iter().map(|lead| place(&lead.sides[side])).collect::<Vec<_>>());
        changes.rank_correlation = spearman(&places[0], &places[1]);
        changes
    }

    /// Returns every lead that is named in a list.
    pub(super) fn named(&self) -> Vec<LeadId> {
        let bands = self.bands.values().flat_map(|label| [&label.enters, &label.leaves]);
        let groups = bands.chain([&self.mqls.enters, &self.mqls.leaves, &self.movers]);
        let mut ids: Vec<LeadId> = groups.flat_map(|group| &group.most).map(|moved| moved.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn count(&mut self, lead: &Replayed) {
        let [before, after] = &lead.sides;
        let moved = Moved::of(lead);
        for (side, Side { score, became_mql, .. }) in lead.sides.iter().enumerate() {
            self.bands.entry(score.band.clone()).or_default().counts[side] += 1;
            self.grades.entry(score.grade.clone()).or_default()[side] += 1;
            self.became_mql[side] += u64::from(*became_mql);
        }
        if before.score.band != after.score.band {
            self.bands.entry(before.score.band.clone()).or_default().leaves.add(&moved);
            self.bands.entry(after.score.band.clone()).or_default().enters.add(&moved);
        }
        if moved.weight() > (0, 0) {
            self.movers.add(&moved);
        }
        self.mqls.count(lead, &moved);
    }
}

impl Mqls {
    fn count(&mut self, lead: &Replayed, moved: &Moved) {
        let before = &lead.sides[0];
        if moved.enters_by.is_some() && enters_by(before).is_none() {
            self.enters.add(moved);
        }
        if lead.lead.stage() != Stage::Mql {
            return;
        }
        self.now += 1;
        match (leaves_at(before), moved.leaves_at) {
            (None, Some(_)) => self.leaves.add(moved),
            (Some(_), Some(_)) => self.leaves_anyway += 1,
            (Some(_), None) => self.stays += 1,
            (None, None) => {}
        }
    }
}

impl Group {
    fn add(&mut self, moved: &Moved) {
        self.count += 1;
        let place = self.most.partition_point(|other| other.order() <= moved.order());
        if place < MOST_NAMED {
            self.most.insert(place, moved.clone());
            self.most.truncate(MOST_NAMED);
        }
    }
}

impl Moved {
    fn of(lead: &Replayed) -> Moved {
        let [before, after] = &lead.sides;
        Moved {
            id: lead.lead.id,
            stage: lead.lead.stage(),
            scores: [before.score.score, after.score.score],
            raw: [before.score.raw.0, after.score.raw.0],
            enters_by: enters_by(after),
            leaves_at: leaves_at(after),
        }
    }

    /// By how much the score changes: as published, and before its bounds.
    fn weight(&self) -> (u64, u64) {
        (self.scores[0].abs_diff(self.scores[1]), self.raw[0].abs_diff(self.raw[1]))
    }

    /// The order of lists: the largest change of the score first, then the smallest id.
    fn order(&self) -> (Reverse<(u64, u64)>, LeadId) {
        (Reverse(self.weight()), self.id)
    }
}

/// The place of a lead in a model's order: the score, then the raw score. Queues order equal scores in the
/// same way.
pub(super) fn place(side: &Side) -> (i64, i64) {
    (side.score.score, side.score.raw.0)
}

fn enters_by(side: &Side) -> Option<Entry> {
    match side.decision?.passage? {
        Move::Enter { by } => Some(by),
        Move::Leave => None,
    }
}

/// When an MQL stops being one: now, or at the end of the dwell that runs or begins now.
fn leaves_at(side: &Side) -> Option<Instant> {
    let decision = side.decision?;
    match decision.passage {
        Some(Move::Leave) => Some(side.score.as_of),
        _ => decision.below_since.and(decision.due_at),
    }
}

/// How many days of the window the log covers, at least 1. A day that has begun counts.
fn days(leads: &[Replayed], now: Instant) -> u32 {
    let most = WINDOW.0 / Span::DAY.0;
    let oldest = leads.iter().filter_map(|lead| lead.first_event_at).min();
    let covered = oldest.map_or(most, |oldest| (now.since(oldest).0 + Span::DAY.0 - 1) / Span::DAY.0);
    u32::try_from(covered.clamp(1, most)).unwrap_or(1)
}
