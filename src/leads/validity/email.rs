//! E-mail addresses: whether a text can be an address, and what kind of address it is.

use super::{company, lists};
use crate::platform::spelling;
use email_address::{EmailAddress, Options};

/// The syntax of RFC 5322, but without what nobody types into a form: display names, host names without a
/// dot, and IP addresses as domains.
const SYNTAX: Options =
    Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };

/// The kind of an address: whose address it probably is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Kind {
    /// The address of a person at a company: every address that is of no other kind.
    Work,
    /// An address at a provider of free mail or of internet access, where anybody gets a mailbox.
    Free,
    /// An address that a service hands out to be thrown away.
    Disposable,
    /// A desk address at a company, such as `info@` or `sales@`.
    Role,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kind of an address. The domain is checked before the local part, because `info@` at a free mail
    /// provider is no desk of a company.
    fn of(local: &str, domain: &str) -> Kind {
        let desk = local.split('+').next().unwrap_or_default().to_lowercase();
        if lists::is_disposable(domain) {
            Kind::Disposable
        } else if lists::is_free(domain) {
            Kind::Free
        } else if lists::is_role(&desk) {
            Kind::Role
        } else {
            Kind::Work
        }
    }
}

/// A valid e-mail address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The domain, in lower case and ASCII.
    pub(super) domain: String,
    pub(super) kind: Kind,
}

impl Address {
    /// Reads an address; `None` if the text cannot be an address.
    pub(super) fn parse(text: &str) -> Option<Address> {
        let address = EmailAddress::parse_with_options(text, SYNTAX).ok()?;
        let domain = spelling::domain(address.domain())?;
        let kind = Kind::of(address.local_part(), &domain);
        company::is_public(&domain).then_some(Address { domain, kind })
    }

    /// The domain of the company, for work and desk addresses; `None` for other kinds.
    pub(super) fn company(&self) -> Option<String> {
        matches!(self.kind, Kind::Work | Kind::Role).then(|| company::registrable(&self.domain))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_goes_by_the_domain_and_then_by_the_name() {
        for (text, kind) in [
            ("jane@acme.example", "work"),
            ("JANE.DOE+news@eu.acme.example", "work"),
            ("informant@acme.example", "work"),
            ("jane@gmail.com", "free"),
            ("jane@GoogleMail.com", "free"),
            ("jane@yahoo.co.uk", "free"),
            ("jane@t-online.de", "free"),
            ("jane@tutanota.com", "free"),
            ("info@gmail.com", "free"),
            ("info@acme.example", "role"),
            ("Sales+eu@acme.example", "role"),
            ("no-reply@acme.example", "role"),
            ("info-de@acme.example", "role"),
            ("Sales2@acme.example", "role"),
            ("b.rand@acme.example", "work"),
            ("jane@mailinator.com", "disposable"),
            ("jane@any.thing.mailinator.com", "disposable"),
            ("info@yopmail.com", "disposable"),
            ("jane@mailinator.example", "work"),
        ] {
            assert_eq!(Address::parse(text).map(|one| one.kind.as_str()), Some(kind), "{text}");
        }
    }

    #[test]
    fn what_can_be_no_address_is_none() {
        let long = format!("{}@acme.example", "a".repeat(65));
        for text in [
            "",
            "jane",
            "jane@",
            "@acme.example",
            "jane@acme",
            "jane@localhost",
            "jane@@acme.example",
            "jane doe@acme.example",
            "jane@acme..example",
            "jane@-acme.example",
            "jane@acme.example.",
            ".jane@acme.example",
            "jane.@acme.example",
            "jane@[127.0.0.1]",
            "jane@127.0.0.1",
            "Jane <jane@acme.example>",
            "jane@acme.example, joe@acme.example",
            "jane@acme_example.com",
            "jane@gmail.con",
            "jane@localhost.localdomain",
            "jane@acme.local",
            "jane@acme.invalid",
            &long,
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_domain_is_written_in_one_way() {
        for (text, domain) in [
            ("jane@ACME.Example", "acme.example"),
            ("jane@bücher.example", "xn--bcher-kva.example"),
            ("o'brien_x-1%y@acme.example", "acme.example"),
            ("jörg@acme.example", "acme.example"),
        ] {
            assert_eq!(Address::parse(text).map(|one| one.domain).as_deref(), Some(domain), "{text}");
        }
    }
}
