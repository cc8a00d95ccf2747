//! The record in SQLite.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use wire::{ClientId, Entry, Kind, Nonce, Reason, Role};

use super::find::{CLOSE_CRASHED, COUNT_LINES, COUNT_RUNS, FIND, FIND_HERE, FIND_IDS};
use super::*;
use crate::room::batch::{Newest, Recorded};
use crate::room::quota::{ROW_BYTES, Used};
use crate::room::senders::hash;
use crate::store::sqlite::pages::{LAST_SESSION, PAGE, START_OF_TAIL, TIME_OF};
use crate::transcript::fault::Fault;
use crate::transcript::record::Pages as _;

async fn open(folder: &tempfile::TempDir) -> (Database, Readers, Found) {
    Database::open(&folder.path().join("chat.db"), &Limits::default())
        .await
        .expect("a database")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn entry(seq: u64, kind: Kind) -> Recorded {
    let entry = Entry {
        seq,
        at: Timestamp::from_unix_millis(1_795_255_200_000 + seq.cast_signed()),
        id: ClientId::parse("张三").expect("a name"),
        ip: "2001:db8::1".parse().expect("an address"),
        kind,
    };
    Recorded {
        entry,
        session: 1,
        nonce: None,
        prev: None,
    }
}

/// Entries of every kind, with texts that JSON and SQL must not change.
fn entries() -> Vec<Recorded> {
    let texts = [
        "hello",
        "\"quoted\" \\ 'single' \t tab",
        "你好 👨‍👩‍👧",
        "] [bob@::1] hi",
        "{}[]",
    ];
    let messages =
        texts.map(|text| Kind::Message(wire::Line::parse(text.as_bytes()).expect("a line")));
    let others = [Kind::Enter, Kind::Leave(Reason::Lost)];
    let kinds = messages.into_iter().chain(others);
    kinds.zip(1..).map(|(kind, seq)| entry(seq, kind)).collect()
}

/// Returns a database that holds these entries.
async fn filled(folder: &tempfile::TempDir) -> (Database, Readers) {
    let (mut database, pages, _) = open(folder).await;
    let batch = Batch {
        entries: entries(),
        ..Batch::default()
    };
    database
        .commit(&batch, 7, Timestamp::EPOCH)
        .await
        .expect("a commit");
    (database, pages)
}

#[tokio::test]
async fn every_statement_fits_the_tables() {
    let folder = folder();
    let (mut database, _, _) = open(&folder).await;
    for sql in [
        // Along with it, everything that the triggers do.
        COMMIT,
        CLOSE_CRASHED,
        FIND,
        FIND_HERE,
        FIND_IDS,
        STORED,
        PAGE,
        LAST_SESSION,
        START_OF_TAIL,
        TIME_OF,
        COUNT_LINES,
        COUNT_RUNS,
    ] {
        let sql = AssertSqlSafe(sql).into_sql_str();
        let prepared = database.connection.prepare(sql.clone()).await;
        assert!(prepared.is_ok(), "{}: {:?}", sql.as_str(), prepared.err());
    }
}

#[tokio::test]
async fn a_page_is_what_the_recorder_would_have_sent() {
    let folder = folder();
    let (_database, pages) = filled(&folder).await;
    let mut sent = Vec::new();
    entries()
        .iter()
        .for_each(|recorded| recorded.entry.encode(&mut sent));
    let page = pages.page(0, 100, 256).await.expect("a page");
    assert_eq!(page, Some((String::from_utf8(sent).expect("text"), 7)));
    let part = pages.page(2, 5, 2).await.expect("a page").expect("entries");
    assert_eq!((part.0.lines().count(), part.1), (2, 4));
    assert_eq!(pages.page(7, 100, 256).await.expect("no page"), None);
}

#[tokio::test]
async fn sql_writes_every_kind_of_entry_as_rust_does() {
    let folder = folder();
    let (mut database, pages, _) = open(&folder).await;
    let message = Kind::Message(wire::Line::parse(b"(lost) * entered").expect("a line"));
    let leaves = Reason::ALL.into_iter().map(Kind::Leave);
    let kinds = [message, Kind::Enter].into_iter().chain(leaves);
    let entries: Vec<_> = kinds.zip(1..).map(|(kind, seq)| entry(seq, kind)).collect();
    let head = entries.len() as u64;
    let written: String = entries
        .iter()
        .map(|row| format!("{}\n", row.entry))
        .collect();
    let batch = Batch {
        entries,
        ..Batch::default()
    };
    let committed = database.commit(&batch, head, Timestamp::EPOCH).await;
    committed.expect("a commit");
    let page = pages.page(0, head, 256).await.expect("a page");
    assert_eq!(page, Some((written, head)));
}

#[tokio::test]
async fn a_row_that_no_server_wrote_is_reported_as_damage_and_the_others_are_read() {
    let folder = folder();
    let (mut database, pages) = filled(&folder).await;
    let spoil = "
        update history set at = 'noon' where seq = 2;
        insert into joins (session, id, role, ip, port, local_ip, serial, fingerprint, tls, cipher,
            joined_at, left_at, reason)
        values (1, 'alice', 'student', '::1', 1, '::1', '01', '00', '', '',
                '2026-11-21T10:00:00.000Z', '2026-11-21T11:00:00.000Z', 'lost'),
            (2, 'bob', 'student', 'next door', 1, '::1', '01', '00', '', '',
                '2026-11-21T10:00:00.000Z', null, null)";
    database.connection.execute(spoil).await.expect("spoilt");
    assert!(pages.time_of(1).await.expect("a time").is_some());
    assert_eq!(pages.time_of(8).await.expect("no time"), None);
    let damage = pages.time_of(2).await.expect_err("damage").to_string();
    assert!(
        damage.ends_with("is damaged: a time in history"),
        "{damage}"
    );

    let id = |name| ClientId::parse(name).expect("a name");
    let alice = pages.last_session(&id("alice")).await.expect("a row");
    let alice = alice.expect("alice was here");
    assert_eq!(
        (alice.role, alice.reason),
        (Role::Student, Some(Reason::Lost))
    );
    let at = alice.left_at.map(|at| at.to_string());
    assert_eq!(at.as_deref(), Some("2026-11-21T11:00:00.000Z"));
    let damage = pages.last_session(&id("bob")).await;
    let damage = damage.expect_err("damage").to_string();
    assert!(damage.ends_with("is damaged: a row of joins"), "{damage}");
}

#[tokio::test]
async fn the_tail_begins_where_it_fits() {
    let folder = folder();
    let (_database, pages) = filled(&folder).await;
    assert_eq!(pages.start_of_tail(7, 1_000_000).await.expect("a start"), 0);
    assert_eq!(pages.start_of_tail(7, 0).await.expect("a start"), 7);
    let some = pages.start_of_tail(7, 200).await.expect("a start");
    assert!((4..7).contains(&some), "{some}");
}

#[tokio::test]
async fn a_batch_that_fails_leaves_nothing_behind_and_can_be_tried_again() {
    let folder = folder();
    let (mut database, pages, _) = open(&folder).await;
    let mut other = SqliteConnectOptions::new()
        .filename(folder.path().join("chat.db"))
        .connect()
        .await
        .expect("a second connection");
    other.execute("begin immediate").await.expect("the lock");
    let batch = Batch {
        entries: entries(),
        ..Batch::default()
    };
    let failure = database
        .commit(&batch, 7, Timestamp::EPOCH)
        .await
        .expect_err("locked");
    assert_eq!(failure.fault(), Fault::Passing("the database is locked"));
    other.execute("rollback").await.expect("no lock");
    assert_eq!(pages.page(0, 100, 256).await.expect("no page"), None);
    database
        .commit(&batch, 7, Timestamp::EPOCH)
        .await
        .expect("a commit");

    // A seq that exists already is not a passing fault, and nothing of its batch is stored.
    let mut twice = entries();
    twice.push(entry(8, Kind::Enter));
    twice.reverse();
    let batch = Batch {
        entries: twice,
        ..Batch::default()
    };
    let failure = database
        .commit(&batch, 8, Timestamp::EPOCH)
        .await
        .expect_err("twice");
    assert_eq!(failure.fault(), Fault::Fatal);
    assert_eq!(pages.page(7, 100, 256).await.expect("no page"), None);
}

#[tokio::test]
async fn a_second_server_is_kept_away_by_whatever_name_it_comes() {
    let folder = folder();
    let (_database, _, _) = open(&folder).await;
    let path = folder.path().join("chat.db");
    let mut names = vec![path.clone(), folder.path().join(".").join("chat.db")];
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        names.push(link);
    }
    for name in names {
        let second = Database::open(&name, &Limits::default()).await;
        assert!(
            matches!(second, Err(DatabaseError::InUse { .. })),
            "{}",
            name.display()
        );
    }
}

