//! Grades and bands: labels for points.

use crate::model::Dimension;
use crate::points::Milli;

/// A label and the points from which the label holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The label, such as `A` or `hot`.
    pub label: String,
    /// The points from which the label holds, inclusive; `None` only for the last step.
    pub from: Option<Milli>,
}

/// Steps from the highest to the lowest. Each `from` is below the `from` of the step before; the last step
/// has no `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale(pub(crate) Vec<Step>);

impl Scale {
    /// The steps, from the highest to the lowest.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The label of the first step that begins at or below these points.
    pub fn label(&self, points: Milli) -> &str {
        self.0.iter().find(|step| step.from.is_none_or(|from| from <= points)).map_or("", |step| &step.label)
    }
}

/// The scales of both dimensions. A grade is the label of fit followed by the label of engagement: `A1`.
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
