//! What the documents say is what the programs do: transcripts are replayed, tables compared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::{Peer, Running, World, instructors, lasting, require, run};
use wire::limits;
use wire::{COMMANDS, Code, Line, Reason, Timestamp};

use crate::mint::publish_list;

const CONTRIBUTING: &str = include_str!("../../../CONTRIBUTING.md");
const PROTOCOL: &str = include_str!("../../../PROTOCOL.md");
const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");
const README: &str = include_str!("../../../README.md");

#[tokio::test]
async fn every_transcript_in_the_protocol_happens_as_it_is_written() {
    let transcripts: Vec<Transcript> = fences(PROTOCOL, "transcript").map(read).collect();
    let codes = transcripts.iter().flat_map(|t| &t.steps);
    let shown = codes.filter(|step| matches!(step, Step::Server(line) if line.starts_with("! ")));
    assert!(shown.count() > 10, "the transcripts show refusals too");

    let mut scene: Option<Scene> = None;
    for transcript in &transcripts {
        let mut now = match (scene.take(), transcript.setting) {
            (Some(before), Setting::Continued) => before,
            _ => Scene::new(transcript.setting).await,
        };
        now.play(transcript).await;
        scene = Some(now);
    }
}

#[tokio::test]
#[should_panic(expected = "2 <time> [alice@127.0.0.1] goodbye")]
async fn a_transcript_that_is_not_true_fails() {
    let text = "plain\n\
        S: = welcome id=alice role=student ip=127.0.0.1 room=\"Networks 101\" head=1 epoch=<epoch> clock=<time> version=<version>\n\
        S: 1 <time> * alice@127.0.0.1 entered\n\
        S: = at 1\n\
        C: hello\n\
        S: 2 <time> [alice@127.0.0.1] goodbye\n";
    Scene::new(Setting::New).await.play(&read(text)).await;
}

#[test]
fn a_placeholder_stands_for_its_kind_and_a_numbered_time_for_one_time() {
    let mut times = BTreeMap::new();
    let time = "2026-11-21T10:00:00.123Z";
    let mut check = |pattern: &str, line: &str| matches(pattern, line, &mut times);
    assert!(check("1 <time> x", &format!("1 {time} x")));
    assert!(check("a=<epoch> v=<version>", "a=0123456789abcdef v=0.1.0"));
    assert!(!check("1 <time> x", "1 yesterday x"));
    assert!(!check("1 <time> x", &format!("1 {time} y")));
    assert!(!check("a=<epoch>", "a=0123456789abcdeg"));
    assert!(!check("v=<version>", "v="));
    assert!(check("<time 7>", time));
    assert!(check("<time 7>", time));
    assert!(!check("<time 7>", "2026-11-21T10:00:00.124Z"));
}

#[test]
fn the_protocol_names_every_refusal_and_no_other() {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    assert_eq!(first_column("## 8. Refusals"), codes.collect());
}

#[test]
fn the_protocol_names_every_reason_and_no_other() {
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
    assert_eq!(first_column("## 9. Reasons"), reasons.collect());
}

#[test]
fn the_protocol_names_every_command_with_its_arguments_and_no_other() {
    let usages: Vec<String> = COMMANDS
        .iter()
        .map(|command| format!("{} {}", command.name, command.arguments))
        .map(|usage| usage.trim_end().replace('|', r"\|"))
        .collect();
    let usages = usages.iter().map(String::as_str);
    assert_eq!(first_column("## 6. Commands"), usages.collect());
}

