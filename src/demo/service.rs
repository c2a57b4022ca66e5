//! The service that the demo talks to.

use anyhow::Context;
use chrono::{DateTime, Utc};
use cli::{
    client::{Body, Client},
    connection::Connection,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::traffic::Event;

/// How often the same is tried while the service has too much to do: three minutes, since the demo itself is the load.
const TRIES: u32 = 12;

/// A running service, and a key to it.
#[derive(Debug, Clone)]
pub(super) struct Service(Client);

/// What became of events that were sent.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: Vec<Refused>,
}

/// An event that was not taken.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) code: String,
    pub(super) detail: String,
}

/// A lead, as far as the demo shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Lead {
    pub(super) id: String,
    pub(super) email: Option<String>,
    pub(super) score: i64,
    pub(super) grade: String,
    pub(super) band: String,
    pub(super) profile: Map<String, Value>,
    pub(super) last_activity_at: Option<DateTime<Utc>>,
}

/// What a score is made of, as far as the demo shows it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Receipt {
    pub(super) lines: Vec<Line>,
}

/// One part of a score.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) dimension: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) points: i64,
}

#[derive(Deserialize)]
struct Scored {
    receipt: Receipt,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Lead>,
}

impl Service {
    /// The service that the settings name. Nothing is sent yet.
    pub(super) fn new(connection: &Connection) -> anyhow::Result<Service> {
        Ok(Service(connection.patient_client(TRIES)?))
    }

    /// The address.
    pub(super) fn url(&self) -> &str {
        self.0.server()
    }

    /// Sends events, again and again while the service has too much to do.
    pub(super) async fn send(&self, events: &[Event]) -> anyhow::Result<Answer> {
        let answer = self.0.post("/v1/events", Some(&Body::json(&events)?)).await?;
        answer.context("the service answered nothing")?.read()
    }

    /// The first leads of the queue `sales`.
    pub(super) async fn queue(&self, limit: u16) -> anyhow::Result<Vec<Lead>> {
        let page = self.0.get("/v1/queues/sales/leads", &[("limit", limit.to_string())]).await?;
        Ok(page.read::<Page>()?.data)
    }

    /// What a lead's score is made of.
    pub(super) async fn receipt(&self, lead: &Lead) -> anyhow::Result<Receipt> {
        let scored = self.0.get(&format!("/v1/leads/{}/score", lead.id), &[]).await?;
        Ok(scored.read::<Scored>()?.receipt)
    }

    /// The lead with an e-mail address, if there is one.
    pub(super) async fn find(&self, email: &str) -> anyhow::Result<Option<Lead>> {
        let query = [("limit", "1".to_owned()), ("email", email.to_owned())];
        Ok(self.0.get("/v1/leads", &query).await?.read::<Page>()?.data.pop())
    }
}
