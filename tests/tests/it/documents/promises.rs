//! Every promise names the tests that try to break it, and they run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tests::{files_below, page, pages, project};

#[test]
fn every_promise_in_the_documents_names_the_test_that_tries_to_break_it() {
    for page in pages() {
        for name in promises(&page.name).flat_map(names) {
            assert!(is_a_test(name), "there is no test {name}");
        }
    }
    let all = promises("docs/promises.md").count();
    assert!(all >= 50, "only {all} promises");
}

#[test]
fn the_readme_promises_nothing_that_the_list_of_promises_lacks() {
    let all: BTreeSet<&str> = promises("docs/promises.md").flat_map(names).collect();
    let short: Vec<&str> = promises("README.md").collect();
    assert_eq!(short.len(), 8);
    for name in short.into_iter().flat_map(names) {
        assert!(all.contains(name), "{name}");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_a_test("promises::a_test_that_is_not_there_is_noticed"));
    assert!(!is_a_test("promises::a_test_that_is_not_there"));
    assert!(!is_a_test("record::a_test_that_is_not_there_is_noticed"));
    assert!(!is_a_test("promises::is_a_test"), "it is no test itself");
}

/// Returns the rows of a page's tables of promises.
fn promises(name: &str) -> impl Iterator<Item = &'static str> {
    let mut is_inside = false;
    page(name).lines().filter(move |line| {
        is_inside = line.starts_with("| Promise | Test") || is_inside && line.starts_with('|');
        is_inside && line.contains("::")
    })
}

/// Returns the tests that a row names after its promise.
fn names(row: &str) -> impl Iterator<Item = &str> {
    let (_, names) = row.split_once("| `").expect("a promise, then its tests");
    let names = names.strip_suffix("` |").expect("tests, and nothing else");
    names.split("`, `")
}

/// Returns whether `FILE::NAME` is a test that runs: a file of that name, or the main file of a
/// folder of that name, below the tests of any crate.
fn is_a_test(name: &str) -> bool {
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
    files.any(|path| {
        let source = fs::read_to_string(project().join(path)).expect("UTF-8");
        has_a_test(&source, name)
    })
}

fn has_a_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}()")) else {
        return false;
    };
    let (above, _) = before.rsplit_once('\n').expect("a file begins otherwise");
    let mut attributes = above
        .lines()
        .rev()
        .take_while(|line| line.trim_start().starts_with("#["));
    attributes.any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}
