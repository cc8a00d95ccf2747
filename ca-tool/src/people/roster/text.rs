//! Turns the bytes of a roster into text. Spreadsheets write UTF-8 with and without a byte order mark,
//! UTF-16, and Windows-1252; what had to be assumed is told.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A text, and what was assumed about it.
#[derive(Debug)]
pub(super) struct Text {
    /// Its lines end in `\n`.
    pub(super) text: String,
    pub(super) note: Option<String>,
}

/// Decodes a file. `encoding` is the one that somebody insists on.
pub(super) fn decode(bytes: &[u8], encoding: Option<&'static Encoding>) -> Result<Text, String> {
    if let Some(kind) = other_kind(bytes) {
        return Err(kind.to_owned());
    }
    let (text, note) = match encoding {
        Some(encoding) => (decode_as(bytes, encoding)?, None),
        None => guess(bytes)?,
    };
    if let Some(kind) = other_text(&text) {
        return Err(kind.to_owned());
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    Ok(Text { text, note })
}

fn decode_as(bytes: &[u8], encoding: &'static Encoding) -> Result<String, String> {
    let (text, encoding, had_errors) = encoding.decode(bytes);
    match had_errors {
        false => Ok(text.into_owned()),
        true => Err(format!("it is not {}", encoding.name())),
    }
}

fn guess(bytes: &[u8]) -> Result<(String, Option<String>), String> {
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Err("it is UTF-32; save it as \"CSV UTF-8\"".to_owned());
    }
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        let text = decode_as(bytes, encoding).map_err(|_| {
            let name = encoding.name();
            format!("it begins as {name}, and does not go on as {name}; save it as \"CSV UTF-8\"")
        })?;
        return Ok((text, None));
    }
    if bytes.contains(&0) {
        let encoding = wide_encoding(bytes);
        let text = encoding.and_then(|encoding| Some((encoding, decode_as(bytes, encoding).ok()?)));
        return match text {
            Some((encoding, text)) if !text.contains('\0') => Ok((
                text,
                Some(format!(
                    "read as {}, which it does not say",
                    encoding.name()
                )),
            )),
            _ => Err("it is not a text file".to_owned()),
        };
    }
    if let Ok(text) = decode_as(bytes, UTF_8) {
        return Ok((text, None));
    }
    let text = decode_as(bytes, WINDOWS_1252)?;
    if !is_plausible(&text) {
        let good = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let line = bytes[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err(format!(
            "it is neither UTF-8 (line {line} is not) nor Windows-1252; save it as \"CSV UTF-8\", or name its encoding, as in --encoding gb18030, shift_jis or windows-1251"
        ));
    }
    let example = text
        .split([',', ';', '\t', '\n', '\r', '|', '"'])
        .map(str::trim);
    let example = example
        .filter(|word| !word.is_ascii())
        .min_by_key(|word| word.len());
    let example = wire::excerpt(example.unwrap_or_default(), EXAMPLE_CHARS_MAX);
    let note = format!("read as Windows-1252, because it is not UTF-8; for example \"{example}\"");
    Ok((text, Some(note)))
}

/// How much of a text shows whether it was decoded well.
const EXAMPLE_CHARS_MAX: usize = 40;

/// Returns the byte order of a text of 16-bit units: most texts have commas, line ends and digits, whose
/// high byte is zero.
fn wide_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let zeros = |first: usize| {
        bytes
            .iter()
            .skip(first)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    match (zeros(0), zeros(1)) {
        _ if bytes.len() % 2 == 1 => None,
        (high, low) if high > low => Some(UTF_16BE),
        (high, low) if low > high => Some(UTF_16LE),
        _ => None,
    }
}

/// Returns whether a text that was read as Windows-1252 can have been meant so. Other encodings show
/// themselves: a Chinese or Russian name becomes a row of accented letters, and a Polish one a word with
/// `³` or `£` in it.
fn is_plausible(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| chars.get(at))
            .is_some_and(|c| c.is_alphabetic() && !matches!(c, 'ª' | 'º' | 'ƒ'))
    };
    let mut run = 0;
    for (at, c) in chars.iter().enumerate() {
        if c.is_ascii() {
            run = 0;
            continue;
        }
        run += 1;
        let is_punctuation = matches!(
            c,
            '\u{a0}'
                | '’'
                | '‘'
                | '“'
                | '”'
                | '«'
                | '»'
                | '–'
                | '—'
                | '…'
                | '°'
                | '·'
                | 'ª'
                | 'º'
                | '¿'
                | '¡'
                | '´'
        );
        let touches_a_letter = is_letter(at.checked_sub(1)) || is_letter(Some(at + 1));
        let is_odd = !c.is_alphabetic() && !is_punctuation && touches_a_letter;
        if run > ACCENTS_IN_A_ROW_MAX || is_odd || c.is_control() {
            return false;
        }
    }
    true
}

/// How many letters with accents follow each other in a name: `Þó`, `éé`.
const ACCENTS_IN_A_ROW_MAX: usize = 2;

