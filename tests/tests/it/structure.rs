//! Things that must be absent from the graph of dependencies and from the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, PackageId};

const OURS: [&str; 8] = [
    "wire",
    "pki",
    "narration",
    "ca-tool",
    "server",
    "client",
    "kit",
    "tests",
];
/// The folders in which they are.
const FOLDERS: [&str; 6] = ["wire", "pki", "ca-tool", "server", "client", "tests"];
const PROGRAMS: [&str; 3] = ["ca-tool", "server", "client"];

/// The workspace and everything that it can link, on any system.
struct Graph {
    metadata: Metadata,
}

impl Graph {
    fn read() -> Self {
        let metadata = MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .other_options(["--locked".to_owned()])
            .exec();
        Self {
            metadata: metadata.expect("cargo metadata"),
        }
    }

    fn nodes(&self) -> &[Node] {
        let resolve = self.metadata.resolve.as_ref();
        &resolve.expect("a resolved graph").nodes
    }

    fn name(&self, id: &PackageId) -> &str {
        self.metadata[id].name.as_str()
    }

    fn node(&self, name: &str) -> &Node {
        let named = |node: &&Node| self.name(&node.id) == name;
        self.nodes().iter().find(named).expect("a member")
    }

    /// Returns the direct dependencies of a package, of these kinds.
    fn direct<'a>(&'a self, node: &'a Node, kinds: &[DependencyKind]) -> Vec<&'a PackageId> {
        node.deps
            .iter()
            .filter(|dep| dep.dep_kinds.iter().any(|kind| kinds.contains(&kind.kind)))
            .map(|dep| &dep.pkg)
            .collect()
    }

    /// Returns which of our packages are direct dependencies of a package.
    fn ours(&self, name: &str, kinds: &[DependencyKind]) -> BTreeSet<&str> {
        let direct = self.direct(self.node(name), kinds).into_iter();
        let names = direct.map(|id| self.name(id));
        names.filter(|name| OURS.contains(name)).collect()
    }

    /// Returns every dependency of a package, as `cargo tree -e KINDS` shows them.
    fn reach(&self, name: &str, kinds: &[DependencyKind]) -> BTreeSet<&str> {
        let nodes: BTreeMap<_, _> = self.nodes().iter().map(|node| (&node.id, node)).collect();
        let mut found = BTreeSet::new();
        let mut ahead = vec![&self.node(name).id];
        while let Some(id) = ahead.pop() {
            if found.insert(id) {
                ahead.extend(self.direct(nodes[id], kinds));
            }
        }
        found.into_iter().map(|id| self.name(id)).collect()
    }
}

const LINKED: [DependencyKind; 1] = [DependencyKind::Normal];
const BUILT: [DependencyKind; 2] = [DependencyKind::Normal, DependencyKind::Build];
const ANY: [DependencyKind; 3] = [
    DependencyKind::Normal,
    DependencyKind::Build,
    DependencyKind::Development,
];

#[test]
fn there_is_one_source_of_cryptography() {
    // Not `cargo metadata`: it also names what `name?/feature` mentions and nothing brings in.
    let tree = |name: &str| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let tree = Command::new(cargo)
            .args(["tree", "--locked", "--workspace", "--target", "all"])
            .args(["--edges", "normal,build", "--invert", name])
            .current_dir(root())
            .output()
            .expect("cargo tree");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (out, err) = (text(tree.stdout), text(tree.stderr));
        assert!(tree.status.success(), "{name}: {err}");
        (out, err)
    };
    // The lock file has `ring`, for features that nobody asks for; the tree has not.
    let (needs, said) = tree("ring");
    assert_eq!(needs, "");
    assert!(said.contains("nothing to print"), "{said}");
    let (needs, _) = tree("aws-lc-rs");
    for name in PROGRAMS {
        assert!(needs.contains(&format!(" {name} v")), "{name}: {needs}");
    }
}

#[test]
fn only_ca_tool_and_the_conformance_kit_can_sign_and_only_the_server_holds_the_record() {
    let graph = Graph::read();
    let links = |name, what| graph.reach(name, &LINKED).contains(what);
    for (what, who) in [
        ("rcgen", &["ca-tool", "client"][..]),
        ("sqlx", &["server"]),
        ("libsqlite3-sys", &["server"]),
    ] {
        for name in ["wire", "pki", "narration", "ca-tool", "server", "client"] {
            assert_eq!(links(name, what), who.contains(&name), "{name} and {what}");
        }
    }
    // A client signs for nothing but a server that it makes up to examine another client.
    let signs = |text: &str| {
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.into_iter().any(|line| line.contains("rcgen"))
    };
    let of_client: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("client/src") && signs(text))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(of_client, [Path::new("client/src/conformance/stand_in.rs")]);
}

#[test]
fn dependencies_run_one_way() {
    let graph = Graph::read();
    for (name, expected) in [
        ("wire", &[][..]),
        ("pki", &["wire"]),
        ("narration", &["pki", "wire"]),
        ("ca-tool", &["pki", "wire"]),
        ("server", &["narration", "pki", "wire"]),
        ("client", &["narration", "pki", "wire"]),
    ] {
        let ours = graph.ours(name, &BUILT);
        assert_eq!(Vec::from_iter(ours), expected, "{name}");
    }
    // Not for their tests either: a test that concerns two programs belongs in this crate.
    for name in PROGRAMS {
        let mut ours = graph.ours(name, &ANY);
        ours.retain(|name| PROGRAMS.contains(name));
        assert!(ours.is_empty(), "{name} depends on {ours:?}");
    }
    // The programs' own tests use the kit, so it depends on none of the programs.
    let kit = graph.ours("kit", &ANY);
    assert_eq!(Vec::from_iter(kit), ["pki"]);
    let tests = graph.ours("tests", &BUILT);
    assert!(PROGRAMS.iter().all(|name| tests.contains(name)));
}

