//! Warnings about grades, bands and thresholds that no lead can reach, and about MQL thresholds that are left
//! out.

use serde_json::Value;

use super::attainable::Attainable;
use super::warning;
use crate::mistake::Mistake;
use crate::model::{Dimension, Model, Mql, Range, Scale};
use crate::points::Milli;

pub(super) fn warnings(model: &Model, attainable: &Attainable) -> Vec<Mistake> {
    let mut warnings = Vec::new();
    for dimension in Dimension::ALL {
        let pointer = format!("/grades/{}", dimension.as_str());
        let range = attainable.section(dimension).clamped;
        warn_of_scale(&pointer, model.grades().scale(dimension), range, &mut warnings);
    }
    let published = |points: Milli| Milli(points.rounded_points().saturating_mul(1000));
    let Range { min, max } = attainable.score;
    let range = Range { min: published(min), max: published(max) };
    warn_of_scale("/bands", model.bands(), range, &mut warnings);
    if let Some(mql) = model.mql() {
        warn_of_thresholds(mql, attainable, range.max, &mut warnings);
    }
    warnings
}

/// Warns of `mql` without `leave` or without `dwell`, and says what then holds.
pub(super) fn defaults(document: &Value, model: &Model) -> Vec<Mistake> {
    let Some(Mql { enter, leave, .. }) = model.mql() else { return Vec::new() };
    let open = [
        (
            "leave",
            "no_leave",
            format!(
                "add a `leave` below `enter`; without `leave`, a lead stops being an MQL as soon as its score is below {enter}, \
                 and a score that moves around {enter} makes the lead an MQL again and again"
            ),
        ),
        (
            "dwell",
            "no_dwell",
            format!(
                "add `dwell`, such as 1d; without `dwell`, a lead stops being an MQL at once when its score falls below \
                 {leave}"
            ),
        ),
    ];
    let given = |key: &str| document.pointer(&format!("/mql/{key}")).is_some();
    open.into_iter()
        .filter(|(key, ..)| !given(key))
        .map(|(_, code, message)| warning("/mql".to_owned(), code, message))
        .collect()
}

fn warn_of_scale(pointer: &str, scale: &Scale, range: Range, warnings: &mut Vec<Mistake>) {
    let mut covered = false;
    for (i, step) in scale.steps().iter().enumerate() {
        if covered {
            let message = format!(
                "raise `from` of the step above, or remove `{}`; the rules alone give no lead so few points",
                step.label
            );
            warnings.push(warning(format!("{pointer}/{i}"), "unreachable_label", message));
        } else if let Some(from) = step.from.filter(|from| *from > range.max) {
            let message = format!(
                "let `{}` begin at {} or below; the rules alone give no lead {from} points",
                step.label, range.max
            );
            warnings.push(warning(format!("{pointer}/{i}/from"), "unreachable_label", message));
        }
        covered |= step.from.is_some_and(|from| from <= range.min);
    }
}

fn warn_of_thresholds(mql: &Mql, attainable: &Attainable, score: Milli, warnings: &mut Vec<Mistake>) {
    let most = |dimension| attainable.section(dimension).clamped.max;
    let thresholds = [
        ("enter", Some(mql.enter), score),
        ("min_fit", mql.min_fit, most(Dimension::Fit)),
        ("min_engagement", mql.min_engagement, most(Dimension::Engagement)),
    ];
    for (key, threshold, most) in thresholds {
        if threshold.is_some_and(|threshold| threshold > most) {
            let message = format!("write {most} or less; the rules alone give no lead more points");
            warnings.push(warning(format!("/mql/{key}"), "threshold_unreachable", message));
        }
    }
    if mql.enter < mql.leave {
        let message = format!(
            "write {} or less; a lead with a score between the two would become an MQL and stop being one at every check",
            mql.enter
        );
        warnings.push(warning("/mql/leave".to_owned(), "leave_above_enter", message));
    }
}
