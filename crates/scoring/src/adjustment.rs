//! Adjustments: points that a person adds to the raw score, for good or until an instant.

use serde_json::{Map, Value};

use crate::mistake::Mistake;
use crate::points::Milli;
use crate::time::Instant;

/// What a `score_adjusted` event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Adjustment {
    /// The points that are added to the raw score; negative points take away.
    pub points: Milli,
    /// The instant from which the adjustment no longer counts; `None` if it never expires.
    pub expires_at: Option<Instant>,
}

impl Adjustment {
    /// Reads the properties of a `score_adjusted` event: `points` (at most three decimals) and `expires_at`.
    ///
    /// An event whose properties cannot be read adjusts nothing. So check the properties before the event is
    /// recorded. Other properties, such as `reason`, are not read.
    ///
    /// # Errors
    /// One mistake for each of the two properties that cannot be read.
    pub fn parse(properties: &Map<String, Value>) -> Result<Self, Vec<Mistake>> {
        let mistake = |pointer: &str, message: &str| Mistake {
            pointer: pointer.to_owned(),
            code: "invalid_adjustment",
            message: message.to_owned(),
        };
        let points = properties.get("points").and_then(Value::as_number);
        let points = points.and_then(|number| Milli::from_number(number).ok()).ok_or_else(|| {
            mistake("/points", "write points from -1000000 to 1000000 with at most three decimals")
        });
        let expires_at = match properties.get("expires_at") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(|text| Instant::parse_rfc3339(text).ok())
                .map(Some)
                .ok_or_else(|| mistake("/expires_at", "write an RFC 3339 date-time, or leave it out")),
        };
        match (points, expires_at) {
            (Ok(points), Ok(expires_at)) => Ok(Self { points, expires_at }),
            (points, expires_at) => Err(points.err().into_iter().chain(expires_at.err()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(properties: &Value) -> Result<Adjustment, Vec<Mistake>> {
        Adjustment::parse(properties.as_object().unwrap())
    }

    #[test]
    fn an_adjustment_without_an_end_never_expires() {
        let adjustment = parse(&json!({"points": -2.5, "reason": "fair", "expires_at": null})).unwrap();
        assert_eq!(adjustment, Adjustment { points: Milli(-2_500), expires_at: None });
    }

    #[test]
    fn every_mistake_of_an_adjustment_is_named() {
        let mistakes = parse(&json!({"points": 0.0001, "expires_at": "soon"})).unwrap_err();
        let pointers: Vec<_> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert_eq!(pointers, ["/points", "/expires_at"]);
    }
}
