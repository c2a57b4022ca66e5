//! Checks a model document: its mistakes, what is suspicious about it, and its own tests.

mod attainable;
mod derived;
mod reach;
mod rules;
mod types;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::mistake::Mistake;
use crate::model::{Expectation, Model, Test};
use crate::points::Milli;
use crate::replay::evaluate;
use crate::score::Score;
use attainable::Attainable;

/// What is to be said about a model document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// What keeps it from being a model. If there are any, nothing else is looked at.
    pub errors: Vec<Mistake>,
    /// What can be published but is probably not meant.
    pub warnings: Vec<Mistake>,
    /// The document's own tests, in order.
    pub tests: Vec<TestResult>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// Whether everything was as expected.
    pub passed: bool,
    /// What was not, a sentence each.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether the document is a model whose tests all pass. Warnings do not matter.
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.tests.iter().all(|test| test.passed)
    }
}

/// Checks a model document. `seen` are the types of events that a log has ever held; none if there is no log to ask.
pub fn check(document: &Value, seen: Option<&BTreeSet<String>>) -> Report {
    match Model::parse(document) {
        Err(errors) => Report { errors, ..Report::default() },
        Ok(model) => Report {
            errors: Vec::new(),
            warnings: warnings(document, &model, seen),
            tests: model.tests().iter().map(|test| run(&model, test)).collect(),
        },
    }
}

fn warnings(document: &Value, model: &Model, seen: Option<&BTreeSet<String>>) -> Vec<Mistake> {
    let attainable = Attainable::of(model);
    let mut warnings = rules::warnings(model, &attainable);
    warnings.extend(reach::warnings(model, &attainable));
    warnings.extend(reach::defaults(document, model));
    warnings.extend(seen.into_iter().flat_map(|seen| types::warnings(model, seen)));
    warnings
}

fn warning(pointer: String, code: &'static str, message: impl Into<String>) -> Mistake {
    Mistake { pointer, code, message: message.into() }
}

fn run(model: &Model, test: &Test) -> TestResult {
    let score = evaluate(model, &test.profile, &test.events, test.as_of).score;
    let failures = failures(&test.expect, &score);
    TestResult { name: test.name.clone(), passed: failures.is_empty(), failures }
}

fn failures(expect: &Expectation, score: &Score) -> Vec<String> {
    let differs = |what: &str, expected: String, found: String| {
        (expected != found).then(|| format!("{what} should be {expected} but is {found}"))
    };
    let points = |what, expected: Option<Milli>, found: Milli| {
        let shown = |milli: Milli| format!("{} milli-points ({milli} points)", milli.0);
        expected.and_then(|expected| differs(what, shown(expected), shown(found)))
    };
    let label = |what, expected: &Option<String>, found: &str| {
        expected.clone().and_then(|expected| differs(what, expected, found.to_owned()))
    };
    let found = [
        expect.score.and_then(|expected| differs("score", expected.to_string(), score.score.to_string())),
        points("raw", expect.raw, score.raw),
        points("fit", expect.fit, score.fit),
        points("engagement", expect.engagement, score.engagement),
        points("adjustments", expect.adjustments, score.adjustments),
        label("grade", &expect.grade, &score.grade),
        label("band", &expect.band, &score.band),
    ];
    found.into_iter().flatten().collect()
}
