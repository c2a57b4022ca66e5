//! Findings of the events of one mail to one address, judged together.

use chrono::{DateTime, TimeDelta, Utc};

use super::Finding;

/// The time within which no person follows two links of a mail.
const AT_ONCE: TimeDelta = TimeDelta::seconds(2);
/// The time after the delivery within which no person follows a link. It allows for clocks that count whole
/// seconds.
const ARRIVING: TimeDelta = TimeDelta::seconds(2);
/// The time after the delivery within which few people follow a link, but scanners of mails do.
const SOON: TimeDelta = TimeDelta::seconds(60);
/// The time before and after a click on a hidden link within which all clicks on the mail are taken for the
/// machine's.
const HIDDEN: TimeDelta = TimeDelta::seconds(60);

/// Whether events of this type are judged together with the other events of their mail. The index
/// `event_of_mail` has the same types.
pub fn is_of_mail(kind: &str) -> bool {
    kind == "email_delivered" || is_click(kind)
}

/// Whether an event of this type is a click on a link.
pub(super) fn is_click(kind: &str) -> bool {
    ["email_clicked", "email_unsubscribed"].contains(&kind)
}

/// An event of a mail, as far as the judgement needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) what: What<'a>,
}

/// What happened to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What<'a> {
    /// The mail was delivered.
    Delivered,
    /// A link in the mail was followed.
    Clicked(Link<'a>),
}

/// The link that was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// A link to this address.
    To(&'a str),
    /// The link to unsubscribe.
    Unsubscribe,
    /// A hidden link, which only machines see.
    Hidden,
    /// The event does not say which link. It may be the same as any other.
    Unknown,
}

/// Returns the finding of each event of a mail, in the order of `traces`. Each finding depends only on the
/// set of events, not on their order.
pub(super) fn findings(traces: &[Trace<'_>]) -> Vec<Option<Finding>> {
    let delivered = |trace: &Trace<'_>| (trace.what == What::Delivered).then_some(trace.at);
    let delivered_at = traces.iter().filter_map(delivered).min();
    let mut clicks: Vec<Click<'_>> = traces.iter().enumerate().filter_map(Click::of).collect();
    clicks.sort_by_key(|click| click.at);
    look_along(clicks.iter_mut());
    look_along(clicks.iter_mut().rev());
    let mut findings = vec![None; traces.len()];
    for click in clicks {
        let after = delivered_at.map(|delivered| traces[click.index].at - delivered);
        let early = match after {
            Some(after) if after < ARRIVING => Some(Finding::BeforeDelivery),
            Some(after) if after <= SOON => Some(Finding::SoonAfterDelivery),
            _ => None,
        };
        findings[click.index] = click.found.max(early);
    }
    findings
}

struct Click<'a> {
    index: usize,
    at: DateTime<Utc>,
    link: Link<'a>,
    found: Option<Finding>,
}

