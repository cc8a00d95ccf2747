//! The background of the terminal: what it answers when it is asked, and the guess until it does.
//!
//! The question is OSC 11 of xterm, which most terminals know. There is no time by which an answer
//! must come, and some terminals never give one. So nobody waits for it: the answer comes among the
//! keys, and is picked out of them whenever it comes. Whatever turns out not to be an answer was
//! typed, and is handed on. What has begun as only an answer does, and is broken, nobody typed: it is
//! dropped.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Asks for the background. BEL ends it rather than ST, because some terminals answer in kind, and
/// the second byte of an ST is lost in one of them.
pub(crate) const QUESTION: &[u8] = b"\x1b]11;?\x07";

/// Keys that could begin an answer are held back no longer than this.
const HOLD_TIMEOUT: Duration = Duration::from_millis(500);

/// How an answer begins, and nothing that anybody types after Alt and a bracket.
const SURE_BEGIN: &str = "11;rgb";

/// The longest answer: `11;rgba:ffff/ffff/ffff/ffff`.
const ANSWER_CHARS_MAX: usize = 32;

/// Backgrounds this dark, by their luminance, and darker ones get the colours for a dark terminal.
const DARK: RangeInclusive<f64> = 0.0..=0.035;

/// The same for a light terminal.
const LIGHT: RangeInclusive<f64> = 0.8..=1.0;

/// A background, as far as it decides which colours can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Dark,
    Light,
    /// Neither.
    Between,
    /// Nobody told us.
    Unknown,
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Sixteen,
    /// 256 or more.
    Many,
}

/// Red, green and blue in sRGB, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rgb(pub(crate) [f64; 3]);

impl Rgb {
    /// Returns the relative luminance (WCAG 2.2), from 0 to 1.
    pub(crate) fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| match part {
            ..=0.040_45 => part / 12.92,
            _ => ((part + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Reads `11;rgb:1e1e/1e1e/1e1e`, with one to four digits a part, and `rgba:` with a fourth part.
    fn parse(answer: &str) -> Option<Self> {
        let parts = answer.strip_prefix("11;")?;
        let (parts, count) = match parts.strip_prefix("rgb:") {
            Some(parts) => (parts, 3),
            None => (parts.strip_prefix("rgba:")?, 4),
        };
        let parts: Option<Vec<f64>> = parts.split('/').map(part).collect();
        match parts?.as_slice() {
            all @ [red, green, blue, ..] if all.len() == count => Some(Self([*red, *green, *blue])),
            _ => None,
        }
    }
}

/// Reads hexadecimal digits as a part of the largest number that so many digits can write.
fn part(digits: &str) -> Option<f64> {
    let all = match digits.len() {
        1 => 0xf_u16,
        2 => 0xff,
        3 => 0xfff,
        4 => 0xffff,
        _ => return None,
    };
    let value = u16::from_str_radix(digits, 16).ok()?;
    Some(f64::from(value) / f64::from(all))
}

impl Ground {
    /// Returns which colours can be read on a background.
    pub(crate) fn of(background: Rgb) -> Self {
        let luminance = background.luminance();
        if DARK.contains(&luminance) {
            Self::Dark
        } else if LIGHT.contains(&luminance) {
            Self::Light
        } else {
            Self::Between
        }
    }

    /// Guesses from the environment, for the time until the terminal answers, and for good if it
    /// never does.
    pub(crate) fn guess(term: &str, colorfgbg: Option<&str>) -> Self {
        // `15;0` or `15;default;0`: the last is the background, in the sixteen colours.
        let told = colorfgbg.and_then(|told| told.rsplit(';').next());
        match told.and_then(|told| told.parse::<u8>().ok()) {
            Some(0..=6 | 8) => Self::Dark,
            Some(7 | 9..=15) => Self::Light,
            // The console of Linux is black.
            _ if is_console(term) => Self::Dark,
            _ => Self::Unknown,
        }
    }
}

impl Depth {
    /// Tells it from the environment. Most terminals have 256 colours whether their name says so or
    /// not.
    pub(crate) fn of(term: &str, colorterm: Option<&str>) -> Self {
        let is_rich = colorterm.is_some_and(|told| told == "truecolor" || told == "24bit");
        let is_poor = is_console(term)
            || is_old(term)
            || ["-16color", "-8color"]
                .iter()
                .any(|poor| term.ends_with(poor))
            || term == "xterm-color";
        if is_poor && !is_rich {
            Self::Sixteen
        } else {
            Self::Many
        }
    }
}

/// Returns whether a terminal by this name may be asked: old ones would show the question.
pub(crate) fn may_be_asked(term: &str) -> bool {
    let never = ["", "dumb", "unknown"].contains(&term) || is_console(term);
    !never && !is_old(term)
}

/// Returns whether a terminal by this name knows neither the question nor many colours.
fn is_old(term: &str) -> bool {
    ["vt", "ansi", "cons"]
        .iter()
        .any(|old| term.starts_with(old))
}

fn is_console(term: &str) -> bool {
    term == "linux" || term.starts_with("linux-")
}

/// Picks the answer out of everything that the terminal sends.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// When the question was asked, if it has no answer yet.
    asked_at: Option<Instant>,
    /// Keys that may begin an answer, and when the first of them came.
    held: Vec<Event>,
    held_at: Option<Instant>,
    /// The answer as far as it has come.
    text: String,
    /// Whether the last key was an Escape: an answer that came in two pieces begins, or ends, so.
    was_escape: bool,
}

/// The meaning of what came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sorted {
    /// It was typed, together with what was held back before it.
    Typed(Vec<Event>),
    /// It is a part of an answer, or may be.
    Held,
    /// The terminal has answered.
    Answered(Rgb),
}

impl Answers {
    /// Notes that the question was asked.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// Returns when the question was asked that has no answer yet.
    pub(crate) fn open_since(&self) -> Option<Instant> {
        self.asked_at
    }

