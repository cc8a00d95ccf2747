//! The checker can fail: it catches servers with a fault in their source, each for its own fault.
//!
//! The fault is put into a copy of the project. Dependencies are not compiled again for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::power::{Run, db, stored};
use crate::replay::Unsynced;
use cargo_metadata::{Artifact, Message};
use tests::checker::{History, Violation, check, rows};
use tests::crowd::{Crowd, Plan, Room};
use tests::{Site, UNLIMITED, chance, program, require};

/// How often a server is killed, or its power cut, before its fault counts as not caught.
const ROUNDS_MAX: u64 = 100;

/// A fault that is put into one function of the server.
struct Edit {
    /// `TYPE::FUNCTION`, or `FUNCTION` of a function that is free. It is looked for in every file of
    /// the server, so that it is found wherever it is moved.
    function: &'static str,
    /// Stands exactly once in its body. White space does not count.
    find: &'static str,
    replace: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shows_what_it_has_not_committed_is_caught() {
    let server = mutant(
        "shows first",
        &[
            Edit {
                function: "Recorder::take",
                find: "self.commit(&work.rows).await?;",
                replace: "let rows = work.rows.clone();",
            },
            Edit {
                function: "Recorder::take",
                find: "self.room.forget_old();",
                replace: "self.commit(&rows).await?; self.room.forget_old();",
            },
        ],
    );
    let is_lost = |violation: &Violation| {
        matches!(
            violation,
            Violation::Lost { .. } | Violation::Phantom { .. }
        )
    };
    kill_until(&server, is_lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_what_was_sent_is_caught() {
    let server = mutant(
        "forgets",
        &[
            Edit {
                function: "Database::known_run",
                find: "number(newest, \"n\"),",
                replace: "0,",
            },
            Edit {
                function: "Database::known_run",
                find: "rows.iter().map(stored).collect(),",
                replace: "rows.iter().map(stored).map(|_| None).collect(),",
            },
        ],
    );
    kill_until(&server, |violation| {
        matches!(violation, Violation::Twice { .. })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_cursor_skips_what_is_not_in_memory_is_caught() {
    let server = mutant(
        "skips",
        &[Edit {
            function: "Cursor::take",
            find: "let page = transcript.pages.page(self.seq, to, entries_max).await?;",
            replace: "let page = transcript.pages.page(self.seq, to, entries_max).await?.filter(|_| false);",
        }],
    );
    let site = Site::new("Networks 101");
    let served = site.serve_by(command(&server));
    let history = History::new();
    let talkers = Plan {
        line_bytes: 4000,
        pace: Duration::ZERO,
        listeners: 0,
        rude: 0,
        ..Plan::default()
    };
    let room = Room::of(&site, served.address, &talkers);
    let mut crowd = Crowd::enter_room(&room, &talkers, history.clone()).await;
    // More than a server takes into memory when it starts.
    crowd.stored(500).await;
    crowd.drain_all().await;
    served.program.signal("-TERM");
    assert!(served.program.finish().status.success());

    let _served = site.serve_again_by(room.address, command(&server));
    let late = Plan {
        speakers: 1,
        ..talkers
    };
    let mut crowd = Crowd::enter_room(&room, &late, history.clone()).await;
    crowd.stored(1).await;
    // A client that has seen its own line has seen everything that the server sends of those before it.
    let (seen, _undrained) = crowd.drain().await;
    let violations = check(&seen, &rows(&db(&site)).await);
    let is_skipped = |violation: &Violation| matches!(violation, Violation::Step { .. });
    assert!(violations.iter().any(is_skipped), "{violations:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: run with --include-ignored"]
async fn a_server_that_does_not_wait_for_the_disk_is_caught() {
    require("strace");
    let server = mutant(
        "does not wait",
        &[
            Edit {
                function: "Database::open",
                find: ".synchronous(SqliteSynchronous::Full)",
                replace: ".synchronous(SqliteSynchronous::Normal)",
            },
            Edit {
                function: "check_pragmas",
                find: "(\"synchronous\", synchronous.to_string(), \"2\")",
                replace: "(\"synchronous\", synchronous.to_string(), \"1\")",
            },
        ],
    );
    let mut chance = chance("mutants");
    let run = Run::of(&server, &mut chance).await;
    for round in 1..=ROUNDS_MAX {
        let at = run.moment_of_an_acknowledgement(&mut chance);
        let violations = run.judge(at, Unsynced::Gone).await;
        let is_lost = |violation: &Violation| matches!(violation, Violation::Lost { .. });
        if violations.iter().any(is_lost) {
            println!("caught when the power went for the {round}. time");
            return;
        }
    }
    panic!("not caught when the power went {ROUNDS_MAX} times");
}

/// Kills a server under a crowd until the checker finds the violation that it is expected to find.
async fn kill_until(server: &Path, is_expected: fn(&Violation) -> bool) {
    let mut chance = chance("mutants");
    let site = Site::new("Networks 101");
    let db = db(&site);
    let mut served = site.serve_by(command(server));
    let mut crowd = Crowd::enter(&site, served.address, &Plan::default()).await;
    for round in 1..=ROUNDS_MAX {
        crowd.stored(chance.u64(1..50)).await;
        tokio::time::sleep(Duration::from_micros(chance.u64(0..20_000))).await;
        let address = served.address;
        served.program.signal("-KILL");
        served.program.finish();
        let violations = check(&crowd.history(), &stored(&db).await);
        if violations.iter().any(is_expected) {
            println!("caught when it was killed for the {round}. time");
            return;
        }
        served = site.serve_again_by(address, command(server));
    }
    panic!("not caught when it was killed {ROUNDS_MAX} times");
}

fn command(server: &Path) -> Command {
    let mut command = Command::new(server);
    command.args(UNLIMITED);
    command
}

/// Builds the server with a fault in it, and returns its path.
fn mutant(name: &str, edits: &[Edit]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let workshop = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let (source, target) = (workshop.join("source"), workshop.join("target"));
    copy_project(&project, &source, edits);
    borrow_what_is_built(&project, &target);
    let (compiled, server) = build(&source, &target);
    let others: Vec<&String> = compiled.iter().filter(|id| !is_ours(id)).collect();
    assert!(others.is_empty(), "compiled again: {others:?}");
    // The next one is built in the same place.
    let kept = workshop.join(name.replace(' ', "-"));
    fs::copy(server, &kept).expect("a server can be copied");
    kept
}

/// Copies what a server is made from, and puts a fault into it. A file that is as it should be is not
/// touched, so that it is not compiled again.
fn copy_project(project: &Path, copy: &Path, edits: &[Edit]) {
    let mut files = Vec::new();
    for part in [
        "Cargo.toml",
        "Cargo.lock",
        "migrations",
        "wire",
        "pki",
        "ca-tool",
        "server",
        "client",
        "tests",
    ] {
        list(&project.join(part), &mut files);
    }
    let mut mutated = mutate(&project.join("server/src"), edits);
    for file in files {
        let name = file.strip_prefix(project).expect("it was found there");
        let bytes = match mutated.remove(&file) {
            Some(text) => text.into_bytes(),
            None => fs::read(&file).expect("a source can be read"),
        };
        let copy = copy.join(name);
        if fs::read(&copy).is_ok_and(|there| there == bytes) {
            continue;
        }
        make_folder_of(&copy);
        fs::write(copy, bytes).expect("a source can be written");
    }
    assert!(mutated.is_empty(), "not copied: {:?}", mutated.keys());
    remove_what_is_gone(project, copy);
}

/// Removes files of an earlier copy that the project does not have any more: a module that was moved
/// would be there twice.
fn remove_what_is_gone(project: &Path, copy: &Path) {
    let mut files = Vec::new();
    list(copy, &mut files);
    for file in files {
        let name = file.strip_prefix(copy).expect("it was found there");
        if !project.join(name).exists() {
            fs::remove_file(&file).expect("a file can be removed");
        }
    }
}

/// Returns the files of this folder that the edits change, as they are then.
fn mutate(folder: &Path, edits: &[Edit]) -> BTreeMap<PathBuf, String> {
    let mut files = Vec::new();
    list(folder, &mut files);
    let read = |file: &PathBuf| fs::read_to_string(file).expect("a source is UTF-8");
    let mut mutated = BTreeMap::new();
    for edit in edits {
        let found: Vec<_> = files
            .iter()
            .filter_map(|file| {
                let text = mutated.get(file).cloned().unwrap_or_else(|| read(file));
                let changed = edited(&text, edit);
                changed.map(|changed| (file.clone(), changed))
            })
            .collect();
        let files: Vec<_> = found.iter().map(|(file, _)| file).collect();
        let function = edit.function;
        assert_eq!(
            found.len(),
            1,
            "{function} is in {files:?}, not in one file"
        );
        for (file, changed) in found {
            let changed = changed.unwrap_or_else(|why| panic!("out of date, {function}: {why}"));
            mutated.insert(file, changed);
        }
    }
    mutated
}

/// Returns the file with the edit made, or why it cannot be made; `None` if the function is not there.
fn edited(text: &str, edit: &Edit) -> Option<Result<String, String>> {
    let (begin, end) = function(text, edit.function)?;
    let body = &text[begin..end];
    let found = positions(body, edit.find);
    let &[(from, to)] = &found[..] else {
        let times = found.len();
        return Some(Err(format!("`{}` stands there {times} times", edit.find)));
    };
    let (before, after) = (&text[..begin + from], &text[begin + to..]);
    Some(Ok(format!("{before}{}{after}", edit.replace)))
}

/// Returns where a function begins and ends in a file that is formatted as `cargo fmt` does it.
fn function(text: &str, name: &str) -> Option<(usize, usize)> {
    let (holder, name) = match name.split_once("::") {
        Some((holder, name)) => (Some(holder), name),
        None => (None, name),
    };
    let mut is_in_holder = false;
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        if indent.is_empty() && !code.is_empty() && !code.starts_with(['}', ')']) {
            // `impl<R> Session<R> {` and `impl Display for Session {` are both of Session.
            let mut words = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            is_in_holder = code.starts_with("impl") && words.any(|word| holder == Some(word));
        }
        let is_named = code
            .split_once("fn ")
            .and_then(|(_, rest)| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(['(', '<']));
        if is_named && is_in_holder == holder.is_some() && (holder.is_some() || indent.is_empty()) {
            let end = text[begin..].find(&format!("\n{indent}}}\n"))?;
            return Some((begin, begin + end));
        }
        begin += line.len();
    }
    None
}

/// Returns where `wanted` stands in a text. White space counts in neither.
fn positions(text: &str, wanted: &str) -> Vec<(usize, usize)> {
    let solid = |text: &str| -> Vec<(usize, char)> {
        let all = text.char_indices();
        all.filter(|(_, c)| !c.is_whitespace()).collect()
    };
    let (text, wanted) = (solid(text), solid(wanted));
    let is_it = |part: &[(usize, char)]| part.iter().zip(&wanted).all(|(a, b)| a.1 == b.1);
    let parts = text.windows(wanted.len()).filter(|part| is_it(part));
    let ends = parts.map(|part| {
        let (last, c) = part[part.len() - 1];
        (part[0].0, last + c.len_utf8())
    });
    ends.collect()
}

#[test]
fn an_edit_is_made_within_its_function_and_fails_where_it_finds_nothing() {
    const SOURCE: &str = "\
fn take() {
    commit();
}

impl<R> Recorder<R> {
    async fn take(&mut self) {
        self
            .commit();
        publish();
    }

    fn twice() {
        commit();
        commit();
    }
}
";
    let edit = |function, find| {
        let edit = Edit {
            function,
            find,
            replace: "nothing()",
        };
        edited(SOURCE, &edit)
    };
    let expected = SOURCE.replace("self\n            .commit()", "nothing()");
    let made = edit("Recorder::take", "self.commit()");
    assert_eq!(made, Some(Ok(expected)));
    let free = SOURCE.replacen("commit()", "nothing()", 1);
    assert_eq!(edit("take", "commit()"), Some(Ok(free)));
    for (function, find) in [
        ("Recorder::take", "forget()"),
        ("Recorder::twice", "commit()"),
        ("take", "publish()"),
    ] {
        assert!(matches!(edit(function, find), Some(Err(_))), "{function}");
    }
    for function in ["Recorder::tak", "Room::take", "twice"] {
        assert_eq!(edit(function, "commit()"), None, "{function}");
    }
}

/// Copies the dependencies that are compiled already, with the names and times by which cargo knows them.
fn borrow_what_is_built(project: &Path, target: &Path) {
    let built = program("server")
        .parent()
        .expect("target/PROFILE")
        .to_owned();
    let profile = built.file_name().expect("target/PROFILE");
    let mut files = Vec::new();
    for folder in [".fingerprint", "build"] {
        list(&built.join(folder), &mut files);
    }
    files.retain(|file| {
        let name = file
            .strip_prefix(&built)
            .ok()
            .and_then(|name| name.iter().nth(1));
        !name.is_some_and(|name| OURS.iter().any(|our| is_of(&name.to_string_lossy(), our)))
    });
    // With nothing changed, this only lists them.
    for artifact in cargo(project, None) {
        if is_ours(&artifact.package_id.repr) {
            continue;
        }
        files.extend(artifact.filenames.into_iter().map(PathBuf::from));
    }
    for file in files {
        let Ok(name) = file.strip_prefix(&built) else {
            continue;
        };
        let copy = target.join(profile).join(name);
        let times = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        };
        let original = times(&file);
        if original == times(&copy) {
            continue;
        }
        make_folder_of(&copy);
        fs::copy(&file, &copy).expect("what is built can be copied");
        let (_, modified) = original.expect("it was there");
        let opened = fs::File::options().append(true).open(&copy);
        let timed = opened.and_then(|copy| copy.set_modified(modified));
        timed.expect("a copy can be dated");
    }
}

/// Returns the packages that were compiled, and the path of the server.
fn build(source: &Path, target: &Path) -> (BTreeSet<String>, PathBuf) {
    let artifacts = cargo(source, Some(target));
    let server = artifacts.iter().find_map(|artifact| {
        artifact
            .executable
            .clone()
            .filter(|_| artifact.target.name == "server")
    });
    let compiled = artifacts.into_iter().filter(|artifact| !artifact.fresh);
    let compiled = compiled.map(|artifact| artifact.package_id.repr).collect();
    (compiled, server.expect("a server is built").into())
}

/// Builds what [`program`] builds: with fewer packages, the others would have fewer features.
fn cargo(folder: &Path, target: Option<&Path>) -> Vec<Artifact> {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command
        .args([
            "build",
            "--locked",
            "--quiet",
            "--message-format=json-render-diagnostics",
        ])
        .args(["-p", "ca-tool", "-p", "server", "-p", "client"])
        .current_dir(folder)
        .stdin(Stdio::null());
    if let Some(target) = target {
        command.arg("--target-dir").arg(target);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "no server could be built");
    let messages = Message::parse_stream(output.stdout.as_slice());
    let artifact = |message| match message {
        Ok(Message::CompilerArtifact(artifact)) => Some(artifact),
        _ => None,
    };
    messages.filter_map(artifact).collect()
}

const OURS: [&str; 7] = ["wire", "pki", "ca-tool", "server", "client", "kit", "tests"];

/// Returns whether a package is of this project, by the ID that cargo gives it.
fn is_ours(id: &str) -> bool {
    id.starts_with("path+")
}

/// Returns whether a folder belongs to a package: its name, and a hash.
fn is_of(folder: &str, package: &str) -> bool {
    let hash = folder
        .strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() == 16)
}

fn list(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder can be read") {
            list(&entry.expect("an entry").path(), files);
        }
    } else if path.exists() {
        files.push(path.to_owned());
    }
}

fn make_folder_of(file: &Path) {
    let folder = file.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
}
