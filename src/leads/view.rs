//! The lead as the API returns it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;

use super::{
    Attributes, MqlBy, Stage,
    attributes::read as read_attributes,
    consent::{Channels, Said, Word, of_one},
    identity::{Identity, Kind},
};
use crate::platform::ids::{LeadId, ModelId};

/// A lead with its score. Points other than `score` are in milli-points (1000 = one point).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Lead)]
pub(crate) struct LeadView {
    /// The lead's id.
    pub id: LeadId,
    /// The user id: the id that your own system gives the person.
    pub user_id: Option<String>,
    /// An e-mail address of the lead: the one in its attributes, if it belongs to the lead, else another.
    pub email: Option<String>,
    /// The stage.
    pub stage: Stage,
    /// What made the lead an MQL; null if the stage is not `mql`.
    pub qualified_by: Option<MqlBy>,
    /// How often the lead has become an MQL.
    pub cycle: i32,
    /// The published score in whole points, within the bounds of the model (0 to 100 in every shipped model).
    pub score: i32,
    /// The raw score in milli-points, before the bounds of the score.
    pub raw: i64,
    /// The fit in milli-points: points for who the lead is.
    pub fit: i64,
    /// The engagement in milli-points: points for what the lead does.
    pub engagement: i64,
    /// The grade: the label of fit followed by the label of engagement, such as `A1`.
    pub grade: String,
    /// The band of the score, such as `hot`.
    pub band: String,
    /// The next instant at which the score may change if nothing happens; null if never.
    pub next_change_at: Option<DateTime<Utc>>,
    /// The version of the model by which the lead is scored.
    pub model_version: ModelId,
    /// The attributes of the lead.
    pub profile: Map<String, Value>,
    /// Whether the lead may be contacted.
    pub consent: Consent,
    /// The newest activity that the person did; null if there is none.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// The instant of the earliest event that counts, also if the event came late; null if no event counts.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When the service created the lead.
    pub created_at: DateTime<Utc>,
    /// When the score, stage, attributes, identities or consent last changed. Activity that changes none of
    /// these does not count.
    pub updated_at: DateTime<Utc>,
}

/// Whether a person may be contacted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Consent {
    /// Whether the person must not be contacted on any channel. The person asked for that and has not raised
    /// a hand since.
    pub do_not_contact: bool,
    /// The consent by channel: `email`, `phone`, `sms` or `post`. If the lead's identities differ, the most
    /// restrictive word is shown. Channels that were never mentioned are absent.
    #[schema(value_type = std::collections::HashMap<String, Word>)]
    pub channels: Channels,
}

/// A lead as the statements of this room return it.
#[derive(Debug)]
pub(crate) struct LeadRow {
    /// The lead's id.
    pub id: LeadId,
    pub(crate) user_id: Option<String>,
    /// The e-mail addresses. The lead's own come before those from a merge.
    pub(crate) emails: Option<Vec<String>>,
    pub(crate) stage: Stage,
    pub(crate) qualified_by: Option<MqlBy>,
    pub(crate) cycle: i32,
    pub(crate) score: i32,
    pub(crate) raw: i64,
    pub(crate) fit: i64,
    pub(crate) engagement: i64,
    pub(crate) grade: String,
    pub(crate) band: String,
    pub(crate) next_change_at: Option<DateTime<Utc>>,
    pub(crate) model_id: ModelId,
    pub(crate) attributes: Option<Attributes>,
    pub(crate) do_not_contact: bool,
    pub(crate) words: Option<Json<Vec<Said>>>,
    pub(crate) last_activity_at: Option<DateTime<Utc>>,
    pub(crate) first_seen_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) tally: Vec<u8>,
}

impl LeadRow {
    /// The address that the API shows: the one in the attributes, if it belongs to the lead, else the first.
    fn email(&mut self, profile: &Map<String, Value>) -> Option<String> {
        let mut emails = self.emails.take()?;
        let said = profile.get("email").and_then(Value::as_str);
        let said = said.and_then(|said| Identity::parse(Kind::Email, said).ok());
        let place = said.and_then(|said| emails.iter().position(|email| email == said.value()));
        (!emails.is_empty()).then(|| emails.swap_remove(place.unwrap_or(0)))
    }

