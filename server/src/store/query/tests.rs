//! Which queries are allowed, and how the answer looks.

use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;

use super::*;

/// A record that anybody may have created.
struct Record(TempDir);

impl Record {
    fn new(sql: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let record = Self(folder);
        let connection = Connection::open(record.path()).expect("a database");
        connection.execute_batch(sql).expect("SQL");
        record
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("chat.db")
    }

    fn ask(&self, sql: &str, format: Format) -> Result<String, QueryError> {
        self.ask_on(sql, format, || None)
    }

    fn ask_on(
        &self,
        sql: &str,
        format: Format,
        columns: fn() -> Option<usize>,
    ) -> Result<String, QueryError> {
        let mut out = Vec::new();
        let answered = query(&self.path(), sql, format, &mut out, columns);
        let out = String::from_utf8(out).expect("an answer is UTF-8");
        if answered.is_err() {
            assert_eq!(out, "", "{sql}");
        }
        answered.map(|_| out)
    }

    /// Returns each file beside the record with its contents.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.0.path()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect()
    }
}

const SAID: &str = "create table said (id, text);
    insert into said values ('alice', 'hello'), ('bob', 'hi');
    create view shouted as select upper(text) as text from said;";

#[test]
fn every_format_has_its_form_also_without_rows() {
    let record = Record::new(SAID);
    let ask = |sql, format| record.ask(sql, format).expect(sql);
    let all = "select id, text, 1.0 as n, null as none from said";
    assert_eq!(
        ask(all, Format::Table),
        " id     text   n    none\n alice  hello  1.0\n bob    hi     1.0\n"
    );
    assert_eq!(
        ask(all, Format::Csv),
        "id,text,n,none\nalice,hello,1.0,\nbob,hi,1.0,\n"
    );
    assert_eq!(
        ask(all, Format::Json),
        "[\n{\"id\":\"alice\",\"text\":\"hello\",\"n\":1.0,\"none\":null},\n\
         {\"id\":\"bob\",\"text\":\"hi\",\"n\":1.0,\"none\":null}\n]\n"
    );
    let none = "select id, text from said where 0";
    assert_eq!(ask(none, Format::Table), "(no rows)\n");
    assert_eq!(ask(none, Format::Csv), "id,text\n");
    assert_eq!(ask(none, Format::Json), "[]\n");
    // No value is taken for another one.
    let twice = "select 1 as id, 2 as id, 3 as id_2, 4 as id";
    assert_eq!(
        ask(twice, Format::Json),
        "[\n{\"id\":1,\"id_3\":2,\"id_2\":3,\"id_4\":4}\n]\n"
    );
    assert_eq!(ask(twice, Format::Csv), "id,id,id_2,id\n1,2,3,4\n");
    let infinite = "select 9e999 as a, -9e999 as b";
    assert_eq!(ask(infinite, Format::Csv), "a,b\nInf,'-Inf\n");
    assert_eq!(ask(infinite, Format::RawCsv), "a,b\nInf,-Inf\n");
    assert_eq!(
        ask(infinite, Format::Json),
        "[\n{\"a\":\"Inf\",\"b\":\"-Inf\"}\n]\n"
    );
}

#[test]
fn a_text_that_is_not_utf_8_is_shown_as_such() {
    let record = Record::new(
        "create table said (text);
         insert into said values (cast(x'61ff' as text)), (cast(x'eda080' as text)), ('ä')",
    );
    for (sql, shown) in [
        ("select cast(x'ff' as text) as text", &["not UTF-8: ff"][..]),
        (
            "select text from said",
            &["not UTF-8: 61ff", "not UTF-8: eda080", "ä"],
        ),
        ("select x'ff' as text", &["ff"]),
        ("select substr(x'e4bda0', 1, 2) as text", &["e4bd"]),
    ] {
        let csv = record.ask(sql, Format::Csv).expect("CSV");
        assert_eq!(csv.lines().skip(1).collect::<Vec<_>>(), shown);
        let table = record.ask(sql, Format::Table).expect("a table");
        let rows = table.lines().skip(1).map(str::trim);
        assert_eq!(rows.collect::<Vec<_>>(), shown);
        let json = record.ask(sql, Format::Json).expect("JSON");
        let json: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
        let texts = json.iter().map(|row| row["text"].as_str().expect("a text"));
        assert_eq!(texts.collect::<Vec<_>>(), shown);
    }
    // Characters that end a text elsewhere do not end it here.
    let csv = record.ask("select cast(x'610062' as text) as text", Format::Csv);
    assert_eq!(csv.expect("CSV"), "text\na\0b\n");
}

