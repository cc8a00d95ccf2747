//! Properties that hold for every input, not only for the examples beside the code.

use std::net::IpAddr;

use bytes::BytesMut;
use proptest::prelude::*;
use unicode_width::UnicodeWidthChar as _;
use wire::limits::{DISCARD_BYTES_MAX, LINE_BYTES_MAX};
use wire::terminal::{COLUMNS_MIN, INDENT, shown};
use wire::{
    ClientId, Entry, FullName, Here, Kind, Line, LineDecoder, Nonce, Overlong, Reason, Reply,
    Request, Role, Seen, ServerLine, Timestamp, Welcome, Whois,
};

fn any_id() -> impl Strategy<Value = ClientId> {
    prop_oneof![
        "[a-z0-9]{1,16}",
        "[一-龥]{1,8}",
        "[a-z]{1,4}[._-][a-z0-9]{1,8}"
    ]
    .prop_filter_map("a name", |name| ClientId::parse(&name).ok())
}

fn any_line() -> impl Strategy<Value = Line> {
    prop_oneof!["\\PC{1,200}", "[\\[\\]@ =!*0-9a-z]{1,80}"]
        .prop_filter_map("a line", |text| Line::parse(text.as_bytes()).ok())
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        any_line().prop_map(Kind::Message),
        Just(Kind::Enter),
        proptest::sample::select(Reason::ALL.to_vec()).prop_map(Kind::Leave),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let millis = 0i64..253_402_300_799_999;
    (1u64..1 << 53, millis, any_id(), any::<IpAddr>(), any_kind()).prop_map(
        |(seq, at, id, ip, kind)| Entry {
            seq,
            at: Timestamp::from_unix_millis(at),
            id,
            ip,
            kind,
        },
    )
}

/// Texts that try to be more than a full name: names, IDs, stamps, pairs, and everything that Unicode has.
fn any_full_name() -> impl Strategy<Value = FullName> {
    let piece = prop_oneof![
        4 => "[A-Za-z]{1,8}",
        3 => Just(" ".to_owned()),
        3 => "[-'.,()/&@\\[\\]\"=*!:<>\\\\0-9]{1,3}",
        2 => "\\PC{1,6}",
        1 => any::<char>().prop_map(|c| c.to_string()),
        1 => proptest::sample::select(vec![
            "bob", "alice@10.0.0.1] hi", "[bob@192.0.2.9] ", "role=instructor", "\" role=bot x=\"",
            "محمد", "בן־גוריון", "张三丰", "e\u{301}", "★", "😀", "״", "\u{200d}", "\u{202e}", "* bob@::1 entered",
            "41 2026-11-21T10:00:00.123Z ",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 1..8)
        .prop_map(|pieces| pieces.concat())
        .prop_filter_map("a full name", |text| {
            FullName::parse(&text).or(FullName::parse_typed(&text)).ok()
        })
}

/// Every reply that has a full name in it.
fn replies(id: &ClientId, ip: IpAddr, at: Timestamp, name: Option<FullName>) -> [Reply; 4] {
    let whois = |seen| {
        Reply::Whois(Whois {
            id: id.clone(),
            role: Role::Student,
            ip,
            seen,
            name: name.clone(),
        })
    };
    [
        Reply::Here(Here {
            id: id.clone(),
            role: Role::Student,
            ip,
            since: at,
            sessions: 1,
            name: name.clone(),
        }),
        whois(Seen::Here {
            since: at,
            sessions: 1,
        }),
        whois(Seen::Left {
            at: Some(at),
            reason: Some(Reason::Lost),
        }),
        Reply::Welcome(Welcome {
            id: id.clone(),
            role: Role::Student,
            ip,
            room: "Networks 101".to_owned(),
            head: 1,
            epoch: "9f86d081884c7d65".to_owned(),
            clock: at,
            version: "0.1.0".to_owned(),
            expires: None,
            name: name.clone(),
        }),
    ]
}

/// Pieces of a stream: the texts of people and of attackers, and very long runs.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => "\\PC{0,40}".prop_map(String::into_bytes),
        4 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (LINE_BYTES_MAX - 2..LINE_BYTES_MAX + 3).prop_map(|n| vec![b'x'; n]),
        1 => (DISCARD_BYTES_MAX - 2..DISCARD_BYTES_MAX + 3).prop_map(|n| vec![b'y'; n]),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Returns the lines that a decoder must find, in the plainest way: split at LF, drop one CR, judge
/// by length.
fn expected(stream: &[u8]) -> Vec<Result<Vec<u8>, bool>> {
    let mut found = Vec::new();
    let mut lines: Vec<&[u8]> = stream.split(|b| *b == b'\n').collect();
    let unfinished = lines.pop().unwrap_or_default();
    for line in lines {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if text.len() <= LINE_BYTES_MAX {
            found.push(Ok(text.to_vec()));
            continue;
        }
        found.push(Err(false));
        if line.len() > DISCARD_BYTES_MAX {
            found.push(Err(true));
            return found;
        }
    }
    let text = unfinished.strip_suffix(b"\r").unwrap_or(unfinished);
    if text.len() > LINE_BYTES_MAX {
        found.push(Err(false));
    }
    if unfinished.len() > DISCARD_BYTES_MAX {
        found.push(Err(true));
    }
    found
}

/// The columns of a character as terminals count them: unicode-width in its two moods, the Linux
/// console, which shows a mark in a cell of its own, a font of double width, and one that knows no
/// emoji.
const TABLES: [fn(char) -> usize; 5] = [
    |c| c.width().unwrap_or(1),
    |c| c.width_cjk().unwrap_or(1),
    |c| c.width().unwrap_or(1).max(1),
    |c| if u32::from(c) > 0x2fff { 2 } else { 1 },
    |c| usize::from(!('\u{300}'..='\u{36f}').contains(&c)),
];

/// The rows of a terminal that shows `text`; without `pends`, one that goes to the next row as soon
/// as the last column is filled.
fn rows(text: &str, columns: usize, table: fn(char) -> usize, pends: bool) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let width = table(c);
        if c == '\n' || used + width > columns {
            rows.push(String::new());
            used = 0;
        }
        if c == '\n' {
            continue;
        }
        rows.last_mut().expect("a row").push(c);
        used += width;
        if used == columns && !pends {
            rows.push(String::new());
            used = 0;
        }
    }
    rows
}

