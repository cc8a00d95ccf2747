//! `client conformance` finds good clients good and careless ones careless, and the clients in the
//! documents are good ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Running, program, project, require, section_of_any};

use super::{Ended, finish, site};

/// What the kit finds of a client, by the names of the examinations.
#[derive(Debug)]
struct Findings {
    by_name: BTreeMap<String, serde_json::Value>,
    code: Option<i32>,
}

impl Findings {
    fn of(ended: &Ended) -> Self {
        let mut by_name = BTreeMap::new();
        for line in ended.out.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            if let Some(name) = value["examination"].as_str() {
                let name = name.to_owned();
                assert!(by_name.insert(name, value).is_none(), "twice: {line}");
            }
        }
        assert!(!by_name.is_empty(), "{ended:?}");
        Self {
            by_name,
            code: ended.code,
        }
    }

    fn with(&self, outcome: &str) -> BTreeSet<&str> {
        let all = self.by_name.iter();
        all.filter(|(_, value)| value["outcome"] == outcome)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Checks that nothing is wrong, and that only this was not examined.
    #[track_caller]
    fn are_good_without(&self, skipped: &[&str]) {
        assert_eq!(self.with("wrong"), BTreeSet::new(), "{self:#?}");
        assert_eq!(self.with("skipped"), skipped.iter().copied().collect());
        assert_eq!(self.code, Some(0));
    }
}

/// The examinations that concern `countersign/1` alone.
const ONLY_OURS: [&str; 4] = ["other-history", "said-once", "stored-once", "ping"];

/// Runs the kit to its end, and waits longer than for other programs.
fn examine(folder: &Path, flags: &[&str], command: &[&str]) -> Ended {
    let mut kit = Command::new(program("client"));
    kit.args(["conformance", "--cert", "ca/people/alice.pem"])
        .args(flags)
        .current_dir(folder)
        .env_remove("RUST_LOG");
    if !command.is_empty() {
        kit.arg("--").args(command);
    }
    // The kit has a deadline for everything that it waits for, and that is a part of what is tested.
    kit.output().expect("the kit starts").into()
}

fn examined(command: &[&str]) -> Findings {
    let site = site();
    site.bundle("alice");
    Findings::of(&examine(site.folder(), &["--json"], command))
}

fn client_at(name: &str) -> String {
    let path = project().join("docs/clients").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn our_own_client_passes_every_examination_and_the_table_names_each() {
    let client = program("client");
    let client = client.to_str().expect("UTF-8");
    let own = [
        client,
        "--plain",
        "--cert",
        "{cert}",
        "--server",
        "{host}:{port}",
    ];
    let findings = examined(&own);
    findings.are_good_without(&["ping"]);

    let rows = section_of_any("## The examinations").lines();
    let rows: BTreeMap<String, (String, String)> = rows
        .filter_map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [name, right, section] = cells.as_slice() else {
                return None;
            };
            let name = name.strip_prefix("| `")?.strip_suffix('`')?;
            let section = section.strip_suffix(" |")?;
            Some((name.to_owned(), ((*right).to_owned(), section.to_owned())))
        })
        .collect();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let told = findings.by_name.iter().map(|(name, value)| {
        (
            name.clone(),
            (text(&value["right"]), text(&value["section"])),
        )
    });
    assert_eq!(rows, told.collect());
}

