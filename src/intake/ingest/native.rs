//! Our own shape of an event.

use chrono::{DateTime, Utc};
use scoring::event_type;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    event::{Found, check_id, check_kind, parse_time},
    rejection::Rejection,
};
use crate::leads::identity::{Given, Kind, Named};

/// What `/v1/events` takes: an event, or several.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "documents what is split by hand, so that a bad event takes no neighbour with it"
)]
pub(super) enum EventOrEvents {
    /// An event.
    One(Box<EventDocument>),
    /// At most 10 000 events.
    Many(Vec<EventDocument>),
}

/// An event as it is sent to `/v1/events`.
#[derive(ToSchema)]
#[schema(as = NewEvent)]
#[expect(dead_code, reason = "documents what `parse` reads by hand, so that each mistake has its own code")]
pub(super) struct EventDocument {
    /// The sender's own id: the same id for the same lead again is a repetition, for ever. None: one is made.
    id: Option<String>,
    /// What happened, in `snake_case`, in any script; `identify` joins the identities named. Spellings that differ only in
    /// how a character is encoded are one type, which is kept in NFKC.
    #[schema(example = "page_viewed")]
    r#type: String,
    /// When it happened, by the sender's clock; none: now.
    occurred_at: Option<DateTime<Utc>>,
    /// When it was sent, by the sender's clock, which is corrected by it.
    sent_at: Option<DateTime<Utc>>,
    /// Whom it is about.
    lead: LeadDocument,
    /// What is particular to the type.
    properties: Option<Map<String, Value>>,
    /// What it says of the person; null removes an attribute. What is derived from it stands under `derived`, which cannot
    /// be sent.
    traits: Option<Map<String, Value>>,
    /// Circumstances, such as `user_agent`, `ip`.
    context: Option<Map<String, Value>>,
}

/// Whom an event is about: at least one of the three.
#[derive(ToSchema)]
#[schema(as = NewEventLead)]
#[expect(dead_code, reason = "documents what `parse` reads by hand")]
pub(super) struct LeadDocument {
    /// What the sender's own system calls the person.
    user_id: Option<String>,
    /// A browser or device.
    anonymous_id: Option<String>,
    /// An e-mail address.
    email: Option<String>,
}

const FIELDS: [&str; 8] = ["id", "type", "occurred_at", "sent_at", "lead", "properties", "traits", "context"];

/// Reads an event in our own shape; a field that it does not know is refused by name.
pub(crate) fn parse(mut item: Map<String, Value>) -> Result<Found, Rejection> {
    if let Some(unknown) = item.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Rejection::new(
            "unknown_field",
            format!("`{unknown}` is no field of an event; those are {}", FIELDS.join(", ")),
        ));
    }
    let kind = text(&mut item, "type", "invalid_event_type")?
        .ok_or_else(|| Rejection::new("missing_type", "an event has a `type`"))?;
    let kind = event_type::form(&kind).into_owned();
    check_kind(&kind)?;
    let id = text(&mut item, "id", "invalid_id")?;
    id.as_deref().map_or(Ok(()), check_id)?;
    let mut time = |field: &str| {
        let text = text(&mut item, field, "invalid_time")?;
        text.map(|text| parse_time(field, &text)).transpose()
    };
    let original_at = time("occurred_at")?;
    let sent_at = time("sent_at")?;
    let named = named(&mut item, &kind)?;
    Ok(Found {
        id,
        kind,
        name: None,
        named,
        original_at,
        sent_at,
        corrected: false,
        properties: object(&mut item, "properties", "invalid_properties")?.unwrap_or_default(),
        traits: object(&mut item, "traits", "invalid_traits")?,
        context: object(&mut item, "context", "invalid_context")?,
        hint: None,
    })
}

fn named(item: &mut Map<String, Value>, kind: &str) -> Result<Named, Rejection> {
    let mut lead = object(item, "lead", "invalid_lead")?.unwrap_or_default();
    let mut given = Given::default();
    let mut identity = |field: &'static str, kind: Kind, code: &'static str| {
        let Some(text) = text(&mut lead, field, code)? else { return Ok(None) };
        given.read(kind, &text).map_err(|why| Rejection::new(code, format!("`lead.{field}`: {why}")))
    };
    let user_id = identity("user_id", Kind::UserId, "invalid_user_id")?;
    let email = identity("email", Kind::Email, "invalid_email")?;
    let anonymous_id = identity("anonymous_id", Kind::AnonymousId, "invalid_anonymous_id")?;
    if let Some(unknown) = lead.keys().next() {
        return Err(Rejection::new(
            "unknown_field",
            format!(
                "`lead.{unknown}` is not a field; a lead is named by `user_id`, `email` and `anonymous_id`"
            ),
        ));
    }
    let set_aside = given.set_aside();
    let Some(named) = Named::by(kind, user_id, email, anonymous_id) else {
        let detail = "`lead` names at least one of `user_id`, `email` and `anonymous_id`";
        let missing = || Rejection::new("missing_identity", detail);
        return Err(set_aside.first().map_or_else(missing, |kind| Rejection::placeholder(*kind)));
    };
    Ok(named.beside(set_aside))
}

fn text(item: &mut Map<String, Value>, field: &str, code: &'static str) -> Result<Option<String>, Rejection> {
    match item.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Rejection::new(code, format!("`{field}` is text"))),
    }
}

fn object(
    item: &mut Map<String, Value>,
    field: &str,
    code: &'static str,
) -> Result<Option<Map<String, Value>>, Rejection> {
    match item.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Rejection::new(code, format!("`{field}` is an object"))),
    }
}
