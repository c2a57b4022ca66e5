//! Conditions on attributes: derived ones that do not exist, values that those never have, and `exists` where a form may have
//! sent a blank.

use serde_json::json;

use super::warning;
use crate::condition::{Condition, Literal, Test};
use crate::mistake::Mistake;
use crate::model::RuleKind;
use crate::profile::DERIVED;

/// What a derived attribute can be.
enum Values {
    /// A domain, which is text.
    Domain,
    OneOf(&'static [&'static str]),
    TrueOrFalse,
}

/// Those that there are.
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

/// `joined` are the conditions that must hold besides, this one among them.
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
                    "add {{field: {field}, glob: \"?*\"}} beside it, or ask what the value is; `exists` holds for an empty text \
                     too, as forms send what was not filled in",
                    field = path.join(".")
                );
                warnings.push(warning(pointer, "exists_if_blank", message));
            }
        }
    }
}

/// Whether a condition asks for the value of a field that another asks to exist.
fn is_other_test(condition: &Condition, field: &[String]) -> bool {
    matches!(condition, Condition::Field { path, test } if path == field && *test != Test::Exists(true))
}

fn warn_of_field(pointer: String, name: &str, test: &Test, warnings: &mut Vec<Mistake>) {
    let Some((_, values)) = ATTRIBUTES.iter().find(|(attribute, _)| *attribute == name) else {
        let names: Vec<String> = ATTRIBUTES.iter().map(|(name, _)| format!("`{DERIVED}.{name}`")).collect();
        let message = format!("write one of {}; nothing else is derived", names.join(", "));
        warnings.push(warning(format!("{pointer}/field"), "unknown_derived", message));
        return;
    };
    if !values.meet(test) {
        let message = format!("ask for {}; `{DERIVED}.{name}` is nothing else", values.described());
        warnings.push(warning(pointer, "never_derived", message));
    }
}

impl Values {
    /// Whether there is a value that the test could be meant for: one that it names, or else one for which it holds.
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
