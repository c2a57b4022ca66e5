//! Who the server runs as: `PostgreSQL` refuses uid 0, so root must step down to somebody.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, io};

use nix::unistd::{Uid, User, geteuid};

use crate::error::StartError;

/// The account that owns the data directory and runs `initdb` and the server.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
    /// We are root and this is somebody else.
    step_down: bool,
}

impl Account {
    /// Ourselves, or when we are root: the owner of an existing data directory, else the first of
    /// `$SUDO_USER`, `postgres` and `nobody` that exists and is not root.
    pub(crate) fn choose(data: &Path) -> Result<Self, StartError> {
        let own = geteuid();
        if !own.is_root() {
            return Ok(Self { uid: own.as_raw(), gid: nix::unistd::getegid().as_raw(), step_down: false });
        }
        if let Ok(meta) = fs::metadata(data)
            && meta.uid() != 0
        {
            return Ok(Self { uid: meta.uid(), gid: meta.gid(), step_down: true });
        }
        let sudo_user = env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
        let names: Vec<String> = sudo_user.into_iter().chain(["postgres".into(), "nobody".into()]).collect();
        let user =
            names.iter().filter_map(|name| User::from_name(name).ok().flatten()).find(|u| !u.uid.is_root());
        match user {
            Some(user) => Ok(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), step_down: true }),
            None => Err(StartError::NoAccount { tried: names }),
        }
    }

    /// The uid that must own the data and the socket directory.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Whether the account is not ourselves.
    pub(crate) fn steps_down(&self) -> bool {
        self.step_down
    }

    /// Whether the account has a name, which `initdb` insists on.
    pub(crate) fn has_a_name(&self) -> bool {
        User::from_uid(Uid::from_raw(self.uid)).is_ok_and(|user| user.is_some())
    }

    /// A command that runs as the account, in a folder that it can enter and without the `PG*`
    /// variables, which change the defaults of every tool and of the server.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        if self.step_down {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives the account a file that we made.
    pub(crate) fn give(&self, path: &Path) -> io::Result<()> {
        if self.step_down { std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Whether the account may pass through every existing folder on the way to `path`.
    pub(crate) fn can_enter(&self, path: &Path) -> bool {
        path.ancestors().filter_map(|folder| fs::metadata(folder).ok()).all(|meta| {
            let execute = if meta.uid() == self.uid {
                0o100
            } else if meta.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            meta.mode() & execute != 0
        })
    }
}
