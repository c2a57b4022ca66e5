//! Warnings about event types that the log has never held.

use std::collections::BTreeSet;

use super::warning;
use crate::event::COMMON_TYPES;
use crate::event_type;
use crate::mistake::Mistake;
use crate::model::{Dimension, Model};

/// The likeness from which a type counts as a misspelling of another: 0 (nothing in common) to 1 (equal).
const ALIKE: f64 = 0.5;

/// Warns of each type that the model names and the log has never held. An empty log gives no warnings.
pub(super) fn warnings(model: &Model, seen: &BTreeSet<String>) -> Vec<Mistake> {
    if seen.is_empty() {
        return Vec::new();
    }
    let seen: BTreeSet<String> = seen.iter().map(|kind| event_type::form(kind).into_owned()).collect();
    let mut warnings = Vec::new();
    for dimension in Dimension::ALL {
        for (group, g) in model.section(dimension).groups.iter().zip(0..) {
            for (rule, r) in group.rules.iter().zip(0..) {
                let pointer = format!("/dimensions/{}/groups/{g}/rules/{r}/event", dimension.as_str());
                let types = rule.matching().map(|matching| matching.types.as_slice()).unwrap_or_default();
                warn_of_types(&pointer, types, &seen, &mut warnings);
            }
        }
    }
    warn_of_types("/hand_raise", model.hand_raise(), &seen, &mut warnings);
    warnings
}

fn warn_of_types(pointer: &str, types: &[String], seen: &BTreeSet<String>, warnings: &mut Vec<Mistake>) {
    for kind in types.iter().filter(|kind| !seen.contains(*kind)) {
        let advice = match nearest(kind, seen) {
            Some(near) => format!("write `{near}` if you mean that type"),
            None => "check that a sender sends this type".to_owned(),
        };
        let message = format!("{advice}; the log has no event of the type `{kind}`");
        warnings.push(warning(pointer.to_owned(), "never_seen", message));
    }
}

/// The type of the log or of [`COMMON_TYPES`] that is most like `kind`; `None` if no type is like it. A
/// common type is never taken for a misspelling.
fn nearest<'a>(kind: &str, seen: &'a BTreeSet<String>) -> Option<&'a str> {
    if COMMON_TYPES.contains(&kind) {
        return None;
    }
    let likeness = |other: &'a str| (strsim::normalized_damerau_levenshtein(kind, other), other);
    // `max_by` takes the last of equals. Types of the log come last, so they win over common types.
    let known = COMMON_TYPES.into_iter().chain(seen.iter().map(String::as_str));
    let alike = known.map(likeness).filter(|(likeness, _)| *likeness >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, nearest)| nearest)
}
