//! Finds two conditions that no value can meet together. If that is not certain, the conditions count as
//! compatible.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Condition, Literal, Operand, Order, Test};

impl Condition {
    /// Whether this condition and another certainly never hold for the same attributes. Only two tests of the
    /// same field are compared; otherwise the answer is false.
    pub(crate) fn excludes(&self, other: &Condition) -> bool {
        match (self, other) {
            (Self::Field { path, test }, Self::Field { path: its_path, test: its_test }) => {
                path == its_path && (test.rules_out(its_test) || its_test.rules_out(test))
            }
            _ => false,
        }
    }
}

impl Test {
    /// Whether this test certainly excludes another. Callers ask in both orders, because the check is not
    /// symmetric.
    fn rules_out(&self, other: &Test) -> bool {
        match self {
            // Every other test is false for an unknown field.
            Self::Exists(false) => *other != Self::Exists(false),
            Self::Eq(literal) => !literal.may_meet(other),
            Self::In(literals) => literals.iter().all(|literal| !literal.may_meet(other)),
            Self::Ordered(order, operand) => match other {
                Self::Ordered(its_order, bound) => !operand.may_lie((*order, *its_order), bound),
                _ => false,
            },
            _ => false,
        }
    }
}

impl Literal {
    /// Whether a value that equals this literal may meet a test.
    fn may_meet(&self, test: &Test) -> bool {
        match (self, test) {
            (_, Test::Exists(exists)) => *exists,
            (_, Test::Eq(value)) => self.may_equal(value),
            (_, Test::In(values)) => values.iter().any(|value| self.may_equal(value)),
            (Self::Number(number), Test::Ordered(_, Operand::Number(_))) => test.holds(Some(&number.value())),
            (Self::Number(_), Test::Ordered(_, Operand::Instant(_))) => false,
            (Self::Number(number), Test::Ne(Self::Number(other))) => {
                other.order(&number.value()) != Some(Ordering::Equal)
            }
            // The literal is in lower case, so the original spelling of a date-time is not known here.
            (Self::Text(_), Test::Ordered(_, Operand::Instant(_)))
            | (Self::Number(_) | Self::Other(_), _) => true,
            (Self::Text(literal), test) => test.holds(Some(&Value::from(literal.as_str()))),
            (Self::Boolean(boolean), test) => test.holds(Some(&Value::from(*boolean))),
        }
    }

    fn may_equal(&self, other: &Literal) -> bool {
        match (self, other) {
            (Self::Number(a), b) => {
                b.equals(&a.value())
                    || matches!(b, Self::Text(text) if a.order(&Value::from(text.as_str())) == Some(Ordering::Equal))
            }
            (Self::Text(a), b) => b.equals(&Value::from(a.as_str())),
            (Self::Boolean(a), b) => b.equals(&Value::from(*a)),
            (Self::Other(_), _) => true,
        }
    }
}

impl Operand {
    /// Whether one value may be in the first order to this operand and in the second order to the other
    /// operand. A value is never both a number and a date-time, so operands of different kinds give false.
    fn may_lie(&self, orders: (Order, Order), other: &Operand) -> bool {
        let between = match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.order(&b.value()),
            (Self::Instant(a), Self::Instant(b)) => Some(b.cmp(a)),
            _ => return false,
        };
        // Both orders point the same way (both upper or both lower bounds), so some value meets both.
        let same_way = matches!(
            orders,
            (Order::Gt | Order::Gte, Order::Gt | Order::Gte)
                | (Order::Lt | Order::Lte, Order::Lt | Order::Lte)
        );
        same_way
            || matches!(
                (orders, between),
                ((Order::Gt | Order::Gte, _), Some(Ordering::Greater))
                    | ((Order::Lt | Order::Lte, _), Some(Ordering::Less))
                    | ((Order::Gte, Order::Lte) | (Order::Lte, Order::Gte), Some(Ordering::Equal))
            )
    }
}
