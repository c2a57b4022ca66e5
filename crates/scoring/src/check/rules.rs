//! Warnings about rules and groups.

use super::attainable::{Attainable, GroupBounds, RuleBounds, beyond_considered};
use super::{derived, warning};
use crate::mistake::Mistake;
use crate::model::{Dimension, Group, MAX_OCCURRENCES, Model, Range, Rule, RuleKind, Take};
use crate::points::Milli;

pub(super) fn warnings(model: &Model, attainable: &Attainable) -> Vec<Mistake> {
    let mut warnings = Vec::new();
    for dimension in Dimension::ALL {
        let groups = model.section(dimension).groups.iter().zip(&attainable.section(dimension).groups);
        for (i, (group, bounds)) in groups.enumerate() {
            let pointer = format!("/dimensions/{}/groups/{i}", dimension.as_str());
            warn_of_group(&pointer, group, bounds, &mut warnings);
        }
    }
    warnings
}

fn warn_of_group(pointer: &str, group: &Group, bounds: &GroupBounds, warnings: &mut Vec<Mistake>) {
    if group.rules.is_empty() {
        warnings.push(warning(format!("{pointer}/rules"), "empty_group", "add a rule, or remove the group"));
    }
    for (i, (rule, rule_bounds)) in group.rules.iter().zip(&bounds.rules).enumerate() {
        let pointer = format!("{pointer}/rules/{i}");
        warn_of_rule(&pointer, rule, rule_bounds, warnings);
        derived::warn_of_rule(&pointer, &rule.kind, warnings);
        if group.take == Take::Best && never_best(i, group, bounds) {
            let message =
                "raise the rule's points or remove the rule; another rule of the group always weighs more";
            warnings.push(warning(pointer, "never_best", message));
        }
    }
    if bounds.taken.min != bounds.taken.max {
        warn_of_caps(pointer, group.min, group.max, bounds.taken, warnings);
    }
}

fn warn_of_rule(pointer: &str, rule: &Rule, bounds: &RuleBounds, warnings: &mut Vec<Mistake>) {
    if rule.points == Milli::ZERO {
        let message = "give the rule points other than 0, or remove the rule";
        warnings.push(warning(format!("{pointer}/points"), "zero_points", message));
    }
    match &rule.kind {
        RuleKind::Event(event)
            if event.limit.as_ref().is_some_and(|limit| beyond_considered(limit.count)) =>
        {
            let message = format!(
                "write at most {MAX_OCCURRENCES}; a rule considers only the {MAX_OCCURRENCES} newest events"
            );
            warnings.push(warning(format!("{pointer}/limit/count"), "limit_without_effect", message));
        }
        RuleKind::Count(count) if beyond_considered(count.at_least) => {
            let message = format!(
                "write at most {MAX_OCCURRENCES}; a rule considers only the {MAX_OCCURRENCES} newest events"
            );
            warnings.push(warning(format!("{pointer}/at_least/count"), "count_never_reached", message));
        }
        _ => {}
    }
    let expires = match &rule.kind {
        RuleKind::Event(event) => {
            vec![("window", event.window.is_some()), ("decay", event.decay.is_some())]
        }
        RuleKind::Count(count) => vec![("at_least/within", count.within.is_some())],
        _ => Vec::new(),
    };
    for (key, _) in expires.iter().filter(|(_, given)| *given && rule.points < Milli::ZERO) {
        let message = "leave this key out if the negative points should stay for good; with this key the score rises by itself \
                       with time";
        warnings.push(warning(format!("{pointer}/{key}"), "negative_expires", message));
    }
    if bounds.sum.min != bounds.sum.max {
        warn_of_caps(pointer, rule.min, rule.max, bounds.sum, warnings);
    }
}

/// Warns of a cap that the points never reach, and of a cap that fixes the points at one value.
fn warn_of_caps(
    pointer: &str,
    min: Option<Milli>,
    max: Option<Milli>,
    reach: Range,
    warnings: &mut Vec<Mistake>,
) {
    let caps = [
        ("max", max, max.is_some_and(|max| reach.max < max), max.is_some_and(|max| reach.min >= max)),
        ("min", min, min.is_some_and(|min| reach.min > min), min.is_some_and(|min| reach.max <= min)),
    ];
    for (key, cap, never, always) in caps {
        let Some(cap) = cap else { continue };
        let Range { min, max } = reach;
        if never {
            let message =
                format!("leave out `{key}`: the points lie between {min} and {max} and never reach {cap}");
            warnings.push(warning(format!("{pointer}/{key}"), "cap_never_met", message));
        } else if always {
            let message = format!(
                "change `{key}`: the points lie between {min} and {max}, so `{key}` always makes them {cap}"
            );
            warnings.push(warning(format!("{pointer}/{key}"), "cap_always_met", message));
        }
    }
}

/// Whether another rule of the group certainly weighs more than this rule whenever this rule pays.
fn never_best(place: usize, group: &Group, bounds: &GroupBounds) -> bool {
    let (Some(rule), Some(own)) = (group.rules.get(place), bounds.rules.get(place)) else { return false };
    let rivals = group.rules.iter().zip(&bounds.rules).enumerate().filter(|(i, _)| *i != place);
    own.heaviest() > 0
        && rivals.into_iter().any(|(i, (rival, theirs))| {
            let outweighed = |least: u64| least > own.heaviest() || (least == own.heaviest() && i < place);
            outweighed(theirs.lightest()) || (same_condition(rule, rival) && outweighed(theirs.heaviest()))
        })
}

/// Whether two rules are attribute rules without caps that have the same condition.
fn same_condition(rule: &Rule, rival: &Rule) -> bool {
    let uncapped = |rule: &Rule| rule.min.is_none() && rule.max.is_none();
    match (&rule.kind, &rival.kind) {
        (RuleKind::Attribute { when }, RuleKind::Attribute { when: other }) => {
            when == other && uncapped(rule) && uncapped(rival)
        }
        _ => false,
    }
}
