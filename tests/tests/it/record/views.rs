//! The record as people query it: the views and the documents' questions, over a database that this
//! file fills by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tests::{World, pages, program};

/// Returns a record with these sessions (session, id, joined, left) and lines (id, time).
async fn record(sessions: &[(i64, &str, &str, Option<&str>)], lines: &[(&str, &str)]) -> World {
    let mut w = World::start().await;
    w.stop().await.expect("a good end");
    let options = SqliteConnectOptions::new().filename(w.db());
    let mut connection = options.connect().await.expect("the database opens");
    for (session, id, joined, left) in sessions {
        sqlx::query(
            "insert into joins (session, id, role, ip, port, local_ip, serial, fingerprint, tls,
                cipher, joined_at, left_at)
            values (?, ?, 'student', '192.0.2.7', 1, '192.0.2.1', '01', '02', 'TLSv1.3', 'x', ?, ?)",
        )
        .bind(session)
        .bind(*id)
        .bind(*joined)
        .bind(*left)
        .execute(&mut connection)
        .await
        .expect("a row of joins");
    }
    for (id, at) in lines {
        sqlx::query(
            "insert into history (at, kind, id, ip, text, session)
            values (?, 'message', ?, '192.0.2.7', 'hi', 1)",
        )
        .bind(*at)
        .bind(*id)
        .execute(&mut connection)
        .await
        .expect("a row of history");
    }
    sqlx::query("update meta set value = '2026-11-21T12:00:00.000Z' where key = 'alive_at'")
        .execute(&mut connection)
        .await
        .expect("a sign of life");
    w
}

/// Returns what `server query --csv` answers on a machine in that time zone.
fn ask(db: &Path, zone: &str, sql: &str) -> Vec<String> {
    let output = Command::new(program("server"))
        .args(["query", "--csv", sql, "--db"])
        .arg(db)
        .env("TZ", zone)
        .output()
        .expect("the server runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("an answer is UTF-8");
    text.lines().skip(1).map(str::to_owned).collect()
}

const ATTENDANCE: &str =
    "select id, day, minutes, sessions, lines from attendance order by id, day";

#[tokio::test]
async fn attendance_names_people_by_their_newest_certificate() {
    let day = |hour: u32| format!("2026-11-21T{hour}:00:00.000Z");
    let (ten, eleven) = (day(10), day(11));
    let w = record(
        &[
            (1, "s01", &ten, Some(&eleven)),
            (2, "s01", &eleven, Some(&eleven)),
            (3, "s02", &ten, Some(&eleven)),
            (4, "s03", &ten, Some(&eleven)),
            (5, "s03", &eleven, Some(&eleven)),
        ],
        &[],
    )
    .await;
    let mut connection = w.sqlite().await;
    for (session, name) in [
        (1, "Alice Ng"),
        (2, "Li, Alice"),
        (4, "Carol, without a name since"),
    ] {
        sqlx::query("update joins set name = ? where session = ?")
            .bind(name)
            .bind(session)
            .execute(&mut connection)
            .await
            .expect("a name");
    }
    let sql = "select id, name, minutes, sessions from attendance order by id";
    assert_eq!(
        ask(&w.db(), "UTC", sql),
        ["s01,\"Li, Alice\",60.0,2", "s02,,60.0,1", "s03,,60.0,2"]
    );
    // A new column comes last: programs may count them.
    let columns = w.column("select name from pragma_table_info('attendance') order by cid");
    let columns = columns.await.join(" ");
    assert_eq!(
        columns,
        "id day first_in last_out minutes sessions lines name"
    );
}

#[tokio::test]
async fn attendance_counts_overlapping_sessions_once() {
    let w = record(
        &[
            (
                1,
                "alice",
                "2026-11-21T10:00:00.000Z",
                Some("2026-11-21T10:30:00.000Z"),
            ),
            // Within the first, then across its end, then apart.
            (
                2,
                "alice",
                "2026-11-21T10:10:00.000Z",
                Some("2026-11-21T10:20:00.000Z"),
            ),
            (
                3,
                "alice",
                "2026-11-21T10:25:00.000Z",
                Some("2026-11-21T10:40:00.000Z"),
            ),
            (
                4,
                "alice",
                "2026-11-21T11:00:00.000Z",
                Some("2026-11-21T11:05:00.000Z"),
            ),
            // Still open: up to the last sign of life.
            (5, "bob", "2026-11-21T11:59:00.000Z", None),
            (
                6,
                "carol",
                "2026-11-21T10:00:00.000Z",
                Some("2026-11-21T10:00:00.000Z"),
            ),
        ],
        &[
            ("alice", "2026-11-21T10:05:00.000Z"),
            ("alice", "2026-11-21T11:01:00.000Z"),
        ],
    )
    .await;
    assert_eq!(
        ask(&w.db(), "UTC", ATTENDANCE),
        [
            "alice,2026-11-21,45.0,4,2",
            "bob,2026-11-21,1.0,1,0",
            "carol,2026-11-21,0.0,1,0"
        ]
    );
}

#[tokio::test]
async fn attendance_goes_by_the_calendar_of_the_person_who_asks() {
    let w = record(
        &[(
            1,
            "alice",
            "2026-11-20T22:30:00.000Z",
            Some("2026-11-21T00:15:00.000Z"),
        )],
        &[("alice", "2026-11-20T23:30:00.000Z")],
    )
    .await;
    for (zone, expected) in [
        (
            "UTC",
            &["alice,2026-11-20,90.0,1,1", "alice,2026-11-21,15.0,1,0"][..],
        ),
        // POSIX names, which need no time zone database: Shanghai, New York, Berlin.
        ("CST-8", &["alice,2026-11-21,105.0,1,1"]),
        ("EST5EDT,M3.2.0,M11.1.0", &["alice,2026-11-20,105.0,1,1"]),
        (
            "Europe/Berlin",
            &["alice,2026-11-20,30.0,1,0", "alice,2026-11-21,75.0,1,1"],
        ),
    ] {
        assert_eq!(ask(&w.db(), zone, ATTENDANCE), expected, "{zone}");
    }
}

#[tokio::test]
async fn a_session_that_ends_at_midnight_counts_on_one_day() {
    let w = record(
        &[(
            1,
            "alice",
            "2026-11-20T23:00:00.000Z",
            Some("2026-11-21T00:00:00.000Z"),
        )],
        &[],
    )
    .await;
    assert_eq!(
        ask(&w.db(), "UTC", ATTENDANCE),
        ["alice,2026-11-20,60.0,1,0"]
    );
}

/// Where clocks are changed at midnight, just after it, by half an hour, by a whole day, or not at all.
const ZONES: [&str; 14] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Goose_Bay",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "UTC",
];

