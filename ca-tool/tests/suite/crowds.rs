//! Many runs at once: none of them undoes the work of another.

use std::collections::HashSet;
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

use ca_tool::{Candidate, IssueOptions};
use pki::RevocationList;

use crate::World;

/// Runs of each kind.
const RUNS: usize = 20;

#[test]
fn twenty_runs_that_issue_and_twenty_that_revoke_lose_nothing() {
    let w = World::new();
    let goners: Vec<String> = (0..RUNS).map(|number| format!("r{number:02}")).collect();
    w.ca.issue(&Candidate::named(goners.clone()), &IssueOptions::default())
        .expect("issued");
    let start = |arguments: &[&str]| {
        let mut command = w.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it runs")
    };
    // Each issues one name of its own and one that all want; each revokes one, and asks for a list.
    let mut running = Vec::new();
    for (number, goner) in goners.iter().enumerate() {
        let own = format!("s{number:02}");
        running.push(start(&["issue", &own, "everyones"]));
        running.push(start(&["revoke", goner]));
        running.push(start(&["crl", "--json"]));
    }
    // A reader always sees a valid list, and its number only grows.
    let is_over = AtomicBool::new(false);
    let (outputs, seen) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = vec![number_of(&w)];
            while !is_over.load(Ordering::Relaxed) {
                let number = number_of(&w);
                if seen.last() != Some(&number) {
                    seen.push(number);
                }
                thread::yield_now();
            }
            seen
        });
        let running = running.into_iter();
        let outputs = running.map(|program| program.wait_with_output().expect("it ends"));
        let outputs: Vec<_> = outputs.collect();
        is_over.store(true, Ordering::Relaxed);
        (outputs, watching.join().expect("a list at every moment"))
    });
    assert!(seen.len() > 1, "{seen:?}");
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    let (mut won, mut numbers) = (0, Vec::new());
    for output in outputs {
        let said = String::from_utf8_lossy(&output.stdout);
        let notes = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{notes}");
        won += said.matches("everyones ").count();
        if let Ok(list) = serde_json::from_str::<serde_json::Value>(&said) {
            let number = list["number"].as_str().expect("a number").to_owned();
            numbers.push(u64::from_str_radix(&number, 16).expect("hexadecimal"));
        }
    }
    assert_eq!(won, 1, "one success for the name that all wanted");
    assert_eq!(numbers.len(), RUNS);
    let distinct: HashSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), RUNS, "no number is used twice: {numbers:?}");

    let records = w.ca.register().entries().expect("an index");
    // One for each, the one that all wanted, and the server's.
    assert_eq!(records.len(), 2 * RUNS + 2);
    let serials: HashSet<_> = records.iter().map(|r| r.serial.clone()).collect();
    assert_eq!(serials.len(), records.len());
    let revoked = records.iter().filter(|record| record.revoked.is_some());
    assert_eq!(revoked.count(), RUNS);
    assert_eq!(list_of(&w).count(), RUNS);
    let last = number_of(&w);
    assert!(numbers.iter().all(|number| *number <= last));
    for goner in &goners {
        let bundle = w.ca.register().people().join(format!("{goner}.pem"));
        w.admit(&bundle).expect_err("revoked");
    }
    for number in 0..RUNS {
        let bundle = w.ca.register().people().join(format!("s{number:02}.pem"));
        w.admit(&bundle).expect("admitted");
    }
    assert!(!w.ca.register().path().join(".pending").exists());
}

fn list_of(w: &World) -> RevocationList {
    let list = fs::read(w.ca.register().revocation_list()).expect("a list");
    RevocationList::parse(&list, w.ca.register().anchor(), SystemTime::now()).expect("a good list")
}

fn number_of(w: &World) -> u64 {
    let number = list_of(w).number().to_u64();
    number.expect("a small number")
}

#[test]
fn a_number_goes_on_when_an_old_copy_of_the_folder_is_put_back() {
    let w = World::new();
    let copy = w.path("copy");
    copy_folder(w.ca.register().path(), &copy);
    let number = |json: &str| {
        let list: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let number = list["number"].as_str().expect("a number").to_owned();
        u64::from_str_radix(&number, 16).expect("hexadecimal")
    };
    let sign = || number(&crate::stdout(&w.run(&["crl", "--json"])));
    // The copy knows nothing of these.
    let seen = (0..5).map(|_| sign()).max().expect("five lists");
    fs::remove_dir_all(w.ca.register().path()).expect("removed");
    fs::rename(&copy, w.ca.register().path()).expect("put back");
    fs::write(w.ca.register().path().join("crlnumber"), "01\n").expect("written");
    fs::remove_file(w.ca.register().revocation_list()).expect("removed");
    let after = sign();
    assert!(after > seen, "{after} after {seen}");
    assert!(sign() > after);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copied = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &copied);
        } else {
            fs::copy(&path, &copied).expect("copied");
        }
    }
}
