//! The packages as their users install them, kept from run to run until a lock file changes.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use leadscore::platform::ids::digest;

/// The folder with the scripts for node and what they import; none where node or npm is missing.
pub(crate) fn node() -> Option<PathBuf> {
    npm("node")
}

/// The folder with generators of clients for node, and with scripts that use such clients; none where node or npm is missing.
pub(crate) fn generators() -> Option<PathBuf> {
    npm("generated")
}

/// The folder with the scripts that drive a browser, and the browser; none where node, npm or the browser is missing.
pub(crate) fn browser() -> Option<(PathBuf, PathBuf)> {
    let path = env::var_os("PATH")?;
    let named =
        |name: &str| env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(named)?;
    Some((npm("browser")?, browser))
}

fn npm(client: &str) -> Option<PathBuf> {
    let tools = [version("node", &["--version"])?, version("npm", &["--version"])?];
    let install = |folder: &Path| {
        succeed(
            Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(folder),
        );
    };
    Some(installed(client, "package-lock.json", &tools, install))
}

/// The folder with the scripts for python and an environment `venv`; none where python or what makes such an
/// environment is missing.
pub(crate) fn python() -> Option<PathBuf> {
    pip("python")
}

/// The folder with the generator of clients that runs on Java, the same way.
pub(crate) fn openapi_generator() -> Option<PathBuf> {
    pip("openapi_generator")
}

fn pip(client: &str) -> Option<PathBuf> {
    let tools = [version("python3", &["--version"])?];
    version("python3", &["-c", "import ensurepip, venv"])?;
    let install = |folder: &Path| {
        succeed(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder));
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
        let locked = ["--require-hashes", "--requirement", "requirements.txt"];
        succeed(Command::new(folder.join("venv/bin/python")).args(pip).args(locked).current_dir(folder));
    };
    Some(installed(client, "requirements.txt", &tools, install))
}

/// What a tool says of itself; none if it is not there.
pub(crate) fn version(tool: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// Runs a step of an installation, which must go well: the tools are there.
fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the tool runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}:\n{}{}", said(&output.stdout), said(&output.stderr));
}

/// A folder with the files of a client in `tests/clients`, installed anew if its lock or the tools changed.
fn installed(client: &str, lock: &str, tools: &[Vec<u8>], install: impl FnOnce(&Path)) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(client);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(client);
    fs::create_dir_all(folder.with_file_name("")).expect("a folder");
    // One at a time, of all tests that run now.
    let one = File::create(folder.with_extension("lock")).expect("a lock file");
    one.lock().expect("the lock");
    fs::create_dir_all(&folder).expect("a folder");
    let locked = fs::read(source.join(lock)).expect("a lock file");
    let made_of: Vec<&[u8]> = tools.iter().chain([&locked]).map(Vec::as_slice).collect();
    let (stamp, wanted) = (folder.join("installed"), digest(&made_of));
    let stands = fs::read(&stamp).is_ok_and(|stamp| stamp == wanted);
    if !stands {
        fs::remove_dir_all(&folder).expect("the folder is ours");
        fs::create_dir(&folder).expect("a folder");
    }
    for file in fs::read_dir(source).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let copy = folder.join(file.file_name().expect("a name"));
        // A script that another test runs now is left alone.
        if file.is_file() && fs::read(&copy).ok() != fs::read(&file).ok() {
            fs::copy(&file, copy).expect("a copy");
        }
    }
    if !stands {
        install(&folder);
        fs::write(stamp, wanted).expect("a stamp");
    }
    folder
}
