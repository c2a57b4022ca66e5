//! Texts up to a size: arrays, and what an event may be filled with.

/// Items in an array, so many.
pub(super) fn array(items: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..items).map(item).collect();
    format!("[{}]", items.join(","))
}

/// Items with commas between, up to so many bytes.
pub(super) fn filled(open: &str, item: impl Fn(usize) -> String, close: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    text.push_str(open);
    let mut number = 0;
    loop {
        let next = item(number);
        if text.len() + next.len() + 1 + close.len() > bytes {
            break;
        }
        if number > 0 {
            text.push(',');
        }
        text.push_str(&next);
        number += 1;
    }
    text.push_str(close);
    text
}

/// Events with these properties, as many as a body may have bytes.
pub(super) fn of_properties(properties: &str, bytes: usize) -> String {
    let event = |n: usize| {
        let user = n % 100;
        format!(
            r#"{{"type":"page_viewed","lead":{{"user_id":"w{user}"}},"properties":{{{properties}}},"context":{{"n":{n}}}}}"#
        )
    };
    filled("[", event, "]", bytes)
}

pub(super) fn numbers(bytes: usize) -> String {
    filled(r#""a":["#, |_| "1e-300".to_owned(), "]", bytes)
}

pub(super) fn zeros(bytes: usize) -> String {
    filled(r#""a":["#, |_| "0".to_owned(), "]", bytes)
}

pub(super) fn keys(bytes: usize) -> String {
    filled("", |n| format!(r#""{n}":0"#), "", bytes)
}

pub(super) fn escapes(bytes: usize) -> String {
    format!(r#""a":"{}""#, r"\u00e9".repeat(bytes / 6))
}

pub(super) fn nested(bytes: usize) -> String {
    let deep = format!("{}{}", "[".repeat(29), "]".repeat(29));
    filled(r#""a":["#, |_| deep.clone(), "]", bytes)
}

fn agent(bytes: usize) -> String {
    let named = "Mozilla/5.0 (X11; Linux x86_64) ".repeat(bytes / 32);
    format!(r#""context":{{"user_agent":"{named}"}}"#)
}

pub(super) fn agents(event: usize, bytes: usize) -> String {
    let agent = agent(event);
    filled("[", |_| format!(r#"{{"type":"page_viewed","lead":{{"user_id":"w1"}},{agent}}}"#), "]", bytes)
}
