//! The tables of flags, exit codes and figures say the same as the programs, and as each other.

use std::collections::{BTreeMap, BTreeSet};

use tests::{page, run, section, section_of_any};

#[test]
fn the_servers_flags_in_the_documents_are_those_that_it_has() {
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
    let rows = section_of_any("## The server's flags").lines();
    let rows = rows.filter_map(|row| {
        let (flag, rest) = row.strip_prefix("| `--")?.split_once("` |")?;
        let default = rest.split('|').next()?.trim().trim_matches('`');
        Some((flag, default))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), told);
}

#[test]
fn the_exit_codes_in_the_documents_are_those_that_the_programs_tell() {
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
        let rows = section_of_any(heading).lines();
        let rows = rows.filter_map(|row| number(row.strip_prefix("| ")?.split(' ').next()?));
        assert_eq!(rows.collect::<BTreeSet<_>>(), told, "{program}");
    }
}

#[test]
fn the_figures_in_the_readme_are_those_of_the_page_on_performance() {
    let rows = |text: &'static str, heading| -> Vec<&str> {
        let rows = section(text, heading).lines();
        rows.filter(|row| row.starts_with("| `")).collect()
    };
    let all = rows(page("docs/performance.md"), "## All scenarios");
    let short = rows(page("README.md"), "## How fast it is");
    assert_eq!(short.len(), 4);
    for row in short {
        assert!(all.contains(&row), "{row}");
    }
}
