//! `leadscore models check`: a model's file, checked without a service.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use scoring::check::{self, Report};

use super::document;
use crate::{
    screen::Screen,
    words::{counted, visible},
};

/// Which file to check.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// The document, in YAML or JSON
    file: PathBuf,

    /// Print the report as JSON, as `POST /v1/models/check` answers
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Prints what is wrong, what is suspicious and which tests fail. An error if the model cannot be published.
    pub(crate) fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let report = check::check(&document::read(&self.file)?, None);
        let mut screen = Screen::of(self.json, now);
        if screen.json {
            screen.line(serde_json::to_string(&report)?)?;
        } else {
            show(&mut screen, &report)?;
        }
        let file = self.file.display();
        anyhow::ensure!(report.passed(), "{file} cannot be published");
        if !screen.json {
            let tests = counted(report.tests.len(), "test");
            screen.line(format!("{file} can be published: {tests} passed"))?;
        }
        Ok(())
    }
}

fn show(screen: &mut Screen, report: &Report) -> std::io::Result<()> {
    for (word, findings) in [("error", &report.errors), ("warning", &report.warnings)] {
        for finding in findings {
            let place = if finding.pointer.is_empty() { "/" } else { &finding.pointer };
            screen.line(format!("{word}: {}: {}", visible(place), visible(&finding.message)))?;
        }
    }
    for test in &report.tests {
        let outcome = if test.passed { "passed" } else { "FAILED" };
        screen.line(format!("test: {}: {outcome}", visible(&test.name)))?;
        for failure in &test.failures {
            screen.line(format!("      {}", visible(failure)))?;
        }
    }
    Ok(())
}
