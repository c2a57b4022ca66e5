//! What is printed: tables and sentences for people, the API's own answers for programs.

use std::io::{self, IsTerminal, Write};

use chrono::{DateTime, Utc};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Row, Table,
    TableStyle, presets,
};
use console::Term;

use crate::{Usage, client::Answer, connection::Common};

/// A narrower terminal gets lines that it breaks itself.
const NARROWEST: u16 = 40;

/// The standard output, and what is known of who reads it.
pub struct Screen {
    out: Box<dyn Write>,
    /// Whether a program reads: then nothing is printed but the API's answers.
    pub json: bool,
    /// The instant from which "6 h ago" counts.
    pub now: DateTime<Utc>,
    width: Option<u16>,
    coloured: bool,
}

/// How the rows of a table are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One line each.
    Dense,
    /// Several lines each, with a rule between two rows.
    Ruled,
    /// Nothing is drawn.
    Bare,
}

impl Screen {
    /// The standard output of this process.
    #[must_use]
    pub fn new(common: &Common, now: DateTime<Utc>) -> Screen {
        Screen::of(common.json, now)
    }

    /// The standard output of this process, for a program or for a person.
    ///
    /// Colours are for terminals, unless `NO_COLOR` is set. Lines are as wide as the terminal; where there is none they
    /// are as wide as `COLUMNS` says, and else as they need to be.
    #[must_use]
    pub fn of(json: bool, now: DateTime<Utc>) -> Screen {
        let coloured =
            console::colors_enabled() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
        Screen { out: Box::new(io::stdout().lock()), json, now, width: width(), coloured }
    }

    /// Prints a line for people.
    ///
    /// # Errors
    ///
    /// If nobody reads any more.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// Prints an answer of the API as it came.
    ///
    /// # Errors
    ///
    /// If nobody reads any more.
    pub fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        self.line(answer.text())
    }

    /// Prints a table.
    ///
    /// # Errors
    ///
    /// If nobody reads any more.
    pub fn table(&mut self, mut table: Table) -> io::Result<()> {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = self.width {
            table.set_width(width);
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        if self.coloured {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let text = table.trim_fmt();
        self.line(text)
    }
}

/// How wide lines may be: as wide as the terminal; where there is none, as `COLUMNS` says. `None` is as wide as they need.
#[must_use]
pub fn width() -> Option<u16> {
    let terminal = Term::stdout();
    let width = match terminal.size_checked() {
        Some((_, width)) if terminal.is_term() => Some(width),
        _ => std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()),
    };
    width.filter(|width| *width >= NARROWEST)
}

/// An empty table. The columns of these places hold numbers.
#[must_use]
pub fn table<const N: usize>(rows: Rows, head: [&str; N], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    let underline = LineStyle::none().fill('─').junction('─');
    table.load_style(match rows {
        Rows::Dense => TableStyle::new().header_separator(underline),
        Rows::Ruled => presets::UTF8_HORIZONTAL_ONLY,
        Rows::Bare => presets::NOTHING,
    });
    if rows != Rows::Bare {
        table.set_header(Row::from(head.map(|name| Cell::new(name).add_attribute(Attribute::Bold))));
    }
    for number in numbers {
        if let Some(column) = table.column_mut(*number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The widest content that is never broken.
const UNBROKEN: u16 = 40;

/// Keeps what people copy, such as an id, on one line; the other columns give way. Call it when all rows are there.
pub fn keep_whole(table: &mut Table, column: usize) {
    let widths = table.column_max_content_widths();
    if widths.get(column).is_some_and(|width| *width <= UNBROKEN)
        && let Some(column) = table.column_mut(column)
    {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// A cell for a band, in the colour of its warmth. Bands that a model names otherwise have no colour.
#[must_use]
pub fn band(label: &str) -> Cell {
    let cell = Cell::new(crate::words::visible(label));
    match label {
        "hot" => cell.fg(Color::Red),
        "warm" => cell.fg(Color::Yellow),
        "cold" => cell.fg(Color::Blue),
        _ => cell,
    }
}

/// A cell for points that were given or taken.
#[must_use]
pub fn change(text: String) -> Cell {
    match text.as_bytes().first() {
        Some(b'+') => Cell::new(text).fg(Color::Green),
        Some(b'-') => Cell::new(text).fg(Color::Red),
        _ => Cell::new(text),
    }
}

/// Asks the person at the terminal. `yes` is the answer of somebody who does not want to be asked.
///
/// # Errors
///
/// [`Usage`] where nobody can be asked; an error if the answer is no.
pub fn confirm(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Usage::error("nobody can be asked here: give --yes to go ahead"));
    }
    let mut err = io::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    anyhow::ensure!(
        ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()),
        "nothing was changed: the answer was not `y`"
    );
    Ok(())
}
