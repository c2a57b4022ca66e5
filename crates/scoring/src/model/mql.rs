//! The thresholds of the lifecycle.

use crate::points::Milli;
use crate::time::Span;

/// When a score makes an MQL, and when it no longer is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mql {
    /// The published score from which a lead enters.
    pub enter: Milli,
    /// The published score below which it leaves; the same as `enter` if the document gives none.
    pub leave: Milli,
    /// The least fit to enter with.
    pub min_fit: Option<Milli>,
    /// The least engagement to enter with.
    pub min_engagement: Option<Milli>,
    /// How long the score must be below `leave`; at once without it.
    pub dwell: Option<Span>,
    /// How long after being recycled a lead may not enter again.
    pub cooldown: Option<Span>,
}

impl Mql {
    /// Whether a published score (in whole points) and its dimensions are enough to enter with.
    pub fn is_reached(&self, score: i64, fit: Milli, engagement: Milli) -> bool {
        Milli(score.saturating_mul(1000)) >= self.enter
            && self.min_fit.is_none_or(|least| fit >= least)
            && self.min_engagement.is_none_or(|least| engagement >= least)
    }
}
