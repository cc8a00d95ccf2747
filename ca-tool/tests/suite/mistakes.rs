//! Mistakes that people make, and the words that they get for them.

use std::fs;

use ca_tool::Reason;

use crate::{World, shell, stderr, stdout, succeed};

/// Runs the program. Returns its exit code, and everything that it printed.
fn said(w: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = w.run(arguments);
    (output.status.code(), stdout(&output) + &stderr(&output))
}

#[test]
fn a_list_without_its_flag_is_no_person_and_a_room_needs_the_flag_of_its_name() {
    let w = World::new();
    fs::write(w.path("people"), "erin\n").expect("written");
    for list in ["moodle.csv", "CLASS.XLSX", "people"] {
        let refused = w.run(&["issue", list]);
        let said = stderr(&refused);
        let hint = format!("did you mean `ca-tool issue --roster {list}`?");
        assert!(said.contains(&hint), "{said}");
    }
    let refused = w.run(&["init", "Net 101"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.contains("ca-tool init --name \"Net 101\""), "{said}");
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

#[test]
fn a_persons_bundle_in_the_servers_place_is_noticed() {
    let w = World::new();
    w.issue("alice");
    fs::copy(w.path("ca/people/alice.pem"), w.path("ca/server.pem")).expect("copied");
    let (code, said) = said(&w, &["doctor"]);
    assert_eq!(code, Some(1), "{said}");
    let expected = "BAD   server bundle    ca/server.pem is the certificate of a person, alice\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_lost_index_is_an_error_that_says_how_to_go_on() {
    let w = World::new();
    w.issue("alice");
    for junk in [None, Some("junk\n")] {
        match junk {
            None => fs::remove_file(w.path("ca/index.txt")),
            Some(junk) => fs::write(w.path("ca/index.txt"), junk),
        }
        .expect("spoiled");
        for (command, code) in [("list", 1), ("status", 3), ("doctor", 1)] {
            let (exit, said) = said(&w, &[command]);
            assert_eq!(exit, Some(code), "{said}");
            assert!(said.contains("cannot read ca/index.txt: "), "{said}");
            let hint = "restore ca/ from your backup, then add the server's list with `ca-tool crl --merge FILE`";
            assert!(said.contains(hint), "{said}");
            if command == "doctor" {
                assert!(said.contains("good  bundles"), "{said}");
                assert!(said.contains("good  server bundle"), "{said}");
            }
        }
    }
}

#[test]
fn a_number_that_the_folder_does_not_know_is_called_unknown() {
    let w = World::new();
    let revoke = ["revoke", "--serial", "12", "--reason", "certificateHold"];
    let (code, text) = said(&w, &revoke);
    assert_eq!(code, Some(0), "{text}");
    let expected = "number 12 is on hold: this folder has no certificate with that number\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("`ca-tool unhold --serial 12` lets them in again"),
        "{text}"
    );
    let (_, text) = said(&w, &["revoke", "--serial", "12"]);
    let expected = "revoked number 12: this folder has no certificate with that number\n";
    assert!(text.starts_with(expected), "{text}");
    let (_, text) = said(&w, &["revoke", "--serial", "12"]);
    assert!(
        text.contains("number 12 is revoked already; nothing was done"),
        "{text}"
    );
    let (code, text) = said(&w, &["revoke", "--serial", "12zz"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("\"12zz\" is not a hexadecimal number"),
        "{text}"
    );
}

#[test]
fn one_certificate_is_spoken_of_as_one() {
    let w = World::new();
    w.issue("alice");
    w.issue("bob");
    let (_, text) = said(&w, &["renew", "alice"]);
    assert!(
        text.contains("saved in ca/crl.pem, which revokes the old certificate now. If the server"),
        "{text}"
    );
    let (_, text) = said(&w, &["renew", "bob", "--overlap", "14"]);
    assert!(
        text.contains("the old certificate is valid until "),
        "{text}"
    );
    assert!(
        text.contains(" at the latest; the first ca-tool command after that revokes it, such as"),
        "{text}"
    );
    let (_, text) = said(&w, &["revoke", "bob", "--reason", "certificateHold"]);
    assert!(text.contains("bob is on hold (2 certificates)\n"), "{text}");
    assert!(
        text.contains("note: `ca-tool unhold bob` lets them in again"),
        "{text}"
    );
    for command in ["renew --all --overlap", "list --expiring"] {
        let command: Vec<_> = command.split(' ').chain(["two"]).collect();
        let (code, text) = said(&w, &command);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("write a whole number of days"), "{text}");
    }
}

#[test]
fn doctor_counts_the_certificates_that_it_looked_for() {
    let w = World::new();
    let (_, text) = said(&w, &["doctor"]);
    assert!(
        text.contains("1 certificate, which is in certs/\n"),
        "{text}"
    );
    w.issue("alice");
    said(&w, &["revoke", "--serial", "12"]);
    let (_, text) = said(&w, &["doctor"]);
    assert!(text.contains("2 certificates, each in certs/\n"), "{text}");
}

#[test]
fn a_person_who_was_renewed_is_not_called_revoked() {
    let w = World::new();
    w.issue("alice");
    said(&w, &["renew", "alice"]);
    let (_, text) = said(&w, &["status"]);
    assert!(text.contains("1 revoked\n"), "{text}");
    assert!(!text.contains("alice"), "{text}");
    w.ca.revoke(&["alice".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    let (_, text) = said(&w, &["status"]);
    assert!(text.contains("keyCompromise"), "{text}");
}

#[test]
fn a_report_with_an_encrypted_key_says_how_the_list_is_signed() {
    let above = tempfile::tempdir().expect("a folder");
    let above = above.path();
    fs::write(above.join("pass"), "open sesame\n").expect("written");
    succeed(above, "ca-tool init --name Room --passphrase-file pass");
    fs::remove_file(above.join("ca/crl.pem")).expect("removed");
    let text = succeed(above, "ca-tool list");
    let note = "note: the revocation list has to be signed again: run `ca-tool crl`, which asks for the passphrase\n";
    assert!(text.contains(note), "{text}");
}

#[test]
fn a_bundle_for_another_server_comes_with_its_names_and_what_to_do_with_it() {
    let w = World::new();
    let (_, text) = said(&w, &["issue-server", "chat2.example", "192.0.2.8"]);
    assert!(
        text.contains("  valid for  chat2.example, 192.0.2.8\n"),
        "{text}"
    );
    assert!(
        text.contains("note: move ca/server-chat2.example.pem to the file of that server's --cert; a running server picks it up by itself\n"),
        "{text}"
    );
}

#[test]
fn a_wrong_argument_is_called_by_its_name() {
    let w = World::new();
    w.issue("alice");
    fs::remove_file(w.path("ca/people/alice.pem")).expect("removed");
    fs::write(w.path("class.csv"), "id\nalice\n").expect("written");
    let folder = w.above.path();
    for (line, code, expected) in [
        (
            "issue bob --server https://chat.example/",
            2,
            "\"https://chat.example/\" is a URL; write chat.example\n",
        ),
        (
            "issue bob --server https://chat.example:27332/x",
            2,
            "is a URL; write chat.example:27332\n",
        ),
        (
            "issue-server https://chat.example:443/",
            2,
            "\"https://chat.example:443/\" is a URL; write chat.example\n",
        ),
        (
            "export gina --p12",
            1,
            "\"gina\" was never issued a certificate; nothing was done\n",
        ),
        (
            "export alice --p12",
            1,
            "ca/people/alice.pem does not exist\nca-tool: hint: if the bundle is elsewhere, name its file, ",
        ),
        ("export gina.pem --p12", 1, "error: gina.pem does not exist"),
        (
            "--dir nowhere list",
            1,
            "error: there is no CA in the folder nowhere\n",
        ),
        (
            "verify ca/ca.pem",
            1,
            "ca/ca.pem: not admitted: it is a CA's certificate\n",
        ),
        (
            "verify ca/server.pem",
            1,
            "ca/server.pem: not admitted: it is a server's certificate\n",
        ),
    ] {
        let (exit, out, err) = shell(folder, &format!("ca-tool {line}"));
        let text = out + &err;
        assert_eq!(exit, Some(code), "{line}: {text}");
        assert!(text.contains(expected), "{line}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_no_database_is_not_blamed_on_a_server_that_is_missing() {
    use std::os::unix::fs::PermissionsExt as _;

    let w = World::new();
    fs::create_dir(w.path("bin")).expect("made");
    fs::copy(crate::PROGRAM, w.path("bin/ca-tool")).expect("copied");
    let status = "env PATH= bin/ca-tool status --db class.csv";
    let (code, _, text) = shell(w.above.path(), status);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("install the program `server`"), "{text}");
    let server = w.path("bin/server");
    fs::write(
        &server,
        "#!/bin/sh\necho class.csv: not a database >&2\nexit 1\n",
    )
    .expect("written");
    fs::set_permissions(&server, fs::Permissions::from_mode(0o700)).expect("set");
    let (code, _, text) = shell(w.above.path(), status);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("class.csv: not a database\n"), "{text}");
    assert!(!text.contains("install"), "{text}");
}
