//! Who may import whom. The folders of `src` are wings, and their folders are rooms.
//!
//! ARCHITECTURE.md holds the picture of what each room imports. `cargo xtask architecture` draws it anew.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The wings, from the ground up. A wing imports only what stands beneath it.
const WINGS: [&str; 12] = [
    "platform",
    "http",
    "keys",
    "models",
    "leads",
    "scores",
    "feed",
    "lifecycle",
    "queues",
    "intake",
    "publishing",
    "timeline",
];

/// The wings that are made of rooms. Every other wing is one room.
const OF_ROOMS: [&str; 4] = ["platform", "feed", "lifecycle", "intake"];

/// What composes the wings. It may import everything.
const COMPOSITION: [&str; 11] =
    ["app", "command", "config", "demo", "health", "lib", "main", "routes", "serve", "sweeps", "telemetry"];

/// The room that deletes what is known of a person, from whatever table.
const ERASURE: &str = "lifecycle/erasure";

/// The tables that more than one room writes besides erasure, with all their writers. Every other table has one.
const SHARED_TABLES: [(&str, &[&str]); 9] = [
    ("checklist_answer", &["intake/merges", "lifecycle/checklists", "lifecycle/stages"]),
    ("consent", &["intake/normalisation", "leads"]),
    ("event", &["intake/ingest", "intake/normalisation", "intake/verdicts"]),
    ("handoff", &["lifecycle/handoffs", "lifecycle/stages"]),
    ("outcome", &["lifecycle/outcomes", "lifecycle/stages"]),
    ("rollback_state", &["lifecycle/change", "publishing"]),
    ("score", &["publishing", "scores"]),
    ("scored_model", &["models", "publishing"]),
    ("scoring_model", &["models", "publishing"]),
];

/// How many lines a file may have. A longer one holds more than one thing.
const LONGEST_FILE: usize = 500;

const PICTURE: [&str; 2] = ["<!-- the picture -->\n```\n", "```\n<!-- end of the picture -->"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

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

/// The code of a file, without comments and unit tests.
fn code(source: &str) -> String {
    let tested = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines: Vec<&str> = tested.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
}

/// The first two names of each path that a file writes after `crate::`, in groups too.
fn imports(source: &str) -> BTreeSet<Vec<String>> {
    let code = code(source);
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let (paths, _) = paths(&code[at + "crate::".len()..]);
        let named = paths.into_iter().filter(|path| !path[0].is_empty());
        found.extend(named.map(|path| path.into_iter().take(2).collect()));
    }
    found
}

/// The paths that begin here, and what comes after them.
fn paths(text: &str) -> (Vec<Vec<String>>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut all = Vec::new();
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                return (all, rest);
            }
            if let Some(after) = rest.strip_prefix('}') {
                return (all, after);
            }
            let (found, after) = paths(rest);
            all.extend(found);
            rest = after;
            while !rest.is_empty() && !rest.starts_with([',', '}']) {
                rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(further) = rest.strip_prefix("::") else { return (vec![vec![name.to_owned()]], rest) };
    let (further, rest) = paths(further);
    let path = |mut path: Vec<String>| {
        path.insert(0, name.to_owned());
        path
    };
    (further.into_iter().map(path).collect(), rest)
}

/// The room of a path within the crate: `lifecycle/handoffs`, or the wing itself.
fn room(path: &[String]) -> String {
    let wing = path[0].trim_end_matches(".rs");
    let inner = path.get(1).map(|name| name.trim_end_matches(".rs"));
    match inner {
        Some(inner) if OF_ROOMS.contains(&wing) && is_room(wing, inner) => format!("{wing}/{inner}"),
        _ => wing.to_owned(),
    }
}

/// Whether a wing has such a room, which others can name.
fn is_room(wing: &str, name: &str) -> bool {
    let wing = fs::read_to_string(root().join("src").join(wing).join("mod.rs")).unwrap();
    wing.contains(&format!("pub mod {name};"))
}

fn segments(relative: &Path) -> Vec<String> {
    relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}

/// What each room imports of the others.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let src = root().join("src");
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&src) {
        let here = room(&segments(path.strip_prefix(&src).unwrap()));
        let named = imports(&fs::read_to_string(&path).unwrap());
        let others = named.iter().map(|path| room(path)).filter(|other| *other != here);
        rooms.entry(here.clone()).or_default().extend(others);
    }
    rooms
}

