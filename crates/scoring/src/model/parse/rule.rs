//! Reads rules. The keys of a rule tell its kind.

use std::sync::Arc;

use super::node::{Mistakes, Node, Object};
use super::{Gathered, condition, decay};
use crate::model::{Count, EventRule, Limit, Matching, Repeat, Rule, RuleKind};

/// The most repeats of an inactivity rule. This keeps sums from overflowing.
const MAX_REPEATS: u32 = 10_000;

const EVERY_KIND: [&str; 4] = ["name", "points", "min", "max"];

pub(super) fn rule(node: &Node<'_>, gathered: &mut Gathered, mistakes: &mut Mistakes) -> Option<Rule> {
    let object = node.object(mistakes)?;
    let name = object.name(mistakes);
    let points = object.require("points", mistakes).and_then(|node| node.points(mistakes));
    let caps = object.caps(mistakes);
    let kind = kind(&object, gathered, mistakes);
    let index = gathered.next_rule;
    gathered.next_rule += 1;
    let (min, max) = caps?;
    Some(Rule { name: name?, points: points?, min, max, kind: kind?, index })
}

fn kind(object: &Object<'_>, gathered: &mut Gathered, mistakes: &mut Mistakes) -> Option<RuleKind> {
    let mut only = |keys: &[&str]| object.only(&[&EVERY_KIND, keys].concat(), mistakes);
    match ["when", "inactive", "event"].map(|key| object.map.contains_key(key)) {
        [true, false, false] => {
            only(&["when"]);
            let when = condition::condition(&object.get("when")?, mistakes)?;
            Some(RuleKind::Attribute { when })
        }
        [false, true, false] => {
            only(&["inactive"]);
            inactivity(&object.get("inactive")?, mistakes)
        }
        [false, false, true] if object.map.contains_key("at_least") => {
            only(&["event", "where", "at_least"]);
            count(object, mistakes)
        }
        [false, false, true] => {
            only(&["event", "where", "window", "limit", "decay"]);
            event(object, gathered, mistakes)
        }
        [false, false, false] => mistakes.wrong(
            &object.pointer,
            "unknown_kind",
            "add what the rule is about: `when` for an attribute, `event` for events, `inactive` for inactivity",
        ),
        _ => mistakes.wrong(
            &object.pointer,
            "ambiguous_kind",
            "keep only one of `when`, `event` and `inactive`; a rule has one kind",
        ),
    }
}

fn event(object: &Object<'_>, gathered: &mut Gathered, mistakes: &mut Mistakes) -> Option<RuleKind> {
    let matching = matching(object, mistakes);
    let window = object.optional("window", mistakes, Node::span);
    let limit = object.optional("limit", mistakes, limit);
    let decay = object
        .optional("decay", mistakes, |node, mistakes| decay::decay(node, &mut gathered.tables, mistakes));
    Some(RuleKind::Event(EventRule { matching: matching?, window: window?, limit: limit?, decay: decay? }))
}

fn count(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<RuleKind> {
    let matching = matching(object, mistakes);
    let at_least = object.get("at_least")?.object(mistakes)?;
    at_least.only(&["count", "within"], mistakes);
    let count = at_least.require("count", mistakes).and_then(|node| node.count(mistakes, u32::MAX));
    let within = at_least.optional("within", mistakes, Node::span);
    Some(RuleKind::Count(Count { matching: matching?, at_least: count?, within: within? }))
}

fn inactivity(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<RuleKind> {
    let object = node.object(mistakes)?;
    object.only(&["for", "repeat"], mistakes);
    let quiet_for = object.require("for", mistakes).and_then(|node| node.span(mistakes));
    let repeat = object.optional("repeat", mistakes, |node, mistakes| {
        let object = node.object(mistakes)?;
        object.only(&["every", "times"], mistakes);
        let every = object.require("every", mistakes).and_then(|node| node.span(mistakes));
        let times = object.require("times", mistakes).and_then(|node| node.count(mistakes, MAX_REPEATS));
        Some(Repeat { every: every?, times: times? })
    });
    Some(RuleKind::Inactivity { quiet_for: quiet_for?, repeat: repeat? })
}

fn limit(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Limit> {
    let object = node.object(mistakes)?;
    object.only(&["count", "per"], mistakes);
    let count = object.require("count", mistakes).and_then(|node| node.count(mistakes, u32::MAX));
    let per = object.optional("per", mistakes, Node::span);
    Some(Limit { count: count?, per: per? })
}

fn matching(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<Matching> {
    let event = object.get("event")?;
    let types = if event.value.is_array() {
        some_types(&event, mistakes)
    } else {
        event.event_type(mistakes).map(|kind| vec![kind])
    };
    let condition = object.optional("where", mistakes, condition::condition);
    Some(Matching { types: types?, condition: condition?.map(Arc::new) })
}

/// Reads a list of at least one event type: a rule with an empty list would never match an event.
fn some_types(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let types = types(node, mistakes)?;
    if types.is_empty() && !mistakes.are_of_stored() {
        let message = "name at least one type; an empty list never matches an event";
        return mistakes.wrong(&node.pointer, "empty", message);
    }
    Some(types)
}

/// Reads a list of event types, without repetitions.
pub(super) fn types(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let entries = node.list(mistakes)?;
    let names: Vec<_> = entries.iter().map(|entry| entry.event_type(mistakes)).collect();
    let mut types = Vec::with_capacity(names.len());
    for name in names {
        let name = name?;
        if !types.contains(&name) {
            types.push(name);
        }
    }
    Some(types)
}
