//! Tables of what each documented value of the providers' fields means. A test reads each line of a table
//! through the provider's reader. A line has the fields of an event and its meaning here.

mod amazon;
mod brevo;
mod mailgun;
mod postmark;
mod resend;
mod sendgrid;

use crate::intake::mail::news::{News, Read, What};

/// Lines of fields and their meaning.
type Table = &'static [(&'static str, &'static str)];

const NOTHING: &str = "nothing";

/// The meaning of a report, in the words of the tables.
fn meaning(read: Option<Read>) -> String {
    let Read { news, passed_over } = read.unwrap();
    match news.as_slice() {
        [] if passed_over == 1 => NOTHING.to_owned(),
        [one] => meaning_of(one),
        _ => panic!("{news:?}"),
    }
}

fn meaning_of(news: &News) -> String {
    let what = match news.what {
        What::Delivered => "delivered",
        What::Opened => "opened",
        What::Clicked => "clicked",
        What::BouncedHard => "hard bounce",
        What::BouncedSoft => "soft bounce",
        What::Complained => "complained",
        What::Unsubscribed => "unsubscribed",
        What::Subscribed => "subscribed",
    };
    let machine = if news.machine { " by a machine" } else { "" };
    let preposition = match news.what {
        What::Unsubscribed => "from",
        What::Subscribed => "to",
        _ => "of",
    };
    let list = news.list.as_ref().map(|name| format!(" {preposition} list {name}")).unwrap_or_default();
    format!("{what}{machine}{list}")
}

/// Reads each line of a table. The fields replace the `…` of the frame.
fn assert_reads(table: Table, frame: &str, read: impl Fn(&str) -> Option<Read>) {
    for (said, expected) in table {
        assert_eq!(meaning(read(&frame.replace('…', said))), *expected, "{said}");
    }
}
