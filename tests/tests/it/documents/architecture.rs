//! The architecture in the documents is that of the source: the map, the functions, the charts, the
//! threads and tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tests::{fences, files_below, page, pages, project, section};

use crate::arrows::Order;

static ARCHITECTURE: LazyLock<&str> = LazyLock::new(|| page("ARCHITECTURE.md"));

const CRATES: [&str; 6] = ["wire", "pki", "ca-tool", "server", "client", "tests"];

#[test]
fn every_folder_and_file_of_the_crates_is_on_the_map() {
    let map = map();
    let folders: BTreeSet<&str> = map.iter().map(|row| row.folder).collect();
    for of in CRATES {
        let own = format!("{of}/");
        let is_there = folders.iter().any(|folder| folder.starts_with(&own));
        assert!(is_there, "{own} is not on the map");
    }
    for row in map {
        let there = names_in(&row.place());
        // A folder is named in the row of the one above, or has a row of its own.
        let expected = there.into_iter().filter(|(name, is_file)| {
            *is_file || !folders.contains(format!("{}{name}/", row.folder).as_str())
        });
        let expected: BTreeSet<String> = expected.map(|(name, _)| name).collect();
        let named: BTreeSet<String> = row.files.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(named, expected, "the row of {}", row.folder);
    }
}

#[test]
fn the_map_has_the_folders_of_each_program_in_the_order_of_its_lib() {
    let map = map();
    for program in ["ca-tool", "server", "client"] {
        let lib = project().join(program).join("src/lib.rs");
        let order = Order::read(&fs::read_to_string(lib).expect("UTF-8"));
        let own = format!("{program}/");
        let mut rows = map.iter().filter_map(|row| row.folder.strip_prefix(&own));
        assert_eq!(
            rows.next(),
            Some(""),
            "the own row of {program} comes first"
        );
        let rows: Vec<&str> = rows.collect();
        assert!(rows.len() > 5, "only {rows:?}");
        let wrong = rows
            .windows(2)
            .find(|pair| order.floor(pair[0]) > order.floor(pair[1]));
        assert_eq!(wrong, None, "{program}: the second is below the first");
    }
}

struct Row {
    folder: &'static str,
    files: BTreeSet<&'static str>,
}

impl Row {
    /// Returns the folder that the row is about. `CRATE/FOLDER/` lies below the crate's `src/`; only
    /// the folders of `tests` are named in full.
    fn place(&self) -> PathBuf {
        let (of, within) = self.folder.split_once('/').expect("a crate");
        let source = Path::new(of).join("src").join(within);
        let full = Path::new(self.folder);
        let places = [source, full.join("src"), full.to_owned()];
        let found = places
            .into_iter()
            .find(|place| project().join(place).is_dir());
        found.unwrap_or_else(|| panic!("there is no {}", self.folder))
    }
}

/// Returns the rows of the map that are about crates and their folders.
fn map() -> Vec<Row> {
    let rows = section(&ARCHITECTURE, "## The map").lines();
    let rows = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let folder = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let files = cells[cells.len() - 2].split_whitespace().collect();
        Some(Row { folder, files })
    });
    let is_of_a_crate = |row: &Row| CRATES.iter().any(|of| row.folder.starts_with(of));
    rows.filter(is_of_a_crate).collect()
}

/// Returns the names directly in a folder, and whether each is a file. A file and the folder beside
/// it with the same name are one. `mod.rs` is the folder itself, and a module of tests belongs to
/// the file that it tests.
fn names_in(folder: &Path) -> BTreeMap<String, bool> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(project().join(folder)).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let is_ours = path.is_dir() || path.extension().is_some_and(|ending| ending == "rs");
        if is_ours && !["mod", "tests"].contains(&name.as_str()) {
            let is_file = names.entry(name).or_default();
            *is_file |= path.is_file();
        }
    }
    names
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
fn every_box_of_the_flowcharts_is_a_step_below_that_names_its_function() {
    for (of, heading) in [
        ("server", "## The server, step by step"),
        ("client", "## The client, step by step"),
    ] {
        let page = section(page("docs/flow.md"), heading);
        let chart = fences(page, "mermaid\n").next().expect("a chart");
        let mut boxes: Vec<usize> = numbers_of_boxes(chart).collect();
        boxes.sort_unstable();
        let steps: Vec<(usize, String)> = steps(page).collect();
        let numbers: Vec<usize> = steps.iter().map(|(number, _)| *number).collect();
        assert_eq!(boxes, numbers, "{heading}");
        assert!((12..=18).contains(&steps.len()), "a chart that can be read");
        for (number, words) in &steps {
            let mut code = words.split('`').skip(1).step_by(2);
            let place = code.find(|code| code.contains(".rs: "));
            let place = place.unwrap_or_else(|| panic!("{of}: step {number} names no function"));
            let of_another = is_there(place);
            assert!(
                of_another || is_there(&format!("{of}/{place}")),
                "{of}, step {number}: there is no {place}"
            );
        }
        // Something leads to each box, or to the group of boxes of which it is the first.
        let groups = groups(chart);
        let starts: Vec<&str> = arrows(chart)
            .filter_map(|(_, to)| groups.get(to).map(String::as_str))
            .collect();
        for (number, _) in steps.iter().skip(1) {
            let own = format!("{}{number}", &of[..1]);
            let is_led_to = arrows(chart).any(|(_, to)| to == own);
            assert!(is_led_to || starts.contains(&own.as_str()), "{own}");
        }
    }
}

