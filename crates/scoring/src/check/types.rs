//! Types of events that a log has never held.

use std::collections::BTreeSet;

use super::warning;
use crate::event::COMMON_TYPES;
use crate::event_type;
use crate::mistake::Mistake;
use crate::model::{Dimension, Model};

/// How much two types must have in common, 0 to 1, for one to be taken for a slip of the other.
const ALIKE: f64 = 0.5;

/// Warns of each type that the model names and that is not among those seen. A log without events has nothing to say.
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
            Some(near) => format!("write `{near}` if that is meant"),
            None => "look whether something sends it".to_owned(),
        };
        let message = format!("{advice}; no event of the type `{kind}` has ever come");
        warnings.push(warning(pointer.to_owned(), "never_seen", message));
    }
}

/// The type seen or commonly sent that is most like another, if any is. A type that is commonly sent is no slip.
fn nearest<'a>(kind: &str, seen: &'a BTreeSet<String>) -> Option<&'a str> {
    if COMMON_TYPES.contains(&kind) {
        return None;
    }
    let likeness = |other: &'a str| (strsim::normalized_damerau_levenshtein(kind, other), other);
    // Of two that are equally alike, the last is taken: one that has come.
    let known = COMMON_TYPES.into_iter().chain(seen.iter().map(String::as_str));
    let alike = known.map(likeness).filter(|(likeness, _)| *likeness >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, nearest)| nearest)
}
