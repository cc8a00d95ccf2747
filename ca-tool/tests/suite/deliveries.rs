//! Bundles reach their places, even after a run that was killed on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use ca_tool::{Ca, Candidate, IssueOptions, Listener, Notice, Parcel, Progress, Reason};
use kit::require;
use pki::Bundle;

#[cfg(target_os = "linux")]
use crate::PROGRAM;
#[cfg(target_os = "linux")]
use crate::crashes::strace;
use crate::{Asked, World, snapshot, stderr, stdout};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns the folder in which files wait for their names.
#[cfg(target_os = "linux")]
fn room_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|e| e == "tmp"))
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn files_of_a_killed_run_in_another_folder_are_removed_by_the_next_and_no_others() {
    use std::os::unix::fs::MetadataExt as _;

    require("strace");
    let w = World::new();
    let out = w.path("out");
    let class: String = (0..30).map(|n| format!("s{n:03}\n")).collect();
    fs::write(w.path("class.txt"), class).expect("written");
    // Killed before the index gets its name, and after `.pending` has got its own.
    let issue = ["issue", "--roster", "class.txt", "--out", "out"];
    let killed = strace(w.above.path(), "rename:signal=SIGKILL:when=2", &issue);
    assert!(!killed.status.success());
    let room = room_in(&out).expect("what it left");
    assert_eq!(fs::read_dir(&room).expect("a folder").count(), 30);
    assert_eq!(
        w.ca.register().entries().expect("a database").len(),
        1,
        "the server's"
    );
    // The device's number tells this folder from another with its path, once the device is gone.
    let pending = fs::read_to_string(w.ca.register().path().join(".pending")).expect("lines");
    let device = fs::metadata(&out).expect("a folder").dev();
    let line = format!("device={device} {}\n", room.display());
    assert!(pending.contains(&line), "{pending}");

    // Two folders that are not ours: one with a name like ours, one without.
    let others = [".0123456789abcdef01234567.tmp", ".notes.tmp"];
    for other in others {
        fs::create_dir(out.join(other)).expect("made");
        fs::write(out.join(other).join("mine"), "mine").expect("written");
    }
    let output = w.run(&["issue", "zoe"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    for words in ["was interrupted; removed ", " that it had not recorded\n"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(names(&out), others);
    assert!(!w.ca.register().path().join(".pending").exists());
    let again = w.run(&["issue", "zed"]);
    assert!(
        !stderr(&again).contains("interrupted"),
        "{}",
        stderr(&again)
    );
}

/// Leaves what a run leaves that is killed after it wrote the index and before its bundles have their
/// names. To get there, the place of one bundle is taken for a moment.
fn cut_short(w: &World, name: &str) -> PathBuf {
    let place = w.path("out").join(format!("{name}.pem"));
    fs::create_dir_all(w.path("out")).expect("made");
    let before = w.ca.register().path().join("index.txt");
    let before = fs::read(before).expect("an index");
    w.run(&["issue", name, "--out", "out"]);
    let after = fs::read(w.ca.register().path().join("index.txt")).expect("an index");
    assert_ne!(before, after);
    let serial = Bundle::read(&place).expect("a bundle").certificate().serial;
    let serial = serial.to_string().to_uppercase();
    let room = ".0123456789abcdef01234567.tmp";
    fs::create_dir(w.path("out").join(room)).expect("made");
    let waiting = w
        .path("out")
        .join(room)
        .join(format!("{serial}-{name}.pem"));
    fs::rename(&place, &waiting).expect("moved");
    let line = w.path("out").join(room);
    fs::write(
        w.ca.register().path().join(".pending"),
        format!("{}\n", line.display()),
    )
    .expect("written");
    waiting
}

#[test]
fn files_that_a_killed_run_had_recorded_are_delivered_by_the_next() {
    let w = World::new();
    cut_short(&w, "alice");
    let output = w.run(&["issue", "alice", "--out", "out"]);
    let said = stderr(&output);
    assert!(
        said.contains("delivered 1 file that it had recorded\n"),
        "{said}"
    );
    assert!(said.contains("alice has a certificate until"), "{said}");
    w.admit(&w.path("out/alice.pem")).expect("admitted");
    assert_eq!(names(&w.path("out")), ["alice.pem"]);
}

#[test]
fn a_bundle_whose_place_is_taken_waits_until_it_is_free() {
    let w = World::new();
    let waiting = cut_short(&w, "alice");
    let place = w.path("out/alice.pem");
    fs::write(&place, "mine").expect("written");
    let output = w.run(&["issue", "bob"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("already exists"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read(&place).expect("a file"), b"mine");
    assert!(waiting.exists());

    fs::remove_file(&place).expect("removed");
    assert!(w.run(&["issue", "carol"]).status.success());
    w.admit(&place).expect("admitted");
    assert!(!waiting.exists());
}

#[test]
fn a_bundle_that_waits_and_is_revoked_is_removed() {
    let w = World::new();
    let waiting = cut_short(&w, "alice");
    fs::write(w.path("out/alice.pem"), "mine").expect("written");
    w.ca.revoke(&["alice".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    assert!(waiting.exists(), "it was good until then");
    assert!(w.run(&["issue", "bob"]).status.success());
    assert!(!waiting.exists());
}

#[test]
fn half_of_a_rename_is_made_a_whole_one() {
    let w = World::new();
    // Both names exist, as between the two halves of a rename.
    let waiting = cut_short(&w, "alice");
    let place = w.path("out/alice.pem");
    fs::hard_link(&waiting, &place).expect("linked");
    assert!(w.run(&["issue", "x1"]).status.success());
    assert_eq!(names(&w.path("out")), ["alice.pem"]);
    w.admit(&place).expect("admitted");
    // An empty file keeps the place, on file systems without hard links.
    cut_short(&w, "bob");
    fs::write(w.path("out/bob.pem"), "").expect("written");
    assert!(w.run(&["issue", "x2"]).status.success());
    w.admit(&w.path("out/bob.pem")).expect("admitted");
    assert_eq!(names(&w.path("out")), ["alice.pem", "bob.pem"]);
}

#[test]
fn files_on_a_stick_that_is_not_plugged_in_are_not_forgotten() {
    let w = World::new();
    cut_short(&w, "alice");
    fs::rename(w.path("out"), w.path("unplugged")).expect("moved");
    for name in ["bob", "carol"] {
        let output = w.run(&["issue", name]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("cannot reach "),
            "{}",
            stderr(&output)
        );
    }
    fs::rename(w.path("unplugged"), w.path("out")).expect("moved");
    assert!(w.run(&["issue", "dave"]).status.success());
    w.admit(&w.path("out/alice.pem")).expect("admitted");
}

#[cfg(unix)]
#[test]
fn files_on_a_stick_are_not_forgotten_when_an_empty_folder_takes_its_place() {
    use std::os::unix::fs::MetadataExt as _;

    let w = World::new();
    let waiting = cut_short(&w, "alice");
    let room = waiting.parent().expect("a folder");
    let device = fs::metadata(room).expect("a folder").dev();
    let pending = |device| {
        let line = format!("device={device} {}\n", room.display());
        fs::write(w.ca.register().path().join(".pending"), line).expect("written");
    };
    fs::rename(w.path("out"), w.path("unplugged")).expect("moved");
    fs::create_dir(w.path("out")).expect("made");
    pending(device + 1);
    for name in ["bob", "carol"] {
        let output = w.run(&["issue", name]);
        assert!(output.status.success(), "{}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("cannot reach "), "{said}");
    }
    // If the device is here, the file is gone for good.
    pending(device);
    let output = w.run(&["issue", "dave"]);
    assert_eq!(stderr(&output).matches("interrupted").count(), 0);
    assert!(!w.ca.register().path().join(".pending").exists());
    // If the file is here, it is delivered, whatever number its device has now.
    pending(device + 1);
    fs::remove_dir(w.path("out")).expect("empty");
    fs::rename(w.path("unplugged"), w.path("out")).expect("moved");
    assert!(w.run(&["issue", "erin"]).status.success());
    w.admit(&w.path("out/alice.pem")).expect("admitted");
}

#[test]
fn a_waiting_file_that_cannot_be_removed_holds_up_nobody() {
    let w = World::new();
    let eve = w.issue("eve").bundle;
    let waiting = cut_short(&w, "alice");
    // A folder, so it cannot be removed like a file.
    let stuck = waiting.with_file_name("4A01-mallory.pem");
    fs::create_dir(&stuck).expect("made");
    for arguments in [&["revoke", "eve"][..], &["issue", "bob"]] {
        let output = w.run(arguments);
        let said = stderr(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains(": cannot remove "), "{said}");
    }
    w.admit(&eve).expect_err("revoked");
    fs::remove_dir(&stuck).expect("removed");
    assert!(w.run(&["issue", "carol"]).status.success());
    w.admit(&w.path("out/alice.pem")).expect("admitted");
    assert!(!w.ca.register().path().join(".pending").exists());
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn a_folder_that_is_made_is_brought_to_the_disk_before_anything_is_recorded() {
    require("strace");
    let w = World::new();
    let trace = w.path("trace");
    let output = Command::new("strace")
        .current_dir(w.above.path())
        .args(["-y", "-e", "trace=mkdir,fsync,rename", "-o"])
        .arg(&trace)
        .args([PROGRAM, "issue", "alice", "--out", "sticks/red"])
        .output()
        .expect("strace runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = fs::read_to_string(&trace).expect("a trace");
    let recorded = trace.find("index.txt\") = 0").expect("it is recorded");
    let above = w.above.path().canonicalize().expect("a folder");
    for (made, within) in [
        ("sticks", above.clone()),
        ("sticks/red", above.join("sticks")),
    ] {
        let made = trace.find(&format!("mkdir(\"{made}\"")).expect("made");
        let synced = format!("<{}>)", within.display());
        assert!(trace[made..recorded].contains(&synced), "{trace}");
    }
}

#[cfg(unix)]
#[test]
fn a_pending_folder_that_is_a_link_or_has_another_name_is_left_alone() {
    let w = World::new();
    let elsewhere = w.path("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::write(elsewhere.join("4A01-alice.pem"), "mine").expect("written");
    let link = w.path(".0123456789abcdef01234567.tmp");
    std::os::unix::fs::symlink(&elsewhere, &link).expect("linked");
    let pending = format!("{}\n{}\n", link.display(), elsewhere.display());
    fs::write(w.ca.register().path().join(".pending"), pending).expect("written");
    assert!(w.run(&["issue", "bob"]).status.success());
    assert!(link.is_symlink());
    assert_eq!(names(&elsewhere), ["4A01-alice.pem"]);
}

#[test]
fn a_zip_a_person_holds_the_bundle_and_a_page() {
    make_zips(Asked::NOBODY);
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn python_reads_a_zip_a_person() {
    make_zips(Asked::of(&["python3"]));
}

fn make_zips(asked: Asked) {
    let w = World::new();
    fs::write(w.path("class.csv"), "id\nalice\n张三\n").expect("written");
    let zips = ["issue", "--roster", "class.csv", "--zip", "--out", "out"];
    let issued = w.run(&zips);
    assert!(issued.status.success(), "{}", stderr(&issued));
    assert_eq!(names(&w.path("out")), ["alice.zip", "张三.zip"]);
    assert!(stdout(&issued).contains("out/alice.zip") || cfg!(windows));
    if asked.includes("python3") {
        let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\nprint(z.namelist())\n\
                      z.extractall('there')";
        let python = Command::new("python3")
            .current_dir(w.above.path())
            .args(["-c", script, "out/张三.zip"])
            .output()
            .expect("python3 runs");
        assert!(python.status.success(), "{}", stderr(&python));
        assert_eq!(stdout(&python).trim(), "['张三.pem', 'README.html']");
        w.admit(&w.path("there/张三.pem")).expect("admitted");
        let page = fs::read_to_string(w.path("there/README.html")).expect("a page");
        assert!(page.contains("client --cert 张三.pem"), "{page}");
    }

    // A revoked person gets a new bundle, and the old one is put away; so is one of the other kind.
    w.ca.revoke(&["alice".to_owned()], Reason::Superseded)
        .expect("revoked");
    let bundles = ["issue", "alice", "--out", "out"];
    assert!(w.run(&bundles).status.success());
    assert_eq!(names(&w.path("out")), ["alice.pem", "old", "张三.zip"]);
    w.ca.revoke(&["alice".to_owned()], Reason::Superseded)
        .expect("revoked");
    let again = w.run(&zips);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(names(&w.path("out")), ["alice.zip", "old", "张三.zip"]);
    assert_eq!(names(&w.path("out/old")).len(), 2);
    // A file that is no zip of hers is not moved.
    w.ca.revoke(&["alice".to_owned()], Reason::Superseded)
        .expect("revoked");
    fs::write(w.path("out/alice.zip"), "mine").expect("written");
    let before = snapshot(w.above.path());
    assert_eq!(w.run(&zips).status.code(), Some(1));
    assert_eq!(snapshot(w.above.path()), before);
}

/// Keeps every report of progress.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Progress>>);

impl Listener for Heard {
    fn notice(&self, _notice: &Notice) {}

    fn progress(&self, progress: Progress) {
        let mut told = self.0.lock().expect("a listener that does not panic");
        told.push(progress);
    }
}

#[test]
fn how_far_it_is_is_told_from_the_first_to_the_last() {
    let w = World::new();
    let heard = Arc::new(Heard::default());
    let ca = Ca::open(w.ca.register().path()).expect("a CA");
    let ca = ca.heard_by(Arc::clone(&heard) as Arc<dyn Listener>);
    let names = (0..40).map(|number| format!("s{number:02}"));
    let options = IssueOptions {
        parcel: Parcel::Bundle,
        ..IssueOptions::default()
    };
    ca.issue(&Candidate::named(names), &options)
        .expect("issued");
    let told = heard.0.lock().expect("a listener that does not panic");
    assert!(told.is_sorted_by_key(|progress| progress.done), "{told:?}");
    assert!(told.iter().all(|progress| progress.done <= progress.of));
    let last = told.last().expect("something was told");
    assert_eq!(last.done, last.of);
    assert!(told.len() > 80);
}

#[test]
fn a_person_who_has_a_file_of_another_kind_is_not_told_to_have_lost_it() {
    let w = World::new();
    let class: Vec<String> = (10..20).map(|number| format!("s{number}")).collect();
    fs::write(w.path("class.csv"), class.join("\n")).expect("written");
    let told = |arguments: &[&str]| {
        let output = w.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    told(&["issue", "--roster", "class.csv"]);
    let zips = told(&["issue", "--roster", "class.csv", "--zip"]);
    assert!(
        zips.contains("10 people have files of another kind in ca/people: only new certificates"),
        "{zips}"
    );
    assert!(!zips.contains("lost"), "{zips}");
    let again = told(&["issue", "--roster", "class.csv"]);
    assert_eq!(
        again,
        "ca-tool: note: class.csv: line 1 is a person: s10\n\
         ca-tool: note: 10 people have a certificate; skipped\n"
    );

    // Files that were moved away were most likely handed out: nobody is told to revoke anything unless
    // somebody lost theirs, and a whole class does not fill the screen.
    for name in &class[1..] {
        fs::remove_file(w.path(&format!("ca/people/{name}.pem"))).expect("removed");
    }
    let gone = told(&["issue", "--roster", "class.csv", "--zip"]);
    assert!(
        gone.contains("1 person has a file of another kind"),
        "{gone}"
    );
    assert!(
        gone.contains(
            "9 people have no file in ca/people: s11, s12, s13, s14, s15, s16, s17, s18 and 1 more. \
             That is as it should be if you handed the files out. Only if somebody no longer has theirs: "
        ),
        "{gone}"
    );
    assert_eq!(gone.matches("revoke").count(), 1, "{gone}");
}

#[test]
fn files_that_were_written_to_another_folder_are_known_to_be_there() {
    let w = World::new();
    fs::write(w.path("class.csv"), "id\nalice\nbob\n").expect("written");
    let told = |arguments: &[&str]| {
        let output = w.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    told(&[
        "issue",
        "--roster",
        "class.csv",
        "--zip",
        "--out",
        "handouts",
    ]);
    // A late enrolment, once with the same folder and once without.
    fs::write(w.path("class.csv"), "id\nalice\nbob\ncarol\n").expect("written");
    let late = told(&["issue", "--roster", "class.csv", "--zip"]);
    let folder = w.path("handouts");
    let words = format!("2 people's files were written to {}\n", folder.display());
    assert!(late.contains(&words), "{late}");
    assert!(!late.contains("revoke"), "{late}");
    // A file that was written to the usual folder later is looked for there.
    told(&["renew", "alice"]);
    fs::remove_file(w.path("ca/people/alice.pem")).expect("removed");
    let moved = told(&["issue", "alice", "bob"]);
    assert!(moved.contains("1 person's file was written to"), "{moved}");
    assert!(
        moved.contains("1 person has no file in ca/people: alice."),
        "{moved}"
    );
}

#[test]
fn a_page_remembers_whom_to_ask_and_where_the_client_is() {
    let w = World::new();
    let page_of = |arguments: &[&str], name: &str| {
        let output = w.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        let zip = fs::read(w.path(&format!("ca/people/{name}.zip"))).expect("a zip");
        // It is stored, not compressed.
        String::from_utf8_lossy(&zip).into_owned()
    };
    let url = "https://school.example/client";
    let given = ["--contact", "teacher@school.example", "--client-url", url];
    let first = page_of(
        &[&["issue", "alice", "--zip"], &given[..]].concat(),
        "alice",
    );
    assert!(first.contains("mailto:teacher@school.example"), "{first}");
    assert!(first.contains(&format!("<a href=\"{url}\">")), "{first}");
    let later = page_of(&["issue", "bob", "--zip"], "bob");
    assert!(later.contains("mailto:teacher@school.example"), "{later}");
    assert!(later.contains(&format!("<a href=\"{url}\">")), "{later}");
    // The server's address, which was there before, still is.
    assert!(later.contains("localhost:27332") == first.contains("localhost:27332"));
    let changed = ["renew", "bob", "--zip", "--contact", "Room 12"];
    let changed = page_of(&changed, "bob");
    assert!(changed.contains("<td>Room 12</td>"), "{changed}");
    assert!(
        changed.contains(&format!("<a href=\"{url}\">")),
        "{changed}"
    );
    // Nothing is written when nothing was issued.
    let settings = fs::read(w.path("ca/settings")).ok();
    let refused = w.run(&["issue", "Bad Name", "--zip", "--contact", "nobody"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert_eq!(fs::read(w.path("ca/settings")).ok(), settings);
}
