//! Reads groups.

use std::collections::BTreeSet;

use super::node::{Mistakes, Node};
use super::{Gathered, rule};
use crate::model::{Group, Take};
use crate::points::Milli;

/// The largest weight, in thousandths.
const MAX_WEIGHT: Milli = Milli(1_000_000);

pub(super) fn group(node: &Node<'_>, gathered: &mut Gathered, mistakes: &mut Mistakes) -> Option<Group> {
    let object = node.object(mistakes)?;
    object.only(&["name", "rules", "take", "min", "max", "weight"], mistakes);
    let name = object.name(mistakes);
    if let Some(name) = &name
        && !gathered.groups.insert(name.clone())
    {
        let message = format!("rename this group; another one is called `{name}`");
        mistakes.add(format!("{}/name", object.pointer), "duplicate_name", message);
    }
    let take = object.optional("take", mistakes, take);
    let caps = object.caps(mistakes);
    let weight = object.optional("weight", mistakes, weight);
    let rules = object.require("rules", mistakes).and_then(|node| rules(&node, gathered, mistakes));
    let (min, max) = caps?;
    Some(Group {
        name: name?,
        rules: rules?,
        take: take?.unwrap_or_default(),
        min,
        max,
        weight: weight?.unwrap_or(1000),
    })
}

fn rules(
    node: &Node<'_>,
    gathered: &mut Gathered,
    mistakes: &mut Mistakes,
) -> Option<Vec<crate::model::Rule>> {
    let mut names = BTreeSet::new();
    let entries = node.list(mistakes)?;
    let mut rules = Vec::with_capacity(entries.len());
    for entry in &entries {
        let rule = rule::rule(entry, gathered, mistakes);
        if let Some(rule) = &rule
            && !names.insert(rule.name.clone())
        {
            let message = format!("rename this rule; another one of the group is called `{}`", rule.name);
            mistakes.add(format!("{}/name", entry.pointer), "duplicate_name", message);
        }
        rules.push(rule);
    }
    rules.into_iter().collect()
}

fn take(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Take> {
    match node.string(mistakes)? {
        "sum" => Some(Take::Sum),
        "best" => Some(Take::Best),
        _ => mistakes.wrong(&node.pointer, "unknown_value", "write `sum` or `best`"),
    }
}

fn weight(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<u32> {
    let weight = node.points(mistakes)?;
    u32::try_from(weight.0)
        .ok()
        .filter(|_| weight <= MAX_WEIGHT)
        .or_else(|| mistakes.wrong(&node.pointer, "out_of_range", "write a weight from 0 to 1000"))
}