#[test]
fn the_limits_in_the_protocol_are_those_of_the_code() {
    let limits = BTreeMap::from([
        ("TEXT_BYTES_MAX", limits::TEXT_BYTES_MAX),
        ("LINE_BYTES_MAX", limits::LINE_BYTES_MAX),
        ("SERVER_LINE_BYTES_MAX", limits::SERVER_LINE_BYTES_MAX),
        ("DISCARD_BYTES_MAX", limits::DISCARD_BYTES_MAX),
        ("PREFIX_BYTES_MAX", limits::PREFIX_BYTES_MAX),
        ("ID_CHARS_MAX", limits::ID_CHARS_MAX),
        ("ID_BYTES_MAX", limits::ID_BYTES_MAX),
        ("UNACKNOWLEDGED_LINES_MAX", limits::UNACKNOWLEDGED_LINES_MAX),
        ("RUN_CHARS_MIN", limits::RUN_CHARS_MIN),
        ("RUN_CHARS_MAX", limits::RUN_CHARS_MAX),
    ]);
    let section = section(PROTOCOL, "## 2. Lines");
    let rows = section.lines().filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells.get(3)?.strip_prefix('`')?.strip_suffix('`')?;
        let (value, _unit) = cells[2].split_once(' ')?;
        Some((name, value.parse().expect("a number and its unit")))
    });
    assert_eq!(rows.collect::<BTreeMap<_, usize>>(), limits);
    let port = format!("port {} unless", wire::PORT);
    assert!(PROTOCOL.contains(&port), "no {port:?}");
    let alpn = std::str::from_utf8(wire::ALPN).expect("a name");
    assert!(PROTOCOL.contains(&format!("**`{alpn}`.**")));
}

#[test]
fn the_characters_of_a_text_in_the_grammar_are_those_that_may_be_said() {
    let rule = rules().remove("text-char").expect("a rule");
    let ranges: Vec<RangeInclusive<u32>> = rule.split('/').map(range).collect();
    for c in '\0'..=char::MAX {
        let in_grammar = ranges.iter().any(|range| range.contains(&u32::from(c)));
        // An invisible character may stand behind some characters only, and a blank not alone.
        let mut before = ["x", "字", "❤", "م", "ᠰ"].into_iter();
        let may_be_said =
            before.any(|before| Line::parse(format!("{before}{c}").as_bytes()).is_ok());
        assert_eq!(in_grammar, may_be_said, "U+{:04X}", u32::from(c));
    }
}