    /// Takes something that the terminal sent.
    pub(crate) fn take(&mut self, event: Event, now: Instant) -> Sorted {
        let was_escape = std::mem::take(&mut self.was_escape);
        if self.asked_at.is_none() {
            return Sorted::Typed(vec![event]);
        }
        let Event::Key(key) = &event else {
            return self.typed(event);
        };
        if key.kind == KeyEventKind::Release {
            return self.typed(event);
        }
        self.was_escape = key.code == KeyCode::Esc;
        if self.held.is_empty() {
            let alt = key.modifiers == KeyModifiers::ALT;
            let begins =
                key.code == KeyCode::Char(']') && (alt || was_escape && key.modifiers.is_empty());
            if !begins {
                return Sorted::Typed(vec![event]);
            }
            self.held_at = Some(now);
            self.held.push(event);
            return Sorted::Held;
        }
        if ends(key, was_escape) {
            let answer = Rgb::parse(&self.text);
            return match answer {
                Some(rgb) => {
                    self.forget();
                    self.asked_at = None;
                    Sorted::Answered(rgb)
                }
                None => self.typed(event),
            };
        }
        if self.was_escape {
            self.held.push(event);
            return Sorted::Held;
        }
        let plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
        match key.code {
            KeyCode::Char(c) if plain && self.goes_on_with(c) => {
                self.text.push(c);
                self.held.push(event);
                Sorted::Held
            }
            _ => self.typed(event),
        }
    }

    /// Returns keys that were held back for too long to be an answer.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Event> {
        match self.held_at {
            Some(at) if now.saturating_duration_since(at) >= HOLD_TIMEOUT => self.forget(),
            _ => Vec::new(),
        }
    }

    fn goes_on_with(&self, c: char) -> bool {
        if self.text.len() >= ANSWER_CHARS_MAX {
            return false;
        }
        let so_far = format!("{}{c}", self.text);
        ["11;rgb:", "11;rgba:"].iter().any(|begin| {
            let parts = so_far.strip_prefix(begin);
            begin.starts_with(&so_far)
                || parts
                    .is_some_and(|parts| parts.chars().all(|c| c == '/' || c.is_ascii_hexdigit()))
        })
    }

    fn typed(&mut self, event: Event) -> Sorted {
        let is_broken = self.is_surely_an_answer() && matches!(event, Event::Key(_));
        let mut typed = self.forget();
        if is_broken {
            return Sorted::Held;
        }
        typed.push(event);
        Sorted::Typed(typed)
    }

    /// Returns whether nobody can have typed what is held back.
    fn is_surely_an_answer(&self) -> bool {
        self.text.starts_with(SURE_BEGIN)
    }

    /// Returns the keys that were held back, unless nobody typed them.
    fn forget(&mut self) -> Vec<Event> {
        let is_dropped = self.is_surely_an_answer();
        self.text.clear();
        self.held_at = None;
        let held = std::mem::take(&mut self.held);
        if is_dropped { Vec::new() } else { held }
    }
}

