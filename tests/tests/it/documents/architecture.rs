//! The architecture in the documents is that of the source: the map, the functions, the charts, the
//! threads and tasks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use tests::{fences, files_below, page, pages, project, section};

static ARCHITECTURE: LazyLock<&str> = LazyLock::new(|| page("ARCHITECTURE.md"));

const CRATES: [&str; 6] = ["wire", "pki", "ca-tool", "server", "client", "tests"];

#[test]
fn every_folder_and_file_of_the_crates_is_on_the_map() {
    let map = map();
    for of in CRATES {
        let there = names_in(of);
        assert!(!there.is_empty(), "{of} has files");
        for name in there {
            let folder = format!("{of}/{name}/");
            let is_there = map
                .iter()
                .any(|row| row.folder == folder || row.of() == of && row.files.contains(&*name));
            assert!(is_there, "{of}/{name} is not on the map");
        }
    }
}

#[test]
fn every_row_of_the_map_is_a_folder_or_files_that_are_there() {
    let map = map();
    assert!(map.len() > 20, "only {} rows", map.len());
    for row in map {
        let of = row.of();
        let within = row.folder.strip_prefix(of).expect("its crate");
        let is_folder = [format!("{of}/{within}"), format!("{of}/src/{within}")]
            .iter()
            .any(|folder| project().join(folder).is_dir());
        let all: BTreeSet<String> = files_below(Path::new(of))
            .iter()
            .flat_map(|path| path.iter())
            .map(|part| stem(&part.to_string_lossy()).to_owned())
            .collect();
        for file in &row.files {
            assert!(all.contains(*file), "{}: there is no {file}", row.folder);
        }
        assert!(
            is_folder || !row.files.is_empty(),
            "there is no {}",
            row.folder
        );
    }
}

struct Row {
    folder: &'static str,
    files: BTreeSet<&'static str>,
}

impl Row {
    /// Returns the crate that the row belongs to.
    fn of(&self) -> &'static str {
        self.folder.split('/').next().unwrap_or_default()
    }
}

/// Returns the rows of the map that belong to a program or a library.
fn map() -> Vec<Row> {
    let rows = section(&ARCHITECTURE, "## The map").lines();
    let rows = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let folder = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let files = cells[cells.len() - 2].split_whitespace();
        Some(Row {
            folder,
            files: files.collect(),
        })
    });
    rows.filter(|row| CRATES.contains(&row.of())).collect()
}

/// Returns the names of the files and folders directly in a crate's source, each once.
fn names_in(of: &str) -> BTreeSet<String> {
    let folder = fs::read_dir(project().join(of).join("src")).expect("a folder");
    let names = folder.map(|entry| entry.expect("a file").file_name());
    names
        .map(|name| stem(&name.to_string_lossy()).to_owned())
        .collect()
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".rs").unwrap_or(name)
}

#[test]
fn every_function_that_the_documents_name_is_there() {
    let lines = pages().iter().flat_map(|page| page.text.lines());
    let lines = lines.filter(|line| !line.contains("<br>"));
    let code = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    let named: Vec<&str> = code.filter(|code| code.contains(".rs: ")).collect();
    assert!(named.len() > 75, "only {} are named", named.len());
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
        let page = section(&ARCHITECTURE, heading);
        let chart = fences(page, "mermaid\n").next().expect("a chart");
        let mut numbers = Vec::new();
        for label in chart.split('"').skip(1).step_by(2) {
            let (what, place) = label.split_once("<br>").expect("what, and where");
            let (number, _) = what.split_once(' ').expect("a number");
            numbers.push(number.parse::<usize>().expect("a number"));
            let is_named = CRATES.iter().any(|of| place.starts_with(&format!("{of}/")));
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

/// Returns the arrows of a chart, each as the box that it leaves and the box that it reaches.
/// `a --> b --> c` are two arrows, and so are `a & b --> c`.
fn arrows(chart: &str) -> impl Iterator<Item = (&str, &str)> {
    chart.lines().flat_map(|line| {
        let boxes: Vec<&str> = line.trim().split(" -->").collect();
        let steps = boxes.windows(2).flat_map(|pair| {
            let to = pair[1]
                .rsplit_once("| ")
                .map_or(pair[1].trim(), |(_, to)| to);
            let from = pair[0]
                .rsplit_once("| ")
                .map_or(pair[0].trim(), |(_, to)| to);
            let from = match from.contains('"') {
                true => vec![from],
                false => from.split(" & ").collect(),
            };
            from.into_iter()
                .map(move |from| (first_word(from.trim()), first_word(to)))
        });
        steps.collect::<Vec<_>>()
    })
}

#[test]
fn arrows_are_read_from_chains_and_from_several_boxes() {
    let chart = "a[\"1 x & y<br>z\"] -->|no| b{\"2\"} --> c\n d & e --> f";
    let read: Vec<_> = arrows(chart).collect();
    assert_eq!(read, [("a", "b"), ("b", "c"), ("d", "f"), ("e", "f")]);
}

fn first_word(text: &str) -> &str {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.next().unwrap_or_default()
}

#[test]
fn every_thread_and_task_that_is_started_is_in_the_table() {
    let table = section(&ARCHITECTURE, "## Threads and tasks");
    let mut starts = 0;
    for program in ["server", "client"] {
        let source = Path::new(program).join("src");
        for file in files_below(&source) {
            let name = file.strip_prefix(&source).expect("it is below");
            let name = name.to_str().expect("UTF-8").replace('\\', "/");
            // A module of tests starts whatever it likes.
            if name.ends_with("tests.rs") || name.contains("tests/") {
                continue;
            }
            let source = fs::read_to_string(project().join(&file)).expect("UTF-8");
            let code = source
                .split("#[cfg(test)]\nmod ")
                .next()
                .unwrap_or_default();
            let here = ["spawn(", "spawn_blocking("]
                .iter()
                .map(|start| code.matches(start).count())
                .sum::<usize>();
            starts += here;
            let named = format!("`{program}/{name}: ");
            assert!(
                here == 0 || table.contains(&named),
                "{named} starts something"
            );
        }
    }
    assert!(starts >= STARTS, "only {starts} places start anything");
}

/// The places in the programs that start a thread or a task.
const STARTS: usize = 20;

#[test]
fn a_function_that_is_not_there_is_noticed() {
    assert!(is_there("server/transcript/recorder.rs: Recorder::run"));
    assert!(
        !is_there("server/transcript/recorder.rs: Recorder::ru"),
        "part of a name"
    );
    assert!(
        !is_there("server/transcript/recorder.rs: Patience::run"),
        "of another type"
    );
    assert!(
        !is_there("server/transcript/recorder.rs: run"),
        "of a type, not free"
    );
    assert!(
        !is_there("client/recorder.rs: Recorder::run"),
        "of another crate"
    );
    assert!(
        is_there("server/session/life.rs: Session::run"),
        "of a generic type"
    );
    assert!(is_there("server/run.rs: run"), "a free one");
}

/// Returns whether `CRATE/PATH: FUNCTION` or `CRATE/PATH: TYPE::FUNCTION` is in the source, where
/// the path is below the crate's `src/`.
fn is_there(place: &str) -> bool {
    let (file, function) = place.split_once(": ").expect("a file and a function");
    let (within, file) = file.split_once('/').unwrap_or((file, ""));
    let source = fs::read_to_string(project().join(within).join("src").join(file));
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
