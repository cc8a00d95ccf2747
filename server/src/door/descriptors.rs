//! Open files. Each connection is one, and the server keeps enough of them for itself: with none
//! left it could not read a new revocation list, and a revoked member would stay.

use crate::os;

/// Connections that are being told that there is no room. Further ones are closed at once.
pub(crate) const TURNED_AWAY_MAX: usize = 8;

/// File descriptors that are not connections: standard streams, runtime, listener, the database
/// with its readers, lock and log, and those that are open for a moment, for a list, a bundle, the
/// network interfaces and connections that are turned away. A test counts them.
const RESERVED: u64 = 40 + TURNED_AWAY_MAX as u64;

/// A server with room for fewer connections is of no use.
const CONNECTIONS_MIN: u64 = 4;

/// The limit on open files is too low to serve anybody.
#[derive(Debug, thiserror::Error)]
#[error("the system allows this program {files} open files, and it needs {}", RESERVED + CONNECTIONS_MIN)]
pub struct TooFewFiles {
    files: u64,
}

impl TooFewFiles {
    /// Returns advice for the operator.
    pub fn hint(&self) -> &'static str {
        "this is the hard limit, which only root can raise: start the server from a shell that has not lowered it, or set LimitNOFILE= in the service's unit or nofile in /etc/security/limits.conf"
    }
}

/// The number of connections that are possible, and the limit that decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Connections at once; 0 for no limit.
    pub connections: usize,
    /// The limit on open files, if it lowered the number of connections.
    pub files: Option<u64>,
}

/// Raises the limit on open files as far as the system allows. Returns `wanted`, lowered to the
/// number of connections that the limit leaves room for.
///
/// # Errors
///
/// When the limit is so low that nobody could be served.
pub fn connections_allowed(wanted: usize) -> Result<Allowed, TooFewFiles> {
    match os::raise_file_limit() {
        Ok(Some(files)) => allowed(wanted, files),
        Ok(None) => Ok(Allowed {
            connections: wanted,
            files: None,
        }),
        Err(failure) => {
            tracing::warn!(error = %failure, "the limit on open files stays as it is");
            Ok(Allowed {
                connections: wanted,
                files: None,
            })
        }
    }
}

fn allowed(wanted: usize, files: u64) -> Result<Allowed, TooFewFiles> {
    let most = files.saturating_sub(RESERVED);
    if most < CONNECTIONS_MIN {
        return Err(TooFewFiles { files });
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let is_less = wanted == 0 || wanted > most;
    Ok(Allowed {
        connections: if is_less { most } else { wanted },
        files: is_less.then_some(files),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_files_lowers_connections_and_leaves_room_for_the_server() {
        let of = |wanted, files| {
            let allowed = allowed(wanted, files).expect("enough files");
            (allowed.connections, allowed.files)
        };
        assert_eq!(of(4096, 1_048_576), (4096, None));
        assert_eq!(of(4096, 64), (64 - 48, Some(64)));
        assert_eq!(of(10, 64), (10, None));
        // No limit means as many connections as there are files for.
        assert_eq!(of(0, 1024), (1024 - 48, Some(1024)));
        let refused = allowed(4096, 51).expect_err("too few");
        assert_eq!(
            refused.to_string(),
            "the system allows this program 51 open files, and it needs 52"
        );
    }
}
