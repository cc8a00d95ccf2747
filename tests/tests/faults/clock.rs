//! The server's clock is set back and forward while it runs; everybody else's is right.

use std::path::PathBuf;
use std::process::{Command, Output};

use tests::checker::{assert_clean, rows};
use tests::crowd::{Crowd, Plan};
use tests::{Running, Served, Site, UNLIMITED, program, require};

/// A site whose CA and certificates are 40 days old, so that they are good by a clock that is 30
/// days behind; and a server whose clock can be set while it runs.
struct Clocked {
    site: Site,
    served: Served,
}

impl Clocked {
    fn start(people: &[&str]) -> Self {
        let site = Site::new("Networks 101");
        std::fs::remove_dir_all(site.path("ca")).expect("the CA of today");
        let init = ["init", "--name", "Networks 101", "--no-passphrase"];
        for arguments in [&init[..], &[&["issue"], people].concat()] {
            let mut command = Command::new("faketime");
            command.args(["-f", "-40d"]).arg(program("ca-tool"));
            command.args(arguments).current_dir(site.folder());
            done(&Running::spawn(command).finish());
        }
        set(&site, "+0");
        let mut command = Command::new(program("server"));
        command
            .args(UNLIMITED)
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", site.path("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            // The time is set, but not how fast it goes on.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        let served = site.serve_by(command);
        Self { site, served }
    }

    /// Sets the server's clock so far from the true one.
    fn set(&self, offset: &str) {
        set(&self.site, offset);
    }

    /// Somebody enters and leaves again, or not.
    fn visit(&self, name: &str) -> Output {
        self.site.client(&self.served, name, &[]).finish()
    }

    fn is_admitted(&self, name: &str) {
        done(&self.visit(name));
    }

    fn is_refused(&self, name: &str, exit: i32, words: &str) {
        let output = self.visit(name);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{name}: {told}");
        assert!(told.contains(words), "{name}: {told}");
    }

    fn one(&self, sql: &str) -> String {
        self.site.query(sql).remove(0)
    }

    fn head(&self) -> String {
        self.one("select max(seq) from history")
    }

    /// Stops the server; its log.
    fn stop(self) -> (Site, String) {
        self.served.program.signal("-TERM");
        let output = self.served.program.finish();
        done(&output);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        (self.site, log)
    }
}

fn set(site: &Site, offset: &str) {
    // Renamed into its place: the server reads it each time that it asks for the time.
    std::fs::write(site.path("clock.new"), offset).expect("a file");
    std::fs::rename(site.path("clock.new"), site.path("clock")).expect("a file");
}

/// Returns the library that `faketime` loads into a program that has threads.
fn library() -> PathBuf {
    let mut command = Command::new("faketime");
    command.args(["-m", "-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""]);
    let output = command.output().expect("faketime can be started");
    done(&output);
    String::from_utf8(output.stdout).expect("a path").into()
}

fn done(output: &Output) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
}

/// How many entries are earlier than the one before them.
const STEPS_BACK: &str = "
    select count(*) from history join history as before on before.seq = history.seq - 1
    where history.at < before.at";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs faketime: run with --include-ignored"]
