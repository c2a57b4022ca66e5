//! Derives the domain of a company.

use serde_json::{Map, Value};
use url::{Host, Url};

use super::lists;

/// Suffixes for documentation and tests that do not exist on the internet (RFC 2606). They are accepted, so
/// that people can try out rules.
const RESERVED: [&str; 2] = ["example", "test"];
/// The most bytes of a label and of a whole domain name.
const LONGEST: (usize, usize) = (63, 253);

/// The traits that name a company's website, the most reliable first.
pub(super) fn places(traits: &Map<String, Value>) -> [Option<&Value>; 3] {
    let company = traits.get("company").and_then(Value::as_object);
    let of = |field: &str| company?.get(field);
    [of("domain"), of("website"), traits.get("website")]
}

/// Whether the traits remove the company (`company` is null). A company without a website does not remove the
/// known domain, because a `group` call often gives only the name of the same company.
pub(super) fn is_gone(traits: &Map<String, Value>) -> bool {
    traits.get("company").is_some_and(Value::is_null)
}

/// The company's domain, from a website with or without `https://` and path. `None` if the domain is not the
/// company's own, such as a page on a social network.
pub(super) fn domain(website: &str) -> Option<String> {
    let url = match Url::parse(website) {
        Ok(url) if url.has_host() => url,
        _ => Url::parse(&format!("https://{website}")).ok()?,
    };
    let Some(Host::Domain(host)) = url.host() else { return None };
    let host = host.strip_suffix('.').unwrap_or(host);
    let own = !lists::is_page_host(host) && !lists::is_free(host) && !lists::is_disposable(host);
    own.then(|| registrable(host))?
}

/// The registrable part of a domain: one label below the public suffix. `None` if the domain is a public
/// suffix itself, or cannot exist on the internet.
pub(super) fn registrable(domain: &str) -> Option<String> {
    is_public(domain).then(|| psl::domain_str(domain).map(str::to_owned))?
}

/// Whether a domain in lower case and ASCII can exist on the internet: its suffix is a public suffix, and its
/// labels are valid host labels.
pub(super) fn is_public(domain: &str) -> bool {
    let (label_most, most) = LONGEST;
    let is_label = |label: &str| {
        (1..=label_most).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let suffix = psl::suffix(domain.as_bytes());
    let known = |suffix: psl::Suffix<'_>| suffix.is_known() || RESERVED.iter().any(|one| suffix == *one);
    domain.len() <= most && domain.split('.').all(is_label) && suffix.is_some_and(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_is_known_by_the_domain_that_it_has_registered() {
        for (website, known) in [
            ("acme.example", "acme.example"),
            ("https://www.Acme.Example:8443/de?x=1#top", "acme.example"),
            ("http://shop.acme.co.uk", "acme.co.uk"),
            ("www.acme.com.au/about", "acme.com.au"),
            ("//acme.example", "acme.example"),
            ("acme.example:8080", "acme.example"),
            ("https://acme.github.io/docs", "acme.github.io"),
            ("acme.com.", "acme.com"),
            ("staging.acme.test", "acme.test"),
            ("https://bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(domain(website).as_deref(), Some(known), "{website}");
        }
    }

    #[test]
    fn what_is_no_companys_own_site_names_none() {
        for website in [
            "n/a",
            "none",
            "co.uk",
            "http://127.0.0.1/",
            "n.a.",
            "n.v.t.",
            "none.yet",
            "www.acme",
            "acme.con",
            "acme.local",
            "-acme.com",
            "acme-.com",
            "my_acme.com",
            &format!("{}.com", "a".repeat(64)),
            &format!("{}acme.com", "shop.".repeat(50)),
            "https://www.linkedin.com/company/acme",
            "https://de.linkedin.com/company/acme",
            "https://github.com/acme",
            "xing.com/pages/acme",
            "https://wa.me/4930901820",
            "https://acme.wordpress.com",
            "acme.notion.site",
            "https://acme.business.site/",
            "wixsite.com",
            "gmail.com",
            "mailinator.com",
            "not a site",
            "",
        ] {
            assert_eq!(domain(website), None, "{website}");
        }
    }
}
