//! Mistakes that people make, and the words that they get for them.

use std::fs;

use crate::{World, stderr, stdout, succeed};

/// Runs the program. Returns its exit code, and everything that it printed.
fn said(w: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = w.run(arguments);
    (output.status.code(), stdout(&output) + &stderr(&output))
}

#[test]
fn a_key_that_is_given_as_a_roster_is_not_printed() {
    let w = World::new();
    w.issue("alice");
    fs::write(w.path("program"), b"\x7fELF\x02\x01\0\0id\n").expect("written");
    fs::write(w.path("empty.csv"), "\n").expect("written");
    let key = fs::read_to_string(w.path("ca/private/ca.key")).expect("a key");
    let secret: Vec<_> = key.lines().filter(|line| !line.contains("---")).collect();
    for (file, why) in [
        ("ca/private/ca.key", "it is a key, not a roster"),
        ("ca/people/alice.pem", "it is a key, not a roster"),
        ("ca/crl.pem", "it is a PEM file, not a roster"),
        ("program", "it is not a text file"),
        ("empty.csv", "it is empty"),
    ] {
        for more in [&[][..], &["--id-column", "name"]] {
            let (code, said) = said(&w, &[&["issue", "--roster", file], more].concat());
            assert_eq!(code, Some(1), "{said}");
            let expected = format!("ca-tool: error: cannot read {file}: {why}\n");
            assert!(said.starts_with(&expected), "{said}");
            assert!(!secret.iter().any(|line| said.contains(line)), "{said}");
        }
    }
}

#[test]
fn a_roster_that_is_all_wrong_fits_on_a_screen() {
    let w = World::new();
    let rows: String = (0..50).map(|n| format!("../{n}\n")).collect();
    fs::write(w.path("class.txt"), rows).expect("written");
    let (code, said) = said(&w, &["issue", "--roster", "class.txt"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("class.txt:20: "), "{said}");
    assert!(!said.contains("class.txt:21: "), "{said}");
    assert!(
        said.contains("\nand 30 more\nca-tool: error: 50 problems to fix"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_passphrase_that_can_be_read_only_once_serves_the_whole_run() {
    let above = tempfile::tempdir().expect("a folder");
    let above = above.path();
    fs::write(above.join("pass"), "open sesame\n").expect("written");
    succeed(above, "ca-tool init --name Room --passphrase-file pass");
    for source in [
        "cat pass | timeout 20 ca-tool doctor --passphrase-fd 0",
        "cat pass | timeout 20 ca-tool doctor --passphrase-fd 3 3<&0",
        "(cat pass >pipe &) && timeout 20 ca-tool doctor --passphrase-file pipe",
    ] {
        succeed(above, "rm -f ca/crl.pem pipe && mkfifo pipe");
        let said = succeed(above, source);
        assert!(said.contains("crl.pem was signed again"), "{said}");
        assert!(
            said.contains("good  key              it belongs to the CA's certificate"),
            "{source}: {said}"
        );
    }
}
