//! How wide terminals draw characters: the tables that they take it from, the terminals themselves, and what
//! the client shows on them when somebody says lines that are made of disputed characters.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tests::{Emulator, Site, UNLIMITED, program, require, run};
use unicode_width::UnicodeWidthChar as _;
use wire::Line;
use wire::terminal::{columns_max, columns_min, is_contested};

/// Prints each assigned character's number, glibc's width of it, its East Asian Width and its category.
const TABLES: &str = "
import ctypes, locale, unicodedata
locale.setlocale(locale.LC_ALL, 'C.UTF-8')
wcwidth = ctypes.CDLL(None).wcwidth
for n in range(0x20, 0x110000):
    c = chr(n)
    # Of the characters for private use, the first are like all others.
    if unicodedata.category(c) not in ('Cn', 'Cs') and not 0xe040 <= n < 0xf900 and n < 0xf0000:
        print(n, wcwidth(n), unicodedata.east_asian_width(c), unicodedata.category(c))
";

/// Writes each text of the first file after an `x`, asks the terminal where its cursor is, and writes the
/// columns that each text took into the second file.
const MEASURE: &str = "
import os, re, sys, termios, tty
texts = open(sys.argv[1], encoding='utf-8').read().split('\\n')
before = termios.tcgetattr(0)
tty.setraw(0)
columns = []
for at in range(0, len(texts), 64):
    some = texts[at:at + 64]
    os.write(1, ''.join('\\r\\x1b[Kx' + text + '\\x1b[6n' for text in some).encode())
    heard = b''
    while len(re.findall(rb'R', heard)) < len(some):
        heard += os.read(0, 4096)
    columns += [int(column) - 2 for column in re.findall(rb';([0-9]+)R', heard)]
os.write(1, b'\\r\\x1b[K')
termios.tcsetattr(0, termios.TCSANOW, before)
with open(sys.argv[2], 'w') as out:
    out.write('\\n'.join(map(str, columns)))
";

/// A character, as glibc and Python's copy of the Unicode Character Database know it.
struct Known {
    c: char,
    /// -1 for none.
    glibc: i32,
    is_wide: bool,
    is_ambiguous: bool,
    is_mark: bool,
}

fn known() -> &'static [Known] {
    static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(read_tables);
    &KNOWN
}

fn read_tables() -> Vec<Known> {
    require("python3");
    let output = Command::new("python3")
        .args(["-c", TABLES])
        .stdin(Stdio::null())
        .output()
        .expect("python3 runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let known = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [number, glibc, width, category] = words[..] else {
            panic!("{line}");
        };
        Known {
            c: char::from_u32(number.parse().expect("a number")).expect("a character"),
            glibc: glibc.parse().expect("a number"),
            is_wide: ["W", "F"].contains(&width),
            is_ambiguous: width == "A",
            is_mark: category.starts_with('M'),
        }
    });
    known.collect()
}

/// Returns whether a character may be said at all, after a letter.
fn may_be_said(c: char) -> bool {
    Line::parse(format!("x{c}").as_bytes()).is_ok()
}

/// Returns the characters that may be said and that tables disagree about.
fn disagreed() -> Vec<char> {
    let of_some = known().iter().filter(|known| {
        let ours = known.c.width().map_or(-1, |width| width as i32);
        let eaw = 1 + i32::from(known.is_wide || known.is_ambiguous);
        ours != known.glibc || eaw != ours && !known.is_mark
    });
    of_some
        .map(|known| known.c)
        .filter(|c| may_be_said(*c))
        .collect()
}

/// Texts whose characters join: syllables, emoji, marks, flags, and what only looks like those.
const JOINED: [&str; 24] = [
    "\u{1112}\u{1161}\u{11ab}",
    "\u{1161}",
    "\u{11ab}\u{11ab}",
    "e\u{301}\u{302}\u{303}",
    "\u{301}",
    "क\u{94d}ष\u{93f}",
    "কা",
    "நி",
    "กำ",
    "👨\u{200d}👩\u{200d}👧",
    "👩🏽\u{200d}💻",
    "🏽",
    "a🏽",
    "❤\u{fe0f}",
    "❤\u{fe0e}",
    "❤\u{fe0f}\u{200d}🔥",
    "1\u{fe0f}\u{20e3}",
    "\u{1f1e9}\u{1f1ea}",
    "\u{1f1e9}",
    "\u{1f1e9}\u{1f1ea}\u{1f1eb}",
    "\u{600}12",
    "\u{110bd}\u{110bd}",
    "می\u{200c}خ",
    "\u{e000}\u{f8ff}",
];

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn no_table_gives_a_character_more_or_fewer_columns_than_we_count() {
    let known = known();
    assert!(known.len() > 100_000);
    let mut replaced = 0;
    for known in known.iter() {
        let (c, name) = (known.c, format!("U+{:04X}", u32::from(known.c)));
        let Some(ours) = c.width() else {
            continue;
        };
        let (min, max) = (columns_min(c), columns_max(c));
        assert!(
            min <= ours && ours <= max && c.width_cjk() <= Some(max),
            "{name}"
        );
        let Ok(glibc) = usize::try_from(known.glibc) else {
            continue;
        };
        assert!(min <= glibc && glibc <= max, "{name}: glibc says {glibc}");
        if known.is_wide || known.is_ambiguous && !known.is_mark {
            assert!(max >= 2, "{name}");
        }
        replaced += usize::from(may_be_said(c) && is_contested(c));
    }
    // The window shows these as U+FFFD.
    assert!((1..200).contains(&replaced), "{replaced}");
}

