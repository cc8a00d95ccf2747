//! Systems that are not Unix, such as Windows: no warnings about files, every file is opened, and
//! open files have no limit.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use socket2::Socket;
use tokio::sync::watch;
use tracing::warn;

use super::DiskBytes;

pub(crate) fn disk_bytes(folder: &Path) -> Option<DiskBytes> {
    let disk = fs4::statvfs(folder).ok()?;
    Some(DiskBytes {
        free: disk.available_space(),
        total: disk.total_space(),
    })
}

// Connections are not files here.
pub(crate) fn raise_file_limit() -> io::Result<Option<u64>> {
    Ok(None)
}

pub(crate) fn warning_of_readers(_path: &Path) -> Option<String> {
    None
}

pub(crate) fn warnings_of_writers(_path: &Path, _what: &str) -> Vec<String> {
    Vec::new()
}

pub(crate) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

pub(crate) fn refuse_planted_link(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_out_of_files(_failure: &io::Error) -> bool {
    false
}

pub(crate) fn keep_private(_options: &mut OpenOptions) {}

pub(crate) fn follow_links(_options: &mut OpenOptions) {}

pub(crate) fn let_writes_wait(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn why_no_log(_file: &Metadata) -> Option<&'static str> {
    None
}

pub(crate) fn is_of_another_user(_path: &Path) -> bool {
    false
}

pub(crate) fn names_of(_path: &Path) -> Option<u64> {
    None
}

pub(crate) fn file_number(_file: &Metadata) -> Option<u64> {
    None
}

// On Windows this would let another program take the port.
pub(crate) fn reuse_address(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn set_user_timeout(_socket: &Socket, _timeout: Duration) -> io::Result<()> {
    Ok(())
}

/// Returns whether standard output is a file that nothing has been written to: shells here may write it anew in
/// another encoding, with a mark of their own.
pub fn stdout_is_new_file() -> bool {
    false
}

/// Returns a future that completes at the first Ctrl-C. Nothing asks for a reload.
///
/// # Errors
///
/// None: if Ctrl-C cannot be handled, the log says so.
pub fn stop_signal(_reload: watch::Sender<()>) -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if let Err(failure) = tokio::signal::ctrl_c().await {
            warn!(error = %failure, "cannot wait for Ctrl-C");
            std::future::pending::<()>().await;
        }
    })
}