fn wing(room: &str) -> &str {
    room.split('/').next().unwrap()
}

#[test]
fn imports_are_read_from_plain_and_grouped_lines() {
    let source = "use crate::{\n    app::App,\n    http::{page, problem::{Code, Problem}},\n    ids,\n};\nlet x = crate::clock::to_utc(at); // crate::\n";

    let found: Vec<String> = imports(source).into_iter().map(|path| path.join("::")).collect();

    assert_eq!(found, ["app::App", "clock::to_utc", "http::page", "http::problem", "ids"]);
}

#[test]
fn a_wing_imports_only_wings_beneath_it() {
    let floor = |wing: &str| WINGS.iter().position(|known| *known == wing);
    for (room, imported) in rooms() {
        let Some(own) = floor(wing(&room)) else { continue };
        let above: Vec<&String> =
            imported.iter().filter(|other| floor(wing(other)).is_none_or(|floor| floor > own)).collect();
        assert!(above.is_empty(), "`{room}` imports {above:?}, which stand above it");
    }
}

#[test]
fn rooms_import_one_another_one_way() {
    fn reaches(
        rooms: &BTreeMap<String, BTreeSet<String>>,
        from: &str,
        to: &str,
        seen: &mut BTreeSet<String>,
    ) -> bool {
        rooms
            .get(from)
            .into_iter()
            .flatten()
            .any(|next| next == to || (seen.insert(next.clone()) && reaches(rooms, next, to, seen)))
    }
    let rooms = rooms();
    for room in rooms.keys().filter(|room| WINGS.contains(&wing(room))) {
        assert!(!reaches(&rooms, room, room, &mut BTreeSet::new()), "`{room}` reaches itself");
    }
}

#[test]
fn every_room_stands_in_a_wing_or_in_the_composition() {
    for room in rooms().keys() {
        let wing = wing(room);
        assert!(WINGS.contains(&wing) || COMPOSITION.contains(&wing), "`{room}` is new: say where it stands");
    }
}

#[test]
fn the_picture_shows_what_is_imported() {
    let rooms = rooms();
    let mut picture = String::new();
    for wing_name in WINGS.iter().rev() {
        for (room, imported) in rooms.iter().filter(|(room, _)| wing(room) == *wing_name) {
            let others: Vec<&str> =
                imported.iter().map(String::as_str).filter(|one| wing(one) != "platform").collect();
            if !others.is_empty() {
                writeln!(picture, "{room:<22} ─▶ {}", others.join(", ")).unwrap();
            }
        }
    }
    let file = root().join("ARCHITECTURE.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(PICTURE[0]).unwrap();
    let (shown, after) = rest.split_once(PICTURE[1]).unwrap();
    if env::var_os("DRAW").is_some() {
        fs::write(&file, [before, PICTURE[0], &picture, PICTURE[1], after].concat()).unwrap();
    } else {
        assert_eq!(shown, picture, "draw the picture anew: cargo xtask architecture");
    }
}

#[test]
fn a_table_is_written_by_one_room_unless_all_its_writers_are_named_here() {
    let src = root().join("src");
    let mut writers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&src) {
        let here = room(&segments(path.strip_prefix(&src).unwrap()));
        let text = code(&fs::read_to_string(&path).unwrap());
        if !WINGS.contains(&wing(&here)) || here == ERASURE || !text.contains("sqlx::query") {
            continue;
        }
        for verb in ["insert into ", "delete from ", "update "] {
            for (at, _) in text.match_indices(verb) {
                let after = &text[at + verb.len()..];
                let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(after.len());
                let named_in_prose = verb == "update "
                    && !after[end..].trim_start().starts_with("set")
                    && !after[end..].starts_with(' ');
                if end > 0 && !named_in_prose && !["set", "skip", "of"].contains(&&after[..end]) {
                    writers.entry(after[..end].to_owned()).or_default().insert(here.clone());
                }
            }
        }
    }
    let shared: BTreeMap<&str, Vec<&str>> = writers
        .iter()
        .filter(|(_, rooms)| rooms.len() > 1)
        .map(|(table, rooms)| (table.as_str(), rooms.iter().map(String::as_str).collect()))
        .collect();
    let named: BTreeMap<&str, Vec<&str>> =
        SHARED_TABLES.iter().map(|(table, rooms)| (*table, rooms.to_vec())).collect();
    assert_eq!(shared, named);
}

