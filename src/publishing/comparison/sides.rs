//! Two versions side by side: the distribution of scores under each, and where they agree.

use scoring::{Instant, Milli, model::Model};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    Basis, Pair, VersionName,
    outcomes::Judgement,
    replay::{Replayed, Side},
    statistics::{Estimate, quantile, spearman},
    store::{self, SampledLead, StoredPair},
};
use crate::{
    leads::Stage,
    platform::ids::{LeadId, ModelId},
};

/// How many bins of equal width a histogram has.
const BINS: i64 = 10;

/// A lead's state under one version.
#[derive(Debug, Clone)]
pub(super) struct VersionState {
    score: i64,
    /// The raw score in milli-points. Fit and engagement are in milli-points too.
    raw: i64,
    fit: Milli,
    engagement: Milli,
    band: String,
    /// Whether the score decides if the lead is an MQL: the lead is at the stage `lead` or `mql`, and may be
    /// contacted.
    may_be_mql: bool,
}

/// A comparison of two versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Comparison {
    /// The instant for which all scores hold.
    as_of: Instant,
    /// The scores under the version `a`.
    a: Spread,
    /// The scores under the version `b`.
    b: Spread,
    /// Whether stored scores were read, or the logs were replayed.
    scores: Source,
    #[serde(flatten)]
    basis: Basis,
    /// Spearman's rank correlation of the two orders, where ties share a rank. 1: the orders are the same. 0:
    /// they have nothing in common. -1: one is the reverse of the other. Null if all leads are equal under
    /// one version.
    rank_correlation: Option<f64>,
    /// How many leads reach the thresholds of which version.
    mql: Overlap,
    /// Which version placed the won leads higher.
    outcomes: Judgement,
}

/// Where the scores of a comparison come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Leads have stored scores under both versions, and these were read.
    Stored,
    /// Leads have no stored scores under at least one version, so the logs were replayed.
    Replayed,
}

/// The distribution of scores under a version.
#[derive(Debug, Serialize, ToSchema)]
struct Spread {
    /// The version.
    version: VersionName,
    /// The mean score. Null if there are no leads.
    mean: Option<f64>,
    /// The median score: half of the leads have this score or less. Null if there are no leads.
    median: Option<i64>,
    /// How many leads have which score, in ten bins of equal width.
    histogram: Vec<Bin>,
    /// How many leads are in which band, the highest band first.
    bands: Vec<InBand>,
}

/// A bin of a histogram: the leads whose scores are within a range.
#[derive(Debug, Serialize, ToSchema)]
struct Bin {
    /// The lowest score of the bin.
    from: f64,
    /// The end of the bin. Scores of the bin are below it. The last bin includes it.
    to: f64,
    #[serde(flatten)]
    leads: Estimate,
}

/// The leads in a band.
#[derive(Debug, Serialize, ToSchema)]
struct InBand {
    /// The label of the band.
    label: String,
    #[serde(flatten)]
    leads: Estimate,
}

/// How many leads reach the thresholds of one or both versions now.
///
/// A lead reaches them if its score, fit and engagement are high enough, it is at the stage `lead` or `mql`,
/// and it may be contacted.
#[derive(Debug, Serialize, ToSchema)]
struct Overlap {
    /// The leads that reach only the thresholds of `a`.
    only_a: Estimate,
    /// The leads that reach only the thresholds of `b`.
    only_b: Estimate,
    /// The leads that reach both.
    both: Estimate,
}

/// Reads the stored states of leads under two versions.
pub(super) async fn stored(
    conn: &mut PgConnection,
    leads: &[SampledLead],
    versions: [ModelId; 2],
) -> sqlx::Result<Vec<[VersionState; 2]>> {
    let ids: Vec<LeadId> = leads.iter().map(|sampled| sampled.lead.id).collect();
    Ok(store::stored_pairs(conn, versions, &ids).await?.into_iter().map(StoredPair::states).collect())
}

