//! Counting followed links: each becomes an event in the log.

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

/// How many followed links may wait to be counted at the same time. More are counted as lost.
const MOST_UNDER_WAY: usize = 1_000;
/// How long to wait before each new try to count a link.
const RETRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// How many characters of a user agent are kept.
const LONGEST_USER_AGENT: usize = 1_024;

/// A followed link.
#[derive(Debug)]
pub(super) struct Followed {
    token: Token,
    /// The text of the token, as it came.
    text: String,
    /// When the link was followed.
    at: DateTime<Utc>,
    user_agent: Option<String>,
    /// The sign that a machine followed the link, if there is one.
    hint: Option<Finding>,
}

/// What the headers of a request for a link say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) user_agent: Option<&'a str>,
    pub(super) caller: Caller<'a>,
}

impl Followed {
    /// A link that is followed now, with what the request shows.
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

/// Counts a followed link in the background, so that the answer does not wait.
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

/// Counts a link as lost.
fn lost() {
    metrics::counter!("leadscore_links_lost_total").increment(1);
    tracing::warn!("cannot count an open or a click");
}

/// Counts a followed link, and tries again if the service is overloaded. Returns whether the link was
/// counted.
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

/// Writes a followed link into the log. It is on disk when this returns.
///
/// If no identity has the token's hash, because the person was erased, only an unsubscription is stored.
pub(super) async fn record(links: &Links, followed: &Followed) -> Result<(), Problem> {
    let token = &followed.token;
    let mut conn = links.db.acquire().await?;
    let Some(identity) = leads::identity(&mut conn, token.identity).await? else {
        return Ok(refuse(&mut conn, followed).await?);
    };
    let once = match token.act {
        // An unsubscription after a new subscription counts again.
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

/// Stores an erased person's refusal under the identity's hash, in case the address is sent again.
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

/// Makes the event's id. It is the same for what counts once: the same link, followed by the same program at
/// the same time.
fn event_id(Followed { token, text, user_agent, .. }: &Followed, once: i64) -> String {
    // Different programs get different ids, so that a prefetch does not hide the person's own click. An
    // unsubscription counts once for all programs.
    let program = user_agent.as_ref().filter(|_| token.act != Act::Unsubscribe);
    let once = once.to_be_bytes();
    let mut parts = vec![b"link", text.as_bytes(), &once];
    parts.extend(program.map(String::as_bytes));
    format!("link:{}", URL_SAFE_NO_PAD.encode(&digest(&parts)[..18]))
}

/// Makes the event of a followed link.
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
    // The mailbox's server may send the unsubscription for the person, so its user agent is left out.
    let user_agent = user_agent.as_ref().filter(|_| token.act != Act::Unsubscribe);
    let context = user_agent.map(|agent| Map::from_iter([("user_agent".to_owned(), json!(agent))]));
    Found {
        id: Some(event_id(followed, once)),
        kind: kind(&token.act).to_owned(),
        name: None,
        named,
        // The time of arrival counts. It is no part of the content, so a repetition says the same.
        original_at: None,
        sent_at: None,
        corrected: true,
        properties,
        traits: None,
        context,
        hint: *hint,
    }
}

/// The type of the event of an act.
fn kind(act: &Act) -> &'static str {
    match act {
        Act::Open => "email_opened",
        Act::Unsubscribe => "email_unsubscribed",
        Act::Click { .. } => "email_clicked",
    }
}