#[test]
fn a_query_may_read_and_nothing_else() {
    let record = Record::new(&format!(
        "{SAID} create index by_id on said (id); pragma journal_mode = wal;"
    ));
    let before = record.files();
    let copy = record.0.path().join("copy.db");
    let copy = copy.display();
    for sql in [
        &format!("vacuum into '{copy}'"),
        "vacuum",
        &format!("attach '{copy}' as copy"),
        "attach ':memory:' as other",
        "detach main",
        "delete from said",
        "insert into said values ('eve', 'x') returning id",
        "with one as (select 1) update said set id = 'mallory'",
        "replace into said values ('eve', 'x')",
        "explain delete from said",
        "create table other (x)",
        "create temp table other (x)",
        "create temp view other as select 1",
        "create temp trigger t after insert on said begin select 1; end",
        "create virtual table other using fts5(x)",
        "drop table said",
        "alter table said rename to heard",
        "create index i on said (id)",
        "reindex",
        "analyze",
        "begin",
        "begin immediate",
        "savepoint one",
        "commit",
        "pragma user_version = 7",
        "pragma user_version(7)",
        "PRAGMA User_Version = 7",
        "pragma journal_mode",
        "pragma journal_mode = delete",
        "pragma wal_checkpoint(truncate)",
        "pragma writable_schema = 1",
        "pragma query_only = 0",
        "pragma locking_mode = exclusive",
        "pragma incremental_vacuum",
        "pragma optimize",
        "pragma temp_store_directory = '/tmp'",
        "pragma data_store_directory = '/tmp'",
        "pragma trusted_schema = 1",
        "pragma mmap_size = 100000000",
        "pragma encoding = 'UTF-16'",
        "select load_extension('x')",
        "select load_extension('x', 'y')",
        "select LOAD_EXTENSION('x')",
        "select fts3_tokenizer('simple')",
        "select sqlite_log(1, 'x')",
    ] {
        let asked = record.ask(sql, Format::Csv);
        assert!(
            matches!(asked, Err(QueryError::NotReading)),
            "{sql}: {asked:?}"
        );
    }
    // SQLite as it is built here has none of these, and must not get them.
    for sql in [
        "select readfile('chat.db')",
        "select writefile('x', 'y')",
        "select edit('x')",
        "select * from fsdir('.')",
        "select * from zipfile('x')",
        "select * from csv('x')",
        "select * from sqlite_dbpage",
    ] {
        let asked = record.ask(sql, Format::Csv);
        assert!(
            matches!(&asked, Err(QueryError::Sql(words)) if words.starts_with("no such")),
            "{sql}: {asked:?}"
        );
    }
    for sql in ["select 1; select 2", "select 1; delete from said"] {
        let asked = record.ask(sql, Format::Csv);
        let is_refused = matches!(asked, Err(QueryError::Several | QueryError::NotReading));
        assert!(is_refused, "{sql}: {asked:?}");
    }
    for sql in ["", " ", ";", "-- nothing", "/* nothing */"] {
        let asked = record.ask(sql, Format::Csv);
        assert!(matches!(asked, Err(QueryError::NoQuestion)), "{asked:?}");
    }
    // Files that SQLite needs while it reads are not part of the record.
    let mut after = record.files();
    after.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
    let mut before = before;
    before.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
    before
        .entry(record.0.path().join("chat.db-wal"))
        .or_default();
    after
        .entry(record.0.path().join("chat.db-wal"))
        .or_default();
    assert_eq!(before, after);
}