#[tokio::test]
async fn attendance_counts_each_moment_on_the_local_day_that_it_has() {
    for (zone, joined, left, expected) in [
        // The 24th begins at 22:00 UTC, as 01:00.
        (
            "Africa/Cairo",
            "2026-04-23T21:10:00.000Z",
            "2026-04-23T21:50:00.000Z",
            &["2026-04-23,40.0"][..],
        ),
        (
            "Africa/Cairo",
            "2026-04-23T21:30:00.000Z",
            "2026-04-23T22:10:00.500Z",
            &["2026-04-23,30.0", "2026-04-24,10.0"],
        ),
        // The last hour of the 4th comes twice.
        (
            "America/Santiago",
            "2026-04-05T02:30:00.000Z",
            "2026-04-05T04:30:00.000Z",
            &["2026-04-04,90.0", "2026-04-05,30.0"],
        ),
        // The 19th lasted a minute, and came back after the rest of the 18th.
        (
            "America/Goose_Bay",
            "2010-11-07T02:50:00.000Z",
            "2010-11-07T04:10:00.000Z",
            &["2010-11-06,69.0", "2010-11-07,11.0"],
        ),
        // There was no 30th.
        (
            "Pacific/Apia",
            "2011-12-30T09:00:00.000Z",
            "2011-12-30T11:00:00.000Z",
            &["2011-12-29,60.0", "2011-12-31,60.0"],
        ),
    ] {
        let w = record(&[(1, "alice", joined, Some(left))], &[]).await;
        let days = "select day, minutes from attendance order by day";
        assert_eq!(ask(&w.db(), zone, days), expected, "{zone} {joined}");
    }
}

