//! Reads grades and bands.

use std::collections::BTreeSet;

use super::node::{Mistakes, Node};
use crate::model::{Grades, Scale, Step};

pub(super) fn grades(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Grades> {
    let object = node.object(mistakes)?;
    object.only(&["fit", "engagement"], mistakes);
    let fit = object.require("fit", mistakes).and_then(|node| scale(&node, mistakes));
    let engagement = object.require("engagement", mistakes).and_then(|node| scale(&node, mistakes));
    Some(Grades { fit: fit?, engagement: engagement? })
}

pub(super) fn scale(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Scale> {
    let entries = node.list(mistakes)?;
    let Some(last) = entries.len().checked_sub(1) else {
        return mistakes.wrong(&node.pointer, "empty", "list at least one label; the last has no `from`");
    };
    let steps: Vec<_> =
        entries.iter().enumerate().map(|(i, entry)| step(entry, i == last, mistakes)).collect();
    let steps: Vec<Step> = steps.into_iter().collect::<Option<_>>()?;
    let mut labels = BTreeSet::new();
    for (entry, step) in entries.iter().zip(&steps) {
        if !labels.insert(&step.label) {
            let message = format!("give each step its own label; `{}` is used twice", step.label);
            mistakes.add(format!("{}/label", entry.pointer), "duplicate_label", message);
        }
    }
    for (pair, entry) in steps.windows(2).zip(entries.iter().skip(1)) {
        if let [Step { from: Some(higher), .. }, Step { from: Some(lower), label }] = pair
            && lower >= higher
        {
            let message =
                format!("let `{label}` begin below {higher}: write the steps from the highest to the lowest");
            mistakes.add(format!("{}/from", entry.pointer), "not_falling", message);
        }
    }
    Some(Scale(steps))
}

fn step(node: &Node<'_>, is_last: bool, mistakes: &mut Mistakes) -> Option<Step> {
    let object = node.object(mistakes)?;
    object.only(&["label", "from"], mistakes);
    let label = object.require("label", mistakes).and_then(|node| node.name(mistakes));
    let from = if is_last {
        if let Some(from) = object.get("from") {
            let message = "remove `from`: the last label is for all points below the other labels";
            return mistakes.wrong(&from.pointer, "last_has_from", message);
        }
        None
    } else {
        Some(object.require("from", mistakes)?.points(mistakes)?)
    };
    Some(Step { label: label?, from })
}
