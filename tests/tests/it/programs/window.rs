//! The full-screen client as people use it: in terminals, against a real server.

use tests::{Pane, Served, Site, Tmux, program, require};

/// Types the command that opens the window, and waits until it is connected.
fn enter(pane: &Pane<'_>, site: &Site, served: &Served, name: &str, more: &str) {
    let (client, bundle) = (program("client"), site.bundle(name));
    let server = served.address;
    pane.enters(&format!(
        "{} --cert {bundle} --server {server} {more}",
        client.display()
    ));
    pane.shows(" connected · \"Networks 101\"");
}

#[test]
#[ignore = "needs tmux: run with --include-ignored"]
fn two_people_talk_in_their_windows_and_a_server_that_dies_loses_and_doubles_nothing() {
    require("tmux");
    let site = Site::new("Networks 101");
    let served = site.serve(&[]);
    let address = served.address;
    let tmux = Tmux::new();
    let alice = tmux.pane("alice", 80, 24, site.folder());
    let bob = tmux.pane("bob", 40, 12, site.folder());
    enter(&alice, &site, &served, "alice", "");
    enter(&bob, &site, &served, "bob", "");
    alice.shows(" 2 here");
    bob.enters("hello alice, 你好 👋");
    alice.shows("[bob] hello alice, 你好 👋");
    alice.enters("hi bob");
    bob.shows("[alice] hi bob");
    alice.until("alice's window", |screen| {
        is_like(
            screen,
            "
            ┃────────────────────────────────── <date>     ──────────────────────────────────
            ┃<now> * alice and bob entered
            ┃      [bob] hello alice, 你好 👋
            ┃                                                                  [alice] hi bob
            ┃ connected · \"Networks 101\" · <server>",
        )
    });
    bob.until("bob's window", |screen| {
        is_like(
            screen,
            "
            ┃────────────── <date>     ──────────────
            ┃<now> * alice and bob entered
            ┃              [bob] hello alice, 你好 👋
            ┃      [alice] hi bob
            ┃ connected · \"Networks 101\" · <server>",
        )
    });

    served.program.signal("-9");
    alice.shows(" reconnecting in ");
    bob.shows(" reconnecting in ");
    alice.enters("said meanwhile");
    alice.shows("[alice] said meanwhile");
    let _served = site.serve_again(address, &[]);
    bob.shows("said meanwhile");
    for pane in [&alice, &bob] {
        pane.shows(" connected · ");
        let screen = pane.screen();
        assert_eq!(screen.matches("said mean").count(), 1, "{screen}");
    }
    assert_eq!(
        site.query("select text from history where kind = 'message' order by seq"),
        ["\"hello alice, 你好 👋\"", "hi bob", "said meanwhile"]
    );
    for pane in [&alice, &bob] {
        pane.enters("/quit");
        pane.until("the shell", |screen| screen.ends_with('$'));
    }
}

#[test]
#[ignore = "needs tmux: run with --include-ignored"]
fn the_terminal_is_as_it_was_however_the_window_ends() {
    require("tmux");
    let site = Site::new("Networks 101");
    let served = site.serve(&[]);
    let tmux = Tmux::new();
    let pane = tmux.pane("alice", 80, 24, site.folder());
    pane.enters("stty -a > before; clear; echo ready");
    pane.until("a clear screen", |screen| screen == "ready\n$");
    let is_given_back = || {
        pane.until("the shell's screen", |screen| screen.starts_with("ready"));
        pane.until("a prompt", |screen| screen.ends_with('$'));
        pane.enters("stty -a > after; cmp before after && echo 'as it'; echo was");
        pane.shows("\nwas");
        let screen = pane.screen();
        assert!(screen.contains("\nas it\n"), "{screen}");
        assert_eq!(pane.knows("alternate_on"), "0");
        assert_eq!(pane.knows("cursor_flag"), "1");
        assert_eq!(pane.knows("mouse_any_flag"), "0");
        pane.enters("clear; echo ready");
        pane.until("a clear screen", |screen| screen == "ready\n$");
    };
    let enter = || enter(&pane, &site, &served, "alice", "");

    enter();
    assert_eq!(pane.knows("alternate_on"), "1");
    assert_eq!(pane.knows("mouse_any_flag"), "1");
    pane.enters("/quit");
    is_given_back();

    enter();
    pane.presses("C-c");
    is_given_back();

    enter();
    terminate(&pane);
    is_given_back();

    // Stopped and let go on, with a line that was begun before.
    enter();
    pane.types("half a line");
    pane.shows("> half a line");
    // Drawn anew, it is the same.
    let before = but_for_the_status(&pane.screen());
    pane.presses("C-l");
    pane.types("!");
    pane.shows("> half a line!");
    pane.presses("BSpace");
    pane.until("the same screen", |screen| {
        but_for_the_status(screen) == before
    });
    pane.presses("C-z");
    is_given_back();
    pane.enters("fg");
    pane.shows("> half a line");
    pane.enters(" of text");
    pane.shows("[alice] half a line of text");
    pane.presses("C-d");
    is_given_back();
}

