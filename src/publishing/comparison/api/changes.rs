//! The answer of a preview: what publishing a version would change.

use std::collections::HashMap;

use scoring::{Instant, mql::Entry};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{
    Basis, Previewed, VersionName,
    changes::{Changes, Group, Label, Moved},
    statistics::Estimate,
    store::Names,
    why::LineChange,
};
use crate::{
    leads::{MqlBy, Stage},
    platform::ids::LeadId,
};

/// What publishing a version would change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Preview {
    /// The instant for which all scores hold.
    as_of: Instant,
    /// The live version. `before` means under this version.
    live: VersionName,
    /// The version that is previewed. `after` means under this version.
    model: VersionName,
    #[serde(flatten)]
    basis: Basis,
    /// The bands, the highest band of the previewed version first.
    bands: Vec<BandChange>,
    /// The grades, ordered by label.
    grades: Vec<GradeChange>,
    /// Which leads would become MQLs, and which would stop being one.
    mql: MqlChange,
    /// How many new MQLs a day to expect.
    mqls_per_day: Intake,
    /// Spearman's rank correlation of the leads' order before and after, where ties share a rank. 1: the
    /// order stays the same. 0: the orders have nothing in common. Null if all leads are equal under one
    /// version.
    rank_correlation: Option<f64>,
    /// The leads whose score changes most, at most 20, with the reasons.
    movers: Vec<Mover>,
}

/// A band, before and after.
#[derive(Debug, Serialize, ToSchema)]
struct BandChange {
    /// The label of the band.
    label: String,
    /// How many leads are in the band.
    before: Estimate,
    /// How many leads would be in the band.
    after: Estimate,
    /// The leads that would come into the band.
    enters: LeadGroup,
    /// The leads that would leave the band.
    leaves: LeadGroup,
}

/// A grade, before and after.
#[derive(Debug, Serialize, ToSchema)]
struct GradeChange {
    /// The label of the grade.
    label: String,
    /// How many leads have the grade.
    before: Estimate,
    /// How many leads would have the grade.
    after: Estimate,
}

/// The MQLs, before and after.
#[derive(Debug, Serialize, ToSchema)]
struct MqlChange {
    /// How many MQLs there are.
    before: Estimate,
    /// How many MQLs there would be after all dwells have ended, if nothing else happened.
    after: Estimate,
    /// The leads that would become MQLs at once, and would not under the live version.
    enters: LeadGroup,
    /// The leads that would stop being MQLs, at the end of the dwell at the latest, and would stay under the
    /// live version.
    leaves: LeadGroup,
    /// How many MQLs stop being one under either version.
    leaves_anyway: Estimate,
    /// How many MQLs would stop being one under the live version, and stay under the previewed one.
    stays: Estimate,
}

/// Leads to which the same happens: how many there are, and the 20 whose score changes most.
#[derive(Debug, Serialize, ToSchema)]
struct LeadGroup {
    #[serde(flatten)]
    estimate: Estimate,
    /// The leads whose score changes most, at most 20, the largest change first.
    leads: Vec<MovedLead>,
}

/// A lead before and after.
#[derive(Debug, Serialize, ToSchema)]
struct MovedLead {
    /// The lead.
    lead_id: LeadId,
    /// The lead's user id in your own system.
    user_id: Option<String>,
    /// The lead's e-mail address.
    email: Option<String>,
    /// The lead's stage.
    stage: Stage,
    /// The lead's score under the live version.
    before: i64,
    /// The lead's score under the previewed version.
    after: i64,
    /// Why the lead would become an MQL, if it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    enters_by: Option<MqlBy>,
    /// When the lead would stop being an MQL, if it would: at the end of the dwell.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves_at: Option<Instant>,
}

/// A lead whose score changes, with the reasons.
#[derive(Debug, Serialize, ToSchema)]
struct Mover {
    #[serde(flatten)]
    lead: MovedLead,
    /// The lines of the receipt that differ, the largest difference first: rules, and the bounds and weights
    /// that act on them. The differences of all lines add up to the difference of the scores.
    why: Vec<LineChange>,
}

/// How many leads become MQLs in a day.
#[derive(Debug, Serialize, ToSchema)]
struct Intake {
    /// The number of days up to now over which this was counted: 28, or fewer if the log is younger.
    days: u32,
    /// How many MQLs sales can take on in a day, as the request said.
    capacity_per_day: Option<f64>,
    /// Under the live version.
    live: PerDay,
    /// Under the previewed version.
    model: PerDay,
}