#[tokio::test]
async fn in_every_zone_no_part_of_a_session_is_lost_or_counted_twice() {
    let mut chance = fastrand::Rng::with_seed(7);
    for zone in ZONES {
        let time_zone = TimeZone::get(zone).expect("a zone");
        let begin: Timestamp = "2009-06-01T00:00:00Z".parse().expect("a time");
        // SQLite guesses from there on.
        let end: Timestamp = "2037-01-01T00:00:00Z".parse().expect("a time");
        let changes = time_zone.following(begin).map(|change| change.timestamp());
        let moments = changes.take(20).take_while(|change| *change < end);
        let mut sessions = vec![(begin, begin + SignedDuration::from_hours(100 * 24))];
        // Around each change of the clocks, or around any moment where there is none.
        for moment in moments.chain([begin]) {
            for longest in [1_000, 3_600_000, 40 * 3_600_000] {
                let before = chance.i64(0..=longest);
                let joined = moment - SignedDuration::from_millis(before);
                let left = joined + SignedDuration::from_millis(chance.i64(0..=longest));
                sessions.push((joined, left));
            }
        }
        let names: Vec<String> = (1..=sessions.len()).map(|n| format!("p{n:03}")).collect();
        let texts: Vec<(String, String)> = sessions
            .iter()
            .map(|(joined, left)| (format!("{joined:.3}"), format!("{left:.3}")))
            .collect();
        let rows: Vec<_> = (1..)
            .zip(names.iter().zip(&texts))
            .map(|(n, (name, (joined, left)))| {
                (n, name.as_str(), joined.as_str(), Some(left.as_str()))
            })
            .collect();
        let w = record(&rows, &[]).await;
        let attended = ask(
            &w.db(),
            zone,
            "select id, day, minutes, first_in <= last_out from attendance order by id, day",
        );
        let mut expected = Vec::new();
        for (name, (joined, left)) in names.iter().zip(&sessions) {
            for (day, length) in by_day(&time_zone, *joined, *left) {
                expected.push((format!("{name},{day}"), length.as_secs_f64() / 60.0));
            }
        }
        for (row, (person_and_day, minutes)) in attended.iter().zip(&expected) {
            let rest = row.strip_prefix(person_and_day.as_str());
            let rest = rest.and_then(|rest| rest.strip_prefix(',')?.strip_suffix(",1"));
            let rest = rest.unwrap_or_else(|| panic!("{zone}: {row} for {person_and_day}"));
            let counted: f64 = rest.parse().expect("minutes");
            // They are rounded to a tenth.
            assert!(
                (counted - minutes).abs() < 0.051,
                "{zone}: {row} for {minutes}"
            );
        }
        assert_eq!(attended.len(), expected.len(), "{zone}");
    }
}

/// Returns how much of a session belongs to each local day: of each minute it is asked which date it has.
fn by_day(zone: &TimeZone, joined: Timestamp, left: Timestamp) -> BTreeMap<Date, SignedDuration> {
    let mut days = BTreeMap::new();
    let mut from = joined;
    loop {
        let minute = from.as_second().div_euclid(60) + 1;
        let to = Timestamp::from_second(minute * 60)
            .expect("a time")
            .min(left);
        let day = days.entry(from.to_zoned(zone.clone()).date()).or_default();
        *day += to.duration_since(from);
        if to == left {
            return days;
        }
        from = to;
    }
}

#[tokio::test]
async fn the_transcript_reads_as_it_was_shown() {
    let w = World::start().await;
    let (mut alice, bob) = w.pair("alice", "bob").await;
    alice.say("hello").await;
    alice.expect("hello").await;
    bob.close().await;
    alice.expect(" left ").await;
    assert_eq!(
        w.column("select line from transcript order by seq").await,
        [
            "* alice@127.0.0.1 entered",
            "* bob@127.0.0.1 entered",
            "[alice@127.0.0.1] hello",
            "* bob@127.0.0.1 left (goodbye)",
        ]
    );
}

/// Three people on one morning and the next: alice comes from a second address after her
/// first, bob's certificate is taken over from another, carol's session is open.
const MORNING: &str = r#"
    insert into joins (session, id, role, ip, port, local_ip, interface, serial, fingerprint, tls,
        cipher, joined_at, left_at, reason, leave_seq)
    select value ->> 0, value ->> 1, 'student', value ->> 2, 40000, '192.0.2.1', 'eth0',
        value ->> 3, '02', 'TLSv1.3', 'TLS13_AES_128_GCM_SHA256', value ->> 4, value ->> 5,
        value ->> 6, value ->> 7
    from json_each('[
        [1, "alice", "192.0.2.7", "0a", "2026-11-21T10:00:00.000Z", "2026-11-21T10:20:00.000Z", "goodbye", 6],
        [2, "bob", "192.0.2.8", "67f4f6740fe63f3068f5b7fc60941b79", "2026-11-21T10:05:00.000Z", "2026-11-21T10:25:00.000Z", "replaced", 9],
        [3, "bob", "198.51.100.3", "67f4f6740fe63f3068f5b7fc60941b79", "2026-11-21T10:25:00.000Z", "2026-11-21T10:40:00.000Z", "lost", 9],
        [4, "alice", "203.0.113.5", "0a", "2026-11-21T10:30:00.000Z", "2026-11-21T10:35:30.000Z", "goodbye", 8],
        [5, "carol", "192.0.2.9", "0c", "2026-11-22T09:00:00.000Z", null, null, null]
    ]');
    insert into history (seq, at, kind, id, ip, text, session)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    from json_each('[
        [1, "2026-11-21T10:00:00.000Z", "enter", "alice", "192.0.2.7", "", 1],
        [2, "2026-11-21T10:01:00.000Z", "message", "alice", "192.0.2.7", "good morning", 1],
        [3, "2026-11-21T10:05:00.000Z", "enter", "bob", "192.0.2.8", "", 2],
        [4, "2026-11-21T10:06:00.000Z", "message", "bob", "192.0.2.8", "我的证书在这里", 2],
        [5, "2026-11-21T10:07:00.000Z", "message", "alice", "192.0.2.7", "a name is proved", 1],
        [6, "2026-11-21T10:20:00.000Z", "leave", "alice", "192.0.2.7", "goodbye", 1],
        [7, "2026-11-21T10:30:00.000Z", "message", "bob", "198.51.100.3", "send me money", 3],
        [8, "2026-11-21T10:35:30.000Z", "leave", "alice", "203.0.113.5", "goodbye", 4],
        [9, "2026-11-21T10:40:00.000Z", "leave", "bob", "198.51.100.3", "lost", 3],
        [10, "2026-11-22T09:00:00.000Z", "enter", "carol", "192.0.2.9", "", 5],
        [11, "2026-11-22T09:01:00.000Z", "message", "carol", "192.0.2.9", "is anybody here?", 5],
        [12, "2026-11-22T09:02:00.000Z", "message", "carol", "192.0.2.9", "nobody", 5],
        [13, "2026-11-22T09:03:00.000Z", "message", "carol", "192.0.2.9", "证书", 5]
    ]');
