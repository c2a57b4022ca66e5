//! Reads the tests of a document.

use serde_json::{Map, Value};

use super::node::{Mistakes, Node};
use crate::event::{Event, Verdict};
use crate::model::{Expectation, Test};
use crate::points::Milli;

pub(super) fn tests(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Vec<Test>> {
    let tests: Vec<_> = node.list(mistakes)?.iter().map(|entry| test(entry, mistakes)).collect();
    tests.into_iter().collect()
}

fn test(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Test> {
    let object = node.object(mistakes)?;
    object.only(&["name", "profile", "events", "as_of", "expect"], mistakes);
    let name = object.name(mistakes);
    let profile = object.optional("profile", mistakes, attributes);
    let events = object.optional("events", mistakes, |node, mistakes| {
        let entries = node.list(mistakes)?;
        let events: Vec<_> =
            entries.iter().enumerate().map(|(place, entry)| event(entry, place, mistakes)).collect();
        events.into_iter().collect::<Option<Vec<_>>>()
    });
    let as_of = object.require("as_of", mistakes).and_then(|node| node.instant(mistakes));
    let expect = object.require("expect", mistakes).and_then(|node| expectation(&node, mistakes));
    Some(Test {
        name: name?,
        profile: profile?.unwrap_or_default(),
        events: events?.unwrap_or_default(),
        as_of: as_of?,
        expect: expect?,
    })
}

fn event(node: &Node<'_>, place: usize, mistakes: &mut Mistakes) -> Option<Event> {
    let object = node.object(mistakes)?;
    object.only(&["id", "type", "occurred_at", "verdict", "properties", "traits"], mistakes);
    let id = object.optional("id", mistakes, Node::name);
    let kind = object.require("type", mistakes).and_then(|node| node.event_type(mistakes));
    let occurred_at = object.require("occurred_at", mistakes).and_then(|node| node.instant(mistakes));
    let verdict = object.optional("verdict", mistakes, verdict);
    let properties = object.optional("properties", mistakes, attributes);
    let traits = object.optional("traits", mistakes, attributes);
    Some(Event {
        id: id?.unwrap_or_else(|| place.to_string()),
        kind: kind?,
        occurred_at: occurred_at?,
        verdict: verdict?.unwrap_or_default(),
        properties: properties?.unwrap_or_default(),
        traits: traits?,
    })
}

fn verdict(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Verdict> {
    match node.string(mistakes)? {
        "human" => Some(Verdict::Human),
        "suspect" => Some(Verdict::Suspect),
        "machine" => Some(Verdict::Machine),
        _ => mistakes.wrong(&node.pointer, "unknown_value", "write `human`, `suspect` or `machine`"),
    }
}

fn attributes(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Map<String, Value>> {
    Some(node.object(mistakes)?.map.clone())
}

fn expectation(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Expectation> {
    let object = node.object(mistakes)?;
    object.only(&["score", "raw", "fit", "engagement", "adjustments", "grade", "band"], mistakes);
    let score = object.optional("score", mistakes, Node::integer);
    let [raw, fit, engagement, adjustments] = ["raw", "fit", "engagement", "adjustments"]
        .map(|key| object.optional(key, mistakes, |node, mistakes| node.integer(mistakes).map(Milli)));
    let [grade, band] = ["grade", "band"].map(|key| object.optional(key, mistakes, Node::name));
    Some(Expectation {
        score: score?,
        raw: raw?,
        fit: fit?,
        engagement: engagement?,
        adjustments: adjustments?,
        grade: grade?,
        band: band?,
    })
}