impl<'a> Click<'a> {
    fn of((index, trace): (usize, &Trace<'a>)) -> Option<Click<'a>> {
        let What::Clicked(link) = trace.what else { return None };
        let found = (link == Link::Hidden).then_some(Finding::Honeypot);
        Some(Click { index, at: trace.at, link, found })
    }
}

/// Notes for each click what the earlier clicks of this pass show about it. Two passes, one in each
/// direction, compare every click with its neighbours in linear time.
fn look_along<'a: 'c, 'c>(clicks: impl Iterator<Item = &'c mut Click<'a>>) {
    let mut hidden: Option<DateTime<Utc>> = None;
    let mut last: Option<(Link<'a>, DateTime<Utc>)> = None;
    let mut last_other: Option<DateTime<Utc>> = None;
    for click in clicks {
        let near = |at: Option<DateTime<Utc>>, reach| at.is_some_and(|at| (click.at - at).abs() <= reach);
        if click.link == Link::Hidden {
            hidden = Some(click.at);
        }
        let mut found = near(hidden, HIDDEN).then_some(Finding::Honeypot);
        if click.link != Link::Unknown {
            let other = match last {
                Some((link, at)) if link != click.link => Some(at),
                _ => last_other,
            };
            found = found.max(near(other, AT_ONCE).then_some(Finding::SeveralLinks));
            (last, last_other) = (Some((click.link, click.at)), other);
        }
        click.found = click.found.max(found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn delivered(seconds: i64) -> Trace<'static> {
        Trace { at: at(seconds), what: What::Delivered }
    }

    fn clicked(seconds: i64, link: Link<'static>) -> Trace<'static> {
        Trace { at: at(seconds), what: What::Clicked(link) }
    }

    const A: Link<'static> = Link::To("https://acme.example/a");
    const B: Link<'static> = Link::To("https://acme.example/b");

    #[test]
    fn a_link_followed_a_while_after_the_mail_came_in_gives_nothing_away() {
        assert_eq!(findings(&[delivered(0), clicked(61, A), clicked(64, B)]), [None, None, None]);
        assert_eq!(findings(&[clicked(0, A)]), [None], "nobody said when the mail came in");
    }

    #[test]
    fn several_links_within_two_seconds_are_followed_by_a_machine() {
        let all = Some(Finding::SeveralLinks);

        assert_eq!(findings(&[clicked(102, B), clicked(100, A)]), [all, all]);
        assert_eq!(findings(&[clicked(100, A), clicked(103, B)]), [None, None]);
        assert_eq!(findings(&[clicked(100, A), clicked(100, A)]), [None, None], "one link, twice");
        assert_eq!(
            findings(&[clicked(100, A), clicked(101, B), clicked(102, B), clicked(104, B)]),
            [all, all, all, None],
            "whatever lies between"
        );
        assert_eq!(findings(&[clicked(100, A), clicked(101, Link::Unsubscribe)]), [all, all]);
        assert_eq!(
            findings(&[clicked(100, A), clicked(101, Link::Unknown)]),
            [None, None],
            "perhaps the same"
        );
    }

    #[test]
    fn a_link_followed_before_the_mail_came_in_is_a_machines_and_one_soon_after_is_suspect() {
        let found = findings(&[
            delivered(10),
            clicked(9, A),
            clicked(11, A),
            clicked(12, A),
            clicked(70, A),
            clicked(71, A),
        ]);

        let (before, soon) = (Some(Finding::BeforeDelivery), Some(Finding::SoonAfterDelivery));
        assert_eq!(found, [None, before, before, soon, soon, None]);
        assert_eq!(
            findings(&[delivered(500), delivered(0), clicked(100, A)])[2],
            None,
            "the first delivery counts"
        );
    }

    #[test]
    fn a_hidden_link_gives_away_every_click_about_it() {
        let found = findings(&[
            clicked(39, A),
            clicked(40, A),
            clicked(100, Link::Hidden),
            clicked(160, B),
            clicked(161, B),
        ]);

        let trap = Some(Finding::Honeypot);
        assert_eq!(found, [None, trap, trap, trap, None]);
    }

    fn traces() -> impl Strategy<Value = Vec<Trace<'static>>> {
        let what = prop_oneof![
            2 => Just(What::Delivered),
            3 => Just(What::Clicked(A)),
            3 => Just(What::Clicked(B)),
            1 => Just(What::Clicked(Link::Unsubscribe)),
            1 => Just(What::Clicked(Link::Hidden)),
            1 => Just(What::Clicked(Link::Unknown)),
        ];
        prop::collection::vec(
            (0..240_i64, what).prop_map(|(seconds, what)| Trace { at: at(seconds), what }),
            0..12,
        )
    }

    /// What the rules say, click by click, looking at all the others each time.
    fn by_the_rules(traces: &[Trace<'_>]) -> Vec<Option<Finding>> {
        let delivered_at = traces.iter().filter(|one| one.what == What::Delivered).map(|one| one.at).min();
        let of = |trace: &Trace<'_>| {
            let What::Clicked(link) = trace.what else { return None };
            let near = |other: &&Trace<'_>, reach| (other.at - trace.at).abs() <= reach;
            let links = |reach| {
                traces.iter().filter(move |other| near(other, reach)).filter_map(|other| match other.what {
                    What::Clicked(link) => Some(link),
                    What::Delivered => None,
                })
            };
            let known = |other: &Link<'_>| *other != Link::Unknown && link != Link::Unknown;
            if links(HIDDEN).any(|other| other == Link::Hidden) {
                return Some(Finding::Honeypot);
            }
            if links(AT_ONCE).any(|other| known(&other) && other != link) {
                return Some(Finding::SeveralLinks);
            }
            match delivered_at.map(|delivered| trace.at - delivered) {
                Some(after) if after < ARRIVING => Some(Finding::BeforeDelivery),
                Some(after) if after <= SOON => Some(Finding::SoonAfterDelivery),
                _ => None,
            }
        };
        traces.iter().map(of).collect()
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_the_rules_say_in_whatever_order_the_events_stand(
            (ordered, shuffled) in traces().prop_flat_map(|traces| (Just(traces.clone()), Just(traces).prop_shuffle()))
        ) {
            prop_assert_eq!(findings(&ordered), by_the_rules(&ordered));
            prop_assert_eq!(findings(&shuffled), by_the_rules(&shuffled));
        }
    }
}