/// Turns replayed leads into states under two versions.
pub(super) fn replayed(leads: Vec<Replayed>) -> Vec<[VersionState; 2]> {
    let states = |replayed: Replayed| {
        let stage = replayed.lead.stage();
        replayed.sides.map(|Side { score, do_not_contact, .. }| VersionState {
            score: score.score,
            raw: score.raw.0,
            fit: score.fit,
            engagement: score.engagement,
            band: score.band,
            may_be_mql: is_open(stage) && !do_not_contact,
        })
    };
    leads.into_iter().map(states).collect()
}

/// Whether a score decides at this stage whether the lead is an MQL.
fn is_open(stage: Stage) -> bool {
    matches!(stage, Stage::Lead | Stage::Mql)
}

impl StoredPair {
    fn states(self) -> [VersionState; 2] {
        let open = is_open(self.stage);
        [
            VersionState {
                score: i64::from(self.a_score),
                raw: self.a_raw,
                fit: Milli(self.a_fit),
                engagement: Milli(self.a_engagement),
                band: self.a_band,
                may_be_mql: open && !self.a_do_not_contact,
            },
            VersionState {
                score: i64::from(self.b_score),
                raw: self.b_raw,
                fit: Milli(self.b_fit),
                engagement: Milli(self.b_engagement),
                band: self.b_band,
                may_be_mql: open && !self.b_do_not_contact,
            },
        ]
    }
}

impl VersionState {
    /// Whether the lead reaches the thresholds of a model.
    fn reaches(&self, model: &Model) -> bool {
        let enough = model.mql().is_some_and(|mql| mql.is_reached(self.score, self.fit, self.engagement));
        self.may_be_mql && enough
    }
}

/// Compares the states of leads under two versions.
pub(super) fn compare(
    states: &[[VersionState; 2]],
    source: Source,
    basis: Basis,
    pair: Pair,
    as_of: Instant,
    outcomes: Judgement,
) -> Comparison {
    let [in_a, in_b] = [0, 1].map(|side| states.iter().map(|both| &both[side]).collect::<Vec<_>>());
    let places = |side: &[&VersionState]| side.iter().map(|one| (one.score, one.raw)).collect::<Vec<_>>();
    let [a_model, b_model] = pair.versions.each_ref().map(|version| &version.model);
    let [a_name, b_name] = pair.names;
    let reach = |wanted: (bool, bool)| {
        let hits = states.iter().filter(|[a, b]| (a.reaches(a_model), b.reaches(b_model)) == wanted).count();
        basis.estimate(hits as u64)
    };
    Comparison {
        as_of,
        scores: source,
        rank_correlation: spearman(&places(&in_a), &places(&in_b)),
        mql: Overlap {
            only_a: reach((true, false)),
            only_b: reach((false, true)),
            both: reach((true, true)),
        },
        a: Spread::of(a_name, a_model, &in_a, basis),
        b: Spread::of(b_name, b_model, &in_b, basis),
        basis,
        outcomes,
    }
}

impl Spread {
    fn of(version: VersionName, model: &Model, states: &[&VersionState], basis: Basis) -> Spread {
        let mut scores: Vec<i64> = states.iter().map(|state| state.score).collect();
        scores.sort_unstable();
        let sum: i64 = scores.iter().sum();
        let band = |label: &String| InBand {
            label: label.clone(),
            leads: basis.estimate(states.iter().filter(|state| state.band == *label).count() as u64),
        };
        Spread {
            version,
            mean: (!scores.is_empty()).then(|| sum as f64 / scores.len() as f64),
            median: quantile(&scores, 0.5),
            histogram: histogram(model, &scores, basis),
            bands: model.bands().steps().iter().map(|step| band(&step.label)).collect(),
        }
    }
}

fn histogram(model: &Model, scores: &[i64], basis: Basis) -> Vec<Bin> {
    let range = model.score_range();
    let (min, length) = (range.min.0, (range.max - range.min).0.max(1));
    let bin = |score: &i64| ((score * 1000 - min) * BINS / length).clamp(0, BINS - 1);
    let edge = |number: i64| (min * BINS + length * number) as f64 / (BINS * 1000) as f64;
    let of = |number: i64| Bin {
        from: edge(number),
        to: edge(number + 1),
        leads: basis.estimate(scores.iter().filter(|score| bin(score) == number).count() as u64),
    };
    (0..BINS).map(of).collect()
}
