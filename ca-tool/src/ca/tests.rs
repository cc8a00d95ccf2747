//! Tests that set the clock, or need to see inside.

use std::fs;

use pki::RevocationList;
use tempfile::TempDir;
use time::macros::datetime;

use super::list::{GIVEN_NUMBER_MAX, LIST_NUMBER_MAX};
use super::place::publish;
use super::*;
use crate::disk::draft::Draft;
use crate::os;
use crate::people::candidate::Candidate;
use crate::sign::reason::Reason;
use crate::words::end_of;

const NOW: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

fn days(days: i64) -> time::Duration {
    time::Duration::days(days)
}

fn new_ca() -> (TempDir, Ca) {
    let above = tempfile::tempdir().expect("a folder");
    let options = InitOptions::named("Networks 101");
    let ca = Ca::init_at(&above.path().join("ca"), &options, Arc::new(Silent), NOW).expect("a CA");
    (above, ca)
}

/// Nobody is asked, because the key is not encrypted.
fn unasked(_key: &Path) -> Result<Passphrase, Error> {
    Err(Error::NoPassphrase)
}

fn issue(ca: &Ca, name: &str, now: OffsetDateTime) -> Issuance {
    ca.issue_at(&Candidate::named([name]), &IssueOptions::default(), now)
        .expect("a certificate")
}

fn list(ca: &Ca, now: OffsetDateTime) -> RevocationList {
    ca.register()
        .read_list(now)
        .expect("a readable file")
        .expect("a list that servers take")
}

#[test]
fn a_list_is_signed_again_when_fewer_than_thirty_days_of_it_are_left() {
    let (_above, ca) = new_ca();
    let first = list(&ca, NOW);
    assert_eq!(
        OffsetDateTime::from(first.next_update()),
        NOW + days(pki::CRL_DAYS.into())
    );

    let early = NOW + days(150);
    assert!(!ca.renew_list_at(early).expect("readable"));
    assert_eq!(list(&ca, early).number(), first.number());

    let late = early + time::Duration::SECOND;
    assert!(ca.renew_list_at(late).expect("writable"));
    let second = list(&ca, late);
    assert!(second.number() > first.number());
    assert!(OffsetDateTime::from(second.next_update()) > NOW + days(300));
    assert!(!ca.renew_list_at(late).expect("readable"));
}

