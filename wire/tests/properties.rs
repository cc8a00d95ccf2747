//! What holds for every input, not only for the examples beside the code.

use std::net::IpAddr;

use bytes::BytesMut;
use proptest::prelude::*;
use wire::limits::{DISCARD_BYTES_MAX, LINE_BYTES_MAX};
use wire::{
    ClientId, Entry, Kind, Line, LineDecoder, Nonce, Overlong, Reason, Request, ServerLine,
    Timestamp,
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

/// Pieces of a stream: what people type, what attackers type, and very long runs.
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

/// What a decoder must find, said in the plainest way: split at LF, drop one CR, judge by length.
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
    fn a_nonce_is_read_in_one_form_only(text in "[A-Za-z0-9-]{0,50}") {
        if let Ok(nonce) = Nonce::parse(&text) {
            prop_assert_eq!(nonce.to_string(), text);
        }
    }
}
