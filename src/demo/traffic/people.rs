//! Companies, and the people in them. All are invented; their addresses are under `.example`, which nobody can own.

use serde_json::{Map, Value, json};

use super::{draw::Draw, object};

const FIRST: &str = "Anna Ben Carla David Elena Felix Grace Hugo Ines Jakub Karim Lena Marco Nadia Oscar Petra Quentin \
    Rosa Samir Tessa Uma Victor Wanda Ximena Yusuf Zoe Aisha Bruno Chloe Dmitri Esther Farid Greta \
    Henrik Ivy Jonas Keiko Liam Maya Nils Olga Pablo Renata Stefan Tomas Ursula Vera Wei Yara Zachary \
    Amara Boris Celine Diego Emma Fatima Goran Hana Ilya Julia";

/// The number of names is prime, so people with neighbouring numbers never share a last name.
const LAST: &str = "Abbott Almeida Andersen Bauer Becker Bergman Bianchi Campbell Castro Chen Cohen Costa Dahl Diallo \
    Dubois Eriksen Farrell Fischer Fontaine Garcia Gruber Haddad Hansen Hoffmann Ibrahim Ivanova Jansen \
    Jimenez Kaya Keller Kim Kovacs Kowalski Larsen Laurent Lindqvist Lopez Marino Martens Mbeki Meyer \
    Moreau Nakamura Novak Nunes Okafor Olsen Ortega Palmer Papadakis Park Patel Petrov Quinn Ramos Reyes \
    Ricci Rossi Sato Schmidt Silva Singh Sokolov Tanaka Torres Vargas Vogel Weber Wilson Yilmaz Zhang";

const COMPANY: &str = "Alder Amber Anchor Aspen Beacon Birch Bright Canyon Cedar Cobalt Copper Coral Crescent Delta \
    Driftwood Ember Falcon Fjord Flint Garnet Granite Harbour Hazel Heron Indigo Iris Juniper Kestrel \
    Lantern Linden Lumen Maple Meridian Mistral North Oak Onyx Orchard Pebble Pine Quarry Raven River \
    Saffron Sierra Summit Tidal Umber Willow Zephyr";

const KIND: [(&str, &str); 16] = [
    ("Software", "Software"),
    ("Logistics", "Transportation"),
    ("Analytics", "Technology"),
    ("Foods", "Food & Beverage"),
    ("Capital", "Financial Services"),
    ("Health", "Healthcare"),
    ("Systems", "Information Technology"),
    ("Studio", "Design"),
    ("Cloud", "Internet"),
    ("Works", "Manufacturing"),
    ("Pay", "Financial Services"),
    ("Retail", "Retail"),
    ("Labs", "Software"),
    ("Energy", "Energy"),
    ("Media", "Media"),
    ("Partners", "Consulting"),
];

const DECIDES: [&str; 14] = [
    "CEO",
    "CTO",
    "CMO",
    "Founder",
    "Co-Founder & CTO",
    "VP Sales",
    "VP Marketing",
    "VP Engineering",
    "Head of Growth",
    "Head of Operations",
    "Head of IT",
    "Sales Director",
    "Marketing Director",
    "Director of Engineering",
];
const MANAGES: [&str; 9] = [
    "Marketing Manager",
    "Sales Manager",
    "Product Manager",
    "IT Manager",
    "Operations Manager",
    "Demand Gen Manager",
    "Account Manager",
    "Project Manager",
    "Engineering Manager",
];
const WORKS: [&str; 10] = [
    "Software Engineer",
    "Data Analyst",
    "Marketing Specialist",
    "Business Analyst",
    "Consultant",
    "SDR",
    "Designer",
    "Solutions Engineer",
    "Systems Administrator",
    "Office Assistant",
];
const SEEKS: [&str; 6] =
    ["Student", "Business student", "Marketing intern", "Seeking new challenges", "PhD student", "Intern"];

/// Returns the word at a place of a list. The list begins again after its end.
fn word(list: &'static str, place: u64) -> &'static str {
    let words = list.split(' ').count() as u64;
    let place = usize::try_from(place % words).unwrap_or(0);
    list.split(' ').nth(place).unwrap_or_default()
}

/// What a person wants from the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// To buy, soon.
    Buys,
    /// To compare.
    Compares,
    /// To read.
    Reads,
    /// A job.
    SeeksWork,
    /// To know what a competitor does.
    Competes,
}

