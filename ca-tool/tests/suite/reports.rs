//! The output and the exit codes of the commands that report.

use std::fs;
use std::process::Command;

use ca_tool::Reason;
use kit::require;
use serde_json::Value;

use crate::{World, shell, stderr, stdout, succeed};

fn json(w: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = w.run(arguments);
    let said = serde_json::from_str(&stdout(&output));
    let said = said.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    (output.status.code(), said)
}

#[test]
fn names_are_told_as_people_write_them() {
    let w = World::new();
    fs::write(w.path("class.csv"), "id,name\nน้อง,Sinéad O'Connor\n").expect("written");
    assert!(w.run(&["issue", "--roster", "class.csv"]).status.success());
    for command in [
        &["list"][..],
        &["list", "--json"],
        &["show", "น้อง"],
        &["show", "น้อง", "--json"],
        &["status", "--json"],
    ] {
        assert!(w.run(&["revoke", "น้อง"]).status.success());
        let said = stdout(&w.run(command));
        assert!(said.contains("น้อง"), "{command:?}: {said}");
        let has_full_name = command[0] != "status";
        assert_eq!(said.contains("Sinéad O'Connor"), has_full_name, "{said}");
    }
}

#[test]
fn every_report_works_without_the_key_and_reads_it_from_nowhere() {
    let w = World::new();
    w.issue("alice");
    let key = w.ca.register().key();
    let reports = |status: i32, doctor: i32| {
        for (arguments, code) in [
            (&["list"][..], 0),
            (&["show", "alice"], 0),
            (&["show", "ca/crl.pem"], 0),
            (&["verify", "ca/people/alice.pem"], 0),
            (&["status"], status),
            (&["doctor"], doctor),
        ] {
            let output = w.run(arguments);
            let said = stdout(&output) + &stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
            assert!(!stdout(&output).is_empty(), "{arguments:?}: {said}");
        }
    };
    reports(0, 0);
    // Nobody can read a folder like a file, not even root.
    fs::rename(&key, w.path("kept.key")).expect("moved");
    fs::create_dir(&key).expect("made");
    reports(0, 1);
    assert_eq!(w.run(&["crl"]).status.code(), Some(1));
    fs::remove_dir(&key).expect("removed");
    reports(3, 1);

    // If the list is due, the key is missed, and the report is made anyway.
    fs::remove_file(w.ca.register().revocation_list()).expect("removed");
    let listed = w.run(&["list"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    assert!(stdout(&listed).contains("alice"));
    assert!(stderr(&listed).contains("needs repair, but cannot read"));
}

#[test]
fn verify_says_what_the_gate_would() {
    let (w, other) = (World::new(), World::new());
    for name in ["alice", "bob", "carol"] {
        w.issue(name);
    }
    fs::copy(w.ca.register().revocation_list(), w.path("before.pem")).expect("copied");
    w.ca.revoke(&["bob".to_owned()], Reason::KeyCompromise)
        .expect("revoked");
    let stranger = other.issue("alice");
    fs::copy(stranger.bundle, w.path("stranger.pem")).expect("copied");
    // Two people's files in one, as after a wrong paste.
    let (alice, carol) = (
        w.ca.register().people().join("alice.pem"),
        w.ca.register().people().join("carol.pem"),
    );
    let (alice, carol) = (
        fs::read_to_string(alice).expect("a bundle"),
        fs::read_to_string(carol).expect("a bundle"),
    );
    let (_, her_key) = carol.rsplit_once("-----BEGIN PRIVATE").expect("a key");
    let (hers, _) = alice.rsplit_once("-----BEGIN PRIVATE").expect("a key");
    fs::write(
        w.path("mixed.pem"),
        format!("{hers}-----BEGIN PRIVATE{her_key}"),
    )
    .expect("written");
    fs::write(w.path("alone.pem"), hers).expect("written");
    for (arguments, code, expected) in [
        (
            &["ca/people/alice.pem"][..],
            0,
            "admitted as alice (student), until 2",
        ),
        (&["alone.pem"], 0, "admitted as alice"),
        (&["ca/people/bob.pem"], 1, "not admitted: the certificate "),
        (
            &["ca/people/bob.pem", "--crl", "before.pem"],
            0,
            "admitted as bob",
        ),
        (
            &["ca/people/alice.pem", "--strict-revocation"],
            0,
            "admitted",
        ),
        (&["ca/server.pem"], 1, "it is a server's certificate"),
        (&["ca/ca.pem"], 1, "not admitted: it is a CA's certificate"),
        (&["stranger.pem"], 1, "not admitted"),
        (&["mixed.pem"], 1, "not admitted: "),
        (&["ca/index.txt"], 1, ""),
        (&["nowhere.pem"], 1, ""),
        (&["ca/people/alice.pem", "--crl", "ca/ca.pem"], 1, ""),
    ] {
        let output = w.run(&[&["verify"], arguments].concat());
        let (said, notes) = (stdout(&output), stderr(&output));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {said}{notes}"
        );
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
        assert_eq!(said.is_empty(), notes.contains("error: "), "{notes}");
        // The library's own gate agrees.
        if let [bundle] = arguments
            && said.contains("admitted as")
            && bundle.starts_with("ca/")
        {
            w.admit(&w.path(bundle)).expect("admitted");
        }
    }
    let (code, said) = json(&w, &["verify", "ca/people/bob.pem", "--json"]);
    assert_eq!((code, &said["admitted"]), (Some(1), &Value::Bool(false)));
    assert!(
        said["reason"]
            .as_str()
            .expect("a reason")
            .contains("was revoked")
    );
    let (code, said) = json(&w, &["verify", "ca/people/alice.pem", "--json"]);
    assert_eq!((code, said["id"].as_str()), (Some(0), Some("alice")));
}

#[test]
fn crl_signs_the_list_again_under_a_higher_number() {
    let w = World::new();
    w.issue("alice");
    w.ca.revoke(&["alice".to_owned()], Reason::Superseded)
        .expect("revoked");
    let number = |said: &Value| {
        let number = said["number"].as_str().expect("a number");
        u64::from_str_radix(number, 16).expect("hexadecimal")
    };
    let (code, first) = json(&w, &["crl", "--json"]);
    assert_eq!((code, &first["revoked"]), (Some(0), &Value::from(1)));
    let said = stdout(&w.run(&["crl"]));
    assert!(said.starts_with("signed ca"), "{said}");
    let (_, third) = json(&w, &["crl", "--json"]);
    assert!(number(&third) > number(&first) + 1);
    let (_, shown) = json(&w, &["show", "ca/crl.pem", "--json"]);
    assert_eq!(shown[0]["number"], third["number"]);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_request_and_an_encrypted_key_are_shown_in_words() {
    require("openssl");
    let w = World::new();
    let mut openssl = Command::new("openssl");
    let made = openssl.current_dir(w.above.path()).args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-passout",
        "pass:secret",
        "-keyout",
        "eve.key",
        "-out",
        "eve.csr",
        "-subj",
        "/CN=eve",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "subjectAltName=DNS:chat.example",
    ]);
    let made = made.output().expect("openssl runs");
    assert!(made.status.success(), "{}", stderr(&made));
    let said = stdout(&w.run(&["show", "eve.csr"]));
    for expected in [
        "request for a certificate by \"eve\"",
        "P-384",
        "good: whoever made it has the key",
        "CA:TRUE",
        "chat.example",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // With one bit of the signature changed, nothing proves who made it.
    let mut der = pem_body(&fs::read_to_string(w.path("eve.csr")).expect("a request"));
    *der.last_mut().expect("a byte") ^= 1;
    fs::write(w.path("bad.csr"), der).expect("written");
    let said = stdout(&w.run(&["show", "bad.csr"]));
    assert!(said.contains("not valid"), "{said}");
    let said = stdout(&w.run(&["show", "eve.key"]));
    assert_eq!(said, "private key, encrypted: keep this file to yourself\n");
}

fn pem_body(text: &str) -> Vec<u8> {
    use rustls::pki_types::CertificateSigningRequestDer;
    use rustls::pki_types::pem::PemObject as _;

    CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
        .expect("a request")
        .to_vec()
}

/// Changes the end of a person's certificate in the index.
fn ends(w: &World, name: &str, end: &str) {
    let path = w.ca.register().path().join("index.txt");
    let index = fs::read_to_string(&path).expect("an index");
    let lines: String = index
        .lines()
        .map(|line| {
            let mut fields: Vec<_> = line.split('\t').collect();
            if fields[5].starts_with(&format!("/CN={name}/")) {
                fields[1] = end;
            }
            fields.join("\t") + "\n"
        })
        .collect();
    fs::write(path, lines).expect("written");
}

fn in_days(days: i64) -> String {
    let date = (time::OffsetDateTime::now_utc() + time::Duration::days(days)).date();
    let (year, month, day) = (date.year() % 100, u8::from(date.month()), date.day());
    format!("{year:02}{month:02}{day:02}000000Z")
}

#[test]
fn status_ends_with_the_worst_of_what_it_found() {
    let w = World::new();
    for name in ["alice", "bob", "carol"] {
        w.issue(name);
    }
    let status = || json(&w, &["status", "--json"]);
    let names = |said: &Value| -> Vec<String> {
        let people = said.as_array().expect("people").iter();
        people
            .map(|person| person["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let (code, said) = status();
    assert_eq!((code, &said["state"]), (Some(0), &Value::from("good")));
    assert_eq!(said["valid"], 4);

    ends(&w, "alice", &in_days(29));
    ends(&w, "bob", &in_days(31));
    let (code, said) = status();
    assert_eq!(
        (code, names(&said["expiring"])),
        (Some(1), vec!["alice".into()])
    );

    ends(&w, "carol", &in_days(-1));
    let (code, said) = status();
    assert_eq!(
        (code, names(&said["expired"])),
        (Some(2), vec!["carol".into()])
    );
    let text = stdout(&w.run(&["status"]));
    for expected in [
        "\"Networks 101\", until 20",
        "(less than a day ago), good until 20",
        "3 valid, 1 ending within 30 days; 1 expired, 0 revoked",
        "something has expired",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // People who were revoked, or have a new certificate, are nobody's worry.
    let carol = said["expired"][0]["serial"].as_str().expect("a number");
    let over = [
        "revoke",
        "--serial",
        carol,
        "--reason",
        "cessationOfOperation",
    ];
    assert!(w.run(&over).status.success());
    let (code, said) = status();
    assert_eq!(
        (code, names(&said["revoked"])),
        (Some(1), vec!["carol".into()])
    );
    ends(&w, "alice", &in_days(-1));
    w.issue("alice");
    assert_eq!(status().0, Some(0));

    let key = fs::read(w.ca.register().key()).expect("a key");
    fs::remove_file(w.ca.register().key()).expect("removed");
    let (code, said) = status();
    assert_eq!(code, Some(3), "{said}");
    fs::write(w.ca.register().key(), key).expect("put back");
    assert_eq!(status().0, Some(0));
    let index = w.ca.register().path().join("index.txt");
    fs::rename(&index, w.path("index.txt")).expect("moved");
    assert_eq!(w.run(&["status"]).status.code(), Some(3));
    fs::rename(w.path("index.txt"), &index).expect("moved");
    assert_eq!(w.run(&["--dir", "none", "status"]).status.code(), Some(3));
}

#[test]
fn status_of_a_large_class_fits_on_a_screen() {
    let w = World::new();
    let names: Vec<String> = (0..40).map(|number| format!("s{number:02}")).collect();
    let candidates = ca_tool::Candidate::named(names.clone());
    w.ca.issue(&candidates, &ca_tool::IssueOptions::default())
        .expect("issued");
    for name in &names {
        ends(&w, name, &in_days(5));
    }
    let said = stdout(&w.run(&["status"]));
    assert!(said.contains("and 32 more"), "{said}");
    assert!(said.lines().count() <= 24, "{said}");
}

#[test]
fn doctor_finds_what_is_wrong_and_says_how_to_mend_it() {
    let w = World::new();
    let alice = w.issue("alice");
    w.issue("bob");
    let bad = || -> Vec<(String, String)> {
        let (code, said) = json(&w, &["doctor", "--json"]);
        let findings = said.as_array().expect("findings").iter();
        let bad: Vec<_> = findings
            .filter(|finding| finding["state"] == "bad")
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().expect("a text").to_owned();
                (text("check"), text("fix"))
            })
            .collect();
        assert_eq!(code, Some(i32::from(!bad.is_empty())), "{said}");
        bad
    };
    let checks = || {
        bad()
            .into_iter()
            .map(|(check, _)| check)
            .collect::<Vec<_>>()
    };
    assert_eq!(bad(), []);
    let text = stdout(&w.run(&["doctor"]));
    assert!(text.lines().all(|line| !line.starts_with("BAD")), "{text}");

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        let open = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(&alice.bundle, open(0o640)).expect("set");
        fs::set_permissions(w.ca.register().path().join("private"), open(0o711)).expect("set");
        let found = bad();
        assert_eq!(found.len(), 2, "{found:?}");
        // The fixes are commands that work.
        for (_, fix) in found {
            let mut shell = Command::new("sh");
            let shell = shell.current_dir(w.above.path()).args(["-c", &fix]);
            assert!(shell.status().expect("it runs").success(), "{fix}");
        }
        assert_eq!(bad(), []);
    }

    let other = World::new();
    fs::copy(
        other.issue("carol").bundle,
        w.ca.register().people().join("carol.pem"),
    )
    .expect("copied");
    assert_eq!(checks(), ["bundles"]);
    fs::remove_file(w.ca.register().people().join("carol.pem")).expect("removed");
    let key = fs::read(w.ca.register().key()).expect("a key");
    fs::copy(other.ca.register().key(), w.ca.register().key()).expect("copied");
    assert_eq!(checks(), ["key"]);
    fs::write(w.ca.register().key(), key).expect("put back");
    let server = w.ca.register().server_bundle();
    fs::copy(&server, w.path("server.pem")).expect("copied");
    fs::copy(other.ca.register().server_bundle(), &server).expect("copied");
    assert_eq!(checks(), ["server bundle"]);
    fs::copy(w.path("server.pem"), &server).expect("put back");
    fs::write(
        w.ca.register().path().join("settings"),
        "server = chat.example:1\n",
    )
    .expect("written");
    assert_eq!(checks(), ["server names"]);
    fs::write(
        w.ca.register().path().join("settings"),
        "server = localhost:1\n",
    )
    .expect("written");
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_hours(24);
    let index = fs::File::options()
        .append(true)
        .open(w.ca.register().path().join("index.txt"))
        .expect("an index");
    let before = index.metadata().and_then(|there| there.modified());
    index.set_modified(tomorrow).expect("set");
    assert_eq!(checks(), ["clock"]);
    index.set_modified(before.expect("a time")).expect("set");
    assert_eq!(bad(), []);
}

#[test]
#[ignore = "needs faketime: run with --include-ignored"]
fn a_clock_that_is_wrong_is_told_as_the_time_that_it_says() {
    require("faketime");
    let w = World::new();
    w.issue("alice");
    let above = w.above.path();
    let day = |days| (time::OffsetDateTime::now_utc() + time::Duration::days(days)).date();
    let today = [day(0), day(1)];

    let (_, doctor, _) = shell(above, "faketime -f -400d ca-tool doctor");
    let clock: Vec<_> = doctor.lines().take(2).collect();
    assert!(
        clock[0].starts_with("BAD   clock            it says 20"),
        "{doctor}"
    );
    assert!(
        clock[0].contains(&format!("it says {}T", day(-400))),
        "{doctor}"
    );
    let at_work = |day| clock[0].contains(&format!("this CA was used at {day}T"));
    assert!(today.into_iter().any(at_work), "{doctor}");
    assert!(clock[1].contains("fix: set the clock"), "{doctor}");

    // Nothing distinguishes a clock that is fast from a CA that is old.
    let ahead = day(4000);
    let (code, doctor, _) = shell(above, "faketime -f +4000d ca-tool doctor");
    assert_eq!(code, Some(1), "{doctor}");
    assert!(
        doctor.starts_with(&format!("note  clock            it says {ahead}T")),
        "{doctor}"
    );
    assert!(doctor.contains("this CA has expired by then"), "{doctor}");
    let (code, status, _) = shell(above, "faketime -f +4000d ca-tool status");
    assert_eq!(code, Some(3), "{status}");
    assert!(
        status.contains(&format!("the clock says {ahead}: is the clock right?")),
        "{status}"
    );

    let doctor = succeed(above, "ca-tool doctor");
    assert!(doctor.starts_with("good  clock            20"), "{doctor}");
    assert!(!succeed(above, "ca-tool status").contains("clock"));
}

#[test]
fn doctor_does_not_call_a_server_good_whose_certificate_is_revoked() {
    let w = World::new();
    let above = w.above.path();
    assert!(succeed(above, "ca-tool doctor").contains("good  server bundle"));
    let bundle = pki::Bundle::read(&w.ca.register().server_bundle()).expect("a bundle");
    let serial = bundle.certificate().serial;
    succeed(
        above,
        &format!("ca-tool revoke --serial {serial} --reason keyCompromise"),
    );
    let (code, doctor, _) = shell(above, "ca-tool doctor");
    assert_eq!(code, Some(1), "{doctor}");
    assert!(
        doctor.contains("BAD   server bundle    it was revoked on 20"),
        "{doctor}"
    );
    assert!(doctor.contains("(keyCompromise)\n"), "{doctor}");
    assert!(
        doctor.contains("fix: make another with `ca-tool issue-server`"),
        "{doctor}"
    );
    // The fix works.
    let said = succeed(above, "ca-tool issue-server");
    let mv = said.split('`').nth(1).expect("a command");
    succeed(above, &format!("{mv} && ca-tool doctor"));
}
