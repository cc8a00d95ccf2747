//! The full name of a person, as people write it: shown beside an ID, never in its place.
//!
//! A full name proves nothing. It is a claim of whoever runs the CA, often copied from a list in which
//! people chose their own names. So its grammar leaves out everything that a stamp, a pair or another
//! ID could be made of, and it is always shown in the quotes that it cannot contain.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::ClientId;
use crate::limits::FULL_NAME_CHARS_MAX;
use crate::line::may_follow;

/// A person's full name: 1 to 64 characters on one line, in NFC (UAX #15), a letter among them.
///
/// It has letters, marks and digits of any script, with single spaces between words, and the
/// punctuation that is found in names. It has no quotation mark, no bracket of a stamp, no symbol and
/// no emoji.
// One text, not a given name and a surname: many people have no such two, or not in this order.
// <https://www.w3.org/International/questions/qa-personal-names>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullName(Arc<str>);

impl FullName {
    /// Reads a full name as it stands in a certificate or on the wire: nothing is repaired.
    ///
    /// # Errors
    ///
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, FullNameError> {
        if text.is_empty() {
            return Err(FullNameError::Empty);
        }
        // Length first: the rules below are not for texts of any size.
        if text.chars().nth(FULL_NAME_CHARS_MAX).is_some() {
            return Err(FullNameError::TooLong);
        }
        check_characters(text)?;
        check_marks(text)?;
        if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
            return Err(FullNameError::Spaces);
        }
        if !unicode_normalization::is_nfc(text) {
            return Err(FullNameError::NotNfc);
        }
        if !text.chars().any(is_letter) {
            return Err(FullNameError::NoLetter);
        }
        Ok(Self(text.into()))
    }

    /// Reads a full name that a person typed or that stands in a list: converts it to NFC, makes one
    /// space of each run of spaces of any width, and drops those around it. Then it parses the text as
    /// [`FullName::parse`] does.
    ///
    /// # Errors
    ///
    /// As [`FullName::parse`].
    pub fn parse_typed(text: &str) -> Result<Self, FullNameError> {
        // A few times the limit is enough: no composition shortens a text by more than that.
        let most = FULL_NAME_CHARS_MAX * 8;
        if text.chars().nth(most).is_some() {
            return Err(FullNameError::TooLong);
        }
        let spaced: String = text
            .nfc()
            .map(|c| if is_space(c) { ' ' } else { c })
            .collect();
        let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
        Self::parse(&words.join(" "))
    }

    /// Returns the name as it stands in the certificate.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in quotes, the only form in which it is shown beside an ID or sent. An ID has
    /// no quotes, so nobody takes one for the other.
    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }

    /// Returns `alice "Alice Ng"`, or the ID alone if there is no name.
    pub fn beside(id: &ClientId, name: Option<&Self>) -> String {
        match name {
            Some(name) => format!("{id} {}", name.quoted()),
            None => id.to_string(),
        }
    }
}

/// Why a text is not a full name. Each one completes "it cannot be a full name: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FullNameError {
    /// It has no characters.
    #[error("it is empty")]
    Empty,
    /// More than 64 characters.
    #[error("it has more than {FULL_NAME_CHARS_MAX} characters")]
    TooLong,
    /// A character that no full name may have.
    #[error("it contains {}; letters, digits, spaces and {PUNCTUATION_TOLD} are allowed", describe(*.0))]
    Character(char),
    /// The at sign of a mail address or a stamp.
    #[error("it contains '@' within a word, like a mail address")]
    At,
    /// A combining mark without a letter, or marks that pile up (UTS #39, section 5.4).
    #[error("it has a combining mark without a letter, one twice, or more than four on one letter")]
    Marks,
    /// Spaces around it, or two in a row.
    #[error("it has a space at its beginning or end, or two in a row")]
    Spaces,
    /// Not in normalization form C.
    #[error("it is not in Unicode normalization form C")]
    NotNfc,
    /// Digits and punctuation alone, such as a student number from the wrong column.
    #[error("it has no letter")]
    NoLetter,
}

/// Punctuation of names: what UAX #31 (Table 3) allows within words, as far as names have it, and the
/// marks of initials, of "Ng, Alice", "Chen Wei (William)", "Ravi s/o Kumar" and "Tan Ah Kow @ Tan Beng".
const PUNCTUATION: [char; 26] = [
    '\'', '-', '.', ',', '(', ')', '/', '&', '@', '·', '\u{58a}', '\u{5be}', '\u{5f3}', '\u{5f4}',
    '\u{f0b}', '\u{2010}', '\u{2011}', '\u{2013}', '\u{2018}', '\u{2019}', '\u{2027}', '\u{30a0}',
    '\u{30fb}', '\u{ff65}', '\u{ff08}', '\u{ff09}',
];

