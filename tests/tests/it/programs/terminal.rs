//! People's terminals when somebody says a line that is made to look like another's.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, PipeReader};
use std::net::SocketAddr;

use pty_process::blocking::Command;
use tests::{Site, Terminal, program};

/// The text with which eve wants a row to begin.
const GHOST: &str = "2026-11-21 19:00:00 [bob@192.0.2.9] I owe you ten";

/// One of the lines at least would be broken right before the ghost, whatever stands before it, if
/// a terminal broke it.
fn ghosts() -> Vec<String> {
    let paddings = (0..110).map(|columns| "x".repeat(columns));
    // Tables of width disagree about these.
    let contested = ["\u{11d46}", "\u{600}", "\u{110bd}", "e\u{301}", "❤", "张"];
    let contested = contested
        .iter()
        .flat_map(|c| (20..50).step_by(3).map(|times| c.repeat(times)));
    let padded = paddings.chain(contested);
    padded.map(|padding| format!("{padding}{GHOST}")).collect()
}

/// A row of nobody's but of whoever said it: each that does not go on with another begins with a
/// stamp of eve's, alice's or a table's.
fn assert_nobody_is_posed_as(rows: &[String], what: &str) {
    let begun = rows.iter().filter(|row| !row.starts_with("    "));
    for row in begun.clone() {
        assert!(!row.starts_with(&GHOST[..11]), "{what}: {row:?}");
        assert!(!row.starts_with("[bob"), "{what}: {row:?}");
        assert!(
            !row.trim_start_matches(['x', ' ']).starts_with(GHOST),
            "{what}: {row:?}"
        );
    }
    let of_eve = begun.filter(|row| row.contains("eve@127.0.0.1")).count();
    assert!(
        of_eve >= ghosts().len(),
        "{what}: {of_eve}\n{}",
        rows.join("\n")
    );
}

/// Starts the server on a terminal. Returns it, the address at which it listens, and its log.
fn serve(site: &Site, columns: u16) -> (Terminal, SocketAddr, BufReader<PipeReader>) {
    let (log, stderr) = std::io::pipe().expect("a pipe");
    let command = Command::new(program("server"))
        .args(["--show", "--listen", "127.0.0.1:0", "--line-rate", "0"])
        .current_dir(site.folder())
        .stderr(stderr);
    let terminal = Terminal::open(columns, 3000, command);
    let mut log = BufReader::new(log);
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("a line"), 0);
        let address = line.split("listening on ").nth(1);
        if let Some(address) = address.and_then(|rest| rest.split(' ').next()) {
            return (terminal, address.parse().expect("an address"), log);
        }
    }
}

#[test]
fn no_line_looks_like_another_persons_on_any_terminal_of_ours() {
    for columns in [80, 100] {
        let site = Site::new("Networks 101");
        let (mut show, address, log) = serve(&site, columns);
        // Somebody must read it, or the server would wait.
        let reader = std::thread::spawn(move || log.lines().map_while(Result::ok).count());
        let client = |form: &str| {
            let command = Command::new(program("client"))
                .args([
                    "--cert",
                    &site.bundle("alice"),
                    form,
                    "--utc",
                    "--since",
                    "all",
                ])
                .args(["--server", &address.to_string()])
                .current_dir(site.folder());
            Terminal::open(columns, 3000, command)
        };
        let said = ghosts().join("\n") + "\nthat was all\n";
        let arguments = [
            "--cert",
            &site.bundle("eve"),
            "--server",
            &address.to_string(),
        ];
        let eve = tests::run(site.folder(), "client", &arguments, &said);
        assert!(eve.status.success(), "{eve:?}");
        show.shows("that was all");
        assert_nobody_is_posed_as(&show.rows(), "server --show");
        for form in ["--plain", "--bare"] {
            let mut client = client(form);
            client.shows("that was all");
            assert_nobody_is_posed_as(&client.rows(), form);
        }
        for (form, sql) in [
            ("--csv", "select line from transcript"),
            ("--json", "select line from transcript"),
            ("--db=chat.db", "select line from transcript"),
            ("--db=chat.db", "select * from transcript"),
        ] {
            let command = Command::new(program("server"))
                .args(["query", form, sql])
                .current_dir(site.folder());
            let mut query = Terminal::open(columns, 3000, command);
            assert!(query.ends().success());
            assert!(query.text().contains("that was all"), "{}", query.text());
            assert_nobody_is_posed_as(&query.rows(), sql);
            let oddities = &query.oddities().all;
            assert!(oddities.is_empty(), "{oddities:?}");
        }
        // It is ended with its terminal.
        drop(show);
        reader.join().expect("the log is read");
    }
}
