//! Visits to the site: sessions of page views.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{
    calendar::Share,
    diary::{Browser, Diary},
    draw::Draw,
    people::Interest,
};

const SITE: &str = "https://www.brightdesk.example";

type Page = (&'static str, &'static str);

const HOME: &[Page] = &[("/", "Brightdesk: the help desk that answers")];
const PRODUCT: &[Page] = &[("/product", "Product"), ("/product/tour", "Take the tour")];
const FEATURES: &[Page] = &[
    ("/features/automation", "Automation"),
    ("/features/reporting", "Reporting"),
    ("/features/shared-inbox", "Shared inbox"),
    ("/features/security", "Security"),
];
const CUSTOMERS: &[Page] = &[
    ("/customers/harbour-retail", "How Harbour Retail halved its waiting time"),
    ("/customers/summit-health", "Summit Health: one inbox for nine clinics"),
];
const INTEGRATIONS: &[Page] = &[("/integrations", "Integrations"), ("/integrations/api", "Our API")];
const PRICING: &[Page] = &[("/pricing", "Pricing")];
const BLOG: &[Page] = &[
    ("/blog", "Blog"),
    ("/blog/first-reply-time", "What first reply time tells, and what it hides"),
    ("/blog/support-on-fridays", "Why nobody should deploy support on Fridays"),
    ("/blog/macros-that-sound-human", "Macros that sound human"),
    ("/blog/hiring-for-support", "Hiring for support: six questions"),
    ("/blog/csat-in-2026", "CSAT in 2026: the numbers"),
];
const CAREERS: &[Page] = &[
    ("/careers", "Careers"),
    ("/careers/account-executive", "Account executive (m/f/x)"),
    ("/careers/software-engineer", "Software engineer (m/f/x)"),
];

/// Which pages a visitor prefers: weights of the sections.
pub(super) type Taste = [(u32, &'static [Page]); 8];

/// The pages of strangers, who look around or come for one article.
pub(super) const STRANGER: Taste = taste([30, 12, 8, 4, 1, 6, 34, 5]);

const fn taste(weights: [u32; 8]) -> Taste {
    [
        (weights[0], HOME),
        (weights[1], PRODUCT),
        (weights[2], FEATURES),
        (weights[3], CUSTOMERS),
        (weights[4], INTEGRATIONS),
        (weights[5], PRICING),
        (weights[6], BLOG),
        (weights[7], CAREERS),
    ]
}

impl Interest {
    /// Returns the pages that a person with this interest prefers.
    pub(super) fn taste(self) -> Taste {
        taste(match self {
            Interest::Buys => [12, 16, 24, 14, 10, 15, 9, 0],
            Interest::Compares => [15, 17, 26, 12, 8, 6, 15, 1],
            Interest::Reads => [10, 6, 7, 5, 2, 3, 65, 2],
            Interest::SeeksWork => [12, 5, 2, 4, 0, 1, 16, 60],
            Interest::Competes => [6, 18, 36, 12, 10, 18, 0, 0],
        })
    }
}

/// A visit to the site.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) browser: &'a Browser,
    pub(super) taste: &'a Taste,
    pub(super) pages: u32,
    /// Whether a link in a mail led to the visit.
    pub(super) by_mail: bool,
}

impl Visit<'_> {
    /// Adds the page views of the visit, and returns the end of the last one.
    pub(super) fn take_place(&self, share: Share, diary: &mut Diary<'_>, draw: &mut Draw) -> DateTime<Utc> {
        let pauses: Vec<TimeDelta> = (0..self.pages).map(|_| pause(draw)).collect();
        let mut at = diary.calendar.at_for(share, pauses.iter().sum());
        for (place, pause) in pauses.into_iter().enumerate() {
            let section = draw.weighted(self.taste);
            let (path, title) = draw.one(section);
            let mut properties = json!({"path": path, "title": title, "url": format!("{SITE}{path}")});
            if place == 0 && self.by_mail {
                properties["url"] = json!(format!("{SITE}{path}?utm_source=newsletter&utm_medium=email"));
            } else if place == 0 && draw.percent(60) {
                properties["referrer"] = json!(draw.one(&[
                    "https://search.example/",
                    "https://social.example/",
                    "https://news.example/"
                ]));
            }
            let event = diary.note("page_viewed", at, self.browser.named(), properties);
            event.context = self.browser.context();
            at += pause;
        }
        at
    }
}

/// Draws how long a page is looked at: mostly seconds, sometimes minutes.
fn pause(draw: &mut Draw) -> TimeDelta {
    let millis = if draw.percent(70) { draw.between(4_000, 60_000) } else { draw.between(60_000, 400_000) };
    TimeDelta::milliseconds(millis)
}
