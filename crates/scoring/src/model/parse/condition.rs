//! Reads conditions.

use serde_json::Value;

use super::node::{Mistakes, Node, Object};
use crate::condition::{Condition, Glob, MAX_DEPTH, Operand, Order, Test, lower};
use crate::mistake::Mistake;
use crate::time::Instant;

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
    /// Reads a condition that stands by itself, as it stands in a model: an object with `all`, `any`, `not`, or
    /// `field` and one operator.
    ///
    /// # Errors
    /// Every mistake, each with its place within the condition.
    pub fn parse(value: &Value) -> Result<Condition, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        match condition(&Node::root(value), &mut mistakes) {
            Some(condition) if mistakes.0.is_empty() => Ok(condition),
            _ => Err(mistakes.0),
        }
    }
}

pub(super) fn condition(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
    at_depth(node, 1, mistakes)
}

fn at_depth(node: &Node<'_>, depth: usize, mistakes: &mut Mistakes) -> Option<Condition> {
    if depth > MAX_DEPTH {
        let message = format!("nest conditions at most {MAX_DEPTH} levels deep");
        return mistakes.add(&node.pointer, "too_deep", message);
    }
    let object = node.object(mistakes)?;
    let Some(key) = ["all", "any", "not", "field"].into_iter().find(|key| object.map.contains_key(*key))
    else {
        let message = "write a condition: an object with `all`, `any`, `not`, or `field` and one operator";
        return mistakes.add(&object.pointer, "no_condition", message);
    };
    if key == "field" {
        return field(&object, mistakes);
    }
    object.only(&[key], mistakes);
    let inner = object.get(key)?;
    if key == "not" {
        return Some(Condition::Not(Box::new(at_depth(&inner, depth + 1, mistakes)?)));
    }
    let parts: Vec<_> =
        inner.list(mistakes)?.iter().map(|part| at_depth(part, depth + 1, mistakes)).collect();
    let parts = parts.into_iter().collect::<Option<_>>()?;
    Some(if key == "all" { Condition::All(parts) } else { Condition::Any(parts) })
}

fn field(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
    let known: Vec<&str> = ["field"].into_iter().chain(OPERATORS).collect();
    object.only(&known, mistakes);
    let field = object.get("field")?;
    let path: Vec<String> = field.string(mistakes)?.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        let message = "write a field as keys joined by single dots, such as company.size";
        mistakes.add::<()>(&field.pointer, "invalid_field", message);
    }
    let mut operators = OPERATORS.into_iter().filter(|operator| object.map.contains_key(*operator));
    let (Some(operator), None) = (operators.next(), operators.next()) else {
        let message = format!("write exactly one operator of {}", OPERATORS.join(", "));
        return mistakes.add(&object.pointer, "not_one_operator", message);
    };
    let test = test(operator, &object.get(operator)?, mistakes)?;
    Some(Condition::Field { path, test })
}

fn test(operator: &str, operand: &Node<'_>, mistakes: &mut Mistakes) -> Option<Test> {
    let ordered =
        |order, mistakes: &mut Mistakes| Some(Test::Ordered(order, ordered_operand(operand, mistakes)?));
    let text = |mistakes: &mut Mistakes| operand.string(mistakes).map(|text| lower(text).into_owned());
    match operator {
        "eq" => Some(Test::Eq(lowered(operand.value))),
        "ne" => Some(Test::Ne(lowered(operand.value))),
        "in" => Some(Test::In(operand.list(mistakes)?.iter().map(|node| lowered(node.value)).collect())),
        "not_in" => {
            Some(Test::NotIn(operand.list(mistakes)?.iter().map(|node| lowered(node.value)).collect()))
        }
        "lt" => ordered(Order::Lt, mistakes),
        "lte" => ordered(Order::Lte, mistakes),
        "gt" => ordered(Order::Gt, mistakes),
        "gte" => ordered(Order::Gte, mistakes),
        "contains" => Some(Test::Contains(lowered(operand.value))),
        "starts_with" => text(mistakes).map(Test::StartsWith),
        "ends_with" => text(mistakes).map(Test::EndsWith),
        "glob" => operand.string(mistakes).map(|pattern| Test::Glob(Glob::new(pattern))),
        _ => operand.boolean(mistakes).map(Test::Exists),
    }
}

fn ordered_operand(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Operand> {
    let operand = match node.value {
        Value::Number(number) => Some(Operand::Number(number.clone())),
        Value::String(text) => Instant::parse_rfc3339(text).ok().map(Operand::Instant),
        _ => None,
    };
    operand.or_else(|| {
        let message = "write a number, or an RFC 3339 date-time such as 2026-03-01T09:30:00Z";
        mistakes.add(&node.pointer, "not_ordered", message)
    })
}

/// Lower case once here instead of at every comparison.
fn lowered(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(lower(text).into_owned()),
        Value::Array(values) => Value::Array(values.iter().map(lowered).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), lowered(value))).collect())
        }
        other => other.clone(),
    }
}
