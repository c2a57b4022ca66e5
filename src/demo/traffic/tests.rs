use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::intake::ingest::native;

fn plan() -> Plan {
    Plan { seed: 1, leads: 120, days: 30, until: "2026-11-20T18:00:00Z".parse().unwrap() }
}

fn events(plan: &Plan) -> Vec<Event> {
    traffic(plan).into_iter().map(|arrival| arrival.event).collect()
}

fn bytes(plan: &Plan) -> Vec<u8> {
    serde_json::to_vec(&events(plan)).unwrap()
}

fn counts(events: &[Event]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.kind).or_insert(0) += 1;
    }
    counts
}

#[test]
fn the_same_seed_is_the_same_traffic_byte_for_byte() {
    assert_eq!(bytes(&plan()), bytes(&plan()));
}

#[test]
fn another_seed_is_another_traffic() {
    let other = events(&Plan { seed: 2, ..plan() });
    let ids: BTreeSet<String> = events(&plan()).into_iter().map(|event| event.id).collect();
    assert!(other.iter().all(|event| !ids.contains(&event.id)));
}

#[test]
fn the_month_may_end_at_any_time_and_the_same_people_do_the_same_things() {
    let told = |plan: &Plan| {
        let mut told: Vec<_> =
            events(plan).into_iter().map(|event| (event.id, event.kind, event.lead.email)).collect();
        told.sort();
        told
    };
    let later = Plan { until: "2027-03-07T03:12:45Z".parse().unwrap(), ..plan() };
    assert_eq!(told(&plan()), told(&later));
}

#[test]
fn more_leads_leave_those_before_them_as_they_were() {
    let more: HashMap<String, Event> =
        events(&Plan { leads: 150, ..plan() }).into_iter().map(|event| (event.id.clone(), event)).collect();
    assert!(events(&plan()).iter().all(|event| more.get(&event.id) == Some(event)));
}

#[test]
fn the_service_takes_every_event() {
    for event in events(&plan()) {
        let item = object(serde_json::to_value(&event).unwrap());
        let found = native::parse(item).unwrap();
        assert_eq!(
            (found.id.as_deref(), found.original_at),
            (Some(event.id.as_str()), Some(event.occurred_at))
        );
    }
}

#[test]
fn everything_happens_within_the_month() {
    for days in [1, 7, 30, 200] {
        let plan = Plan { days, ..plan() };
        let begin = plan.until - TimeDelta::days(days.into());
        assert!(events(&plan).iter().all(|event| (begin..=plan.until).contains(&event.occurred_at)));
    }
}

#[test]
fn no_leads_are_no_traffic() {
    assert!(events(&Plan { leads: 0, ..plan() }).is_empty());
}

#[test]
fn page_views_prevail_and_few_ask_for_sales() {
    let events = events(&plan());
    let counts = counts(&events);
    let share = |kind: &str| counts.get(kind).copied().unwrap_or(0) * 1_000 / events.len();
    assert!((500..850).contains(&share("page_viewed")), "{counts:?}");
    assert!((20..120).contains(&share("email_opened")), "{counts:?}");
    let asked = counts["demo_requested"] + counts["contact_sales_requested"];
    assert!((2..12).contains(&asked), "{counts:?}");
    assert!(counts["email_delivered"] > counts["email_clicked"] * 5);
}

#[test]
fn everything_that_can_happen_does() {
    let kinds: Vec<&str> = counts(&events(&Plan { leads: 500, ..plan() })).into_keys().collect();
    let all = [
        "chat_started",
        "contact_sales_requested",
        "content_downloaded",
        "demo_requested",
        "do_not_contact_requested",
        "email_bounced",
        "email_clicked",
        "email_complained",
        "email_delivered",
        "email_opened",
        "email_subscribed",
        "email_unsubscribed",
        "form_submitted",
        "identify",
        "meeting_held",
        "page_viewed",
        "trial_started",
        "webinar_attended",
        "webinar_registered",
    ];
    assert_eq!(kinds, all);
}

#[test]
fn each_lead_has_an_address_of_its_own_that_nobody_can_have() {
    let plan = Plan { leads: 3_000, ..plan() };
    let addresses: BTreeSet<String> = (0..plan.leads)
        .map(|number| Person::new(plan.seed, number, &mut Draw::new(plan.seed, number.into())).email)
        .collect();
    assert_eq!(addresses.len(), 3_000);
    assert!(addresses.iter().all(|address| address.ends_with(".example")));
}

#[test]
fn most_visitors_stay_anonymous() {
    let events = events(&plan());
    let browsers: BTreeSet<&str> =
        events.iter().filter_map(|event| event.lead.anonymous_id.as_deref()).collect();
    let known: BTreeSet<&str> = events
        .iter()
        .filter(|event| event.kind == "identify")
        .filter_map(|event| event.lead.anonymous_id.as_deref())
        .collect();
    assert_eq!(known.len(), 120);
    assert!(browsers.len() > known.len() * 4);
}

#[test]
fn weekdays_and_office_hours_prevail() {
    use chrono::{Datelike, Timelike};
    let events = events(&plan());
    let weekday =
        events.iter().filter(|event| event.occurred_at.weekday().num_days_from_monday() < 5).count();
    let office = events.iter().filter(|event| (7..19).contains(&event.occurred_at.hour())).count();
    assert!(weekday * 10 > events.len() * 9);
    assert!(office * 10 > events.len() * 8);
}

#[test]
fn some_events_come_twice_and_some_late() {
    let events = events(&plan());
    let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let twice = events.len() - ids.len();
    assert!((events.len() / 400..events.len() / 50).contains(&twice));
    let late = events
        .windows(2)
        .filter(|pair| pair[1].occurred_at < pair[0].occurred_at - TimeDelta::minutes(20))
        .count();
    assert!((events.len() / 200..events.len() / 30).contains(&late));
}

#[test]
fn the_first_event_marks_the_month() {
    let plan = plan();
    let (email, attribute) = mark(plan.seed);
    let first = events(&plan).remove(0);
    assert_eq!(first.lead.email, Some(email));
    assert_eq!(first.traits[&attribute], mark_of(&plan));
    assert_eq!(mark_of(&plan), json!({"days": 30, "until": "2026-11-20T18:00:00Z"}));
}

#[test]
fn each_person_has_a_month_of_a_year_and_somebody_has_each_month() {
    let plan = Plan { days: 365, ..plan() };
    let mut months: BTreeMap<u32, (DateTime<Utc>, DateTime<Utc>)> = BTreeMap::new();
    for Event { person, occurred_at, .. } in events(&plan).into_iter().skip(1) {
        let month = months.entry(person).or_insert((occurred_at, occurred_at));
        *month = (month.0.min(occurred_at), month.1.max(occurred_at));
    }
    assert!(months.values().all(|(first, last)| *last - *first <= TimeDelta::days(30)));
    let in_month = |n: i64| {
        let begin = plan.begin() + TimeDelta::days(30 * n);
        months.values().filter(|(first, _)| (begin..begin + TimeDelta::days(30)).contains(first)).count()
    };
    assert!((0..12).all(|n| in_month(n) > 0));
}