const PUNCTUATION_TOLD: &str = "' - . , ( ) / & @";

/// Looks like a quotation mark, but stands between two letters (Hebrew gershayim).
const WITHIN_WORDS: char = '\u{5f4}';

fn check_characters(text: &str) -> Result<(), FullNameError> {
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        if !is_allowed(c) || !may_follow(before, c) {
            return Err(FullNameError::Character(c));
        }
        if c == WITHIN_WORDS && !(before.is_some_and(is_letter) && after.is_some_and(is_letter)) {
            return Err(FullNameError::Character(c));
        }
        if c == '@' && !(before == Some(' ') && after == Some(' ')) {
            return Err(FullNameError::At);
        }
        before = Some(c);
    }
    Ok(())
}

fn is_allowed(c: char) -> bool {
    if c == ' ' || PUNCTUATION.contains(&c) {
        return true;
    }
    match c.general_category() {
        GeneralCategory::DecimalNumber | GeneralCategory::LetterNumber => true,
        // A circle around a letter, for example.
        GeneralCategory::EnclosingMark => false,
        // The joiners, which `may_follow` allows only where they have an effect.
        GeneralCategory::Format => matches!(c, '\u{200c}' | '\u{200d}'),
        _ => is_letter(c) || c.general_category_group() == GeneralCategoryGroup::Mark,
    }
}

/// A letter that looks like a sign is none here (UTS #39, section 4): `ˮ` (U+02EE) would close the quotes in
/// which a name is shown, `ꓽ` (U+A4FD) makes a time of digits. An apostrophe or a dot does no harm.
fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter && !looks_like_a_sign(c)
}

fn looks_like_a_sign(c: char) -> bool {
    let mut text = [0; 4];
    let drawn: String = unicode_security::skeleton(c.encode_utf8(&mut text)).collect();
    let mut signs = drawn.chars();
    match (signs.next(), signs.next()) {
        (Some(sign), None) => sign.is_ascii_punctuation() && !PUNCTUATION.contains(&sign),
        _ => drawn.chars().all(|sign| sign.is_ascii_punctuation()),
    }
}

/// Spaces of any width, but nothing that ends a line.
fn is_space(c: char) -> bool {
    c.general_category() == GeneralCategory::SpaceSeparator
}

fn check_marks(text: &str) -> Result<(), FullNameError> {
    let (mut before, mut run) = (' ', 0);
    for c in text.chars() {
        if is_combining_mark(c) {
            run += 1;
            if run == 1 && !before.is_alphanumeric() || c == before || run > 4 {
                return Err(FullNameError::Marks);
            }
        } else if !matches!(c, '\u{200c}' | '\u{200d}') {
            run = 0;
        }
        before = c;
    }
    Ok(())
}

