//! Believable traffic, made from a seed and nothing else. Each person has a month of their own; in a longer story the
//! months lie all over it.
//!
//! - [`people`]: companies and the people in them
//! - [`visit`]: sessions of page views, with how they end: a form, a trial, a chat, a question to sales
//! - [`mail`]: mails, and what people, machines and mailboxes make of them
//! - [`journey`]: one person's month, and that of the strangers who never say who they are
//! - [`diary`]: what is kept of it all, as events
//! - [`calendar`]: when things happen; [`draw`]: chance
//!
//! Every person has a stream of chance of their own, and chance knows no calendar. So the same seed makes the same
//! people do the same things whenever the month ends, more leads leave those before them as they were, and an
//! event's id is the same for ever.

mod calendar;
mod diary;
mod draw;
mod journey;
mod mail;
mod people;
mod visit;

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use calendar::Calendar;
pub(super) use draw::Draw;
use people::Person;

/// How many of 1000 events are sent twice, as by a tracker that missed the answer.
const SENT_TWICE: u32 = 7;
/// How many of 1000 events arrive late, as from a telephone that was offline.
const LATE: u32 = 15;
/// How late an event is at most, in minutes.
const LATEST_MINUTES: i64 = 3 * 24 * 60;

/// How many days a person is active.
const MONTH: u32 = 30;
/// How many of 100 people have their month at the end of the story.
const AT_THE_END: u32 = 28;

/// Which story to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// The seed of all random numbers.
    pub(super) seed: u64,
    /// How many people say who they are. Several times as many visitors do not.
    pub(super) leads: u32,
    /// How many days the story has.
    pub(super) days: u32,
    /// When the story ends.
    pub(super) until: DateTime<Utc>,
}

impl Plan {
    /// When the story begins.
    pub(super) fn begin(&self) -> DateTime<Utc> {
        self.until - TimeDelta::days(self.days.into())
    }

    /// Returns the plan of one person's month.
    fn month_of(&self, number: u32) -> Plan {
        let days = self.days.min(MONTH);
        let mut draw = Draw::new(self.seed, (1 << 41) | u64::from(number));
        // The first person carries the mark, and must be found again.
        let before = if number == 0 || draw.percent(AT_THE_END) {
            0
        } else {
            draw.between(0, (self.days - days).into())
        };
        Plan { days, until: self.until - TimeDelta::days(before), ..*self }
    }
}

/// An event, and when it arrives at the service.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) at: DateTime<Utc>,
    pub(super) event: Event,
}

/// An event, as `POST /v1/events` accepts it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Event {
    /// The number of the person to whose month the event belongs. It is not sent.
    #[serde(skip)]
    pub(super) person: u32,
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) lead: Named,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) properties: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) traits: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) context: Map<String, Value>,
}

/// The identities that an event names.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) anonymous_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
}

/// Makes the story's events in the order of their arrival, with repetitions and late ones. The first one carries the
/// [`mark`].
pub(super) fn traffic(plan: &Plan) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for number in 0..plan.leads {
        let mut draw = Draw::new(plan.seed, number.into());
        let month = plan.month_of(number);
        let calendar = Calendar::new(month.days, month.until);
        let events = journey::events(&month, &calendar, number, &mut draw);
        arrivals.extend(events.into_iter().flat_map(|event| arrivals_of(event, &mut draw)));
    }
    arrivals.sort_by(|one, other| (one.at, &one.event.id).cmp(&(other.at, &other.event.id)));
    let marker = (plan.leads > 0).then(|| Arrival { at: plan.begin(), event: marker(plan) });
    marker.into_iter().chain(arrivals).collect()
}

/// Returns the e-mail address and the attribute that show whether a seed was played before.
pub(super) fn mark(seed: u64) -> (String, String) {
    (first_person(seed).email, format!("demo_seed_{seed}"))
}

/// Returns the value of the mark: the length and the end of the story.
pub(super) fn mark_of(plan: &Plan) -> Value {
    json!({"days": plan.days, "until": plan.until})
}

fn first_person(seed: u64) -> Person {
    Person::new(seed, 0, &mut Draw::new(seed, 0))
}

fn marker(plan: &Plan) -> Event {
    let (email, attribute) = mark(plan.seed);
    Event {
        person: 0,
        id: format!("demo-{}-mark", plan.seed),
        kind: "identify",
        occurred_at: plan.begin(),
        lead: Named { email: Some(email), ..Named::default() },
        properties: Map::new(),
        traits: Map::from_iter([(attribute, mark_of(plan))]),
        context: Map::new(),
    }
}

/// Draws when an event arrives, and its repetition if there is one.
fn arrivals_of(event: Event, draw: &mut Draw) -> Vec<Arrival> {
    let delay = if draw.of_thousand(LATE) {
        TimeDelta::minutes(draw.between(30, LATEST_MINUTES))
    } else {
        TimeDelta::milliseconds(draw.between(20, 1_500))
    };
    let at = event.occurred_at + delay;
    let again = draw.of_thousand(SENT_TWICE).then(|| TimeDelta::seconds(draw.between(2, 900)));
    let repetition = again.map(|after| Arrival { at: at + after, event: event.clone() });
    std::iter::once(Arrival { at, event }).chain(repetition).collect()
}

/// Returns the fields of a JSON object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
