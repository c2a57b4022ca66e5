//! The tests that a model document brings.

use serde_json::{Map, Value};

use crate::event::Event;
use crate::points::Milli;
use crate::time::Instant;

/// One test: what the model must make of a profile and events.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// The profile; empty if not given.
    pub profile: Map<String, Value>,
    /// The events. One without an id is given its place in the list.
    pub events: Vec<Event>,
    /// The instant of the score.
    pub as_of: Instant,
    /// What must come out.
    pub expect: Expectation,
}

/// What a test expects; what is not named may be anything.
///
/// As everywhere outside of rules, `score` is the published integer and the other numbers are milli-points:
/// `{"score": 13, "raw": 12500}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The published score.
    pub score: Option<i64>,
    /// Before the score is clamped.
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
