//! Identities, and the fold of the facts that join them.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::placeholder;
use crate::platform::{
    ids::{IdentityId, hashed},
    spelling,
};

/// The most bytes of a user id or anonymous id.
pub const LONGEST_ID: usize = 512;
/// The most bytes of an e-mail address (RFC 5321).
pub const LONGEST_EMAIL: usize = 254;

/// The three kinds of identity, the weakest first. A weaker identity follows a stronger one, never the other
/// way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// The id of a browser or device whose user is not known yet.
    AnonymousId,
    /// An e-mail address, in lower case, with its domain in ASCII.
    Email,
    /// The id that the customer's own system gives the person.
    UserId,
}

impl Kind {
    /// Reads a kind from its `snake_case` word; `None` for any other text.
    pub fn named(word: &str) -> Option<Kind> {
        word.parse().ok()
    }

    /// The kind in `snake_case`, as it is stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One user id, e-mail address or anonymous id, in its normal form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    kind: Kind,
    value: String,
    id: IdentityId,
}

/// Why a text is not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIdentity {
    /// The text is empty, or has only invisible characters.
    #[error("it is empty")]
    Empty,
    /// The text is longer than [`LONGEST_ID`] or [`LONGEST_EMAIL`].
    #[error("it is too long")]
    TooLong,
    /// The text has a control character.
    #[error("it has a control character")]
    ControlCharacter,
    /// The text does not have the form of an e-mail address.
    #[error("it does not read like an e-mail address")]
    NotAnAddress,
    /// The text is a placeholder, such as `undefined`.
    #[error("it is a placeholder and names nobody; leave it out if you do not know who it is")]
    Placeholder,
}

impl Identity {
    /// Reads an identity and brings it into its normal form. The normal form of an id is [`spelling::id`].
    /// The normal form of an address is in lower case with its domain in ASCII, without invisible characters,
    /// without `mailto:` and without a name around it.
    pub fn parse(kind: Kind, text: &str) -> Result<Identity, NotAnIdentity> {
        let longest = if kind == Kind::Email { LONGEST_EMAIL } else { LONGEST_ID };
        // A text this long is too long in any normal form, so do not spend time on it.
        if text.len() > 8 * longest {
            return Err(NotAnIdentity::TooLong);
        }
        let value = if kind == Kind::Email { spelling::plain(text) } else { spelling::id(text) };
        if value.is_empty() {
            return Err(NotAnIdentity::Empty);
        }
        if value.chars().any(char::is_control) {
            return Err(NotAnIdentity::ControlCharacter);
        }
        let value = if kind == Kind::Email { address(&value)? } else { value };
        if value.len() > longest {
            return Err(NotAnIdentity::TooLong);
        }
        Ok(Identity { kind, id: id_of(kind, &value), value })
    }

    /// Reads an identity that names a person.
    ///
    /// # Errors
    /// Those of [`Identity::parse`], and [`NotAnIdentity::Placeholder`] for a placeholder.
    pub fn of_somebody(kind: Kind, text: &str) -> Result<Identity, NotAnIdentity> {
        match Identity::parse(kind, text) {
            Ok(identity) if identity.is_placeholder() => Err(NotAnIdentity::Placeholder),
            // `null` is not an address, but it is a placeholder.
            Err(NotAnIdentity::NotAnAddress) if placeholder::is_id(text) => Err(NotAnIdentity::Placeholder),
            read => read,
        }
    }

    /// Whether the identity is a placeholder.
    pub fn is_placeholder(&self) -> bool {
        match self.kind {
            Kind::Email => placeholder::is_address(&self.value),
            Kind::UserId | Kind::AnonymousId => placeholder::is_id(&self.value),
        }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The value in its normal form.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The id: a hash of kind and value.
    pub fn id(&self) -> IdentityId {
        self.id
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.value)
    }
}

fn id_of(kind: Kind, value: &str) -> IdentityId {
    IdentityId(hashed(&[b"identity", kind.as_str().as_bytes(), value.as_bytes()]))
}

