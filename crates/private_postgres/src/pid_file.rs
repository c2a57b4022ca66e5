//! What the server tells about itself in `postmaster.pid`, and the clearing away of a stale one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::layout::Layout;
use crate::server;

/// The lines of `postmaster.pid` that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: i32,
    pub(crate) socket_dir: PathBuf,
    /// `starting`, `ready`, `stopping`; empty until the server writes the line.
    pub(crate) status: String,
}

impl PidFile {
    pub(crate) fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = |n: usize| text.lines().nth(n).unwrap_or_default().trim();
        let pid = line(0).parse().ok().filter(|pid| *pid > 1)?;
        Some(Self { pid, socket_dir: PathBuf::from(line(4)), status: line(7).to_owned() })
    }
}

/// A process whose working directory is the data directory, as that of every server process is.
/// `None` as well where there is no `/proc`.
pub(crate) fn server_process_in(data: &Path) -> Option<i32> {
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        works_in(pid, data).then_some(pid)
    })
}

/// Whether the process is a server's and has its working directory there.
fn works_in(pid: i32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data)
        && fs::read_to_string(process.join("comm")).is_ok_and(|name| name.starts_with("post"))
}

/// Whether this pid may be signalled as the server in `data`: its number may long be somebody else's.
/// Without `/proc` the pid file is believed.
pub(crate) fn is_server(pid: i32, data: &Path) -> bool {
    !Path::new("/proc/self/cwd").exists() || works_in(pid, data)
}

/// Removes the lock files of a server that is gone. `PostgreSQL` itself takes them for live ones when
/// their pid has a new owner or is that of a zombie, which it stays where pid 1 reaps nobody. It is
/// called only while the server lock is free; where there is no `/proc` to ask twice, the files stay
/// and `PostgreSQL` decides. Gives the pid of a server that is not ours and still runs.
pub(crate) fn clear_stale(layout: &Layout, socket_dir: &Path) -> Result<(), i32> {
    let data = layout.data();
    if !Path::new("/proc/self/cwd").exists() {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_secs(2);
    while let Some(pid) = server_process_in(&data) {
        if Instant::now() > deadline {
            return Err(pid);
        }
        std::thread::sleep(server::POLL);
    }
    let socket = format!(".s.PGSQL.{}", server::PORT);
    let stale =
        [data.join("postmaster.pid"), socket_dir.join(format!("{socket}.lock")), socket_dir.join(socket)];
    for path in stale {
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "removed a file of a server that is gone"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, path = %path.display(), "a stale file cannot be removed"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_server_is_understood() {
        let text = "4711\n/x/data\n1763752000\n5432\n/x/s\n\n  123 456\nready   \n";

        let file = PidFile::parse(text).unwrap();

        assert_eq!(file, PidFile { pid: 4711, socket_dir: "/x/s".into(), status: "ready".into() });
    }

    #[test]
    fn a_half_written_file_has_no_status_yet() {
        let file = PidFile::parse("4711\n/x/data\n").unwrap();

        assert_eq!(file.status, "");
    }

    #[test]
    fn neither_an_empty_file_nor_pid_1_is_a_server() {
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("1\n/x\n"), None);
    }
}
