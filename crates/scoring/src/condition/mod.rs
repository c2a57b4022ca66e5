//! Conditions on a profile or on an event's properties.
//!
//! A field that is absent or null is unknown. Every test of an unknown field is false, also `ne` and
//! `not_in`; only `exists: false` holds. Texts compare in Unicode lower case, numbers as exact decimals,
//! date-times as instants. Values of different types are neither equal nor ordered, with one exception: if
//! the rule's value is a number, a text that is written as a JSON number without an exponent counts as that
//! number.

mod compare;
mod contradiction;

use serde_json::{Map, Value};
use wildmatch::WildMatch;

pub use crate::decimal::Numeral;
use crate::time::Instant;
pub use compare::Literal;
pub(crate) use compare::lower;

/// The most levels that conditions may nest; a single field is one level.
pub const MAX_DEPTH: usize = 8;

/// A condition, ready to be evaluated. [`crate::Model::parse`] reads conditions within a model,
/// [`Condition::parse`] reads a single one.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Holds if every condition holds; true for an empty list.
    All(Vec<Condition>),
    /// Holds if at least one condition holds; false for an empty list.
    Any(Vec<Condition>),
    /// Holds if the condition does not hold.
    Not(Box<Condition>),
    /// A test of one field.
    Field {
        /// The keys that lead to the field, object by object.
        path: Vec<String>,
        /// The test of the field's value.
        test: Test,
    },
}

/// A test of a field's value. Texts in a test are in lower case.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The field is known (`true`) or unknown (`false`).
    Exists(bool),
    /// The value is equal.
    Eq(Literal),
    /// The field is known and its value is not equal.
    Ne(Literal),
    /// The value is equal to one of these.
    In(Vec<Literal>),
    /// The field is known and its value is equal to none of these.
    NotIn(Vec<Literal>),
    /// The value is in this order to a number or a date-time.
    Ordered(Order, Operand),
    /// The value is a text with this part, or a list with this element.
    Contains(Literal),
    /// The value is a text that begins with this.
    StartsWith(String),
    /// The value is a text that ends with this.
    EndsWith(String),
    /// The value is a text that matches as a whole: `*` is any run of characters, `?` any single character.
    Glob(WildMatch),
}

/// One of the four orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Less than.
    Lt,
    /// Less than or equal.
    Lte,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Gte,
}

/// The number or date-time that a value is ordered against.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A number.
    Number(Numeral),
    /// An RFC 3339 date-time.
    Instant(Instant),
}

impl Condition {
    /// The fields that the condition tests, each by the first key of its path. A field may occur more than
    /// once.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().flat_map(Self::fields).collect()
            }
            Self::Not(condition) => condition.fields(),
            Self::Field { path, .. } => path.first().map(String::as_str).into_iter().collect(),
        }
    }

    /// Whether the condition holds for these attributes.
    pub fn holds(&self, attributes: &Map<String, Value>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|c| c.holds(attributes)),
            Self::Any(conditions) => conditions.iter().any(|c| c.holds(attributes)),
            Self::Not(condition) => !condition.holds(attributes),
            Self::Field { path, test } => test.holds(find(attributes, path)),
        }
    }
}

fn find<'a>(attributes: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(attributes.get(first)?, |value, key| value.get(key.as_str()))
        .filter(|v| !v.is_null())
}

impl Test {
    /// Whether the test holds for a field's value; `None` is an unknown field.
    pub(crate) fn holds(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else { return *self == Self::Exists(false) };
        match self {
            Self::Exists(expected) => *expected,
            Self::Eq(other) => other.equals(value),
            Self::Ne(other) => !other.equals(value),
            Self::In(others) => others.iter().any(|other| other.equals(value)),
            Self::NotIn(others) => !others.iter().any(|other| other.equals(value)),
            Self::Ordered(order, operand) => order.holds(value, operand),
            Self::Contains(part) => contains(value, part),
            Self::StartsWith(start) => value.as_str().is_some_and(|s| lower(s).starts_with(start.as_str())),
            Self::EndsWith(end) => value.as_str().is_some_and(|s| lower(s).ends_with(end.as_str())),
            Self::Glob(glob) => value.as_str().is_some_and(|s| glob.matches(&lower(s))),
        }
    }
}

fn contains(value: &Value, part: &Literal) -> bool {
    match (value, part) {
        (Value::String(whole), Literal::Text(part)) => lower(whole).contains(part.as_str()),
        (Value::Array(elements), part) => elements.iter().any(|element| part.equals(element)),
        _ => false,
    }
}

impl Order {
    fn holds(self, value: &Value, operand: &Operand) -> bool {
        let ordering = match (value, operand) {
            (value, Operand::Number(number)) => number.order(value),
            (Value::String(a), Operand::Instant(b)) => Instant::parse_rfc3339(a).ok().map(|a| a.cmp(b)),
            _ => None,
        };
        ordering.is_some_and(|ordering| match self {
            Self::Lt => ordering.is_lt(),
            Self::Lte => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Gte => ordering.is_ge(),
        })
    }
}
