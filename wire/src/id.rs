//! The name in a certificate's CN, and the grammar it must have.
//!
//! Issuer, server and client share this grammar, so that no certificate is issued that a server
//! would refuse, and no name is shown that could pass for another.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

use crate::limits::{ID_BYTES_MAX, ID_CHARS_MAX};

/// A person's name, as it stands before the `@` of a stamp. Compared byte for byte.
///
/// 1 to 32 characters, at most 64 bytes, in NFC (UAX #15); letters, marks and digits that UTS #39
/// allows in identifiers, with single `.`, `_` or `-` between them; scripts mixed no further than
/// UTS #39 "Highly Restrictive"; none of a few reserved words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Reads a name as it stands in a certificate: nothing is repaired.
    ///
    /// # Errors
    ///
    /// Says which rule of the grammar the name breaks.
    pub fn parse(name: &str) -> Result<Self, IdError> {
        if name.is_empty() {
            return Err(IdError::Empty);
        }
        // Length first: the rules below are not for texts of any size.
        if name.len() > ID_BYTES_MAX || name.chars().count() > ID_CHARS_MAX {
            return Err(IdError::TooLong);
        }
        if let Some(bad) = name.chars().find(|&c| !is_allowed(c)) {
            return Err(IdError::Character(bad));
        }
        check_punctuation(name)?;
        check_marks(name)?;
        if !unicode_normalization::is_nfc(name) {
            return Err(IdError::NotNfc);
        }
        if name.detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
            return Err(IdError::MixedScripts);
        }
        if is_reserved(name) {
            return Err(IdError::Reserved);
        }
        Ok(Self(name.into()))
    }

    /// Reads a name that a person typed: converts it to NFC, then parses it as [`ClientId::parse`]
    /// does.
    ///
    /// # Errors
    ///
    /// As [`ClientId::parse`].
    pub fn parse_typed(name: &str) -> Result<Self, IdError> {
        // A few times the limit is enough: no composition shortens a text by more than that and
        // still leaves a name.
        let nfc: String = name.nfc().take(ID_CHARS_MAX * 4).collect();
        Self::parse(&nfc)
    }

    /// Returns the name as it stands in the certificate.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name with differences of case folded away (Unicode full case folding).
    pub fn folded(&self) -> String {
        fold(self.as_str())
    }

    /// Returns the skeletons of the name (UTS #39, section 4), which say what it looks like: two
    /// names that share one can be confused.
    ///
    /// The first is the skeleton of the folded name, as people say it. The second starts from the
    /// name as it is drawn, because `I` looks like `l` and `O` like `0` only until case is folded.
    /// That skeleton is folded afterwards, so that `AIice` looks like `alice`.
    pub fn skeletons(&self) -> [String; 2] {
        let drawn: String = unicode_security::skeleton(self.as_str()).collect();
        [self.folded(), fold(&drawn)].map(|text| unicode_security::skeleton(&text).collect())
    }
}

fn fold(text: &str) -> String {
    let folded = unicase::UniCase::unicode(text).to_folded_case();
    folded.nfc().collect()
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It has no characters.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 32 characters or 64 bytes.
    #[error("a name has at most {ID_CHARS_MAX} characters and {ID_BYTES_MAX} bytes")]
    TooLong,
    /// A character that no name may have.
    #[error("a name cannot contain {}", describe(*.0))]
    Character(char),
    /// It begins or ends with punctuation, or has two punctuation marks in a row.
    #[error("'.', '_' and '-' stand alone, and only inside a name")]
    Punctuation,
    /// Combining marks that pile up (UTS #39, section 5.4).
    #[error("a name cannot repeat a combining mark or pile up more than four")]
    Marks,
    /// Not in normalization form C.
    #[error("a name must be in Unicode normalization form C")]
    NotNfc,
    /// Letters of scripts that are not written together, such as Latin and Cyrillic.
    #[error("a name cannot mix the letters of different scripts")]
    MixedScripts,
    /// A word that means something else here.
    #[error("this name is reserved")]
    Reserved,
}

/// Words that could be taken for the room itself, for all its people, or for a Windows device.
const RESERVED: [&str; 14] = [
    "server",
    "system",
    "everyone",
    "everybody",
    "all",
    "here",
    "nobody",
    "room",
    "channel",
    "con",
    "prn",
    "aux",
    "nul",
    "history",
];

fn is_allowed(c: char) -> bool {
    is_punctuation(c)
        || ((c.is_alphanumeric() || is_combining_mark(c))
            && GeneralSecurityProfile::identifier_allowed(c))
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | '_' | '-')
}

fn check_punctuation(name: &str) -> Result<(), IdError> {
    let mut before = '.';
    for c in name.chars() {
        if is_punctuation(c) && is_punctuation(before) {
            return Err(IdError::Punctuation);
        }
        before = c;
    }
    if is_punctuation(before) {
        Err(IdError::Punctuation)
    } else {
        Ok(())
    }
}

