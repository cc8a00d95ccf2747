//! What a person at a terminal is asked, and what is taken and refused on the command line.

use std::fs;

use kit::require;

use crate::{World, shell, succeed};

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_revocation_is_asked_about_at_a_terminal_and_never_in_a_script() {
    require("python3");
    let w = World::new();
    w.issue("alice");
    w.issue("bob");
    // At a terminal, "n" leaves everything as it is, and the question names the way back.
    let at_terminal = |line: &str, answer: &str| {
        let program = format!(
            "import os, pty, sys\n\
             pid, fd = pty.fork()\n\
             if pid == 0: os.execvp('sh', ['sh', '-c', \"{line}\"])\n\
             said = b''\n\
             while b'[y/N]' not in said:\n  \
               try: more = os.read(fd, 1024)\n  \
               except OSError: more = b''\n  \
               if not more: break\n  \
               said += more\n\
             else: os.write(fd, b'{answer}\\n')\n\
             while True:\n  \
               try: more = os.read(fd, 1024)\n  \
               except OSError: break\n  \
               if not more: break\n  \
               said += more\n\
             code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n\
             sys.stdout.buffer.write(said); sys.exit(code)\n"
        );
        fs::write(w.path("at_terminal.py"), program).expect("written");
        shell(w.above.path(), "python3 at_terminal.py")
    };
    let (code, said, err) = at_terminal("ca-tool revoke alice", "n");
    assert_eq!(code, Some(1), "{said}{err}");
    assert!(
        said.contains(
            "A revocation is final. To keep somebody out for a while, use --reason certificateHold."
        ),
        "{said}"
    );
    assert!(
        said.contains("Servers will refuse alice for good: go on? [y/N]"),
        "{said}"
    );
    assert!(said.contains("nothing was done"), "{said}");
    w.admit(&w.path("ca/people/alice.pem")).expect("still good");
    // A hold can be undone, so nobody is asked; nor with --yes.
    for line in [
        "revoke alice --reason certificateHold",
        "unhold alice",
        "revoke alice --yes",
    ] {
        let (code, said, err) = at_terminal(&format!("ca-tool {line}"), "n");
        assert_eq!(code, Some(0), "{said}{err}");
        assert!(!said.contains("[y/N]"), "{said}");
    }
    w.admit(&w.path("ca/people/alice.pem"))
        .expect_err("revoked");
    let (code, said, err) = at_terminal("ca-tool revoke bob", "y");
    assert_eq!(code, Some(0), "{said}{err}");
    assert!(
        said.contains("saved in ca/crl.pem: a server that reads this file acts within 2 seconds"),
        "{said}"
    );
    // A script is never asked, and may say it twice.
    let twice = "ca-tool revoke bob && ca-tool revoke bob </dev/null | cat";
    let said = succeed(w.above.path(), twice);
    assert!(!said.contains("[y/N]"), "{said}");
}

#[test]
fn a_held_person_is_on_hold_in_every_report() {
    let w = World::new();
    w.issue("alice");
    w.issue("bob");
    let said = succeed(
        w.above.path(),
        "ca-tool revoke alice --reason certificateHold && ca-tool revoke bob",
    );
    assert!(said.contains("alice is on hold\n"), "{said}");
    assert!(
        said.contains("If the server is on another machine, copy it there"),
        "{said}"
    );
    let (_, status, _) = shell(w.above.path(), "ca-tool status");
    assert!(status.contains("1 revoked, 1 on hold"), "{status}");
    let held = status.lines().find(|line| line.starts_with("on hold "));
    assert!(
        held.is_some_and(|line| line.contains("alice (") && !line.contains("bob")),
        "{status}"
    );
    let revoked = status.lines().find(|line| line.starts_with("revoked "));
    assert!(
        revoked.is_some_and(|line| line.contains("bob (") && !line.contains("alice")),
        "{status}"
    );
    let (_, json, _) = shell(w.above.path(), "ca-tool list --json");
    assert!(
        json.contains("\"state\": \"on hold\"") && json.contains("\"state\": \"revoked\""),
        "{json}"
    );
    let (_, verified, _) = shell(w.above.path(), "ca-tool verify ca/people/alice.pem");
    assert!(verified.contains("is on hold"), "{verified}");
    let said = succeed(w.above.path(), "ca-tool unhold alice");
    assert!(said.contains("alice may enter again\n"), "{said}");
}

#[test]
fn a_passphrase_that_protects_nothing_is_refused_for_a_new_key() {
    let folder = tempfile::tempdir().expect("a folder");
    for (word, why) in [
        ("abc", "it has fewer than 8 characters"),
        ("1234567", "it has fewer than 8 characters"),
        ("张三张三张三张", "it has fewer than 8 characters"),
        ("aaaaaaaaaaaa", "it is one character over and over"),
    ] {
        fs::write(folder.path().join("word"), word).expect("written");
        let (code, _, err) = shell(
            folder.path(),
            "ca-tool init --name N --passphrase-file word",
        );
        assert_eq!(code, Some(77), "{word}: {err}");
        assert!(
            err.contains("too weak for the key of a CA") && err.contains(why),
            "{err}"
        );
        assert!(!folder.path().join("ca").exists());
    }
    fs::write(folder.path().join("word"), "eight ch").expect("written");
    succeed(
        folder.path(),
        "ca-tool init --name N --passphrase-file word",
    );
}

