//! A model document's own tests.

use serde_json::{Map, Value};

use crate::event::Event;
use crate::points::Milli;
use crate::time::Instant;

/// One test: the score that the model must give for a profile and events.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The name: what the test shows.
    pub name: String,
    /// The profile; empty if not given.
    pub profile: Map<String, Value>,
    /// The events. An event without an id gets its place in the list, from 0, as its id.
    pub events: Vec<Event>,
    /// The instant of the score.
    pub as_of: Instant,
    /// The expected score.
    pub expect: Expectation,
}

/// The values that a test expects of a score. A value of `None` is not checked.
///
/// `score` is in whole points; the other numbers are milli-points: `{"score": 13, "raw": 12500}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The published score, in whole points.
    pub score: Option<i64>,
    /// The raw score, before it is clamped.
    pub raw: Option<Milli>,
    /// The fit dimension.
    pub fit: Option<Milli>,
    /// The engagement dimension.
    pub engagement: Option<Milli>,
    /// The sum of the adjustments.
    pub adjustments: Option<Milli>,
    /// The grade.
    pub grade: Option<String>,
    /// The band.
    pub band: Option<String>,
}