#[tokio::test]
async fn a_number_does_not_return_when_the_newest_entries_are_pruned() {
    let folder = folder();
    let (mut database, _) = filled(&folder).await;
    database
        .connection
        .execute("delete from history")
        .await
        .expect("pruned");
    database.close().await.expect("a good end");
    let (_, _, found) = open(&folder).await;
    assert_eq!(found.head, 7);
}

fn alice(run: &str) -> Sender {
    let id = ClientId::parse("alice").expect("a name");
    (id, wire::Run::parse(run).expect("a run"))
}

/// Returns what is known of a run, each line as its N and its seq.
async fn lines_of(database: &mut Database, run: &str) -> (Known, Vec<(u64, u64)>) {
    let known = database.known_run(&alice(run)).await.expect("a run");
    let lines = known.lines.iter().map(|line| (line.n, line.seq)).collect();
    (known, lines)
}

#[test]
fn every_migration_is_built_in_and_none_that_was_released_has_changed() {
    // sqlx stores the checksum of each migration in the database, and refuses to open it if one
    // differs.
    const RELEASED: [(&str, [u8; 8]); 3] = [
        ("0001_room.sql", 0x8ee8_31c1_fff1_cb12_u64.to_be_bytes()),
        ("0002_senders.sql", 0xc550_10c0_6cf5_da02_u64.to_be_bytes()),
        (
            "0003_days_and_names.sql",
            0x3db0_a55b_4275_89bb_u64.to_be_bytes(),
        ),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|file| file.expect("a file").file_name().into_string())
        .map(|name| name.expect("a name in UTF-8"))
        .collect();
    files.sort();
    let built_in: Vec<_> = MIGRATIONS
        .iter()
        .map(|migration| format!("{:04}_{}.sql", migration.version, migration.description))
        .collect();
    assert_eq!(built_in, files);
    for (migration, name) in MIGRATIONS.iter().zip(&files) {
        let text = std::fs::read_to_string(folder.join(name)).expect("a text");
        assert_eq!(migration.sql.as_str(), text, "{name}");
    }
    for (migration, (name, checksum)) in MIGRATIONS.iter().zip(RELEASED) {
        assert_eq!(migration.checksum[..8], checksum, "{name}");
    }
}

