//! Reads the rows of an Excel workbook (.xlsx), which is a zip of XML. A small file can claim to be a huge
//! one, so everything is measured before it is read.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::panic::catch_unwind;

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};
use memchr::memmem;
use zip::ZipArchive;

use super::sheet::{CELLS_MAX, Row, Sheet, cell_text};

/// The first bytes of a zip.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// A workbook's XML when it is unpacked, in bytes.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;
/// The files in a workbook.
const FILES_MAX: usize = 4096;
/// The columns of a sheet; a gradebook has some hundred.
const COLUMNS_MAX: u32 = 1024;
/// The text of all cells, in bytes: a short cell may stand for a long text that others share.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Reads the sheet with this name, or the first one that can be seen and has text.
pub(super) fn rows(bytes: &[u8], wanted: Option<&str>) -> Result<Sheet, String> {
    measure(bytes)?;
    // The library may stumble over a damaged file in a way that `measure` does not foresee.
    let read = || rows_of_measured(bytes, wanted);
    catch_unwind(read).unwrap_or_else(|_| Err("it is not a good .xlsx file".to_owned()))
}

fn rows_of_measured(bytes: &[u8], wanted: Option<&str>) -> Result<Sheet, String> {
    let unreadable = |error: XlsxError| format!("it is not a good .xlsx file: {error}");
    let mut book: Xlsx<_> =
        calamine::open_workbook_from_rs(Cursor::new(bytes)).map_err(unreadable)?;
    let sheets = book.sheets_metadata().iter();
    let sheets = sheets.filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let visible = sheets.filter(|sheet| wanted.is_some() || sheet.visible == SheetVisible::Visible);
    let names: Vec<String> = visible.map(|sheet| sheet.name.clone()).collect();
    let is_wanted = |name: &&String| wanted.is_none_or(|wanted| name.trim() == wanted.trim());
    for name in names.iter().filter(is_wanted) {
        let rows = sheet_rows(&mut book, name)?;
        if rows.is_empty() && wanted.is_none() {
            continue;
        }
        let notes = (names.len() > 1 && wanted.is_none()).then(|| {
            format!(
                "reading the sheet \"{}\" of {}; --sheet names another",
                wire::escape(name),
                names.len()
            )
        });
        return Ok(Sheet {
            rows,
            notes: notes.into_iter().collect(),
        });
    }
    match wanted {
        None => Err("none of its sheets has text".to_owned()),
        Some(wanted) => {
            let names: Vec<String> = names
                .iter()
                .map(|name| format!("\"{}\"", wire::escape(name)))
                .collect();
            Err(format!(
                "it has no sheet \"{}\", but {}",
                wire::escape(wanted),
                crate::words::first_few(&names, 8, ", ")
            ))
        }
    }
}

/// Unpacks everything that calamine may read, and throws it away. What a zip says of its sizes is not
/// believed.
fn measure(bytes: &[u8]) -> Result<(), String> {
    let damaged = |error: &dyn std::fmt::Display| format!("it is a damaged zip file: {error}");
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let names = zip.file_names().flatten().map(|name| name.to_lowercase());
    let names: Vec<String> = names.collect();
    let has = |name: &str| names.iter().any(|there| there == name);
    if !has("xl/workbook.xml") {
        return Err(match () {
            () if has("xl/workbook.bin") => "it is an Excel file of the kind .xlsb; save it as .xlsx or as \"CSV UTF-8\"",
            () if has("content.xml") => "it is an OpenDocument file (.ods); save it as .xlsx or as \"CSV UTF-8\"",
            () if has("word/document.xml") => "it is a Word document; put the list into a spreadsheet, or into a text file with one ID on each line",
            () if names.iter().any(|name| name.ends_with(".iwa")) => "it is a file of Apple's Numbers; export it as Excel or CSV",
            () => "it is a zip file, and not an Excel workbook; unpack it first",
        }
        .to_owned());
    }
    if names.len() > FILES_MAX {
        return Err(format!("it has more than {FILES_MAX} files in it"));
    }
    if entries_told(bytes).is_some_and(|told| told != zip.len()) {
        return Err(
            "it has two parts of the same name, so programs disagree about what it says".to_owned(),
        );
    }
    let mut left = UNPACKED_BYTES_MAX;
    for at in 0..zip.len() {
        // Whatever its name is: the workbook itself says which part is a sheet.
        let file = zip.by_index(at).map_err(|error| damaged(&error))?;
        let mut part = Vec::new();
        let unpacked = file.take(left + 1).read_to_end(&mut part);
        let unpacked = unpacked.map_err(|error| damaged(&error))? as u64;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| format!("it unpacks to more than {} MiB", UNPACKED_BYTES_MAX >> 20))?;
        check_claims(&part)?;
    }
    Ok(())
}