#[test]
fn every_file_of_source_says_why_it_exists() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}

#[test]
fn no_source_unwraps_or_lets_a_queue_grow_without_bound() {
    for (path, text) in sources() {
        if path.starts_with("tests") {
            continue;
        }
        // The standard library's channel has no bound; a module of tests may use it.
        let tests_begin = match path.ends_with("tests.rs") {
            true => 0,
            false => text.find("#[cfg(test)]\nmod ").unwrap_or(text.len()),
        };
        let everywhere = [".unwrap()", "unbounded_channel", "mpsc::unbounded"];
        let outside_tests = ["std::sync::mpsc", "mpsc::channel()"];
        for (text, banned) in [
            (text.as_str(), everywhere.as_slice()),
            (&text[..tests_begin], outside_tests.as_slice()),
        ] {
            for (number, line) in (1..).zip(text.lines()) {
                for banned in banned {
                    let found = line.contains(banned);
                    assert!(!found, "{}:{number}: {banned}", path.display());
                }
            }
        }
    }
}

/// A thread of the runtime that sleeps holds up every task that it should run. These two sleep on a
/// thread of their own: the log's, and the one that ends a program which was interrupted.
#[test]
fn no_server_and_no_client_sleeps_on_a_thread_that_others_need() {
    let mut sleeping = Vec::new();
    for (path, text) in sources() {
        let is_ours = ["server/src", "client/src"]
            .iter()
            .any(|folder| path.starts_with(folder));
        if is_ours && text.contains("thread::sleep") {
            sleeping.push(path.to_str().expect("UTF-8").replace('\\', "/"));
        }
    }
    sleeping.sort();
    assert_eq!(sleeping, ["client/src/main.rs", "server/src/log/queue.rs"]);
}

/// A test that lacks a tool and passes all the same would say that a promise was tried.
#[test]
fn a_test_that_needs_a_tool_is_ignored_with_the_reason_and_never_skipped() {
    let mut ignored = 0;
    for (path, text) in sources() {
        let path = path.display();
        // This file names the words that it looks for.
        if path.to_string().ends_with("structure.rs") {
            continue;
        }
        assert!(!text.contains("println!(\"skipped"), "{path}: skips");
        for function in text.split_inclusive("\n}\n") {
            let Some((_, test)) = function.rsplit_once("test]\n").or_else(|| {
                let (_, test) = function.split_once("#[tokio::test(")?;
                test.split_once('\n')
            }) else {
                continue;
            };
            let reason = test
                .lines()
                .find_map(|line| line.trim_start().strip_prefix("#[ignore"));
            if let Some(reason) = reason {
                ignored += 1;
                let is_told = reason.starts_with(" = \"needs ")
                    && reason.ends_with(": run with --include-ignored\"]");
                assert!(is_told, "{path}: #[ignore{reason}");
            }
            let asks = [
                "require(\"",
                "require_root(",
                "Asked::of(",
                "python_with(",
                "Mount::tmpfs(",
            ];
            for ask in asks {
                let is_honest = !test.contains(ask) || reason.is_some();
                assert!(
                    is_honest,
                    "{path}: {ask} in a test that is not ignored: {test}"
                );
            }
        }
    }
    assert!(ignored > 80, "only {ignored} were found");
}

#[test]
fn sql_is_written_in_lower_case() {
    let files = files("migrations", "sql");
    assert!(!files.is_empty());
    for path in files {
        let text = read(&path);
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split("--").next().unwrap_or_default();
            // Every second piece stands between quotes.
            let mut outside = code.split('\'').step_by(2);
            let is_lower = outside.all(|piece| !piece.contains(|c: char| c.is_ascii_uppercase()));
            assert!(is_lower, "{}:{number}: {line}", path.display());
        }
    }
}

#[test]
fn every_dependency_stands_under_the_reason_for_it() {
    let manifest = read(Path::new("Cargo.toml"));
    let section = manifest.split("[workspace.dependencies]\n").nth(1);
    let section = section.and_then(|rest| rest.split("\n[").next());
    let section = section.expect("the workspace's dependencies");
    let mut has_reason = false;
    let mut dependencies = 0;
    for line in section.lines() {
        match line.split_once(" = ") {
            _ if line.starts_with('#') => has_reason = true,
            Some((name, _)) if OURS.contains(&name) => {}
            Some((name, _)) => {
                assert!(has_reason, "{name} stands under no comment");
                dependencies += 1;
            }
            None => has_reason = false,
        }
    }
    assert!(dependencies > 20, "only {dependencies} were found");
}

/// Returns every file of Rust source, by its path within the project.
fn sources() -> Vec<(PathBuf, String)> {
    let files = FOLDERS.iter().flat_map(|folder| files(folder, "rs"));
    let sources: Vec<_> = files.map(|path| (path.clone(), read(&path))).collect();
    assert!(sources.len() > 60, "only {} were found", sources.len());
    sources
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files = tests::files_below(Path::new(folder));
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
