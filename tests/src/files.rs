//! Open files: a crowd needs more of them than most systems give a program at first.

use std::io;

/// Raises this program's limit on open files as far as the system allows. Returns the new limit.
///
/// # Errors
///
/// When the system refuses.
#[cfg(unix)]
pub fn raise_file_limit() -> io::Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised)?;
    // No limit is as good as the highest one.
    Ok(maximum.unwrap_or(u64::MAX))
}

/// Returns the highest limit: a connection is no file here.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn raise_file_limit() -> io::Result<u64> {
    Ok(u64::MAX)
}
