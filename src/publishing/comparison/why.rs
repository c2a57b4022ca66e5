//! Why a score differs between two models: two receipts of the same log, compared line by line.

use std::{cmp::Reverse, sync::Arc};

use scoring::{Event, Instant, Milli, Receipt, model::Dimension, receipt::LineKind};
use serde::Serialize;
use serde_json::Map;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::replay::over_logs;
use crate::{models::Version, platform::ids::LeadId};

/// A line of the receipt that differs. The differences of all lines add up to the difference of the scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct LineChange {
    /// What gives or takes the points: a rule, or a bound, a weight, … that acts on rules.
    kind: LineKind,
    /// The dimension, if the line belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension: Option<Dimension>,
    /// The group, if the line belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The rule, if the line belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The points of the line under the live model, in milli-points.
    before: Milli,
    /// The points of the line under the other model, in milli-points.
    after: Milli,
}

impl LineChange {
    fn change(&self) -> Milli {
        self.after - self.before
    }

    fn is_same_line(&self, other: &LineChange) -> bool {
        (self.kind, self.dimension, &self.group, &self.rule)
            == (other.kind, other.dimension, &other.group, &other.rule)
    }
}

/// Returns, for each lead, the lines of its receipts that differ, in the order of the leads.
pub(super) async fn explain(
    conn: &mut PgConnection,
    leads: Vec<LeadId>,
    versions: &[Arc<Version>; 2],
    now: Instant,
) -> sqlx::Result<Vec<Vec<LineChange>>> {
    let versions = versions.clone();
    over_logs(conn, leads, |lead| *lead, move |_, events| lines(&events, &versions, now)).await
}

fn lines(events: &[Event], versions: &[Arc<Version>; 2], now: Instant) -> Vec<LineChange> {
    let [before, after] = versions
        .each_ref()
        .map(|version| scoring::evaluate(&version.model, &Map::new(), events, now).receipt);
    differences(before, after)
}

/// Returns the lines that differ between two receipts, the largest difference first. Lines of the same kind
/// and names are added up.
fn differences(before: Receipt, after: Receipt) -> Vec<LineChange> {
    let mut changes: Vec<LineChange> = Vec::new();
    let both = before.lines.into_iter().map(|line| (false, line));
    for (is_after, line) in both.chain(after.lines.into_iter().map(|line| (true, line))) {
        let (before, after) = if is_after { (Milli::ZERO, line.points) } else { (line.points, Milli::ZERO) };
        let (kind, dimension) = (line.kind, line.dimension);
        let new = LineChange { kind, dimension, group: line.group, rule: line.rule, before, after };
        match changes.iter_mut().find(|known| known.is_same_line(&new)) {
            Some(known) => (known.before, known.after) = (known.before + before, known.after + after),
            None => changes.push(new),
        }
    }
    changes.retain(|line| line.change() != Milli::ZERO);
    changes.sort_by_key(|line| Reverse(line.change().0.unsigned_abs()));
    changes
}
