//! The commands that the documentation names exist, with their options.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use leadscore::command;

/// A command, and where it stands.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    place: String,
    words: Vec<String>,
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pages = listed(root.to_owned()).chain(listed(root.join("docs")));
    pages.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// Every call of the binary in a page: lines of code blocks, and code within a line.
fn commands(place: &str, page: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(page.lines()) {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        let is_code = fenced || line.starts_with("    ");
        let calls = if is_code { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        let words = calls.into_iter().filter(|_| !is_fence).filter_map(call);
        found.extend(words.map(|words| Named { place: format!("{place}:{number}"), words }));
    }
    found
}

/// The words that follow the name of the binary, if this is a call of it.
fn call(code: &str) -> Option<Vec<String>> {
    let words = shell_words(code);
    let is_setting = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_uppercase() || c == '_'))
    };
    let words: Vec<String> = words.into_iter().skip_while(is_setting).collect();
    let words = match words.first().map(String::as_str) {
        Some("leadscore") => words[1..].to_vec(),
        Some("cargo") if words.get(1).is_some_and(|word| word == "run") => {
            let after = words.iter().position(|word| word == "--")?;
            words[after + 1..].to_vec()
        }
        _ => return None,
    };
    (!words.is_empty()).then_some(words)
}

/// The words of a line up to its comment, pipe or end, as a shell reads quotes.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | ';' | '&' | '>' | '<') => break,
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.into_iter().chain(word).collect()
}

/// Whether the command is one that the binary takes. A name without arguments, as in a sentence, need only exist.
fn parses(words: &[String]) -> Result<(), String> {
    let names_only =
        words.iter().all(|word| word.chars().all(|c| c.is_lowercase() || c == '-') && !word.starts_with('-'));
    if names_only {
        let mut at = command::parser();
        for word in words {
            let Some(next) = at.find_subcommand(word) else {
                return if at.has_subcommands() { Err(format!("there is no `{word}`")) } else { Ok(()) };
            };
            at = next.clone();
        }
        return Ok(());
    }
    let told = ["leadscore"].into_iter().chain(words.iter().map(String::as_str));
    match command::parser().try_get_matches_from(told) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == 0 => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_command_of_the_documentation_is_one_of_the_binary() {
    let mut count = 0;
    for path in pages() {
        let place = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        for Named { place, words } in commands(&place, &fs::read_to_string(&path).unwrap()) {
            count += 1;
            if let Err(error) = parses(&words) {
                panic!("{place}: `leadscore {}` is not taken: {error}", words.join(" "));
            }
        }
    }
    assert!(count >= 20, "only {count} commands were found: are they still written alike?");
}

#[test]
fn the_commands_of_the_command_line_are_all_described() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md");
    let described = commands("", &fs::read_to_string(page).unwrap());
    for verb in ["leads", "explain", "queue", "next", "claims", "models", "keys"] {
        let parser = command::parser();
        let verbs =
            parser.find_subcommand(verb).unwrap().get_subcommands().map(|sub| sub.get_name().to_owned());
        let verbs: Vec<_> = verbs.filter(|sub| sub != "help").collect();
        let is_described = |words: &[&str]| {
            described
                .iter()
                .any(|named| named.words.iter().zip(words).filter(|(a, b)| a == *b).count() == words.len())
        };
        assert!(is_described(&[verb]), "`{verb}` is not described");
        for sub in &verbs {
            assert!(is_described(&[verb, sub]), "`{verb} {sub}` is not described");
        }
    }
}

#[test]
fn a_command_is_found_in_blocks_and_in_sentences_and_a_wrong_one_is_no_command() {
    let page = "Run `leadscore serve`.\n\n    KEY=sk_1 cargo run --release -- leads -q \"a b\" --json | jq . # all\n```sh\nleadscore models frob\n```\n";

    let found = commands("page", page);

    let words: Vec<_> = found.iter().map(|named| named.words.join(",")).collect();
    assert_eq!(words, ["serve", "leads,-q,a b,--json", "models,frob"]);
    let parsed: Vec<bool> = found.iter().map(|named| parses(&named.words).is_ok()).collect();
    assert_eq!(parsed, [true, true, false]);
    assert!(parses(&["leads".to_owned(), "--frob".to_owned()]).is_err());
}