/// Returns the kind of a file that cannot be a roster, by its first bytes, with what to do about it.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        // "EncryptedPackage" in 16-bit units.
        let is_encrypted = contains(b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0");
        Some(match is_encrypted {
            true => {
                "it is a spreadsheet with a password; open it in a spreadsheet program and save it as \"CSV UTF-8\""
            }
            false => {
                "it is an old Excel file (.xls); open it in a spreadsheet program and save it as .xlsx or as \"CSV UTF-8\""
            }
        })
    } else if bytes.starts_with(b"%PDF-") {
        Some("it is a PDF; export the list as CSV instead")
    } else if bytes.starts_with(b"SQLite format 3\0") {
        Some("it is a database, not a roster")
    } else {
        None
    }
}

/// Returns the kind of a text that cannot be a roster. The faults of a roster quote its lines, and must
/// not print a key.
fn other_text(text: &str) -> Option<&'static str> {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let beginning: String = start.chars().take(15).collect::<String>().to_lowercase();
    if text.contains('\0') {
        Some("it is not a text file")
    } else if text.contains("PRIVATE KEY-----") {
        Some("it is a key, not a roster")
    } else if text.contains("-----BEGIN ") {
        Some("it is a PEM file, not a roster")
    } else if start.is_empty() {
        Some("it is empty")
    } else if ["<!doctype", "<html", "<table", "<?xml", "<meta", "<head"]
        .iter()
        .any(|tag| beginning.starts_with(tag))
    {
        Some(
            "it is a web page or XML, whatever its name says; open it in a spreadsheet program and save it as .xlsx or as \"CSV UTF-8\"",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes, None).expect("a text").text
    }

    fn wide(text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn what_spreadsheets_write_is_read_whatever_its_encoding() {
        let expected = "id,name\nerin,Zoë 张三\n";
        for bytes in [
            expected.as_bytes().to_vec(),
            format!("\u{feff}{expected}").into_bytes(),
            wide(&format!("\u{feff}{expected}"), u16::to_le_bytes),
            wide(&format!("\u{feff}{expected}"), u16::to_be_bytes),
            wide(expected, u16::to_le_bytes),
            wide(expected, u16::to_be_bytes),
            expected.replace('\n', "\r\n").into_bytes(),
            expected.replace('\n', "\r").into_bytes(),
        ] {
            assert_eq!(text(&bytes), expected, "{bytes:02x?}");
        }
        let note = |bytes: &[u8]| decode(bytes, None).expect("a text").note;
        assert_eq!(note(&wide("\u{feff}id\nerin\n", u16::to_le_bytes)), None);
        let assumed = note(&wide("id\nerin\n", u16::to_be_bytes)).expect("a note");
        assert_eq!(assumed, "read as UTF-16BE, which it does not say");
    }

    #[test]
    fn windows_1252_is_read_and_said_with_an_example() {
        let read = decode(b"id,name\nana,Ana Garc\xeda\nbj,Bj\xf6rn O\x92Neil\n", None);
        let read = read.expect("a text");
        assert!(
            read.text.contains("Ana García\nbj,Björn O’Neil"),
            "{}",
            read.text
        );
        assert_eq!(
            read.note.as_deref(),
            Some("read as Windows-1252, because it is not UTF-8; for example \"Ana García\"")
        );
    }

    #[test]
    fn a_list_in_another_encoding_is_not_taken_for_windows_1252() {
        for (name, label) in [
            ("张三,李四", "gb18030"),
            ("Иванов Иван", "windows-1251"),
            ("Paweł Wójcik", "iso-8859-2"),
            ("Łukasz", "windows-1250"),
            ("田中太郎", "shift_jis"),
            ("김철수", "euc-kr"),
            ("Γιώργος", "windows-1253"),
        ] {
            let encoding = Encoding::for_label(label.as_bytes()).expect("an encoding");
            let bytes = encoding.encode(name).0;
            let error = decode(&bytes, None).expect_err(label);
            assert!(error.contains("--encoding"), "{label}: {error}");
            let insisted = decode(&bytes, Some(encoding)).expect("a text");
            assert_eq!(insisted.text, name);
        }
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (bytes, why) in [
            (
                &b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0"[..],
                "an old Excel file (.xls)",
            ),
            (b"\xff\xfe\0\0i\0\0\0", "UTF-32"),
            (b"%PDF-1.7\n", "a PDF"),
            (b"\n<html><table>", "a web page"),
            (b"id\0,name\n", "not a text file"),
            (b" \r\n\t", "it is empty"),
            (b"-----BEGIN CERTIFICATE-----\n", "a PEM file"),
        ] {
            let error = decode(bytes, None).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
        let key = wide("\u{feff}-----BEGIN PRIVATE KEY-----\n", u16::to_le_bytes);
        assert_eq!(
            decode(&key, None).expect_err("a key"),
            "it is a key, not a roster"
        );
    }
}
