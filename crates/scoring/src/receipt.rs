//! The receipt: lines that add up to the score exactly.

use serde::Serialize;

use crate::breakdown::{Breakdown, Counted, Evidence, GroupTotal, RuleTotal};
use crate::decay::WHOLE;
use crate::model::{Dimension, Group, Model, Rule, RuleKind, Take};
use crate::points::Milli;
use crate::tally::{Occurrence, Tally};
use crate::time::{Instant, Span};

/// Where a score comes from. A receipt has a line for every rule, every adjustment, and every cap, weight or
/// rounding that changed the points. The lines add up to the published score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// The lines, in the order of the computation.
    pub lines: Vec<Line>,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Line {
    /// What gave or took the points.
    pub kind: LineKind,
    /// The dimension, if the line belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<Dimension>,
    /// The name of the group, if the line belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The name of the rule, if the line belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The points that the line gives, in milli-points. A negative number takes points away.
    pub points: Milli,
    /// The reason for the points, in a short sentence.
    pub detail: String,
    /// The events behind the line, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub occurrences: Vec<LineOccurrence>,
}

/// What gave or took the points of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A rule, before its caps. Every rule has such a line, even with 0 points.
    Rule,
    /// The cap of a rule: `min` or `max`.
    RuleClamp,
    /// What is taken away because only the best rule of the group counts.
    GroupBest,
    /// The cap of a group: `min` or `max`.
    GroupClamp,
    /// The weight of a group.
    Weight,
    /// The range of a dimension.
    DimensionClamp,
    /// An adjustment.
    Adjustment,
    /// The range of the score.
    ScoreClamp,
    /// The rounding of the score to whole points.
    Rounding,
}

/// An event behind a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LineOccurrence {
    /// The event's id.
    pub event_id: String,
    /// When the event happened.
    pub occurred_at: Instant,
    /// The event's age at the instant of the score, in microseconds.
    pub age: Span,
    /// The decay factor at this age, in millionths: 1 000 000 is the whole.
    pub factor: u32,
    /// The points of this event, in milli-points. It is 0 for count and inactivity rules, because these pay
    /// once for all events.
    pub worth: Milli,
}

/// Collects the lines of a receipt.
struct Writer<'a> {
    model: &'a Model,
    evidence: Evidence<'a, &'a str>,
    as_of: Instant,
    lines: Vec<Line>,
}

impl Receipt {
    pub(crate) fn of(model: &Model, tally: &Tally<&str>, breakdown: &Breakdown) -> Self {
        let as_of = breakdown.as_of;
        let mut writer = Writer { model, evidence: Evidence::new(tally, as_of), as_of, lines: Vec::new() };
        writer.sections(breakdown);
        writer.adjustments();
        let score = breakdown.clamped.rounded_points();
        let range = model.score_range();
        let detail = format!("A score lies between {} and {}.", range.min, range.max);
        writer.correction(LineKind::ScoreClamp, None, breakdown.clamped - breakdown.raw, detail);
        let rounding = Milli(score.saturating_mul(1000)) - breakdown.clamped;
        writer.correction(
            LineKind::Rounding,
            None,
            rounding,
            "A score is published in whole points.".to_owned(),
        );
        Self { lines: writer.lines }
    }
}

