//! People who are issued a certificate and people who are not, and files that are never written.

use std::fs;
use std::path::Path;
use std::thread;

use ca_tool::{Ca, Candidate, Choices, Error, InitOptions, IssueOptions, Reason, Roster};

use crate::{World, snapshot, stderr, stdout};

#[test]
fn one_bad_name_stops_them_all_and_nothing_is_written() {
    let w = World::new();
    w.issue("alice");
    let before = snapshot(w.above.path());
    let roster = "id,role\nbob,student\nb ob,student\nALICE,boss\ncarol,\n";
    let roster = Roster::parse(
        roster.as_bytes(),
        Path::new("class.csv"),
        &Choices::default(),
    )
    .expect("a roster");
    let options = IssueOptions {
        out: Some(w.path("out")),
        ..IssueOptions::default()
    };
    let error = w.ca.issue(&roster.candidates, &options).expect_err("bad");
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(|p| p.location.as_str())
        .collect();
    assert_eq!(places, ["class.csv:3", "class.csv:4", "class.csv:4"]);
    assert_eq!(snapshot(w.above.path()), before);
}

#[test]
fn a_person_who_has_another_role_than_is_asked_for_keeps_it_and_a_note_says_so() {
    let w = World::new();
    w.issue("bob");
    let output = w.run(&["issue", "bob", "--role", "instructor"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("bob keeps another role, student"), "{said}");
    fs::write(w.path("class.csv"), "id,role\nbob,assistant\n").expect("written");
    let output = w.run(&["issue", "--roster", "class.csv", "--json"]);
    let did = stdout(&output);
    assert!(did.contains("has a certificate as student"), "{did}");

    // Nothing is said of people who have that role, or for whom no role was asked.
    fs::write(w.path("class.csv"), "id,role\nbob,student\n").expect("written");
    for arguments in [&["issue", "bob"][..], &["issue", "--roster", "class.csv"]] {
        let said = stderr(&w.run(arguments));
        assert!(said.contains("skipped") && !said.contains("role"), "{said}");
    }
}

#[test]
fn issuing_again_changes_nothing() {
    let w = World::new();
    let first = w.issue("alice");
    let before = snapshot(w.above.path());
    let again =
        w.ca.issue(&Candidate::named(["alice"]), &IssueOptions::default())
            .expect("no error");
    assert!(again.issued.is_empty());
    assert_eq!(again.skipped[0].until, first.not_after);
    assert_eq!(snapshot(w.above.path()), before);
}

#[test]
fn a_person_who_was_revoked_can_be_issued_another_certificate() {
    let w = World::new();
    let first = w.issue("alice");
    let names = ["alice".to_owned()];
    let revoked = w.ca.revoke(&names, Reason::Superseded).expect("revoked");
    assert_eq!(revoked.people[0].1, 1);
    let before = snapshot(w.above.path());
    let again =
        w.ca.revoke(&names, Reason::Unspecified)
            .expect("idempotent");
    assert_eq!(again.people[0].1, 0);
    assert_eq!(snapshot(w.above.path()), before);

    let second = w.issue("alice");
    assert_eq!(second.bundle, first.bundle);
    w.admit(&second.bundle).expect("the new one is good");
    let old = second.moved.expect("the old bundle was moved");
    w.admit(&old).expect_err("the old one is not");
}

#[test]
fn an_unknown_name_revokes_nobody() {
    let w = World::new();
    let alice = w.issue("alice");
    let names = ["alice".to_owned(), "alicia".to_owned(), "\u{1b}".to_owned()];
    let error =
        w.ca.revoke(&names, Reason::Unspecified)
            .expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "\"alicia\" was never issued a certificate (did you mean \"alice\"?); \
         \"\\u{1b}\" was never issued a certificate; nothing was done"
    );
    w.admit(&alice.bundle).expect("still good");
    // A server has no name in the room.
    let server = ["localhost".to_owned()];
    w.ca.revoke(&server, Reason::Unspecified)
        .expect_err("no person");
}

#[test]
fn what_lies_where_a_bundle_would_go_stays() {
    let w = World::new();
    let (people, bystander) = (w.ca.register().people(), w.path("bystander"));
    fs::write(people.join("alice.pem"), "mine").expect("written");
    // Somebody else's valid bundle: moving it would take it from its owner.
    let bob = w.issue("bob");
    fs::copy(&bob.bundle, people.join("carol.pem")).expect("copied");
    // And one that was revoked, but was never hers.
    let frank = w.issue("frank");
    w.ca.revoke(&["frank".to_owned()], Reason::Unspecified)
        .expect("revoked");
    fs::copy(&frank.bundle, people.join("grace.pem")).expect("copied");
    fs::create_dir(people.join("dave.pem")).expect("made");
    let mut names = vec!["alice", "carol", "grace", "dave"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&bystander, people.join("erin.pem")).expect("linked");
        names.push("erin");
    }
    let before = snapshot(w.above.path());
    let candidates = Candidate::named(names.iter().copied());
    let error =
        w.ca.issue(&candidates, &IssueOptions::default())
            .expect_err("all are taken");
    assert_eq!(
        error.problems().len(),
        names.len(),
        "{:?}",
        error.problems()
    );
    assert_eq!(snapshot(w.above.path()), before);
    assert!(!bystander.exists());
}

#[test]
fn a_place_that_is_taken_is_named_among_all_other_problems() {
    let w = World::new();
    fs::write(w.ca.register().people().join("alice.pem"), "mine").expect("written");
    let candidates = Candidate::named(["alice", "b ob", "carol"]);
    let error =
        w.ca.issue(&candidates, &IssueOptions::default())
            .expect_err("two problems");
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(|p| p.location.as_str())
        .collect();
    assert_eq!(places, ["argument 1", "argument 2"]);
}

