//! The score as it is published.

use serde::Serialize;

use crate::points::Milli;
use crate::time::Instant;

/// A score at an instant, with the pieces that are published beside it. In JSON the points are milli-points,
/// but `score`, which is a whole number of points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// The instant that the score is of.
    pub as_of: Instant,
    /// The clamped score, rounded to whole points.
    pub score: i64,
    /// The clamped score before it is rounded.
    #[serde(skip)]
    pub clamped: Milli,
    /// Fit, engagement and adjustments together.
    pub raw: Milli,
    /// The fit dimension.
    pub fit: Milli,
    /// The engagement dimension.
    pub engagement: Milli,
    /// The sum of the adjustments.
    pub adjustments: Milli,
    /// The grades of fit and engagement: `A1`.
    pub grade: String,
    /// The band of the published score.
    pub band: String,
    /// The first instant after `as_of` at which the score may change without a new event; none if never.
    pub next_change_at: Option<Instant>,
}
