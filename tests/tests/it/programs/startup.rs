//! A server that cannot start says why, and what to do.

use std::fs;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
#[cfg(target_os = "linux")]
use tests::program;
#[cfg(target_os = "linux")]
use tests::{Running, require, require_root};

use super::{Ended, run_client, site};

#[test]
fn a_record_has_one_server() {
    let site = site();
    let served = site.serve(&[]);
    let second = Ended::from(site.run("server", &["--listen", "127.0.0.1:0"]));
    second.failed(
        1,
        "chat.db is in use by another server",
        "name another with --db",
    );
    let other = site.serve(&["--db", "other.db"]);
    assert_ne!(other.address, served.address);
}

#[test]
fn a_file_that_is_no_record_is_left_as_it_is() {
    let site = site();
    let text = "these are my notes, not a database\n".repeat(200);
    fs::write(site.path("notes.txt"), &text).expect("written");
    let arguments = ["--listen", "127.0.0.1:0", "--db", "notes.txt"];
    let refused = Ended::from(site.run("server", &arguments));
    let error = "notes.txt is not a database, but a text file";
    refused.failed(1, error, "--db takes the file of a room's record");
    let now = fs::read_to_string(site.path("notes.txt"));
    assert_eq!(now.expect("notes"), text);
    let asked = Ended::from(site.run("server", &["query", "--db", "notes.txt", "select 1"]));
    asked.failed(1, error, "--db takes the file of a room's record");
    assert!(!site.path("notes.txt.lock").exists());
    // Nobody calls for a backup because of the CA's certificate.
    let arguments = ["--listen", "127.0.0.1:0", "--db", "ca/ca.pem"];
    let refused = Ended::from(site.run("server", &arguments));
    let error = "ca/ca.pem is not a database, but a file of certificates or keys (PEM)";
    refused.failed(1, error, "it was not changed");
    assert!(!refused.err.contains("backup"), "{}", refused.err);
    assert!(!site.path("ca/ca.pem.lock").exists());
    // These bytes may be what is left of a record.
    fs::write(site.path("bytes"), [0xa5; 8192]).expect("written");
    let refused = Ended::from(site.run("server", &["--listen", "127.0.0.1:0", "--db", "bytes"]));
    refused.failed(
        74,
        "bytes: file is not a database",
        "restore the last backup",
    );
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is_and_an_empty_file_becomes_a_record() {
    let site = site();
    let other = site.path("bookmarks.db");
    let options = SqliteConnectOptions::new().filename(&other);
    let made = options.create_if_missing(true).connect().await;
    let mut made = made.expect("a database");
    let tables = "create table bookmarks (url); create table meta (key, value); insert into bookmarks values ('x')";
    sqlx::raw_sql(tables)
        .execute(&mut made)
        .await
        .expect("tables");
    made.close().await.expect("a good end");
    let before = fs::read(&other).expect("a file");
    let arguments = ["--listen", "127.0.0.1:0", "--db", "bookmarks.db"];
    let refused = Ended::from(site.run("server", &arguments));
    let error = "bookmarks.db is a database of another program, with the tables bookmarks, meta";
    refused.failed(1, error, "it was not changed");
    assert_eq!(fs::read(&other).expect("a file"), before);
    assert!(!site.path("bookmarks.db-wal").exists());
    let asked = ["query", "--db", "bookmarks.db", "select * from transcript"];
    let asked = Ended::from(site.run("server", &asked));
    asked.failed(
        1,
        "no such table: transcript",
        "is this the record of a room?",
    );

    fs::write(site.path("empty.db"), "").expect("written");
    let served = site.serve(&["--db", "empty.db"]);
    let said = run_client(&site, &served.address.to_string(), "alice", "hello\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[cfg(target_os = "linux")]
#[test]
fn files_may_lie_in_folders_and_have_names_that_are_not_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    let site = site();
    let folder = site.folder().join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&folder).expect("a folder");
    for name in ["server.pem", "crl.pem"] {
        fs::copy(site.path("ca").join(name), folder.join(name)).expect("a copy");
    }
    let db = folder.join(OsStr::from_bytes(b"r\xf6om?a=%41#.db"));
    let mut command = Command::new(program("server"));
    for (flag, path) in [
        ("--cert", folder.join("server.pem")),
        ("--crl", folder.join("crl.pem")),
        ("--log-file", folder.join(OsStr::from_bytes(b"l\xf6g"))),
        ("--db", db.clone()),
    ] {
        command.arg(flag).arg(path);
    }
    let served = site.serve_by(command);
    let said = run_client(&site, &served.address.to_string(), "alice", "hello\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(db.exists());
    let mut query = Command::new(program("server"));
    query.args([
        "query",
        "--csv",
        "select text from history where kind = 'message'",
        "--db",
    ]);
    let asked = Ended::from(
        Running::spawn({
            query.arg(&db);
            query
        })
        .finish(),
    );
    assert_eq!(asked.out, "text\nhello", "{}", asked.err);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn where_there_is_no_ipv6_the_program_that_has_the_port_is_named_all_the_same() {
    require("strace");
    let site = site();
    let served = site.serve(&[]);
    let port = served.address.port().to_string();
    // The first address that is taken is the one of IPv6.
    let mut command = std::process::Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-e",
        "trace=bind",
        "-e",
        "inject=bind:error=EADDRNOTAVAIL:when=1",
        "-o",
        "trace",
    ]);
    command
        .arg(program("server"))
        .args(["--db", "other.db", "--listen", &port]);
    command.current_dir(site.folder());
    let refused = Ended::from(Running::spawn(command).finish());
    let id = served.program.id();
    let error =
        format!("cannot listen on 0.0.0.0:{port}: port {port} is in use by process {id} (server)");
    refused.failed(1, &error, "is a server already running?");
}

#[cfg(unix)]
#[test]
fn a_folder_or_a_named_pipe_is_refused_as_a_database_and_as_a_log() {
    let site = site();
    fs::create_dir(site.path("folder")).expect("a folder");
    let made = std::process::Command::new("mkfifo")
        .arg(site.path("pipe"))
        .status();
    assert!(made.expect("mkfifo").success());
    for (name, kind) in [("folder", "folder"), ("pipe", "named pipe")] {
        let error = format!("{name} is not a regular file");
        let served = site.run("server", &["--listen", "127.0.0.1:0", "--db", name]);
        Ended::from(served).failed(1, &error, "--db takes the name of a file");
        let asked = site.run("server", &["query", "--db", name, "select 1"]);
        Ended::from(asked).failed(1, &error, "--db takes the name of a file");
        let error = format!("cannot open the log {name}: it is a {kind}; ");
        let logged = site.run("server", &["--listen", "127.0.0.1:0", "--log-file", name]);
        let logged = Ended::from(logged);
        assert_eq!(logged.code, Some(1), "{}", logged.err);
        assert!(logged.err.contains(&error), "{}", logged.err);
        assert!(!site.path(&format!("{name}.lock")).exists());
    }
    let served = site.run("server", &["--listen", "127.0.0.1:0", "--db", "no/chat.db"]);
    Ended::from(served).failed(1, "cannot open no/chat.db: ", "create its folder first");
}

/// On one of a network of its own, where the address is no other machine's.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs ip, nsenter, python3, unshare and root: run with --include-ignored"]
fn a_server_listens_on_a_link_local_address_by_the_name_of_its_link() {
    use std::process::Command;

    for tool in ["ip", "nsenter", "unshare"] {
        require(tool);
    }
    require_root("make a network");
    let site = site();
    let mut command = Command::new("unshare");
    let words = "ip link set lo up && ip address add fe80::1/64 dev lo nodad && exec \"$@\"";
    command
        .args(["--net", "sh", "-c", words, "sh"])
        .arg(program("server"));
    command
        .args(["--listen", "[fe80::1%lo]:27332"])
        .current_dir(site.folder());
    let mut server = Running::spawn(command);
    server.expect_err("listening on [fe80::1%1]:27332");
    // It is no TLS, and says where it comes from: without the zone, as every address is shown.
    let knock = "import socket; s = socket.create_connection(('fe80::1%lo', 27332)); s.send(b'hi\\n'); print(s.recv(999))";
    let mut command = Command::new("nsenter");
    command.args([
        "--target",
        &server.id().to_string(),
        "--net",
        "python3",
        "-c",
        knock,
    ]);
    require("python3");
    assert!(command.status().is_ok_and(|status| status.success()));
    let refused = server.expect_err("refused");
    assert!(refused.contains("ip=fe80::1 "), "{refused}");
}

#[test]
fn a_server_takes_a_port_alone_and_says_how_to_write_what_it_does_not_understand() {
    let site = site();
    let served = site.serve(&[]);
    // It is taken on one of the addresses, so nothing is open to others while this is tested.
    let port = served.address.port().to_string();
    let holder = match cfg!(target_os = "linux") {
        true => format!("process {} (server)", served.program.id()),
        false => "another program".to_owned(),
    };
    Ended::from(site.run("server", &["--listen", &port])).failed(
        1,
        &format!(":{port}: port {port} is in use by {holder}"),
        "is a server already running?",
    );
    for (arguments, error) in [
        (
            &["--listen", "localhost:28111"][..],
            "localhost is a name, and a server listens on addresses: 127.0.0.1:27332",
        ),
        (
            &["--port", "28111"],
            "hint: --listen [IP:]PORT names the port",
        ),
        (&["--port=28111"], "hint: --listen [IP:]PORT names the port"),
        (&["-p", "28111"], "hint: --listen [IP:]PORT names the port"),
        (&["--line-rate", "fast"], "write a whole number"),
        (&["query"], "<SQL>"),
    ] {
        let refused = Ended::from(site.run("server", arguments));
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(
            refused.err.starts_with("server: error: "),
            "{}",
            refused.err
        );
        assert!(refused.err.contains(error), "{}", refused.err);
    }
}

#[test]
fn a_server_names_each_file_that_it_needs_and_does_not_find_and_says_what_to_do() {
    let site = site();
    let served = site.serve(&[]);
    site.bundle("alice");
    fs::write(site.path("broken.pem"), "-----BEGIN CERTIFICATE-----\n").expect("written");
    let taken = served.address.to_string();
    for (arguments, error, hint) in [
        (
            ["--listen", &taken],
            format!("cannot listen on {taken}: "),
            "is a server already running?",
        ),
        (
            ["--cert", "no/server.pem"],
            "cannot read no/server.pem: ".to_owned(),
            "ca-tool init",
        ),
        (
            ["--crl", "no/crl.pem"],
            "cannot read no/crl.pem: ".to_owned(),
            "ca-tool init",
        ),
        (
            ["--cert", "ca/people/alice.pem"],
            "ca/people/alice.pem is not a server's certificate".to_owned(),
            "ca/server.pem",
        ),
        (
            ["--crl", "ca/server.pem"],
            "cannot use ca/server.pem: it holds no revocation list, only: CERTIFICATE, PRIVATE KEY"
                .to_owned(),
            "--crl names another",
        ),
    ] {
        let refused = Ended::from(site.run("server", &arguments));
        refused.failed(1, &error, hint);
    }
    assert!(!site.path("no").exists());
}
