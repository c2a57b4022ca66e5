//! Why a score moves: two receipts of one log, line by line.

use std::{cmp::Reverse, sync::Arc};

use scoring::{Event, Instant, Milli, Receipt, model::Dimension, receipt::LineKind};
use serde::Serialize;
use serde_json::Map;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::replay::over_logs;
use crate::{models::Version, platform::ids::LeadId};

/// A line of the receipt that differs. The changes of all lines add up to the change of the score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct LineChange {
    /// What gives or takes the points: a rule, or a bound, a weight, … that acts on rules.
    kind: LineKind,
    /// The dimension, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension: Option<Dimension>,
    /// The group, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The rule, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// What it gives by the live model, in milli-points.
    before: Milli,
    /// What it would give, in milli-points.
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

/// For each of some leads the lines that differ, in the order of the leads.
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

/// What differs between two receipts, what weighs most first. Lines that go by the same names are one.
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
