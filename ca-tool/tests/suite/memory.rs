//! A run keeps no key in its memory after it has written it.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use kit::look_until;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::World;

#[test]
fn nobody_s_key_is_in_memory_when_it_lies_in_its_place() {
    let w = World::new();
    for (arguments, file) in [
        (&["issue", "alice"][..], "ca/people/alice.pem"),
        (&["issue", "bob", "--zip"], "ca/people/bob.zip"),
        (
            &["issue-server", "chat.example"],
            "ca/server-chat.example.pem",
        ),
    ] {
        let mut run = Blocked::begin(&w, arguments);
        let key = look_until("a run that has done its work", || key_in(&w.path(file)));
        for piece in key {
            look_until("a run that has done its work", || {
                (!run.remembers(&piece)).then_some(())
            });
        }
        // The search does find what is still there.
        let name = file.rsplit('/').next().expect("a name").as_bytes();
        assert!(run.remembers(name), "{file}");
        run.0.kill().expect("killed");
        run.0.wait().expect("it ends");
    }
}

/// A run that has finished but not printed its results, because nobody reads them.
struct Blocked(
    Child,
    #[expect(dead_code, reason = "it is never read from")] UnixStream,
);

impl Blocked {
    fn begin(w: &World, arguments: &[&str]) -> Self {
        let (results, nobody) = UnixStream::pair().expect("a pair");
        results.set_nonblocking(true).expect("set");
        while (&results).write(&[b' '; 4096]).is_ok() {}
        results.set_nonblocking(false).expect("set");
        let mut command = w.command(arguments);
        let command = command.stdout(OwnedFd::from(results)).stderr(Stdio::null());
        Self(command.spawn().expect("it runs"), nobody)
    }

    /// Returns whether these bytes are anywhere in the memory that it can write to.
    fn remembers(&self, wanted: &[u8]) -> bool {
        let process = format!("/proc/{}", self.0.id());
        let maps = fs::read_to_string(format!("{process}/maps")).expect("its memory");
        let memory = File::open(format!("{process}/mem")).expect("its memory");
        maps.lines()
            .filter(|line| line.contains(" rw"))
            .any(|line| {
                let (range, _) = line.split_once(' ').expect("a range");
                let (begin, end) = range.split_once('-').expect("a range");
                let at = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
                let mut bytes = vec![0; usize::try_from(at(end) - at(begin)).expect("it fits")];
                // Memory that was given back meanwhile holds nothing.
                let read = memory.read_at(&mut bytes, at(begin)).unwrap_or(0);
                bytes[..read]
                    .windows(wanted.len())
                    .any(|bytes| bytes == wanted)
            })
    }
}

/// Pieces of the key in a person's file, as in the file and as in use, once the file is there.
fn key_in(path: &Path) -> Option<[Vec<u8>; 2]> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let begin = text.find("-----BEGIN PRIVATE KEY-----\n")?;
    // The first line names the kind of key; the second one is random.
    let line = text[begin..].lines().nth(2)?.as_bytes().to_vec();
    let key = PrivatePkcs8KeyDer::from_pem_slice(&text.as_bytes()[begin..]).ok()?;
    Some([line, key.secret_pkcs8_der()[48..68].to_vec()])
}
