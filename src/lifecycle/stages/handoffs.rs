//! Handoffs to sales, as far as they follow from a lead's passages.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{ChangeContext, store};
use crate::{
    feed::outbox::{self, Change, Kind},
    leads::{Lead, Stage},
    models::published,
    platform::ids::{HandoffId, LeadId, ModelId},
};

pub use super::store::open_handoffs;

/// How far a handoff has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = HandoffState)]
pub enum HandoffState {
    /// Sales is to answer.
    Open,
    /// Sales has taken the lead.
    Accepted,
    /// Sales has not, for a reason.
    Rejected,
    /// Sales has sent the lead back to ripen.
    Recycled,
    /// Nobody answered in time.
    Expired,
    /// The lead is no longer to be offered: its score fell, it asked not to be contacted, somebody decided otherwise.
    Withdrawn,
    /// The lead turned out to be another, of which there is a handoff already.
    Merged,
}

impl HandoffState {
    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            HandoffState::Open => "open",
            HandoffState::Accepted => "accepted",
            HandoffState::Rejected => "rejected",
            HandoffState::Recycled => "recycled",
            HandoffState::Expired => "expired",
            HandoffState::Withdrawn => "withdrawn",
            HandoffState::Merged => "merged",
        }
    }

    /// What the feed is told.
    fn kind(self) -> Kind {
        match self {
            HandoffState::Open => Kind::HandoffOffered,
            HandoffState::Accepted => Kind::HandoffAccepted,
            HandoffState::Rejected => Kind::HandoffRejected,
            HandoffState::Recycled => Kind::HandoffRecycled,
            HandoffState::Expired => Kind::HandoffExpired,
            HandoffState::Withdrawn | HandoffState::Merged => Kind::HandoffWithdrawn,
        }
    }
}

/// What is offered.
#[derive(Debug)]
pub struct NewHandoff {
    /// Who offers; none: the rules.
    pub by: Option<String>,
    /// Who is to answer, if somebody is named.
    pub rep: Option<String>,
    /// The score of the moment.
    pub score: i64,
    /// By which model.
    pub model_id: ModelId,
    /// What speaks for the lead, frozen.
    pub evidence: Value,
    /// Under which key the call may be repeated.
    pub request_key: Option<String>,
}

/// A handoff as far as what happens to it is concerned.
#[derive(Debug, Clone)]
pub struct Handoff {
    /// Its id.
    pub id: HandoffId,
    /// Of whom.
    pub lead_id: LeadId,
    /// How far it has come.
    pub state: HandoffState,
    /// The lead's passage that it belongs to.
    pub cycle: i32,
    /// The score when it was made.
    pub score: i32,
    /// Who is to answer.
    pub rep: Option<String>,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
}

impl Handoff {
    /// What the feed is told of it.
    pub fn change(&self, kind: Kind, at: DateTime<Utc>, more: Value) -> Change {
        let mut data = json!({
            "handoff_id": self.id,
            "state": self.state,
            "rep": self.rep,
            "due_at": self.due_at,
            "cycle": self.cycle,
            "score": self.score,
        });
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        Change { lead_id: self.lead_id, kind, at, data }
    }
}

/// Offers a locked lead to sales. It has no open handoff.
pub async fn offer(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    lead: &Lead,
    new: NewHandoff,
) -> sqlx::Result<Handoff> {
    let terms = &context.policy.document.handoff;
    let after = |span: Option<scoring::Span>| span.map(|span| context.now + TimeDelta::microseconds(span.0));
    let handoff = Handoff {
        id: HandoffId(context.ids.next()),
        lead_id: lead.id,
        state: HandoffState::Open,
        cycle: lead.cycle,
        score: published(new.score),
        rep: new.rep.clone(),
        due_at: after(terms.sla),
    };
    store::insert_handoff(conn, &handoff, &new, context.now, after(terms.expires_after)).await?;
    let change = handoff.change(Kind::HandoffOffered, context.now, json!({"by": new.by}));
    outbox::publish(conn, context.ids, &[change]).await?;
    Ok(handoff)
}