#[test]
fn every_query_that_only_reads_is_answered() {
    let record = Record::new(SAID);
    for (sql, answer) in [
        ("select count(*) from said;", "2"),
        ("select 1; -- and no more", "1"),
        ("values (7)", "7"),
        ("select group_concat(text) from shouted", "\"HELLO,HI\""),
        (
            "with recursive n(x) as (select 1 union all select x + 1 from n limit 9) select sum(x) from n",
            "45",
        ),
        ("select value from json_each('[5]')", "5"),
        (
            "select rank() over (order by id) from said where id = 'bob'",
            "1",
        ),
        ("select name from pragma_table_info('said') limit 1", "id"),
        ("pragma user_version", "0"),
        ("pragma quick_check", "ok"),
        (
            "select strftime('%Y', 0, 'unixepoch', 'localtime') > '1900'",
            "1",
        ),
        ("select ?", "\"\""),
    ] {
        let asked = record.ask(sql, Format::Csv).expect(sql);
        assert_eq!(asked.lines().last(), Some(answer), "{sql}");
    }
    for sql in [
        "explain select * from said",
        "explain query plan select * from said",
        "pragma table_info(said)",
        "pragma compile_options",
        "select * from sqlite_schema order by random()",
    ] {
        let asked = record.ask(sql, Format::Table).expect(sql);
        assert!(asked.lines().count() > 1, "{sql}: {asked}");
    }
}

