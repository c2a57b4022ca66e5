//! What publishing a version would change, as it is answered.

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
    /// The instant of all scores, by either model.
    as_of: Instant,
    /// The live version, by which leads stand before.
    live: VersionName,
    /// The version in question, by which they would stand after.
    model: VersionName,
    #[serde(flatten)]
    basis: Basis,
    /// The bands, the highest of the version in question first.
    bands: Vec<BandChange>,
    /// The grades, by label.
    grades: Vec<GradeChange>,
    /// Who becomes an MQL and who stops being one.
    mql: MqlChange,
    /// How many MQLs a day there are to be expected.
    mqls_per_day: Intake,
    /// Spearman's rank correlation of the order of leads before and after, ties sharing a rank: 1 if the order stays, 0 if
    /// the two have nothing in common. Null where either model holds all leads for equal.
    rank_correlation: Option<f64>,
    /// The leads whose score changes most, at most 20, with the reasons.
    movers: Vec<Mover>,
}

/// A band, before and after.
#[derive(Debug, Serialize, ToSchema)]
struct BandChange {
    /// The band.
    label: String,
    /// How many leads are in it.
    before: Estimate,
    /// How many would be.
    after: Estimate,
    /// Who would come into it.
    enters: LeadGroup,
    /// Who would go out of it.
    leaves: LeadGroup,
}

/// A grade, before and after.
#[derive(Debug, Serialize, ToSchema)]
struct GradeChange {
    /// The grade.
    label: String,
    /// How many leads have it.
    before: Estimate,
    /// How many would have it.
    after: Estimate,
}

/// The MQLs, before and after.
#[derive(Debug, Serialize, ToSchema)]
struct MqlChange {
    /// How many there are.
    before: Estimate,
    /// How many there would be once all dwells are over, if nothing else happened.
    after: Estimate,
    /// Who would become one at once.
    enters: LeadGroup,
    /// Who would stop being one, at the latest when the dwell is over, and would have stayed by the live model.
    leaves: LeadGroup,
    /// How many stop being one by either model.
    leaves_anyway: Estimate,
    /// How many would stop being one by the live model, and stay.
    stays: Estimate,
}

/// Leads to which the same happens: how many they are, and the 20 whose score changes most.
#[derive(Debug, Serialize, ToSchema)]
struct LeadGroup {
    #[serde(flatten)]
    estimate: Estimate,
    /// What changes most first; at most 20.
    leads: Vec<MovedLead>,
}

/// A lead before and after.
#[derive(Debug, Serialize, ToSchema)]
struct MovedLead {
    /// The lead.
    lead_id: LeadId,
    /// What the customer's own system calls it.
    user_id: Option<String>,
    /// Its e-mail address.
    email: Option<String>,
    /// Where it stands.
    stage: Stage,
    /// Its score by the live model.
    before: i64,
    /// Its score by the other.
    after: i64,
    /// By what it would become an MQL, if it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    enters_by: Option<MqlBy>,
    /// When it would stop being an MQL, if it would: when the dwell is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves_at: Option<Instant>,
}

/// A lead whose score changes, with the reasons.
#[derive(Debug, Serialize, ToSchema)]
struct Mover {
    #[serde(flatten)]
    lead: MovedLead,
    /// The lines of the receipt that differ, what weighs most first: rules, and the bounds and weights that act on them.
    /// The changes of all lines add up to the change of the score.
    why: Vec<LineChange>,
}

/// How many leads become an MQL in a day.
#[derive(Debug, Serialize, ToSchema)]
struct Intake {
    /// Over how many days, up to now, this was counted: 28, or fewer where the log is younger.
    days: u32,
    /// What sales can take on, as it was asked.
    capacity_per_day: Option<f64>,
    /// By the live model.
    live: PerDay,
    /// By the version in question.
    model: PerDay,
}

/// How many leads a day would have become an MQL, had a model been the one all along.
#[derive(Debug, Serialize, ToSchema)]
struct PerDay {
    /// On average.
    mean: f64,
    /// At 95 % confidence it is no fewer.
    low: f64,
    /// At 95 % confidence it is no more.
    high: f64,
    /// Whether the average is more than sales can take on; null if that was not said.
    exceeds_capacity: Option<bool>,
    /// The leads over all days. A lead that became one twice counts once.
    leads: Estimate,
}

/// What every count and every named lead is made with.
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
