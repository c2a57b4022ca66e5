//! What the demo says when it is done: a summary, and the top of the queue as a table.

use std::{
    cmp::Reverse,
    io::{self, Write},
};

use chrono::{DateTime, Utc};
use cli::words::{ago, short};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use super::{
    sending::Sent,
    service::{Lead, Line, Receipt},
};

/// Says what became of the events.
pub(super) fn summary(out: &mut impl Write, sent: &Sent, seed: u64) -> io::Result<()> {
    let Sent { accepted, duplicates, .. } = sent;
    let seconds = sent.took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = sent.total() as f64 / seconds.max(0.001);
    writeln!(out, "Sent {} events in {seconds:.1} s, {rate:.0} a second.", sent.total())?;
    writeln!(out, "  accepted    {accepted:>8}")?;
    writeln!(out, "  duplicates  {duplicates:>8}")?;
    writeln!(out, "  rejected    {:>8}", sent.refused())?;
    for (code, (count, detail)) in &sent.rejected {
        writeln!(out, "    {code}: {count}, such as: {detail}")?;
    }
    if *accepted == 0 && *duplicates > 0 {
        writeln!(
            out,
            "Nothing is new: seed {seed} was sent before, and what comes twice counts once. \
             --seed {} brings other people.",
            seed.wrapping_add(1)
        )?;
    } else if *duplicates > 0 {
        writeln!(out, "Duplicates are part of it: what comes twice, as from real trackers, counts once.")?;
    }
    Ok(())
}

/// Shows the top of the queue, with what each score is made of, in lines of at most `width` columns.
pub(super) fn queue(
    out: &mut impl Write,
    leads: &[(Lead, Receipt)],
    now: DateTime<Utc>,
    width: Option<u16>,
) -> io::Result<()> {
    if leads.is_empty() {
        return writeln!(out, "\nThe queue `sales` is empty: no lead is an MQL by the live model.");
    }
    writeln!(out, "\nTop of the queue `sales`: who to call next")?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["#", "Score", "Grade", "Band", "Lead", "Company", "Mostly for", "Last activity"]);
    for (place, (lead, receipt)) in leads.iter().enumerate() {
        table.add_row(row(place + 1, lead, receipt, now));
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

fn row(rank: usize, lead: &Lead, receipt: &Receipt, now: DateTime<Utc>) -> [String; 8] {
    let said = |value: Option<&Value>| value.and_then(Value::as_str).map(visible);
    let name = said(lead.profile.get("name")).or_else(|| lead.email.as_deref().map(visible));
    let company = lead.profile.get("company").and_then(|company| company.get("name"));
    let who = [name, said(lead.profile.get("title"))];
    [
        rank.to_string(),
        lead.score.to_string(),
        lead.grade.clone(),
        lead.band.clone(),
        who.into_iter().flatten().collect::<Vec<_>>().join("\n"),
        said(company).unwrap_or_default(),
        reasons(receipt).join("\n"),
        lead.last_activity_at.map(|at| ago(at, now)).unwrap_or_default(),
    ]
}

/// The two things that the person did which count most.
fn reasons(receipt: &Receipt) -> Vec<String> {
    let did = |line: &&Line| line.points > 0 && line.dimension.as_deref() == Some("engagement");
    let mut lines: Vec<&Line> = receipt.lines.iter().filter(did).collect();
    lines.sort_by_key(|line| Reverse(line.points));
    lines.into_iter().filter_map(|line| line.rule.as_deref().map(visible)).take(2).collect()
}

/// A text that somebody sent, fit for a terminal and of bounded length.
fn visible(text: &str) -> String {
    const LONGEST: usize = 33;
    short(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    fn lead(profile: Value) -> Lead {
        Lead {
            id: "01".to_owned(),
            email: Some("ada@north.example".to_owned()),
            score: 87,
            grade: "A1".to_owned(),
            band: "hot".to_owned(),
            profile: serde_json::from_value(profile).unwrap(),
            last_activity_at: Some(DateTime::UNIX_EPOCH),
        }
    }

    fn shown(leads: &[Lead]) -> String {
        let mut out = Vec::new();
        let line = |rule: &str, points| Line {
            dimension: Some("engagement".to_owned()),
            rule: Some(rule.to_owned()),
            points,
        };
        let lines =
            || vec![line("small", 1), line("great", 9_000), line("sad", -5_000), line("middling", 5_000)];
        let leads: Vec<_> = leads.iter().map(|lead| (lead.clone(), Receipt { lines: lines() })).collect();
        queue(&mut out, &leads, DateTime::UNIX_EPOCH + TimeDelta::hours(3), None).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_lead_is_shown_by_its_name_and_else_by_its_address() {
        let named = shown(&[lead(json!({"name": "Ada North", "company": {"name": "North Labs"}}))]);
        assert!(named.contains("Ada North") && named.contains("North Labs") && named.contains("3 h ago"));
        assert!(shown(&[lead(json!({}))]).contains("ada@north.example"));
    }

    #[test]
    fn the_two_weightiest_deeds_are_the_reasons() {
        let shown = shown(&[lead(json!({}))]);
        assert!(shown.contains("great") && shown.contains("middling"));
        assert!(!shown.contains("small") && !shown.contains("sad"));
    }

    #[test]
    fn what_somebody_sent_cannot_steer_the_terminal() {
        let shown = shown(&[lead(json!({"name": "\u{1b}[31mAda\u{7}\nNorth"}))]);
        assert!(shown.contains("[31mAdaNorth") && !shown.contains('\u{1b}'));
    }

    #[test]
    fn an_empty_queue_is_said_to_be_empty() {
        assert!(shown(&[]).contains("is empty"));
    }

    #[test]
    fn a_second_run_is_said_to_bring_nothing_new() {
        let sent = Sent { duplicates: 7, took: Duration::from_secs(1), ..Sent::default() };
        let mut out = Vec::new();
        summary(&mut out, &sent, 1).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("Nothing is new: seed 1 was sent before"));
    }
}
