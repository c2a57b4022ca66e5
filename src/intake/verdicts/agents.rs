//! Findings of one event alone: from its user agent, and from how it was fetched.
//!
//! The user agent in the event's context counts. If there is none and a browser sent the event, the user
//! agent of the request counts. Requests of servers do not count, because their libraries send events of
//! other people's browsers.

use std::sync::LazyLock;

use regex::Regex;
use scoring::event::{DO_NOT_CONTACT_REQUESTED, is_own_activity};
use serde_json::{Map, Value};

use super::Finding;

/// The list of patterns of machines' user agents. The file says where the list comes from.
const LIST: &str = include_str!("agents.txt");
/// Proxies that fetch the pictures of mails for the readers, some as soon as a mail comes in.
const MAIL_PROXIES: [&str; 2] = ["GoogleImageProxy", "YahooMailProxy"];
/// The whole user agent that Apple's mail privacy protection sends.
const APPLE_MAIL_PRIVACY: &str = "Mozilla/5.0";
/// How many bytes of a user agent are searched. Programs name themselves at the beginning, and browsers' user
/// agents are shorter.
const LOOKED_AT: usize = 2 * 1024;
/// Microsoft Office fetches a link before it opens the browser. In requests for pictures, it is a mail
/// program with a reader.
const OFFICE: &str = "Microsoft Office";
/// The headers by which a browser says that it prefetches.
const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// All patterns as one, so that a user agent is searched once.
static MACHINES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&patterns().collect::<Vec<_>>().join("|")).expect("the list is one of regular expressions")
});

/// The patterns of the list, without comments.
fn patterns() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Returns what the user agent shows about an event of this type. Types that are no activity of the person,
/// such as deliveries and `identify`, show nothing.
pub fn find(kind: &str, agent: Option<&str>) -> Option<Finding> {
    let agent = agent?;
    let agent = &agent[..agent.floor_char_boundary(LOOKED_AT)];
    // A refusal holds, even if a machine may have sent it.
    if !is_own_activity(kind) || kind == DO_NOT_CONTACT_REQUESTED {
        return None;
    }
    let proxy = || agent == APPLE_MAIL_PRIVACY || MAIL_PROXIES.iter().any(|proxy| agent.contains(proxy));
    match kind {
        "email_opened" if proxy() => Some(Finding::MailProxy),
        "email_clicked" if agent.starts_with(OFFICE) => Some(Finding::Prefetch),
        _ => MACHINES.is_match(agent).then_some(Finding::Bot),
    }
}

/// Returns the user agent in an event's context: the field `userAgent`, or else `user_agent`.
pub fn named(context: Option<&Map<String, Value>>) -> Option<&str> {
    let context = context?;
    let agent = ["userAgent", "user_agent"].iter().find_map(|field| context.get(*field)?.as_str());
    agent.filter(|agent| !agent.trim().is_empty())
}

/// What the headers of a request show about its sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    /// The user agent of the request, if it counts for events without one.
    agent: Option<&'a str>,
    /// Whether the browser prefetched.
    ahead: bool,
}

