//! Checks a model document: finds its mistakes and suspicious parts, and runs its own tests.

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

/// The result of checking a model document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// Mistakes that make the document no valid model. If there are errors, `warnings` and `tests` are empty.
    pub errors: Vec<Mistake>,
    /// Parts that can be published but are probably not meant as they are written.
    pub warnings: Vec<Mistake>,
    /// The results of the document's own tests, in document order.
    pub tests: Vec<TestResult>,
}

/// The result of one test of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// Whether the score had every value that the test expects.
    pub passed: bool,
    /// One sentence for each value that differs from what the test expects. Empty if the test passed.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether the document has no errors and all its tests pass. Warnings do not matter.
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.tests.iter().all(|test| test.passed)
    }
}

/// Checks a model document. `seen` are the types of events in the log, to warn of types that never came;
/// `None` if there is no log.
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
