//! Which of two models placed the won leads higher.

use std::sync::Arc;

use scoring::{Event, Instant};
use serde::Serialize;
use serde_json::Map;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    replay::over_logs,
    statistics::auc,
    store::{self, Outcome},
};
use crate::{models::Version, platform::clock::to_instant};

/// How many leads the judgement uses at most: those that were handed over last.
const MOST: i64 = 5_000;

/// How well two models told won leads from the others.
///
/// The leads are scored as of the moment at which they were handed over to sales, because events after that
/// moment are not known at the handover.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Judgement {
    /// How many of the leads are customers or opportunities now.
    won: u64,
    /// How many of the leads were lost or disqualified.
    not_won: u64,
    /// The probability that `a` placed a won lead above a lead that was not won: the area under the ROC
    /// curve. 1 is always, 0.5 is chance. Ties count half. Null if there are not both kinds of leads.
    a: Option<f64>,
    /// The same probability for `b`.
    b: Option<f64>,
    /// Why `a` and `b` are null. Null if they are not.
    reason: Option<&'static str>,
}

/// A place in a model's order: the score, then the raw score in milli-points.
type Place = (i64, i64);

/// Judges two models by the leads that were won, lost or disqualified.
pub(super) async fn judge(conn: &mut PgConnection, versions: &[Arc<Version>; 2]) -> sqlx::Result<Judgement> {
    let outcomes = store::outcomes(conn, MOST).await?;
    let versions = versions.clone();
    let work =
        move |outcome: Outcome, events: Vec<Event>| (outcome.won, places(&outcome, &events, &versions));
    Ok(Judgement::of(&over_logs(conn, outcomes, |outcome| outcome.lead_id, work).await?))
}

fn places(outcome: &Outcome, events: &[Event], versions: &[Arc<Version>; 2]) -> [Place; 2] {
    let at: Instant = to_instant(outcome.handed_over_at);
    versions.each_ref().map(|version| {
        let score = scoring::replay(&version.model, &Map::new(), events, at).evaluate(&version.model, at);
        (score.score, score.raw.0)
    })
}

impl Judgement {
    fn of(judged: &[(bool, [Place; 2])]) -> Judgement {
        let places = |side: usize, won: bool| -> Vec<Place> {
            judged.iter().filter(|one| one.0 == won).map(|one| one.1[side]).collect()
        };
        let [a, b] = [0, 1].map(|side| auc(places(side, true), places(side, false)));
        let won = judged.iter().filter(|one| one.0).count() as u64;
        Judgement {
            won,
            not_won: judged.len() as u64 - won,
            a,
            b,
            reason: a.is_none().then_some(
                "A judgement needs leads of both kinds that were handed over to sales: some that became an opportunity or a \
                 customer, and some that were lost or disqualified.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_that_had_the_winners_above_is_the_better_one() {
        let judged = [(true, [(80, 0), (50, 1)]), (true, [(60, 0), (50, 0)]), (false, [(40, 0), (50, 0)])];
        let judgement = Judgement::of(&judged);
        assert_eq!((judgement.won, judgement.not_won), (2, 1));
        assert_eq!((judgement.a, judgement.b), (Some(1.0), Some(0.75)), "b: one above by raw, one tie");
        assert_eq!(judgement.reason, None);
    }

    #[test]
    fn without_both_kinds_there_is_no_judgement() {
        for judged in [&[][..], &[(true, [(80, 0), (50, 1)])], &[(false, [(80, 0), (50, 1)])]] {
            let judgement = Judgement::of(judged);
            assert_eq!((judgement.a, judgement.b), (None, None));
            assert!(judgement.reason.is_some());
        }
    }
}
