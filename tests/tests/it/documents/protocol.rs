//! The protocol's tables and its grammar are those of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use tests::{fences, page, section};
use wire::limits;
use wire::{COMMANDS, Code, Line, Reason};

static PROTOCOL: LazyLock<&str> = LazyLock::new(|| page("PROTOCOL.md"));

#[test]
fn the_protocol_names_every_refusal_and_no_other() {
    let codes = Code::ALL.iter().map(|code| code.as_str());
    assert_eq!(first_column("## 8. Refusals"), codes.collect());
}

#[test]
fn the_protocol_names_every_reason_and_no_other() {
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
    assert_eq!(first_column("## 9. Reasons"), reasons.collect());
}

#[test]
fn the_protocol_names_every_command_with_its_arguments_and_no_other() {
    let usages: Vec<String> = COMMANDS
        .iter()
        .map(|command| format!("{} {}", command.name, command.arguments))
        .map(|usage| usage.trim_end().replace('|', r"\|"))
        .collect();
    let usages = usages.iter().map(String::as_str);
    assert_eq!(first_column("## 6. Commands"), usages.collect());
}

#[test]
fn the_limits_in_the_protocol_are_those_of_the_code() {
    let limits = BTreeMap::from([
        ("TEXT_BYTES_MAX", limits::TEXT_BYTES_MAX),
        ("LINE_BYTES_MAX", limits::LINE_BYTES_MAX),
        ("SERVER_LINE_BYTES_MAX", limits::SERVER_LINE_BYTES_MAX),
        ("DISCARD_BYTES_MAX", limits::DISCARD_BYTES_MAX),
        ("PREFIX_BYTES_MAX", limits::PREFIX_BYTES_MAX),
        ("ID_CHARS_MAX", limits::ID_CHARS_MAX),
        ("ID_BYTES_MAX", limits::ID_BYTES_MAX),
        ("FULL_NAME_CHARS_MAX", limits::FULL_NAME_CHARS_MAX),
        ("UNACKNOWLEDGED_LINES_MAX", limits::UNACKNOWLEDGED_LINES_MAX),
        ("RUN_CHARS_MIN", limits::RUN_CHARS_MIN),
        ("RUN_CHARS_MAX", limits::RUN_CHARS_MAX),
    ]);
    let section = section(&PROTOCOL, "## 2. Lines");
    let rows = section.lines().filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells.get(3)?.strip_prefix('`')?.strip_suffix('`')?;
        let (value, _unit) = cells[2].split_once(' ')?;
        Some((name, value.parse().expect("a number and its unit")))
    });
    assert_eq!(rows.collect::<BTreeMap<_, usize>>(), limits);
    let port = format!("port {} unless", wire::PORT);
    assert!(PROTOCOL.contains(&port), "no {port:?}");
    let alpn = std::str::from_utf8(wire::ALPN).expect("a name");
    assert!(PROTOCOL.contains(&format!("**`{alpn}`.**")));
}

#[test]
fn the_characters_of_a_text_in_the_grammar_are_those_that_may_be_said() {
    let rule = rules().remove("text-char").expect("a rule");
    let ranges: Vec<RangeInclusive<u32>> = rule.split('/').map(range).collect();
    for c in '\0'..=char::MAX {
        let in_grammar = ranges.iter().any(|range| range.contains(&u32::from(c)));
        // An invisible character may stand only after some characters, and a blank not alone.
        let mut before = ["x", "字", "❤", "م", "ᠰ"].into_iter();
        let may_be_said =
            before.any(|before| Line::parse(format!("{before}{c}").as_bytes()).is_ok());
        assert_eq!(in_grammar, may_be_said, "U+{:04X}", u32::from(c));
    }
}

#[test]
fn every_rule_that_the_grammar_uses_is_defined_in_it() {
    const CORE: [&str; 8] = [
        "ALPHA", "DIGIT", "HEXDIG", "CR", "LF", "SP", "WSP", "DQUOTE",
    ];
    let rules = rules();
    for (name, rule) in &rules {
        // Every second part stands in quotes; a number may stand before a rule.
        let bare: Vec<&str> = rule.split('"').step_by(2).collect();
        let bare = bare.join(" ").replace("%s", " ");
        let names = bare.split(|c: char| !(c.is_ascii_alphanumeric() || "-%".contains(c)));
        for used in names {
            let used = used.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_number = used.is_empty() || used.starts_with('%');
            assert!(
                is_number || CORE.contains(&used) || rules.contains_key(used),
                "{name} uses {used:?}, which is not defined"
            );
        }
    }
    for command in COMMANDS {
        let name = command.name.trim_start_matches('/');
        assert!(rules.contains_key(name), "no rule for {}", command.name);
    }
}

/// The order in which people's tools find the parts, and each note.
#[test]
fn a_bundle_is_laid_out_as_the_protocol_says() {
    let site = tests::Site::new("Networks 101");
    let path = site.path(&site.bundle("alice"));
    let bundle = std::fs::read_to_string(path).expect("a bundle");
    let parts: Vec<&str> = bundle
        .lines()
        .filter_map(|line| line.strip_prefix("-----")?.strip_suffix("-----"))
        .filter(|label| label.starts_with("BEGIN "))
        .collect();
    let layout = section(&PROTOCOL, "## The bundle");
    let rows = layout.lines().filter_map(|row| row.strip_prefix("| `"));
    let first: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let (told, notes): (Vec<&str>, Vec<&str>) =
        first.iter().partition(|cell| cell.starts_with("BEGIN "));
    assert_eq!(parts, told);
    let (before, _) = bundle.split_once("-----BEGIN ").expect("a part");
    for line in before.lines() {
        let note = line
            .strip_prefix("# ")
            .and_then(|line| line.split(" = ").next());
        let note = note.unwrap_or_else(|| panic!("{line:?} is no note"));
        assert!(notes.contains(&note), "the table has no {note}");
    }
    for always in notes.iter().filter(|note| **note != "server") {
        assert!(before.contains(&format!("# {always} = ")), "{always}");
    }
}

/// Returns the first thing in backquotes of each row of the table in a section.
fn first_column(heading: &str) -> BTreeSet<&str> {
    let rows = section(&PROTOCOL, heading).lines();
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .collect()
}

/// Returns the grammar's rules without comments.
fn rules() -> BTreeMap<&'static str, String> {
    let mut rules: BTreeMap<&str, String> = BTreeMap::new();
    for block in fences(&PROTOCOL, "abnf") {
        let mut name = "";
        for line in block
            .lines()
            .map(|line| line.split(';').next().unwrap_or_default())
        {
            let more = match line.split_once('=') {
                Some((new, rule)) if line.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    name = new.trim();
                    assert!(!rules.contains_key(name), "{name} is defined twice");
                    rule
                }
                _ => line,
            };
            if !more.trim().is_empty() {
                rules.entry(name).or_default().push_str(more);
            }
        }
    }
    rules
}

/// Reads `%x20-7E` or `%x09`.
fn range(terminal: &str) -> RangeInclusive<u32> {
    let hex = terminal.trim().strip_prefix("%x").expect("a terminal");
    let (first, last) = hex.split_once('-').unwrap_or((hex, hex));
    let number = |hex| u32::from_str_radix(hex, 16).expect("a code point");
    number(first)..=number(last)
}