/// How an open handoff ends, or an accepted one goes back.
#[derive(Debug, Clone)]
pub struct End<'a> {
    /// How.
    pub state: HandoffState,
    /// Who says so; none: the rules.
    pub by: Option<&'a str>,
    /// Who has the lead from now on, if it is accepted.
    pub rep: Option<&'a str>,
    /// A code, or what took it back.
    pub reason: Option<&'a str>,
    /// In words.
    pub note: Option<&'a str>,
    /// Until when at least the lead is to be left alone.
    pub recycle_until: Option<DateTime<Utc>>,
    /// The handoff that goes on.
    pub merged_into: Option<HandoffId>,
}

impl<'a> End<'a> {
    /// The rules end it, for a reason.
    pub fn ruled(state: HandoffState, reason: Option<&'a str>) -> End<'a> {
        End { state, by: None, rep: None, reason, note: None, recycle_until: None, merged_into: None }
    }
}

/// Ends the handoff of a locked lead, and says so in the feed.
pub async fn end(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    handoff: &Handoff,
    end: &End<'_>,
) -> sqlx::Result<()> {
    store::end_handoff(conn, handoff.id, end, context.now).await?;
    let ended = Handoff {
        state: end.state,
        rep: end.rep.map(str::to_owned).or_else(|| handoff.rep.clone()),
        ..handoff.clone()
    };
    let mut more = json!({"by": end.by, "reason": end.reason, "until": end.recycle_until});
    if let Some(handoff) = end.merged_into {
        more["merged_into"] = json!(handoff);
    }
    let change = ended.change(end.state.kind(), context.now, more);
    outbox::publish(conn, context.ids, &[change]).await
}

/// Gives the heir what was recorded of leads that turned out to be it. One handoff stays open; another ends and says
/// which one goes on.
pub async fn inherit(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    gone: &[(LeadId, LeadId)],
) -> sqlx::Result<()> {
    for (from, into) in gone {
        let open = store::open_handoffs(conn, &[*from, *into]).await?;
        let of = |lead: &LeadId| open.iter().find(|handoff| handoff.lead_id == *lead);
        if let (Some(theirs), Some(ours)) = (of(from), of(into)) {
            let merged =
                End { merged_into: Some(ours.id), ..End::ruled(HandoffState::Merged, Some("merge")) };
            end(conn, context, theirs, &merged).await?;
        }
        store::inherit(conn, *from, *into).await?;
    }
    Ok(())
}

/// Opens the handoff of a ripe lead again that a merge with another had ended, if there is one.
pub async fn reopen(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    lead: &Lead,
    other: LeadId,
    merged_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if lead.stage() == Stage::Mql
        && let Some(handoff) = store::reopen(conn, lead.id, other, merged_at).await?
    {
        let change =
            handoff.change(Kind::HandoffOffered, context.now, json!({"by": null, "reason": "unmerge"}));
        outbox::publish(conn, context.ids, &[change]).await?;
    }
    Ok(())
}

/// Puts a handoff back to the state in which a model found it that is rolled back: open, accepted by the policy, or withdrawn.
/// While a handoff was withdrawn nobody could answer it: its clock stood still.
pub async fn put_handoff_back(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    id: HandoffId,
    state: HandoffState,
) -> sqlx::Result<()> {
    let reason = match state {
        HandoffState::Open => None,
        HandoffState::Accepted => Some("policy"),
        _ => Some("rollback"),
    };
    if let Some(handoff) = store::put_back(conn, id, state, reason, context.now).await? {
        let change = handoff.change(state.kind(), context.now, json!({"by": null, "reason": "rollback"}));
        outbox::publish(conn, context.ids, &[change]).await?;
    }
    Ok(())
}
