//! The tables of flags, exit codes and figures say the same as the programs, and as each other.

use std::collections::{BTreeMap, BTreeSet};

use tests::{page, pages, run, section, section_of_any};

#[test]
fn the_servers_flags_in_the_documents_are_those_that_it_has() {
    let help = help("server", &[]);
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
    for (program, command, heading) in [
        ("ca-tool", &[][..], "## The exit codes of `ca-tool`"),
        ("client", &[], "## The client's exit codes"),
        (
            "client",
            &["conformance"],
            "## The exit codes of `client conformance`",
        ),
        ("server", &[], "## The server's exit codes"),
    ] {
        let help = help(program, command);
        let (_, told) = help.split_once("Exit codes:").expect("exit codes");
        let told = numbered(told);
        let rows = section_of_any(heading).lines();
        let rows: BTreeMap<u8, &str> = rows
            .filter_map(|row| {
                let (code, meaning) = row.strip_prefix("| ")?.split_once(" | ")?;
                Some((code.parse().ok()?, meaning))
            })
            .collect();
        let codes = |of: &BTreeMap<u8, String>| of.keys().copied().collect::<Vec<_>>();
        assert_eq!(
            Vec::from_iter(rows.keys().copied()),
            codes(&told),
            "{program}"
        );
        // The document may say more, after the words of the help.
        for (code, words) in &told {
            let row = rows[code];
            assert!(
                row.starts_with(words),
                "{program} {code}: {words:?}, not {row:?}"
            );
        }
    }
}

/// Returns the words after each number in a text.
fn numbered(text: &str) -> BTreeMap<u8, String> {
    let mut all: Vec<(u8, Vec<&str>)> = Vec::new();
    for word in text.split_whitespace() {
        match (word.parse(), all.last_mut()) {
            (Ok(number), _) => all.push((number, Vec::new())),
            (Err(_), Some((_, words))) => words.push(word),
            (Err(_), None) => panic!("{word:?} stands before the first number"),
        }
    }
    let all = all.into_iter();
    all.map(|(number, words)| (number, words.join(" ").trim_end_matches(',').to_owned()))
        .collect()
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

#[test]
fn the_clients_flags_in_the_documents_are_those_that_it_has() {
    for (command, heading) in [
        (&[][..], "## The client's flags"),
        (&["conformance"], "## The flags of `client conformance`"),
    ] {
        let rows = section_of_any(heading).lines();
        let rows = rows.filter_map(|row| row.strip_prefix("| `")?.split(['`', ' ']).next());
        let help = help("client", command);
        let told = flags(&help).filter(|flag| !["--help", "--version"].contains(flag));
        let told: BTreeSet<&str> = told
            .filter(|flag| help.contains(&format!("      {flag}")))
            .collect();
        assert_eq!(rows.collect::<BTreeSet<_>>(), told, "{heading}");
    }
}

#[test]
fn every_flag_and_command_that_the_documents_name_exists() {
    let commands = help("ca-tool", &[]);
    let commands = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let commands: Vec<String> = commands
        .filter_map(|line| line.split(' ').next())
        .filter(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        })
        .map(str::to_owned)
        .collect();
    assert!(commands.len() >= 16, "{commands:?}");
    let of_commands: BTreeMap<&str, String> = commands
        .iter()
        .map(|name| (name.as_str(), help("ca-tool", &[name])))
        .collect();
    let of_programs = [
        help("server", &[]),
        help("server", &["query"]),
        help("client", &[]),
        help("client", &["conformance"]),
    ];
    let of_all: BTreeSet<&str> = of_commands
        .values()
        .chain(&of_programs)
        .flat_map(|help| flags(help))
        .collect();

    let mut named = 0;
    let code = pages()
        .iter()
        .flat_map(|page| page.text.split('`').skip(1).step_by(2));
    for code in code.filter(|code| !code.contains('\n')) {
        // Flags of cargo, of tests and of benchmarks.
        if ["cargo ", "#[", "-- ", "--peer "]
            .iter()
            .any(|other| code.starts_with(other))
        {
            continue;
        }
        if let Some(rest) = code.strip_prefix("ca-tool ") {
            let mut words = rest.split(' ').filter(|word| !word.starts_with("--"));
            let command = words.next().unwrap_or_default();
            let known = of_commands.get(command);
            let known = known.unwrap_or_else(|| panic!("there is no command in {code:?}"));
            let known: BTreeSet<&str> = flags(known).collect();
            for flag in flags(rest) {
                assert!(known.contains(flag), "{command} has no {flag}: {code:?}");
            }
            named += 1;
        }
        for flag in flags(code) {
            assert!(of_all.contains(flag), "no program has {flag}: {code:?}");
            named += 1;
        }
    }
    assert!(named > 60, "only {named} are named");
}

#[test]
fn the_glossary_has_each_word_once() {
    let rows = page("docs/glossary.md").lines();
    let cells = rows.filter_map(|row| row.strip_prefix("| ")?.split(" |").next());
    let words: Vec<&str> = cells
        .filter(|cell| *cell != "Word")
        .flat_map(|cell| cell.split(", "))
        .collect();
    assert!(words.len() > 60, "only {} words", words.len());
    let mut seen = BTreeSet::new();
    for word in words {
        assert!(seen.insert(word), "{word} has two meanings");
    }
}

/// Returns the help of a program, or of one of its commands.
fn help(program: &str, command: &[&str]) -> String {
    let folder = std::env::temp_dir();
    let arguments = [command, &["--help"]].concat();
    let help = run(&folder, program, &arguments, "").stdout;
    String::from_utf8(help).expect("UTF-8")
}

/// Returns the flags in a text: words of small letters and hyphens after two hyphens.
fn flags(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 3)
}