#[test]
fn a_folder_that_holds_anything_is_not_made_a_ca() {
    let w = World::new();
    let options = InitOptions::named("Another");
    let init = |path: &Path| Ca::init(path, &options);
    let before = snapshot(w.above.path());
    let error = init(w.ca.register().path()).expect_err("a CA");
    assert!(matches!(error, Error::AlreadyCa(_)), "{error}");
    for taken in [
        w.above.path().to_owned(),
        w.ca.register().server_bundle(),
        "..".into(),
    ] {
        let error = init(&taken).expect_err("taken");
        assert!(matches!(error, Error::NotEmpty(_)), "{error}");
    }
    assert_eq!(snapshot(w.above.path()), before);
    fs::create_dir(w.path("empty")).expect("made");
    init(&w.path("empty")).expect("an empty folder will do");
    init(&w.path("not/yet/there")).expect("and one that is not there");
}

#[test]
fn a_name_that_cannot_be_shown_is_not_given_to_a_ca() {
    let w = World::new();
    let long = "x".repeat(65);
    for name in [
        "",
        " ",
        " a",
        "a ",
        "a\nb",
        "a\tb",
        "a\u{1b}[2J",
        "a\u{202e}b",
        &long,
    ] {
        let error = Ca::init(&w.path("new"), &InitOptions::named(name)).expect_err(name);
        assert!(matches!(error, Error::Name(_)), "{error}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    Ca::init(&w.path("new"), &InitOptions::named("数".repeat(64))).expect("64 characters");
}

#[test]
fn a_ca_whose_files_do_not_belong_together_signs_nothing() {
    let (w, other) = (World::new(), World::new());
    let load = || Ca::load(w.ca.register().path()).expect_err("not a CA");
    let key = fs::read_to_string(w.ca.register().key()).expect("a key");

    fs::copy(other.ca.register().key(), w.ca.register().key()).expect("copied");
    assert!(matches!(load(), Error::OtherKey { .. }));
    fs::write(
        w.ca.register().key(),
        key.replace("BEGIN ", "BEGIN ENCRYPTED "),
    )
    .expect("written");
    assert!(matches!(load(), Error::Pem { .. }));
    fs::write(w.ca.register().key(), "").expect("written");
    assert!(matches!(load(), Error::Pem { .. }));
    fs::remove_file(w.ca.register().key()).expect("removed");
    assert!(matches!(load(), Error::NoFile(_)));
    fs::write(w.ca.register().key(), key).expect("written");
    Ca::load(w.ca.register().path()).expect("as it was");

    let alice = w.issue("alice");
    fs::copy(alice.bundle, w.ca.register().certificate()).expect("copied");
    assert!(matches!(load(), Error::NotCa { .. }));
    fs::remove_file(w.ca.register().certificate()).expect("removed");
    assert!(matches!(load(), Error::NoCa(_)));
}

#[test]
fn many_at_once_lose_nobody_and_share_no_serial() {
    const THREADS: usize = 20;
    let w = World::new();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let ca = &w.ca;
            // Everybody asks for a name of their own and for one that all want.
            scope.spawn(move || {
                let names = [format!("s{number:02}"), "everyones".to_owned()];
                ca.issue(&Candidate::named(names), &IssueOptions::default())
                    .expect("issued");
            });
        }
    });
    let records = w.ca.register().entries().expect("a database");
    // And one for the server.
    assert_eq!(records.len(), THREADS + 2);
    let mut serials: Vec<_> = records.iter().map(|r| r.serial.clone()).collect();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), THREADS + 2);
    for number in 0..THREADS {
        let bundle = w.ca.register().people().join(format!("s{number:02}.pem"));
        w.admit(&bundle).expect("admitted");
    }
}

#[test]
fn people_revoked_at_once_are_all_on_the_list() {
    const PEOPLE: usize = 8;
    let w = World::new();
    let names: Vec<String> = (0..PEOPLE).map(|number| format!("s{number}")).collect();
    let options = IssueOptions::default();
    w.ca.issue(&Candidate::named(names.clone()), &options)
        .expect("issued");
    thread::scope(|scope| {
        for name in &names {
            let ca = &w.ca;
            scope.spawn(move || {
                ca.revoke(std::slice::from_ref(name), Reason::Superseded)
                    .expect("revoked");
            });
        }
    });
    for name in &names {
        let bundle = w.ca.register().people().join(format!("{name}.pem"));
        w.admit(&bundle).expect_err("revoked");
    }
}

#[test]
fn a_revocation_that_an_old_index_lost_is_on_the_next_list_and_none_is_signed_without_an_index() {
    let w = World::new();
    w.issue("alice");
    w.issue("bob");
    let index = w.ca.register().path().join("index.txt");
    let before = fs::read(&index).expect("an index");
    w.ca.revoke(&["alice".to_owned()], Reason::Unspecified)
        .expect("a revocation");

    // An old copy of the index, then none at all.
    fs::write(&index, &before).expect("put back");
    w.ca.revoke(&["bob".to_owned()], Reason::Unspecified)
        .expect("a revocation");
    for name in ["alice", "bob"] {
        let bundle = w.ca.register().people().join(format!("{name}.pem"));
        w.admit(&bundle).expect_err("revoked");
    }
    let list = fs::read(w.ca.register().revocation_list()).expect("a list");
    fs::remove_file(&index).expect("removed");
    let error =
        w.ca.revoke(&["bob".to_owned()], Reason::Unspecified)
            .expect_err("a refusal");
    assert!(
        error.to_string().contains("index.txt: it is missing"),
        "{error}"
    );
    assert_eq!(
        fs::read(w.ca.register().revocation_list()).expect("a list"),
        list,
        "nothing was signed"
    );
}
