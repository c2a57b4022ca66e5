//! What the demo prints at its end: a summary, and the top of the queue as a table.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use cli::words::{ago, short};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use super::{play::Told, sales::Results};

/// How many reasons for a lead's place are shown.
const REASONS: usize = 3;

/// Prints what happened, or that the seed was played before.
pub(super) fn summary(out: &mut impl Write, told: Option<&Told>, seed: u64) -> io::Result<()> {
    let Some(told) = told else {
        let next = seed.wrapping_add(1);
        return writeln!(
            out,
            "Nothing was added: seed {seed} was played before. --seed {next} plays a story with other people."
        );
    };
    writeln!(out, "Played the story in {:.1} s.", told.took.as_secs_f64())?;
    writeln!(out, "  events         {:>7}, and {} that came twice", told.accepted, told.duplicates)?;
    if told.refused() > 0 {
        writeln!(out, "  rejected       {:>7}", told.refused())?;
    }
    for (code, (count, detail)) in &told.rejected {
        writeln!(out, "    {code}: {count}, such as: {detail}")?;
    }
    let Results { offered, accepted, rejected, recycled, calls, opportunities, won, lost, worth } =
        told.results;
    writeln!(
        out,
        "  offered        {offered:>7}: {accepted} accepted, {rejected} rejected, {recycled} sent back"
    )?;
    writeln!(out, "  called         {calls:>7}")?;
    writeln!(out, "  opportunities  {opportunities:>7}: {won} won for {} EUR, {lost} lost", worth / 100)
}

/// Prints the top of the queue, in the order of the API's answer, in lines of at most `width` columns.
pub(super) fn queue(
    out: &mut impl Write,
    leads: &Value,
    now: DateTime<Utc>,
    width: Option<u16>,
) -> io::Result<()> {
    let leads = leads.as_array().map(Vec::as_slice).unwrap_or_default();
    if leads.is_empty() {
        return writeln!(out, "\nThe queue `sales` is empty: no lead is an MQL by the live model.");
    }
    writeln!(out, "\nTop of the queue `sales`: who to call next")?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["#", "Score", "Grade", "Band", "Lead", "Company", "Why", "Last activity"]);
    for (place, lead) in leads.iter().enumerate() {
        table.add_row(row(place + 1, lead, now));
    }
    for number in [0, 1] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    writeln!(out, "{}", table.trim_fmt())
}

fn row(rank: usize, lead: &Value, now: DateTime<Utc>) -> [String; 8] {
    let said = |value: &Value| value.as_str().map(visible);
    let profile = &lead["profile"];
    let who = [said(&profile["name"]).or_else(|| said(&lead["email"])), said(&profile["title"])];
    let active = lead["last_activity_at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
    [
        rank.to_string(),
        lead["score"].to_string(),
        said(&lead["grade"]).unwrap_or_default(),
        said(&lead["band"]).unwrap_or_default(),
        who.into_iter().flatten().collect::<Vec<_>>().join("\n"),
        said(&profile["company"]["name"]).unwrap_or_default(),
        reasons(lead).join("\n"),
        active.map(|at| ago(at, now)).unwrap_or_default(),
    ]
}

/// Returns the first reasons that the other columns do not show.
fn reasons(lead: &Value) -> Vec<String> {
    let shown = ["tier ", "score ", "raw ", "first seen "];
    let why = lead["why"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let why = why.filter(|reason| !shown.iter().any(|column| reason.starts_with(column)));
    why.take(REASONS).map(visible).collect()
}

/// Makes a text from outside fit for a terminal: without control characters and of bounded length.
fn visible(text: &str) -> String {
    const LONGEST: usize = 42;
    short(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    fn shown(profile: &Value) -> String {
        let mut out = Vec::new();
        let lead = json!({
            "email": "ada@north.example", "score": 87, "grade": "A1", "band": "hot", "profile": profile,
            "last_activity_at": "1970-01-01T00:00:00Z",
            "why": ["tier asked for sales, 1 of 2", "asked for sales 2026-11-20 10:00:00 UTC", "score 87 (hot)",
                "raw 87 points", "first seen 2026-01-01 00:00:00 UTC", "pricing page +30", "free trial +18", "title +20"],
        });
        queue(&mut out, &json!([lead]), DateTime::UNIX_EPOCH + TimeDelta::hours(3), None).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_lead_is_shown_by_its_name_and_else_by_its_address() {
        let named = shown(&json!({"name": "Ada North", "company": {"name": "North Labs"}}));
        assert!(named.contains("Ada North") && named.contains("North Labs") && named.contains("3 h ago"));
        assert!(shown(&json!({})).contains("ada@north.example"));
    }

    #[test]
    fn the_reasons_are_those_of_the_queue_as_far_as_no_other_column_shows_them() {
        let shown = shown(&json!({}));
        for reason in ["asked for sales 2026-11-20", "pricing page +30", "free trial +18"] {
            assert!(shown.contains(reason), "{shown}");
        }
        assert!(!shown.contains("tier") && !shown.contains("raw") && !shown.contains("title +20"));
    }

    #[test]
    fn what_somebody_sent_cannot_steer_the_terminal() {
        let shown = shown(&json!({"name": "\u{1b}[31mAda\u{7}\nNorth"}));
        assert!(shown.contains("[31mAdaNorth") && !shown.contains('\u{1b}'));
    }

    #[test]
    fn an_empty_queue_is_said_to_be_empty() {
        let mut out = Vec::new();
        queue(&mut out, &json!([]), DateTime::UNIX_EPOCH, None).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("is empty"));
    }

    #[test]
    fn a_second_run_is_said_to_bring_nothing_new() {
        let mut out = Vec::new();
        summary(&mut out, None, 1).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("Nothing was added: seed 1 was played before"));
    }
}
