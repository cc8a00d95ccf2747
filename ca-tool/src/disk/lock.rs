//! Keeps other runs away, from a CA's folder or from any other.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::folder::Folder;
use crate::error::{Error, io_error};
use crate::notice::{Listener, Notice};
use crate::os;

/// Keeps other runs away until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the file is open, and so locked")] File);

/// How long to wait for another run; a large class on a slow disk takes a while.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait before saying so.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// How often to try: no operating system both waits for a lock and gives up after a time.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Locks a CA's folder. Waits for another run, but not for long.
pub(crate) fn lock(folder: &Folder, listener: &dyn Listener) -> Result<Lock, Error> {
    let path = folder.lock();
    let file = os::open_lock(&path).map_err(io_error("open", &path))?;
    wait_for(&file, folder.path(), listener)?.map_err(io_error("lock", &path))?;
    Ok(Lock(file))
}

/// Locks a folder that need not be a CA's, against other runs that would give the same name to a file
/// in it. Returns `None` where folders cannot be locked.
pub(crate) fn lock_place(place: &Path, listener: &dyn Listener) -> Result<Option<Lock>, Error> {
    let Ok(file) = File::open(place) else {
        return Ok(None);
    };
    let locked = wait_for(&file, place, listener)?;
    Ok(locked.ok().map(|()| Lock(file)))
}

fn wait_for(file: &File, folder: &Path, listener: &dyn Listener) -> Result<io::Result<()>, Error> {
    let start = Instant::now();
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Ok(())),
            Err(TryLockError::Error(source)) => return Ok(Err(source)),
            Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_TIMEOUT => {
                return Err(Error::Locked(folder.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !said && start.elapsed() > LOCK_PATIENCE {
            listener.notice(&Notice::Waiting(folder.to_owned()));
            said = true;
        }
        thread::sleep(LOCK_POLL);
    }
}
