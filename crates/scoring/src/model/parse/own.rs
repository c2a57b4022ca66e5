//! Reads the value in a condition that a field is compared with.

use serde_json::Value;
use wildmatch::WildMatch;

use super::node::{Mistakes, Node};
use crate::condition::{Literal, Numeral, Operand, Order, Test, lower};
use crate::time::Instant;

/// The value in a condition, with the condition's operator and field.
pub(super) struct Own<'a> {
    pub(super) node: Node<'a>,
    pub(super) operator: &'static str,
    pub(super) field: &'a str,
}

impl Own<'_> {
    pub(super) fn test(&self, mistakes: &mut Mistakes) -> Option<Test> {
        match self.operator {
            "eq" => self.literal(&self.node, mistakes).map(Test::Eq),
            "ne" => self.literal(&self.node, mistakes).map(Test::Ne),
            "in" => self.literals(mistakes).map(Test::In),
            "not_in" => self.literals(mistakes).map(Test::NotIn),
            "lt" => self.ordered(Order::Lt, mistakes),
            "lte" => self.ordered(Order::Lte, mistakes),
            "gt" => self.ordered(Order::Gt, mistakes),
            "gte" => self.ordered(Order::Gte, mistakes),
            "contains" => self.literal(&self.node, mistakes).map(Test::Contains),
            "starts_with" => self.text(mistakes).map(|text| Test::StartsWith(lower(text).into_owned())),
            "ends_with" => self.text(mistakes).map(|text| Test::EndsWith(lower(text).into_owned())),
            "glob" => self.text(mistakes).map(|pattern| Test::Glob(WildMatch::new(&lower(pattern)))),
            _ => self.boolean(mistakes).map(Test::Exists),
        }
    }

    /// Reads one value that a field can be equal to.
    fn literal(&self, node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Literal> {
        match node.value {
            Value::Number(number) => Some(Literal::Number(Numeral::new(number))),
            Value::String(text) => Some(Literal::Text(lower(text).into_owned())),
            Value::Bool(boolean) => Some(Literal::Boolean(*boolean)),
            other if mistakes.are_of_stored() => Some(Literal::Other(other.clone())),
            _ => self.refuse(node, mistakes),
        }
    }

    fn literals(&self, mistakes: &mut Mistakes) -> Option<Vec<Literal>> {
        let Value::Array(values) = self.node.value else { return self.refuse(&self.node, mistakes) };
        if values.is_empty() && !mistakes.are_of_stored() {
            return mistakes.wrong(&self.node.pointer, "empty", self.advice_on_none());
        }
        let entry = |(i, value)| Node { value, pointer: format!("{}/{i}", self.node.pointer) };
        let literals: Vec<_> =
            values.iter().enumerate().map(|value| self.literal(&entry(value), mistakes)).collect();
        literals.into_iter().collect()
    }

    fn ordered(&self, order: Order, mistakes: &mut Mistakes) -> Option<Test> {
        let operand = match self.node.value {
            Value::Number(number) => Some(Operand::Number(Numeral::new(number))),
            Value::String(text) => Instant::parse_rfc3339(text).ok().map(Operand::Instant),
            _ => None,
        };
        operand.map(|operand| Test::Ordered(order, operand)).or_else(|| self.refuse(&self.node, mistakes))
    }

    fn text(&self, mistakes: &mut Mistakes) -> Option<&str> {
        self.node.value.as_str().or_else(|| self.refuse(&self.node, mistakes))
    }

    fn boolean(&self, mistakes: &mut Mistakes) -> Option<bool> {
        self.node.value.as_bool().or_else(|| self.refuse(&self.node, mistakes))
    }

    /// Refuses the value, or an entry of a list.
    fn refuse<T>(&self, node: &Node<'_>, mistakes: &mut Mistakes) -> Option<T> {
        let entry = node.pointer != self.node.pointer;
        let code =
            if matches!(self.operator, "lt" | "lte" | "gt" | "gte") { "not_ordered" } else { "wrong_type" };
        mistakes.wrong(&node.pointer, code, self.advice(node.value, entry))
    }

    /// What to write instead of a value that the operator cannot use.
    fn advice(&self, value: &Value, entry: bool) -> String {
        let Own { operator, field, .. } = self;
        match (*operator, value) {
            ("lt" | "lte" | "gt" | "gte", _) => {
                "write a number, or an RFC 3339 date-time such as 2026-03-01T09:30:00Z".to_owned()
            }
            ("exists", _) => "write true or false, without quotation marks".to_owned(),
            ("in" | "not_in", Value::Null) if entry => {
                format!("remove null; ask for an unknown field by {{field: {field}, exists: false}}")
            }
            ("in" | "not_in", Value::Array(_)) if entry => {
                format!("write the values of the inner list directly into the list of `{operator}`")
            }
            ("in" | "not_in", Value::Object(_)) if entry => self.key_by_key(),
            ("in" | "not_in", _) => format!("write a list of values, such as {operator}: [a, b]"),
            ("eq", Value::Null) => {
                format!("write {{field: {field}, exists: false}} to ask for an unknown field")
            }
            ("ne", Value::Null) => format!("write {{field: {field}, exists: true}} to ask for a known field"),
            ("eq", Value::Array(_)) => {
                "write `in` instead of `eq` to name several values; `eq` compares with one value".to_owned()
            }
            ("ne", Value::Array(_)) => {
                "write `not_in` instead of `ne` to name several values; `ne` compares with one value"
                    .to_owned()
            }
            ("eq" | "ne", _) => self.key_by_key(),
            ("contains", Value::Array(_)) => self.one_by_one(),
            ("contains", _) => {
                "write a text that is part of the field's text, or an element of the field's list: \
                                a text, a number, true or false"
                    .to_owned()
            }
            (_, Value::Array(_)) => self.one_by_one(),
            _ => format!("write a text in quotation marks; `{operator}` works only on texts"),
        }
    }

    /// What to write instead of an empty list.
    fn advice_on_none(&self) -> String {
        let Own { operator, field, .. } = self;
        if *operator == "in" {
            return "name at least one value; an empty `in` never holds".to_owned();
        }
        format!("name at least one value, or write {{field: {field}, exists: true}} to ask for a known field")
    }

    fn one_by_one(&self) -> String {
        let Own { operator, field, .. } = self;
        format!(
            "write a condition for each value, {{any: [{{field: {field}, {operator}: a}}, {{field: {field}, {operator}: b}}]}}; \
             `{operator}` takes one value"
        )
    }

    fn key_by_key(&self) -> String {
        let Own { operator, field, .. } = self;
        format!(
            "write a condition for each key, such as {{field: {field}.name, {operator}: a}}, joined by `all`"
        )
    }
}
