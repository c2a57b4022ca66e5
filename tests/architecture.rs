//! Who may import whom. The rooms are the folders of `src`; ARCHITECTURE.md has the picture.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The rooms that are features of the product, each with what it may ask of the others.
const FEATURES: [(&str, &[&str]); 28] = [
    ("checklists", &["leads", "lifecycle", "policy", "qualification"]),
    ("comparison", &["leads", "models", "qualification", "scores"]),
    ("corrections", &["ingest", "keys", "leads", "verdicts"]),
    ("crm", &["ingest", "keys", "leads"]),
    ("demo", &["handoffs", "ingest", "keys", "lifecycle", "links", "models", "queues", "scores", "verdicts"]),
    (
        "handoffs",
        &["checklists", "keys", "leads", "lifecycle", "models", "outbox", "policy", "qualification"],
    ),
    ("ingest", &["keys", "leads", "lifecycle", "models", "scores", "validity", "verdicts"]),
    ("keys", &[]),
    ("leads", &[]),
    ("lifecycle", &["leads", "models", "outbox", "policy", "qualification", "scores"]),
    ("links", &["ingest", "leads", "verdicts"]),
    ("mail", &["ingest", "leads", "verdicts", "webhooks"]),
    ("erasure", &["leads", "models", "outbox", "scores"]),
    ("merges", &["ingest", "keys", "leads", "lifecycle", "outbox", "qualification", "queues", "scores"]),
    ("models", &[]),
    ("normalisation", &["ingest", "leads", "lifecycle", "policy", "verdicts"]),
    ("outbox", &[]),
    ("outcomes", &["leads", "lifecycle", "outbox", "qualification"]),
    ("policy", &["leads", "models"]),
    ("publishing", &["leads", "lifecycle", "models", "qualification", "scores"]),
    ("qualification", &["leads", "models", "outbox", "policy"]),
    ("queues", &["leads", "models"]),
    ("scores", &["leads", "models", "validity"]),
    ("timeline", &["corrections", "leads", "outcomes", "qualification", "verdicts"]),
    ("tracking", &["erasure", "ingest", "keys", "leads", "verdicts"]),
    ("validity", &[]),
    ("verdicts", &["leads", "lifecycle"]),
    ("webhooks", &["outbox"]),
];

/// What lies beneath the features and knows none of them.
const FOUNDATION: [(&str, &[&str]); 6] = [
    ("clock", &[]),
    ("db", &[]),
    ("ids", &["clock"]),
    ("json", &[]),
    ("spelling", &[]),
    ("telemetry", &["config"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules at the top of the crate that a file names after `crate::`.
fn imports(source: &str) -> BTreeSet<String> {
    let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(head(rest)),
        }
    }
    found
}

fn head(path: &str) -> Option<String> {
    let name: String = path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first names within a group that stands open, until it closes.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut found, mut expecting) = (1, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expecting = true,
            c if expecting && c.is_alphabetic() => {
                found.extend(head(&group[at..]));
                expecting = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// What each room at the top of `src` imports of the others.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        rooms.entry(room).or_default().extend(imports(&fs::read_to_string(&path).unwrap()));
    }
    rooms
}

#[test]
fn imports_are_read_from_plain_and_grouped_lines() {
    let source = "use crate::{\n    app::App,\n    http::{auth::Reader, page},\n    ids,\n};\nlet x = crate::clock::to_utc(at); // crate::\n";

    let found = imports(source);

    assert_eq!(found, ["app", "clock", "http", "ids"].map(str::to_owned).into());
}

#[test]
fn a_feature_asks_only_what_the_picture_allows() {
    let rooms = rooms();
    let features: BTreeSet<&str> = FEATURES.iter().map(|(room, _)| *room).collect();
    for (room, allowed) in FEATURES {
        let asked: Vec<&String> = rooms[room]
            .iter()
            .filter(|other| {
                *other != room && features.contains(other.as_str()) && !allowed.contains(&other.as_str())
            })
            .collect();
        assert!(asked.is_empty(), "`{room}` imports {asked:?}, which the picture does not allow");
    }
}

#[test]
fn the_allowed_imports_run_one_way() {
    fn reaches(from: &str, to: &str) -> bool {
        let (_, next) = FEATURES.iter().find(|(room, _)| *room == from).unwrap();
        next.iter().any(|room| *room == to || reaches(room, to))
    }
    for (room, _) in FEATURES {
        assert!(!reaches(room, room), "`{room}` reaches itself");
    }
}

#[test]
fn the_foundation_knows_no_feature() {
    let rooms = rooms();
    for (room, allowed) in FOUNDATION {
        let asked: Vec<&String> =
            rooms[room].iter().filter(|other| *other != room && !allowed.contains(&other.as_str())).collect();
        assert!(asked.is_empty(), "`{room}` imports {asked:?}");
    }
}

#[test]
fn every_room_is_on_the_picture() {
    let known: BTreeSet<&str> = FEATURES.iter().chain(&FOUNDATION).map(|(room, _)| *room).collect();
    let frame =
        BTreeSet::from(["app", "command", "config", "health", "http", "lib", "main", "serve", "sweep"]);
    for room in rooms().keys() {
        assert!(
            known.contains(room.as_str()) || frame.contains(room.as_str()),
            "`{room}` is new: put it on the picture"
        );
    }
}

#[test]
fn only_stores_and_views_hold_sql() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&src) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let checked = fs::read_to_string(&path).unwrap().contains("sqlx::query");
        let in_store = path.parent().is_some_and(|folder| folder.ends_with("store"));
        assert!(
            !checked || in_store || ["store.rs", "view.rs", "db.rs", "serve.rs"].contains(&name.as_str()),
            "{} holds SQL; it belongs into its room's store.rs",
            path.display()
        );
    }
}

#[test]
fn the_scoring_core_knows_no_clock_no_database_and_no_http() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/scoring/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    for banned in ["tokio", "sqlx", "axum", "rand", "reqwest", "\"clock\"", "\"now\""] {
        assert!(!manifest.contains(banned), "crates/scoring depends on {banned}");
    }
}
