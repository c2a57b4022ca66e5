//! The domain by which a company is known.

use serde_json::{Map, Value};
use url::{Host, Url};

use super::lists;

/// Where companies have pages without the domain being theirs.
const OF_OTHERS: [&str; 9] = [
    "facebook.com",
    "google.com",
    "instagram.com",
    "linkedin.com",
    "linktr.ee",
    "tiktok.com",
    "twitter.com",
    "x.com",
    "youtube.com",
];

/// What is said of a company's place on the web, the surest first.
pub(super) fn places(traits: &Map<String, Value>) -> [Option<&Value>; 3] {
    let company = traits.get("company");
    let of = |field: &str| match company? {
        Value::Object(company) => company.get(field),
        Value::Null => company,
        _ => None,
    };
    [of("domain"), of("website"), traits.get("website")]
}

/// The company's domain by what is said of its website, with or without `https://` and path. None if it is nobody's own.
pub(super) fn domain(website: &str) -> Option<String> {
    let url = match Url::parse(website) {
        Ok(url) if url.has_host() => url,
        _ => Url::parse(&format!("https://{website}")).ok()?,
    };
    let Some(Host::Domain(host)) = url.host() else { return None };
    let domain = registrable(host)?;
    let own = !OF_OTHERS.contains(&domain.as_str()) && !lists::is_free(host) && !lists::is_disposable(host);
    own.then_some(domain)
}

/// What of a domain somebody has registered: all above is a registry's, all below is theirs. None if it is a registry's.
pub(super) fn registrable(domain: &str) -> Option<String> {
    psl::domain_str(domain).map(str::to_owned)
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
            "https://www.linkedin.com/company/acme",
            "gmail.com",
            "mailinator.com",
            "not a site",
            "",
        ] {
            assert_eq!(domain(website), None, "{website}");
        }
    }
}
