//! The record as people ask it: SQL views over a database that this file fills by hand.

use std::path::Path;
use std::process::Command;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tests::{World, program};

/// A record with these sessions (session, id, joined, left) and lines (id, time).
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

/// What `server query --csv` answers on a machine in that time zone.
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
async fn attendance_goes_by_the_calendar_of_who_asks() {
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
