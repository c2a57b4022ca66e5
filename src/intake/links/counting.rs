//! What a followed link brings into the log.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{
    store,
    token::{Act, Token},
};
use crate::{
    http::problem::{Code, Problem},
    intake::{
        ingest::{
            Submission,
            event::{Arrival, Found},
            submit,
        },
        links::Links,
        verdicts::{Finding, agents::Caller},
    },
    leads::{
        self,
        consent::{self, Channel, Fact, Said, State, Word},
        identity::Named,
    },
    platform::ids::{EventKey, digest},
};

/// How many followed links may wait to be counted at once.
const MOST_UNDER_WAY: usize = 1_000;
/// After how long something that could not be counted is tried again.
const RETRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// How much of a user agent is kept, in bytes.
const LONGEST_USER_AGENT: usize = 1_024;

/// A link that somebody followed.
#[derive(Debug)]
pub(super) struct Followed {
    token: Token,
    /// The token as it came.
    text: String,
    at: DateTime<Utc>,
    user_agent: Option<String>,
    /// What gives away that no person did.
    hint: Option<Finding>,
}

/// What a request for a link says of who follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) user_agent: Option<&'a str>,
    pub(super) caller: Caller<'a>,
}

impl Followed {
    /// Now, with what the request says of who it is.
    pub(super) fn now(links: &Links, token: Token, text: &str, request: Request<'_>) -> Followed {
        let user_agent: Option<String> = request
            .user_agent
            .filter(|agent| !agent.trim().is_empty())
            .map(|agent| agent.chars().take(LONGEST_USER_AGENT).collect());
        let ahead = request.caller.find(kind(&token.act), None);
        let silent = user_agent.is_none() && matches!(token.act, Act::Click { .. });
        let hint = ahead.max(silent.then_some(Finding::NoAgent));
        Followed { token, text: text.to_owned(), at: links.clock.now(), user_agent, hint }
    }
}

/// Counts beside the answer.
pub(super) fn count(links: &Links, followed: Followed) {
    let free = links.under_way.send_if_modified(|count| {
        let free = *count < MOST_UNDER_WAY;
        *count += usize::from(free);
        free
    });
    if !free {
        lost();
        return;
    }
    let links = links.clone();
    links.tasks.clone().spawn(async move {
        if !counted(&links, &followed).await {
            lost();
        }
        links.under_way.send_modify(|count| *count -= 1);
    });
}

fn lost() {
    metrics::counter!("leadscore_links_lost_total").increment(1);
    tracing::warn!("an open or a click could not be counted");
}

/// Whether it could be counted, if need be after a while.
async fn counted(links: &Links, followed: &Followed) -> bool {
    for pause in RETRIES {
        match record(links, followed).await {
            Ok(()) => return true,
            Err(problem) if problem.code != Code::Overloaded => return false,
            Err(_) => {}
        }
        if links.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            break;
        }
    }
    record(links, followed).await.is_ok()
}

/// Brings it into the log; when this returns it is there. Of somebody who is not known any more nothing is kept but that
/// they want no mails.
pub(super) async fn record(links: &Links, followed: &Followed) -> Result<(), Problem> {
    let token = &followed.token;
    let mut conn = links.db.acquire().await?;
    let Some(identity) = leads::identity(&mut conn, token.identity).await? else {
        return Ok(refuse(&mut conn, followed).await?);
    };
    let once = match token.act {
        // The same again once somebody has subscribed anew is not the same.
        Act::Unsubscribe => {
            store::subscribed_at(&mut conn, identity.id()).await?.map(|at| at.timestamp_micros())
        }
        Act::Open | Act::Click { .. } => Some(followed.at.timestamp()),
    };
    drop(conn);
    let arrival = Arrival { at: followed.at, api_key: None };
    let found = found(followed, Named::in_passing(identity), once.unwrap_or_default());
    let event =
        found.into_event(arrival, String::new).map_err(|why| Problem::invalid(why.detail, Vec::new()))?;
    let submission =
        Submission { arrival, events: vec![(0, event)], refused: Vec::new(), want_leads: false, size: 0 };
    let answer = submit(&links.writers, submission).await?;
    match answer.rejected.into_iter().next() {
        Some(rejected) => Err(Problem::invalid(rejected.detail, Vec::new())),
        None => Ok(()),
    }
}

/// Keeps the refusal of somebody who was erased: by the identity's hash, in case the address ever comes again.
async fn refuse(conn: &mut PgConnection, followed: &Followed) -> sqlx::Result<()> {
    if followed.token.act == Act::Unsubscribe {
        let word = Word { state: State::Withdrawn, since: followed.at };
        let event = EventKey::of(&event_id(followed, 0));
        let identity = leads::known_as(conn, followed.token.identity).await?;
        let said = Said { identity, channel: Channel::Email, word, list: None };
        let fact = Fact { said, event };
        consent::enter(conn, &[fact]).await?;
    }
    Ok(())
}

/// The same for what counts once: the same link, followed by the same program, at the same time.
fn event_id(Followed { token, text, user_agent, .. }: &Followed, once: i64) -> String {
    // A program that looks ahead does not stand for the person who follows.
    let program = user_agent.as_ref().filter(|_| token.act != Act::Unsubscribe);
    let once = once.to_be_bytes();
    let mut parts = vec![b"link", text.as_bytes(), &once];
    parts.extend(program.map(String::as_bytes));
    format!("link:{}", URL_SAFE_NO_PAD.encode(&digest(&parts)[..18]))
}

fn found(followed: &Followed, named: Named, once: i64) -> Found {
    let Followed { token, user_agent, hint, .. } = followed;
    let mut properties = Map::new();
    properties.insert("message_id".to_owned(), json!(token.message));
    properties.insert("provider".to_owned(), json!("leadscore"));
    if let Act::Click { url, honeypot } = &token.act {
        properties.insert("url".to_owned(), json!(url));
        if *honeypot {
            properties.insert("honeypot".to_owned(), Value::Bool(true));
        }
    }
    // It may be a mailbox's server that unsubscribes, on the word of a person.
    let user_agent = user_agent.as_ref().filter(|_| token.act != Act::Unsubscribe);
    let context = user_agent.map(|agent| Map::from_iter([("user_agent".to_owned(), json!(agent))]));
    Found {
        id: Some(event_id(followed, once)),
        kind: kind(&token.act).to_owned(),
        name: None,
        named,
        // That of its arrival, and no part of what is said.
        original_at: None,
        sent_at: None,
        corrected: true,
        properties,
        traits: None,
        context,
        hint: *hint,
    }
}

fn kind(act: &Act) -> &'static str {
    match act {
        Act::Open => "email_opened",
        Act::Unsubscribe => "email_unsubscribed",
        Act::Click { .. } => "email_clicked",
    }
}