#[test]
fn a_stand_in_has_the_id_and_nothing_else_and_is_gone_afterwards() {
    let site = site();
    site.bundle("alice");
    // It tells what it was given, and ends before it connects.
    let script = "cp \"$COUNTERSIGN_CERT\" copy.pem; echo \"$1\" > place; stat -c %a \"$1\" \"$(dirname \"$1\")\" > modes; exit 3";
    let flags = ["--only", "talk"];
    let ended = examine(site.folder(), &flags, &["sh", "-c", script, "sh", "{cert}"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let fault = "it ended before it connected (exit status: 3)";
    assert!(ended.out.contains(fault), "{}", ended.out);
    // Its mistake may be any.
    assert!(!ended.out.contains("usually"), "{}", ended.out);
    assert!(ended.out.contains("PROTOCOL.md"), "{}", ended.out);
    let place = std::fs::read_to_string(site.path("place")).expect("a path");
    let place = Path::new(place.trim_end());
    assert!(!place.exists() && !place.parent().expect("a folder").exists());
    let modes = std::fs::read_to_string(site.path("modes")).expect("modes");
    assert_eq!(modes, "600\n700\n");
    let read = |path: PathBuf| pki::Bundle::read(&path).expect("a bundle");
    let stand_in = read(site.path("copy.pem"));
    let own = read(site.path("ca/people/alice.pem"));
    assert_eq!(stand_in.certificate().subject.common_names, ["alice"]);
    assert_eq!(stand_in.note("id"), Some("alice"));
    assert_ne!(stand_in.anchor(), own.anchor());
    assert_ne!(stand_in.certificate().key, "");
}

#[test]
fn a_command_that_cannot_start_and_a_file_without_a_person_are_told() {
    let site = site();
    site.bundle("alice");
    let ended = examine(site.folder(), &[], &["./nothing-here"]);
    ended.failed(
        1,
        "cannot start ./nothing-here",
        "the command as you would type it",
    );
    let server = ["conformance", "--cert", "ca/server.pem"];
    let ended = Ended::from(site.run("client", &server));
    ended.failed(1, "is not a person's", "a person's file");
    let ended = Ended::from(site.run("client", &["conformance"]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("--cert <FILE>"), "{}", ended.err);
}

/// A person starts the client, types, and looks.
#[test]
fn whoever_connects_is_examined_too() {
    let site = site();
    let cert = site.bundle("alice");
    let flags = "--listen 0 --only another-ca --only talk";
    let mut all = vec!["conformance", "--cert", &cert];
    all.extend(flags.split(' '));
    let mut kit = Running::start(site.folder(), &program("client"), &all);
    let said = kit.expect_err("the stand-in bundle for alice is ");
    let (_, stand_in) = said.split_once("alice is ").expect("a path");
    kit.expect_err("connect to localhost:");
    let start = || {
        let arguments = ["--cert", stand_in, "--plain"];
        Running::start(site.folder(), &program("client"), &arguments)
    };
    kit.expect_err("examination 1 of 2, another-ca: start your client");
    let refusing = super::end(start());
    assert_eq!(refusing.code, Some(5), "{refusing:?}");
    kit.expect_err("examination 2 of 2, talk: start your client");
    let mut client = start();
    client.expect_out("good morning");
    for _ in 0..3 {
        let typed = kit.expect_err("type this line into your client: ");
        let (_, line) = typed
            .split_once("client: type this line into your client: ")
            .expect("a line");
        client.send(&format!("{line}\n"));
    }
    client.expect_out("good to see you");
    let ended = finish(kit);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("right  another-ca: "), "{}", ended.out);
    assert!(ended.out.contains("look   talk: "), "{}", ended.out);
    assert!(ended.out.contains("once: good to see you"), "{}", ended.out);
    assert!(!Path::new(stand_in).exists());
}

#[test]
fn an_interrupted_kit_leaves_nothing_behind() {
    let site = site();
    let cert = site.bundle("alice");
    let all = ["conformance", "--cert", &cert, "--listen", "0"];
    let mut kit = Running::start(site.folder(), &program("client"), &all);
    let said = kit.expect_err("the stand-in bundle for alice is ");
    let (_, stand_in) = said.split_once("alice is ").expect("a path");
    kit.expect_err("start your client");
    assert!(Path::new(stand_in).exists());
    kit.signal("-INT");
    assert_eq!(super::end(kit).code, Some(1));
    assert!(!Path::new(stand_in).exists());
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn the_client_in_python_passes() {
    require("python3");
    let findings = examined(&["python3", &client_at("client.py")]);
    findings.are_good_without(&ONLY_OURS);
}

#[test]
#[ignore = "needs node: run with --include-ignored"]
fn the_client_in_javascript_passes() {
    require("node");
    let findings = examined(&["node", &client_at("client.mjs")]);
    findings.are_good_without(&ONLY_OURS);
}

#[test]
#[ignore = "needs go: run with --include-ignored"]
fn the_client_in_go_passes() {
    require("go");
    let folder = tempfile::tempdir().expect("a folder");
    let built = folder.path().join("client");
    let mut go = Command::new("go");
    go.args(["build", "-o"])
        .arg(&built)
        .arg(client_at("client.go"));
    // Its cache is below the home of whoever runs it, who may have none.
    go.env("GOCACHE", folder.path().join("cache"))
        .env("GO111MODULE", "off");
    builds(go);
    examined(&[built.to_str().expect("UTF-8")]).are_good_without(&ONLY_OURS);
}

#[test]
#[ignore = "needs javac: run with --include-ignored"]
fn the_client_in_java_passes() {
    require("javac");
    let folder = tempfile::tempdir().expect("a folder");
    let classes = folder.path().to_str().expect("UTF-8");
    // As the page says it is started, once; compiled once for all examinations.
    let site = site();
    site.bundle("alice");
    let talk = ["--json", "--only", "talk"];
    let ended = examine(site.folder(), &talk, &["java", &client_at("Client.java")]);
    Findings::of(&ended).are_good_without(&[]);
    let mut javac = Command::new("javac");
    javac.args([
        "-Xlint:all",
        "-Werror",
        "-d",
        classes,
        &client_at("Client.java"),
    ]);
    builds(javac);
    examined(&["java", "-cp", classes, "Client"]).are_good_without(&ONLY_OURS);
}

#[test]
#[ignore = "needs gcc: run with --include-ignored"]
fn the_client_in_c_passes() {
    require("gcc");
    let folder = tempfile::tempdir().expect("a folder");
    let built = folder.path().join("client");
    let mut gcc = Command::new("gcc");
    gcc.args(["-Wall", "-Wextra", "-Werror", "-o"]).arg(&built);
    gcc.args([&client_at("client.c"), "-lssl", "-lcrypto"]);
    builds(gcc);
    examined(&[built.to_str().expect("UTF-8")]).are_good_without(&ONLY_OURS);
}

fn builds(mut command: Command) {
    let built = command.output().expect("it starts");
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(
        built.status.success(),
        "{command:?}: {told} (for C, install libssl-dev)"
    );
}

#[test]
fn the_clients_in_the_documents_are_short() {
    let mut count = 0;
    for file in tests::files_below(Path::new("docs/clients")) {
        let text = std::fs::read_to_string(project().join(&file)).expect("UTF-8");
        let is_page = file.extension().is_some_and(|ending| ending == "md");
        if is_page {
            continue;
        }
        let name = file.display();
        assert!(
            text.lines().count() <= 100,
            "{name} has more than 100 lines"
        );
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(
            longest <= Some(120),
            "{name} has a line of {longest:?} columns"
        );
        count += 1;
    }
    assert_eq!(count, 5);
}

/// A client with a mistake in it, the examination that must find the mistake, and what it must say.
struct Mutant {
    finds: &'static str,
    says: &'static str,
    changes: &'static [(&'static str, &'static str)],
}

const START_TYPING: &str =
    "                threading.Thread(target=send_typed, args=(link,), daemon=True).start()\n";

/// Mistakes in the client in Python.
const OF_PLAIN: [Mutant; 22] = [
    Mutant {
        finds: "talk",
        says: "where \"hello (line coral)\" was typed",
        changes: &[(
            "line.rstrip(b\"\\r\\n\")",
            "line.rstrip(b\"\\r\\n\").upper()",
        )],
    },
    Mutant {
        finds: "waits",
        says: "before the greeting",
        changes: &[(
            "        greeted = False\n",
            "        greeted = False\n        threading.Thread(target=send_typed, args=(link,), daemon=True).start()\n",
        )],
    },
    Mutant {
        finds: "refused",
        says: "after a refusal",
        changes: &[
            ("if not greeted and line.startswith(\"!\")", "if False"),
            (
                "if not greeted and line.startswith(\"= welcome \")",
                "if not greeted",
            ),
            (
                "if f\"id={own_id(bundle)}\" not in line.split(\" \")",
                "if False",
            ),
        ],
    },
    Mutant {
        finds: "no-room",
        says: "it neither came back nor ended within 45 seconds",
        changes: &[(
            "        fail(f\"{host}: {error}\")",
            "        threading.Event().wait()",
        )],
    },
    Mutant {
        finds: "another-ca",
        says: "to an impostor",
        changes: &[NO_VERIFICATION],
    },
    Mutant {
        finds: "another-host",
        says: "to an impostor",
        changes: &[(
            "    tls.load_cert",
            "    tls.check_hostname = False\n    tls.load_cert",
        )],
    },
    Mutant {
        finds: "expired-server",
        says: "to an impostor",
        // OpenSSL's X509_V_FLAG_NO_CHECK_TIME.
        changes: &[(
            "    tls.load_cert",
            "    tls.verify_flags |= 0x200000\n    tls.load_cert",
        )],
    },
    Mutant {
        finds: "person-as-server",
        says: "to an impostor",
        changes: &[NO_VERIFICATION],
    },
    Mutant {
        finds: "another-name",
        says: "to a server that calls it mallory",
        changes: &[(
            "if f\"id={own_id(bundle)}\" not in line.split(\" \")",
            "if False",
        )],
    },
    Mutant {
        finds: "split-characters",
        says: "it did not show \"Zoë",
        changes: &[
            ("waiting = b\"\"", "waiting = \"\""),
            (
                "waiting += piece",
                "waiting += piece.decode(\"utf-8\", \"replace\")",
            ),
            ("waiting.split(b\"\\n\")", "waiting.split(\"\\n\")"),
            ("line.decode(\"utf-8\", \"replace\")", "line"),
        ],
    },
    Mutant {
        finds: "split-lines",
        says: "it did not show",
        changes: &[AT_READS],
    },
    Mutant {
        finds: "slow-bytes",
        says: "it did not show",
        changes: &[AT_READS],
    },
    Mutant {
        finds: "long-lines",
        says: "the server sends a line without end",
        changes: &[("LINE_BYTES_MAX = 65536", "LINE_BYTES_MAX = 4000")],
    },
    Mutant {
        finds: "half-line",
        says: "it showed the half line",
        changes: &[(
            "            return fail(\"the connection was lost\")",
            "            print(waiting.decode()); return fail(\"the connection was lost\")",
        )],
    },
    Mutant {
        finds: "half-line-closed",
        says: "it showed the half line",
        changes: &[(
            "            return  # bytes after",
            "            yield waiting.decode(); return  # bytes after",
        )],
    },
    Mutant {
        finds: "author",
        says: "its author, bob",
        changes: &[(
            "            print(line)\n",
            "            print(line.replace(\"] \", \"]\\n\", 1))\n",
        )],
    },
    Mutant {
        finds: "unknown-keys",
        says: "calls us by another name",
        changes: &[(
            "if f\"id={own_id(bundle)}\" not in line.split(\" \")",
            "if f\"id={own_id(bundle)}\" != line.split(\" \")[2]",
        )],
    },
    Mutant {
        finds: "unknown-words",
        says: "it did not show \"after all that is unknown",
        changes: &[(
            "            print(line)\n",
            // It shows nothing more. A client that crashed instead would end at a moment of chance.
            "            deaf = line[:1] not in \"0123456789=!\" or locals().get(\"deaf\", False)\n            if not deaf:\n                print(line)\n",
        )],
    },
    Mutant {
        finds: "newer-entries",
        says: "it did not show \"after entries of a newer server",
        changes: &[(
            "            print(line)\n",
            "            assert not line.endswith(\"(kicked-out)\"); print(line)\n",
        )],
    },
    Mutant {
        finds: "replies-between",
        says: "it did not show \"within brackets",
        changes: &[
            (
                "        greeted = False\n",
                "        greeted = inside = False\n",
            ),
            (
                "            print(line)\n",
                "            inside = (inside or line.startswith(\"= begin \")) and not line.startswith(\"= end \")\n            print(\"\" if inside else line)\n",
            ),
        ],
    },
    Mutant {
        finds: "few-entries",
        says: "though `= at` had said that there is nothing more to come",
        changes: &[
            (START_TYPING, ""),
            (
                "            if line.startswith(\"= bye \"):\n",
                "            if line.startswith(\"20 \"):\n                threading.Thread(target=send_typed, args=(link,), daemon=True).start()\n            if line.startswith(\"= bye \"):\n",
            ),
        ],
    },
    Mutant {
        finds: "refusals",
        says: "it",
        changes: &[(
            "if not greeted and line.startswith(\"!\")",
            "if line.startswith(\"!\")",
        )],
    },
];

/// Mistakes at the end, and worse ones.
const OF_PLAIN_AT_THE_END: [Mutant; 4] = [
    Mutant {
        finds: "bye",
        says: "it did not end after `= bye`",
        changes: &[(
            "                break\n",
            "                threading.Event().wait()\n",
        )],
    },
    Mutant {
        finds: "bye",
        says: "it came back after `= bye replaced`",
        changes: &[(
            "                break\n",
            "                os.execv(sys.executable, [sys.executable, *sys.argv])\n",
        )],
    },
    Mutant {
        finds: "leaves",
        says: "it left without /quit and without TLS's close_notify",
        changes: &[(
            "        link.sendall(b\"/quit\\n\")\n",
            "        threading.Timer(3, os._exit, [0]).run()\n",
        )],
    },
    Mutant {
        finds: "talk",
        says: "it printed more than 1048576 bytes",
        changes: &[(
            "            print(line)\n",
            "            print(line + \"x\" * 2000000)\n",
        )],
    },
];

/// Mistakes in a client that speaks `countersign/1`.
const OF_OURS: [Mutant; 3] = [
    Mutant {
        finds: "other-history",
        says: "it sent nothing for 15 seconds",
        changes: &[("        send(\"/follow head\")\n", "        pass\n")],
    },
    Mutant {
        finds: "said-once",
        says: "and then",
        changes: &[(
            "                say(n)\n        return",
            "                send(f\"/say pythonrun-{n + 1000} {unacknowledged[n]}\")\n        return",
        )],
    },
    Mutant {
        finds: "stored-once",
        says: "it did not show \"said across a cut",
        changes: &[("        start = f\"{words[0]} {words[1]}\"\n", "")],
    },
];

const NO_VERIFICATION: (&str, &str) = (
    "    tls.load_cert",
    "    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE\n    tls.load_cert",
);

const AT_READS: (&str, &str) = ("waiting += piece", "waiting = piece + b\"\\n\"");

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn each_examination_of_the_plain_dialect_finds_a_careless_client() {
    require("python3");
    let code = std::fs::read_to_string(client_at("client.py")).expect("UTF-8");
    let mutants: Vec<&Mutant> = OF_PLAIN.iter().chain(&OF_PLAIN_AT_THE_END).collect();
    are_found(&code, &mutants);
    // Every examination is here, so none of them can be one that always says "right".
    let finds: BTreeSet<&str> = mutants
        .iter()
        .chain(&OF_OURS.each_ref())
        .map(|m| m.finds)
        .collect();
    let rows = section_of_any("## The examinations").lines();
    let all: BTreeSet<&str> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .filter(|name| *name != "ping")
        .collect();
    assert_eq!(finds, all);
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn each_examination_of_our_dialect_finds_a_careless_client() {
    require("python3");
    let code = include_str!("ours.py");
    are_found(code, &OF_OURS.each_ref());
    let site = site();
    site.bundle("alice");
    std::fs::write(site.path("ours.py"), code).expect("written");
    let only = "--json --only other-history --only said-once --only stored-once";
    let flags: Vec<&str> = only.split(' ').collect();
    let ended = examine(site.folder(), &flags, &["python3", "ours.py"]);
    Findings::of(&ended).are_good_without(&[]);
}

/// Runs the kit with the client in Python of our dialect, changed so.
fn ours_with(changes: &[(&str, &str)], flags: &str) -> Findings {
    let mut code = include_str!("ours.py").to_owned();
    for (from, to) in changes {
        assert!(code.contains(from), "there is no {from:?}");
        code = code.replace(from, to);
    }
    let site = site();
    site.bundle("alice");
    std::fs::write(site.path("ours.py"), code).expect("written");
    let flags: Vec<&str> = flags.split(' ').collect();
    let ended = examine(site.folder(), &flags, &["python3", "ours.py"]);
    Findings::of(&ended)
}

/// It comes back after 0.3 s, again and again, and what it leaves in the queue of connections is no
/// matter of the next examination.
#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_client_that_does_not_wait_as_long_as_a_refusal_says_is_told_so_and_no_more() {
    require("python3");
    // It says nothing before it is in the room, and soon gives up a handshake without an answer.
    let changes = [
        ("            threading.Timer(0.5, read_typed).start()\n", ""),
        ("(host, int(port)))", "(host, int(port)), timeout=0.5)"),
        (
            "    waiting = b\"\"\n",
            "    link.settimeout(None); waiting = b\"\"\n",
        ),
    ];
    let findings = ours_with(&changes, "--json --only refused --only no-room");
    let refused = &findings.by_name["refused"];
    let fault = refused["fault"].as_str().expect("a fault");
    assert!(fault.starts_with("it came back within "), "{fault}");
    assert!(fault.contains("though it was told to wait 44 s"), "{fault}");
    assert_eq!(
        findings.with("right"),
        BTreeSet::from(["no-room"]),
        "{findings:#?}"
    );
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_line_that_is_shown_again_is_told_with_its_own_usual_cause() {
    require("python3");
    let changes = [(
        "        send(f\"/follow {start}\")\n",
        "        send(\"/follow 0\")\n",
    )];
    let findings = ours_with(&changes, "--json --only said-once --only other-history");
    let said = &findings.by_name["said-once"];
    let fault = said["fault"].as_str().expect("a fault");
    let seen =
        "it showed \"seen before the cut (line birch)\" 2 times; it had come back with `/follow 0`";
    assert!(fault.starts_with(seen), "{fault}");
    let usual = said["usual"].as_str().expect("a cause");
    assert!(usual.starts_with("follow after your last entry"), "{usual}");
    // A client that starts afresh may show again what it knew.
    assert_eq!(
        findings.with("right"),
        BTreeSet::from(["other-history"]),
        "{findings:#?}"
    );
}

/// Examines each mutant with the examination that must find it, a few at a time.
fn are_found(code: &str, mutants: &[&Mutant]) {
    const AT_ONCE: usize = 4;
    let mut missed = Vec::new();
    for some in mutants.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = some
                .iter()
                .map(|mutant| scope.spawn(|| missed_in(code, mutant)))
                .collect();
            for one in running {
                missed.extend(one.join().expect("an examination"));
            }
        });
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Returns what the kit found instead of the mistake in a mutant.
fn missed_in(code: &str, mutant: &Mutant) -> Option<String> {
    let mut code = code.to_owned();
    for (from, to) in mutant.changes {
        assert!(
            code.contains(from),
            "{}: there is no {from:?}",
            mutant.finds
        );
        code = code.replace(from, to);
    }
    let site = site();
    site.bundle("alice");
    std::fs::write(site.path("mutant.py"), code).expect("written");
    let flags = ["--json", "--only", mutant.finds];
    let ended = examine(site.folder(), &flags, &["python3", "mutant.py"]);
    let findings = Findings::of(&ended);
    let finding = &findings.by_name[mutant.finds];
    let fault = finding["fault"].as_str();
    let is_found = fault.is_some_and(|fault| fault.contains(mutant.says));
    (!is_found || findings.code != Some(1))
        .then(|| format!("{}: no {:?} in {finding}", mutant.finds, mutant.says))
}

/// A client that leaves a program behind, which holds its output.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs python3: run with --include-ignored"]
fn a_client_that_leaves_a_program_behind_does_not_hold_up_the_kit() {
    require("python3");
    let site = site();
    site.bundle("alice");
    let script = "sleep 600 & echo $! > left; exec python3 \"$0\" \"$@\"";
    let command = ["sh", "-c", script, &client_at("client.py")];
    let ended = examine(site.folder(), &["--json", "--only", "talk"], &command);
    Findings::of(&ended).are_good_without(&[]);
    let left = std::fs::read_to_string(site.path("left")).expect("an ID");
    let is_gone = || (!is_running(left.trim_end())).then_some(());
    tests::look_until("the program that was left behind is ended", is_gone);
}

/// Returns whether a process runs: one that nobody has waited for is dead all the same.
#[cfg(target_os = "linux")]
fn is_running(id: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
