//! Reads a model document and finds every mistake in it.
//!
//! A reader returns `None` if it added a mistake. After a mistake the readers go on with the rest of the
//! document, so one answer names all mistakes.

mod condition;
mod decay;
mod fingerprint;
mod group;
mod node;
mod own;
mod rule;
mod scale;
mod test;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{Dimension, Listener, MAX_RULES, Model, Mql, Range, Section};
use crate::decay::CompoundTables;
use crate::mistake::Mistake;
use node::{Mistakes, Node, Object};

const KEYS: [&str; 9] =
    ["name", "description", "score", "dimensions", "grades", "bands", "mql", "hand_raise", "tests"];

pub(super) fn model(document: &Value) -> Result<Model, Vec<Mistake>> {
    read(document, Mistakes::default())
}

/// Reads a document that an earlier release accepted: see [`Model::parse_stored`].
pub(super) fn stored_model(document: &Value) -> Result<Model, Vec<Mistake>> {
    read(document, Mistakes::of_stored())
}

fn read(document: &Value, mut mistakes: Mistakes) -> Result<Model, Vec<Mistake>> {
    let read = document_node(document, &mut mistakes);
    mistakes.unless_any(read)
}

fn document_node(document: &Value, mistakes: &mut Mistakes) -> Option<Model> {
    let object = Node::root(document).object(mistakes)?;
    object.only(&KEYS, mistakes);
    let name = object.name(mistakes);
    let description =
        object.optional("description", mistakes, |node, mistakes| node.string(mistakes).map(str::to_owned));
    let range = object.require("score", mistakes).and_then(|node| {
        let score = node.object(mistakes)?;
        score.only(&["min", "max"], mistakes);
        required_range(&score, mistakes)
    });
    let sections = object.require("dimensions", mistakes).and_then(|node| sections(&node, mistakes));
    let grades = object.require("grades", mistakes).and_then(|node| scale::grades(&node, mistakes));
    let bands = object.require("bands", mistakes).and_then(|node| scale::scale(&node, mistakes));
    let mql = object.optional("mql", mistakes, mql);
    let hand_raise = object.optional("hand_raise", mistakes, rule::types);
    let tests = object.optional("tests", mistakes, test::tests);
    let sections = sections?;
    let rule_count = sections.iter().flat_map(|section| &section.groups).map(|group| group.rules.len()).sum();
    if rule_count > MAX_RULES {
        let message = format!("write at most {MAX_RULES} rules; the document has {rule_count}");
        return mistakes.wrong("/dimensions", "too_many_rules", message);
    }
    Some(Model {
        name: name?,
        description: description?,
        range: range?,
        listeners: listeners(&sections),
        sections,
        grades: grades?,
        bands: bands?,
        mql: mql?,
        hand_raise: hand_raise?.unwrap_or_default(),
        tests: tests?.unwrap_or_default(),
        rule_count,
        fingerprint: fingerprint::of(document),
    })
}

/// The `min` and `max` that dimensions and the score must have.
fn required_range(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<Range> {
    let present = ["min", "max"].map(|key| object.require(key, mistakes).is_some());
    let (min, max) = object.caps(mistakes)?;
    if present.contains(&false) {
        return None;
    }
    Some(Range { min: min?, max: max? })
}

/// What the readers collect over the whole document: decay tables, group names and the next rule's index.
#[derive(Default)]
pub(super) struct Gathered {
    tables: CompoundTables,
    groups: BTreeSet<String>,
    next_rule: usize,
}

fn sections(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<[Section; 2]> {
    let object = node.object(mistakes)?;
    object.only(&Dimension::ALL.map(Dimension::as_str), mistakes);
    let mut gathered = Gathered::default();
    let [fit, engagement] = Dimension::ALL.map(|dimension| {
        let node = object.require(dimension.as_str(), mistakes)?;
        section(&node, &mut gathered, mistakes)
    });
    Some([fit?, engagement?])
}

fn section(node: &Node<'_>, gathered: &mut Gathered, mistakes: &mut Mistakes) -> Option<Section> {
    let object = node.object(mistakes)?;
    object.only(&["min", "max", "groups"], mistakes);
    let range = required_range(&object, mistakes);
    let groups = object.require("groups", mistakes)?.list(mistakes)?;
    let groups: Vec<_> = groups.iter().map(|node| group::group(node, gathered, mistakes)).collect();
    Some(Section { range: range?, groups: groups.into_iter().collect::<Option<_>>()? })
}

fn mql(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Mql> {
    let object = node.object(mistakes)?;
    object.only(&["enter", "leave", "min_fit", "min_engagement", "dwell", "cooldown"], mistakes);
    let enter = object.require("enter", mistakes).and_then(|node| node.points(mistakes));
    let leave = object.optional("leave", mistakes, Node::points);
    let min_fit = object.optional("min_fit", mistakes, Node::points);
    let min_engagement = object.optional("min_engagement", mistakes, Node::points);
    let dwell = object.optional("dwell", mistakes, Node::span);
    let cooldown = object.optional("cooldown", mistakes, Node::span);
    Some(Mql {
        enter: enter?,
        leave: leave?.or(enter)?,
        min_fit: min_fit?,
        min_engagement: min_engagement?,
        dwell: dwell?,
        cooldown: cooldown?,
    })
}

fn listeners(sections: &[Section]) -> HashMap<String, Vec<Listener>> {
    let mut listeners: HashMap<String, Vec<Listener>> = HashMap::new();
    for rule in sections.iter().flat_map(|section| &section.groups).flat_map(|group| &group.rules) {
        let Some(matching) = rule.matching() else { continue };
        for kind in &matching.types {
            listeners.entry(kind.clone()).or_default().push(Listener {
                rule: rule.index,
                condition: matching.condition.clone(),
                keep: rule.keep(),
            });
        }
    }
    listeners
}