#[tokio::test]
async fn a_database_of_the_first_version_keeps_the_last_lines_of_each_run() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let mut old = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await
        .expect("a database");
    let first: Vec<_> = MIGRATIONS.iter().take(1).cloned().collect();
    let first = Migrator {
        migrations: first.into(),
        ..Migrator::DEFAULT
    };
    first
        .run_direct(None, &mut old, false)
        .await
        .expect("the tables of the first version");
    // Two runs take turns; the second one's N jumps. Their slots wrap around, as they did then.
    old.execute(
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < 200)
        insert into history (seq, at, kind, id, ip, text, session, nonce)
        select n, '2026-11-21T10:00:00.000Z', 'message', 'alice', '::1', 'line ' || n, 1,
            case n % 2 when 1 then 'firstrun-' || ((n + 1) / 2) else 'otherrun-' || (5 * n) end
        from n;
        insert or replace into senders (id, run, slot, n, seq, hash)
        select id, substr(nonce, 1, 8), (seq - 1) / 2 % 64,
            cast(substr(nonce, 10) as integer), seq, 7
        from history order by seq;
        update meta set value = '200' where key = 'head'",
    )
    .await
    .expect("a full database");
    old.close().await.expect("a good end");

    let (mut database, _, found) = open(&folder).await;
    assert_eq!(found.head, 200);
    let (known, lines) = lines_of(&mut database, "firstrun").await;
    assert_eq!((known.last, known.last_n), (Some(199), 100));
    let expected: Vec<_> = (37..=100).map(|n| (n, 2 * n - 1)).collect();
    assert_eq!(lines, expected);
    assert_eq!(known.lines[63].hash, hash("line 199"));
    let (known, lines) = lines_of(&mut database, "otherrun").await;
    assert_eq!((known.first, known.last_n), (Some(74), 1000));
    assert_eq!((lines.len(), lines[0]), (64, (370, 74)));
    let schema: String = sqlx::query_scalar("select value from meta where key = 'schema'")
        .fetch_one(&mut database.connection)
        .await
        .expect("a version");
    assert_eq!(schema, "3");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_in_our_words_with_advice() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    drop(open(&folder).await);
    for (change, words) in [
        (
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            values (99, 'later', true, x'00', 0)",
            "a newer version of this server made them (step 99)",
        ),
        (
            "delete from _sqlx_migrations where version = 99;
            update _sqlx_migrations set checksum = x'00' where version = 2",
            "another program than this server made them (step 2 differs)",
        ),
    ] {
        let options = SqliteConnectOptions::new().filename(&path);
        let mut newer = options.connect().await.expect("a database");
        newer.execute(change).await.expect("a change");
        newer.close().await.expect("a good end");
        let refused = Database::open(&path, &Limits::default()).await;
        let failure = crate::Failure::from(refused.expect_err(words));
        assert_eq!(
            failure.to_string(),
            format!(
                "cannot bring {} to this version's tables: {words}",
                path.display()
            )
        );
        let hint = failure.hint().unwrap_or_default();
        assert!(
            hint.starts_with("it was not changed. Start the version"),
            "{hint}"
        );
    }
}

