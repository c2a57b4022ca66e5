//! The container files, read: no engine runs here, so what they name is held against what there is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use yaml_serde::Value;

use crate::scratch::PROGRAM;

/// A file of the repository's root.
fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|_| panic!("no {name}"))
}

fn compose() -> Value {
    yaml_serde::from_str(&file("docker-compose.yml")).expect("YAML")
}

/// The value at a path of names.
fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, name| value.get(name).unwrap_or_else(|| panic!("no {name} in {path:?}")))
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).as_str().unwrap_or_else(|| panic!("{path:?} is no text"))
}

/// The names in an `environment`, which is a mapping.
fn names(value: &Value) -> Vec<String> {
    let mapping = value.as_mapping().expect("a mapping");
    mapping.keys().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// A Dockerfile's instructions, each with its arguments on one line, by stage.
fn stages() -> Vec<Vec<(String, String)>> {
    let lines: Vec<String> = file("Dockerfile").lines().map(str::to_owned).collect();
    let plain: Vec<&String> =
        lines.iter().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let joined = plain.iter().fold(String::new(), |joined, line| match line.strip_suffix('\\') {
        Some(line) => joined + line,
        None => joined + line + "\n",
    });
    let mut stages: Vec<Vec<(String, String)>> = Vec::new();
    for line in joined.lines() {
        let (instruction, arguments) = line.split_once(' ').expect("an instruction with arguments");
        if instruction == "FROM" {
            stages.push(Vec::new());
        }
        let stage = stages.last_mut().expect("FROM comes first");
        stage.push((instruction.to_owned(), arguments.trim().to_owned()));
    }
    stages
}

fn of<'a>(stage: &'a [(String, String)], instruction: &'a str) -> impl Iterator<Item = &'a str> {
    stage.iter().filter(move |(name, _)| name == instruction).map(|(_, arguments)| arguments.as_str())
}

/// What a stage copies out of the repository.
fn sources(stage: &[(String, String)]) -> Vec<&str> {
    let copied = of(stage, "COPY").filter(|arguments| !arguments.starts_with("--from="));
    copied
        .flat_map(|arguments| {
            let words: Vec<&str> = arguments.split_whitespace().collect();
            words[..words.len() - 1].to_vec()
        })
        .collect()
}

/// The `serve` command's reference.
fn help() -> String {
    let output = Command::new(PROGRAM).args(["serve", "--help"]).output().expect("the program runs");
    String::from_utf8(output.stdout).expect("text")
}

/// Whole seconds such as `40s`.
fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|number| number.parse().ok()).expect("seconds")
}

#[test]
fn the_services_settings_in_the_container_files_exist() {
    let help = help();
    let compose = compose();
    let mut given = names(at(&compose, &["services", "leadscore", "environment"]));
    for (name, _) in of(&stages()[1], "ENV").filter_map(|pair| pair.split_once('=')) {
        given.push(name.to_owned());
    }

    assert!(given.len() >= 4);
    for name in given {
        let known = ["=", "]"].iter().any(|end| help.contains(&format!("[env: {name}{end}")));
        assert!(known, "`leadscore serve` knows no {name}");
    }
}

#[test]
fn the_service_waits_for_a_healthy_database_that_keeps_its_data() {
    let compose = compose();
    let service = at(&compose, &["services", "leadscore"]);
    let postgres = at(&compose, &["services", "postgres"]);

    assert_eq!(text(service, &["depends_on", "postgres", "condition"]), "service_healthy");
    assert!(text(postgres, &["image"]).starts_with("postgres:17"));
    let check = at(postgres, &["healthcheck", "test"]).as_sequence().expect("a list");
    assert_eq!(check[..2], [Value::from("CMD"), Value::from("pg_isready")]);
    let volume = at(postgres, &["volumes"])[0].as_str().expect("a volume");
    let (name, place) = volume.split_once(':').expect("a name and a place");
    assert_eq!(place, "/var/lib/postgresql/data");
    assert_eq!(names(at(&compose, &["volumes"])), [name]);
    assert!(postgres.get("ports").is_none(), "the database is nobody else's business");
}

#[test]
fn the_service_reaches_the_database_by_the_name_and_password_that_it_has() {
    let compose = compose();
    let postgres = at(&compose, &["services", "postgres", "environment"]);
    let [user, password, database] =
        ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"].map(|name| text(postgres, &[name]));

    let url = text(&compose, &["services", "leadscore", "environment", "DATABASE_URL"]);

    assert!(url.starts_with(&format!("postgres://{user}:{password}@postgres:5432/{database}")), "{url}");
    url.parse::<sqlx::postgres::PgConnectOptions>().expect("an address that the service can read");
}

#[test]
fn both_containers_come_back_by_themselves_and_are_given_the_time_to_stop() {
    let compose = compose();
    for name in ["leadscore", "postgres"] {
        let container = at(&compose, &["services", name]);

        assert_eq!(text(container, &["restart"]), "unless-stopped");
        // The service serves on for 5 seconds, drains for 20 and finishes within 5 more.
        assert!(seconds(text(container, &["stop_grace_period"])) > 30);
    }
}

