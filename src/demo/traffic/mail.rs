//! Mails, and what people, machines and mailboxes do with them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    Named,
    calendar::Share,
    diary::{Browser, Diary},
    draw::Draw,
    object,
    people::{Drift, Interest, Person},
    visit::Visit,
};

/// How many newsletters are sent in 30 days.
const NEWSLETTERS: u32 = 4;
/// The user agent of a proxy that fetches a mail's pictures when the mail arrives, whether anybody reads the mail or
/// not.
const PICTURE_PROXY: &str =
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";
const READER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Outlook/16.0";

/// A person's mailbox.
#[derive(Debug)]
pub(super) struct Mailbox<'a> {
    person: &'a Person,
    browser: &'a Browser,
    /// Whether the address does not exist, because somebody mistyped it.
    dead: bool,
    /// Whether a proxy fetches the pictures of mails.
    proxied: bool,
}

impl<'a> Mailbox<'a> {
    /// Draws the mailbox of a person with a browser.
    pub(super) fn new(person: &'a Person, browser: &'a Browser, draw: &mut Draw) -> Mailbox<'a> {
        let dead = person.interest != Interest::Buys && draw.percent(4);
        Mailbox { person, browser, dead, proxied: draw.percent(45) }
    }

    /// Sends the welcome mail and the newsletters after the person became known, until the person no longer wants them.
    pub(super) fn send_all(&self, known: Share, diary: &mut Diary<'_>, draw: &mut Draw) {
        let at = diary.calendar.at(known) + TimeDelta::minutes(draw.between(8, 20));
        let mut goes_on = self.receive("welcome", at, known, diary, draw);
        let newsletters = diary.scaled(NEWSLETTERS);
        for number in 0..newsletters {
            let share = Share::middle(number, newsletters);
            let at = diary.calendar.at(share) + TimeDelta::seconds(draw.between(0, 240));
            if goes_on && share > known {
                goes_on = self.receive("newsletter", at, share, diary, draw);
            }
        }
    }

    /// Adds the events of one mail. Returns whether another mail may be sent.
    fn receive(
        &self,
        campaign: &'static str,
        at: DateTime<Utc>,
        share: Share,
        diary: &mut Diary<'_>,
        draw: &mut Draw,
    ) -> bool {
        let about = |more: Value| {
            let mut properties = object(more);
            properties.insert("campaign".to_owned(), json!(campaign));
            Value::Object(properties)
        };
        if self.dead {
            diary.note("email_bounced", at, self.named(), about(json!({"bounce_type": "hard"})));
            return false;
        }
        if draw.percent(1) {
            diary.note("email_bounced", at, self.named(), about(json!({"bounce_type": "soft"})));
            return true;
        }
        diary.note("email_delivered", at, self.named(), about(json!({})));
        if self.proxied {
            let soon = at + TimeDelta::seconds(draw.between(1, 50));
            let opened = diary.note("email_opened", soon, self.named(), about(json!({})));
            opened.context = object(json!({"user_agent": PICTURE_PROXY}));
        }
        let read = share.later(draw, 25).filter(|_| draw.percent(self.reads()));
        let Some(share) = read else { return true };
        let at = diary.calendar.at(share).max(at + TimeDelta::minutes(1));
        let opened = diary.note("email_opened", at, self.named(), about(json!({})));
        opened.context = object(json!({"user_agent": READER}));
        self.answer(at, share, &about, diary, draw)
    }

    /// Adds what the person does after reading the mail. Returns whether another mail may be sent.
    fn answer(
        &self,
        at: DateTime<Utc>,
        share: Share,
        about: &dyn Fn(Value) -> Value,
        diary: &mut Diary<'_>,
        draw: &mut Draw,
    ) -> bool {
        let soon = at + TimeDelta::seconds(draw.between(15, 120));
        let annoyed = if self.person.drift == Drift::Fades { 60 } else { 20 };
        if draw.of_thousand(annoyed) {
            diary.note("email_unsubscribed", soon, self.named(), about(json!({})));
            return false;
        }
        if draw.of_thousand(annoyed / 5) {
            diary.note("email_complained", soon, self.named(), about(json!({})));
            return false;
        }
        if draw.percent(self.clicks()) {
            diary.note(
                "email_clicked",
                soon,
                self.named(),
                about(json!({"url": "https://www.brightdesk.example/"})),
            );
            let taste = self.person.interest.taste();
            let visit =
                Visit { browser: self.browser, taste: &taste, pages: 1 + draw.below(3), by_mail: true };
            visit.take_place(share, diary, draw);
        }
        true
    }

    fn named(&self) -> Named {
        Named { email: Some(self.person.email.clone()), ..Named::default() }
    }

    fn reads(&self) -> u32 {
        match self.person.interest {
            Interest::Buys => 55,
            Interest::Compares => 42,
            Interest::Reads => 32,
            Interest::SeeksWork => 20,
            Interest::Competes => 60,
        }
    }

    fn clicks(&self) -> u32 {
        match self.person.interest {
            Interest::Buys => 40,
            Interest::Compares => 28,
            Interest::Reads => 20,
            Interest::SeeksWork => 8,
            Interest::Competes => 15,
        }
    }
}