#[tokio::test]
async fn a_database_from_before_there_were_names_is_opened_and_nobody_in_it_has_one() {
    let folder = folder();
    let mut old = SqliteConnectOptions::new()
        .filename(folder.path().join("chat.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await
        .expect("a database");
    let before: Vec<_> = MIGRATIONS
        .iter()
        .filter(|m| m.version < 3)
        .cloned()
        .collect();
    let before = Migrator {
        migrations: before.into(),
        ..Migrator::DEFAULT
    };
    before
        .run_direct(None, &mut old, false)
        .await
        .expect("the tables of the last version");
    old.execute(
        "insert into joins (id, role, ip, port, local_ip, serial, fingerprint, tls, cipher, joined_at)
        values ('alice', 'student', '::1', 1, '::1', '01', '02', 'TLSv1.3', 'x', '2026-11-21T10:00:00.000Z')",
    )
    .await
    .expect("a session");
    old.close().await.expect("a good end");

    let (mut database, pages, found) = open(&folder).await;
    let [was_here] = &found.here[..] else {
        panic!("alice was here");
    };
    assert_eq!(
        (was_here.left.id.as_str(), &was_here.name),
        ("alice", &None)
    );
    let id = ClientId::parse("alice").expect("an ID");
    let last = pages.last_session(&id).await.expect("read");
    assert_eq!(last.expect("a session").name, None);
    // Another program, or a version with other rules, may write anything.
    for (name, read) in [
        ("Alice Ng", Some("Alice Ng")),
        ("x\" y", None),
        ("100003", None),
    ] {
        sqlx::query("update joins set name = ?")
            .bind(name)
            .execute(&mut database.connection)
            .await
            .expect("written");
        let last = pages.last_session(&id).await.expect("read");
        let last = last.expect("a session").name;
        assert_eq!(last.as_ref().map(wire::FullName::as_str), read);
    }
    let days: Vec<Option<String>> = sqlx::query_scalar("select name from attendance")
        .fetch_all(&mut database.connection)
        .await
        .expect("a day");
    assert_eq!(days, [Some("100003".to_owned())]);
}

#[tokio::test]
async fn the_lines_before_a_deleted_one_are_not_known_and_the_newest_n_is() {
    let folder = folder();
    let (mut database, _, _) = open(&folder).await;
    let runs = [(1, 5, Some("firstrun")), (1, 70, None)];
    let mut seq = 0;
    for (first, last, begun) in runs {
        let newest = Newest {
            begun: begun.map(alice),
            seq: last,
            n: last,
        };
        let entries = (seq + 1..=last).map(|seq| Recorded {
            nonce: Some(Nonce::parse(&format!("firstrun-{seq}")).expect("a nonce")),
            prev: (seq > first).then(|| seq - 1),
            ..entry(seq, Kind::Message(wire::Line::parse(b"a").expect("a line")))
        });
        let batch = Batch {
            entries: entries.collect(),
            runs: [(first, newest)].into(),
            ..Batch::default()
        };
        let committed = database.commit(&batch, last, Timestamp::EPOCH).await;
        committed.expect("a commit");
        seq = last;
    }
    let (known, lines) = lines_of(&mut database, "firstrun").await;
    assert_eq!((known.first, known.last_n), (Some(1), 70));
    assert_eq!((lines.len(), lines[0], lines[63]), (64, (7, 7), (70, 70)));
    assert_eq!(
        lines_of(&mut database, "another1").await.0,
        Known::default()
    );

    for (deleted, left, is_cut) in [("seq < 20", 51, true), ("seq > 60", 0, true)] {
        let delete = format!("delete from history where {deleted}");
        database
            .connection
            .execute(AssertSqlSafe(delete))
            .await
            .expect("pruned");
        let (known, lines) = lines_of(&mut database, "firstrun").await;
        assert_eq!((lines.len(), known.is_cut), (left, is_cut), "{deleted}");
        assert_eq!((known.last, known.last_n), (Some(70), 70), "{deleted}");
    }
}

/// Returns a record in which bob writes one line a second, and alice begins a run with each of
/// hers.
async fn two_days(folder: &tempfile::TempDir, entries: u64) {
    let (mut database, _, _) = open(folder).await;
    let fill = format!(
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < {entries})
        insert into history (seq, at, kind, id, ip, text, session)
        select n, strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-22', (n - 10) || ' seconds'),
            iif(n % 10 = 9, 'enter', 'message'), iif(n % 2, 'alice', 'bob'), '::1',
            iif(n % 10 = 9, '', 'ü'), 1
        from n;
        insert into senders (first, id, run, last, n)
        select seq, id, 'run' || (10000000 + seq), seq, 1
        from history where id = 'alice' and kind = 'message'"
    );
    let filled = database.connection.execute(AssertSqlSafe(fill)).await;
    filled.expect("two days");
    database.close().await.expect("a good end");
}

#[tokio::test]
async fn lines_of_the_newest_day_are_counted_at_the_start_and_none_before() {
    let folder = folder();
    // Ten thousand entries, so that counting takes several steps; the first nine are of the day
    // before.
    two_days(&folder, 10_009).await;
    let (_, _, found) = open(&folder).await;
    let bob = 5_000;
    // Of alice's 5,000 entries, every fifth is an enter.
    let alice = 4_000;
    let used = |lines, runs| Used {
        bytes: lines * (2 + ROW_BYTES),
        runs,
    };
    let id = |name| ClientId::parse(name).expect("a name");
    let expected = [(id("alice"), used(alice, alice)), (id("bob"), used(bob, 0))];
    assert_eq!(found.used, expected.into());
}

#[tokio::test]
async fn a_day_that_is_too_large_is_counted_from_its_end_as_far_as_the_time_goes() {
    let folder = folder();
    two_days(&folder, 10_009).await;
    let limits = Limits {
        count_at_start_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let path = folder.path().join("chat.db");
    let (_, _, found) = Database::open(&path, &limits).await.expect("a database");
    let lines: u64 = found.used.values().map(|u| u.bytes / (2 + ROW_BYTES)).sum();
    assert!(lines > 3_600 && lines < 4_096, "{lines}");
}

#[tokio::test]
async fn a_database_that_would_not_keep_its_word_is_refused() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    for (options, wrong) in [
        (
            SqliteConnectOptions::new().journal_mode(SqliteJournalMode::Delete),
            "journal_mode",
        ),
        (
            SqliteConnectOptions::new()
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal),
            "synchronous",
        ),
    ] {
        let options = options.filename(&path).create_if_missing(true);
        let mut connection = options.connect().await.expect("a connection");
        let refused = check_pragmas(&mut connection, &path).await;
        assert!(
            matches!(&refused, Err(DatabaseError::Pragma { pragma, .. }) if *pragma == wrong),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn another_record_in_the_same_file_is_not_gone_on_with() {
    let folder = folder();
    let (mut database, _) = filled(&folder).await;
    // As after `.restore`: older entries, and a head that matches them.
    let mut other = SqliteConnectOptions::new()
        .filename(folder.path().join("chat.db"))
        .connect()
        .await
        .expect("a second connection");
    other
        .execute(
            "delete from history where seq > 5; update meta set value = '5' where key = 'head'",
        )
        .await
        .expect("an older record");
    let batch = Batch {
        entries: vec![entry(8, Kind::Enter)],
        ..Batch::default()
    };
    let failure = database
        .commit(&batch, 8, Timestamp::EPOCH)
        .await
        .expect_err("not the record that was left");
    assert!(
        matches!(failure, DatabaseError::Replaced { .. }),
        "{failure}"
    );
    assert_eq!(failure.fault(), Fault::Fatal);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_two_names_is_refused() {
    let folder = folder();
    let (database, _, _) = open(&folder).await;
    database.close().await.expect("a good end");
    let path = folder.path().join("chat.db");
    std::fs::hard_link(&path, folder.path().join("other.db")).expect("a second name");
    let refused = Database::open(&path, &Limits::default()).await;
    assert!(matches!(refused, Err(DatabaseError::Linked { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_place_of_the_lock_is_refused_and_not_followed() {
    let folder = folder();
    let target = folder.path().join("precious");
    let link = folder.path().join("chat.db.lock");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let refused = Database::open(&folder.path().join("chat.db"), &Limits::default())
        .await
        .expect_err("a link");
    let words = refused.to_string();
    assert!(
        words.ends_with("chat.db.lock: it is a link, and has to be a file; remove it"),
        "{words}"
    );
    assert!(!target.exists(), "the link was followed");
    std::fs::remove_file(&link).expect("gone");
    open(&folder).await;
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "needs root, to give a link to somebody else: run with --include-ignored"]
async fn a_database_behind_a_link_that_somebody_else_made_is_refused() {
    const NOBODY: u32 = 65534;
    let folder = folder();
    let link = folder.path().join("link.db");
    let path = folder.path().join("chat.db");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).expect("somebody else's link");
    let refused = Database::open(&link, &Limits::default()).await;
    let words = refused.expect_err("somebody else's link").to_string();
    assert!(words.contains("user 65534 made it"), "{words}");
    assert!(!path.exists(), "the link was followed");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_not_for_everyone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let (_database, _, _) = open(&folder).await;
    let mode = std::fs::metadata(folder.path().join("chat.db"))
        .expect("a file")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o640);
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_reported() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let refused = async |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file");
        let opened = Database::open(&path, &Limits::default()).await;
        opened.expect_err("no database")
    };
    let failure = refused(&[0xa5; 1000]).await;
    assert!(failure.is_io_or_corruption(), "{failure}");
    let failure = refused("these are notes\n".repeat(50).as_bytes()).await;
    assert!(
        matches!(failure, DatabaseError::NotADatabase { .. }),
        "{failure}"
    );
    assert!(!failure.is_io_or_corruption(), "{failure}");
}

#[tokio::test]
async fn a_reason_of_a_later_version_is_no_damage() {
    let folder = folder();
    let (mut database, _, _) = open(&folder).await;
    let row = "insert into joins (session, id, role, ip, port, local_ip, serial, fingerprint, tls, cipher, joined_at, left_at, reason)
        values (1, 'bob', 'student', '::1', 1, '::1', '01', '02', 'TLSv1.3', 'x',
            '2026-11-21T10:00:00.000Z', '2026-11-21T10:00:01.000Z', 'kicked')";
    database.connection.execute(row).await.expect("a row");
    database.close().await.expect("a good end");
    let (_database, pages, found) = open(&folder).await;
    assert_eq!(found.here[0].left.reason, Reason::Lost);
    let bob = ClientId::parse("bob").expect("a name");
    let last = pages.last_session(&bob).await.expect("a row");
    assert_eq!(last.expect("a session").reason, None);
}
