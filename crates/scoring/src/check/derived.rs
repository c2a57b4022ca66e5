//! Warnings about conditions on attributes. They name derived attributes that do not exist, values that a
//! derived attribute never has, and `exists` tests that an empty text from a form would meet.

use serde_json::json;

use super::warning;
use crate::condition::{Condition, Literal, Test};
use crate::mistake::Mistake;
use crate::model::RuleKind;
use crate::profile::DERIVED;

/// The values that a derived attribute can have.
enum Values {
    /// A domain, which is text.
    Domain,
    OneOf(&'static [&'static str]),
    TrueOrFalse,
}

/// All derived attributes, by name without `derived.`, with their values.
const ATTRIBUTES: [(&str, Values); 5] = [
    ("company_domain", Values::Domain),
    ("email_domain", Values::Domain),
    ("email_kind", Values::OneOf(&["work", "free", "disposable", "role"])),
    ("email_valid", Values::TrueOrFalse),
    ("phone_valid", Values::TrueOrFalse),
];

pub(super) fn warn_of_rule(pointer: &str, kind: &RuleKind, warnings: &mut Vec<Mistake>) {
    if let RuleKind::Attribute { when } = kind {
        warn_of_condition(format!("{pointer}/when"), when, &[], warnings);
    }
}

/// Warns of a condition. `joined` are all conditions of the enclosing `all`, this one included; empty outside
/// an `all`.
fn warn_of_condition(
    pointer: String,
    condition: &Condition,
    joined: &[Condition],
    warnings: &mut Vec<Mistake>,
) {
    let parts = |key: &str, conditions: &[Condition], joined: &[Condition], warnings: &mut Vec<Mistake>| {
        for (i, condition) in conditions.iter().enumerate() {
            warn_of_condition(format!("{pointer}/{key}/{i}"), condition, joined, warnings);
        }
    };
    match condition {
        Condition::All(conditions) => parts("all", conditions, conditions, warnings),
        Condition::Any(conditions) => parts("any", conditions, &[], warnings),
        Condition::Not(condition) => warn_of_condition(format!("{pointer}/not"), condition, &[], warnings),
        Condition::Field { path, test } => {
            let [place, name @ ..] = path.as_slice() else { return };
            if place == DERIVED {
                if !name.is_empty() {
                    warn_of_field(pointer, &name.join("."), test, warnings);
                }
            } else if *test == Test::Exists(true) && !joined.iter().any(|other| is_other_test(other, path)) {
                let message = format!(
                    "add {{field: {field}, glob: \"?*\"}} beside it, or ask for a value; `exists` also holds for an empty text, \
                     and forms send an empty text for a field that nobody filled in",
                    field = path.join(".")
                );
                warnings.push(warning(pointer, "exists_if_blank", message));
            }
        }
    }
}

/// Whether a condition tests the same field in another way than by `exists: true`.
fn is_other_test(condition: &Condition, field: &[String]) -> bool {
    matches!(condition, Condition::Field { path, test } if path == field && *test != Test::Exists(true))
}

fn warn_of_field(pointer: String, name: &str, test: &Test, warnings: &mut Vec<Mistake>) {
    let Some((_, values)) = ATTRIBUTES.iter().find(|(attribute, _)| *attribute == name) else {
        let names: Vec<String> = ATTRIBUTES.iter().map(|(name, _)| format!("`{DERIVED}.{name}`")).collect();
        let message = format!("write one of {}; no other attribute is derived", names.join(", "));
        warnings.push(warning(format!("{pointer}/field"), "unknown_derived", message));
        return;
    };
    if !values.meet(test) {
        let message = format!("ask for {}; `{DERIVED}.{name}` has no other value", values.described());
        warnings.push(warning(pointer, "never_derived", message));
    }
}

impl Values {
    /// Whether the test makes sense for these values. A test that names values must name only values of the
    /// attribute. Any other test must hold for at least one value.
    fn meet(&self, test: &Test) -> bool {
        match test {
            Test::Exists(_) => true,
            Test::Eq(value) | Test::Ne(value) => self.has(value),
            Test::In(values) | Test::NotIn(values) => values.iter().all(|value| self.has(value)),
            test => match self {
                Values::Domain => !matches!(test, Test::Ordered(..)),
                Values::OneOf(values) => values.iter().any(|value| test.holds(Some(&json!(value)))),
                Values::TrueOrFalse => false,
            },
        }
    }

    fn has(&self, value: &Literal) -> bool {
        match (self, value) {
            (Values::Domain, Literal::Text(_)) | (Values::TrueOrFalse, Literal::Boolean(_)) => true,
            (Values::OneOf(values), Literal::Text(value)) => values.contains(&value.as_str()),
            _ => false,
        }
    }

    fn described(&self) -> String {
        match self {
            Values::Domain => "a domain".to_owned(),
            Values::OneOf(values) => values.join(", "),
            Values::TrueOrFalse => "true or false, without quotation marks".to_owned(),
        }
    }
}
