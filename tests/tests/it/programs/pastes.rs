//! Pasted text in terminals that do not mark it, and text that holds the mark of its own end: nothing in
//! it is obeyed, nothing answers, and nothing is said unasked.

use pty_process::blocking::Command;
use tests::{Served, Site, Terminal, Tmux, program, require};

use super::site;

/// Opens a client of alice's on a terminal.
fn enter(site: &Site, served: &Served, more: &[&str]) -> Terminal {
    let command = Command::new(program("client"))
        .args(["--cert", &site.bundle("alice")])
        .args(["--server", &served.address.to_string()])
        .args(more)
        .current_dir(site.folder());
    let mut client = Terminal::open(80, 24, command);
    client.shows("connected");
    client
}

/// Returns the texts of the room.
fn said(site: &Site) -> Vec<String> {
    site.query("select text from history where kind = 'message' order by seq")
}

const BURST: &str = "one\rtwo\r/quit\rthree\rfour\r";
const ENDS_ITSELF: &str = "\x1b[200~one\rtwo\x1b[201~y\rthree\r/quit\rfour";

#[test]
fn pasted_lines_are_one_question_in_lines_whether_the_terminal_marks_them_or_not() {
    for (pasted, lines) in [
        (BURST, vec!["one", "two", "/quit", "three", "four"]),
        (ENDS_ITSELF, vec!["one", "twoy", "three", "/quit", "four"]),
    ] {
        let site = site();
        let served = site.serve(&[]);
        let mut client = enter(&site, &served, &["--plain"]);
        client.shows("> ");
        client.types(pasted);
        client.shows("say these 5 lines to everybody? [y/N]");
        client.types("n");
        client.shows("nothing was sent");
        assert_eq!(said(&site), [""; 0]);
        client.types(pasted);
        client.until("a second question", |screen| {
            screen.contents().matches("say these 5 lines").count() == 2
        });
        client.types("y");
        client.shows("] four");
        assert_eq!(said(&site), lines);
        client.types("/quit\r");
        assert_eq!(client.ends().code(), Some(0));
    }
}

#[test]
fn pasted_lines_are_one_question_in_the_window_too() {
    for pasted in [BURST, ENDS_ITSELF] {
        let site = site();
        let served = site.serve(&[]);
        let mut client = enter(&site, &served, &[]);
        client.types(pasted);
        client.shows("say these 5 lines to everybody?");
        client.types("n");
        client.until("the question is gone", |screen| {
            !screen.contents().contains("say these 5 lines")
        });
        assert_eq!(said(&site), [""; 0]);
        client.types("/quit\r");
        assert_eq!(client.ends().code(), Some(0));
    }
}

#[test]
#[ignore = "needs tmux: run with --include-ignored"]
fn a_paste_of_tmux_that_holds_the_mark_of_its_end_is_one_question() {
    require("tmux");
    let site = site();
    let served = site.serve(&[]);
    let tmux = Tmux::new();
    let pane = tmux.pane("alice", 80, 24, site.folder());
    let (client, bundle, server) = (program("client"), site.bundle("alice"), served.address);
    let client = client.display();
    pane.enters(&format!(
        "{client} --cert {bundle} --server {server} --plain; echo code $?"
    ));
    pane.shows("connected as alice");
    pane.pastes("tm one\ntm two\x1b[201~y\rtm three\r/quit\rfour");
    pane.shows("say these 5 lines to everybody? [y/N]");
    assert_eq!(said(&site), [""; 0]);
    pane.types("n");
    pane.shows("nothing was sent");
    pane.enters("/quit");
    pane.shows("code 0");
}

#[test]
#[ignore = "needs tmux and GNU screen: run with --include-ignored"]
fn a_paste_of_screen_which_marks_none_is_one_question() {
    require("tmux");
    require("screen");
    let site = site();
    let served = site.serve(&[]);
    let tmux = Tmux::new();
    let pane = tmux.pane("alice", 80, 24, site.folder());
    std::fs::write(
        site.folder().join("pasted"),
        "screen one\nscreen two\n/quit\nscreen three\nscreen four\n",
    )
    .expect("a file");
    std::fs::write(site.folder().join("settings"), "startup_message off\n").expect("a file");
    pane.enters("mkdir -m 700 sockets; SCREENDIR=$PWD/sockets screen -c settings -U sh -im");
    let (client, bundle, server) = (program("client"), site.bundle("alice"), served.address);
    let client = client.display();
    pane.enters(&format!(
        "{client} --cert {bundle} --server {server} --plain; echo code $?"
    ));
    pane.shows("connected as alice");
    pane.presses("C-a");
    pane.enters(":readbuf pasted");
    pane.shows("Slurped");
    pane.presses("C-a");
    pane.types("]");
    pane.shows("say these 5 lines to everybody? [y/N]");
    assert_eq!(said(&site), [""; 0]);
    pane.types("y");
    pane.shows("] screen four");
    assert_eq!(said(&site).len(), 5);
    pane.enters("/quit");
    pane.shows("code 0");
}
