//! Parsing Segment's messages into events.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::{envelope::Envelope, names, place};
use crate::{
    intake::ingest::{
        Rejection,
        event::{Found, check_id, check_kind, parse_time},
        items,
    },
    leads::identity::{Given, Identity, Kind, Named},
    platform::spelling,
};

/// The calls of the tracking API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Identify,
    Track,
    Page,
    Screen,
    Group,
    Alias,
}

impl Call {
    /// Returns the call that the last part of a path or the `type` of a message names.
    pub(super) fn named(name: &str) -> Option<Call> {
        Some(match name {
            "identify" | "i" => Call::Identify,
            "track" | "t" => Call::Track,
            "page" | "p" => Call::Page,
            "screen" | "s" => Call::Screen,
            "group" | "g" => Call::Group,
            "alias" | "a" => Call::Alias,
            _ => return None,
        })
    }
}

/// Names of Segment's specification whose types here differ by more than spelling.
const KNOWN_NAMES: [(&str, &str); 3] = [
    ("email_link_clicked", "email_clicked"),
    ("email_marked_as_spam", "email_complained"),
    ("unsubscribed", "email_unsubscribed"),
];

/// The `type` of a message that asks to erase a person.
const DELETE: &str = "delete";
/// The code of a rejected `delete` that is not signed or names no user id.
pub(super) const UNSIGNED_DELETE: &str = "unsigned_delete";

/// The fields that contain ids. Some programs send numbers in them.
const IDS: [&str; 6] = ["userId", "anonymousId", "previousId", "previousID", "groupId", "messageId"];

/// Parses a message. Ids keep every digit: a large number is read as it is written, and not as a float.
pub(super) fn message(raw: &str) -> Result<Map<String, Value>, Rejection> {
    let mut message = match items::object(raw) {
        // An id may be a number that is too large for a float. Then its digits are read as text.
        Err(unread) if unread.code == "invalid_json" => {
            items::object(&with_ids_as_text(raw).ok_or(unread)??)?
        }
        read => read?,
    };
    let is_number = |field: &&str| message.get(*field).is_some_and(Value::is_number);
    let numbers: Vec<&str> = IDS.into_iter().filter(is_number).collect();
    if numbers.is_empty() {
        return Ok(message);
    }
    let written: HashMap<String, &RawValue> =
        serde_json::from_str(raw).map_err(|error| Rejection::new("invalid_json", error.to_string()))?;
    for field in numbers {
        let number = written.get(field).map_or("", |number| number.get());
        message.insert(field.to_owned(), Value::String(digits(field, number)?));
    }
    Ok(message)
}

/// Turns every numeric id of a message into a text of its digits. `None` if the message is not a JSON object.
fn with_ids_as_text(raw: &str) -> Option<Result<String, Rejection>> {
    let mut written: BTreeMap<String, Box<RawValue>> = serde_json::from_str(raw).ok()?;
    for field in IDS {
        let Some(value) = written.get_mut(field) else { continue };
        if value.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            match digits(field, value.get()) {
                Ok(digits) => *value = to_raw_value(&digits).ok()?,
                Err(rejection) => return Some(Err(rejection)),
            }
        }
    }
    serde_json::to_string(&written).ok().map(Ok)
}

/// The digits of a numeric id.
fn digits(field: &str, number: &str) -> Result<String, Rejection> {
    let detail = || format!("`{field}` is a number with too many digits; send it as text");
    spelling::number(number).ok_or_else(|| Rejection::new("invalid_number", detail()))
}

/// Returns the user id that a `delete` message asks to erase. `None` for other messages, and if it names no
/// user id.
pub(super) fn deletion(raw: &str) -> Option<Identity> {
    let mut message = message(raw).ok()?;
    let user = text(&mut message, "userId")?;
    (message.get("type")? == DELETE).then(|| Identity::of_somebody(Kind::UserId, &user).ok())?
}

