//! The service's own shape of an event.

use chrono::{DateTime, Utc};
use scoring::event_type;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    event::{Found, check_id, check_kind, parse_time},
    rejection::Rejection,
};
use crate::leads::identity::{Given, Kind, Named};

/// The body of `/v1/events`: an event or an array of events.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "documents a body that is split by hand, so that a bad event does not affect the others"
)]
pub(super) enum EventOrEvents {
    /// One event.
    One(Box<EventDocument>),
    /// At most 10 000 events.
    Many(Vec<EventDocument>),
}

/// An event as it is sent to `/v1/events`.
#[derive(ToSchema)]
#[schema(as = NewEvent)]
#[expect(dead_code, reason = "documents what `parse` reads by hand, so that each mistake has its own code")]
pub(super) struct EventDocument {
    /// Your own id of the event, 1 to 512 bytes. An event with the same id for the same lead is a repetition,
    /// for ever. If absent, the service makes an id.
    id: Option<String>,
    /// What happened, in `snake_case` and any script, 1 to 100 bytes. `identify` joins the identities that it
    /// names. Spellings that differ only in how a character is encoded are the same type, which is stored in
    /// NFKC.
    #[schema(example = "page_viewed")]
    r#type: String,
    /// When the event happened, by your clock. If absent, now.
    occurred_at: Option<DateTime<Utc>>,
    /// When the event was sent, by your clock. The service uses it to correct your clock.
    sent_at: Option<DateTime<Utc>>,
    /// The person the event is about.
    lead: LeadDocument,
    /// What the event says about itself.
    properties: Option<Map<String, Value>>,
    /// What the event says about the person. Null removes an attribute. The service adds derived attributes
    /// under `derived`, which cannot be sent.
    traits: Option<Map<String, Value>>,
    /// The circumstances, such as `user_agent` and `ip`.
    context: Option<Map<String, Value>>,
}

/// The person an event is about. At least one of the three is needed.
#[derive(ToSchema)]
#[schema(as = NewEventLead)]
#[expect(dead_code, reason = "documents what `parse` reads by hand")]
pub(super) struct LeadDocument {
    /// The person's id in your own system.
    user_id: Option<String>,
    /// The id of a browser or device.
    anonymous_id: Option<String>,
    /// The person's e-mail address.
    email: Option<String>,
}

const FIELDS: [&str; 8] = ["id", "type", "occurred_at", "sent_at", "lead", "properties", "traits", "context"];

/// Parses an event in the service's own shape. An unknown field is refused, and the message names it.
pub(crate) fn parse(mut item: Map<String, Value>) -> Result<Found, Rejection> {
    if let Some(unknown) = item.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Rejection::new(
            "unknown_field",
            format!("`{unknown}` is not a field of an event; the fields are {}", FIELDS.join(", ")),
        ));
    }
    let kind = text(&mut item, "type", "invalid_event_type")?.ok_or_else(|| {
        Rejection::new("missing_type", "the event has no `type`; add one such as page_viewed")
    })?;
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
            format!("`lead.{unknown}` is not a field of a lead; the fields are user_id, email, anonymous_id"),
        ));
    }
    let set_aside = given.set_aside();
    let Some(named) = Named::by(kind, user_id, email, anonymous_id) else {
        let detail = "`lead` must name at least one of `user_id`, `email` and `anonymous_id`";
        let missing = || Rejection::new("missing_identity", detail);
        return Err(set_aside.first().map_or_else(missing, |kind| Rejection::placeholder(*kind)));
    };
    Ok(named.beside(set_aside))
}

fn text(item: &mut Map<String, Value>, field: &str, code: &'static str) -> Result<Option<String>, Rejection> {
    match item.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Rejection::new(code, format!("`{field}` must be text"))),
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
        Some(_) => Err(Rejection::new(code, format!("`{field}` must be an object"))),
    }
}