#[test]
fn every_rule_that_the_grammar_uses_is_defined_in_it() {
    const CORE: [&str; 8] = [
        "ALPHA", "DIGIT", "HEXDIG", "CR", "LF", "SP", "WSP", "DQUOTE",
    ];
    let rules = rules();
    for (name, rule) in &rules {
        // Every second part stands in quotes; a number may stand before a rule.
        let bare: Vec<&str> = rule.split('"').step_by(2).collect();
        let bare = bare.join(" ").replace("%s", " ");
        let names = bare.split(|c: char| !(c.is_ascii_alphanumeric() || "-%".contains(c)));
        for used in names {
            let used = used.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_number = used.is_empty() || used.starts_with('%');
            assert!(
                is_number || CORE.contains(&used) || rules.contains_key(used),
                "{name} uses {used:?}, which is not defined"
            );
        }
    }
    for command in COMMANDS {
        let name = command.name.trim_start_matches('/');
        assert!(rules.contains_key(name), "no rule for {}", command.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python3: run with --include-ignored"]
async fn the_python_in_the_readme_is_a_client() {
    require("python3");
    let w = World::start().await;
    w.bundle_path("alice");
    let code = fences(README, "python\n").next().expect("some Python");
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

/// What the README says to type, typed in its order in an empty folder.
#[cfg(unix)]
#[test]
#[ignore = "needs openssl and sqlite3: run with --include-ignored"]
fn the_commands_in_the_readme_work_in_their_order() {
    // They build what has been built for this test; the first runs as a step of `.ci/run`.
    const BUILDS: [&str; 5] = [
        "./quickstart",
        "cargo test --workspace",
        "cargo install --locked --path ca-tool",
        "cargo install --locked --path server",
        "cargo install --locked --path client",
    ];
    for tool in ["openssl", "sqlite3"] {
        require(tool);
    }
    let mut commands = commands(README);
    commands.retain(|command| !BUILDS.contains(command));
    assert_eq!(commands.len(), 24, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    type_in(&folder, &commands);
    let ask = |db: &str, sql: &str| {
        let output = run(
            folder.path(),
            "server",
            &["query", "--csv", "--db", db, sql],
            "",
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let said = "select group_concat(text, ', ') as said from history where kind = 'message'";
    for copy in ["chat.db", "copy.db", "small-copy.db"] {
        assert_eq!(
            ask(copy, said),
            "said\n\"hello, the tests are green, hello\"",
            "{copy}"
        );
    }
    // Nobody else reads what was said, and from where.
    for (file, nobodys) in [
        ("chat.db", 0o007),
        ("copy.db", 0o077),
        ("small-copy.db", 0o077),
        ("joins.csv", 0o077),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
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
    let mut commands = commands(CONTRIBUTING);
    commands.retain(|command| !command.starts_with("cargo ") && !command.starts_with("./"));
    commands.retain(|command| *command != ".ci/run");
    let measured = commands.last().expect("a command");
    // As many as it says are too many for a build that is not a release.
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

/// What a page says to type, comments gone.
#[cfg(unix)]
fn commands(page: &str) -> Vec<&str> {
    let lines = fences(page, "sh\n").flat_map(str::lines);
    lines
        .map(|line| line.split("  #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Types commands one after the other, a server's end being that of the last. All must succeed.
#[cfg(unix)]
fn type_in(folder: &tempfile::TempDir, commands: &[&str]) {
    let mut server: Option<(Running, String)> = None;
    for command in commands {
        if command.starts_with("server") && !command.starts_with("server query") {
            // The port that everybody's server takes may be taken.
            let serve = format!("exec {command} --listen 127.0.0.1:0");
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
        running.send("hello\n/quit\n");
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

#[test]
fn every_promise_in_the_readme_names_the_test_that_tries_to_break_it() {
    let mut promises = 0;
    let heading = "## What is promised, and what tries to break it";
    for row in section(README, heading).lines() {
        let Some((_, name)) = row.split_once("| `") else {
            continue;
        };
        let names = name.strip_suffix("` |").expect("tests, and nothing else");
        for name in names.split("`, `") {
            assert!(is_a_test(name), "there is no test {name}");
        }
        promises += 1;
    }
    assert!(promises > 15, "only {promises} promises");
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_a_test("documents::a_test_that_is_not_there_is_noticed"));
    assert!(!is_a_test("documents::a_test_that_is_not_there"));
    assert!(!is_a_test("views::a_test_that_is_not_there_is_noticed"));
    assert!(!is_a_test("documents::is_a_test"), "it is no test itself");
}

/// Whether `FILE::NAME` is a test that runs.
fn is_a_test(name: &str) -> bool {
    let (file, name) = name.split_once("::").expect("a file and a name");
    let mut sources = Vec::new();
    let mut folders = vec![
        project().join("tests/tests"),
        project().join("ca-tool/tests"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of tests") {
            let path = entry.expect("an entry").path();
            let is_it =
                path.ends_with(format!("{file}.rs")) || path.ends_with(format!("{file}/main.rs"));
            match path.is_dir() {
                true => folders.push(path),
                false if is_it => sources.push(std::fs::read_to_string(path).expect("UTF-8")),
                false => {}
            }
        }
    }
    assert!(!sources.is_empty(), "there is no file {file}");
    let is_there = |source: &String| source.contains(&format!("fn {name}()"));
    let Some(source) = sources.into_iter().find(is_there) else {
        return false;
    };
    let Some((before, _)) = source.split_once(&format!("fn {name}()")) else {
        return false;
    };
    let (above, _) = before.rsplit_once('\n').expect("a file begins otherwise");
    let mut attributes = above
        .lines()
        .rev()
        .take_while(|line| line.starts_with("#["));
    attributes.any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}

#[test]
fn the_servers_flags_in_the_readme_are_those_that_it_has() {
    let folder = std::env::temp_dir();
    let help = run(&folder, "server", &["--help"], "").stdout;
    let help = String::from_utf8(help).expect("UTF-8");
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    let mut flag = "";
    for line in help.lines() {
        if let Some(name) = line.strip_prefix("      --") {
            flag = name.split(' ').next().unwrap_or_default();
            told.insert(flag, "");
        }
        if let Some((_, default)) = line.split_once("[default: ") {
            told.insert(flag, default.strip_suffix(']').expect("it ends"));
        }
    }
    let rows = section(README, "## The server's flags").lines();
    let rows = rows.filter_map(|row| {
        let (flag, rest) = row.strip_prefix("| `--")?.split_once("` |")?;
        let default = rest.split('|').next()?.trim().trim_matches('`');
        Some((flag, default))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), told);
}

#[test]
fn the_exit_codes_in_the_readme_are_those_that_the_programs_tell() {
    for (program, heading) in [
        ("ca-tool", "## The exit codes of `ca-tool`"),
        ("client", "## The client's exit codes"),
    ] {
        let folder = std::env::temp_dir();
        let help = run(&folder, program, &["--help"], "").stdout;
        let help = String::from_utf8(help).expect("UTF-8");
        let (_, told) = help.split_once("Exit codes:").expect("exit codes");
        let number = |word: &str| word.parse::<u8>().ok();
        let told: BTreeSet<u8> = told.split_whitespace().filter_map(number).collect();
        let rows = section(README, heading).lines();
        let rows = rows.filter_map(|row| number(row.strip_prefix("| ")?.split(' ').next()?));
        assert_eq!(rows.collect::<BTreeSet<_>>(), told, "{program}");
    }
}

#[test]
fn every_file_of_the_programs_has_its_row_in_the_architecture() {
    for program in ["server", "client"] {
        let heading = format!("The files of `{program}/src/`:\n\n");
        let (_, table) = ARCHITECTURE.split_once(&heading).expect("a table");
        let rows = table.lines().take_while(|row| row.starts_with('|'));
        let rows = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next());
        let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
        let folder = std::fs::read_dir(project().join(program).join("src"));
        let files = folder.expect("a folder").map(|file| {
            let name = file.expect("a file").file_name();
            name.into_string().expect("UTF-8")
        });
        // What lies in a folder beside its file is told with it.
        let files = files.filter(|name| !rows.contains(&format!("{name}.rs")));
        assert_eq!(files.collect::<BTreeSet<_>>(), rows, "{program}");
    }
}

#[test]
fn every_function_that_the_documents_name_is_there() {
    let lines = ARCHITECTURE.lines().chain(CONTRIBUTING.lines());
    let lines = lines.filter(|line| !line.contains("<br>"));
    let code = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    let named: Vec<&str> = code.filter(|code| code.contains(".rs: ")).collect();
    assert!(named.len() > 50, "only {} are named", named.len());
    for named in named {
        // In the steps below a chart the crate is that of the chart.
        let crates = ["", "server/", "client/"].into_iter();
        let mut places = crates.map(|within| format!("{within}{named}"));
        assert!(places.any(|place| is_there(&place)), "there is no {named}");
    }
}

#[test]
fn every_box_of_the_flowcharts_is_a_function_with_its_step_below() {
    for (of, heading) in [
        ("server", "## The server, step by step"),
        ("client", "## The client, step by step"),
    ] {
        let page = section(ARCHITECTURE, heading);
        let chart = fences(page, "mermaid\n").next().expect("a chart");
        let mut numbers = Vec::new();
        for label in chart.split('"').skip(1).step_by(2) {
            let (what, place) = label.split_once("<br>").expect("what, and where");
            let (number, _) = what.split_once(' ').expect("a number");
            numbers.push(number.parse::<usize>().expect("a number"));
            let is_named = place.split(':').next().is_some_and(|p| p.contains('/'));
            let place = match is_named {
                true => place.to_owned(),
                false => format!("{of}/{place}"),
            };
            assert!(is_there(&place), "there is no {place}");
        }
        numbers.sort_unstable();
        let steps = page.lines().filter_map(|line| line.split_once(". "));
        let steps: Vec<usize> = steps.filter_map(|(n, _)| n.parse().ok()).collect();
        assert_eq!(numbers, steps, "{heading}");
        assert!((12..=18).contains(&steps.len()), "a chart that can be read");
        let of = &of[..1];
        for number in steps.into_iter().skip(1) {
            let is_led_to = arrows(chart).any(|(_, to)| to == format!("{of}{number}"));
            // What a person types comes from nowhere else.
            let is_a_start = of == "c" && number == 12;
            assert_ne!(is_led_to, is_a_start, "{of}{number}");
        }
    }
}

/// From which box to which the arrows of a chart lead.
fn arrows(chart: &str) -> impl Iterator<Item = (&str, &str)> {
    chart.lines().filter_map(|line| {
        let (from, to) = line.trim().split_once(" -->")?;
        let to = to.rsplit_once("| ").map_or(to.trim(), |(_, to)| to);
        Some((first_word(from), first_word(to)))
    })
}

fn first_word(text: &str) -> &str {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.next().unwrap_or_default()
}

#[test]
fn every_thread_and_task_that_is_started_is_in_the_table() {
    let table = section(ARCHITECTURE, "## Threads and tasks");
    let mut starters = 0;
    for program in ["server", "client"] {
        let folder = project().join(program).join("src");
        for file in std::fs::read_dir(folder).expect("a folder") {
            let file = file.expect("a file").path();
            let source = std::fs::read_to_string(&file).unwrap_or_default();
            let code = source
                .split("#[cfg(test)]\nmod ")
                .next()
                .unwrap_or_default();
            if ["spawn(", "spawn_blocking("]
                .iter()
                .any(|starts| code.contains(starts))
            {
                starters += 1;
                let name = file.file_name().and_then(|name| name.to_str());
                let named = format!("`{program}/{}: ", name.expect("a name"));
                assert!(table.contains(&named), "{named} starts something");
            }
        }
    }
    assert!(starters >= 5, "only {starters} files start anything");
}

#[test]
fn every_file_that_contributing_names_is_there() {
    let code = CONTRIBUTING.split('`').skip(1).step_by(2);
    let is_file = |code: &&str| {
        let is_path = code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"./_".contains(&b));
        is_path && (code.contains('/') || code.ends_with(".md") || code.ends_with(".toml"))
    };
    let files: Vec<&str> = code.filter(is_file).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        assert!(project().join(file).exists(), "there is no {file}");
    }
}

#[test]
fn a_function_that_is_not_there_is_noticed() {
    assert!(is_there("server/recorder.rs: Recorder::run"));
    assert!(
        !is_there("server/recorder.rs: Recorder::ru"),
        "part of a name"
    );
    assert!(
        !is_there("server/recorder.rs: Patience::run"),
        "of another type"
    );
    assert!(!is_there("server/recorder.rs: run"), "of a type, not free");
    assert!(
        !is_there("client/recorder.rs: Recorder::run"),
        "of another crate"
    );
    assert!(
        is_there("server/session.rs: Session::run"),
        "of a generic type"
    );
    assert!(is_there("server/lib.rs: run"), "a free one");
}

/// Whether `CRATE/FILE: FUNCTION` or `CRATE/FILE: TYPE::FUNCTION` is in the source.
fn is_there(place: &str) -> bool {
    let (file, function) = place.split_once(": ").expect("a file and a function");
    let (within, file) = file.split_once('/').unwrap_or((file, ""));
    let source = std::fs::read_to_string(project().join(within).join("src").join(file));
    let Ok(source) = source else {
        return false;
    };
    let (holder, name) = match function.split_once("::") {
        Some((holder, name)) => (Some(holder), name),
        None => (None, function),
    };
    let mut is_in_holder = false;
    source.lines().any(|line| {
        let is_outermost = line.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_outermost {
            // `impl<R> Session<R> {` and `impl Display for Session {` are both of Session.
            let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            is_in_holder = line.starts_with("impl") && words.any(|word| holder == Some(word));
        }
        let rest = line
            .split_once("fn ")
            .and_then(|(_, rest)| rest.strip_prefix(name));
        let is_it = rest.is_some_and(|rest| rest.starts_with(['(', '<']));
        is_it
            && if holder.is_some() {
                is_in_holder
            } else {
                is_outermost
            }
    })
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

// --- transcripts ------------------------------------------------------------------------------

struct Transcript {
    speaks_ours: bool,
    setting: Setting,
    steps: Vec<Step>,
}

/// Where a transcript happens.
#[derive(Clone, Copy)]
enum Setting {
    /// In a room in which nobody has been before.
    New,
    /// Where the transcript above it ended.
    Continued,
    /// In a new room, where alice's certificate has 9 days left.
    Expiring,
    /// In a new room, where alice is an instructor and the revocation list is out of date.
    StaleList,
}

enum Step {
    Client(String),
    Server(String),
}

/// A room, and what is known of the times in it.
struct Scene {
    world: World,
    times: BTreeMap<String, String>,
}

impl Scene {
    async fn new(setting: Setting) -> Self {
        let mut world = World::start().await;
        match setting {
            Setting::New | Setting::Continued => {}
            Setting::Expiring => {
                world.issue(
                    "alice",
                    &lasting(Duration::from_secs(9 * 24 * 60 * 60 + 60)),
                );
            }
            Setting::StaleList => {
                world.stop().await.expect("a good end");
                world.issue("alice", &instructors());
                publish_list(world.ca(), -10, -1);
                world.serve().await;
            }
        }
        Self {
            world,
            times: BTreeMap::new(),
        }
    }

    async fn play(&mut self, transcript: &Transcript) {
        let mut peer = match transcript.speaks_ours {
            true => self.world.connect_ours("alice").await,
            false => self.world.connect("alice").await,
        };
        let mut has_ended = false;
        let mut steps = transcript.steps.iter().peekable();
        while steps.peek().is_some() {
            while let Some(Step::Client(line)) = steps.next_if(|s| matches!(s, Step::Client(_))) {
                self.send(&mut peer, line).await;
            }
            let mut expected = Vec::new();
            while let Some(Step::Server(line)) = steps.next_if(|s| matches!(s, Step::Server(_))) {
                expected.push(line.as_str());
            }
            has_ended = expected.last() == Some(&"<end>");
            self.expect(&mut peer, &expected).await;
        }
        if has_ended {
            drop(peer);
            // Whoever comes next comes after this leave.
            self.world
                .until("select not exists (select 1 from joins where left_at is null)")
                .await;
        } else {
            // Nothing more was sent than what is written.
            peer.say("/ping").await;
            let last = peer.next_line().await.expect("an answer");
            assert!(last.starts_with("= at "), "one line more: {last}");
        }
    }

    async fn send(&self, peer: &mut Peer, line: &str) {
        use tokio::io::AsyncWriteExt as _;
        if line == "<close>" {
            let closed = peer.stream.shutdown().await;
            return closed.expect("the connection is there");
        }
        let mut bytes = self.fill_in(line);
        bytes.push(b'\n');
        peer.send(bytes).await;
    }

    /// Compares what comes with what is written. Only an `= ok` may stand elsewhere among the
    /// others.
    async fn expect(&mut self, peer: &mut Peer, expected: &[&str]) {
        let mut came = Vec::new();
        for _ in expected {
            came.push(peer.next_line().await.unwrap_or("<end>".to_owned()));
        }
        let is_ok = |line: &&str| line.starts_with("= ok ");
        let in_order = |lines: &[&str]| -> VecDeque<String> {
            let (oks, others): (Vec<&str>, Vec<&str>) = lines.iter().partition(|l| is_ok(l));
            others.into_iter().chain(oks).map(str::to_owned).collect()
        };
        let came: Vec<&str> = came.iter().map(String::as_str).collect();
        for (pattern, line) in in_order(expected).iter().zip(in_order(&came)) {
            assert!(
                matches(pattern, &line, &mut self.times),
                "the document says\n  {pattern}\nand the server\n  {line}"
            );
        }
    }

    /// A client's line with its placeholders filled in.
    fn fill_in(&self, line: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts(line) {
            match part {
                Part::Literal(text) => bytes.extend_from_slice(text.as_bytes()),
                Part::Placeholder(inner) => match inner.split_once(' ') {
                    Some(("x", times)) => {
                        let times = times.trim_start_matches("* ").parse();
                        bytes.extend(std::iter::repeat_n(b'x', times.expect("a number")));
                    }
                    Some(("octet", hex)) => {
                        bytes.push(u8::from_str_radix(hex, 16).expect("an octet"));
                    }
                    _ => bytes.extend_from_slice(self.times[inner].as_bytes()),
                },
            }
        }
        bytes
    }
}

fn read(block: &str) -> Transcript {
    let (words, lines) = block.split_once('\n').expect("a dialect, then lines");
    let words: Vec<&str> = words.split_whitespace().collect();
    let step = |line: &str| match line.split_once(": ") {
        Some(("C", text)) => Step::Client(text.to_owned()),
        Some(("S", text)) => Step::Server(text.to_owned()),
        _ => panic!("neither C: nor S: {line}"),
    };
    let (dialect, setting) = match words.as_slice() {
        [dialect] => (*dialect, Setting::New),
        [dialect, "continued"] => (*dialect, Setting::Continued),
        [dialect, "expiring"] => (*dialect, Setting::Expiring),
        [dialect, "stale-list"] => (*dialect, Setting::StaleList),
        other => panic!("no such transcript: {other:?}"),
    };
    let speaks_ours = match dialect {
        "plain" => false,
        "countersign/1" => true,
        other => panic!("no such dialect: {other}"),
    };
    Transcript {
        speaks_ours,
        setting,
        steps: lines.lines().map(step).collect(),
    }
}

enum Part<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

fn parts(line: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        let (inner, after) = after.split_once('>').expect("a placeholder ends");
        parts.extend([Part::Literal(before), Part::Placeholder(inner)]);
        rest = after;
    }
    parts.push(Part::Literal(rest));
    parts
}

/// Whether a line is what a pattern says. Numbered times are remembered.
fn matches(pattern: &str, line: &str, times: &mut BTreeMap<String, String>) -> bool {
    if pattern == "<end>" {
        return line == pattern;
    }
    let mut rest = line;
    for part in parts(pattern) {
        let taken = match part {
            Part::Literal(text) => rest.starts_with(text).then_some(text.len()),
            Part::Placeholder(inner) => take(inner, rest, times),
        };
        let Some(taken) = taken else {
            return false;
        };
        rest = &rest[taken..];
    }
    rest.is_empty()
}

/// How many bytes a placeholder stands for, if it stands for what comes.
fn take(placeholder: &str, text: &str, times: &mut BTreeMap<String, String>) -> Option<usize> {
    let value = text.split(' ').next().unwrap_or_default();
    let is_good = match placeholder {
        "epoch" => value.len() == 16 && value.bytes().all(|b| b.is_ascii_hexdigit()),
        "version" => value.split('.').all(|n| n.parse::<u32>().is_ok()),
        "time" => Timestamp::parse(value).is_ok(),
        numbered => {
            assert!(numbered.starts_with("time "), "no such thing: <{numbered}>");
            let known = times.entry(numbered.to_owned());
            Timestamp::parse(value).is_ok() && known.or_insert_with(|| value.to_owned()) == value
        }
    };
    is_good.then_some(value.len())
}

// --- the page ---------------------------------------------------------------------------------

/// The fenced blocks of a kind: what stands after the kind, and their lines.
fn fences<'a>(page: &'a str, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(kind))
}

/// What stands under a heading, up to the next one of its kind.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, after) = page
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading:?}"));
    after.split("\n## ").next().unwrap_or_default()
}

/// What stands in backquotes at the beginning of each row of the table in a section.
fn first_column(heading: &str) -> BTreeSet<&str> {
    let rows = section(PROTOCOL, heading).lines();
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .collect()
}

/// The grammar's rules, comments gone.
fn rules() -> BTreeMap<&'static str, String> {
    let mut rules: BTreeMap<&str, String> = BTreeMap::new();
    for block in fences(PROTOCOL, "abnf") {
        let mut name = "";
        for line in block
            .lines()
            .map(|line| line.split(';').next().unwrap_or_default())
        {
            let more = match line.split_once('=') {
                Some((new, rule)) if line.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    name = new.trim();
                    assert!(!rules.contains_key(name), "{name} is defined twice");
                    rule
                }
                _ => line,
            };
            if !more.trim().is_empty() {
                rules.entry(name).or_default().push_str(more);
            }
        }
    }
    rules
}

/// `%x20-7E` or `%x09`
fn range(terminal: &str) -> RangeInclusive<u32> {
    let hex = terminal.trim().strip_prefix("%x").expect("a terminal");
    let (first, last) = hex.split_once('-').unwrap_or((hex, hex));
    let number = |hex| u32::from_str_radix(hex, 16).expect("a code point");
    number(first)..=number(last)
}
