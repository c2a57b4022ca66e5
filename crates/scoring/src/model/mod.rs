//! The model: dimensions of groups of rules, compiled for evaluation.

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

/// The JSON Schema (draft 2020-12) of a model document, for editors and generators of clients. It takes every document
/// that [`Model::parse`] takes, and refuses what a schema can refuse.
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

    /// Its key in a model document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Engagement => "engagement",
        }
    }
}

/// The least and the most that something may be worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub min: Milli,
    /// The most; not below `min`.
    pub max: Milli,
}

/// The groups of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What the sum of its groups is held within.
    pub range: Range,
    /// In document order.
    pub groups: Vec<Group>,
}

/// How a group is made of its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Take {
    /// All of them.
    #[default]
    Sum,
    /// The one with the largest absolute value, the first on a tie.
    Best,
}

/// Rules that are capped and weighted together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Unique in the model.
    pub name: String,
    /// In document order.
    pub rules: Vec<Rule>,
    /// How it is made of its rules.
    pub take: Take,
    /// The least it may be worth, before its weight.
    pub min: Option<Milli>,
    /// The most it may be worth, before its weight.
    pub max: Option<Milli>,
    /// What it is multiplied by, in thousandths: 1000 is once.
    pub weight: u32,
}

/// What of a rule has to know about an event: where its occurrences go and which of them match.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listener {
    pub(crate) rule: usize,
    pub(crate) condition: Option<Arc<Condition>>,
    /// How many of the newest matching occurrences can ever matter.
    pub(crate) keep: usize,
}

/// A model document that has been read, checked and compiled.
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
    /// Reads a model document and finds every mistake in it, not only the first.
    pub fn parse(document: &Value) -> Result<Self, Vec<Mistake>> {
        parse::model(document)
    }

    /// Reads a document that was accepted once. Conditions whose operand [`Model::parse`] refuses by now, such as
    /// `contains: [a, b]`, mean what they always meant, so that a model that is live stays so.
    ///
    /// # Errors
    /// Every other mistake.
    pub fn parse_stored(document: &Value) -> Result<Self, Vec<Mistake>> {
        parse::stored_model(document)
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the model is for, if it says so.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What the published score is held within.
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

    /// Every rule with its dimension and group, in document order and by its index.
    pub fn rules(&self) -> impl Iterator<Item = (Dimension, &Group, &Rule)> {
        Dimension::ALL.into_iter().flat_map(move |dimension| {
            let groups = self.section(dimension).groups.iter();
            groups.flat_map(move |group| group.rules.iter().map(move |rule| (dimension, group, rule)))
        })
    }

    /// What the dimensions are graded by.
    pub fn grades(&self) -> &Grades {
        &self.grades
    }

    /// What the published score is banded by.
    pub fn bands(&self) -> &Scale {
        &self.bands
    }

    /// The thresholds of the lifecycle; without them only a hand-raise makes an MQL.
    pub fn mql(&self) -> Option<&Mql> {
        self.mql.as_ref()
    }

    /// Types of events by which a person asks to be contacted.
    pub fn hand_raise(&self) -> &[String] {
        &self.hand_raise
    }

    /// The properties of events that rules ask for, by the first of the keys that lead to each; those of adjustments
    /// are read besides.
    pub fn properties_read(&self) -> BTreeSet<&str> {
        let conditions = self.listeners.values().flatten().filter_map(|one| one.condition.as_deref());
        conditions.flat_map(Condition::fields).collect()
    }

    /// The tests that the document brings.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// A digest of what a tally depends on: dimensions and hand-raises. Tallies of models with the same one fit
    /// each other; after any other change of the model they are to be made anew by replay.
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }
}