/// How a person's interest changes over the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drift {
    Rises,
    Stays,
    Fades,
}

/// A person who says who they are.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) title: &'static str,
    pub(super) phone: Option<String>,
    pub(super) interest: Interest,
    pub(super) drift: Drift,
    company: Option<Company>,
}

#[derive(Debug, Clone)]
struct Company {
    name: String,
    domain: String,
    industry: &'static str,
    employees: i64,
}

impl Person {
    /// Draws the person with this number. About three neighbours work for one company.
    pub(super) fn new(seed: u64, number: u32, draw: &mut Draw) -> Person {
        let interest = draw.weighted(&[
            (8, Interest::Buys),
            (24, Interest::Compares),
            (54, Interest::Reads),
            (12, Interest::SeeksWork),
            (2, Interest::Competes),
        ]);
        let drift = draw.one(&[Drift::Rises, Drift::Stays, Drift::Fades]);
        let title = title(interest, draw);
        let private = interest == Interest::SeeksWork || draw.percent(6);
        let company = Company::new(seed, (number + draw.below(3)) / 3);
        let first = word(FIRST, draw.bits());
        let last = word(LAST, (seed % 71) + u64::from(number) * 37);
        let local = format!("{}.{}", first.to_lowercase(), last.to_lowercase());
        let email = if private {
            format!("{local}{number}@mail.example")
        } else {
            format!("{local}@{}", company.domain)
        };
        let phone = draw.percent(55).then(|| format!("+1 555 01{:02}", draw.below(100)));
        let company = (!private).then_some(company);
        Person { name: format!("{first} {last}"), email, title, phone, interest, drift, company }
    }

    /// Returns what the person writes into a short form.
    pub(super) fn says(&self) -> Map<String, Value> {
        object(json!({"email": self.email, "name": self.name, "title": self.title}))
    }

    /// Returns what the person writes into a form to be called, with a phone number if there is one.
    pub(super) fn says_all(&self) -> Map<String, Value> {
        let mut traits = self.says();
        if let Some(phone) = &self.phone {
            traits.insert("phone".to_owned(), json!(phone));
        }
        traits
    }

    /// Returns what a directory of companies knows of the person. `None` for a private address.
    pub(super) fn is_known(&self) -> Option<Map<String, Value>> {
        let Company { name, domain, industry, employees } = self.company.as_ref()?;
        let mut traits = object(json!({
            "company": {"name": name, "domain": domain, "industry": industry, "employees": employees},
        }));
        if self.interest == Interest::Competes {
            traits.insert("relationship".to_owned(), json!("competitor"));
        }
        Some(traits)
    }
}

fn title(interest: Interest, draw: &mut Draw) -> &'static str {
    let titles: &[(u32, &[&'static str])] = match interest {
        Interest::SeeksWork => &[(8, &SEEKS), (2, &WORKS)],
        Interest::Buys => &[(5, &DECIDES), (4, &MANAGES), (2, &WORKS)],
        Interest::Compares => &[(3, &DECIDES), (4, &MANAGES), (4, &WORKS)],
        Interest::Reads | Interest::Competes => &[(2, &DECIDES), (3, &MANAGES), (5, &WORKS)],
    };
    let titles = draw.weighted(titles);
    draw.one(titles)
}

impl Company {
    /// Makes the company with this number. It is the same for everybody who works there.
    fn new(seed: u64, number: u32) -> Company {
        let mut draw = Draw::new(seed, (1 << 40) | u64::from(number));
        let kinds = KIND.len() as u64;
        let names = COMPANY.split(' ').count() as u64 * kinds;
        // The step and the number of names have no common divisor. So all names are used before one is used again.
        let place = (seed % names + u64::from(number) * 457) % names;
        let (kind, industry) = KIND[usize::try_from(place % kinds).unwrap_or(0)];
        let first = word(COMPANY, place / kinds);
        let round = u64::from(number) / names;
        let again = if round == 0 { String::new() } else { format!(" {}", round + 1) };
        let name = format!("{first} {kind}{again}");
        let domain = format!("{}.example", name.to_lowercase().replace(' ', "-"));
        let (least, most) =
            draw.weighted(&[(10, (1, 4)), (30, (5, 49)), (42, (50, 999)), (18, (1_000, 40_000))]);
        Company { name, domain, industry, employees: draw.between(least, most) }
    }
}
