//! The published score.

use serde::Serialize;

use crate::points::Milli;
use crate::time::Instant;

/// A score at an instant, with its parts, grade and band. In JSON, `score` is in whole points; all other
/// points are in milli-points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// The instant for which the score was computed.
    pub as_of: Instant,
    /// The score: `raw` held within the model's range, in whole points, rounded half away from zero.
    pub score: i64,
    /// The clamped score before rounding, in milli-points.
    #[serde(skip)]
    pub clamped: Milli,
    /// The sum of fit, engagement and adjustments, in milli-points.
    pub raw: Milli,
    /// The points of the fit dimension, in milli-points.
    pub fit: Milli,
    /// The points of the engagement dimension, in milli-points.
    pub engagement: Milli,
    /// The sum of the adjustments that count, in milli-points.
    pub adjustments: Milli,
    /// The grade: the label of fit followed by the label of engagement, such as `A1`.
    pub grade: String,
    /// The band of the published score, such as `hot`.
    pub band: String,
    /// The first instant after `as_of` at which the score may change without a new event; null if there is
    /// none.
    pub next_change_at: Option<Instant>,
}
