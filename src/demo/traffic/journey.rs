//! The month of one person, and of strangers who never say who they are.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    Event, Named, Plan,
    calendar::{Calendar, Share},
    diary::{Browser, Diary},
    draw::Draw,
    mail::Mailbox,
    people::{Drift, Interest, Person},
    visit::{STRANGER, Visit},
};

/// How many webinars there are in a month. Each is in the middle of its part of the month.
const WEBINARS: u32 = 3;

/// What a person does at the end of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Subscribes,
    Downloads,
    Registers,
    Tries,
    Chats,
    WantsDemo,
    WantsSales,
}

/// Makes all events of the person with this number, and of the strangers that belong to the same number.
pub(super) fn events(plan: &Plan, calendar: &Calendar, number: u32, draw: &mut Draw) -> Vec<Event> {
    let person = Person::new(plan.seed, number, draw);
    let mut diary = Diary::new(plan, calendar, number);
    let browser = Browser::new(draw);
    let story = Story { person: &person, browser: &browser, telephone: Browser::new(draw) };
    story.tell(&mut diary, draw);
    for _ in 0..3 + draw.below(3) {
        let stranger = Browser::new(draw);
        for _ in 0..diary.scaled(1 + draw.below(4) / 3) {
            let pages = 1 + draw.below(4);
            let visit = Visit { browser: &stranger, taste: &STRANGER, pages, by_mail: false };
            visit.take_place(Share::any(draw), &mut diary, draw);
        }
    }
    diary.into_events()
}

struct Story<'a> {
    person: &'a Person,
    browser: &'a Browser,
    /// Another browser of the person. The service may never learn whose it is.
    telephone: Browser,
}

