//! Making the data directory, in a way that a death in the middle leaves nothing half made.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::binaries::Binaries;
use crate::error::{About, StartError};
use crate::layout::Layout;
use crate::server;

/// What an unfinished data directory's name begins with.
const UNFINISHED: &str = "data.new.";

/// The major version that made the data directory, if there is one.
pub(crate) fn made_by(data: &Path) -> Option<String> {
    fs::read_to_string(data.join("PG_VERSION")).ok().map(|version| version.trim().to_owned())
}

/// Runs `initdb` in a folder with a name of its own, then gives it its real name. An `initdb` whose
/// starter was killed goes on writing for a while: it must not meet a later one in the same folder.
pub(crate) fn initialise(layout: &Layout, binaries: &Binaries, durable: bool) -> Result<(), StartError> {
    let account = layout.account();
    if !account.has_a_name() {
        return Err(StartError::NamelessUser { uid: account.uid() });
    }
    remove_unfinished(layout.root());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let unfinished = layout.root().join(format!("{UNFINISHED}{}.{now}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&unfinished).about("make", &unfinished)?;
    account.give(&unfinished).about("give away", &unfinished)?;

    let mut initdb = account.command(binaries.folder.join("initdb"));
    initdb.arg("-D").arg(&unfinished).args(["-U", server::USER, "-A", "trust", "-E", "UTF8", "--locale=C"]);
    initdb.arg("--no-instructions");
    if !durable {
        initdb.arg("--no-sync");
    }
    let output = initdb.output().about("run", &binaries.folder.join("initdb"))?;
    if !output.status.success() {
        remove_unfinished(layout.root());
        let said = [output.stdout, output.stderr].concat();
        return Err(StartError::InitDb {
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&said).trim().to_owned(),
        });
    }
    fs::rename(&unfinished, layout.data()).about("rename", &unfinished)?;
    Ok(())
}

/// Removes what killed starters left. One that cannot be removed now, because its `initdb` still
/// writes, is left for the next time.
fn remove_unfinished(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, path = %entry.path().display(), "an unfinished data directory stays for now");
        }
    }
}