    /// The stored tally, from which the score is computed.
    pub(crate) fn tally(&self) -> &[u8] {
        &self.tally
    }
}

/// Turns rows into leads as the API returns them, in the same order. Attributes that cannot be read are
/// computed from the log.
pub(crate) async fn shown(conn: &mut PgConnection, mut rows: Vec<LeadRow>) -> sqlx::Result<Vec<LeadView>> {
    let stored = rows.iter_mut().filter_map(|row| Some((row.id, row.attributes.take()?))).collect();
    let mut known = read_attributes(conn, stored).await?;
    let view = |row: LeadRow| {
        let fold = known.remove(&row.id);
        LeadView::of(row, fold.map(|fold| fold.to_profile()).unwrap_or_default())
    };
    Ok(rows.into_iter().map(view).collect())
}

impl LeadView {
    fn of(mut row: LeadRow, profile: Map<String, Value>) -> LeadView {
        let email = row.email(&profile);
        LeadView {
            id: row.id,
            user_id: row.user_id,
            email,
            stage: row.stage,
            qualified_by: row.qualified_by,
            cycle: row.cycle,
            score: row.score,
            raw: row.raw,
            fit: row.fit,
            engagement: row.engagement,
            grade: row.grade,
            band: row.band,
            next_change_at: row.next_change_at,
            model_version: row.model_id,
            profile,
            consent: Consent {
                do_not_contact: row.do_not_contact,
                channels: of_one(row.words.into_iter().flat_map(|said| said.0)),
            },
            last_activity_at: row.last_activity_at,
            first_seen_at: row.first_seen_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Selects leads with their scores, attributes, names and consent: the columns that all statements on leads
/// share. The user id shown is preferably one that follows no other user id.
macro_rules! lead_rows {
    ([$($rest:tt)+], $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            LeadRow,
            r#"-- leads::lead_rows
            select s.lead_id as "id!: LeadId", s.stage as "stage: Stage", l.mql_by as "qualified_by: MqlBy", l.cycle,
                l.created_at, s.score, s.raw, s.fit, s.engagement, s.grade, s.band, s.next_change_at, s.model_id, s.do_not_contact, s.last_activity_at,
                s.first_seen_at,
                s.updated_at, s.tally, p.attributes as "attributes?: crate::leads::Attributes",
                (
                    select i.value from identity_span own join identity i on i.id = own.identity_id
                    where own.lead_id = s.lead_id and i.kind = 'user_id'
                    order by own.home_lead_id is not null, own.parent_id is not null, i.value limit 1
                ) as user_id,
                (
                    select array_agg(i.value order by own.home_lead_id is not null, i.value)
                    from identity_span own join identity i on i.id = own.identity_id
                    where own.lead_id = s.lead_id and i.kind = 'email'
                ) as emails,
                (
                    select json_agg(json_build_object('identity', c.identity_id, 'channel', c.channel, 'state', c.state, 'since', c.since, 'list', c.list))
                    from identity_span own join consent c on c.identity_id = own.identity_id
                        and c.since >= own.since and (own.until is null or c.since < own.until)
                    where own.lead_id = s.lead_id
                ) as "words: sqlx::types::Json<Vec<crate::leads::consent::Said>>"
            from score s
            join lead l on l.id = s.lead_id
            left join lead_profile p on p.lead_id = s.lead_id
            "# + $($rest)+,
            $($argument),*
        )
    };
}
pub(crate) use lead_rows;

/// Reads one lead under a model, or the lead at the end of its signposts. Returns `None` if there is no such
/// lead.
pub(crate) async fn find(
    conn: &mut PgConnection,
    model: ModelId,
    id: LeadId,
) -> sqlx::Result<Option<LeadRow>> {
    lead_rows!(
        ["where s.model_id = $1 and s.lead_id = (
            select became_id from lead_trail where lead_id = $2 and merged_into is null
        )"],
        model as ModelId,
        id as LeadId,
    )
    .fetch_optional(conn)
    .await
}
