//! The end of a server: it is told to stop, told twice, or killed.

use tests::UNLIMITED;

use super::{end, run_client, site};

#[test]
fn a_server_that_is_stopped_says_so_and_has_stored_all_that_it_acknowledged() {
    let site = site();
    let served = site.serve(&UNLIMITED);
    // This test is about the end of the server, so no client waits for it to come back.
    let mut alice = site.enter(&served, "alice", &["--raw", "--give-up-after", "0"]);
    let bob = site.enter(&served, "bob", &["--raw", "--give-up-after", "0"]);
    // Less than a pipe holds, and more than is said at once.
    let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    alice.send(&lines);
    alice.expect_out("= ok ");
    served.program.signal("-TERM");
    let (alice, bob) = (end(alice), end(bob));
    let server = end(served.program);
    assert_eq!(server.code, Some(0), "{}", server.err);
    for client in [&alice, &bob] {
        client.failed(6, "shutting-down", "connect again when the server is back");
        let bye = "= bye shutting-down the server is being stopped";
        assert_eq!(client.out.lines().last(), Some(bye));
    }
    let stored = site.query("select nonce || ' ' || seq from history where kind = 'message'");
    let acknowledged = alice
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("= ok "));
    let acknowledged: Vec<&str> = acknowledged.collect();
    assert!(!acknowledged.is_empty());
    for answer in &acknowledged {
        assert!(stored.iter().any(|row| row == answer), "{answer} is lost");
    }
    assert_eq!(
        site.query("select id, reason, left_at is null from joins order by session"),
        ["alice,shutting-down,0", "bob,shutting-down,0"]
    );
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_anybody() {
    let site = site();
    let mut served = site.serve(&UNLIMITED);
    let _bob = tests::sit_unread(&site, &served).await;
    served.program.signal("-TERM");
    served.program.expect_err("stopping");
    served.program.signal("-TERM");
    assert_eq!(end(served.program).code, Some(143));
}

#[test]
fn after_a_crash_sessions_end_when_the_server_was_last_known_to_run() {
    let site = site();
    let served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--bare", "--give-up-after", "0"]);
    alice.send("hello\n");
    alice.expect_out("hello");
    served.program.signal("-KILL");
    assert_eq!(end(served.program).code, None);
    let alice = end(alice);
    assert_eq!(alice.code, Some(4), "{}", alice.err);
    let alive_at = site.query("select value from meta where key = 'alive_at'");
    let open = "select left_at, reason from joins";
    assert_eq!(site.query(open), [","]);

    let mut served = site.serve(&[]);
    let line = served.program.expect_err("a crash left open");
    assert!(
        line.contains(" WARN ") && line.contains("sessions=1"),
        "{line}"
    );
    assert_eq!(site.query(open), [format!("{},server-crash", alive_at[0])]);
    // Lines acknowledged before the crash are there, and the numbers go on.
    let said = run_client(&site, &served.address.to_string(), "bob", "hello again\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines = "select seq, text from history where kind = 'message' order by seq";
    assert_eq!(site.query(lines)[0], "2,hello");
    assert_eq!(
        site.query("select count(*) = max(seq) from history"),
        ["1"],
        "no gap"
    );
}
