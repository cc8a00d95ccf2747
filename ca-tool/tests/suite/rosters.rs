//! Classes are issued from rosters as spreadsheets and learning platforms write them.

use std::fs;

use crate::{World, shell, snapshot, stderr, stdout, succeed};

#[test]
fn three_late_enrolments_are_issued_exactly_three() {
    let w = World::new();
    let mut class: String = (0..20).map(|n| format!("s{n:02}\n")).collect();
    fs::write(w.path("class.txt"), &class).expect("written");
    let first = w.run(&["issue", "--roster", "class.txt"]);
    assert_eq!(stdout(&first).lines().count(), 20, "{}", stderr(&first));

    class.push_str("late1\nlate2\nlate3\n");
    fs::write(w.path("class.txt"), &class).expect("written");
    let second = w.run(&["issue", "--roster", "class.txt"]);
    let names: Vec<_> = stdout(&second)
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, ["late1", "late2", "late3"]);
    let note = "ca-tool: note: 20 people have a certificate; skipped\n";
    assert!(stderr(&second).contains(note), "{}", stderr(&second));
    let before = snapshot(w.above.path());
    let third = w.run(&["issue", "--roster", "class.txt"]);
    assert_eq!(
        (third.status.code(), stdout(&third)),
        (Some(0), String::new())
    );
    assert_eq!(snapshot(w.above.path()), before);
}

#[test]
fn what_a_learning_platform_exports_is_issued_and_full_names_are_kept() {
    let w = World::new();
    let export = "\u{feff}Student ID;Name;Email;Section\r\n\
                  alice;Liddell, Alice;alice@example.org;B\r\n\
                  \"张三\";张三丰;;B\r\n";
    fs::write(w.path("export.csv"), export).expect("written");
    let issue = [
        "issue",
        "--roster",
        "export.csv",
        "--id-column",
        "Student ID",
    ];
    let issued = w.run(&[&issue[..], &["--until", "2027-02-01"]].concat());
    assert!(issued.status.success(), "{}", stderr(&issued));
    assert!(stderr(&issued).contains("ignoring the column Section in export.csv"));
    let list = stdout(&w.run(&["list"]));
    let line = list
        .lines()
        .find(|line| line.starts_with("alice"))
        .expect("alice");
    assert!(
        line.contains("Liddell, Alice") && line.contains("2027-02-01"),
        "{list}"
    );
    let rows: serde_json::Value =
        serde_json::from_str(&stdout(&w.run(&["list", "--json"]))).expect("JSON");
    assert_eq!(rows[2]["full_name"], "张三丰");
    // The names are still known after the certificates are revoked.
    w.run(&["revoke", "alice", "--reason", "privilegeWithdrawn"]);
    let revoked = stdout(&w.run(&["list", "--revoked"]));
    assert!(revoked.contains("Liddell, Alice"), "{revoked}");
    assert_eq!(revoked.lines().count(), 2, "{revoked}");
}