#[test]
#[ignore = "needs tmux: run with --include-ignored"]
fn a_window_survives_every_size() {
    require("tmux");
    let site = Site::new("Networks 101");
    let served = site.serve(&[]);
    let tmux = Tmux::new();
    let pane = tmux.pane("alice", 80, 24, site.folder());
    enter(&pane, &site, &served, "alice", "");
    pane.enters("你好, wide");
    pane.shows("[alice] 你好, wide");
    for (columns, rows) in [
        (40, 12),
        (20, 5),
        (2, 2),
        (1, 1),
        (1, 20),
        (80, 1),
        (200, 50),
    ] {
        pane.resize(columns, rows);
        pane.types("x");
        pane.presses("BSpace");
    }
    pane.shows("[alice@127.0.0.1] 你好, wide │");
    pane.resize(80, 24);
    pane.enters("and this afterwards");
    pane.shows("[alice] and this afterwards");
    pane.enters("/quit");
    pane.until("the shell", |screen| screen.ends_with('$'));
}

#[test]
#[ignore = "needs tmux: run with --include-ignored"]
fn the_mouse_is_the_terminals_when_it_is_wanted_so() {
    require("tmux");
    let site = Site::new("Networks 101");
    let served = site.serve(&[]);
    let tmux = Tmux::new();
    let pane = tmux.pane("alice", 80, 24, site.folder());
    enter(&pane, &site, &served, "alice", "--mouse off");
    assert_eq!(pane.knows("mouse_any_flag"), "0");
    pane.presses("F7");
    pane.shows("F7 leaves it to the terminal");
    assert_eq!(pane.knows("mouse_any_flag"), "1");
    pane.presses("F7");
    pane.shows("the mouse is left to the terminal");
    assert_eq!(pane.knows("mouse_any_flag"), "0");
    pane.enters("/quit");
    pane.until("the shell", |screen| screen.ends_with('$'));
}

/// Sends SIGTERM to the client in a pane, and to nothing else.
fn terminate(pane: &Pane<'_>) {
    let shell = pane.knows("pane_pid");
    // The shell's own, because the programs that list and end others are not on every system.
    let kill = format!("kill -TERM $(cat /proc/{shell}/task/{shell}/children)");
    let sent = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
}

/// Returns whether a screen ends with these rows, above the input, where each is margined by a bar;
/// `<date>`, times and whatever follows `<server>` may be anything of that size.
fn is_like(screen: &str, expected: &str) -> bool {
    let expected: Vec<&str> = expected
        .trim_matches('\n')
        .lines()
        .map(|line| line.trim_start().trim_start_matches('┃'))
        .collect();
    let rows: Vec<&str> = screen.lines().collect();
    let Some(above) = rows.len().checked_sub(expected.len() + 1) else {
        return false;
    };
    expected.iter().zip(&rows[above..]).all(|(expected, row)| {
        let (expected, is_cut) = match expected.split_once("<server>") {
            Some((before, _)) => (before, true),
            None => (*expected, false),
        };
        let mut wanted = expected
            .replace("<date>    ", "2026-11-22")
            .replace("<now>", "     ");
        if is_cut {
            wanted = wanted.trim_end().to_owned();
        }
        let is_digit = |c: char| c.is_ascii_digit();
        // A minute may begin between any two lines.
        let row = match row.get(..6) {
            Some(time) if time.ends_with(' ') && time.contains(':') => {
                format!("      {}", &row[6..])
            }
            _ => (*row).to_owned(),
        };
        let row: String = row.chars().take(wanted.chars().count()).collect();
        wanted
            .chars()
            .zip(row.chars())
            .all(|(a, b)| a == b || is_digit(a) && is_digit(b))
            && wanted.chars().count() == row.chars().count()
    })
}

/// Returns a screen without its status line, in which the time that an answer takes changes.
fn but_for_the_status(screen: &str) -> String {
    let rows = screen.lines().filter(|row| !row.contains(" connected · "));
    rows.collect::<Vec<_>>().join("\n")
}
