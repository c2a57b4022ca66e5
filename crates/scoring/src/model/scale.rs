//! Grades and bands: labels for points.

use crate::model::Dimension;
use crate::points::Milli;

/// A label and the points it begins at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is called.
    pub label: String,
    /// From how many points on (these included); only the last step has none.
    pub from: Option<Milli>,
}

/// Steps from the highest to the lowest: each `from` is below the one before, and the last has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale(pub(crate) Vec<Step>);

impl Scale {
    /// From the highest to the lowest.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The label of the first step that begins at or below these points.
    pub fn label(&self, points: Milli) -> &str {
        self.0.iter().find(|step| step.from.is_none_or(|from| from <= points)).map_or("", |step| &step.label)
    }
}

/// A scale for each dimension; a grade is a label of each, fit first: `A1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grades {
    pub(crate) fit: Scale,
    pub(crate) engagement: Scale,
}

impl Grades {
    /// The scale of one dimension.
    pub fn scale(&self, dimension: Dimension) -> &Scale {
        match dimension {
            Dimension::Fit => &self.fit,
            Dimension::Engagement => &self.engagement,
        }
    }

    /// The grade for these points.
    pub fn grade(&self, fit: Milli, engagement: Milli) -> String {
        format!("{}{}", self.fit.label(fit), self.engagement.label(engagement))
    }
}
