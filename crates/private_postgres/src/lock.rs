//! Lock files. The kernel frees a lock however its holder dies, so none is ever stale.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{About, FileError};

/// A lock, freed when it is dropped.
///
/// Freed, not only closed: a child that another thread is starting has a copy of every open file until
/// it becomes its program, and a lock lives as long as the last copy.
#[derive(Debug)]
pub(crate) struct Lock(Option<File>);

impl Lock {
    /// The locked file, which frees the lock when its last copy is closed.
    pub(crate) fn into_file(mut self) -> Option<File> {
        self.0.take()
    }

    /// Whether the file is still the one at the path: somebody may have removed the folder and begun anew.
    pub(crate) fn is_still_at(&self, path: &Path) -> bool {
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let held = self.0.as_ref().and_then(|file| file.metadata().ok());
        held.is_some_and(|held| fs::metadata(path).is_ok_and(|there| identity(held) == identity(there)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.0
            && let Err(error) = file.unlock()
        {
            tracing::warn!(%error, "a lock is freed only by being closed");
        }
    }
}

/// Opens a lock file, making it if need be.
fn open(path: &Path) -> Result<File, FileError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .about("open", path)
}

/// Waits for the lock and holds it alone.
pub(crate) fn exclusive(path: &Path) -> Result<Lock, FileError> {
    let file = open(path)?;
    file.lock().about("lock", path)?;
    Ok(Lock(Some(file)))
}

/// Waits for the lock and holds it together with others.
pub(crate) fn shared(path: &Path) -> Result<Lock, FileError> {
    let file = open(path)?;
    file.lock_shared().about("lock", path)?;
    Ok(Lock(Some(file)))
}

/// The lock, if nobody else has it.
pub(crate) fn try_exclusive(path: &Path) -> Result<Option<Lock>, FileError> {
    let file = open(path)?;
    let taken = file.try_lock();
    outcome(taken, file, path)
}

/// A share of the lock, if nobody has it alone.
pub(crate) fn try_shared(path: &Path) -> Result<Option<Lock>, FileError> {
    let file = open(path)?;
    let taken = file.try_lock_shared();
    outcome(taken, file, path)
}

fn outcome(taken: Result<(), TryLockError>, file: File, path: &Path) -> Result<Option<Lock>, FileError> {
    match taken {
        Ok(()) => Ok(Some(Lock(Some(file)))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).about("lock", path),
    }
}
