//! Identities, and how the facts that join them say whose an event is.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::placeholder;
use crate::platform::{
    ids::{IdentityId, hashed},
    spelling,
};

/// How long a user id or anonymous id may be, in bytes.
pub const LONGEST_ID: usize = 512;
/// How long an e-mail address may be, in bytes (RFC 5321).
pub const LONGEST_EMAIL: usize = 254;

/// The three kinds, weakest first: a weaker one follows a stronger one, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A browser or device before anybody said who uses it.
    AnonymousId,
    /// An address: lower case, its domain in ASCII.
    Email,
    /// What the customer's own system calls the person.
    UserId,
}

impl Kind {
    /// The kind of which this is the word.
    pub fn named(word: &str) -> Option<Kind> {
        word.parse().ok()
    }

    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One user id, e-mail or anonymous id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    kind: Kind,
    value: String,
    id: IdentityId,
}

/// Why a text is no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIdentity {
    /// Empty, or nothing that anybody sees.
    #[error("it is empty")]
    Empty,
    /// Longer than is stored.
    #[error("it is too long")]
    TooLong,
    /// Holds a control character.
    #[error("it holds a control character")]
    ControlCharacter,
    /// Not of the form of an e-mail address.
    #[error("it does not read like an e-mail address")]
    NotAnAddress,
    /// What programs write where they know nobody, such as `undefined`.
    #[error("it is a placeholder that stands for nobody; leave it out where nobody is known")]
    Placeholder,
}

