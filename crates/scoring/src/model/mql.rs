//! The thresholds for an MQL.

use crate::points::Milli;
use crate::time::Span;

/// The thresholds at which a score makes a lead an MQL, and below which the lead stops being an MQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mql {
    /// The published score from which a lead becomes an MQL.
    pub enter: Milli,
    /// The published score below which a lead stops being an MQL; the same as `enter` if the document has no
    /// `leave`.
    pub leave: Milli,
    /// The least fit that a lead needs to become an MQL.
    pub min_fit: Option<Milli>,
    /// The least engagement that a lead needs to become an MQL.
    pub min_engagement: Option<Milli>,
    /// How long the score must stay below `leave` before the lead stops being an MQL; `None` means at once.
    pub dwell: Option<Span>,
    /// How long a recycled lead waits before it may become an MQL again; `None` means no wait.
    pub cooldown: Option<Span>,
}

impl Mql {
    /// Whether a published score in whole points, fit and engagement reach all thresholds for an MQL.
    pub fn is_reached(&self, score: i64, fit: Milli, engagement: Milli) -> bool {
        Milli(score.saturating_mul(1000)) >= self.enter
            && self.min_fit.is_none_or(|least| fit >= least)
            && self.min_engagement.is_none_or(|least| engagement >= least)
    }
}