/// The normal form of an address that [`spelling::plain`] has read. A domain that cannot exist on the
/// internet is only put into lower case, because providers report such addresses too.
fn address(text: &str) -> Result<String, NotAnIdentity> {
    let (local, domain) = bare(text).rsplit_once('@').ok_or(NotAnIdentity::NotAnAddress)?;
    let domain =
        spelling::domain(domain).unwrap_or_else(|| spelling::lower(domain).trim_end_matches('.').to_owned());
    let value = format!("{}@{domain}", spelling::lower(local));
    let whole = !local.is_empty()
        && !domain.is_empty()
        && !value.contains(char::is_whitespace)
        && value.matches('@').count() == 1;
    if whole { Ok(value) } else { Err(NotAnIdentity::NotAnAddress) }
}

/// The address in `Name <address>` and in `mailto:address?subject=…`.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let within = text.strip_suffix('>').and_then(|text| Some(text.rsplit_once('<')?.1));
        let linked = text
            .get(..LINK.len())
            .filter(|scheme| scheme.eq_ignore_ascii_case(LINK))
            .map(|_| text[LINK.len()..].split('?').next().unwrap_or_default());
        match within.or(linked) {
            Some(inner) => text = inner.trim(),
            None => return text,
        }
    }
}

/// The scheme of a link to an e-mail address.
const LINK: &str = "mailto:";

/// Reads the identities that an event gives, and sets placeholders aside.
#[derive(Debug, Default)]
pub struct Given {
    set_aside: Vec<Kind>,
}