/// How many leads a day would have become MQLs if a version had always been live.
#[derive(Debug, Serialize, ToSchema)]
struct PerDay {
    /// The mean number a day.
    mean: f64,
    /// The lower end of the 95 % interval.
    low: f64,
    /// The upper end of the 95 % interval.
    high: f64,
    /// Whether the mean is more than sales can take on. Null if the request did not say how many that is.
    exceeds_capacity: Option<bool>,
    /// How many leads became MQLs over all days. A lead that became an MQL twice counts once.
    leads: Estimate,
}

/// Makes the counts and named leads of the answer.
struct Maker<'a> {
    basis: Basis,
    names: &'a HashMap<LeadId, Names>,
}

impl Preview {
    pub(super) fn of(previewed: Previewed, capacity_per_day: Option<f64>) -> Preview {
        let Previewed { as_of, pair, basis, mut changes, names, why } = previewed;
        let make = Maker { basis, names: &names };
        let [before, after] = pair.versions.each_ref().map(|version| version.model.bands().steps());
        let mut bands = Vec::new();
        for step in after.iter().chain(before) {
            bands
                .extend(changes.bands.remove_entry(&step.label).map(|(label, band)| make.band(label, &band)));
        }
        let movers = changes.movers.most.iter().zip(why);
        let grades = changes.grades.iter().map(|(label, [before, after])| GradeChange {
            label: label.clone(),
            before: basis.estimate(*before),
            after: basis.estimate(*after),
        });
        let [live, model] = pair.names;
        Preview {
            as_of,
            live,
            model,
            basis,
            bands,
            grades: grades.collect(),
            mql: make.mqls(&changes),
            mqls_per_day: make.intake(&changes, capacity_per_day),
            rank_correlation: changes.rank_correlation,
            movers: movers.map(|(moved, why)| Mover { lead: make.lead(moved), why }).collect(),
        }
    }
}

impl Maker<'_> {
    fn band(&self, label: String, band: &Label) -> BandChange {
        let [before, after] = band.counts.map(|seen| self.basis.estimate(seen));
        BandChange {
            label,
            before,
            after,
            enters: self.group(&band.enters),
            leaves: self.group(&band.leaves),
        }
    }

    fn mqls(&self, changes: &Changes) -> MqlChange {
        let mqls = &changes.mqls;
        let after = mqls.now + mqls.enters.count - mqls.leaves.count - mqls.leaves_anyway;
        MqlChange {
            before: self.basis.estimate(mqls.now),
            after: self.basis.estimate(after),
            enters: self.group(&mqls.enters),
            leaves: self.group(&mqls.leaves),
            leaves_anyway: self.basis.estimate(mqls.leaves_anyway),
            stays: self.basis.estimate(mqls.stays),
        }
    }

    fn intake(&self, changes: &Changes, capacity_per_day: Option<f64>) -> Intake {
        let a_day = |count: u64| count as f64 / f64::from(changes.days);
        let [live, model] = changes.became_mql.map(|seen| {
            let leads = self.basis.estimate(seen);
            let mean = a_day(leads.count);
            PerDay {
                mean,
                low: a_day(leads.low),
                high: a_day(leads.high),
                exceeds_capacity: capacity_per_day.map(|capacity| mean > capacity),
                leads,
            }
        });
        Intake { days: changes.days, capacity_per_day, live, model }
    }

    fn group(&self, group: &Group) -> LeadGroup {
        LeadGroup {
            estimate: self.basis.estimate(group.count),
            leads: group.most.iter().map(|moved| self.lead(moved)).collect(),
        }
    }

    fn lead(&self, moved: &Moved) -> MovedLead {
        let Names { user_id, email } = self.names.get(&moved.id).cloned().unwrap_or_default();
        let [before, after] = moved.scores;
        let by = |entry| match entry {
            Entry::HandRaise => MqlBy::HandRaise,
            Entry::Threshold => MqlBy::Threshold,
        };
        MovedLead {
            lead_id: moved.id,
            user_id,
            email,
            stage: moved.stage,
            before,
            after,
            enters_by: moved.enters_by.map(by),
            leaves_at: moved.leaves_at,
        }
    }
}