"#;

#[tokio::test]
async fn each_question_in_the_documents_has_the_answer_that_it_asks_for() {
    let w = record(&[], &[]).await;
    let mut connection = w.sqlite().await;
    sqlx::raw_sql(MORNING)
        .execute(&mut connection)
        .await
        .expect("a morning");
    let answers: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "Who was here on a day, and for how many minutes?",
            &[
                "alice,,2026-11-21T10:00:00.000Z,2026-11-21T10:35:30.000Z,25.5,2",
                "bob,,2026-11-21T10:05:00.000Z,2026-11-21T10:40:00.000Z,35.0,2",
            ][..],
        ),
        ("Who said the most?", &["carol,3", "alice,2", "bob,2"]),
        (
            "What did one person say?",
            &[
                "2,2026-11-21T10:01:00.000Z,good morning",
                "5,2026-11-21T10:07:00.000Z,a name is proved",
            ],
        ),
        (
            // The first moment counts, the last does not.
            "What was said between two times?",
            &[
                "2,2026-11-21T10:01:00.000Z,alice,good morning",
                "4,2026-11-21T10:06:00.000Z,bob,我的证书在这里",
                "5,2026-11-21T10:07:00.000Z,alice,a name is proved",
            ],
        ),
        (
            "Who connected from an address that they had not used before?",
            &[
                "bob,198.51.100.3,2026-11-21T10:25:00.000Z",
                "alice,203.0.113.5,2026-11-21T10:30:00.000Z",
            ],
        ),
        (
            // Alice had left before she came from elsewhere.
            "Whose certificate was used from two addresses at once, or moved from one address to another?",
            &[
                "bob,67f4f6740fe63f3068f5b7fc60941b79,192.0.2.8,198.51.100.3,2026-11-21T10:25:00.000Z",
            ],
        ),
        (
            "What were the first and the last words of a day?",
            &[
                "2026-11-21T10:01:00.000Z,alice,good morning",
                "2026-11-21T10:30:00.000Z,bob,send me money",
            ],
        ),
        (
            "Where was a word mentioned, in any script?",
            &[
                "4,2026-11-21T10:06:00.000Z,bob,我的证书在这里",
                "13,2026-11-22T09:03:00.000Z,carol,证书",
            ],
        ),
        ("Who is here?", &["carol"]),
        (
            "What was said with a certificate whose key may have been stolen?",
            &[
                "4,2026-11-21T10:06:00.000Z,192.0.2.8,我的证书在这里",
                "7,2026-11-21T10:30:00.000Z,198.51.100.3,send me money",
            ],
        ),
    ]);
    let questions = questions();
    let asked: Vec<&str> = questions.keys().copied().collect();
    assert_eq!(asked, answers.keys().copied().collect::<Vec<_>>());
    assert_eq!(asked.len(), 10);
    for (question, sql) in questions {
        assert_eq!(ask(&w.db(), "UTC", sql), answers[question], "{question}");
    }
}

/// Returns the questions of the documents: each line above a fence of SQL, and the SQL.
fn questions() -> BTreeMap<&'static str, &'static str> {
    let mut questions = BTreeMap::new();
    for text in pages().iter().map(|page| page.text.as_str()) {
        for (index, _) in text.match_indices("\n```sql\n") {
            let question = text[..index].trim_end().lines().next_back();
            let sql = text[index..].split("```").nth(1).expect("it ends");
            let sql = sql.strip_prefix("sql\n").expect("it is SQL");
            let known = questions.insert(question.expect("a question"), sql);
            assert!(known.is_none(), "asked twice: {question:?}");
        }
    }
    questions
}