#[test]
fn keys_are_taken_from_the_environment_and_may_be_left_out() {
    let compose = compose();
    for name in ["LEADSCORE_ADMIN_KEY", "LEADSCORE_WRITE_KEY"] {
        let value = text(&compose, &["services", "leadscore", "environment", name]);

        // Unset becomes empty, and empty is as good as unset: `starts::empty_settings_are_as_good_as_none`.
        assert_eq!(value, format!("${{{name}:-}}"));
    }
}

#[test]
fn the_image_has_the_binary_alone_and_does_not_run_as_root() {
    let stages = stages();
    let [build, image] = &stages[..] else { panic!("two stages") };

    let (base, stage) = of(build, "FROM").next().and_then(|from| from.split_once(" AS ")).expect("a name");
    let version = base.strip_prefix("rust:").and_then(|tag| tag.split('-').next()).expect("a version");
    let needed = file("Cargo.toml");
    let needed = needed.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version");
    let minor =
        |version: &str| version.trim_matches('"').split('.').nth(1).and_then(|n| n.parse::<u32>().ok());
    assert!(minor(version) >= minor(needed), "{version} compiles what needs {needed}");
    let codename = base.rsplit('-').next().expect("a codename");
    assert_eq!(
        of(image, "FROM").next(),
        Some(format!("debian:{codename}-slim").as_str()),
        "of one C library"
    );

    assert!(sources(image).is_empty(), "nothing of the repository itself");
    for copied in of(image, "COPY") {
        assert!(copied.starts_with(&format!("--from={stage} ")), "{copied}");
    }
    let binary = of(image, "COPY").any(|copied| copied.ends_with(" /usr/local/bin/leadscore"));
    assert!(binary);
    let user = of(image, "USER").last().and_then(|user| user.split(':').next()?.parse::<u32>().ok());
    assert!(user.expect("a number") > 0);
    assert_eq!(of(image, "ENTRYPOINT").collect::<Vec<_>>(), [r#"["leadscore"]"#]);
    assert_eq!(of(image, "CMD").collect::<Vec<_>>(), [r#"["serve"]"#]);
}

#[test]
fn the_health_check_and_the_port_are_those_of_the_service() {
    let stages = stages();
    let image = &stages[1];
    let port = of(image, "EXPOSE").next().expect("a port");

    assert!(of(image, "HEALTHCHECK").any(|check| check.ends_with(r#"CMD ["leadscore", "health"]"#)));
    let help = Command::new(PROGRAM).args(["health", "--help"]).output().expect("the program runs");
    assert!(String::from_utf8_lossy(&help.stdout).contains("[env: LEADSCORE_LISTEN="));
    assert!(of(image, "ENV").any(|pair| pair == format!("LEADSCORE_LISTEN=0.0.0.0:{port}")));
    let compose = compose();
    let published = at(&compose, &["services", "leadscore", "ports"])[0].as_str().expect("a port");
    assert!(published.ends_with(&format!(":{port}")), "{published}");
}

#[test]
fn the_build_gets_everything_that_it_reads_and_nothing_is_ignored() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stages = stages();
    let copied = sources(&stages[0]);
    let ignore = file(".dockerignore");
    let mut rules = ignore.lines().filter(|line| !line.starts_with('#') && !line.is_empty());

    assert_eq!(rules.next(), Some("*"), "everything else stays away");
    let mut sent: Vec<&str> = rules.map(|rule| rule.strip_prefix('!').expect("an exception")).collect();
    for source in &copied {
        assert!(root.join(source).exists(), "there is no {source}");
    }
    let mut wanted = copied.clone();
    wanted.sort_unstable();
    sent.sort_unstable();
    assert_eq!(sent, wanted, "what is sent is what is copied");
    for read in ["Cargo.toml", "Cargo.lock", "sqlx.toml", ".cargo", ".sqlx", "crates", "migrations", "src"] {
        assert!(copied.contains(&read), "the build reads {read}");
    }
    let manifest = file("Cargo.toml");
    for (target, folder) in [("[[bench]]", "benches"), ("[[example]]", "examples"), ("[[test]]", "tests")] {
        let declared = manifest.lines().any(|line| line == target);
        assert!(!declared || copied.contains(&folder), "Cargo reads no manifest whose {target} is missing");
    }
    let compiled_in = included(&root.join("src"));
    assert!(!compiled_in.is_empty());
    for included in compiled_in {
        let path = included.strip_prefix(root).expect("it is in the repository");
        let top = path.iter().next().and_then(|name| name.to_str()).expect("a name");
        assert!(copied.contains(&top), "{} is compiled in", path.display());
    }
}

/// Every file that the sources below a folder name in `include_str!` or `include_bytes!`.
fn included(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(included(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("text");
            for macro_name in ["include_str!(\"", "include_bytes!(\""] {
                for part in source.split(macro_name).skip(1) {
                    let name = part.split('"').next().expect("a name");
                    found.push(folder.join(name).canonicalize().expect("it is there, or nothing compiles"));
                }
            }
        }
    }
    found
}