/// Makes an event of a message. `call` is the call that the path names. In a batch, each message names its
/// call in `type`.
pub(super) fn parse(
    call: Option<Call>,
    envelope: &Envelope,
    mut message: Map<String, Value>,
) -> Result<Found, Rejection> {
    if message.get("type").is_some_and(|kind| kind == DELETE) {
        let detail = "a `delete` must name a `userId` and be signed; make a key with a `signing_secret` for the sender";
        return Err(Rejection::new(UNSIGNED_DELETE, detail));
    }
    let call = call.or_else(|| Call::named(message.get("type")?.as_str()?)).ok_or_else(|| {
        Rejection::new("unknown_type", "`type` must be one of identify, track, page, screen, group and alias")
    })?;
    let mut context = object(&mut message, "context").unwrap_or_default();
    for (name, value) in &envelope.context {
        context.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let id = text(&mut message, "messageId");
    id.as_deref().map_or(Ok(()), check_id)?;
    // If both are there, `timestamp` counts, because it was set on purpose: by the caller of a RudderStack
    // SDK, or by a sender that corrected the clock.
    let original = text(&mut message, "timestamp").or(text(&mut message, "originalTimestamp"));
    let sent = text(&mut message, "sentAt").or_else(|| envelope.sent_at.clone());
    let corrected = text(&mut message, "receivedAt").is_some();
    let said = content(call, &mut message, &context)?;
    let named = named(call, &mut message, &said, &context)?;
    let mut found = Found {
        id,
        kind: said.kind,
        name: said.name,
        named,
        original_at: original.map(|text| parse_time("timestamp", &text)).transpose()?,
        // A time of sending that cannot be parsed is ignored.
        sent_at: sent.and_then(|text| parse_time("sentAt", &text).ok()),
        corrected,
        properties: said.properties,
        traits: said.traits.filter(|_| matches!(call, Call::Identify | Call::Group)),
        context: Some(context).filter(|context| !context.is_empty()),
        hint: None,
    };
    // Without an id, the digest of the content is the id, so a repetition is recognised.
    if found.id.is_none() {
        found.id = Some(URL_SAFE_NO_PAD.encode(found.said()));
    }
    Ok(found)
}

/// The content of a message.
struct Content {
    kind: String,
    name: Option<String>,
    properties: Map<String, Value>,
    traits: Option<Map<String, Value>>,
}

/// Reads the content of a message, by its call.
fn content(
    call: Call,
    message: &mut Map<String, Value>,
    context: &Map<String, Value>,
) -> Result<Content, Rejection> {
    let properties = object(message, "properties").unwrap_or_default();
    // Some SDKs repeat the traits of identify in the context of every message, and some send them only there.
    // They are about the person, never about a group.
    let of_person = context.get("traits").and_then(Value::as_object).filter(|_| call != Call::Group);
    let mut traits = of_person.cloned().unwrap_or_default();
    traits.extend(object(message, "traits").unwrap_or_default());
    let (kind, name, properties) = match call {
        Call::Identify => ("identify".to_owned(), None, Map::new()),
        Call::Alias => ("alias".to_owned(), None, Map::new()),
        Call::Group => {
            let group = text(message, "groupId");
            let about = traits.get("name").and_then(Value::as_str).map(str::to_owned);
            traits = company(group.clone(), traits);
            (
                "group".to_owned(),
                about,
                group.map(|id| ("group_id".to_owned(), json!(id))).into_iter().collect(),
            )
        }
        Call::Page | Call::Screen => {
            let kind = if call == Call::Page { "page_viewed" } else { "screen_viewed" };
            // Jitsu's SDK sends the name as a property.
            let name = text(message, "name").or_else(|| Some(properties.get("name")?.as_str()?.to_owned()));
            (kind.to_owned(), name.clone(), seen(name, text(message, "category"), properties, context))
        }
        Call::Track => {
            let name = text(message, "event")
                .ok_or_else(|| Rejection::new("missing_event", "a track call must have an `event`"))?;
            let kind = kind_of(&name)?;
            let properties = of_mail(&kind, properties);
            (kind.clone(), Some(name).filter(|name| *name != kind), properties)
        }
    };
    Ok(Content { kind, name, properties, traits: Some(traits).filter(|traits| !traits.is_empty()) })
}

/// Returns the type for the name of a track call.
fn kind_of(name: &str) -> Result<String, Rejection> {
    let snake = names::snake_case(name);
    let kind =
        KNOWN_NAMES.iter().find(|(theirs, _)| *theirs == snake).map_or(snake, |(_, ours)| (*ours).to_owned());
    if !scoring::is_activity(&kind) {
        let detail = format!("`{name}` is the name of a call and cannot be the name of an event");
        return Err(Rejection::new("reserved_event_type", detail));
    }
    check_kind(&kind)?;
    Ok(kind)
}

/// Adds the service's names of the link and the mail id to the properties of a mail's event.
fn of_mail(kind: &str, mut properties: Map<String, Value>) -> Map<String, Value> {
    for (theirs, ours) in [("link_url", "url"), ("email_id", "message_id")] {
        if let Some(value) = properties.get(theirs).filter(|_| kind.starts_with("email_")).cloned() {
            properties.entry(ours).or_insert(value);
        }
    }
    properties
}

/// The properties of a page or screen call. What is missing is taken from the context and the URL.
fn seen(
    name: Option<String>,
    category: Option<String>,
    mut properties: Map<String, Value>,
    context: &Map<String, Value>,
) -> Map<String, Value> {
    let mut add = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.entry(field).or_insert(value);
        }
    };
    add("name", name.map(Value::String));
    add("category", category.map(Value::String));
    let page = context.get("page").and_then(Value::as_object);
    for field in ["url", "path", "title", "referrer", "search"] {
        add(field, page.and_then(|page| page.get(field)).filter(|value| !value.is_null()).cloned());
    }
    let campaign = context.get("campaign").and_then(Value::as_object);
    for (field, value) in campaign.into_iter().flatten() {
        let field = if field == "name" { "campaign" } else { field };
        add(&format!("utm_{field}"), Some(value.clone()));
    }
    let url = properties.get("url").and_then(Value::as_str).map(str::to_owned);
    for (field, value) in url.as_deref().map(place::of_url).unwrap_or_default() {
        properties.entry(field).or_insert(Value::String(value));
    }
    properties
}