fn describe(c: char) -> String {
    let code = format!("U+{:04X}", u32::from(c));
    match c {
        '\u{fffd}' => format!("{code}, which stands for a character that could not be read"),
        c if c.is_alphanumeric() || c.is_ascii_graphic() => format!("'{c}' ({code})"),
        _ => code,
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_of_the_world_have_full_names() {
        for name in [
            "Alice Ng",
            "Ng, Alice",
            "Björk Guðmundsdóttir",
            "吴爱丽",
            "Chen Wei (William)",
            "陈伟（班长）",
            "山田 太郎",
            "ﾔﾏﾀﾞ ﾀﾛｳ",
            "Ravi s/o Kumar",
            "Tan Ah Kow @ Tan Beng Seng",
            "Conan O'Brien",
            "Conan O’Brien",
            "‘Abd al-Rahman",
            "Kaʻiulani",
            "Jean-Luc Picard",
            "J. R. R. Tolkien",
            "Martin Luther King, Jr.",
            "Henry VIII",
            "Louis Ⅻ",
            "Elizabeth 2",
            "محمد بن عبد الله",
            "می‌خواهم",
            "רש״י",
            "בן־גוריון",
            "প্রিয়া",
            "क्ष\u{94d}\u{200d}ष",
            "น้ำฝน ทองดี",
            "བསྟན་འཛིན་",
            "レオナルド・ディカプリオ",
            "Nguyễn Thị Minh Khai",
            "Дмитрий Иванович",
            "Ж",
            "X Æ A-12",
        ] {
            let read = FullName::parse(name);
            assert_eq!(read.as_ref().map(FullName::as_str), Ok(name), "{name}");
        }
        assert!(FullName::parse(&"张".repeat(64)).is_ok());
        assert_eq!(
            FullName::parse(&"张".repeat(65)),
            Err(FullNameError::TooLong)
        );
    }

    #[test]
    fn a_text_that_could_pass_for_something_else_is_not_a_full_name() {
        use FullNameError::*;
        for (text, why) in [
            ("", Empty),
            ("alice@10.0.0.1] hi", At),
            ("alice@example.org", At),
            ("@ alice", At),
            ("alice @", At),
            ("[alice", Character('[')),
            ("alice]", Character(']')),
            ("a\" role=instructor", Character('"')),
            ("a\\", Character('\\')),
            ("role=instructor", Character('=')),
            ("a“b”", Character('“')),
            ("a＂b", Character('＂')),
            ("a″b", Character('″')),
            ("a＠b", Character('＠')),
            ("［a］", Character('［')),
            ("【a】", Character('【')),
            ("* alice", Character('*')),
            ("! alice", Character('!')),
            ("10:00 alice", Character(':')),
            ("<alice>", Character('<')),
            ("★ Prof", Character('★')),
            ("Alice 😀", Character('😀')),
            ("a\u{20dd}", Character('\u{20dd}')),
            ("M\u{fffd}ller", Character('\u{fffd}')),
            ("a\tb", Character('\t')),
            ("a\nb", Character('\n')),
            ("a\u{1b}[2J", Character('\u{1b}')),
            ("a\u{202e}b", Character('\u{202e}')),
            ("a\u{2066}b", Character('\u{2066}')),
            ("a\u{200b}b", Character('\u{200b}')),
            ("a\u{200d}b", Character('\u{200d}')),
            ("a\u{ad}b", Character('\u{ad}')),
            ("a\u{a0}b", Character('\u{a0}')),
            ("a\u{3000}b", Character('\u{3000}')),
            ("\u{3164}", Character('\u{3164}')),
            ("\u{e000}", Character('\u{e000}')),
            ("a\u{fe0f}", Character('\u{fe0f}')),
            ("a ״bob״ c", Character('״')),
            // Letters, by their category, that look like signs.
            ("Bobˮ, dr.okafor ˮProf Ng", Character('ˮ')),
            ("Bobʺ (instructor)", Character('ʺ')),
            ("10ꓽ00", Character('ꓽ')),
            ("Bobǃ", Character('ǃ')),
            ("ˮ", Character('ˮ')),
            ("a — b", Character('—')),
            ("\u{301}a", Marks),
            ("a \u{301}b", Marks),
            ("b\u{323}\u{323}", Marks),
            ("q\u{300}\u{301}\u{302}\u{303}\u{304}", Marks),
            (" a", Spaces),
            ("a ", Spaces),
            ("a  b", Spaces),
            ("e\u{301}", NotNfc),
            ("10.0.0.1", NoLetter),
            ("100003", NoLetter),
            ("-", NoLetter),
        ] {
            assert_eq!(FullName::parse(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_full_name_from_a_list_is_repaired_where_nothing_can_be_meant_by_it() {
        for (text, name) in [
            ("  Alice   Ng ", "Alice Ng"),
            ("山田\u{3000}太郎", "山田 太郎"),
            ("Alice\u{a0}Ng", "Alice Ng"),
            ("Zoe\u{308}", "Zoë"),
        ] {
            let read = FullName::parse_typed(text);
            assert_eq!(read.as_ref().map(FullName::as_str), Ok(name), "{text:?}");
        }
        let refused = FullName::parse_typed("Erin\nBrockovich");
        assert_eq!(refused, Err(FullNameError::Character('\n')));
        assert_eq!(
            FullName::parse_typed(" \u{3000}"),
            Err(FullNameError::Empty)
        );
        let endless = FullName::parse_typed(&"x ".repeat(1 << 20));
        assert_eq!(endless, Err(FullNameError::TooLong));
    }

    #[test]
    fn an_error_about_a_full_name_names_the_character_and_is_safe_to_print() {
        for (text, words) in [
            ("a\u{1b}b", "it contains U+001B; letters"),
            ("😀", "it contains U+1F600; letters"),
            ("\"Bob\"", "it contains '\"' (U+0022); letters"),
            ("a＂b", "it contains U+FF02; letters"),
        ] {
            let shown = FullName::parse(text).expect_err(text).to_string();
            assert!(shown.starts_with(words), "{shown}");
        }
    }
}
