//! Every promise names the tests that try to break it, and says which of them a plain `cargo test`
//! does not run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tests::{files_below, page, pages, project};

#[test]
fn every_promise_in_the_documents_names_the_test_that_tries_to_break_it() {
    for page in pages() {
        for (name, needs_tools) in promises(&page.name).flat_map(names) {
            let found = find_test(name).unwrap_or_else(|| panic!("there is no test {name}"));
            let marked = match needs_tools {
                true => Found::NeedsTools,
                false => Found::AlwaysRuns,
            };
            assert_eq!(found, marked, "{name} in {}", page.name);
        }
    }
    let all = promises("docs/promises.md").count();
    assert!(all >= 50, "only {all} promises");
}

#[test]
fn the_readme_promises_nothing_that_the_list_of_promises_lacks() {
    let all: BTreeSet<_> = promises("docs/promises.md").flat_map(names).collect();
    let short: Vec<&str> = promises("README.md").collect();
    assert_eq!(short.len(), 8);
    for name in short.into_iter().flat_map(names) {
        assert!(all.contains(&name), "{name:?}");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let here = "promises::a_test_that_is_not_there_is_noticed";
    assert_eq!(find_test(here), Some(Found::AlwaysRuns));
    assert_eq!(find_test("promises::a_test_that_is_not_there"), None);
    let elsewhere = "record::a_test_that_is_not_there_is_noticed";
    assert_eq!(find_test(elsewhere), None);
    assert_eq!(
        find_test("promises::find_test"),
        None,
        "it is no test itself"
    );
}

#[test]
fn a_test_that_a_plain_run_ignores_is_noticed() {
    let of = |attributes: &str| has_test(&format!("\n{attributes}\nfn it() {{}}"), "it");
    let ignored = "#[ignore = \"needs strace: run with --include-ignored\"]";
    assert_eq!(of("#[test]"), Some(Found::AlwaysRuns));
    assert_eq!(of(&format!("#[test]\n{ignored}")), Some(Found::NeedsTools));
    assert_eq!(of(&format!("{ignored}\n#[test]")), Some(Found::NeedsTools));
    assert_eq!(of(ignored), None);
}

/// Returns the rows of a page's tables of promises.
fn promises(name: &str) -> impl Iterator<Item = &'static str> {
    let mut is_inside = false;
    page(name).lines().filter(move |line| {
        is_inside = line.starts_with("| Promise | Test") || is_inside && line.starts_with('|');
        is_inside && line.contains("::")
    })
}

/// Returns the tests that a row names after its promise, and whether it says that they need tools.
fn names(row: &str) -> impl Iterator<Item = (&str, bool)> {
    let (_, names) = row.split_once("| `").expect("a promise, then its tests");
    let names = names.strip_suffix(" |").expect("tests, and nothing else");
    names.split(", `").map(|name| {
        let (name, mark) = name.split_once('`').expect("a name in backquotes");
        match mark {
            "" => (name, false),
            " (needs tools)" => (name, true),
            other => panic!("{other:?} stands after {name}"),
        }
    })
}

/// When a test runs.
#[derive(Debug, PartialEq)]
enum Found {
    AlwaysRuns,
    /// It is `#[ignore]`d.
    NeedsTools,
}

/// Looks for the test `FILE::NAME`: in a file of that name, or the main file of a folder of that
/// name, below the tests of any crate.
fn find_test(name: &str) -> Option<Found> {
    let (file, name) = name.split_once("::").expect("a file and a name");
    let crates = ["tests", "ca-tool", "client"];
    let files = crates
        .iter()
        .flat_map(|within| files_below(&Path::new(within).join("tests")));
    let named = [
        format!("{file}.rs"),
        format!("{file}/main.rs"),
        format!("{file}/mod.rs"),
    ];
    let mut files = files.filter(|path| named.iter().any(|named| path.ends_with(named)));
    files.find_map(|path| {
        let source = fs::read_to_string(project().join(path)).expect("UTF-8");
        has_test(&source, name)
    })
}

fn has_test(source: &str, name: &str) -> Option<Found> {
    let (before, _) = source.split_once(&format!("fn {name}()"))?;
    let (above, _) = before.rsplit_once('\n').expect("a file begins otherwise");
    let attributes: Vec<&str> = above
        .lines()
        .rev()
        .take_while(|line| line.trim_start().starts_with("#["))
        .collect();
    let is_test = |line: &&str| *line == "#[test]" || line.starts_with("#[tokio::test");
    if !attributes.iter().any(is_test) {
        return None;
    }
    let is_ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
    Some(match is_ignored {
        true => Found::NeedsTools,
        false => Found::AlwaysRuns,
    })
}
