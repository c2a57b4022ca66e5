//! The events of one person's month.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Event, Named, Plan, calendar::Calendar, draw::Draw, object};

const USER_AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
];

/// Collects a person's events.
#[derive(Debug)]
pub(super) struct Diary<'a> {
    plan: &'a Plan,
    pub(super) calendar: &'a Calendar,
    number: u32,
    events: Vec<Event>,
}

/// A browser, known by its anonymous id.
#[derive(Debug, Clone)]
pub(super) struct Browser {
    pub(super) anonymous_id: String,
    user_agent: &'static str,
    ip: String,
}

impl<'a> Diary<'a> {
    /// Makes the empty diary of the person with this number.
    pub(super) fn new(plan: &'a Plan, calendar: &'a Calendar, number: u32) -> Diary<'a> {
        Diary { plan, calendar, number, events: Vec::new() }
    }

    /// Adds an event, and returns it for further changes.
    pub(super) fn note(
        &mut self,
        kind: &'static str,
        at: DateTime<Utc>,
        lead: Named,
        properties: Value,
    ) -> &mut Event {
        let place = self.events.len();
        self.events.push(Event {
            person: self.number,
            id: format!("demo-{}-{}-{place}", self.plan.seed, self.number),
            kind,
            occurred_at: self.calendar.bounded(at),
            lead,
            properties: object(properties),
            traits: Map::new(),
            context: Map::new(),
        });
        &mut self.events[place]
    }

    /// Converts a number for 30 days to the days of the plan. At least one.
    pub(super) fn scaled(&self, in_a_month: u32) -> u32 {
        (in_a_month * self.plan.days).div_ceil(30).max(1)
    }

    /// Returns the user id of the person.
    pub(super) fn user_id(&self) -> String {
        format!("user-{}-{}", self.plan.seed, self.number)
    }

    /// Returns all events.
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }
}

impl Browser {
    /// Draws a new browser.
    pub(super) fn new(draw: &mut Draw) -> Browser {
        Browser {
            anonymous_id: format!("{:016x}{:016x}", draw.bits(), draw.bits()),
            user_agent: draw.one(&USER_AGENTS),
            // Networks that are reserved for examples (RFC 5737).
            ip: format!("{}.{}", draw.one(&["192.0.2", "198.51.100", "203.0.113"]), draw.between(1, 254)),
        }
    }

    /// Returns the browser's anonymous id as the name of its user.
    pub(super) fn named(&self) -> Named {
        Named { anonymous_id: Some(self.anonymous_id.clone()), ..Named::default() }
    }

    /// Returns the context of the browser's events: IP address and user agent.
    pub(super) fn context(&self) -> Map<String, Value> {
        object(json!({"ip": self.ip, "user_agent": self.user_agent}))
    }
}