#[test]
fn numbers_and_hosts_that_cannot_be_used_are_refused_in_our_words() {
    let folder = tempfile::tempdir().expect("a folder");
    for (line, why) in [
        ("init --name N --port x", "write a port from 1 to 65535"),
        ("init --name N --port 0", "write a port from 1 to 65535"),
        ("init --name N --port 70000", "write a port from 1 to 65535"),
        (
            "issue a --passphrase-fd x",
            "write the number of an open descriptor",
        ),
        (
            "init --name N --host fe80::1%eth0",
            "leave the zone out, and write fe80::1",
        ),
        ("issue-server fe80::1%lo", "leave the zone out"),
    ] {
        let (code, _, err) = shell(folder.path(), &format!("ca-tool {line}"));
        assert_eq!(code, Some(2), "{line}: {err}");
        assert!(err.contains(why), "{line}: {err}");
        assert!(!err.contains("invalid digit"), "{err}");
    }
}

#[test]
fn a_day_is_the_day_where_it_is_typed() {
    let w = World::new();
    let in_zone =
        |zone: &str, line: &str| succeed(w.above.path(), &format!("TZ={zone} ca-tool {line}"));
    let said = in_zone("America/Los_Angeles", "issue alice --until 2027-01-31");
    assert!(said.contains("valid until 2027-01-31"), "{said}");
    assert!(
        said.contains(
            "2027-01-31 23:59:59 -08:00 (America/Los_Angeles), which is 2027-02-01T07:59:59Z in UTC"
        ),
        "{said}"
    );
    assert!(in_zone("America/Los_Angeles", "list").contains("2027-01-31"));
    assert!(in_zone("UTC", "list").contains("2027-02-01"));
    let said = in_zone("Asia/Tokyo", "renew alice --until 2027-02-10");
    assert!(
        said.contains("(Asia/Tokyo), which is 2027-02-10T14:59:59Z in UTC"),
        "{said}"
    );
}

#[test]
#[ignore = "needs faketime: run with --include-ignored"]
fn a_day_that_is_typed_on_its_own_evening_is_not_over() {
    require("faketime");
    let w = World::new();
    // 20:00 in Los Angeles is the next day in UTC.
    let evening = "TZ=America/Los_Angeles faketime -f '@2027-01-31 20:00:00' ca-tool issue alice --until 2027-01-31";
    let (_, out, err) = shell(w.above.path(), evening);
    assert!(out.contains("valid until 2027-01-31"), "{out}{err}");
}

#[test]
fn the_overlap_of_a_renewal_is_told_by_every_report() {
    let w = World::new();
    w.issue("alice");
    w.issue("bob");
    let said = succeed(w.above.path(), "ca-tool renew alice --overlap 14");
    assert!(said.contains("saved in ca/crl.pem"), "{said}");
    let (code, status, _) = shell(w.above.path(), "ca-tool status");
    assert_eq!(code, Some(1), "{status}");
    let soon = status.lines().find(|line| line.starts_with("expires soon"));
    let soon = soon.unwrap_or_default();
    assert!(
        soon.contains("alice (") && soon.contains("the newer one replaces it"),
        "{status}"
    );
    assert!(!soon.contains("bob"), "{status}");
    let (_, expiring, _) = shell(w.above.path(), "ca-tool list --expiring 30d");
    assert_eq!(expiring.lines().count(), 2, "{expiring}");
    assert!(
        expiring.contains("valid, until the newer one replaces it"),
        "{expiring}"
    );
    // The server learns it from the list, whose notes every other program passes over.
    let list = fs::read_to_string(w.path("ca/crl.pem")).expect("a list");
    assert_eq!(list.matches("\n# ends ").count(), 1, "{list}");
    // A list that lost them, or never had them, is signed again.
    let (bare, _) = list.split_once("# ends").expect("a note");
    fs::write(w.path("ca/crl.pem"), bare).expect("written");
    shell(w.above.path(), "ca-tool status");
    let list = fs::read_to_string(w.path("ca/crl.pem")).expect("a list");
    assert!(list.contains("\n# ends "), "{list}");
}

#[test]
fn a_mistyped_file_is_answered_with_the_one_that_was_meant() {
    let w = World::new();
    w.issue("alice");
    for line in [
        "verify ca/people/alcie.pem",
        "show ca/people/alcie.pem",
        "export ca/people/alcie.pem",
    ] {
        let (code, _, err) = shell(w.above.path(), &format!("ca-tool {line}"));
        assert_eq!(code, Some(1), "{line}: {err}");
        assert!(
            err.contains("hint: did you mean ca/people/alice.pem?"),
            "{line}: {err}"
        );
    }
    for (line, why) in [
        ("verify ca/people", "it is a folder"),
        (
            "verify /etc/hostname/x",
            "a part of its path is not a folder",
        ),
    ] {
        let (_, _, err) = shell(w.above.path(), &format!("ca-tool {line}"));
        assert!(
            err.contains(why) && !err.contains("os error"),
            "{line}: {err}"
        );
    }
}