/// Returns how many entries the zip's directory has, unless there are too many for its old form.
fn entries_told(bytes: &[u8]) -> Option<usize> {
    let at = memmem::rfind(bytes, b"PK\x05\x06")?;
    let told = bytes.get(at + 10..at + 12)?;
    let told = u16::from_le_bytes([told[0], told[1]]);
    (told != u16::MAX).then_some(told.into())
}

/// Checks the claims for which calamine would allocate memory, or compute without a limit: the number of
/// texts, and the places of cells.
fn check_claims(part: &[u8]) -> Result<(), String> {
    for value in values(part, b"uniqueCount") {
        let count = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        // Each text takes some bytes.
        if count.is_none_or(|count: usize| count > part.len()) {
            return Err("it claims to have more texts than it has".to_owned());
        }
    }
    for name in [&b"r"[..], b"ref"] {
        let places = values(part, name).flat_map(|value| value.split(|b| *b == b':'));
        // The last cell of a sheet is XFD1048576.
        for place in places {
            let letters = place.iter().filter(|b| b.is_ascii_alphabetic()).count();
            let digits = place.iter().filter(|b| b.is_ascii_digit()).count();
            if letters + digits == place.len() && digits > 0 && (letters > 3 || digits > 7) {
                return Err("it has a cell beyond the last one that a sheet can have".to_owned());
            }
        }
    }
    Ok(())
}

/// Returns the values of an XML attribute, wherever it stands.
fn values<'a>(part: &'a [u8], name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    memmem::find_iter(part, name).filter_map(move |at| {
        let before = at.checked_sub(1).map(|before| part[before])?;
        let after = part[at + name.len()..].trim_ascii_start();
        let (quote, value) = after.strip_prefix(b"=")?.trim_ascii_start().split_first()?;
        let end = value.iter().position(|b| b == quote)?;
        (before.is_ascii_whitespace() && b"\"'".contains(quote)).then(|| &value[..end])
    })
}

fn sheet_rows(book: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<Vec<Row>, String> {
    let unreadable = |error: XlsxError| {
        format!(
            "its sheet \"{}\" cannot be read: {error}",
            wire::escape(name)
        )
    };
    let mut reader = book.worksheet_cells_reader(name).map_err(unreadable)?;
    let mut found: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
    let (mut cells, mut bytes) = (0, 0);
    while let Some(cell) = reader.next_cell().map_err(unreadable)? {
        let (row, column) = cell.get_position();
        let text = text_of(cell.get_value());
        let text = cell_text(&text);
        if text.is_empty() {
            continue;
        }
        if column >= COLUMNS_MAX {
            return Err(format!(
                "it has text beyond column {COLUMNS_MAX}, in row {}",
                row + 1
            ));
        }
        (cells, bytes) = (cells + 1, bytes + text.len());
        if cells > CELLS_MAX || bytes > TEXT_BYTES_MAX {
            return Err("it has more cells or text than any class".to_owned());
        }
        found
            .entry(row)
            .or_default()
            .insert(column, text.to_owned());
    }
    let mut rows = Vec::new();
    let mut width = 0;
    for (row, cells) in found {
        let last = cells.keys().next_back().copied().unwrap_or_default();
        width += last as usize + 1;
        if width > CELLS_MAX {
            return Err("it has more cells than any class".to_owned());
        }
        let mut texts = vec![String::new(); last as usize + 1];
        for (column, text) in cells {
            texts[column as usize] = text;
        }
        rows.extend(Row::new(u64::from(row) + 1, texts));
    }
    Ok(rows)
}

/// Returns a cell as a person sees it: a number without `.0`, a day as 2027-02-01.
fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(is) => is.to_string().to_uppercase(),
        DataRef::DateTime(moment) => moment_text(moment),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
    }
}

fn moment_text(moment: &ExcelDateTime) -> String {
    if !moment.is_datetime() {
        return moment.as_f64().to_string();
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second) {
        (0, 0, 0) => date,
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}"),
    }
}
