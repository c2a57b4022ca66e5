//! Lock files. The kernel frees a lock however its holder dies, so none is ever stale.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{About, FileError};

/// Opens a lock file, making it if need be.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .about("open", path)
}

/// Waits for the lock and holds it alone until the file is dropped.
pub(crate) fn exclusive(path: &Path) -> Result<File, FileError> {
    let file = open(path)?;
    file.lock().about("lock", path)?;
    Ok(file)
}

/// Waits for the lock and holds it together with others until the file is dropped.
pub(crate) fn shared(path: &Path) -> Result<File, FileError> {
    let file = open(path)?;
    file.lock_shared().about("lock", path)?;
    Ok(file)
}

/// The lock, if nobody else has it.
pub(crate) fn try_exclusive(path: &Path) -> Result<Option<File>, FileError> {
    let file = open(path)?;
    let taken = file.try_lock();
    outcome(taken, file, path)
}

/// A share of the lock, if nobody has it alone.
pub(crate) fn try_shared(path: &Path) -> Result<Option<File>, FileError> {
    let file = open(path)?;
    let taken = file.try_lock_shared();
    outcome(taken, file, path)
}

/// Whether the file is still the one at the path: somebody may have removed the folder and begun anew.
pub(crate) fn is_still_at(path: &Path, file: &File) -> bool {
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => identity(held) == identity(there),
        _ => false,
    }
}

fn outcome(taken: Result<(), TryLockError>, file: File, path: &Path) -> Result<Option<File>, FileError> {
    match taken {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).about("lock", path),
    }
}
