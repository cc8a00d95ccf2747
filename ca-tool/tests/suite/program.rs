//! The program: its exit codes, its messages, and the modes of the files that it makes.

use std::fs;
use std::process::{Command, Stdio};

#[cfg(unix)]
use kit::require_root;

use crate::{PROGRAM, World, shell, snapshot, stderr, stdout, succeed};

#[test]
fn init_says_what_was_made_where_and_until_when() {
    let above = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        let output = command.current_dir(above.path()).args(arguments).output();
        output.expect("the program runs")
    };
    let refused = run(&["init", "--name", "Networks 101"]);
    assert_eq!(refused.status.code(), Some(77));
    assert!(stderr(&refused).contains("there is no terminal to ask for one\nca-tool: hint: "));
    assert!(!above.path().join("ca").exists());

    let init = ["init", "--name", "Networks 101", "--no-passphrase"];
    let made = run(&init);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    for expected in [
        "\"Networks 101\"",
        "ca/ca.pem",
        "ca/server.pem",
        "valid until",
        "localhost",
    ] {
        assert!(stdout(&made).contains(expected), "{}", stdout(&made));
    }
    let before = snapshot(above.path());
    // Nobody is asked for a passphrase in vain.
    let again = run(&init[..3]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(stdout(&again), "");
    assert!(stderr(&again).starts_with("ca-tool: error: ca already holds a CA\nca-tool: hint: "));
    assert_eq!(snapshot(above.path()), before);
}

