//! Reads conditions.

use serde_json::Value;

use super::node::{Mistakes, Node, Object};
use super::own::Own;
use crate::condition::{Condition, MAX_DEPTH};
use crate::mistake::Mistake;

/// How many conditions of one `all` are compared with one another. This bounds the time for a long list.
const MOST_COMPARED: usize = 64;

const OPERATORS: [&str; 13] = [
    "eq",
    "ne",
    "in",
    "not_in",
    "lt",
    "lte",
    "gt",
    "gte",
    "contains",
    "starts_with",
    "ends_with",
    "glob",
    "exists",
];

impl Condition {
    /// Reads a condition outside a model, in the same form as within a model: an object with `all`, `any`,
    /// `not`, or `field` and one operator.
    ///
    /// # Errors
    /// Every mistake, each with a pointer to its place within the condition.
    pub fn parse(value: &Value) -> Result<Condition, Vec<Mistake>> {
        read(value, Mistakes::default())
    }

    /// Reads a condition that an earlier release accepted. Operands that are now refused keep their old
    /// meaning: see [`crate::Model::parse_stored`].
    ///
    /// # Errors
    /// Every mistake other than a refused operand.
    pub fn parse_stored(value: &Value) -> Result<Condition, Vec<Mistake>> {
        read(value, Mistakes::of_stored())
    }
}

fn read(value: &Value, mut mistakes: Mistakes) -> Result<Condition, Vec<Mistake>> {
    let read = condition(&Node::root(value), &mut mistakes);
    mistakes.unless_any(read)
}

pub(super) fn condition(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
    at_depth(node, 1, mistakes)
}

fn at_depth(node: &Node<'_>, depth: usize, mistakes: &mut Mistakes) -> Option<Condition> {
    if depth > MAX_DEPTH {
        let message = format!("nest conditions at most {MAX_DEPTH} levels deep");
        return mistakes.wrong(&node.pointer, "too_deep", message);
    }
    let object = node.object(mistakes)?;
    let Some(key) = ["all", "any", "not", "field"].into_iter().find(|key| object.map.contains_key(*key))
    else {
        let message = "write a condition: an object with `all`, `any`, `not`, or `field` and one operator";
        return mistakes.wrong(&object.pointer, "no_condition", message);
    };
    if key == "field" {
        return field(&object, mistakes);
    }
    object.only(&[key], mistakes);
    let inner = object.get(key)?;
    if key == "not" {
        return Some(Condition::Not(Box::new(at_depth(&inner, depth + 1, mistakes)?)));
    }
    let nodes = inner.list(mistakes)?;
    let parts: Vec<_> = nodes.iter().map(|part| at_depth(part, depth + 1, mistakes)).collect();
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    if key == "all" {
        return all(&nodes, parts, mistakes);
    }
    if parts.is_empty() && !mistakes.are_of_stored() {
        let message = "write at least one condition; an empty `any` never holds";
        return mistakes.wrong(&inner.pointer, "empty", message);
    }
    Some(Condition::Any(parts))
}

/// Makes an `all` condition; adds a mistake if no value can meet two of its parts together.
fn all(nodes: &[Node<'_>], parts: Vec<Condition>, mistakes: &mut Mistakes) -> Option<Condition> {
    let looked_at = if mistakes.are_of_stored() { 0 } else { MOST_COMPARED };
    for (j, (part, node)) in parts.iter().zip(nodes).enumerate().take(looked_at) {
        let mut before = parts.iter().zip(nodes).take(j);
        if let Some((_, other)) = before.find(|(other, _)| part.excludes(other)) {
            let message =
                format!("change this condition or the one at {}; no value meets both", other.pointer);
            return mistakes.wrong(&node.pointer, "never_met", message);
        }
    }
    Some(Condition::All(parts))
}

fn field(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
    let known: Vec<&str> = ["field"].into_iter().chain(OPERATORS).collect();
    object.only(&known, mistakes);
    let field = object.get("field")?;
    let path: Vec<String> = field.string(mistakes)?.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        let message = "write a field as keys joined by single dots, such as company.size";
        mistakes.add(&field.pointer, "invalid_field", message);
    }
    let mut operators = OPERATORS.into_iter().filter(|operator| object.map.contains_key(*operator));
    let (Some(operator), None) = (operators.next(), operators.next()) else {
        let message = format!("write exactly one operator of {}", OPERATORS.join(", "));
        return mistakes.wrong(&object.pointer, "not_one_operator", message);
    };
    let own = Own { node: object.get(operator)?, operator, field: field.value.as_str()? };
    Some(Condition::Field { path, test: own.test(mistakes)? })
}