impl<'a> Caller<'a> {
    /// Reads the headers of a request whose sender may be a server that sends other people's events. `header`
    /// finds a header's value by its name in lower case.
    pub fn of(header: impl Fn(&str) -> Option<&'a str>) -> Caller<'a> {
        let browser = header("origin").is_some() || header("referer").is_some();
        let caller = Caller::itself(header);
        Caller { agent: caller.agent.filter(|_| browser), ..caller }
    }

    /// Reads the headers of a request whose sender did itself what the event says, whether it is a browser or
    /// not.
    pub fn itself(header: impl Fn(&str) -> Option<&'a str>) -> Caller<'a> {
        let ahead =
            |purpose: &str| ["prefetch", "prerender", "preview"].iter().any(|word| purpose.contains(word));
        let mut purposes = PURPOSES.iter().filter_map(|name| header(name));
        Caller { agent: header("user-agent"), ahead: purposes.any(ahead) }
    }

    /// Returns what the headers show about an event of the request.
    pub fn find(&self, kind: &str, context: Option<&Map<String, Value>>) -> Option<Finding> {
        let may_be = is_own_activity(kind) && kind != DO_NOT_CONTACT_REQUESTED;
        let fetched = (self.ahead && may_be).then_some(Finding::Prefetch);
        let agent = self.agent.filter(|_| named(context).is_none());
        fetched.max(find(kind, agent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People's browsers, old and new, with names that look like those of machines.
    const PEOPLE: [&str; 17] = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.6 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/150.0.0.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
        "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.142 Mobile Safari/537.36 Instagram 406.0.0.58.159 Android",
        "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Outlook/16.0",
        "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; Trident/6.0)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0",
        "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A.240205.004)",
        "SonyEricssonK700i/R2AC SEMC-Browser/4.0.2 Profile/MIDP-2.0 Configuration/CLDC-1.1 Java/1.5",
        OUTLOOK,
        "Acme/12 CFNetwork/1568.100.1 Darwin/24.0.0",
        "Acme/5.1 (com.acme.shop; build:42; iOS 18.1.0) Alamofire/5.9.1",
        "Acme/5.1 (Android 14) okhttp/4.12.0",
        "Rubyfox/3.0 (X11; Linux x86_64)",
        "Mozilla/5.0 (Android 14; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0 Dart/3.1",
    ];
    /// Shows a mail, or looks at one of its links.
    const OUTLOOK: &str = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.4266; Pro)";
    const BOTS: [&str; 16] = [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
        "python-requests/2.34.0",
        "curl/8.5.0",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "AcmeLinkSpider/0.1",
        "CURL/7.88.1",
        "python-urllib3/2.2.1",
        "undici",
        "node",
        "Node.js/22",
        "Java/17.0.1",
        "Java-http-client/21",
        "PostmanRuntime/7.39.0",
    ];

    /// User agents of libraries and tools of many programming languages.
    const LIBRARIES: [&str; 66] = [
        "GuzzleHttp/7",
        "GuzzleHttp/6.5.5 curl/7.74.0 PHP/8.0.30",
        "Guzzle/3.9.3 curl/7.35.0 PHP/5.6",
        "Symfony HttpClient/Curl",
        "PHP/8.3.4",
        "HTTP_Request2/2.5.1 (https://pear.php.net/package/http_request2) PHP/8.1",
        "PHP-Curl-Class/9.19.1 PHP/8.3",
        "Laminas_Http_Client",
        "Ruby",
        "Ruby/3.3.0",
        "Faraday v2.9.0",
        "rest-client/2.1.0 (linux x86_64) ruby/3.2.2p53",
        "Typhoeus - https://github.com/typhoeus/typhoeus",
        "http.rb/5.2.0",
        "Mechanize/2.10.0 Ruby/3.3.0p0",
        "Dart/3.1 (dart:io)",
        "RestSharp/106.15.0.0",
        "RestSharp/112.1.0.0",
        "Deno/1.40.4",
        "Bun/1.1.30",
        "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041.4046",
        "Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.22631; en-US) PowerShell/7.4.1",
        "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
        "python-requests/2.31.0",
        "python-httpx/0.27.0",
        "Python/3.11 aiohttp/3.9.5",
        "Python-urllib/3.12",
        "Python-httplib2/0.22.0 (gzip)",
        "PycURL/7.45.3 libcurl/8.5.0",
        "Go-http-client/1.1",
        "Go-http-client/2.0",
        "Go 1.1 package http",
        "go-resty/2.11.0 (https://github.com/go-resty/resty)",
        "fasthttp",
        "okhttp/4.12.0",
        "Java/17.0.9",
        "Java-http-client/21.0.2",
        "Apache-HttpClient/4.5.14 (Java/17.0.9)",
        "Jakarta Commons-HttpClient/3.1",
        "ReactorNetty/1.1.15",
        "akka-http/10.5.3",
        "Ktor client",
        "scalaj-http/1.0",
        "unirest-java/3.1.00",
        "libwww-perl/6.77",
        "HTTP-Tiny/0.088",
        "axios/1.7.2",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "node-superagent/8.1.2",
        "got (https://github.com/sindresorhus/got)",
        "undici",
        "reqwest/0.12.5",
        "ureq/2.10.0",
        "hackney/1.20.1",
        "hackney",
        "mint/1.6.2",
        "req/0.5.8",
        "gun/1.3.2",
        "curl/8.5.0",
        "Wget/1.21.4",
        "HTTPie/3.2.2",
        "PostmanRuntime/7.39.0",
        "insomnia/9.3.2",
        "k6/0.52.0 (https://k6.io/)",
        "Apache-JMeter/5.6.3",
        "Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/22.1.0",
    ];

    #[test]
    fn every_pattern_of_the_list_is_one() {
        let wrong: Vec<&str> = patterns().filter(|pattern| Regex::new(pattern).is_err()).collect();

        assert_eq!(wrong, Vec::<&str>::new());
        assert!(!MACHINES.is_match("") && patterns().count() > 1_000);
    }

    #[test]
    fn machines_are_known_by_their_user_agents_and_people_are_not_taken_for_them() {
        for agent in BOTS.into_iter().chain(LIBRARIES) {
            assert_eq!(find("page_viewed", Some(agent)), Some(Finding::Bot), "{agent}");
        }
        for agent in PEOPLE {
            assert_eq!(find("page_viewed", Some(agent)), None, "{agent}");
        }
        assert_eq!(find("page_viewed", None), None);
    }

    #[test]
    fn proxies_of_mailboxes_are_known_where_mails_are_read() {
        let gmail =
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";
        let yahoo = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html";
        for agent in [gmail, yahoo, "Mozilla/5.0"] {
            assert_eq!(find("email_opened", Some(agent)), Some(Finding::MailProxy), "{agent}");
        }
        for kind in ["page_viewed", "email_clicked", "email_unsubscribed"] {
            assert_eq!(find(kind, Some("Mozilla/5.0")), None, "short, but nobody's proxy: {kind}");
        }
    }

    #[test]
    fn a_program_that_shows_mails_looks_at_a_link_before_a_person_does() {
        assert_eq!(find("email_clicked", Some(OUTLOOK)), Some(Finding::Prefetch));
        assert_eq!(find("email_opened", Some(OUTLOOK)), None);
    }

    #[test]
    fn what_happens_to_a_person_or_describes_it_gives_nothing_away() {
        for kind in ["email_delivered", "email_bounced", "identify", "group", "score_adjusted"] {
            assert_eq!(find(kind, Some("Googlebot/2.1")), None, "{kind}");
        }
    }

    #[test]
    fn a_requests_own_user_agent_counts_only_for_a_browser_whose_events_name_none() {
        let server = |name: &str| (name == "user-agent").then_some("python-requests/2.34");
        let browser = |name: &str| match name {
            "user-agent" => Some("HeadlessChrome/156"),
            "origin" => Some("https://acme.example"),
            _ => None,
        };
        let Value::Object(context) = serde_json::json!({"userAgent": PEOPLE[0]}) else { unreachable!() };

        assert_eq!(Caller::of(server).find("page_viewed", None), None);
        assert_eq!(Caller::of(browser).find("page_viewed", None), Some(Finding::Bot));
        assert_eq!(Caller::of(browser).find("page_viewed", Some(&context)), None);
    }

    #[test]
    fn what_a_browser_fetches_ahead_was_not_looked_at() {
        for (name, value) in
            [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")]
        {
            let header = |asked: &str| (asked == name).then_some(value);
            assert_eq!(Caller::of(header).find("page_viewed", None), Some(Finding::Prefetch), "{name}");
        }
    }
}
