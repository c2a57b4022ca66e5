//! Two versions side by side: how each spreads the leads, and where they agree.

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

/// Into how many parts of equal length the range of scores is cut.
const BINS: i64 = 10;

/// A lead's state under one version.
#[derive(Debug, Clone)]
pub(super) struct VersionState {
    score: i64,
    /// In milli-points, as are fit and engagement.
    raw: i64,
    fit: Milli,
    engagement: Milli,
    band: String,
    /// Whether a score may make it an MQL or keep it one: it is known, not beyond, and may be contacted.
    may_be_mql: bool,
}

/// Two versions side by side.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Comparison {
    /// The instant of all scores.
    as_of: Instant,
    /// The one.
    a: Spread,
    /// The other.
    b: Spread,
    /// Where the scores come from.
    scores: Source,
    #[serde(flatten)]
    basis: Basis,
    /// Spearman's rank correlation of the two orders, ties sharing a rank: 1 if they agree, 0 if they have nothing in
    /// common, -1 if the one is the other's reverse. Null where either holds all leads for equal.
    rank_correlation: Option<f64>,
    /// Who reaches the thresholds of which version.
    mql: Overlap,
    /// Which version placed those higher who were won.
    outcomes: Judgement,
}

/// Where scores come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Leads are scored under both versions, and these scores were read.
    Stored,
    /// At least one version does not score leads at present: the logs were replayed.
    Replayed,
}

/// How a version spreads the leads.
#[derive(Debug, Serialize, ToSchema)]
struct Spread {
    /// The version.
    version: VersionName,
    /// The mean score.
    mean: Option<f64>,
    /// The score that half of the leads do not exceed.
    median: Option<i64>,
    /// How many leads have which score, in ten parts of equal length.
    histogram: Vec<Bin>,
    /// How many leads are in which band, the highest first.
    bands: Vec<InBand>,
}

/// The leads with a score from here on and below there.
#[derive(Debug, Serialize, ToSchema)]
struct Bin {
    /// From this score on.
    from: f64,
    /// Below this score; the last part includes it.
    to: f64,
    #[serde(flatten)]
    leads: Estimate,
}

/// The leads in a band.
#[derive(Debug, Serialize, ToSchema)]
struct InBand {
    /// The band.
    label: String,
    #[serde(flatten)]
    leads: Estimate,
}

/// The leads that reach a version's thresholds now: score, fit and engagement are enough to become an MQL, the person is
/// known and may be contacted, and sales has not taken it on.
#[derive(Debug, Serialize, ToSchema)]
struct Overlap {
    /// By `a` alone.
    only_a: Estimate,
    /// By `b` alone.
    only_b: Estimate,
    /// By both.
    both: Estimate,
}

/// States as they are stored.
pub(super) async fn stored(
    conn: &mut PgConnection,
    leads: &[SampledLead],
    versions: [ModelId; 2],
) -> sqlx::Result<Vec<[VersionState; 2]>> {
    let ids: Vec<LeadId> = leads.iter().map(|sampled| sampled.lead.id).collect();
    Ok(store::stored_pairs(conn, versions, &ids).await?.into_iter().map(StoredPair::states).collect())
}

/// States from the log.
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

/// Whether a score decides at this stage.
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
    fn reaches(&self, model: &Model) -> bool {
        let enough = model.mql().is_some_and(|mql| mql.is_reached(self.score, self.fit, self.engagement));
        self.may_be_mql && enough
    }
}

/// Puts two versions side by side.
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
