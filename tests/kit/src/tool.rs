//! Other people's programs, and rights that not everybody has.
//!
//! A test that needs one is `#[ignore = "needs openssl: run with --include-ignored"]`, so cargo says
//! that it did not run. When it runs all the same, a missing tool is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Each tool, and the package of Debian and Ubuntu that has it.
const PACKAGES: [(&str, &str); 23] = [
    ("Xvfb", "xvfb"),
    ("certtool", "gnutls-bin"),
    ("certutil", "libnss3-tools"),
    ("faketime", "faketime"),
    ("gcc", "gcc libssl-dev"),
    ("gnutls-cli", "gnutls-bin"),
    ("go", "golang-go"),
    ("ip", "iproute2"),
    ("javac", "default-jdk-headless"),
    ("mount", "mount"),
    ("node", "nodejs"),
    ("nsenter", "util-linux"),
    ("openssl", "openssl"),
    ("pk12util", "libnss3-tools"),
    ("prlimit", "util-linux"),
    ("python3", "python3"),
    ("screen", "screen"),
    ("setpriv", "util-linux"),
    ("sqlite3", "sqlite3"),
    ("strace", "strace"),
    ("tmux", "tmux"),
    ("unshare", "util-linux"),
    ("xterm", "xterm"),
];

/// Fails the test, saying how to install the tool, unless the tool is on the path.
#[track_caller]
pub fn require(tool: &str) {
    let (_, package) = PACKAGES
        .iter()
        .find(|(name, _)| *name == tool)
        .unwrap_or_else(|| panic!("add {tool} to the list of tools and their packages"));
    assert!(
        find(tool).is_some(),
        "this test needs {tool}: install it (`apt-get install {package}`), or leave this test out by \
         running without --include-ignored"
    );
}

/// Returns a Python that has this module, and fails the test if none does.
#[track_caller]
pub fn python_with(module: &str) -> &'static str {
    // Debian's packages are modules of Debian's Python, which need not be the first on the path.
    let has_module = |python: &&str| {
        Command::new(python)
            .args(["-c", &format!("import {module}")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_module);
    found.unwrap_or_else(|| {
        panic!(
            "this test needs Python's module {module}: install it (`apt-get install \
             python3-{module}`), or leave this test out by running without --include-ignored"
        )
    })
}

/// Fails the test unless it runs as root. `why` says what only root may do.
#[track_caller]
pub fn require_root(why: &str) {
    let id = Command::new("id").arg("-u").output();
    let is_root = id.is_ok_and(|id| id.stdout == b"0\n");
    assert!(
        is_root,
        "this test needs root, because only root may {why}: run it as root, or leave it out by \
         running without --include-ignored"
    );
}

fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file = Path::new(tool).with_extension(std::env::consts::EXE_EXTENSION);
    std::env::split_paths(&path)
        .map(|folder| folder.join(&file))
        .find(|place| place.is_file())
}