/// A text that tries to begin a row with the stamp of somebody else.
fn any_ghost() -> impl Strategy<Value = String> {
    // Tables disagree about each of the first.
    let piece = prop_oneof![
        4 => proptest::sample::select(
            "\u{11d46}\u{11a86}\u{110bd}\u{600}\u{6dd}\u{70f}\u{301}\u{20dd}\u{17d8}\u{1ac1}\u{94d}\u{1160}\u{ad}\
             ❤☎©…“яα±①\u{1f1e6}\u{1f3fd}👩🫨\u{200d}\u{fe0f}\u{fdfd}\u{2e3b}\u{16fe4}\u{302a}\u{a8f2}张\u{3000}"
                .chars()
                .collect::<Vec<_>>()
        )
        .prop_map(|c| c.to_string()),
        1 => any::<char>().prop_map(|c| c.to_string()),
        2 => "[ -~]{1,30}",
        1 => " {1,120}",
        2 => Just("2026-11-21 19:00:00 [bob@192.0.2.9] I owe you ten".to_owned()),
    ];
    proptest::collection::vec((piece, 1usize..60), 1..12).prop_map(|pieces| {
        let pieces = pieces.iter().map(|(piece, times)| {
            let times = if piece.chars().count() == 1 {
                *times
            } else {
                1
            };
            piece.repeat(times)
        });
        pieces.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_entry_reads_back_as_it_was_written(entry in any_entry()) {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        prop_assert_eq!(bytes.pop(), Some(b'\n'));
        let text = String::from_utf8(bytes).expect("entries are UTF-8");
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(Entry::parse(&text), Ok(entry.clone()));
        prop_assert_eq!(ServerLine::parse(&text), Ok(ServerLine::Entry(entry)));
    }

    #[test]
    fn an_entry_of_a_newer_server_reads_back_as_it_came(
        stamp in any_entry(),
        words in prop_oneof!["\\PC{1,80}", "\\* [a-z]{1,8}@::1 (left|entered|waved)[ ()a-z]{0,20}"],
    ) {
        let text = format!("{} {} {words}", stamp.seq, stamp.at);
        match ServerLine::parse(&text) {
            Ok(ServerLine::Entry(entry)) => prop_assert_eq!(entry.to_string(), text),
            Ok(ServerLine::NewerEntry(entry)) => {
                prop_assert_eq!((entry.seq, entry.at), (stamp.seq, stamp.at));
                prop_assert!(Entry::parse(&text).is_err());
                prop_assert_eq!(entry.to_string(), text);
            }
            // Nothing else is refused but forms that we know and characters that nobody may use.
            Err(_) => prop_assert!(
                words.starts_with(['[', '*']) || words.contains(wire::is_forbidden),
                "{}", text
            ),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn no_terminal_begins_a_row_with_the_text_of_a_person(
        ghost in any_ghost(),
        columns in prop_oneof![Just(80), Just(100), COLUMNS_MIN..200],
    ) {
        let entry = format!("19:00:00 [eve@192.0.2.7] {ghost}");
        let shown = shown(&entry, Some(columns));
        let ours: Vec<&str> = shown.split('\n').collect();
        for row in &ours[1..] {
            prop_assert!(row.starts_with(INDENT), "{row:?}");
        }
        for table in TABLES {
            for pends in [true, false] {
                prop_assert_eq!(rows(&shown, columns, table, pends), ours.clone());
            }
        }
    }

    #[test]
    fn no_text_yields_another_author(entry in any_entry(), said in any_line()) {
        let entry = Entry { kind: Kind::Message(said.clone()), ..entry };
        let read = Entry::parse(&entry.to_string()).expect("an entry");
        prop_assert_eq!(read.id, entry.id);
        prop_assert_eq!(read.ip, entry.ip);
        prop_assert_eq!(read.seq, entry.seq);
        prop_assert_eq!(read.kind, Kind::Message(said));
    }

    #[test]
    fn an_imitated_stamp_stays_a_text(victim in any_entry(), liar in any_entry()) {
        let Ok(lie) = Line::parse(victim.to_string().as_bytes()) else { return Ok(()) };
        let told = Entry { kind: Kind::Message(lie), ..liar.clone() };
        let read = Entry::parse(&told.to_string()).expect("an entry");
        prop_assert_eq!((read.seq, read.id), (liar.seq, liar.id));
    }

    #[test]
    fn a_stream_holds_the_same_lines_however_it_is_split(
        stream in any_stream(),
        cuts in proptest::collection::vec(1usize..9000, 0..40),
    ) {
        let mut decoder = LineDecoder::new(LINE_BYTES_MAX);
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        let mut rest = &stream[..];
        let mut cuts = cuts.into_iter().cycle();
        while !rest.is_empty() {
            let (read, left) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
            rest = left;
            buffer.extend_from_slice(read);
            while let Some(line) = decoder.decode(&mut buffer) {
                found.push(match line {
                    Ok(line) => Ok(line.to_vec()),
                    Err(Overlong::Line(_)) => Err(false),
                    Err(Overlong::Endless) => Err(true),
                });
            }
            prop_assert!(buffer.len() <= LINE_BYTES_MAX + 1);
        }
        prop_assert_eq!(found, expected(&stream));
    }

    #[test]
    fn no_line_of_a_client_upsets_the_parser(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        match Request::parse(&line) {
            Ok(Some(Request::Say(said))) => {
                let text = if line.starts_with(b"//") { &line[1..] } else { &line[..] };
                prop_assert_eq!(said.as_str().as_bytes(), text);
            }
            Ok(_) => {}
            Err(refusal) => {
                let sent = refusal.to_string();
                prop_assert_eq!(ServerLine::parse(&sent), Ok(ServerLine::Refusal(refusal)));
            }
        }
    }

    #[test]
    fn no_line_of_a_server_upsets_the_parser(text in "[=! 0-9]{0,3}\\PC{0,80}") {
        let _ = ServerLine::parse(&text);
    }

    #[test]
    fn a_name_is_safe_wherever_it_stands(name in "\\PC{0,40}") {
        if let Ok(id) = ClientId::parse(&name) {
            prop_assert_eq!(id.as_str(), name.as_str());
            prop_assert!(!name.contains(['@', ' ', ']', '/', '\\', '\'', '"']));
            prop_assert_eq!(ClientId::parse_typed(&name).ok(), Some(id));
        }
    }

    #[test]
    fn a_full_name_is_never_taken_for_anything_else(
        id in any_id(),
        ip in any::<IpAddr>(),
        name in any_full_name(),
    ) {
        let at = Timestamp::from_unix_millis(1_795_255_200_123);
        let text = name.as_str();
        let quoted = name.quoted();
        // It is shown as one quoted piece, and what is quoted is not an ID.
        prop_assert!(!text.contains(['"', '\\', '[', ']', '=', '*', '!', ':', '\t']));
        prop_assert!(!text.contains(wire::is_forbidden));
        prop_assert!(ClientId::parse(&quoted).is_err() && ClientId::parse_typed(&quoted).is_err());
        let beside = FullName::beside(&id, Some(&name));
        prop_assert_eq!(beside.split_once(' '), Some((id.as_str(), quoted.as_str())));
        // No part of it is a stamp.
        for (from, _) in text.char_indices() {
            prop_assert!(Entry::parse(&text[from..]).is_err());
            prop_assert!(!matches!(ServerLine::parse(&text[from..]), Ok(ServerLine::Entry(_))));
            let entry = format!("41 2026-11-21T10:00:00.123Z {}", &text[from..]);
            prop_assert!(Entry::parse(&entry).is_err());
        }
        let with = replies(&id, ip, at, Some(name.clone()));
        let without = replies(&id, ip, at, None);
        for (with, without) in with.into_iter().zip(without) {
            let line = with.to_string();
            // A reader that knows nothing of names, and takes a line apart at its spaces, finds what
            // it would find in a line without the name.
            prop_assert_eq!(&line, &format!("{without} name={quoted}"));
            prop_assert_eq!(ServerLine::parse(&line), Ok(ServerLine::Reply(with)));
        }
    }

    #[test]
    fn a_full_name_is_read_in_one_form_only(text in "\\PC{0,80}") {
        if let Ok(name) = FullName::parse(&text) {
            prop_assert_eq!(name.as_str(), text.as_str());
            prop_assert!(text.chars().count() <= 64 && text.len() <= 256);
            prop_assert_eq!(FullName::parse_typed(&text), Ok(name));
        }
        if let Ok(name) = FullName::parse_typed(&text) {
            prop_assert_eq!(FullName::parse(name.as_str()), Ok(name.clone()));
        }
    }

    #[test]
    fn a_nonce_is_read_in_one_form_only(text in "[A-Za-z0-9-]{0,50}") {
        if let Ok(nonce) = Nonce::parse(&text) {
            prop_assert_eq!(nonce.to_string(), text);
        }
    }
}
