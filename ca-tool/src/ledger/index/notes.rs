//! Notes on a certificate that OpenSSL does not keep, in a field of its database that OpenSSL ignores.

/// Texts in the field for a file name: `name=Alice Liddell;reason=privilegeWithdrawn`. A byte that would
/// end a text or the field is written as `%3B`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Notes(Vec<(String, String)>);

impl Notes {
    /// Reads the field. If another program wrote it, there are no notes.
    pub(super) fn parse(field: &str) -> Self {
        let pairs = field.split(';').map(|pair| {
            let (key, text) = pair.split_once('=')?;
            Some((key.to_owned(), unescape_note(text)?))
        });
        Self(pairs.collect::<Option<_>>().unwrap_or_default())
    }

    pub(super) fn format(&self) -> String {
        if self.0.is_empty() {
            return UNKNOWN.to_owned();
        }
        let pairs = self.0.iter();
        let pairs = pairs.map(|(key, text)| format!("{key}={}", escape_note(text)));
        pairs.collect::<Vec<_>>().join(";")
    }

    pub(super) fn find(&self, key: &str) -> Option<&str> {
        let note = self.0.iter().find(|(k, _)| k == key);
        note.map(|(_, text)| text.as_str())
    }

    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.remove(key);
        self.0.push((key.to_owned(), text.to_owned()));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(k, _)| k != key);
    }
}

fn escape_note(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '%' | ';' | '\\') || c.is_ascii_control() {
            escaped.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn unescape_note(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                after
            }
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

/// The text that OpenSSL writes in this field.
const UNKNOWN: &str = "unknown";