#[test]
fn an_answer_without_end_is_written_as_it_comes() {
    /// Accepts this many bytes.
    struct Reader(usize);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.checked_sub(bytes.len()) {
                Some(left) => self.0 = left,
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let record = Record::new(SAID);
    let endless = "with recursive n(x) as (select 1 union all select x + 1 from n) \
                   select x, 'and so on' as text from n";
    for format in [Format::Table, Format::Csv, Format::Json] {
        for columns in [|| None, || Some(80)] {
            let reader = Reader(1_000_000);
            let ended = query(&record.path(), endless, format, reader, columns);
            let is_so = matches!(&ended, Err(QueryError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe);
            assert!(is_so, "{format:?}: {ended:?}");
        }
    }
}

#[test]
fn a_question_that_cannot_be_answered_leaves_nothing_in_the_output() {
    let record = Record::new(SAID);
    for (sql, words) in [
        ("select * from nowhere", "no such table: nowhere"),
        ("selct", "near \"selct\": syntax error"),
        ("select json('{') from said", "malformed JSON"),
        ("select \"a\u{1b}[2J\u{202e}\" from said", ""),
    ] {
        for format in [Format::Table, Format::Csv, Format::Json] {
            let refused = record.ask(sql, format).map_err(|error| error.to_string());
            match words {
                // SQLite takes it for a text.
                "" => drop(refused),
                words => assert_eq!(refused, Err(words.to_owned()), "{sql}"),
            }
        }
    }
    let refused = record.ask("select [a\u{1b}[2J\u{202e}] from said", Format::Csv);
    let words = refused.expect_err("no such column").to_string();
    assert_eq!(words, "no such column: a\\u{1b}[2J\\u{202e}");
}

/// Characters that must not reach a terminal.
const EVIL: &str = "a\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\u{e0041}\u{7f}\u{0}\r\n[bob@192.0.2.9] x";

#[test]
fn no_value_is_larger_than_any_that_a_record_holds() {
    let record = Record::new(SAID);
    for sql in [
        "select hex(zeroblob(400000000))",
        "select zeroblob(900000000)",
        "select randomblob(500000000)",
    ] {
        let refused = record.ask(sql, Format::Json).expect_err("too large");
        assert_eq!(refused.to_string(), "string or blob too big", "{sql}");
    }
}

#[test]
fn neither_a_value_nor_the_name_of_a_column_moves_a_cursor() {
    let record = Record::new("create table said (text)");
    // The first NUL would end the query.
    let evil = EVIL.replace('\0', "");
    let sql = format!("select '{evil}\u{200b}' as \"{evil}\"");
    for format in [Format::Table, Format::Csv, Format::Json] {
        let shown = record
            .ask_on(&sql, format, || Some(200))
            .expect("an answer");
        let is_inert = |c| c == '\n' || !wire::is_forbidden(c);
        assert!(shown.chars().all(is_inert), "{format:?}: {shown:?}");
        let row = shown.lines().find(|row| row.starts_with("[bob@192.0.2.9]"));
        assert_eq!(row, None, "{format:?}: {shown:?}");
    }
    // A table is for people wherever it goes, and JSON escapes invisible characters.
    let table = record.ask(&sql, Format::Table).expect("a table");
    assert!(table.lines().all(|row| row.starts_with(" a\u{fffd}[2J")));
    assert_eq!(table.lines().count(), 2);
    let json = record.ask(&sql, Format::Json).expect("JSON");
    let is_seen = |c: char| c == '\n' || !wire::is_forbidden(c) && !wire::is_invisible(c);
    assert!(json.chars().all(is_seen), "{json:?}");
    let read: Vec<BTreeMap<String, String>> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read[0][&evil], format!("{evil}\u{200b}"));
    // A program gets the exact bytes that were said.
    let csv = record.ask(&sql, Format::RawCsv).expect("CSV");
    assert_eq!(csv, format!("\"{evil}\"\n\"{evil}\u{200b}\"\n"));
}

#[test]
fn on_a_terminal_no_row_but_a_first_one_begins_in_the_first_column() {
    let record = Record::new("create table said (id, text, at)");
    let connection = Connection::open(record.path()).expect("a database");
    for padding in 0..130 {
        let stamp = "2026-11-21 19:00:00 [bob@192.0.2.9] I owe you ten";
        let text = format!("{}{stamp}\u{600}{stamp}", "x".repeat(padding));
        let values = ("eve", text, "2026-11-21T19:00:00.000Z");
        let insert = "insert into said values (?, ?, ?)";
        connection.execute(insert, values).expect("a row");
    }
    let questions = [
        "select text from said",
        "select id, text, at from said",
        "select group_concat(text, char(10)) as text from said",
    ];
    for (columns, width) in [
        ((|| Some(20)) as fn() -> Option<usize>, 20),
        (|| Some(80), 80),
        (|| Some(100), 100),
    ] {
        for sql in questions {
            for format in [Format::Table, Format::Csv, Format::Json] {
                let firsts = record.ask(sql, format).expect("an answer");
                let firsts: Vec<&str> = match format {
                    // In a pipe each line of text stays a line.
                    Format::Csv if sql.contains("group") => vec!["text", "2026-11-21"],
                    _ => firsts.lines().collect(),
                };
                let shown = record.ask_on(sql, format, columns).expect("an answer");
                let mut begun = 0;
                for row in shown.lines() {
                    assert!(row.chars().count() < width, "{format:?} {row:?}");
                    if !row.starts_with("    ") {
                        let word = &row[..row.len().min(5)];
                        assert!(firsts[begun].starts_with(word), "{format:?} {row:?}");
                        begun += 1;
                    }
                }
                assert_eq!(begun, firsts.len(), "{format:?}");
            }
        }
    }
}

#[test]
fn a_table_lines_up_and_its_widest_texts_move_only_what_is_behind_them() {
    let record = Record::new(
        "create table said (id, text, n);
         insert into said values ('张三', 'ä\tb', 1), ('bo', '', 2)",
    );
    let shown = record.ask("select * from said", Format::Table);
    assert_eq!(
        shown.expect("a table"),
        " id    text    n\n 张三  ä    b  1\n bo            2\n"
    );
    let long = "x".repeat(4096);
    let sql = format!("select '{long}' as text, 1 as n union all select 'y', 2");
    let shown = record.ask(&sql, Format::Table).expect("a table");
    let rows: Vec<&str> = shown.lines().collect();
    assert_eq!(rows[1], format!(" {long}  1"));
    assert_eq!(rows[2], format!(" {:60}  2", "y"));
    // After the rows that determined the width.
    let sql = "with recursive n(x) as (select 1 union all select x + 1 from n limit 3000) \
               select x, case x when 2500 then 'a long text' else 'a' end as text, 'z' as z from n";
    let shown = record.ask(sql, Format::Table).expect("a table");
    assert_eq!(shown.lines().count(), 3001);
    assert_eq!(shown.lines().nth(2500), Some(" 2500  a long text  z"));
    assert_eq!(shown.lines().last(), Some(" 3000  a     z"));
}

#[test]
fn a_file_of_any_name_is_opened_and_none_but_a_database() {
    let record = Record::new(SAID);
    for name in ["a b?mode=rw#%41 ä.db", "file:other.db", "x&immutable=0.db"] {
        let path = record.0.path().join(name);
        fs::copy(record.path(), &path).expect("a copy");
        let mut out = Vec::new();
        query(&path, "select 1", Format::Csv, &mut out, || None).expect(name);
        let uri = format!("file:{}?immutable=1", percent_encoded(&path));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let alone = Connection::open_with_flags(uri, flags).and_then(probe);
        assert!(alone.is_ok_and(|alone| alone.is_some()), "{name}");
    }
    let missing = query(
        &record.0.path().join("no.db"),
        "select 1",
        Format::Csv,
        Vec::new(),
        || None,
    );
    assert!(matches!(missing, Err(QueryError::Missing(_))));
    fs::write(record.path(), "something else".repeat(1000)).expect("a file");
    let refused = record.ask("select 1", Format::Csv);
    assert!(
        matches!(
            refused,
            Err(QueryError::NotADatabase {
                kind: "a text file",
                ..
            })
        ),
        "{refused:?}"
    );
    fs::write(record.path(), [0xff; 5000]).expect("a file");
    let refused = record.ask("select 1", Format::Csv);
    assert!(
        matches!(refused, Err(QueryError::Open { .. })),
        "{refused:?}"
    );
}

#[test]
fn advice_on_a_database_that_does_not_open_follows_from_the_reason() {
    for (code, advice) in [
        (
            rusqlite::ffi::SQLITE_CANTOPEN,
            Some("can read the database"),
        ),
        (
            rusqlite::ffi::SQLITE_READONLY,
            Some("can read the database"),
        ),
        (
            rusqlite::ffi::SQLITE_BUSY,
            Some("another program is using it alone"),
        ),
        (rusqlite::ffi::SQLITE_CORRUPT, Some("is it a whole copy?")),
        (rusqlite::ffi::SQLITE_NOTADB, Some("another kind of file")),
        (rusqlite::ffi::SQLITE_IOERR, None),
    ] {
        let cause = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let path = "chat.db".into();
        let hint = QueryError::Open { path, cause }.hint();
        assert_eq!(hint.is_some(), advice.is_some(), "{code}: {hint:?}");
        assert!(
            hint.unwrap_or_default()
                .contains(advice.unwrap_or_default()),
            "{code}: {hint:?}"
        );
    }
}

#[test]
fn csv_for_people_holds_no_formula_and_csv_for_programs_each_byte() {
    let record = Record::new(
        "create table said (text, n);
         insert into said values ('=1+1', -1), ('a;@b', -1.5), (char(9) || 'x', 2), ('-5', null), ('你好', 1)",
    );
    let sql = "select text, n as \"=n\" from said";
    let csv = record.ask(sql, Format::Csv).expect("CSV");
    let guarded = "text,'=n\n'=1+1,-1\na;'@b,-1.5\n'\tx,2\n-5,\n你好,1\n";
    assert_eq!(csv, guarded);
    let file = record.ask(sql, Format::CsvFile).expect("CSV");
    assert_eq!(file, format!("\u{feff}{guarded}"));
    let raw = record.ask(sql, Format::RawCsv).expect("CSV");
    assert_eq!(raw, "text,=n\n=1+1,-1\na;@b,-1.5\n\tx,2\n-5,\n你好,1\n");
}

#[test]
fn an_answer_takes_the_place_of_a_file_only_when_it_is_whole_and_never_that_of_the_record() {
    let record = Record::new(SAID);
    let place = record.0.path().join("answer.csv");
    let write = |sql: &str, place: &Path, older| {
        let mut file = OutFile::create(place, &record.path(), older)?;
        query(&record.path(), sql, Format::Csv, &mut file, || None)?;
        file.finish()
    };
    let ask = |sql: &str, place: &Path| write(sql, place, Older::Replaced);
    let read = || fs::read_to_string(&place).expect("a file");
    ask("select 1 as n", &place).expect("an answer");
    assert_eq!(read(), "n\n1\n");
    let failed = ask("select json('{') as n from said", &place);
    assert!(matches!(failed, Err(QueryError::Sql(_))), "{failed:?}");
    assert_eq!(read(), "n\n1\n");
    ask("select 2 as n", &place).expect("an answer");
    assert_eq!(read(), "n\n2\n");
    // Nothing is left beside it.
    let names = record
        .files()
        .into_keys()
        .map(|path| path.file_name().map(ToOwned::to_owned));
    assert!(
        !names
            .flatten()
            .any(|name| name.to_string_lossy().starts_with(".answer"))
    );
    let own = ask("select 1", &record.path());
    assert!(matches!(own, Err(QueryError::OutIsDatabase(_))), "{own:?}");
    let folder = ask("select 1", record.0.path());
    assert!(
        matches!(folder, Err(QueryError::OutNotAFile(_))),
        "{folder:?}"
    );
    let nowhere = ask("select 1", &record.0.path().join("no/answer.csv"));
    assert!(
        matches!(nowhere, Err(QueryError::Out { .. })),
        "{nowhere:?}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, symlink};
        assert_eq!(fs::metadata(&place).expect("a file").mode() & 0o777, 0o600);
        // A link to nothing is kept.
        let dangling = record.0.path().join("dangling.csv");
        symlink("nothing", &dangling).expect("a link");
        let kept = write("select 3 as n", &dangling, Older::Kept);
        assert!(matches!(kept, Err(QueryError::OutExists(_))), "{kept:?}");
        // A link is replaced, and the file that it names stays as it is.
        let link = record.0.path().join("link.csv");
        symlink(&place, &link).expect("a link");
        ask("select 3 as n", &link).expect("an answer");
        assert!(fs::symlink_metadata(&link).expect("a file").is_file());
        assert_eq!(read(), "n\n2\n");
    }
}

#[test]
fn an_answer_keeps_a_file_that_exists_and_replaces_nothing_that_no_query_wrote() {
    let record = Record::new(SAID);
    let write = |place: &Path, older| {
        let mut file = OutFile::create(place, &record.path(), older)?;
        let rows = query(
            &record.path(),
            "select id from said",
            Format::Csv,
            &mut file,
            || None,
        )?;
        file.finish()?;
        Ok(rows)
    };
    let files: [(&str, &[u8], bool); 9] = [
        ("answer.csv", b"n\n1\n", true),
        ("marked.csv", b"\xef\xbb\xbfn\n1\n", true),
        ("empty", b"", true),
        (
            "ca.key",
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n",
            false,
        ),
        (
            "bob.pem",
            b"Subject: bob\n-----BEGIN CERTIFICATE-----\nMII\n",
            false,
        ),
        ("ca.der", b"\x30\x82\x01\x40\x30\x81\xe7", false),
        ("other.db", b"SQLite format 3\0\x10\0", false),
        ("bundle.zip", b"PK\x03\x04\x14\0", false),
        ("bytes", b"\xa5\0\xa5\0", false),
    ];
    for (name, bytes, is_replaced) in files {
        let place = record.0.path().join(name);
        fs::write(&place, bytes).expect("a file");
        let kept: Result<u64, QueryError> = write(&place, Older::Kept);
        assert!(
            matches!(kept, Err(QueryError::OutExists(_))),
            "{name}: {kept:?}"
        );
        assert_eq!(fs::read(&place).expect("a file"), bytes, "{name}");
        let replaced = write(&place, Older::Replaced);
        if is_replaced {
            assert_eq!(replaced.expect(name), 2);
            assert_eq!(fs::read(&place).expect("a file"), b"id\nalice\nbob\n");
        } else {
            let is_refused = matches!(replaced, Err(QueryError::OutIsOther { .. }));
            assert!(is_refused, "{name}: {replaced:?}");
            assert_eq!(fs::read(&place).expect("a file"), bytes, "{name}");
        }
    }
    // A file that comes while the query runs is kept too.
    let late = record.0.path().join("late.csv");
    let mut file = OutFile::create(&late, &record.path(), Older::Kept).expect("no file yet");
    file.write_all(b"an answer").expect("written");
    fs::write(&late, "somebody else's").expect("a file");
    let kept = file.finish();
    assert!(matches!(kept, Err(QueryError::OutExists(_))), "{kept:?}");
    assert_eq!(
        fs::read_to_string(&late).expect("a file"),
        "somebody else's"
    );
}

#[test]
fn a_record_whose_names_are_not_utf_8_is_refused_in_words() {
    let record = Record::new(SAID);
    let connection = Connection::open(record.path()).expect("a database");
    connection
        .execute_batch(
            "pragma writable_schema = 1;
             update sqlite_schema set sql = replace(sql, 'text', cast(x'ff' as text)) where name = 'said';",
        )
        .expect("SQL");
    drop(connection);
    let refused = record.ask("select * from said", Format::Csv);
    assert!(
        matches!(refused, Err(QueryError::Damaged(_))),
        "{refused:?}"
    );
}