/// The traits of a group as the attribute `company`: a group is the company that the person belongs to.
fn company(group: Option<String>, mut traits: Map<String, Value>) -> Map<String, Value> {
    if let Some(id) = group {
        traits.entry("id").or_insert(Value::String(id));
    }
    Map::from_iter([("company".to_owned(), Value::Object(traits))])
}

fn named(
    call: Call,
    message: &mut Map<String, Value>,
    said: &Content,
    context: &Map<String, Value>,
) -> Result<Named, Rejection> {
    let mut given = Given::default();
    let mut identity = |field: &str, kind: Kind, code: &'static str| {
        let Some(text) = text(message, field) else { return Ok(None) };
        given.read(kind, &text).map_err(|why| Rejection::new(code, format!("`{field}`: {why}")))
    };
    let user_id = identity("userId", Kind::UserId, "invalid_user_id")?;
    let anonymous_id = identity("anonymousId", Kind::AnonymousId, "invalid_anonymous_id")?;
    if call == Call::Alias {
        return alias(message, user_id, given);
    }
    // A text that is not a valid address is ignored. The rest of the message still counts.
    let mut address = |traits: Option<&Map<String, Value>>| {
        let text = traits?.get("email")?.as_str()?;
        given.read(Kind::Email, text).ok()?
    };
    let own = said.traits.as_ref().filter(|_| call != Call::Group);
    let in_properties = Some(&said.properties)
        .filter(|_| call == Call::Track && (said.kind.starts_with("email_") || said.kind == "signed_up"));
    let email = address(own)
        .or_else(|| address(context.get("traits").and_then(Value::as_object)))
        .or_else(|| address(in_properties));
    // SDKs repeat the traits of identify in the context of every message. If the identify was lost, this is
    // all that arrives, so these messages join the user id and the address too.
    let repeats = matches!(call, Call::Track | Call::Page | Call::Screen) && !said.kind.starts_with("email_");
    let named = match user_id {
        Some(_) if repeats => Named::new(user_id, email, None, true),
        user_id => Named::by(&said.kind, user_id, email, anonymous_id),
    };
    let set_aside = given.set_aside();
    let Some(named) = named else { return Err(nobody(&set_aside)) };
    Ok(named.beside(set_aside))
}

/// The rejection of a message that names nobody.
fn nobody(set_aside: &[Kind]) -> Rejection {
    let detail = "a message must have a `userId`, an `anonymousId` or an e-mail address";
    let missing = || Rejection::new("missing_identity", detail);
    set_aside.first().map_or_else(missing, |kind| Rejection::placeholder(*kind))
}

/// Reads the identities that an alias joins. The former id may be a user id or an anonymous id, so both are
/// named. A placeholder is refused.
fn alias(
    message: &mut Map<String, Value>,
    user_id: Option<Identity>,
    given: Given,
) -> Result<Named, Rejection> {
    let former = ["previousId", "previousID"].iter().find_map(|field| text(message, field));
    let former =
        former.ok_or_else(|| Rejection::new("missing_previous_id", "an alias must have a `previousId`"))?;
    let user_id = user_id.ok_or_else(|| nobody(&given.set_aside()))?;
    let former = [Kind::UserId, Kind::AnonymousId].map(|kind| Identity::of_somebody(kind, &former));
    let former: Result<Vec<Identity>, _> = former.into_iter().collect();
    let former =
        former.map_err(|why| Rejection::new("invalid_previous_id", format!("`previousId`: {why}")))?;
    if former.contains(&user_id) {
        return Ok(Named::one(user_id));
    }
    Ok(Named::alias(user_id, former))
}

/// Takes a text out of a message. A number counts as text. `None` if the field is null, blank or missing.
fn text(message: &mut Map<String, Value>, field: &str) -> Option<String> {
    match message.remove(field)? {
        Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Takes an object out of a message. `None` if the field is something else.
fn object(message: &mut Map<String, Value>, field: &str) -> Option<Map<String, Value>> {
    match message.remove(field)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}