#[test]
fn every_fault_of_a_long_roster_is_named_at_once() {
    let w = World::new();
    w.issue("alice");
    let mut class = b"id,name,email,role\n".to_vec();
    for number in 2..=300 {
        let row: &[u8] = match number {
            10 => b"../x,,,\n",
            20 => b"-rf,,,\n",
            30 => b"CON,,,\n",
            40 => b".,,,\n",
            50 => b"\"two\nlines\",,,\n",
            60 => b"s002,,,\n",
            70 => b"S003,,,\n",
            80 => b"al\xd0\xb8ce,,,\n",
            90 => b"m\x07ller,,,\n",
            100 => b"a1ice,,,\n",
            110 => b"s110,,not mail,boss\n",
            120 => b"s120,\x1b[2J,,\n",
            130 => b"s130,a,b,c,d,e\n",
            140 => b",Nobody,,\n",
            _ => {
                class.extend(format!("s{number:03},,,\n").bytes());
                continue;
            }
        };
        class.extend(row);
    }
    class.extend(b"x".repeat(65));
    fs::write(w.path("class.csv"), class).expect("written");
    let before = snapshot(w.above.path());
    let refused = w.run(&["issue", "--roster", "class.csv", "--out", "out"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    // A row of two lines moves every row after it by one.
    let lines = [
        10, 20, 30, 40, 50, 61, 71, 81, 91, 101, 111, 111, 121, 131, 141, 302,
    ];
    let places: Vec<_> = said.lines().map(|line| line.split(": ").next()).collect();
    let expected: Vec<_> = lines
        .iter()
        .map(|line| format!("class.csv:{line}"))
        .collect();
    let expected: Vec<_> = expected.iter().map(|place| Some(place.as_str())).collect();
    assert_eq!(places[..16], expected, "{said}");
    assert!(said.contains("16 problems to fix; nothing was issued"));
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert_eq!(snapshot(w.above.path()), before);
}

#[test]
fn a_roster_of_a_gigabyte_is_refused_without_being_read() {
    let w = World::new();
    let file = fs::File::create(w.path("class.csv")).expect("made");
    // The file has holes, and takes no space on the disk.
    file.set_len(1 << 30).expect("a long file");
    let refused = w.run(&["issue", "--roster", "class.csv"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("more than 16 MiB"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn what_ends_soon_is_listed() {
    let w = World::new();
    let soon = time::OffsetDateTime::now_utc() + time::Duration::days(9);
    let soon = soon.date().to_string();
    w.run(&["issue", "alice", "--until", &soon]);
    w.run(&["issue", "bob", "--role", "assistant"]);
    let names = |arguments: &[&str]| -> Vec<String> {
        let rows: serde_json::Value =
            serde_json::from_str(&stdout(&w.run(arguments))).expect("JSON");
        let rows = rows.as_array().expect("an array").iter();
        rows.map(|row| row["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&["list", "--json", "--expiring", "30d"]), ["alice"]);
    assert_eq!(names(&["list", "--json", "--expiring"]), ["alice"]);
    assert_eq!(names(&["list", "--json", "--expiring", "1w"]), [""; 0]);
    assert_eq!(names(&["list", "--json", "--role", "assistant"]), ["bob"]);
    assert_eq!(
        names(&["list", "--json", "--expiring", "400d"]),
        ["localhost", "alice", "bob"]
    );
    let both = w.run(&["list", "--revoked", "--expiring"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_roster_that_is_not_there_is_said_to_be_so_and_no_more() {
    let w = World::new();
    let (code, _, err) = shell(w.above.path(), "ca-tool issue --roster clas.csv");
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "ca-tool: error: cannot read clas.csv: there is no such file\n"
    );
}

#[test]
fn a_roster_brings_nobody_back_who_was_revoked_and_holds_up_nobody_else() {
    let w = World::new();
    let above = w.above.path();
    let class = "id\nerin\nfrank\ngina\nhal\n";
    fs::write(w.path("class.csv"), class).expect("written");
    let issue = "ca-tool issue --roster class.csv";
    succeed(above, issue);
    succeed(
        above,
        "ca-tool revoke erin --reason privilegeWithdrawn
         ca-tool revoke frank --reason certificateHold
         ca-tool revoke gina --reason superseded",
    );
    fs::write(w.path("class.csv"), format!("{class}ida\n")).expect("written");
    let said = succeed(above, issue);
    for expected in [
        "the certificate of erin was revoked (privilegeWithdrawn); skipped: `ca-tool issue erin`",
        "frank is on hold; skipped: `ca-tool unhold frank`",
        // Revoking a lost file as superseded means that another is to be issued.
        "gina  ca/people/gina.pem",
        "hal has a certificate until",
        "ida  ca/people/ida.pem",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let admitted = |name: &str| w.admit(&w.path(&format!("ca/people/{name}.pem"))).is_ok();
    assert!(!admitted("erin") && !admitted("frank"));
    assert!(admitted("gina") && admitted("hal") && admitted("ida"));

    let said = succeed(above, &format!("{issue} --json 2>&1"));
    for why in ["was revoked (privilegeWithdrawn)", "on hold"] {
        assert!(said.contains(&format!("\"why\": \"{why}\"")), "{said}");
    }

    // Naming a person is deliberate; after that the roster treats them like everybody else.
    succeed(above, "ca-tool issue erin");
    assert!(admitted("erin"));
    let said = succeed(above, issue);
    assert!(said.contains("erin has a certificate until"), "{said}");
    let (code, _, err) = shell(above, "ca-tool issue frank");
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("\"frank\" is on hold; `ca-tool unhold"),
        "{err}"
    );
}
