//! The documents as the tests read them: `*.md` at the top of the repository, and everything below
//! `docs/`. A new page is found by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A document.
#[derive(Debug)]
pub struct Page {
    /// Its path from the top of the repository, such as `docs/client.md`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Returns the top of the repository.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns every document, in the order of their names.
pub fn pages() -> &'static [Page] {
    static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
        let mut names = Vec::new();
        for entry in fs::read_dir(project()).expect("a folder") {
            let name = entry.expect("a file").file_name();
            names.push(PathBuf::from(name));
        }
        names.extend(files_below(Path::new("docs")));
        names.retain(|name| name.extension().is_some_and(|ending| ending == "md"));
        names.sort();
        let read = |name: PathBuf| Page {
            text: fs::read_to_string(project().join(&name)).expect("UTF-8"),
            name: name.to_str().expect("UTF-8").replace('\\', "/"),
        };
        names.into_iter().map(read).collect()
    });
    &PAGES
}

/// Returns the text of a document.
pub fn page(name: &str) -> &'static str {
    let found = pages().iter().find(|page| page.name == name);
    &found.unwrap_or_else(|| panic!("there is no {name}")).text
}

/// Returns every file below a folder of the repository, as paths from its top.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let top = project();
    let files = kit::files_below(&top.join(folder)).into_iter();
    let files = files.map(|file| file.strip_prefix(&top).map(Path::to_owned));
    files.collect::<Result<_, _>>().expect("below the top")
}

/// Returns the fenced blocks of a kind: the rest of the line after the kind, and the block's lines.
pub fn fences<'a>(text: &'a str, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(kind))
}

/// Returns the text under a heading, up to the next one of the second level.
///
/// # Panics
///
/// If the text has no such heading.
pub fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, after) = text
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading:?}"));
    after.split("\n## ").next().unwrap_or_default()
}

/// Returns the section with a heading that exactly one document has.
pub fn section_of_any(heading: &str) -> &'static str {
    let has_it = |page: &&Page| page.text.contains(&format!("\n{heading}\n"));
    let found: Vec<&Page> = pages().iter().filter(has_it).collect();
    match found.as_slice() {
        [page] => section(&page.text, heading),
        found => panic!("{heading:?} stands in {} documents", found.len()),
    }
}