#[test]
#[ignore = "needs python3, tmux, screen and xterm in Xvfb: run with --include-ignored"]
fn no_terminal_draws_a_text_wider_than_we_count() {
    let single = disagreed();
    assert!(single.len() > 500, "{}", single.len());
    let mut texts: Vec<String> = single.iter().map(char::to_string).collect();
    texts.extend(JOINED.map(str::to_owned));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("texts"), texts.join("\n")).expect("a file");
    fs::write(path("measure.py"), MEASURE).expect("a file");
    for emulator in Emulator::ALL {
        emulator.require();
        let widths = path(&format!("{emulator:?}"));
        let script = format!(
            "python3 {} {} {}",
            path("measure.py").display(),
            path("texts").display(),
            widths.display()
        );
        let _rows = emulator.run(80, &script).rows();
        let widths = fs::read_to_string(widths).expect("widths");
        let widths: Vec<i32> = widths
            .lines()
            .map(|width| width.parse().expect("a number"))
            .collect();
        assert_eq!(widths.len(), texts.len(), "{emulator:?}");
        for (text, width) in texts.iter().zip(&widths) {
            let max: usize = text.chars().map(columns_max).sum();
            assert!(
                *width <= max as i32,
                "{emulator:?}: {} took {width}",
                text.escape_unicode()
            );
        }
        // It was a terminal that measured, and it has an opinion of its own.
        let kinds: BTreeSet<&i32> = widths.iter().collect();
        assert!(kinds.len() > 1, "{emulator:?}: {kinds:?}");
    }
}

/// The texts with which eve wants a row to begin.
const GHOSTS: [&str; 2] = [
    "2026-11-21 19:00:00 [bob@192.0.2.9] I owe you ten",
    "[bob@192.0.2.9] I owe you ten",
];

/// Lines of disputed characters, of everything that joins, and of plain letters, with a ghost after each
/// number of columns.
fn haunted() -> Vec<String> {
    let mut lines = Vec::new();
    // GNU screen's copy has only the lowest byte of each character, and a line feed would begin a row.
    let mut all = disagreed();
    all.retain(|c| u32::from(*c) & 0xff != u32::from('\n'));
    for (at, some) in all.chunks(40).enumerate() {
        let some: String = some.iter().collect();
        lines.push(format!("x{some}{}", GHOSTS[at % 2]));
    }
    for (at, joined) in JOINED.iter().enumerate() {
        lines.push(format!("x{}{}", joined.repeat(30), GHOSTS[at % 2]));
    }
    for columns in 0..120 {
        lines.push(format!("{}{}", "x".repeat(columns), GHOSTS[columns % 2]));
    }
    lines.retain(|line| Line::parse(line.as_bytes()).is_ok());
    lines
}

#[test]
#[ignore = "needs python3, tmux, screen and xterm in Xvfb: run with --include-ignored"]
fn in_every_terminal_each_row_begins_with_a_true_stamp_or_an_indent() {
    let lines = haunted();
    assert!(lines.len() > 150, "{}", lines.len());
    for emulator in Emulator::ALL {
        emulator.require();
    }
    let site = Site::new("Networks 101");
    let mut arguments = UNLIMITED.to_vec();
    arguments.extend(["--same-id", "allow"]);
    let served = site.serve(&arguments);
    let server = served.address.to_string();
    let said = lines.join("\n") + "\nthat was all\n";
    let eve = run(
        site.folder(),
        "client",
        &["--cert", &site.bundle("eve"), "--server", &server],
        &said,
    );
    assert!(eve.status.success(), "{eve:?}");
    let alice = site.bundle("alice");
    let forms = [("--plain", 100), ("--bare", 80), ("--plain", 20)];
    let runs = Emulator::ALL
        .iter()
        .flat_map(|emulator| forms.map(|(form, columns)| (*emulator, form, columns)));
    for (emulator, form, columns) in runs {
        // It leaves by itself when it has shown everything.
        let script = format!(
            "cd '{}'; '{}' --cert '{alice}' --server {server} {form} --utc --since all </dev/null",
            site.folder().display(),
            program("client").display(),
        );
        let shown = emulator.run(columns, &script);
        let rows = shown.rows();
        let what = format!("{emulator:?} {form} {columns}");
        let mut stamps = 0;
        for row in rows.iter().filter(|row| !row.is_empty()) {
            // GNU screen joins more characters to the one before them than others do: to the last blank
            // of the indent too, which then is the cell of both.
            let indent = if emulator == Emulator::Screen {
                "   "
            } else {
                "    "
            };
            let is_ours = row.starts_with(indent)
                || row.starts_with(['>', '$'])
                || row.starts_with("client: ");
            let entry = match form {
                "--bare" => row.as_str(),
                _ => row.get(20..).unwrap_or_default(),
            };
            let is_true = ["[eve@", "* eve@", "* alice@"].iter().any(|begin| entry.starts_with(begin))
                // A stamp of its own row, on a terminal that is too narrow for it.
                || columns == 20 && row.starts_with("20") && row.len() < 20;
            stamps += usize::from(is_true);
            assert!(is_ours || is_true, "{what}: {row:?}\n{}", rows.join("\n"));
        }
        // Most of it: xterm does not print all the rows that it keeps.
        assert!(
            stamps * 2 >= lines.len(),
            "{what}: {stamps}\n{}",
            rows.join("\n")
        );
    }
}