impl Identity {
    /// Reads an identity, however it is written: the value is its one normal form. That of an id is [`spelling::id`]; that of
    /// an address is lower case with its domain in ASCII, without what nobody sees, without `mailto:` and without a name
    /// around it.
    pub fn parse(kind: Kind, text: &str) -> Result<Identity, NotAnIdentity> {
        let longest = if kind == Kind::Email { LONGEST_EMAIL } else { LONGEST_ID };
        // What is longer than this by any reading is not read.
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

    /// Reads an identity by which somebody is to be known: a placeholder is none.
    pub fn of_somebody(kind: Kind, text: &str) -> Result<Identity, NotAnIdentity> {
        match Identity::parse(kind, text) {
            Ok(identity) if identity.is_placeholder() => Err(NotAnIdentity::Placeholder),
            // `null` is no address, and nobody's.
            Err(NotAnIdentity::NotAnAddress) if placeholder::is_id(text) => Err(NotAnIdentity::Placeholder),
            read => read,
        }
    }

    /// Whether it is what programs write where they know nobody.
    pub fn is_placeholder(&self) -> bool {
        match self.kind {
            Kind::Email => placeholder::is_address(&self.value),
            Kind::UserId | Kind::AnonymousId => placeholder::is_id(&self.value),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its value, normalised.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The hash by which it is known.
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

/// The normal form of an address that [`spelling::plain`] has read. A domain that is none on the internet stays as it is
/// written, in lower case: providers tell of such addresses too.
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

/// What a link to an address begins with.
const LINK: &str = "mailto:";

/// Reads the identities that an event gives, and sets placeholders aside.
#[derive(Debug, Default)]
pub struct Given {
    set_aside: Vec<Kind>,
}

impl Given {
    /// Reads one; none if it is a placeholder.
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

    /// Which kinds were placeholders, in the order in which they were read.
    pub fn set_aside(self) -> Vec<Kind> {
        self.set_aside
    }
}

/// The identities that one event names, at least one of the three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    principal: Identity,
    links: Vec<(Identity, Identity)>,
    /// The address named, also where it joins nobody.
    email: Option<String>,
    creates: bool,
    /// The kinds of identities that were placeholders.
    set_aside: Vec<Kind>,
}

impl Named {
    /// Sorts out what an event names. The strongest is its *principal*: the one that the event hangs on. Where
    /// the event `joins` (an identify), the others follow the principal from then on.
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

    /// Sorts out what an event of a type names. An identify joins all; what happened to a mail is of its address.
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

    /// One identity alone.
    pub fn one(identity: Identity) -> Named {
        let email = Some(&identity).filter(|one| one.kind == Kind::Email).map(|one| one.value.clone());
        Named { principal: identity, links: Vec::new(), email, creates: true, set_aside: Vec::new() }
    }

    /// One identity alone, of which no lead is made if there is none: what is said of it waits in the log until
    /// somebody names it otherwise.
    pub fn in_passing(identity: Identity) -> Named {
        Named { creates: false, ..Named::one(identity) }
    }

    /// Whom something names that happened to a mail: it hangs on the address, and the address follows the user id that
    /// is named beside it.
    fn of_mail(email: Identity, user_id: Option<Identity>) -> Named {
        let links = user_id.into_iter().map(|user| (email.clone(), user)).collect();
        Named { links, ..Named::one(email) }
    }

    /// An alias: everything known under the former ids belongs to `user_id`. A former one may be a device's id as well, so that
    /// it is a user's is not said by this: as a user id it joins once somebody is known by it.
    pub fn alias(user_id: Identity, former: impl IntoIterator<Item = Identity>) -> Named {
        let former = former.into_iter().filter(|one| *one != user_id);
        let links = former.map(|one| (one, user_id.clone())).collect();
        Named { principal: user_id, links, email: None, creates: true, set_aside: Vec::new() }
    }

    /// The same, beside placeholders of these kinds.
    #[must_use]
    pub fn beside(self, set_aside: Vec<Kind>) -> Named {
        Named { set_aside, ..self }
    }

    /// The kinds of identities beside these that were placeholders.
    pub fn set_aside(&self) -> &[Kind] {
        &self.set_aside
    }

    /// The identity that the event hangs on.
    pub fn principal(&self) -> &Identity {
        &self.principal
    }

    /// Which identity follows which, weaker first.
    pub fn links(&self) -> &[(Identity, Identity)] {
        &self.links
    }

    /// Whether whoever is named becomes a lead by it.
    pub fn creates(&self) -> bool {
        self.creates
    }

    /// The e-mail address named, if there is one, also beside a user id that it does not join.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Those of the identities named that are known by it, if it makes known: not a former user id, which may be none.
    pub fn known_by_it(&self) -> impl Iterator<Item = &Identity> {
        let is_former = |one: &Identity| {
            one.kind == Kind::UserId
                && *one != self.principal
                && self.links.iter().any(|(weaker, _)| weaker == one)
        };
        self.all().filter(move |one| self.creates && !is_former(one))
    }

    /// All identities named, the principal first.
    pub fn all(&self) -> impl Iterator<Item = &Identity> {
        let linked = self.links.iter().flat_map(|(weaker, stronger)| [weaker, stronger]);
        std::iter::once(&self.principal).chain(linked.filter(|one| **one != self.principal))
    }
}

/// A dated fact: from `at` on, somebody said that an identity follows `parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// When.
    pub at: DateTime<Utc>,
    /// The stronger identity.
    pub parent: IdentityId,
}

/// A stretch of time in which an identity follows one parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Following {
    /// From here, inclusive.
    pub since: DateTime<Utc>,
    /// To here, exclusive; none: open.
    pub until: Option<DateTime<Utc>>,
    /// Whom.
    pub parent: IdentityId,
}

/// From when on a first span counts: before anything that is taken.
pub fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// Folds an identity's facts into whom it follows when. It depends on the facts alone, not on their order.
///
/// A device follows whoever identified on it last; what it did before the first identify counts for that first
/// person. An e-mail address belongs to whoever claimed it first: a later claim by another is a conflict, not a
/// merge.
pub fn fold(kind: Kind, facts: &mut [Fact]) -> Vec<Following> {
    facts.sort_unstable();
    let mut spans: Vec<Following> = Vec::new();
    for fact in facts.iter() {
        let since = if spans.is_empty() { beginning() } else { fact.at };
        match spans.last_mut() {
            Some(last) if last.parent == fact.parent || kind != Kind::AnonymousId => continue,
            // Two claims at one instant: the greater parent has it.
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