/// Returns whether a key is the end of an answer: BEL, or ST in one piece or in two.
fn ends(key: &KeyEvent, was_escape: bool) -> bool {
    match key.code {
        KeyCode::Char('g') => key.modifiers == KeyModifiers::CONTROL,
        KeyCode::Char('\\') => key.modifiers == KeyModifiers::ALT || was_escape,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(modifiers: KeyModifiers, code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    /// The keys as which crossterm reads these bytes.
    fn keys(bytes: &str) -> Vec<Event> {
        let mut keys = Vec::new();
        let mut chars = bytes.chars();
        while let Some(c) = chars.next() {
            keys.push(match c {
                '\x1b' => match chars.next() {
                    Some(c) => key(KeyModifiers::ALT, KeyCode::Char(c)),
                    None => key(KeyModifiers::NONE, KeyCode::Esc),
                },
                '\x07' => key(KeyModifiers::CONTROL, KeyCode::Char('g')),
                '\r' => key(KeyModifiers::NONE, KeyCode::Enter),
                c if c.is_ascii_uppercase() => key(KeyModifiers::SHIFT, KeyCode::Char(c)),
                c => key(KeyModifiers::NONE, KeyCode::Char(c)),
            });
        }
        keys
    }

    /// Returns the keys that were handed on, and the answer.
    fn sort(pieces: &[&str]) -> (Vec<Event>, Option<Rgb>) {
        let now = Instant::now();
        let mut answers = Answers::default();
        answers.asked(now);
        let (mut typed, mut answer) = (Vec::new(), None);
        for event in pieces.iter().flat_map(|piece| keys(piece)) {
            match answers.take(event, now) {
                Sorted::Typed(events) => typed.extend(events),
                Sorted::Held => {}
                Sorted::Answered(rgb) => answer = Some(rgb),
            }
        }
        typed.extend(answers.overdue(now + HOLD_TIMEOUT));
        (typed, answer)
    }

    #[test]
    fn an_answer_is_picked_out_of_the_keys_and_every_key_that_was_typed_is_handed_on() {
        let black = Some(Rgb([0.0; 3]));
        for (sent, typed, answer) in [
            ("\x1b]11;rgb:0000/0000/0000\x07", "", black),
            ("\x1b]11;rgb:0000/0000/0000\x1b\\", "", black),
            ("hi\x1b]11;rgb:00/00/00\x07 there", "hi there", black),
            ("\x1b]11;rgba:0000/0000/0000/ffff\x07", "", black),
            ("\x1b]11;rgb:FFFF/ffff/FfFf\x07", "", Some(Rgb([1.0; 3]))),
            // None of these is an answer.
            ("hi there", "hi there", None),
            ("\x1b]", "\x1b]", None),
            ("\x1b]1 and more", "\x1b]1 and more", None),
            ("\x1b]11;rx", "\x1b]11;rx", None),
            // These began as one, and are broken.
            ("\x1b]11;rgb:zz", "z", None),
            ("\x1b]11;rgb:00/00\x07", "", None),
            ("\x1b]11;rgb:00/00/00/00\x07x", "x", None),
            ("\x1b]11;rgb:00/00/00", "", None),
            ("\x1b]11;rgb:00/00/00\rhi\r", "hi\r", None),
            ("]11;rgb:00/00/00\x07", "]11;rgb:00/00/00\x07", None),
        ] {
            assert_eq!(sort(&[sent]), (keys(typed), answer), "{sent:?}");
        }
    }

    #[test]
    fn an_answer_in_two_pieces_is_one_too() {
        // The Escape was handed on before anybody could know.
        let (typed, answer) = sort(&["\x1b", "]11;rgb:0000/0000/0000\x07"]);
        assert_eq!((typed, answer), (keys("\x1b"), Some(Rgb([0.0; 3]))));
        let (typed, answer) = sort(&["\x1b]11;rgb:0000/0000/0000\x1b", "\\x"]);
        assert_eq!((typed, answer), (keys("x"), Some(Rgb([0.0; 3]))));
    }

    #[test]
    fn keys_are_not_held_back_for_long_and_never_without_a_question() {
        let now = Instant::now();
        let mut answers = Answers::default();
        let alt = key(KeyModifiers::ALT, KeyCode::Char(']'));
        assert_eq!(
            answers.take(alt.clone(), now),
            Sorted::Typed(vec![alt.clone()])
        );
        answers.asked(now);
        assert_eq!(answers.take(alt.clone(), now), Sorted::Held);
        assert_eq!(answers.overdue(now), []);
        assert_eq!(answers.overdue(now + HOLD_TIMEOUT), [alt]);
    }

    #[test]
    fn the_environment_tells_what_a_silent_terminal_does_not() {
        for (term, colorfgbg, ground) in [
            ("xterm-256color", None, Ground::Unknown),
            ("xterm-256color", Some("15;0"), Ground::Dark),
            ("rxvt", Some("0;default;15"), Ground::Light),
            ("rxvt", Some("default;default"), Ground::Unknown),
            ("linux", None, Ground::Dark),
            ("tmux-256color", Some(""), Ground::Unknown),
        ] {
            assert_eq!(
                Ground::guess(term, colorfgbg),
                ground,
                "{term} {colorfgbg:?}"
            );
        }
        for (term, colorterm, depth) in [
            ("xterm-256color", None, Depth::Many),
            ("xterm", None, Depth::Many),
            ("screen", None, Depth::Many),
            ("linux", None, Depth::Sixteen),
            ("linux", Some("truecolor"), Depth::Many),
            ("vt220", None, Depth::Sixteen),
            ("xterm-16color", Some("yes"), Depth::Sixteen),
        ] {
            assert_eq!(Depth::of(term, colorterm), depth, "{term} {colorterm:?}");
        }
        for (term, may) in [
            ("xterm", true),
            ("screen", true),
            ("linux", false),
            ("vt100", false),
            ("dumb", false),
        ] {
            assert_eq!(may_be_asked(term), may, "{term}");
        }
    }
}
