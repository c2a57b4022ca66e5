//! The scoring model: dimensions that have groups of rules, compiled for evaluation.

mod mql;
mod parse;
mod rule;
mod scale;
mod test;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::Condition;
use crate::mistake::Mistake;
use crate::points::Milli;

pub use mql::Mql;
pub use rule::{Count, EventRule, Limit, MAX_OCCURRENCES, Matching, Repeat, Rule, RuleKind};
pub use scale::{Grades, Scale, Step};
pub use test::{Expectation, Test};

/// The JSON Schema (draft 2020-12) of a model document, for editors and client generators. The schema accepts
/// every document that [`Model::parse`] accepts, and refuses what a schema can refuse.
pub const SCHEMA: &str = include_str!("schema.json");

/// The most rules in one model.
pub const MAX_RULES: usize = 500;

/// One of the two dimensions of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Who the lead is.
    Fit,
    /// What the lead does.
    Engagement,
}

impl Dimension {
    /// Both, in the order in which they are evaluated and listed.
    pub const ALL: [Self; 2] = [Self::Fit, Self::Engagement];

    /// The key of the dimension in a model document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Engagement => "engagement",
        }
    }
}

/// The least and the most points that a part of a model may be worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least points.
    pub min: Milli,
    /// The most points; not below `min`.
    pub max: Milli,
}

/// The groups of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The range that the sum of the groups is held within.
    pub range: Range,
    /// The groups, in document order.
    pub groups: Vec<Group>,
}

/// How the points of a group are computed from its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Take {
    /// The sum of all rules.
    #[default]
    Sum,
    /// The rule with the largest absolute value; the first rule on a tie.
    Best,
}

/// Rules that are capped and weighted together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The name, unique in the model.
    pub name: String,
    /// The rules, in document order.
    pub rules: Vec<Rule>,
    /// How the group's points are computed from its rules.
    pub take: Take,
    /// The least points that the group may be worth, before its weight.
    pub min: Option<Milli>,
    /// The most points that the group may be worth, before its weight.
    pub max: Option<Milli>,
    /// The weight in thousandths, 0 to 1 000 000; 1000 leaves the points as they are.
    pub weight: u32,
}

/// The part of a rule that the tally needs when an event is added.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listener {
    pub(crate) rule: usize,
    pub(crate) condition: Option<Arc<Condition>>,
    /// How many of the newest matching occurrences can ever matter.
    pub(crate) keep: usize,
}

/// A scoring model: a document that has been read, checked and compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) range: Range,
    pub(crate) sections: [Section; 2],
    pub(crate) grades: Grades,
    pub(crate) bands: Scale,
    pub(crate) mql: Option<Mql>,
    pub(crate) hand_raise: Vec<String>,
    pub(crate) tests: Vec<Test>,
    pub(crate) listeners: HashMap<String, Vec<Listener>>,
    pub(crate) rule_count: usize,
    pub(crate) fingerprint: u32,
}

impl Model {
    /// Reads a model document.
    ///
    /// # Errors
    /// Every mistake in the document, not only the first.
    pub fn parse(document: &Value) -> Result<Self, Vec<Mistake>> {
        parse::model(document)
    }

    /// Reads a document that an earlier release accepted. [`Model::parse`] now refuses some operands, such as
    /// `contains: [a, b]`. Here such operands keep their old meaning, so a live model stays valid.
    ///
    /// # Errors
    /// Every mistake other than a refused operand.
    pub fn parse_stored(document: &Value) -> Result<Self, Vec<Mistake>> {
        parse::stored_model(document)
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The description in the document, if there is one.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The range that the score is held within.
    pub fn score_range(&self) -> Range {
        self.range
    }

    /// The groups and the range of a dimension.
    pub fn section(&self, dimension: Dimension) -> &Section {
        let [fit, engagement] = &self.sections;
        match dimension {
            Dimension::Fit => fit,
            Dimension::Engagement => engagement,
        }
    }

    /// Every rule with its dimension and group, in the order of the rules' indexes: first fit, then
    /// engagement, each in document order.
    pub fn rules(&self) -> impl Iterator<Item = (Dimension, &Group, &Rule)> {
        Dimension::ALL.into_iter().flat_map(move |dimension| {
            let groups = self.section(dimension).groups.iter();
            groups.flat_map(move |group| group.rules.iter().map(move |rule| (dimension, group, rule)))
        })
    }

    /// The scales of the grades.
    pub fn grades(&self) -> &Grades {
        &self.grades
    }

    /// The scale of the bands.
    pub fn bands(&self) -> &Scale {
        &self.bands
    }

    /// The thresholds for an MQL; without thresholds only a hand-raise makes a lead an MQL.
    pub fn mql(&self) -> Option<&Mql> {
        self.mql.as_ref()
    }

    /// The event types that are hand-raises.
    pub fn hand_raise(&self) -> &[String] {
        &self.hand_raise
    }

    /// The properties of events that conditions of rules read, each by the first key of its path. The
    /// properties of adjustments are not included.
    pub fn properties_read(&self) -> BTreeSet<&str> {
        let conditions = self.listeners.values().flatten().filter_map(|one| one.condition.as_deref());
        conditions.flat_map(Condition::fields).collect()
    }

    /// The document's own tests.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// A digest of the parts of the model that a tally depends on: dimensions and hand-raises. A tally fits
    /// every model with the same fingerprint. If the fingerprint differs, the tally must be computed again by
    /// replay.
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }
}