fn check_marks(name: &str) -> Result<(), IdError> {
    // A mark at the beginning, or after punctuation, would be drawn over the character before it.
    let mut before = '.';
    let mut run = 0;
    for c in name.chars() {
        if is_combining_mark(c) {
            run += 1;
            if is_punctuation(before) || c == before || run > 4 {
                return Err(IdError::Marks);
            }
        } else {
            run = 0;
        }
        before = c;
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    let lower = name.to_lowercase();
    // Windows takes `nul.txt` for the device, so the part before the first dot is checked too.
    let stem = lower.split('.').next().unwrap_or_default();
    RESERVED.contains(&stem) || RESERVED.contains(&lower.as_str()) || is_numbered_device(stem)
}

fn is_numbered_device(stem: &str) -> bool {
    let number = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    number.is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
}

fn describe(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        c if c.is_control() || is_combining_mark(c) || !c.is_alphanumeric() && !c.is_ascii() => {
            format!("U+{:04X}", u32::from(c))
        }
        c => format!("'{c}' (U+{:04X})", u32::from(c)),
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl AsRef<str> for ClientId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_of_many_scripts_have_names() {
        for name in [
            "alice",
            "张三",
            "s2024-017",
            "प्रिया",
            "น้อง",
            "a",
            "7",
            "Zoë",
            "o.b_c-d",
            "王.wang",
            "Дмитрий",
            "たなか太郎",
            "محمد",
            "x".repeat(32).as_str(),
        ] {
            let id = ClientId::parse(name);
            assert_eq!(id.as_ref().map(ClientId::as_str), Ok(name), "{name}");
        }
    }

    #[test]
    fn deceptive_text_is_not_a_name() {
        use IdError::*;
        for (name, why) in [
            ("", Empty),
            (&"x".repeat(33), TooLong),
            (&"张".repeat(22), TooLong),
            ("a b", Character(' ')),
            ("1001\0evil", Character('\0')),
            ("a\n[b@10.0.0.9] hi", Character('\n')),
            ("a\u{1b}[2J", Character('\u{1b}')),
            ("a\u{9b}2J", Character('\u{9b}')),
            ("a\u{202e}b", Character('\u{202e}')),
            ("a\u{200b}b", Character('\u{200b}')),
            ("a\u{200d}b", Character('\u{200d}')),
            ("ａlice", Character('ａ')),
            ("ﬁ", Character('ﬁ')),
            ("user😀", Character('😀')),
            ("o'brien", Character('\'')),
            ("a:b", Character(':')),
            ("x/y", Character('/')),
            ("1001@127.0.0.1", Character('@')),
            ("..", Punctuation),
            (".a", Punctuation),
            ("-rf", Punctuation),
            ("a.", Punctuation),
            ("a..b", Punctuation),
            ("a._b", Punctuation),
            ("\u{301}a", Marks),
            ("a.\u{301}", Marks),
            ("b\u{323}\u{323}", Marks),
            ("a\u{301}", NotNfc),
            ("аlice", MixedScripts),
            ("alicе", MixedScripts),
            ("server", Reserved),
            ("SERVER", Reserved),
            ("con", Reserved),
            ("nul.txt", Reserved),
            ("COM1", Reserved),
            ("lpt9.x", Reserved),
        ] {
            assert_eq!(ClientId::parse(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn a_typed_name_is_brought_to_nfc() {
        assert_eq!(
            ClientId::parse_typed("Zoe\u{308}")
                .as_ref()
                .map(ClientId::as_str),
            Ok("Zoë")
        );
        assert_eq!(
            ClientId::parse_typed(&"e\u{308}".repeat(40)),
            Err(IdError::TooLong)
        );
    }

    #[test]
    fn look_alikes_share_a_skeleton_and_cases_fold() {
        let id = |name| ClientId::parse(name).expect("a name");
        let look_alike = |one, other| {
            let of_other = id(other).skeletons();
            id(one).skeletons().iter().any(|one| of_other.contains(one))
        };
        for (one, other) in [
            ("barnes", "bames"),
            ("paul", "Pau1"),
            ("paul", "pauI"),
            ("alice", "AIice"),
            ("O1", "01"),
            ("bob", "b0b"),
            ("Mary", "rnary"),
        ] {
            assert!(look_alike(one, other), "{one} {other}");
            assert!(look_alike(other, one), "{other} {one}");
        }
        for (one, other) in [("alice", "alina"), ("ian", "lan"), ("s01", "s02")] {
            assert!(!look_alike(one, other), "{one} {other}");
        }
        assert_eq!(id("Alice").folded(), id("aLICE").folded());
        assert_eq!(id("strasse").folded(), id("straße").folded());
    }

    #[test]
    fn an_error_about_a_name_is_safe_to_print() {
        let shown = ClientId::parse("a\u{1b}[2J").expect_err("ESC").to_string();
        assert_eq!(shown, "a name cannot contain U+001B");
    }
}