#[test]
fn a_list_that_is_lost_damaged_or_lacks_somebody_is_signed_again() {
    let (_above, ca) = new_ca();
    issue(&ca, "alice", NOW);
    let path = ca.register().revocation_list();
    let empty = fs::read(&path).expect("a list");
    ca.revoke(&["alice".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    // From here on the real clock counts, because it revoked her.
    let now = OffsetDateTime::now_utc().max(NOW);
    let full = list(&ca, now);
    assert_eq!(full.count(), 1);

    // As if the run that revoked her had been interrupted before it signed the list.
    fs::write(&path, &empty).expect("written");
    assert!(ca.renew_list_at(now).expect("writable"));
    assert_eq!(list(&ca, now).count(), 1);

    fs::write(&path, "-----BEGIN X509 CRL-----\n").expect("written");
    assert!(ca.renew_list_at(now).expect("writable"));
    fs::remove_file(&path).expect("removed");
    assert!(ca.renew_list_at(now).expect("writable"));
    let last = list(&ca, now);
    assert_eq!(last.count(), 1);
    assert!(last.number() > full.number());
}

#[test]
fn a_list_number_only_grows_even_when_the_folder_goes_back() {
    let (_above, ca) = new_ca();
    let clock = |now: OffsetDateTime| {
        u64::try_from(now.unix_timestamp_nanos() / 1_000_000).expect("after 1970")
    };
    let number = |now| list(&ca, now).number().to_u64().expect("a small number");
    assert_eq!(number(NOW), clock(NOW));

    // Many lists in one moment.
    let index = Index::default();
    for more in 1..=5 {
        ca.sign_list(&index, NOW).expect("signed");
        assert_eq!(number(NOW), clock(NOW) + more);
    }
    // An old copy of the folder is restored a day later.
    let put_back = || {
        fs::write(ca.folder().list_number(), "01\n").expect("written");
        fs::remove_file(ca.register().revocation_list()).expect("removed");
    };
    let later = NOW + days(1);
    put_back();
    ca.sign_list(&index, later).expect("signed");
    assert_eq!(number(later), clock(later));
    // A busy minute of thirty lists, and at its end the copy once more.
    for second in 1..=30 {
        let now = later + time::Duration::seconds(second);
        ca.sign_list(&index, now).expect("signed");
    }
    let seen = number(later);
    let later = later + time::Duration::seconds(31);
    put_back();
    ca.sign_list(&index, later).expect("signed");
    assert!(number(later) > seen, "{} after {seen}", number(later));
    // Only the number's file is lost, and the clock went back.
    fs::remove_file(ca.folder().list_number()).expect("removed");
    ca.sign_list(&index, later - time::Duration::MINUTE)
        .expect("signed");
    assert_eq!(number(later), clock(later) + 1);

    for bad in ["", "x", "-1", "FFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFFF"] {
        fs::write(ca.folder().list_number(), bad).expect("written");
        let error = ca.sign_list(&index, later).expect_err(bad);
        assert!(matches!(error, Error::ListNumber(_)), "{error}");
    }
}

#[test]
fn a_list_that_was_signed_with_the_last_number_is_not_counted_on_from() {
    let (_above, ca) = new_ca();
    let index = Index::default();
    for number in [LIST_NUMBER_MAX, u64::MAX] {
        let last = ca.issuer.sign_list(number, index.revoked(), NOW);
        fs::write(ca.register().revocation_list(), last.expect("signed")).expect("written");
        let error = ca.sign_list(&index, NOW).expect_err("no number is left");
        assert!(matches!(error, Error::ListNumber(_)), "{error}");
        assert_eq!(list(&ca, NOW).number().to_u64(), Some(number));
    }
}

#[test]
fn a_list_is_taken_over_only_where_numbers_are_left_to_count_on_with() {
    let (above, ca) = new_ca();
    let given = above.path().join("given.pem");
    for number in [u64::MAX, LIST_NUMBER_MAX - 1, GIVEN_NUMBER_MAX + 1] {
        let list = ca.issuer.sign_list(number, std::iter::empty(), NOW);
        fs::write(&given, list.expect("signed")).expect("written");
        let error = ca.merge_list(&given).expect_err("too large").to_string();
        assert!(error.contains("its number is too large"), "{error}");
        ca.sign_list_again().expect("it is as if nothing was given");
    }
    let list = ca
        .issuer
        .sign_list(GIVEN_NUMBER_MAX, std::iter::empty(), NOW);
    fs::write(&given, list.expect("signed")).expect("written");
    ca.merge_list(&given).expect("taken over");
    let list = ca.sign_list_again().expect("signed");
    assert_eq!(list.number().to_u64(), Some(GIVEN_NUMBER_MAX + 2));
}

#[test]
fn the_draft_of_a_killed_init_is_removed_and_that_of_a_running_one_is_not() {
    let above = tempfile::tempdir().expect("a folder");
    let begin = || {
        let draft = Draft::begin(above.path(), &Silent).expect("a draft");
        let folder = Folder::new(draft.folder());
        files::create_folder(&folder.private()).expect("made");
        files::write_new(&folder.key(), b"key", Access::Private).expect("written");
        draft
    };
    let mut killed = begin();
    let left = killed.folder().to_owned();
    // The operating system releases the lock of a killed run.
    killed.unlock();
    std::mem::forget(killed);
    let living = begin();
    let digits = "0123456789abcdef01234567";
    // Not made by ca-tool: without a lock, with another name, not a folder.
    let others = [".ca-DIGITS.tmp", ".ca-notes.tmp", ".DIGITS.tmp"];
    let others = others.map(|name| above.path().join(name.replace("DIGITS", digits)));
    for other in &others {
        fs::create_dir(other).expect("made");
        fs::write(other.join("mine"), "mine").expect("written");
    }
    let file = above.path().join(format!(".ca-{digits}0.tmp"));
    fs::write(&file, "mine").expect("written");

    let ca = Ca::init(&above.path().join("ca"), &InitOptions::named("Other")).expect("a CA");
    assert!(ca.register().key().exists());
    assert!(!left.exists());
    for other in others {
        assert!(other.join("mine").exists(), "{}", other.display());
    }
    assert!(file.exists());
    publish(living, &above.path().join("second")).expect("published");
    let key = Folder::new(&above.path().join("second")).key();
    assert_eq!(fs::read(key).expect("a key"), b"key");
    let entries = fs::read_dir(above.path()).expect("a folder");
    assert_eq!(entries.count(), 6, "ca, second, and four that are not ours");
}

#[test]
fn a_draft_behind_a_symbolic_link_is_not_removed() {
    let above = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join(".lock"), "").expect("written");
    let link = above.path().join(".ca-0123456789abcdef01234567.tmp");
    os::symlink(elsewhere.path(), &link).expect("linked");
    leftovers::remove_drafts(above.path(), &Silent).expect("done");
    assert!(link.is_symlink());
    assert!(elsewhere.path().join(".lock").exists());
    // A folder with that name and that lock is a draft.
    fs::remove_file(&link).expect("removed");
    fs::rename(elsewhere.keep(), &link).expect("moved");
    leftovers::remove_drafts(above.path(), &Silent).expect("done");
    assert!(!link.exists());
}

#[test]
fn nothing_is_valid_longer_than_the_ca_and_a_ca_that_expired_signs_nothing() {
    let (_above, ca) = new_ca();
    let end = OffsetDateTime::from(ca.register().says().not_after);
    assert_eq!(end, NOW + days(pki::CA.days.into()));

    let exact = issue(&ca, "alice", end - days(180));
    assert_eq!((exact.clamped, exact.issued[0].not_after), (None, end));
    let longer = issue(&ca, "bob", end - days(179));
    assert_eq!(
        (longer.clamped, longer.issued[0].not_after),
        (Some(end), end)
    );

    assert!(Ca::load_at(ca.register().path(), unasked, end).is_ok());
    for wrong in [end + time::Duration::SECOND, NOW - days(1)] {
        let error = Ca::load_at(ca.register().path(), unasked, wrong).expect_err("not valid");
        assert!(matches!(error, Error::CaNotValid { .. }), "{error}");
    }
}

#[test]
fn a_person_whose_certificate_expired_gets_another_and_the_old_bundle_is_kept() {
    let (_above, ca) = new_ca();
    let first = issue(&ca, "alice", NOW).issued.remove(0);
    let old = fs::read(&first.bundle).expect("a bundle");

    let last_day = NOW + days(180);
    assert_eq!(issue(&ca, "alice", last_day).skipped.len(), 1);
    let second = issue(&ca, "alice", last_day + days(1)).issued.remove(0);
    assert_eq!(second.bundle, first.bundle);
    let moved = second.moved.expect("the old bundle was moved");
    let serial = first.serial.to_string().to_uppercase();
    assert!(moved.ends_with(format!("people/old/alice-{serial}.pem")));
    assert_eq!(fs::read(moved).expect("a bundle"), old);
    assert_ne!(fs::read(second.bundle).expect("a bundle"), old);
}

#[test]
fn a_day_that_is_over_is_refused() {
    let (_above, ca) = new_ca();
    let until = |until| {
        let options = IssueOptions {
            until: Some(until),
            ..IssueOptions::default()
        };
        ca.issue_at(&Candidate::named(["alice"]), &options, NOW)
    };
    let yesterday = end_of(NOW.date()) - days(1);
    assert!(matches!(until(yesterday), Err(Error::Past(_))));
    let today = until(end_of(NOW.date())).expect("until tonight");
    assert_eq!(
        today.issued[0].not_after,
        datetime!(2026-11-21 23:59:59 UTC)
    );
}

#[test]
fn an_old_certificate_ends_with_the_first_run_after_its_overlap() {
    let (_above, ca) = new_ca();
    issue(&ca, "alice", NOW);
    issue(&ca, "bob", NOW);
    let renew = |name: &str, overlap, now| {
        let whose = Whose::People(vec![name.to_owned()]);
        ca.renew_at(&whose, overlap, &IssueOptions::default(), now)
            .expect("renewed")
    };
    let done = renew("alice", days(14), NOW);
    assert_eq!((done.revoked, done.until), (0, Some(NOW + days(14))));
    // An earlier end that was arranged before stays.
    renew("alice", days(30), NOW + days(1));

    let before = NOW + days(14) - time::Duration::SECOND;
    assert!(!ca.renew_list_at(before).expect("readable"));
    assert_eq!(list(&ca, before).count(), 0);
    assert!(ca.renew_list_at(NOW + days(14)).expect("writable"));
    assert_eq!(list(&ca, NOW + days(14)).count(), 1);
    assert!(!ca.renew_list_at(NOW + days(14)).expect("readable"));
    assert!(ca.renew_list_at(NOW + days(31)).expect("writable"));
    let now = NOW + days(31);
    assert_eq!(list(&ca, now).count(), 2);
    let entries = ca.register().entries().expect("readable");
    let live = |name: &str| {
        let theirs = entries.iter().filter(|entry| entry.name() == name);
        theirs.filter(|entry| entry.is_live(now)).count()
    };
    assert_eq!((live("alice"), live("bob")), (1, 1));
    let reasons = entries.iter().filter_map(|entry| entry.revoked);
    assert!(
        reasons
            .map(|(_, reason)| reason)
            .all(|reason| reason == Reason::Superseded)
    );
}

#[test]
fn a_certificate_that_was_replaced_while_on_hold_is_never_good_again() {
    let (_above, ca) = new_ca();
    let now = OffsetDateTime::now_utc();
    issue(&ca, "alice", now);
    let alice = Which::people(["alice"]);
    let whose = Whose::People(vec!["alice".to_owned()]);
    ca.renew_at(&whose, days(14), &IssueOptions::default(), now)
        .expect("renewed");
    ca.revoke_which(&alice, Reason::CertificateHold, None)
        .expect("on hold");
    let later = now + days(15);
    let freed = ca.unhold_at(&alice, later).expect("off hold");
    assert_eq!(freed.people, [("alice".to_owned(), 1)]);
    let entries = ca.register().entries().expect("readable");
    let hers = entries.iter().filter(|entry| entry.name() == "alice");
    let reasons: Vec<_> = hers
        .map(|entry| entry.revoked.map(|(_, why)| why))
        .collect();
    assert_eq!(reasons, [Some(Reason::Superseded), None]);
    assert_eq!(list(&ca, later).count(), 1);
    // And hers can be renewed, which is refused while on hold.
    ca.renew_at(&whose, days(0), &IssueOptions::default(), later)
        .expect("renewed");
}

#[test]
fn a_successor_that_ends_first_is_the_one_that_is_renewed() {
    let (_above, ca) = new_ca();
    issue(&ca, "alice", NOW);
    let whose = Whose::People(vec!["alice".to_owned()]);
    let until = |days_left| IssueOptions {
        until: Some(NOW + days(days_left)),
        ..IssueOptions::default()
    };
    ca.renew_at(&whose, days(7), &until(20), NOW)
        .expect("renewed");
    let all = ca.renew_at(&Whose::Everybody, days(0), &until(60), NOW + days(1));
    assert_eq!(all.expect("renewed").issued.len(), 1);
}

#[test]
fn an_expired_certificate_is_renewed_by_name_and_not_with_everybody() {
    let (_above, ca) = new_ca();
    issue(&ca, "alice", NOW);
    let later = NOW + days(200);
    issue(&ca, "bob", later);
    let options = IssueOptions::default();
    let all = ca.renew_at(&Whose::Everybody, days(0), &options, later + days(30));
    let all = all.expect("renewed");
    let names: Vec<_> = all.issued.iter().map(|issued| &issued.name[..]).collect();
    assert_eq!((names, all.revoked), (vec!["bob"], 1));
    let whose = Whose::People(vec!["alice".to_owned()]);
    let one = ca.renew_at(&whose, days(0), &options, later + days(30));
    let one = one.expect("renewed");
    // There was nothing left to revoke.
    assert_eq!((one.issued.len(), one.revoked), (1, 0));
}
