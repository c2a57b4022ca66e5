//! What is said of a lead, from a body to an event.

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

/// A lead as another system knows it: named by `user_id`, by `email`, or by both, which joins the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LeadBody {
    /// What the other system calls the person: the lead's external id.
    user_id: Option<String>,
    /// An e-mail address. Beside a user id it becomes the one that the lead shows.
    email: Option<String>,
    /// Attributes to set; null removes one, and those not named stay.
    #[serde(default)]
    traits: Map<String, Value>,
    /// When it became so; now if absent. Of each attribute the newest date wins.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    occurred_at: Option<String>,
    /// Which system says so, for the log; the key's name if absent.
    source: Option<String>,
}

/// What has changed of a lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TraitsBody {
    /// Attributes to set; null removes one, and those not named stay.
    traits: Map<String, Value>,
    /// When it became so; now if absent. Of each attribute the newest date wins.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    occurred_at: Option<String>,
    /// Which system says so, for the log; the key's name if absent.
    source: Option<String>,
}

/// Who says it, when, and under which id.
pub(super) struct Caller<'a> {
    pub(super) intake: &'a Intake,
    pub(super) key: &'a Key,
    /// The event's id, by which a repetition is known; none: a new one.
    pub(super) id: Option<String>,
}

impl LeadBody {
    /// The event that says this of whom it names, which must be the one that the path names.
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
                    mistakes.add(&pointer, "contradiction", "the path names another; leave this one out");
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
                "send the address as `email`, by which the lead is found",
            );
        } else if let (Some(_), Some(email)) = (&user_id, &email) {
            traits.insert("email".to_owned(), json!(email.value()));
        }
        let said = Said { traits, occurred_at, source };
        let Some(named) = Named::new(user_id, email, None, true) else {
            mistakes.refuse()?;
            return Err(mistake("", "missing_identity", "a lead is named by `user_id`, `email` or both"));
        };
        said.event(caller, named, mistakes)
    }
}

impl TraitsBody {
    /// The event that says this of the lead that is named.
    pub(super) fn event(self, caller: Caller<'_>, named: Named) -> Result<NewEvent, Problem> {
        let TraitsBody { traits, occurred_at, source } = self;
        let mut mistakes = Mistakes::default();
        if traits.contains_key("email") {
            let message =
                "send the address as `email` to /v1/leads/by/external_id/…, by which the lead is then found";
            mistakes.add("/traits/email", "no_trait", message);
        }
        if named.principal().kind() == Kind::AnonymousId && occurred_at.is_some() {
            let message = "attributes of an anonymous device hold from now on; leave `occurred_at` out";
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
            mistakes.add("/traits", "too_large", format!("attributes have at most {LARGEST_ITEM} bytes"));
        }
        mistakes.refuse()?;
        let Value::Object(traits) = traits else {
            return Err(Problem::invalid("/traits: an object.", vec![]));
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

/// What the writers refuse, as an answer to a call about one lead.
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

fn sentence(detail: &str) -> String {
    let mut rest = detail.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    first.chain(rest).chain(['.']).collect()
}
