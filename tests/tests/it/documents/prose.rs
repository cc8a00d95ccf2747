//! The documents are short enough to read, wrap, and lead nowhere that does not exist.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use tests::{page, pages, project};

#[test]
fn every_line_of_a_document_wraps() {
    const COLUMNS_MAX: usize = 120;
    for page in pages() {
        for (number, line) in prose(&page.text) {
            let columns = line.chars().count();
            let is_good = columns <= COLUMNS_MAX || line.starts_with('|');
            let place = format!("{}:{number}", page.name);
            assert!(is_good, "{place} has {columns} columns: {line}");
        }
    }
}

/// Returns the lines of a page with their numbers, without commands and transcripts: these stand as
/// they are typed and sent.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence = None;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        if let Some(kind) = line.strip_prefix("```") {
            fence = match fence {
                None => Some(kind),
                Some(_) => None,
            };
        }
        let is_verbatim = fence.is_some_and(|kind| {
            ["sh", "transcript"]
                .iter()
                .any(|verbatim| kind.starts_with(verbatim))
        });
        (!is_verbatim).then_some((number, line))
    })
}

#[test]
fn the_readme_and_the_architecture_are_short() {
    for (name, lines_max) in [("README.md", 170), ("ARCHITECTURE.md", 220)] {
        let lines = page(name).lines().count();
        assert!(lines <= lines_max, "{name} has {lines} lines");
    }
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut followed = 0;
    for from in pages() {
        for target in links(&from.text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let name = match file {
                "" => from.name.clone(),
                file => resolve(&from.name, file),
            };
            let is_there = project().join(&name).exists();
            assert!(is_there, "{}: there is no {target}", from.name);
            if !anchor.is_empty() {
                let has_it = anchors(page(&name)).contains(anchor);
                assert!(has_it, "{}: {target} has no such heading", from.name);
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links");
}

#[test]
fn every_document_can_be_reached_from_the_readme() {
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut queue = VecDeque::from(["README.md".to_owned()]);
    while let Some(name) = queue.pop_front() {
        for target in links(page(&name)) {
            let file = target.split('#').next().unwrap_or_default();
            let to = resolve(&name, file);
            if to.ends_with(".md") && reached.insert(to.clone()) {
                queue.push_back(to);
            }
        }
    }
    for page in pages() {
        assert!(
            reached.contains(&page.name),
            "nothing leads to {}",
            page.name
        );
    }
}

#[test]
fn a_heading_has_the_anchor_that_a_browser_gives_it() {
    let text = "# The exit codes of `ca-tool`\n## A client in Python\n```sh\n# none\n```\n## How to add ...\n";
    let expected = [
        "the-exit-codes-of-ca-tool",
        "a-client-in-python",
        "how-to-add-",
    ];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}

/// Returns the targets of a page's links to files and headings, without those to the web.
fn links(text: &str) -> Vec<&str> {
    let lines = prose(text).map(|(_, line)| line);
    let targets = lines.flat_map(|line| {
        let after = line.split("](").skip(1);
        after.filter_map(|after| after.split(')').next())
    });
    targets.filter(|target| !target.contains("://")).collect()
}

/// Returns the path, from the top of the repository, of a link in a page.
fn resolve(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#').strip_prefix(' ')?;
        line.starts_with('#').then_some(title)
    });
    let slug = |title: &str| {
        let kept = title.to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

#[test]
fn every_file_that_the_documents_name_is_there() {
    let mut named = 0;
    for page in pages() {
        let code = prose(&page.text).flat_map(|(_, line)| line.split('`').skip(1).step_by(2));
        let is_path = |code: &&str| {
            let is_path = code
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"./_-".contains(&b));
            is_path && (code.ends_with(".rs") || code.ends_with(".md") || code.ends_with(".toml"))
        };
        for file in code.filter(is_path) {
            named += 1;
            assert!(is_there(file), "{}: there is no {file}", page.name);
        }
    }
    assert!(named > 20, "only {named} files");
}

#[test]
fn every_file_that_contributing_names_is_there() {
    let code = page("CONTRIBUTING.md").split('`').skip(1).step_by(2);
    let is_file = |code: &&str| {
        let is_path = code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"./_".contains(&b));
        is_path && (code.contains('/') || code.ends_with(".md") || code.ends_with(".toml"))
    };
    let files: Vec<&str> = code.filter(is_file).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        assert!(is_there(file), "there is no {file}");
    }
}

/// Returns whether a file is there: by its path from the top, or as `CRATE/PATH` below the crate's
/// `src/`.
fn is_there(file: &str) -> bool {
    let below_source = file.split_once('/').is_some_and(|(within, rest)| {
        let path = Path::new(within).join("src").join(rest);
        project().join(path).exists()
    });
    below_source || project().join(file).exists()
}