/// Returns the numbers in the boxes of a chart: every other label begins otherwise.
fn numbers_of_boxes(chart: &str) -> impl Iterator<Item = usize> {
    let labels = chart
        .split(['[', '{'])
        .filter_map(|rest| rest.strip_prefix('"'));
    labels.filter_map(|label| label.split(' ').next()?.parse().ok())
}

/// Returns the numbered steps below a chart, each with its words.
fn steps(page: &str) -> impl Iterator<Item = (usize, String)> {
    let mut steps: Vec<(usize, String)> = Vec::new();
    for line in page.lines() {
        let begun = line
            .split_once(". ")
            .and_then(|(number, words)| Some((number.parse().ok()?, words.to_owned())));
        match (begun, steps.last_mut()) {
            (Some(step), _) => steps.push(step),
            (None, Some((_, words))) => {
                words.push(' ');
                words.push_str(line.trim());
            }
            (None, None) => {}
        }
    }
    steps.into_iter()
}

/// Returns the groups of a chart, each with the first box in it.
fn groups(chart: &str) -> BTreeMap<&str, String> {
    let mut groups = BTreeMap::new();
    let mut open = Vec::new();
    for line in chart.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("subgraph ") {
            open.push(first_word(rest));
        } else if line.contains("[\"") || line.contains("{\"") {
            for group in open.drain(..) {
                groups.insert(group, first_word(line).to_owned());
            }
        }
    }
    groups
}

/// Returns the arrows of a chart, each as the box that it leaves and the box that it reaches.
/// `a --> b --> c` are two arrows, and so are `a & b --> c`.
fn arrows(chart: &str) -> impl Iterator<Item = (&str, &str)> {
    chart.lines().flat_map(|line| {
        // An arrow with two heads leads both ways; here the way in counts.
        let boxes: Vec<&str> = line
            .trim()
            .split(" -->")
            .flat_map(|part| part.split(" <-->"))
            .collect();
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
    let chart = "a[\"1 x & y<br>z\"] -->|no| b{\"2 w\"} --> c\n d & e --> f\n g <-->|\"x\"| h";
    let read: Vec<_> = arrows(chart).collect();
    let expected = [("a", "b"), ("b", "c"), ("d", "f"), ("e", "f"), ("g", "h")];
    assert_eq!(read, expected);
    assert_eq!(numbers_of_boxes(chart).collect::<Vec<_>>(), [1, 2]);
    let grouped =
        groups("subgraph in [\"The way in\"]\n direction TB\n a[\"1 x\"]\n a --> b[\"2 y\"]\nend");
    assert_eq!(grouped, BTreeMap::from([("in", "a".to_owned())]));
}

fn first_word(text: &str) -> &str {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.next().unwrap_or_default()
}

#[test]
fn every_thread_and_task_that_is_started_is_in_the_table() {
    let table = section(&ARCHITECTURE, "## Threads and tasks");
    let mut starts = 0;
    for program in ["server", "client", "pki/narration"] {
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
    assert!(
        is_there("pki/narration/narrator.rs: Narrator::start"),
        "of a crate below another"
    );
}

/// Returns whether `CRATE/PATH: FUNCTION` or `CRATE/PATH: TYPE::FUNCTION` is in the source, where
/// the path is below the crate's `src/`.
fn is_there(place: &str) -> bool {
    let (file, function) = place.split_once(": ").expect("a file and a function");
    // The crate is a folder at the top, or one below.
    let read = |(at, _)| {
        let (within, rest) = file.split_at(at);
        let source = project().join(within).join("src").join(&rest[1..]);
        fs::read_to_string(source).ok()
    };
    let Some(source) = file.match_indices('/').take(2).find_map(read) else {
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
