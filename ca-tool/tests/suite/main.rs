//! The promises of `ca-tool`, tried on its library and on the program.

mod adopted_lists;
mod adoption;
mod certificates;
mod class_lists;
#[cfg(target_os = "linux")]
mod crashes;
mod crowds;
mod deliveries;
mod exports;
mod forms;
mod json;
mod layers;
#[cfg(target_os = "linux")]
mod memory;
mod mistakes;
mod names;
mod openssl;
mod passphrase;
mod people;
mod program;
mod renewals;
mod reports;
mod requests;
mod restored;
mod revocations;
mod rosters;
mod strict;
#[cfg(unix)]
mod terminals;
#[cfg(unix)]
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use ca_tool::{Ca, Candidate, InitOptions, IssueOptions, Issued};
use kit::require;
use pki::{Bundle, Gate, Identity, Refusal, Revocations};
use tempfile::TempDir;

/// A folder with a CA in it, and a server's gate that trusts the CA.
struct World {
    above: TempDir,
    ca: Ca,
}

impl World {
    fn new() -> Self {
        let above = tempfile::tempdir().expect("a folder");
        let options = InitOptions::named("Networks 101");
        let ca = Ca::init(&above.path().join("ca"), &options).expect("a CA");
        Self { above, ca }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.above.path().join(name)
    }

    fn issue(&self, name: &str) -> Issued {
        let candidates = Candidate::named([name]);
        let mut issuance = self
            .ca
            .issue(&candidates, &IssueOptions::default())
            .expect("issued");
        issuance.issued.pop().expect("a new certificate")
    }

    /// Returns what a server with the list of this moment says to a bundle's holder.
    fn admit(&self, bundle: &Path) -> Result<Identity, Refusal> {
        let now = SystemTime::now();
        let gate = Gate::new(self.ca.register().anchor().clone(), true).expect("a trust anchor");
        let list = fs::read(self.ca.register().revocation_list()).expect("a list");
        let list = gate.revocation_list(&list, now).expect("a good list");
        let bundle = Bundle::read(bundle).expect("a bundle");
        let revocations = Revocations::List(Arc::new(list));
        gate.admit(bundle.leaf(), &revocations, now)
    }

    /// Runs the program on this CA.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.above.path()).args(arguments);
        command
    }
}

/// Runs a line of shell with nothing on its standard input. Returns its exit code, output and errors.
fn shell(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let program = Path::new(PROGRAM).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(places).expect("folders"))
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let (out, err) = (stdout(&output), stderr(&output));
    (output.status.code(), out, err)
}

/// Runs a line of shell that must succeed. Returns everything that it printed.
#[track_caller]
fn succeed(folder: &Path, line: &str) -> String {
    let (code, out, err) = shell(folder, line);
    assert_eq!(code, Some(0), "{line}: {out}{err}");
    out + &err
}

/// Other people's tools that a story asks about the files that it made. Each story is told twice: once with
/// [`Asked::NOBODY`], which every machine can do, and once, if asked for, with the tools.
#[derive(Clone, Copy)]
struct Asked(&'static [&'static str]);

impl Asked {
    const NOBODY: Self = Self(&[]);

    /// Fails the test where one of the tools is missing.
    #[track_caller]
    fn of(tools: &'static [&'static str]) -> Self {
        for tool in tools {
            require(tool);
        }
        Self(tools)
    }

    fn includes(self, tool: &str) -> bool {
        self.0.contains(&tool)
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_ca-tool");

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Returns every file below a folder with its bytes, to check that nothing was written.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            files.push((path, target.into_os_string().into_encoded_bytes()));
        } else if path.is_dir() {
            files.push((path.clone(), Vec::new()));
            files.extend(snapshot(&path));
        } else if !path.ends_with(".lock") {
            files.push((path.clone(), fs::read(path).expect("a file")));
        }
    }
    files.sort();
    files
}
