//! The bodies of upserts, and the events that are made of them.

use scoring::Mistake;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::{Code, Problem},
        said::{Mistakes, Texts, mistake},
    },
    intake::ingest::{
        Intake, Rejection,
        event::{Arrival, Found, NewEvent, parse_time},
        items::{DEEPEST, LARGEST_ITEM},
    },
    keys::Key,
    leads::{
        api::By,
        identity::{Identity, Kind, Named},
    },
    platform::json,
};

/// A lead as another system knows it. It is named by `user_id`, by `email`, or by both. Naming both joins
/// them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LeadBody {
    /// The person's id in the other system: the lead's user id.
    user_id: Option<String>,
    /// The person's e-mail address. With a user id, it also becomes the attribute `email`.
    email: Option<String>,
    /// Attributes to set. Null removes an attribute. Attributes that are not named stay as they are.
    #[serde(default)]
    traits: Map<String, Value>,
    /// When these facts became true. If absent, now. For each attribute, the newest date wins.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    occurred_at: Option<String>,
    /// The system that says so, for the log, 1 to 200 characters. If absent, the key's name.
    source: Option<String>,
}

/// Changed attributes of a lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TraitsBody {
    /// Attributes to set. Null removes an attribute. Attributes that are not named stay as they are.
    traits: Map<String, Value>,
    /// When these facts became true. If absent, now. For each attribute, the newest date wins.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    occurred_at: Option<String>,
    /// The system that says so, for the log, 1 to 200 characters. If absent, the key's name.
    source: Option<String>,
}

/// Who calls, and the id for the event.
pub(super) struct Caller<'a> {
    pub(super) intake: &'a Intake,
    pub(super) key: &'a Key,
    /// The id of the event, by which a repetition is recognised. `None`: a new id is made.
    pub(super) id: Option<String>,
}

impl LeadBody {
    /// Makes the event of this body. The body must not name another lead than the path does.
    pub(super) fn event(
        self,
        caller: Caller<'_>,
        path: Option<&(By, Identity)>,
    ) -> Result<NewEvent, Problem> {
        let LeadBody { user_id, email, mut traits, occurred_at, source } = self;
        let mut mistakes = Mistakes::default();
        let mut identity = |by: By, name: &str, kind: Kind, text: Option<String>| {
            let keyed = path.filter(|(path, _)| *path == by).map(|(_, keyed)| keyed.clone());
            let Some(text) = text else { return keyed };
            let pointer = format!("/{name}");
            match (Identity::of_somebody(kind, &text), keyed) {
                (Err(why), _) => {
                    let code = if by == By::Email { "invalid_email" } else { "invalid_user_id" };
                    mistakes.add(&pointer, code, why.to_string());
                }
                (Ok(said), Some(keyed)) if said != keyed => {
                    mistakes.add(
                        &pointer,
                        "contradiction",
                        "the path names another lead; leave this field out",
                    );
                }
                (Ok(said), _) => return Some(said),
            }
            None
        };
        let user_id = identity(By::ExternalId, "user_id", Kind::UserId, user_id);
        let email = identity(By::Email, "email", Kind::Email, email);
        if traits.contains_key("email") {
            mistakes.add(
                "/traits/email",
                "no_trait",
                "send the address as the field `email`, so that the lead is found by it",
            );
        } else if let (Some(_), Some(email)) = (&user_id, &email) {
            traits.insert("email".to_owned(), json!(email.value()));
        }
        let said = Said { traits, occurred_at, source };
        let Some(named) = Named::new(user_id, email, None, true) else {
            mistakes.refuse()?;
            return Err(mistake("", "missing_identity", "name the lead by `user_id`, `email` or both"));
        };
        said.event(caller, named, mistakes)
    }
}

impl TraitsBody {
    /// Makes the event of this body, about the named lead.
    pub(super) fn event(self, caller: Caller<'_>, named: Named) -> Result<NewEvent, Problem> {
        let TraitsBody { traits, occurred_at, source } = self;
        let mut mistakes = Mistakes::default();
        if traits.contains_key("email") {
            let message = "send the address as the field `email` to /v1/leads/by/external_id/…, so that the lead is found by it";
            mistakes.add("/traits/email", "no_trait", message);
        }
        if named.principal().kind() == Kind::AnonymousId && occurred_at.is_some() {
            let message = "attributes of an anonymous lead hold from now on; leave `occurred_at` out";
            mistakes.add("/occurred_at", "no_date", message);
        }
        Said { traits, occurred_at, source }.event(caller, named, mistakes)
    }
}

struct Said {
    traits: Map<String, Value>,
    occurred_at: Option<String>,
    source: Option<String>,
}

impl Said {
    fn event(self, caller: Caller<'_>, named: Named, mut mistakes: Mistakes) -> Result<NewEvent, Problem> {
        let source = mistakes.name("/source", self.source.as_deref(), &caller.key.name);
        let original_at = self.occurred_at.and_then(|text| {
            parse_time("occurred_at", &text)
                .map_err(|why| mistakes.add("/occurred_at", why.code, why.detail))
                .ok()
        });
        let mut traits = Value::Object(self.traits);
        if let Err(why) = json::storable(&mut traits, DEEPEST) {
            let why = Rejection::from(why);
            mistakes.add("/traits", why.code, why.detail);
        }
        if traits.to_string().len() > LARGEST_ITEM {
            mistakes.add("/traits", "too_large", format!("attributes may have at most {LARGEST_ITEM} bytes"));
        }
        mistakes.refuse()?;
        let Value::Object(traits) = traits else {
            return Err(Problem::invalid("/traits: write an object.", vec![]));
        };
        let found = Found {
            id: caller.id,
            kind: "identify".to_owned(),
            name: None,
            named,
            original_at,
            sent_at: None,
            corrected: true,
            properties: Map::new(),
            traits: Some(traits).filter(|traits| !traits.is_empty()),
            context: Some(Map::from_iter([("source".to_owned(), json!(source))])),
            hint: None,
        };
        let arrival = Arrival { at: caller.intake.clock.now(), api_key: Some(caller.key.id) };
        found
            .into_event(arrival, || caller.intake.ids.next().to_string())
            .map_err(|why| mistake("/occurred_at", why.code, why.detail))
    }
}

/// Turns the rejection of an upsert into the problem of a call about one lead.
pub(super) fn problem(why: Rejection) -> Problem {
    let message = sentence(&why.detail);
    match why.code {
        "precondition_failed" => Problem::new(Code::PreconditionFailed, message),
        "id_conflict" => Problem::new(Code::Conflict, message),
        "identity_conflict" => {
            Problem::new(Code::Conflict, message).listing(vec![Mistake::new("/email", why.code, why.detail)])
        }
        _ => Problem::invalid(message, Vec::new()),
    }
}

/// Turns a detail into a sentence: with a capital letter and a full stop.
fn sentence(detail: &str) -> String {
    let mut rest = detail.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    first.chain(rest).chain(['.']).collect()
}
