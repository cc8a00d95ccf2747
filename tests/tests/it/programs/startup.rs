//! A server that cannot start says why, and what to do.

use std::fs;

use super::{Ended, site};

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
    assert_eq!(refused.code, Some(74), "{}", refused.err);
    let line = refused
        .err
        .lines()
        .find(|line| line.starts_with("server: error: "));
    let line = line.unwrap_or_else(|| panic!("no error: {}", refused.err));
    assert!(line.contains("notes.txt"), "{line}");
    assert_eq!(line.matches("file is not a database").count(), 1, "{line}");
    let hint = "server: hint: does --db name another kind of file?";
    assert!(refused.err.contains(hint), "{}", refused.err);
    let now = fs::read_to_string(site.path("notes.txt"));
    assert_eq!(now.expect("notes"), text);
    let asked = Ended::from(site.run("server", &["query", "--db", "notes.txt", "select 1"]));
    asked.failed(
        1,
        "cannot open notes.txt: file is not a database",
        "another kind of file",
    );
    assert_eq!(asked.err.matches("file is not a database").count(), 1);
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

#[test]
fn a_server_takes_a_port_alone_and_says_how_to_write_what_it_does_not_understand() {
    let site = site();
    let served = site.serve(&[]);
    // It is taken on one of the addresses, so nothing is open to others while this is tested.
    let port = served.address.port().to_string();
    Ended::from(site.run("server", &["--listen", &port])).failed(
        1,
        &format!(":{port}: "),
        "another program uses this port",
    );
    for (arguments, error) in [
        (
            &["--listen", "localhost:28111"][..],
            "such as 0.0.0.0:27332 or [::1]:27332, or a port alone",
        ),
        (&["--port", "28111"], "'--port'"),
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
            "another program uses this port",
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