impl Writer<'_> {
    fn sections(&mut self, breakdown: &Breakdown) {
        for (dimension, total) in Dimension::ALL.into_iter().zip(&breakdown.sections) {
            let section = self.model.section(dimension);
            for (group, total) in section.groups.iter().zip(&total.groups) {
                self.group(dimension, group, total);
            }
            let detail =
                format!("This dimension lies between {} and {}.", section.range.min, section.range.max);
            self.correction(
                LineKind::DimensionClamp,
                Some((dimension, None)),
                total.clamped - total.sum,
                detail,
            );
        }
    }

    fn group(&mut self, dimension: Dimension, group: &Group, total: &GroupTotal) {
        for (rule, total) in group.rules.iter().zip(&total.rules) {
            self.rule(dimension, group, rule, total);
        }
        let about = Some((dimension, Some(group)));
        let sum: Milli = total.rules.iter().map(|rule| rule.clamped).sum();
        if group.take == Take::Best {
            let detail = "Only the rule that weighs most counts.".to_owned();
            self.correction(LineKind::GroupBest, about, total.taken - sum, detail);
        }
        let clamp = total.clamped - total.taken;
        self.correction(LineKind::GroupClamp, about, clamp, capped("group", group.min, group.max, clamp));
        let detail = format!("The group is weighted by {}.", Milli(i64::from(group.weight)));
        self.correction(LineKind::Weight, about, total.weighted - total.clamped, detail);
    }

    fn rule(&mut self, dimension: Dimension, group: &Group, rule: &Rule, total: &RuleTotal) {
        let (detail, occurrences) = self.reason(rule);
        let line = |kind, points, detail, occurrences| Line {
            kind,
            dimension: Some(dimension),
            group: Some(group.name.clone()),
            rule: Some(rule.name.clone()),
            points,
            detail,
            occurrences,
        };
        self.lines.push(line(LineKind::Rule, total.sum, detail, occurrences));
        let clamp = total.clamped - total.sum;
        if clamp != Milli::ZERO {
            let detail = capped("rule", rule.min, rule.max, clamp);
            self.lines.push(line(LineKind::RuleClamp, clamp, detail, Vec::new()));
        }
    }

    fn adjustments(&mut self) {
        let lines = self.evidence.adjustments().map(|(occurrence, adjustment)| Line {
            kind: LineKind::Adjustment,
            dimension: None,
            group: None,
            rule: None,
            points: adjustment.points,
            detail: match adjustment.expires_at {
                Some(expires_at) => format!("Adjusted by a person until {expires_at}."),
                None => "Adjusted by a person for good.".to_owned(),
            },
            occurrences: vec![self.occurrence(*occurrence, WHOLE, adjustment.points)],
        });
        let lines: Vec<_> = lines.collect();
        self.lines.extend(lines);
    }

    /// Why a rule pays what it pays, and the events behind it.
    fn reason(&self, rule: &Rule) -> (String, Vec<LineOccurrence>) {
        match &rule.kind {
            RuleKind::Attribute { .. } => {
                let verb = if self.evidence.holds(rule) { "meets" } else { "does not meet" };
                (format!("The profile {verb} the condition."), Vec::new())
            }
            RuleKind::Event(event) => {
                let mut occurrences = Vec::new();
                self.evidence.counted(rule, event, |Counted { occurrence, age, factor, worth }| {
                    let Occurrence { at, label } = occurrence;
                    let event_id = label.to_owned();
                    occurrences.push(LineOccurrence { event_id, occurred_at: at, age, factor, worth });
                });
                (format!("{} counted.", events(occurrences.len())), occurrences)
            }
            RuleKind::Count(count) => {
                let holding = self.evidence.holding(rule, count);
                let newest_first = holding.into_iter().flatten().rev();
                let occurrences =
                    newest_first.map(|occurrence| self.occurrence(*occurrence, WHOLE, Milli::ZERO));
                let verb = if holding.is_some() { "At least" } else { "Fewer than" };
                let within = count.within.map_or(String::new(), |within| format!(" within {within}"));
                (format!("{verb} {} happened{within}.", count.at_least), occurrences.collect())
            }
            RuleKind::Inactivity { quiet_for, .. } => match self.evidence.quiet() {
                None => ("There has been no activity yet.".to_owned(), Vec::new()),
                Some((quiet, _)) if quiet < *quiet_for => {
                    (format!("Not quiet for {quiet_for} yet."), Vec::new())
                }
                Some((quiet, last)) => (
                    format!("Quiet for {} days.", quiet.0 / Span::DAY.0),
                    vec![self.occurrence(last, WHOLE, Milli::ZERO)],
                ),
            },
        }
    }

    fn occurrence(&self, occurrence: Occurrence<&str>, factor: u32, worth: Milli) -> LineOccurrence {
        let Occurrence { at, label } = occurrence;
        LineOccurrence {
            event_id: label.to_owned(),
            occurred_at: at,
            age: self.as_of.since(at),
            factor,
            worth,
        }
    }

    /// Adds a line, unless its points are 0.
    fn correction(
        &mut self,
        kind: LineKind,
        about: Option<(Dimension, Option<&Group>)>,
        points: Milli,
        detail: String,
    ) {
        if points == Milli::ZERO {
            return;
        }
        let dimension = about.map(|(dimension, _)| dimension);
        let group = about.and_then(|(_, group)| group).map(|group| group.name.clone());
        self.lines.push(Line { kind, dimension, group, rule: None, points, detail, occurrences: Vec::new() });
    }
}

fn events(count: usize) -> String {
    match count {
        0 => "No event".to_owned(),
        1 => "1 event".to_owned(),
        _ => format!("{count} events"),
    }
}

fn capped(what: &str, min: Option<Milli>, max: Option<Milli>, points: Milli) -> String {
    match (points.0 < 0, min, max) {
        (true, _, Some(max)) => format!("The {what} is worth {max} at most."),
        (_, Some(min), _) => format!("The {what} is worth {min} at least."),
        _ => format!("The {what} is capped."),
    }
}
