//! Finds the program that has a port, where the system tells: Linux does in `/proc`, about programs of the same user,
//! and root about all.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the search may take: a machine may run very many programs, and the answer is only a help.
const SEARCH_TIMEOUT: Duration = Duration::from_millis(500);

/// A program that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) process: u32,
    /// The program's name, with everything that could disturb a terminal escaped.
    pub(crate) name: String,
}

/// Returns the program that listens on this port, or `None` when the system does not tell.
pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    holder_below(Path::new("/proc"), port)
}

fn holder_below(proc: &Path, port: u16) -> Option<Holder> {
    let deadline = Instant::now() + SEARCH_TIMEOUT;
    let sockets = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(proc.join(table)));
    let tables = sockets.iter().flatten();
    let links: Vec<String> = tables
        .flat_map(|table| table.lines().filter_map(|line| listening_on(line, port)))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if links.is_empty() {
        return None;
    }
    let processes = fs::read_dir(proc).ok()?.flatten();
    for entry in processes.take_while(|_| Instant::now() < deadline) {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // The files of other users' programs cannot be read.
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let mut files = files.flatten().take_while(|_| Instant::now() < deadline);
        let is_holder = files.any(|file| {
            fs::read_link(file.path())
                .is_ok_and(|link| links.iter().any(|wanted| link == Path::new(wanted)))
        });
        if is_holder {
            let name = fs::read(entry.path().join("comm")).ok()?;
            let name = wire::escape(String::from_utf8_lossy(&name).trim_end());
            return Some(Holder { process, name });
        }
    }
    None
}

/// Returns the number of the socket in a line of `/proc/net/tcp` that listens on this port.
fn listening_on(line: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (_, its_port) = fields.nth(1)?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let is_it = state == LISTEN && u16::from_str_radix(its_port, 16) == Ok(port);
    is_it.then(|| fields.nth(5)).flatten()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_program_that_listens_is_found_by_its_port_and_one_that_is_connected_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).expect("a listener");
            let port = listener.local_addr().expect("an address").port();
            let holder = holder_of(port).expect("this program");
            assert_eq!(holder.process, std::process::id());
            let name = fs::read_to_string("/proc/self/comm").expect("a name");
            assert_eq!(holder.name, name.trim_end());
            let client = std::net::TcpStream::connect(("localhost", port));
            let from = client.as_ref().map(|client| client.local_addr());
            if let Ok(Ok(from)) = from {
                assert_eq!(holder_of(from.port()), None);
            }
        }
    }

    #[test]
    fn a_system_that_tells_nothing_is_no_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(holder_below(folder.path(), 27332), None);
        fs::create_dir(folder.path().join("net")).expect("a folder");
        fs::write(
            folder.path().join("net/tcp"),
            "  sl\n 0: x\n 1: A:6AC4 B 0A\n",
        )
        .expect("a file");
        assert_eq!(holder_below(folder.path(), 0x6ac4), None);
    }
}
