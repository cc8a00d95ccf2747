//! The commands and programs in a document can be typed as they stand there.

#[cfg(unix)]
use std::collections::BTreeSet;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[cfg(unix)]
use tests::run;
use tests::{Running, World, fences, page, pages, project, require};

/// Commands that build the project, run its tests or measure it. They would run this test too, or
/// take minutes; `.ci/run` runs the first two.
#[cfg(unix)]
const BUILDS: [&str; 9] = [
    "./quickstart",
    "cargo test --workspace",
    "cargo build",
    ".ci/run",
    "cargo install --locked --path ca-tool",
    "cargo install --locked --path server",
    "cargo install --locked --path client",
    "cargo bench -p tests --bench room -- --seconds 2 --peer nats --peer mosquitto fan100 fan1000 many100 lat200 lat2000 handshakes idle5000 ingest",
    "cargo bench -p tests --bench window",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3: run with --include-ignored"]
async fn the_python_in_the_documents_is_a_client() {
    require("python3");
    let codes = pages()
        .iter()
        .flat_map(|page| fences(&page.text, "python\n"));
    let codes: Vec<&str> = codes.collect();
    assert!(!codes.is_empty(), "some Python");
    for code in codes {
        let w = World::start().await;
        w.bundle_path("alice");
        let (port, here) = (wire::PORT.to_string(), w.address().port().to_string());
        assert!(code.contains(&port) && code.contains("ca/people/alice.pem"));
        let mut command = Command::new("python3");
        command.args(["-c", &code.replace(&port, &here)]);
        command.current_dir(w.folder()).env("PYTHONUTF8", "1");
        let output = Running::spawn(command).finish();
        let (out, err) = (output.stdout, output.stderr);
        let err = String::from_utf8_lossy(&err);
        assert!(output.status.success(), "{err}");
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(out.starts_with("= welcome id=alice "), "{out}");
        assert!(out.contains("[alice@127.0.0.1] hello from Python"), "{out}");
        assert!(out.contains("= here alice "), "{out}");
        assert!(out.ends_with("= bye goodbye"), "{out}");
    }
}

#[test]
fn the_readme_takes_the_programs_from_where_quickstart_builds_them() {
    let quickstart = std::fs::read_to_string(project().join("quickstart")).expect("UTF-8");
    let built = quickstart
        .split_once("programs=$target/")
        .expect("a folder");
    let folder = built.1.lines().next().unwrap_or_default();
    let path = format!("`PATH=$PWD/target/{folder}:$PATH`");
    assert!(page("README.md").contains(&path), "no {path}");
}

/// The commands of the README, typed in their order in an empty folder.
#[cfg(unix)]
#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn the_commands_in_the_readme_work_in_their_order() {
    require("openssl");
    let commands = commands(page("README.md"));
    assert_eq!(commands.len(), 6, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    type_in(&folder, &commands);
    assert_eq!(said(&folder, "chat.db"), SAID);
}

/// The commands of each other page, typed after those of the README.
#[cfg(unix)]
#[test]
#[ignore = "needs openssl and sqlite3: run with --include-ignored"]
fn the_commands_of_every_page_work_after_those_of_the_readme() {
    ["openssl", "sqlite3"].iter().for_each(|tool| require(tool));
    let mut typed = 0;
    for page in pages() {
        // The commands of CONTRIBUTING stand alone, and has a test of its own.
        let is_alone = ["README.md", "CONTRIBUTING.md"].contains(&page.name.as_str());
        let own = commands(&page.text);
        if is_alone || own.is_empty() {
            continue;
        }
        let mut all = commands(tests::page("README.md"));
        all.extend(&own);
        typed += own.len();
        let folder = tempfile::tempdir().expect("a folder");
        type_in(&folder, &all);
        if page.name == "docs/record.md" {
            copies_are_whole_and_private(&folder);
        }
    }
    assert!(typed >= 18, "only {typed} commands");
}

/// Every command that is not typed is one that is known to build or measure.
#[cfg(unix)]
#[test]
fn every_command_that_builds_stands_in_a_document() {
    let all = pages().iter().flat_map(|page| lines_to_type(&page.text));
    let all: BTreeSet<&str> = all.collect();
    for build in BUILDS {
        assert!(all.contains(build), "{build}");
    }
}

/// The lines that everybody has said after the commands of the README.
#[cfg(unix)]
const SAID: &str = "said\n\"hello, the tests are green, hello\"";

#[cfg(unix)]
fn said(folder: &tempfile::TempDir, db: &str) -> String {
    let sql = "select group_concat(text, ', ') as said from history where kind = 'message'";
    let question = ["query", "--csv", "--db", db, sql];
    let output = run(folder.path(), "server", &question, "");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[cfg(unix)]
fn copies_are_whole_and_private(folder: &tempfile::TempDir) {
    for copy in ["chat.db", "copy.db", "small-copy.db"] {
        assert_eq!(said(folder, copy), SAID, "{copy}");
    }
    // Nobody else reads what was said, and from where.
    for (file, nobodys) in [
        ("chat.db", 0o007),
        ("copy.db", 0o077),
        ("small-copy.db", 0o077),
        ("joins.csv", 0o077),
    ] {
        let there = std::fs::metadata(folder.path().join(file)).expect("a file");
        assert_eq!(there.permissions().mode() & nobodys, 0, "{file}");
    }
    let file = std::fs::read_to_string(folder.path().join("joins.csv")).expect("a file");
    assert_eq!(file.lines().count(), 4, "{file}");
    assert!(file.contains(",TLSv1.3,"), "{file}");
}

#[cfg(unix)]
#[test]
fn what_contributing_says_of_measuring_can_be_typed() {
    let mut commands = commands(page("CONTRIBUTING.md"));
    let measured = commands.last().expect("a command");
    // A build that is not a release would take too long for all of them.
    let few = measured.replace("seq 100000 |", "seq 1000 |");
    assert_ne!(few, *measured);
    commands.pop();
    commands.push(&few);
    let folder = tempfile::tempdir().expect("a folder");
    type_in(&folder, &commands);
    let seen = std::fs::read_to_string(folder.path().join("seen")).expect("a file");
    assert_eq!(
        seen.lines().filter(|line| line.contains("] ")).count(),
        1000
    );
}

/// Returns the commands of a page that are typed here.
#[cfg(unix)]
fn commands(text: &str) -> Vec<&str> {
    let lines = lines_to_type(text).into_iter();
    lines.filter(|line| !BUILDS.contains(line)).collect()
}

/// Returns the lines of a page's shell commands, without comments.
#[cfg(unix)]
fn lines_to_type(text: &str) -> Vec<&str> {
    let lines = fences(text, "sh\n").flat_map(str::lines);
    lines
        .map(|line| line.split("  #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Types commands one after the other. All must succeed; a server ends with the last.
#[cfg(unix)]
fn type_in(folder: &tempfile::TempDir, commands: &[&str]) {
    let mut server: Option<(Running, String)> = None;
    for command in commands {
        if command.starts_with("server") && !command.starts_with("server query") {
            // The port that everybody's server takes may be taken.
            let serve = format!("exec {command} --listen 127.0.0.1:0");
            // It uses the same database as one that was started before.
            drop(server.take());
            let mut started = Running::spawn(shell(&serve, folder));
            let said = started.expect_err("listening on ");
            let (_, port) = said.split_once("127.0.0.1:").expect("a port");
            let port = port.split(' ').next().unwrap_or_default().to_owned();
            server = Some((started, port));
            continue;
        }
        let mut typed = (*command).to_owned();
        if let Some((_, port)) = &server {
            let host = format!("localhost:{port}");
            typed = typed.replace(&format!("localhost:{}", wire::PORT), &host);
            typed = typed.replace("--server localhost", &format!("--server {host}"));
        }
        let mut running = Running::spawn(shell(&typed, folder));
        if command.starts_with("openssl s_client") {
            running.expect_out("= welcome id=alice ");
        }
        running.send("hello\n");
        // What goes through a pipe to our own client is text.
        if command.starts_with("openssl s_client") {
            running.send("/quit\n");
        }
        let ended = running.finish();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{command}: {told}");
    }
}

#[cfg(unix)]
fn shell(command: &str, folder: &tempfile::TempDir) -> Command {
    let programs = tests::program("server");
    let mut path = programs.parent().expect("a folder").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", path);
    shell
}