impl Story<'_> {
    fn tell(&self, diary: &mut Diary<'_>, draw: &mut Draw) {
        let visits = self.visits(diary, draw);
        let first = draw.below(2).min(u32::try_from(visits.len()).unwrap_or(1) - 1) as usize;
        let mut ends: Vec<End> = Vec::new();
        let taste = self.person.interest.taste();
        for (place, share) in visits.iter().enumerate() {
            let on_telephone = place != first && draw.percent(10);
            let browser = if on_telephone { &self.telephone } else { self.browser };
            let visit = Visit { browser, taste: &taste, pages: self.pages(draw), by_mail: false };
            let at = visit.take_place(*share, diary, draw);
            let acts = !on_telephone && place > first && draw.percent(self.acts(*share));
            if place == first || acts {
                let end = self.end(draw);
                if !ends.contains(&end) {
                    self.come_to(end, at, *share, diary, draw);
                    ends.push(end);
                }
            }
        }
        let known = visits[first];
        if draw.percent(88) {
            self.look_up(diary.calendar.at(known) + TimeDelta::minutes(draw.between(12, 90)), diary);
        }
        Mailbox::new(self.person, self.browser, draw).send_all(known, diary, draw);
        if draw.of_thousand(12) {
            self.be_left_alone(known, diary, draw);
        }
    }

    /// Draws when the person visits, in order.
    fn visits(&self, diary: &Diary<'_>, draw: &mut Draw) -> Vec<Share> {
        let in_a_month = match self.person.interest {
            Interest::Buys => draw.between(3, 7),
            Interest::Compares => draw.between(2, 5),
            Interest::Reads | Interest::SeeksWork => draw.between(1, 4),
            Interest::Competes => draw.between(2, 4),
        };
        let count = diary.scaled(u32::try_from(in_a_month).unwrap_or(1));
        let mut visits: Vec<Share> = (0..count)
            .map(|_| {
                let (one, other) = (Share::any(draw), Share::any(draw));
                match self.person.drift {
                    Drift::Rises => one.max(other),
                    Drift::Stays => one,
                    Drift::Fades => one.min(other),
                }
            })
            .collect();
        visits.sort_unstable();
        visits
    }

    fn pages(&self, draw: &mut Draw) -> u32 {
        match self.person.interest {
            Interest::Buys | Interest::Competes => 2 + draw.below(5),
            Interest::Compares => 1 + draw.below(5),
            Interest::Reads | Interest::SeeksWork => 1 + draw.below(3),
        }
    }

    /// Returns how many of 100 visits end with an act, such as a form.
    fn acts(&self, share: Share) -> u32 {
        let usually = match self.person.interest {
            Interest::Buys => 24,
            Interest::Compares => 12,
            Interest::Reads => 8,
            Interest::SeeksWork | Interest::Competes => 4,
        };
        match self.person.drift {
            Drift::Rises if share.is_late() => usually * 2,
            Drift::Fades if share.is_late() => usually / 2,
            _ => usually,
        }
    }

    fn end(&self, draw: &mut Draw) -> End {
        let weights = match self.person.interest {
            Interest::Buys => [10, 28, 18, 20, 10, 9, 5],
            Interest::Compares => [24, 40, 18, 10, 5, 2, 1],
            Interest::Reads => [48, 34, 16, 1, 1, 0, 0],
            Interest::SeeksWork => [70, 26, 4, 0, 0, 0, 0],
            Interest::Competes => [30, 40, 10, 20, 0, 0, 0],
        };
        let [subscribes, downloads, registers, tries, chats, demo, sales] = weights;
        draw.weighted(&[
            (subscribes, End::Subscribes),
            (downloads, End::Downloads),
            (registers, End::Registers),
            (tries, End::Tries),
            (chats, End::Chats),
            (demo, End::WantsDemo),
            (sales, End::WantsSales),
        ])
    }

    /// Adds the events at the end of a visit: the person says who they are, and acts.
    fn come_to(&self, end: End, at: DateTime<Utc>, share: Share, diary: &mut Diary<'_>, draw: &mut Draw) {
        match end {
            End::Subscribes => {
                let email = Map::from_iter([("email".to_owned(), json!(self.person.email))]);
                self.identify(at, email, false, diary);
                self.act("email_subscribed", at, json!({"list": "newsletter"}), diary);
            }
            End::Downloads => {
                self.identify(at, self.person.says(), false, diary);
                let guide = draw.one(&["Buyer's guide", "Support benchmark 2026", "Migration checklist"]);
                self.act("form_submitted", at, json!({"form": "guide"}), diary);
                self.act("content_downloaded", at + TimeDelta::seconds(4), json!({"title": guide}), diary);
            }
            End::Registers => {
                self.identify(at, self.person.says(), false, diary);
                self.act("webinar_registered", at, json!({"webinar": "Less queue, more answers"}), diary);
                self.attend(share, diary, draw);
            }
            End::Tries => {
                self.identify(at, self.person.says_all(), true, diary);
                self.act("trial_started", at, json!({"plan": draw.one(&["team", "business"])}), diary);
            }
            End::Chats => {
                self.identify(at, self.person.says(), false, diary);
                self.act(
                    "chat_started",
                    at,
                    json!({"topic": draw.one(&["prices", "migration", "security"])}),
                    diary,
                );
            }
            End::WantsDemo | End::WantsSales => {
                self.identify(at, self.person.says_all(), false, diary);
                let kind = if end == End::WantsDemo { "demo_requested" } else { "contact_sales_requested" };
                self.act(kind, at, json!({"seats": draw.between(3, 120)}), diary);
                self.meet(share, diary, draw);
            }
        }
    }

    fn identify(&self, at: DateTime<Utc>, traits: Map<String, Value>, signs_up: bool, diary: &mut Diary<'_>) {
        let user_id = signs_up.then(|| diary.user_id());
        let named = Named { user_id, ..self.named() };
        let event = diary.note("identify", at, named, json!({}));
        event.traits = traits;
        event.context = self.browser.context();
    }

    fn act(&self, kind: &'static str, at: DateTime<Utc>, properties: Value, diary: &mut Diary<'_>) {
        let at = at + TimeDelta::milliseconds(350);
        diary.note(kind, at, self.named(), properties).context = self.browser.context();
    }

    /// Adds the attendance at the next webinar, if the person comes.
    fn attend(&self, registered: Share, diary: &mut Diary<'_>, draw: &mut Draw) {
        let comes = draw.percent(60);
        let next = (0..WEBINARS).map(|number| Share::middle(number, WEBINARS)).find(|at| *at > registered);
        if let Some(next) = next.filter(|_| comes) {
            let at = diary.calendar.at(next) + TimeDelta::seconds(draw.between(0, 600));
            diary.note(
                "webinar_attended",
                at,
                self.by_email(),
                json!({"webinar": "Less queue, more answers"}),
            );
        }
    }

    fn meet(&self, asked: Share, diary: &mut Diary<'_>, draw: &mut Draw) {
        let meets = draw.percent(65);
        if let Some(share) = asked.later(draw, 150).filter(|_| meets) {
            let minutes = draw.one(&[30, 45, 60]);
            let at = diary.calendar.at_for(share, TimeDelta::zero());
            diary.note("meeting_held", at, self.by_email(), json!({"minutes": minutes}));
        }
    }

    /// Adds an identify with what a directory of companies knows of the address.
    fn look_up(&self, at: DateTime<Utc>, diary: &mut Diary<'_>) {
        if let Some(known) = self.person.is_known() {
            diary.note("identify", at, self.by_email(), json!({"source": "directory"})).traits = known;
        }
    }

    fn be_left_alone(&self, known: Share, diary: &mut Diary<'_>, draw: &mut Draw) {
        if let Some(share) = known.later(draw, 400) {
            let at = diary.calendar.at(share);
            diary.note("do_not_contact_requested", at, self.by_email(), json!({"channel": "phone"}));
        }
    }

    fn by_email(&self) -> Named {
        Named { email: Some(self.person.email.clone()), ..Named::default() }
    }

    fn named(&self) -> Named {
        Named { email: Some(self.person.email.clone()), ..self.browser.named() }
    }
}