async fn a_clock_that_is_set_back_changes_no_order_and_locks_nobody_out() {
    require("faketime");
    let plan = Plan {
        speakers: 2,
        listeners: 1,
        rude: 0,
        ..Plan::default()
    };
    let names = plan.names();
    let people = names.iter().map(String::as_str);
    let people: Vec<&str> = people.chain(["bob", "mallory"]).collect();
    let clocked = Clocked::start(&people);
    let mut crowd = Crowd::enter(&clocked.site, clocked.served.address, &plan).await;
    crowd.stored(50).await;

    // Half an hour: times stand still until the clock has caught up.
    clocked.set("-30m");
    crowd.stored(50).await;
    let head = clocked.head();
    crowd.stored(50).await;
    let times = format!("select count(distinct at) from history where seq >= {head}");
    assert_eq!(clocked.one(&times), "1");
    assert_eq!(clocked.one(STEPS_BACK), "0");
    clocked.is_admitted("bob");

    // Thirty days: the clock is believed, once and loudly.
    clocked.set("-30d");
    crowd.stored(50).await;
    let head = clocked.head();
    crowd.stored(50).await;
    let times = format!(
        "select count(distinct at) > 1 and max(at) < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-29 days')
        from history where seq >= {head}"
    );
    assert_eq!(clocked.one(&times), "1");
    assert_eq!(clocked.one(STEPS_BACK), "1");
    clocked.is_admitted("bob");
    // By that clock, certificates issued meanwhile come from the future.
    done(&clocked.site.run("ca-tool", &["issue", "carol"]));
    clocked.is_refused("carol", 62, "one of the two clocks is wrong");
    let mut mallory = clocked.site.enter(&clocked.served, "mallory", &[]);
    done(&clocked.site.run("ca-tool", &["revoke", "mallory"]));

    // The clock is right again, and so is everything else.
    clocked.set("+0");
    mallory.expect_err("revoked");
    assert_eq!(mallory.wait().code(), Some(6));
    clocked.is_refused("mallory", 62, "was revoked");
    clocked.is_admitted("carol");
    clocked.is_admitted("bob");
    crowd.stored(50).await;
    assert_eq!(clocked.one(STEPS_BACK), "1");
    let history = crowd.drain_all().await;
    assert_attended(&clocked);
    let (site, log) = clocked.stop();
    assert_eq!(log.matches("far behind the last entry").count(), 1, "{log}");
    assert_clean(
        "a clock set back",
        &history,
        &rows(&site.path("chat.db")).await,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs faketime: run with --include-ignored"]
async fn a_clock_that_is_ten_years_ahead_sends_everybody_away_and_lets_them_in_again_when_it_is_right()
 {
    require("faketime");
    let clocked = Clocked::start(&["alice", "bob"]);
    let mut alice = clocked.site.enter(&clocked.served, "alice", &["--bare"]);
    alice.send("good morning\n");
    alice.expect_out("good morning");

    clocked.set("+10y");
    // Within a minute by itself, or when the list is read.
    clocked.served.program.signal("-HUP");
    alice.expect_err("expired");
    assert_eq!(alice.wait().code(), Some(6));
    // By then the CA itself is of the past.
    for name in ["alice", "bob"] {
        clocked.is_refused(name, 61, "cannot check certificates now");
    }
    // A year less, and only their own certificates are.
    clocked.set("+9y");
    for name in ["alice", "bob"] {
        clocked.is_refused(name, 62, "one of the two clocks is wrong");
    }

    clocked.set("+0");
    clocked.is_admitted("alice");
    clocked.is_admitted("bob");
    let now = "select max(at) < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 minute') from history
        where seq > (select seq from history where kind = 'leave' order by seq limit 1)";
    assert_eq!(clocked.one(now), "1");
    let alive = "select value < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 minute') from meta
        where key = 'alive_at'";
    assert_eq!(clocked.one(alive), "1");
    assert_attended(&clocked);
    let (site, log) = clocked.stop();
    assert_eq!(log.matches("far behind the last entry").count(), 1, "{log}");
    assert!(log.contains("the revocation list is out of date"), "{log}");
    let stored = rows(&site.path("chat.db")).await;
    assert!(stored.iter().map(|row| row.seq).eq(1..=stored.len() as u64));
}

/// This test takes less than an hour, so nobody was here for longer, whatever the clock said.
fn assert_attended(clocked: &Clocked) {
    let longest = "select max(minutes) < 60 and sum(minutes) < 600 from attendance";
    let shown = clocked.site.query("select * from attendance");
    assert_eq!(
        clocked.one(longest),
        "1",
        "{} rows: {:#?}",
        shown.len(),
        &shown[..shown.len().min(20)]
    );
}