#[test]
fn a_roster_and_names_are_issued_together_or_not_at_all() {
    let w = World::new();
    let roster = "id,role,phone\r\nalice,instructor,1\r\n\r\nb ob,,2\r\n";
    fs::write(w.path("class.csv"), roster).expect("written");
    let refused = w.run(&["issue", "carol", "carol", "--roster", "class.csv"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        stderr(&refused),
        "ca-tool: note: ignoring the column phone in class.csv\n\
         argument 2: \"carol\" is already named at argument 1\n\
         class.csv:4: \"b ob\": a name cannot contain a space\n\
         ca-tool: error: 2 problems to fix; nothing was issued\n"
    );
    assert_eq!(
        fs::read_dir(w.ca.register().people())
            .expect("a folder")
            .count(),
        0
    );

    fs::write(w.path("class.csv"), roster.replace("b ob", "bob")).expect("written");
    let issued = w.run(&["issue", "carol", "--roster", "class.csv"]);
    assert_eq!(issued.status.code(), Some(0), "{}", stderr(&issued));
    let names: Vec<_> = stdout(&issued).lines().map(first_word).collect();
    assert_eq!(names, ["carol", "alice", "bob"]);
    let again = w.run(&["issue", "carol"]);
    assert_eq!(
        (again.status.code(), stdout(&again).as_str()),
        (Some(0), "")
    );
    assert!(stderr(&again).contains("carol has a certificate until "));
}

fn first_word(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_mistyped_command_exits_with_2_and_one_that_fails_with_1() {
    let w = World::new();
    for (arguments, code) in [
        (&["issue"][..], 2),
        (&["issue", "alice", "--role", "boss"], 2),
        (&["issue", "alice", "--until", "tomorrow"], 2),
        (&["issue-server", "a b"], 2),
        (&["revoke"], 2),
        (&["revoke", "alice", "--reason", "boredom"], 2),
        (&["frobnicate"], 2),
        (&["issue", "alice", "--until", "2020-01-01"], 1),
        (&["issue", "--roster", "none.csv"], 1),
        (&["issue", "--", "-rf"], 1),
        (&["issue", "../x"], 1),
        (&["revoke", "nobody"], 1),
        (&["show", "nobody"], 1),
        (&["show", "ca/index.txt"], 1),
        (&["--dir", "elsewhere", "list"], 1),
        (&["list"], 0),
        (&["--help"], 0),
        (&["issue", "--help"], 0),
    ] {
        let output = w.run(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert_eq!(code == 0, said.is_empty(), "{arguments:?}: {said}");
        assert!(
            code == 0 || said.contains("ca-tool: error: "),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn list_and_show_tell_people_and_programs() {
    let w = World::new();
    w.run(&["issue", "alice", "张三", "--role", "assistant"]);
    w.run(&["revoke", "alice", "--reason", "keycompromise"]);
    let list = stdout(&w.run(&["list"]));
    let rows: Vec<Vec<&str>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["NAME", "ROLE", "UNTIL", "STATE", "SERIAL"]);
    assert_eq!(rows[1][..2], ["localhost", "server"]);
    assert_eq!(rows[2][..2], ["alice", "assistant"]);
    assert!(list.contains("(keyCompromise)"), "{list}");
    assert_eq!((rows[3][0], rows[3][3]), ("张三", "valid"));

    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&stdout(&w.run(arguments))).expect("JSON")
    };
    let rows = json(&["list", "--json"]);
    assert_eq!(rows[1]["name"], "alice");
    assert_eq!(rows[1]["state"], "revoked");
    assert_eq!(rows[1]["reason"], "keyCompromise");
    assert_eq!(rows[2]["role"], "assistant");
    assert_eq!(rows[0]["kind"], "server");

    let alice = json(&["show", "alice", "--json"]);
    assert_eq!(alice[0]["name"], "alice");
    assert_eq!(alice[0]["serial"], rows[1]["serial"]);
    assert!(
        alice[0]["state"]
            .as_str()
            .expect("text")
            .starts_with("revoked ")
    );
    let list = json(&["show", "ca/crl.pem", "--json"]);
    assert_eq!(list[0]["revoked"][0], rows[1]["serial"]);
    assert_eq!(list[0]["signature"], "good, by this CA");
    let bundle = w.run(&["show", "ca/people/张三.pem"]);
    for expected in [
        "certificate of \"张三\"",
        "proving a person",
        "private key",
        "SHA-256",
    ] {
        assert!(stdout(&bundle).contains(expected), "{}", stdout(&bundle));
    }
    assert!(!stdout(&bundle).contains("PRIVATE KEY"));
}

#[test]
fn a_list_that_is_due_is_signed_by_any_run() {
    let w = World::new();
    for arguments in [&["list"][..], &["show", "ca/ca.pem"], &["issue", "alice"]] {
        fs::remove_file(w.ca.register().revocation_list()).expect("removed");
        let output = w.run(arguments);
        assert!(
            stderr(&output).contains("was signed again"),
            "{arguments:?}"
        );
        assert!(w.ca.register().revocation_list().exists(), "{arguments:?}");
    }
}

#[test]
fn twenty_programs_at_once_lose_nobody() {
    let w = World::new();
    let mut running: Vec<_> = (0..20)
        .map(|number| {
            let mut command = w.command(&["issue", &format!("s{number:02}")]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("it runs")
        })
        .collect();
    for program in &mut running {
        assert!(program.wait().expect("it ends").success());
    }
    let records = w.ca.register().entries().expect("a database");
    assert_eq!(records.len(), 21);
    assert_eq!(
        fs::read_dir(w.ca.register().people())
            .expect("a folder")
            .count(),
        20
    );
}

#[test]
fn a_folder_in_use_is_waited_for_and_then_refused() {
    let w = World::new();
    let lock = fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(w.ca.register().path().join(".lock"))
        .expect("a lock");
    lock.lock().expect("locked");
    let mut waiting = w
        .command(&["issue", "alice"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // The note is the event: from here on the program is known to be waiting.
    let mut said = std::io::BufReader::new(waiting.stderr.take().expect("a pipe"));
    let mut note = String::new();
    std::io::BufRead::read_line(&mut said, &mut note).expect("a line");
    assert!(note.contains("waiting for another run"), "{note}");
    drop(lock);
    assert!(waiting.wait().expect("it ends").success());
    w.admit(&w.ca.register().people().join("alice.pem"))
        .expect("admitted");
}

#[test]
fn every_run_that_writes_removes_what_was_left() {
    let w = World::new();
    w.issue("alice");
    let leftover = ".0123456789abcdef01234567.tmp";
    for arguments in [
        &["issue", "bob"][..],
        &["issue-server", "a.example"],
        &["revoke", "alice"],
    ] {
        for place in ["", "private", "certs", "people"] {
            fs::write(w.ca.register().path().join(place).join(leftover), "key").expect("written");
        }
        let output = w.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("note: removed 4 temporary files "),
            "{}",
            stderr(&output)
        );
    }
    // A command that only reads removes nothing.
    let path = w.ca.register().people().join(leftover);
    fs::write(&path, "key").expect("written");
    assert!(w.run(&["list"]).status.success());
    assert!(path.exists());
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;
    use std::process::Command;

    use kit::require;

    use crate::{PROGRAM, World, snapshot, stderr};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
    }

    #[test]
    fn nobody_else_can_read_a_key_whatever_the_umask() {
        for umask in ["000", "022", "077"] {
            let above = tempfile::tempdir().expect("a folder");
            let script = format!(
                "umask {umask} && \"$0\" init --name N --no-passphrase && \"$0\" issue alice bob \
                 && \"$0\" issue --out out carol && \"$0\" issue --zip --out out zoe \
                 && \"$0\" issue-server a.example && \"$0\" revoke bob && \"$0\" issue bob"
            );
            let mut command = Command::new("sh");
            let command = command.args(["-c", &script, PROGRAM]);
            let output = command.current_dir(above.path()).output().expect("it runs");
            assert!(output.status.success(), "{}", stderr(&output));
            let mut keys = 0;
            for (path, bytes) in snapshot(above.path()) {
                if path.is_dir() {
                    assert_eq!(mode(&path), 0o700, "{}", path.display());
                } else if String::from_utf8_lossy(&bytes).contains("PRIVATE KEY") {
                    assert_eq!(mode(&path), 0o600, "{}", path.display());
                    keys += 1;
                } else {
                    assert_eq!(mode(&path) & 0o133, 0, "{}", path.display());
                }
            }
            // The CA's, two servers', alice's, carol's, zoe's, bob's two.
            assert_eq!(keys, 8);
        }
    }

    #[test]
    fn where_no_bundle_can_be_written_nobody_is_issued_a_certificate() {
        let w = World::new();
        let out = w.path("out");
        fs::write(&out, "a file").expect("written");
        let before = snapshot(w.above.path());
        let output = w.run(&["issue", "alice", "--out", "out"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(snapshot(w.above.path()), before);
    }

    #[test]
    fn files_that_are_kept_elsewhere_through_a_symbolic_link_stay_there() {
        let w = World::new();
        let bystander = w.path("bystander");
        fs::write(&bystander, "mine").expect("written");
        for name in ["index.txt", "crl.pem", "crlnumber"] {
            let file = w.ca.register().path().join(name);
            fs::copy(&file, w.path("copy")).expect("copied");
            fs::remove_file(&file).expect("removed");
            std::os::unix::fs::symlink(w.path("copy"), &file).expect("linked");
            let before = fs::read(w.path("copy")).expect("a copy");
            let person = name.replace('.', "-");
            assert!(w.run(&["issue", &person]).status.success(), "{name}");
            assert!(w.run(&["revoke", &person]).status.success(), "{name}");
            assert_ne!(fs::read(w.path("copy")).expect("a copy"), before, "{name}");
            assert!(file.is_symlink(), "{name}");
            fs::remove_file(&file).expect("removed");
            fs::copy(w.path("copy"), &file).expect("copied");
        }
        assert_eq!(fs::read(&bystander).expect("a file"), b"mine");
    }

    #[test]
    fn a_symbolic_link_is_no_leftover_whatever_its_name() {
        let w = World::new();
        let leftover = ".0123456789abcdef01234567.tmp";
        let elsewhere = w.path("elsewhere");
        fs::create_dir(&elsewhere).expect("made");
        fs::write(elsewhere.join(leftover), "mine").expect("written");
        let link = w.ca.register().people().join(leftover);
        std::os::unix::fs::symlink(elsewhere.join(leftover), &link).expect("linked");
        assert!(w.run(&["issue", "alice"]).status.success());
        assert!(link.is_symlink());

        // Nor is anything behind a link in a folder's place.
        fs::remove_dir_all(w.ca.register().people()).expect("removed");
        std::os::unix::fs::symlink(&elsewhere, w.ca.register().people()).expect("linked");
        let output = w.run(&["issue", "bob"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(fs::read(elsewhere.join(leftover)).expect("a file"), b"mine");
        assert!(elsewhere.join("bob.pem").exists());
    }

    #[test]
    #[ignore = "needs setpriv: run with --include-ignored"]
    fn a_person_who_may_only_read_the_ca_can_still_list() {
        require("setpriv");
        let w = World::new();
        fs::remove_file(w.ca.register().revocation_list()).expect("removed");
        let readable = fs::Permissions::from_mode(0o500);
        fs::set_permissions(w.ca.register().path(), readable).expect("set");
        // Root may write everywhere, unless it gives up that right.
        let line = "ca-tool list";
        let bound = "setpriv --bounding-set -dac_override,-dac_read_search";
        let is_bound = crate::shell(w.above.path(), &format!("{bound} true")).0 == Some(0);
        let line = if is_bound {
            format!("{bound} {line}")
        } else {
            line.to_owned()
        };
        let (code, _, said) = crate::shell(w.above.path(), &line);
        let writable = fs::Permissions::from_mode(0o700);
        fs::set_permissions(w.ca.register().path(), writable).expect("set");
        assert_eq!(code, Some(0), "{said}");
        let note = "needs repair, but cannot write";
        assert!(said.contains(note), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_nobody_can_be_told_the_exit_code_still_says_it() {
    let w = World::new();
    let above = w.above.path();
    for (line, code) in [
        ("ca-tool issue ../x", 1),
        ("ca-tool revoke nobody", 1),
        ("ca-tool list --dir nowhere", 1),
        ("ca-tool issue", 2),
        ("ca-tool --nonsense", 2),
    ] {
        let (said, _, _) = crate::shell(above, &format!("{line} 2>/dev/full"));
        assert_eq!(said, Some(code), "{line}");
    }
    // The leftovers of an earlier run are put away, whether or not the program can say so.
    w.issue("alice");
    let left =
        w.ca.register()
            .path()
            .join("private/.4a4a4a4a4a4a4a4a4a4a4a4a.tmp");
    fs::write(&left, "key").expect("written");
    let (said, _, _) = crate::shell(above, "ca-tool crl 2>/dev/full");
    assert_eq!(said, Some(0));
    assert!(!left.exists());
}

#[test]
fn yes_is_taken_by_every_command_and_needed_by_one() {
    let w = World::new();
    for line in [
        "issue alice --yes",
        "--yes revoke alice --reason certificateHold",
        "unhold alice --yes",
        "list --yes",
        "crl --yes",
        "doctor --yes",
    ] {
        let output = w.run(&line.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{line}: {}", stderr(&output));
    }
    let everybody = ["renew", "--all", "--until", "2031-12-31"];
    assert_eq!(w.run(&everybody).status.code(), Some(2));
    assert!(
        w.run(&[&["--yes"][..], &everybody].concat())
            .status
            .success()
    );
}

/// A closed pipe, like that of a program in front of `head`.
fn nobody_reads() -> Stdio {
    let (read, write) = std::io::pipe().expect("a pipe");
    drop(read);
    write.into()
}

#[cfg(target_os = "linux")]
fn a_full_disk() -> Stdio {
    let full = fs::File::options().write(true).open("/dev/full");
    full.expect("it is there").into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_note_that_nobody_hears_stops_nobody_from_being_revoked_or_issued() {
    for nowhere in [nobody_reads, a_full_disk] {
        let w = World::new();
        let alice = w.issue("alice").bundle;
        // The list is due, which is the first thing that is printed.
        fs::remove_file(w.ca.register().revocation_list()).expect("removed");
        let mut revoke = w.command(&["revoke", "alice"]);
        let output = revoke.stderr(nowhere()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stdout(&output), "revoked the certificate of alice\n");
        assert!(matches!(w.admit(&alice), Err(pki::Refusal::Revoked { .. })));

        fs::write(w.path("class.csv"), "id,seat\nbob,4\n").expect("written");
        let mut issue = w.command(&["issue", "--roster", "class.csv"]);
        let output = issue.stderr(nowhere()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0));
        assert!(w.admit(&w.ca.register().people().join("bob.pem")).is_ok());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_nobody_wants_is_no_failure_and_one_that_is_lost_is() {
    let w = World::new();
    w.issue("alice");
    for (results, code) in [(nobody_reads(), 0), (a_full_disk(), 1)] {
        let output = w.command(&["list"]).stdout(results).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    }
    // But a password has no second reader.
    let mut export = w.command(&["export", "alice", "--p12"]);
    let output = export.stdout(nobody_reads()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!w.path("alice.p12").exists());
}

#[cfg(unix)]
#[cfg(target_os = "linux")]
#[test]
fn status_says_in_its_exit_code_that_nothing_was_said_and_how_it_is_when_nobody_reads() {
    let w = World::new();
    let soon = time::OffsetDateTime::now_utc().date() + time::Duration::days(5);
    let issued = w.run(&["issue", "alice", "--until", &soon.to_string()]);
    assert!(issued.status.success(), "{}", stderr(&issued));
    for arguments in [&["status"][..], &["status", "--json"]] {
        for (results, code) in [(nobody_reads(), 1), (a_full_disk(), 3)] {
            let output = w.command(arguments).stdout(results).output();
            let output = output.expect("it runs");
            assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        }
    }
}

#[test]
fn an_empty_folder_is_filled_where_one_is_and_made_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    for dir in [".", "\"$PWD\"", "./", "../room"] {
        let above = tempfile::tempdir().expect("a folder");
        let init = format!("ca-tool --dir {dir} init --name N --no-passphrase");
        succeed(
            above.path(),
            &format!(
                "mkdir -m 755 room && cd room && {init} && \
                 ca-tool --dir . issue alice && ca-tool --dir . doctor && ls -A"
            ),
        );
        let room = above.path().join("room");
        let mode = fs::metadata(&room).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{dir}");
        let names = fs::read_dir(&room).expect("a folder").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        assert!(!names.into_iter().any(|name| name.contains("tmp")), "{dir}");
        let (code, _, err) = shell(&room, &init);
        assert_eq!(code, Some(1), "{dir}: {err}");
        assert!(err.contains("already holds a CA"), "{dir}: {err}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_not_empty_is_left_as_it_is() {
    let above = tempfile::tempdir().expect("a folder");
    let init = "ca-tool --dir . init --name N --no-passphrase";
    succeed(above.path(), "mkdir full && echo mine >full/.mine");
    let full = above.path().join("full");
    let before = snapshot(&full);
    let (code, _, err) = shell(&full, init);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("is not an empty folder"), "{err}");
    assert_eq!(snapshot(&full), before);
}

#[cfg(unix)]
#[test]
#[ignore = "needs root, to give a folder away: run with --include-ignored"]
fn a_folder_that_belongs_to_another_user_is_left_as_it_is() {
    require_root("give a folder away");
    let above = tempfile::tempdir().expect("a folder");
    succeed(above.path(), "mkdir -m 777 others && chown 65534 others");
    let others = above.path().join("others");
    let init = "ca-tool --dir . init --name N --no-passphrase";
    let (code, _, err) = shell(&others, init);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("it belongs to another user"), "{err}");
    assert_eq!(snapshot(&others), []);
}
