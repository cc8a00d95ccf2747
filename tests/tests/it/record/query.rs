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
