//! What a client must show of what it was sent, and must not show; and whether it did.

use super::examinee::Ended;
use super::limits::OUTPUT_BYTES_MAX;

/// The lines that the client must show.
#[derive(Debug, Default)]
pub(super) struct Shown {
    expected: Vec<Expected>,
    count: usize,
}

#[derive(Debug)]
enum Expected {
    /// This text, once.
    Once(String),
    /// This text, at least once: the client may have been sent it again.
    AtLeastOnce(String),
    /// No line that ends with this half of a line.
    NoHalf(String),
    /// Nothing of this.
    Never(String),
    /// This text, in the line that begins with its author.
    By { author: String, text: String },
}

impl Shown {
    /// Returns these words with an ending that makes them unlike any other.
    pub(super) fn fresh(&mut self, words: &str) -> String {
        self.count += 1;
        format!(
            "{words} (line {})",
            NAMES[self.count % NAMES.len()].repeat(1 + self.count / NAMES.len())
        )
    }

    pub(super) fn once(&mut self, text: &str) {
        self.expected.push(Expected::Once(text.to_owned()));
    }

    pub(super) fn at_least_once(&mut self, text: &str) {
        self.expected.push(Expected::AtLeastOnce(text.to_owned()));
    }

    pub(super) fn no_half(&mut self, half: &str) {
        self.expected.push(Expected::NoHalf(half.to_owned()));
    }

    pub(super) fn never(&mut self, text: &str) {
        self.expected.push(Expected::Never(text.to_owned()));
    }

    pub(super) fn by(&mut self, author: &str, text: &str) {
        self.expected.push(Expected::By {
            author: author.to_owned(),
            text: text.to_owned(),
        });
    }

    /// Judges what a client printed.
    ///
    /// # Errors
    ///
    /// Says what was wrong.
    pub(super) fn judge(&self, ended: &Ended) -> Result<(), String> {
        if ended.is_cut {
            return Err(format!("it printed more than {OUTPUT_BYTES_MAX} bytes"));
        }
        let printed = String::from_utf8_lossy(&ended.stdout);
        let wrong = self.expected.iter().find_map(|one| one.fault(&printed));
        match wrong {
            None => Ok(()),
            Some(fault) => Err(match ended.last_words() {
                Some(words) => format!("{fault}; it wrote: {words}"),
                None => fault,
            }),
        }
    }

    /// Returns what a person must look for in their client's window.
    pub(super) fn to_look_for(&self) -> Vec<String> {
        let lines = self.expected.iter();
        lines
            .map(|expected| match expected {
                Expected::Once(text) => format!("once: {}", short(text)),
                Expected::AtLeastOnce(text) => format!("at least once: {}", short(text)),
                Expected::NoHalf(text) => format!("never alone: {}", short(text)),
                Expected::Never(text) => format!("never: {}", short(text)),
                Expected::By { author, text } => format!("as a line of {author}: {}", short(text)),
            })
            .collect()
    }
}

impl Expected {
    fn fault(&self, printed: &str) -> Option<String> {
        match self {
            Expected::Once(text) => match printed.matches(text.as_str()).count() {
                1 => None,
                0 => Some(not_shown(text, printed)),
                count => Some(format!("it showed {} {count} times", quoted(text))),
            },
            Expected::AtLeastOnce(text) => {
                (!printed.contains(text.as_str())).then(|| not_shown(text, printed))
            }
            Expected::NoHalf(half) => {
                let mut lines = printed.lines().map(str::trim_end);
                let is_shown =
                    lines.any(|line| line.contains(half.as_str()) && !line.contains(WHOLE));
                is_shown.then(|| {
                    format!(
                        "it showed the half line {}, whose end never came",
                        quoted(half)
                    )
                })
            }
            Expected::Never(text) => printed
                .contains(text.as_str())
                .then(|| format!("it showed {}", quoted(text))),
            Expected::By { author, text } => {
                let is_good =
                    |line: &str| line.contains(text.as_str()) && line.contains(author.as_str());
                (!printed.lines().any(is_good)).then(|| {
                    format!(
                        "no line that it showed has both {} and its author, {author}",
                        quoted(text)
                    )
                })
            }
        }
    }
}

/// The end of a line whose first half is sent alone at first.
pub(super) const WHOLE: &str = "and the other half";

/// Endings that nobody types by chance, and that a terminal shows as they are.
const NAMES: [&str; 8] = [
    "amber", "birch", "coral", "delta", "ember", "fjord", "grove", "heron",
];

fn not_shown(text: &str, printed: &str) -> String {
    let what = match printed.trim().is_empty() {
        true => ": it printed nothing",
        false => "",
    };
    format!("it did not show {}{what}", quoted(text))
}

fn quoted(text: &str) -> String {
    format!("{:?}", short(text))
}

/// Returns the beginning and the end of a long text.
fn short(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let count = text.chars().count();
    if count <= CHARS_MAX {
        return text.to_owned();
    }
    let begin: String = text.chars().take(40).collect();
    let end: String = text.chars().skip(count - 30).collect();
    format!("{begin}...{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(expect: impl Fn(&mut Shown), printed: &str) -> Option<String> {
        let mut shown = Shown::default();
        expect(&mut shown);
        let ended = Ended {
            stdout: printed.as_bytes().to_vec(),
            ..Ended::default()
        };
        shown.judge(&ended).err()
    }

    #[test]
    fn a_text_must_be_shown_as_often_as_it_was_sent() {
        let once = |shown: &mut Shown| shown.once("hello");
        assert_eq!(judged(once, "[bob] hello\n"), None);
        assert_eq!(
            judged(once, ""),
            Some("it did not show \"hello\": it printed nothing".to_owned())
        );
        assert_eq!(
            judged(once, "hello\nhello\n"),
            Some("it showed \"hello\" 2 times".to_owned())
        );
        let again = |shown: &mut Shown| shown.at_least_once("hello");
        assert_eq!(judged(again, "hello\nhello\n"), None);
        assert!(judged(again, "good day\n").is_some());
    }

    #[test]
    fn a_half_line_is_one_without_its_end_and_an_author_stands_in_the_line() {
        let half = |shown: &mut Shown| shown.no_half("I owe you");
        assert_eq!(judged(half, &format!("I owe you {WHOLE}\n")), None);
        assert!(judged(half, "I owe you").is_some());
        assert!(judged(half, &format!("I owe you\nI owe you {WHOLE}\n")).is_some());
        let by = |shown: &mut Shown| shown.by("bob", "carol: ten");
        assert_eq!(judged(by, "[bob] carol: ten\n"), None);
        assert!(judged(by, "[bob]\ncarol: ten\n").is_some());
        let never = |shown: &mut Shown| shown.never("secret");
        assert!(judged(never, "a secret").is_some());
        assert_eq!(judged(never, "nothing"), None);
    }

    #[test]
    fn a_client_without_end_is_cut_off_and_told() {
        let ended = Ended {
            is_cut: true,
            ..Ended::default()
        };
        let fault = Shown::default().judge(&ended).expect_err("a fault");
        assert_eq!(fault, "it printed more than 1048576 bytes");
    }
}
