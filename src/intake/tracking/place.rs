//! What the URL of a page shows: its path and its campaign.

use url::Url;

/// The beginning of the query parameters by which campaigns mark their links.
const CAMPAIGN: &str = "utm_";
/// The site for URLs that have only a path.
const ANY_SITE: &str = "http://site.invalid";

/// Returns the `path` of a URL and its `utm_…` parameters. The URL is parsed as browsers do, so spaces,
/// quotes and letters need not be encoded. Returns nothing if the text is not the URL of a page.
pub(super) fn of_url(address: &str) -> Vec<(String, String)> {
    let Some(url) = parse(address.trim()) else { return Vec::new() };
    let path = ("path".to_owned(), url.path().to_owned());
    let campaign = url.query_pairs().filter(|(field, _)| field.starts_with(CAMPAIGN));
    let campaign = campaign.map(|(field, value)| (field.into_owned(), value.into_owned()));
    std::iter::once(path).chain(campaign).collect()
}

fn parse(address: &str) -> Option<Url> {
    let url =
        if address.starts_with('/') { Url::parse(ANY_SITE).ok()?.join(address) } else { Url::parse(address) };
    url.ok().filter(Url::has_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(address: &str) -> Option<String> {
        of_url(address).into_iter().find(|(field, _)| field == "path").map(|(_, path)| path)
    }

    #[test]
    fn an_address_is_taken_apart_as_browsers_do() {
        for (address, expected) in [
            ("https://acme.example/pricing?utm_source=news", "/pricing"),
            ("https://acme.example", "/"),
            ("https://acme.example/our prices?x=a b", "/our%20prices"),
            ("https://acme.example/a\"b<c>", "/a%22b%3Cc%3E"),
            ("https://b\u{fc}cher.example/pl\u{e4}ne", "/pl%C3%A4ne"),
            ("https://acme.example\\docs\\start", "/docs/start"),
            ("  https://acme.example/a/../b\n", "/b"),
            ("/pricing?utm_source=news", "/pricing"),
            ("//acme.example/pricing", "/pricing"),
            ("https://acme.example/100%", "/100%"),
        ] {
            assert_eq!(path(address).as_deref(), Some(expected), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_page_has_no_path() {
        for address in
            ["", "about:blank", "mailto:jane@acme.example", "javascript:void(0)", "pricing", "https://"]
        {
            assert_eq!(of_url(address), Vec::new(), "{address}");
        }
    }

    #[test]
    fn campaigns_are_read_though_another_parameter_is_none() {
        let found = of_url(
            "https://acme.example/?q=<\"x y\">&bad=%ff&utm_source=spring sale&utm_term=caf\u{e9}&utm_medium=a%26b",
        );

        assert_eq!(
            found[1..],
            [("utm_source", "spring sale"), ("utm_term", "caf\u{e9}"), ("utm_medium", "a&b")]
                .map(|(field, value)| (field.to_owned(), value.to_owned()))
        );
    }
}