#[test]
fn only_stores_and_views_hold_sql() {
    let src = root().join("src");
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

/// The tags of a file's statements, each with the function or macro in which the statement stands.
fn tags(source: &str) -> Vec<(String, String)> {
    let mut name = String::new();
    let mut found = Vec::new();
    for line in source.lines() {
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && !"_!".contains(c)).collect();
        if let Some(at) = words.iter().position(|word| ["fn", "macro_rules!"].contains(word)) {
            name = words[at + 1..].iter().find(|word| !word.is_empty()).unwrap().to_string();
        }
        if let Some((_, tag)) = line.split_once("\"-- ") {
            let tag = tag.split(['\\', '"']).next().unwrap();
            found.push((tag.to_owned(), name.clone()));
        }
    }
    found
}

#[test]
fn a_statement_is_tagged_with_the_room_and_the_function_in_which_it_stands() {
    let src = root().join("src");
    let mut seen = BTreeSet::new();
    for path in sources(&src) {
        let source = fs::read_to_string(&path).unwrap();
        let relative = segments(path.strip_prefix(&src).unwrap().parent().unwrap());
        let wing_of_rooms = relative.first().is_some_and(|wing| OF_ROOMS.contains(&wing.as_str()));
        let folders = relative[usize::from(wing_of_rooms)..].iter().filter(|folder| *folder != "store");
        let room: String = folders.flat_map(|folder| [folder, "::"]).collect();
        for (tag, function) in tags(&source) {
            let named = tag.split(" (").next().unwrap();
            assert_eq!(named, format!("{room}{function}"), "the tag of a statement in {}", path.display());
            assert!(seen.insert(tag.clone()), "two statements are tagged `{tag}`");
        }
        if !source.contains("macro_rules!") {
            let checked =
                source.lines().filter(|line| line.contains("sqlx::query") && line.contains("!(")).count();
            assert_eq!(tags(&source).len(), checked, "a statement without a tag in {}", path.display());
        }
    }
}

/// What else than a room's `api` reads and answers requests: the frame, who calls, the composition, and the providers of
/// mail, whose signatures cover headers.
const SPEAKS_HTTP: [&str; 6] =
    ["http/", "keys/auth.rs", "intake/mail/providers/", "routes/", "app.rs", "demo/house.rs"];

#[test]
fn only_the_api_of_a_room_knows_requests_and_responses() {
    let src = root().join("src");
    let mut others: BTreeSet<&str> = SPEAKS_HTTP.into();
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let is_api = relative.ends_with("/api.rs") || relative.contains("/api/");
        if is_api || !code(&fs::read_to_string(&path).unwrap()).contains("axum::") {
            continue;
        }
        let named = SPEAKS_HTTP.into_iter().find(|place| relative.starts_with(place));
        assert!(
            named.is_some(),
            "src/{relative} knows axum; what it does with a request belongs into the room's api"
        );
        named.map(|named| others.remove(named));
    }
    assert!(others.is_empty(), "{others:?} need not be named: nothing there knows axum");
}

#[test]
fn tests_and_benches_ask_no_clock_of_the_machine_for_the_date() {
    for path in sources(&root().join("tests")).into_iter().chain(sources(&root().join("benches"))) {
        let code = code(&fs::read_to_string(&path).unwrap());
        assert!(!code.contains(&["Utc", "now"].join("::")), "{} asks for the date", path.display());
    }
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let folders = ["src", "crates", "tests", "benches"].map(|folder| sources(&root().join(folder)));
    let lines = |file: &PathBuf| fs::read_to_string(file).unwrap().lines().count();
    let longer: Vec<PathBuf> =
        folders.into_iter().flatten().filter(|file| lines(file) > LONGEST_FILE).collect();
    assert!(longer.is_empty(), "{longer:?}: give each thing that such a file holds a file of its own");
}

#[test]
fn the_scoring_core_knows_no_clock_no_database_and_no_http() {
    let manifest = fs::read_to_string(root().join("crates/scoring/Cargo.toml")).unwrap();
    for banned in ["tokio", "sqlx", "axum", "rand", "reqwest", "\"clock\"", "\"now\""] {
        assert!(!manifest.contains(banned), "crates/scoring depends on {banned}");
    }
}
