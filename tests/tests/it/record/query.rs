//! `server query`: questions about the record, and nothing else.

use serde_json::Value;

use crate::programs::{Ended, run_client, site};

#[test]
fn a_query_answers_as_a_table_as_csv_and_as_json() {
    let site = site();
    let served = site.serve(&[]);
    let said = run_client(
        &site,
        &served.address.to_string(),
        "alice",
        "say \"hi\", 张三\n",
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let sql = "select id, text, nonce is null as plain, null as none \
               from history where kind = 'message'";
    let ask = |more: &[&str]| {
        let mut arguments = vec!["query", sql];
        arguments.extend(more);
        let ended = Ended::from(site.run("server", &arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    };
    let table = ask(&[]);
    let rows: Vec<&str> = table.lines().map(str::trim).collect();
    let words = |row: &str| {
        row.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(rows[0]), ["id", "text", "plain", "none"]);
    assert_eq!(words(rows[1]), ["alice", "say", "\"hi\",", "张三", "0"]);
    assert_eq!(
        ask(&["--csv"]),
        "id,text,plain,none\nalice,\"say \"\"hi\"\", 张三\",0,"
    );
    let json: Value = serde_json::from_str(&ask(&["--json"])).expect("JSON");
    let expected = r#"[{"id":"alice","text":"say \"hi\", 张三","plain":0,"none":null}]"#;
    assert_eq!(json, serde_json::from_str::<Value>(expected).expect("JSON"));
}

#[test]
fn a_query_cannot_change_anything_and_says_what_it_did_not_understand() {
    let site = site();
    let served = site.serve(&[]);
    run_client(&site, &served.address.to_string(), "alice", "hello\n");
    // Without alice's leave, which may be recorded meanwhile.
    let what_was_said = "select count(*), max(seq) from history where kind != 'leave'";
    let before = site.query(what_was_said);
    for (sql, words) in [
        ("delete from history", "may only read"),
        ("update joins set id = 'mallory'", "may only read"),
        ("pragma user_version = 7", "may only read"),
        ("drop view transcript", "may only read"),
        ("vacuum into 'copy.db'", "may only read"),
        ("attach 'copy.db' as copy", "may only read"),
        ("select 1; select 2", "more than one"),
        ("select * from nowhere", "no such table: nowhere"),
        (
            "select * from history where id = nobody",
            "no such column: nobody",
        ),
        (".tables", "syntax error"),
        ("selct", "syntax error"),
    ] {
        let refused = Ended::from(site.run("server", &["query", sql]));
        assert_eq!(refused.code, Some(1), "{sql}: {}", refused.out);
        let said = refused.err.strip_prefix("server: error: ");
        assert!(
            said.is_some_and(|said| said.contains(words)),
            "{sql}: {}",
            refused.err
        );
        // Each cause once, and without the numbers that SQLite gives them.
        assert_eq!(refused.err.matches(words).count(), 1, "{}", refused.err);
        assert!(!refused.err.contains("code"), "{}", refused.err);
        assert_eq!(refused.out, "", "{sql}");
    }
    assert_eq!(site.query(what_was_said), before);
    let missing = Ended::from(site.run("server", &["query", "--db", "no.db", "select 1"]));
    missing.failed(
        1,
        "there is no database no.db",
        "name the file with --db FILE",
    );
    assert!(!site.path("no.db").exists());
    assert!(!site.path("copy.db").exists());
}

#[test]
fn what_a_member_says_is_no_formula_in_a_spreadsheet_and_a_program_gets_it_to_the_byte() {
    let site = site();
    let served = site.serve(&[]);
    let lines = "=1+1\n+1+1\n-1+1\n@SUM(A1)\n\tx\n\u{ff1d}1\nx;=1+1\n-5\n你好\n";
    let said = run_client(&site, &served.address.to_string(), "alice", lines);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let sql = "select text from history where kind = 'message' order by seq";
    let ask = |more: &[&str]| {
        let mut arguments = vec!["query", "--csv", sql];
        arguments.extend(more);
        let ended = Ended::from(site.run("server", &arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    };
    let guarded = "text\n'=1+1\n'+1+1\n'-1+1\n'@SUM(A1)\n'\tx\n'\u{ff1d}1\nx;'=1+1\n-5\n你好";
    assert_eq!(ask(&[]), guarded);
    assert_eq!(ask(&["--raw"]), format!("text\n{}", lines.trim_end()));

    // A file is for Excel too, which takes UTF-8 for something older without the mark.
    let in_file = format!("\u{feff}{guarded}\n");
    assert_eq!(ask(&["--out", "said.csv"]), "");
    let again = Ended::from(site.run("server", &["query", "--csv", "--out", "said.csv", sql]));
    again.failed(1, "said.csv exists", "add --replace");
    let again = ["query", "--csv", "--out", "said.csv", "--replace", sql];
    let again = Ended::from(site.run("server", &again));
    assert_eq!(again.err, "server: 9 rows in said.csv");
    assert_eq!(ask(&["--out", "-"]), guarded);
    for (name, kind) in [
        ("ca/private/ca.key", "(PEM)"),
        ("ca/server.pem", "(PEM)"),
        ("ca/crl.pem", "(PEM)"),
    ] {
        let before = std::fs::read(site.path(name)).expect("a file");
        let arguments = ["query", "--out", name, "--replace", sql];
        let refused = Ended::from(site.run("server", &arguments));
        refused.failed(1, kind, "name another file with --out");
        assert_eq!(std::fs::read(site.path(name)).expect("a file"), before);
    }
    let read = |name: &str| std::fs::read_to_string(site.path(name)).expect("a file");
    assert_eq!(read("said.csv"), in_file);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = std::fs::metadata(site.path("said.csv"))
            .expect("a file")
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let redirected = |words: &str| {
            let mut command = std::process::Command::new("sh");
            command
                .args(["-c", words, "sh"])
                .arg(tests::program("server"))
                .arg(sql);
            command.current_dir(site.folder());
            assert!(command.status().is_ok_and(|status| status.success()));
        };
        redirected("\"$1\" query --csv \"$2\" > new.csv");
        assert_eq!(read("new.csv"), in_file);
        // In the middle of a file the mark would be a character.
        redirected("\"$1\" query --csv \"$2\" >> new.csv");
        assert_eq!(read("new.csv"), format!("{in_file}{guarded}\n"));
        redirected("\"$1\" query --csv --raw \"$2\" > raw.csv");
        assert_eq!(read("raw.csv"), format!("text\n{lines}"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_without_end_takes_little_memory_and_a_reader_that_has_seen_enough_is_no_failure() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    let site = site();
    drop(site.serve(&[]));
    let endless = "with recursive n(x) as (select 1 union all select x + 1 from n) \
                   select x, 'a line of text that is about as long as a line usually is' as text from n";
    for format in [&["--csv"][..], &["--csv", "--raw"], &["--json"], &[]] {
        let mut query = Command::new(tests::program("server"))
            .arg("query")
            .args(format)
            .arg(endless)
            .current_dir(site.folder())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the query starts");
        // Some 250,000 rows.
        let mut seen = query.stdout.take().expect("a pipe").take(20 << 20);
        let read = std::io::copy(&mut seen, &mut std::io::sink());
        assert_eq!(read.expect("an answer"), 20 << 20);
        let peak = kit::peak_kib(query.id());
        assert!(peak < 64 << 10, "{format:?}: {peak} KiB");
        drop(seen);
        let ended = Ended::from(query.wait_with_output().expect("an end"));
        assert_eq!(
            (ended.code, ended.err.as_str()),
            (Some(0), ""),
            "{format:?}"
        );
    }
}
