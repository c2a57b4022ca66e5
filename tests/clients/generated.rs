//! Clients that real generators make of the description: they compile, and a call of each kind goes through.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use leadscore::routes::openapi;
use serde_json::Value;

use crate::{Stage, install, scratch::Scratch, service::ADMIN};

/// Says that a generator is passed over.
fn missing(what: &str) {
    eprintln!("passed over: there is no {what}");
}

/// A step of making a client, which must go well; what it said.
fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the tool runs");
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?}:\n{said}");
    said
}

/// The description in a file of a folder.
fn description(folder: &Path) -> PathBuf {
    let file = folder.join("openapi.yaml");
    fs::write(&file, openapi().to_yaml()).expect("a file");
    file
}

/// A tool of the generators' folder.
fn tool(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(folder.join("node_modules/.bin").join(name));
    command.current_dir(folder);
    command
}

#[test]
fn clients_for_typescript_compile_and_their_calls_go_through() {
    let Some(folder) = install::generators() else { return missing("node or no npm") };
    let file = description(&folder);
    succeed(tool(&folder, "openapi-typescript").arg(&file).args(["--output", "schema.d.ts"]));
    succeed(tool(&folder, "openapi-ts").arg("--input").arg(&file).args(["--output", "hey", "--no-log-file"]));

    succeed(tool(&folder, "tsc").args(["--project", "tsconfig.json"]));

    for script in ["fetch.js", "hey.js"] {
        let stage = Stage::set();
        stage.run(Command::new("node").arg(folder.join("made").join(script)).env("ADMIN_KEY", ADMIN));
        stage.strike();
    }
}

#[test]
fn the_client_for_python_is_sound_and_its_calls_go_through() {
    let Some(folder) = install::python() else { return missing("python3 that can make a venv") };
    let (scratch, bin) = (Scratch::new(), folder.join("venv/bin"));
    let package = scratch.folder.join("leadscore_client");
    let mut generator = Command::new(bin.join("openapi-python-client"));
    generator.args(["generate", "--meta", "none", "--path"]).arg(description(&scratch.folder));
    let said = succeed(generator.arg("--output-path").arg(&package).current_dir(&scratch.folder));
    // It sends and reads nothing but JSON, and says what it leaves out.
    for warning in said.lines().filter(|line| line.contains("Cannot parse") || line.contains("Unsupported")) {
        let known = ["image/gif", "application/x-ndjson", "application/yaml"];
        assert!(known.iter().any(|kind| warning.contains(kind)), "{said}");
    }
    assert!(!said.contains("Unable to process schema"), "{said}");

    succeed(Command::new(bin.join("mypy")).arg(&package).current_dir(&scratch.folder));

    let stage = Stage::set();
    let mut script = Command::new(bin.join("python"));
    stage.run(script.arg(folder.join("generated.py")).arg(&scratch.folder).env("ADMIN_KEY", ADMIN));
    stage.strike();
}

#[test]
fn openapi_generator_makes_a_client_for_python_and_its_calls_go_through() {
    let Some(folder) = install::openapi_generator() else { return missing("python3 that can make a venv") };
    let (scratch, bin) = (Scratch::new(), folder.join("venv/bin"));
    let made = scratch.folder.join("made");
    let mut generator = Command::new(bin.join("openapi-generator-cli"));
    generator.args([
        "generate",
        "--generator-name",
        "python",
        "--package-name",
        "leadscore_client",
        "--input-spec",
    ]);
    let said = succeed(generator.arg(description(&scratch.folder)).arg("--output").arg(&made));
    // That its 3.1 is not finished; that what may be anything has no type; that it renames what Python's words are.
    for warning in said.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")) {
        let known = ["3.1 support is still in beta", "schema name: null", "undefined type", "reserved word"];
        assert!(known.iter().any(|known| warning.contains(known)), "{said}");
    }

    let stage = Stage::set();
    let mut script = Command::new(bin.join("python"));
    stage.run(script.arg(folder.join("calls.py")).arg(&made).env("ADMIN_KEY", ADMIN));
    stage.strike();
}

#[test]
fn the_linter_has_nothing_to_say_against_the_description() {
    let Some(folder) = install::generators() else { return missing("node or no npm") };
    let scratch = Scratch::new();

    let mut linter = tool(&folder, "redocly");
    linter.args(["lint", "--config", "redocly.yaml", "--format", "json"]).arg(description(&scratch.folder));
    let said = linter
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .stdin(Stdio::null())
        .output()
        .expect("the linter runs");

    let found: Value = serde_json::from_slice(&said.stdout).expect("what it found, as JSON");
    assert_eq!(
        (&found["totals"]["errors"], &found["totals"]["warnings"]),
        (&0.into(), &0.into()),
        "{found:#}"
    );
}

#[test]
fn a_reader_of_older_yaml_reads_the_description_as_it_is() {
    let Some(folder) = install::python() else { return missing("python3 that can make a venv") };
    let scratch = Scratch::new();
    let mut reader = Command::new(folder.join("venv/bin/python"));
    // PyYAML reads YAML 1.1, where `no` is false and a date is no text; `json` knows no dates, and would say so.
    let script =
        "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding='utf-8'))))";

    let read = succeed(reader.args(["-c", script]).arg(description(&scratch.folder)));

    let read: Value = serde_json::from_str(&read).expect("JSON");
    assert_eq!(read, serde_json::to_value(openapi()).expect("plain data"));
    let answers = &read["components"]["schemas"]["CriterionAnswer"]["enum"];
    assert_eq!(*answers, serde_json::json!(["unknown", "no", "partial", "yes"]));
}
