//! A lead as readers see it.

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
    /// The lead.
    pub id: LeadId,
    /// What the customer's own system calls it.
    pub user_id: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Where it stands.
    pub stage: Stage,
    /// What made it an MQL, while it is one.
    pub qualified_by: Option<MqlBy>,
    /// How many passages into `mql` it has begun.
    pub cycle: i32,
    /// The score, 0 to 100 unless the model says otherwise.
    pub score: i32,
    /// Before the score's own bounds.
    pub raw: i64,
    /// Who it is.
    pub fit: i64,
    /// What it did.
    pub engagement: i64,
    /// Such as `A1`: the grades of fit and engagement.
    pub grade: String,
    /// Such as `hot`.
    pub band: String,
    /// When the score changes if nothing happens.
    pub next_change_at: Option<DateTime<Utc>>,
    /// The version of the model by which it is scored.
    pub model_version: ModelId,
    /// Its attributes.
    pub profile: Map<String, Value>,
    /// Whether it may be contacted.
    pub consent: Consent,
    /// When the person last did something.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When the person first did something: the earliest of the events that count, also of those that came late. Null:
    /// there is no such event.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When the lead came here.
    pub created_at: DateTime<Utc>,
    /// When its score, stage, attributes or identities last changed; activity alone does not count.
    pub updated_at: DateTime<Utc>,
}

/// Whether a person may be contacted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Consent {
    /// The person asked not to be contacted, and has not asked for contact since.
    pub do_not_contact: bool,
    /// What was last said of single channels, the most restrictive of the lead's identities; those of which nothing was
    /// said are left out.
    #[schema(value_type = std::collections::HashMap<String, Word>)]
    pub channels: Channels,
}

/// A lead as a statement of this room returns it.
#[derive(Debug)]
pub(crate) struct LeadRow {
    /// Its id.
    pub id: LeadId,
    pub(crate) user_id: Option<String>,
    /// Its own addresses before those that came by a merge.
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
    /// The address that the lead shows: the one in its attributes, if it is among its own, else the first.
    fn email(&mut self, profile: &Map<String, Value>) -> Option<String> {
        let mut emails = self.emails.take()?;
        let said = profile.get("email").and_then(Value::as_str);
        let said = said.and_then(|said| Identity::parse(Kind::Email, said).ok());
        let place = said.and_then(|said| emails.iter().position(|email| email == said.value()));
        (!emails.is_empty()).then(|| emails.swap_remove(place.unwrap_or(0)))
    }

    /// The state that its score is computed from.
    pub(crate) fn tally(&self) -> &[u8] {
        &self.tally
    }
}

/// Leads as readers see them, in the order in which they are given. Attributes that cannot be read come from the log.
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

/// Who a lead is, and how it stands: the columns that every reading of leads has. The user id shown is one that
/// is no former id of another; the e-mail is the one in the profile, if it is among the lead's own.
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

/// One lead under a model; none if there is no such lead. Follows the signposts of leads that were merged.
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