impl Given {
    /// Reads an identity; `None` if it is a placeholder.
    pub fn read(&mut self, kind: Kind, text: &str) -> Result<Option<Identity>, NotAnIdentity> {
        match Identity::of_somebody(kind, text) {
            Err(NotAnIdentity::Placeholder) => {
                if !self.set_aside.contains(&kind) {
                    self.set_aside.push(kind);
                }
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// The kinds that were placeholders, in the order in which they were read.
    pub fn set_aside(self) -> Vec<Kind> {
        self.set_aside
    }
}

/// The identities that one event names: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    principal: Identity,
    links: Vec<(Identity, Identity)>,
    /// The e-mail address that the event names, also if it is in no link.
    email: Option<String>,
    creates: bool,
    /// The kinds of identities that were placeholders.
    set_aside: Vec<Kind>,
}

impl Named {
    /// Orders the identities that an event names. The strongest is the *principal*: the event hangs on it. If
    /// the event `joins` (an identify), the other identities follow the principal from then on. `None` if no
    /// identity is given.
    pub fn new(
        user_id: Option<Identity>,
        email: Option<Identity>,
        anonymous_id: Option<Identity>,
        joins: bool,
    ) -> Option<Named> {
        let address = email.as_ref().map(|email| email.value.clone());
        let mut strongest_first = [user_id, email, anonymous_id].into_iter().flatten();
        let principal = strongest_first.next()?;
        let follows = |weaker| (weaker, principal.clone());
        let links = if joins { strongest_first.map(follows).collect() } else { Vec::new() };
        Some(Named { principal, links, email: address, creates: true, set_aside: Vec::new() })
    }

    /// Orders the identities that an event of this type names. An `identify` joins all of them. An event
    /// about a mail hangs on the e-mail address.
    pub fn by(
        kind: &str,
        user_id: Option<Identity>,
        email: Option<Identity>,
        anonymous_id: Option<Identity>,
    ) -> Option<Named> {
        match email {
            Some(email) if kind.starts_with("email_") => Some(Named::of_mail(email, user_id)),
            email => Named::new(user_id, email, anonymous_id, kind == "identify"),
        }
    }

    /// A single identity.
    pub fn one(identity: Identity) -> Named {
        let email = Some(&identity).filter(|one| one.kind == Kind::Email).map(|one| one.value.clone());
        Named { principal: identity, links: Vec::new(), email, creates: true, set_aside: Vec::new() }
    }

    /// A single identity that is named only in passing. If the identity has no lead, none is made, and the
    /// event waits in the log until an event names the identity in another way.
    pub fn in_passing(identity: Identity) -> Named {
        Named { creates: false, ..Named::one(identity) }
    }

    /// The identities of an event about a mail. The event hangs on the address, and the address follows the
    /// user id, if one is given.
    fn of_mail(email: Identity, user_id: Option<Identity>) -> Named {
        let links = user_id.into_iter().map(|user| (email.clone(), user)).collect();
        Named { links, ..Named::one(email) }
    }

    /// An alias: everything known under the former ids belongs to `user_id`. A former id may be a device's id
    /// instead of a user id. So as a user id it is joined only once somebody is known by it.
    pub fn alias(user_id: Identity, former: impl IntoIterator<Item = Identity>) -> Named {
        let former = former.into_iter().filter(|one| *one != user_id);
        let links = former.map(|one| (one, user_id.clone())).collect();
        Named { principal: user_id, links, email: None, creates: true, set_aside: Vec::new() }
    }

    /// The same identities, with a note that the event also had placeholders of these kinds.
    #[must_use]
    pub fn beside(self, set_aside: Vec<Kind>) -> Named {
        Named { set_aside, ..self }
    }

    /// The kinds for which the event had a placeholder.
    pub fn set_aside(&self) -> &[Kind] {
        &self.set_aside
    }

    /// The identity that the event hangs on.
    pub fn principal(&self) -> &Identity {
        &self.principal
    }

    /// The links: pairs of an identity and the identity that it follows.
    pub fn links(&self) -> &[(Identity, Identity)] {
        &self.links
    }

    /// Whether the event makes leads of identities that have none; false if they are named only in passing.
    pub fn creates(&self) -> bool {
        self.creates
    }

    /// The e-mail address that the event names, if any, also if the address is in no link.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The identities that somebody is known by after this event. None if they are named only in passing. The
    /// former user ids of an alias are left out, because they may be no user ids.
    pub fn known_by_it(&self) -> impl Iterator<Item = &Identity> {
        let is_former = |one: &Identity| {
            one.kind == Kind::UserId
                && *one != self.principal
                && self.links.iter().any(|(weaker, _)| weaker == one)
        };
        self.all().filter(move |one| self.creates && !is_former(one))
    }

    /// All identities of the event, the principal first.
    pub fn all(&self) -> impl Iterator<Item = &Identity> {
        let linked = self.links.iter().flat_map(|(weaker, stronger)| [weaker, stronger]);
        std::iter::once(&self.principal).chain(linked.filter(|one| **one != self.principal))
    }
}

/// A dated link: from `at` on, an identity follows `parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The instant of the event that made the link.
    pub at: DateTime<Utc>,
    /// The stronger identity.
    pub parent: IdentityId,
}

/// A stretch of time in which an identity follows one parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Following {
    /// The beginning, inclusive.
    pub since: DateTime<Utc>,
    /// The end, exclusive; `None` if the stretch is open.
    pub until: Option<DateTime<Utc>>,
    /// The stronger identity.
    pub parent: IdentityId,
}

/// The beginning of a first span, before every event that the service accepts.
pub fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// Computes whom an identity follows in which stretch of time, from its links. The order of the links does
/// not matter.
///
/// A device follows the person who identified on it last. What happened on the device before the first
/// identify counts for that first person. An e-mail address belongs to the user id that claimed it first. A
/// later claim by another user id is a conflict and changes nothing.
pub fn fold(kind: Kind, facts: &mut [Fact]) -> Vec<Following> {
    facts.sort_unstable();
    let mut spans: Vec<Following> = Vec::new();
    for fact in facts.iter() {
        let since = if spans.is_empty() { beginning() } else { fact.at };
        match spans.last_mut() {
            Some(last) if last.parent == fact.parent || kind != Kind::AnonymousId => continue,
            // Of two claims at one instant, the one with the greater parent id wins.
            Some(last) if last.since == since => {
                last.parent = fact.parent;
                continue;
            }
            Some(last) => last.until = Some(since),
            None => {}
        }
        spans.push(Following { since, until: None, parent: fact.parent });
    }
    spans
}
