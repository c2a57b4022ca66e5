//! The domain by which a company is known.

use serde_json::{Map, Value};
use url::{Host, Url};

use super::lists;

/// Suffixes that stand for none on the public internet, for documentation and tests (RFC 2606). Rules are tried out with them.
const RESERVED: [&str; 2] = ["example", "test"];
/// How long a label and a whole name may be.
const LONGEST: (usize, usize) = (63, 253);

/// What is said of a company's place on the web, the surest first.
pub(super) fn places(traits: &Map<String, Value>) -> [Option<&Value>; 3] {
    let company = traits.get("company").and_then(Value::as_object);
    let of = |field: &str| company?.get(field);
    [of("domain"), of("website"), traits.get("website")]
}

/// Whether the company is taken back. One that is described without a place is mostly the one that is known: a group's call
/// often has a name alone.
pub(super) fn is_gone(traits: &Map<String, Value>) -> bool {
    traits.get("company").is_some_and(Value::is_null)
}

/// The company's domain by what is said of its website, with or without `https://` and path. None if it is nobody's own.
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

/// What of a domain somebody has registered: all above is a registry's, all below is theirs. None if it is a registry's, or
/// no place on the internet.
pub(super) fn registrable(domain: &str) -> Option<String> {
    is_public(domain).then(|| psl::domain_str(domain).map(str::to_owned))?
}

/// Whether a domain, in lower case and ASCII, can be one on the internet: a registry gives out names under its suffix, and
/// its labels are those of hosts.
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
