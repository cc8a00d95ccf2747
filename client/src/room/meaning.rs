//! The meaning of a line that a person types or pastes: something to say, or a command. It is the
//! same in the window and in lines.
//!
//! Nothing private goes to everybody because of a slip: a line whose first visible character is a
//! slash is a command or it is refused, and a word that lacks only its slash is asked about. And
//! nothing is obeyed that nobody typed: a paste is text, whatever it looks like.

use wire::{COMMANDS, Line, Request, is_blank, is_forbidden, is_invisible};

use crate::words::sentences;

/// The meaning of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing in it can be seen, so it says nothing.
    Nothing,
    /// To be said, as it is.
    Say(Line),
    /// To be said only after the person has confirmed it.
    Ask(Doubt),
    /// A command, and the line that sends it.
    Command(Request, Line),
    /// Neither: the reason.
    Refused(String),
}

/// A line that may have been meant as a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// The line, to be said if the person confirms it.
    pub(crate) line: Line,
    /// Why it is asked about.
    pub(crate) why: String,
}

/// The question about one line, without `[y/N]`.
pub(crate) const SAY_IT: &str = "say it to everybody?";

/// Returns the meaning of a line that was typed. Unlike [`is_command`], it takes everything for a
/// command that a person may have meant as one.
pub(crate) fn of_typed(text: &str) -> Meaning {
    let seen = text.trim_start_matches(is_unseen);
    if seen.is_empty() {
        return Meaning::Nothing;
    }
    let Some(rest) = seen.strip_prefix(SLASHES) else {
        return of_text(text);
    };
    if rest.starts_with(SLASHES) {
        // The second slash says that the first is none. With blanks before it, it is a text as it
        // stands, such as a comment of a program.
        let is_escape = seen.len() == text.len();
        return say(if is_escape { rest } else { text });
    }
    let command = format!("/{}", rest.trim_end_matches(is_unseen));
    match Request::parse(command.as_bytes()) {
        Ok(Some(Request::SayOnce(..) | Request::Follow(_))) => {
            Meaning::Refused(sentences::OUR_COMMANDS.to_owned())
        }
        Ok(Some(request)) => {
            let line = Line::parse(command.as_bytes());
            Meaning::Command(request, line.expect("it was read as a request already"))
        }
        Ok(None) => Meaning::Nothing,
        Err(refusal) => Meaning::Refused(refusal.words),
    }
}

/// How much of a line that begins with pasted text was pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it, so that it is a text as it stands.
    Whole,
    /// Its beginning. The person has typed on, perhaps because it was meant as a command.
    Begin,
}

/// Returns the meaning of one line whose first visible character was pasted.
pub(crate) fn of_pasted_line(text: &str, share: Share) -> Meaning {
    let is_slash = begins_with_slash(text);
    match of_typed(text) {
        Meaning::Ask(doubt) if share == Share::Begin => Meaning::Ask(doubt),
        meaning if matches!(meaning, Meaning::Command(..)) || share == Share::Begin && is_slash => {
            match say(text) {
                Meaning::Say(line) => Meaning::Ask(Doubt {
                    why: format!(
                        "{line} was pasted, so it is text and not a command; type it to use it"
                    ),
                    line,
                }),
                other => other,
            }
        }
        Meaning::Nothing => Meaning::Nothing,
        _ => say(text),
    }
}

/// Returns whether the first character that can be seen is a slash.
pub(crate) fn begins_with_slash(text: &str) -> bool {
    text.trim_start_matches(is_unseen).starts_with(SLASHES)
}

/// Returns whether a text has a character that can be seen.
pub(crate) fn has_visible(text: &str) -> bool {
    !text.chars().all(is_unseen)
}

fn say(text: &str) -> Meaning {
    match Line::parse(text.as_bytes()) {
        Ok(line) => Meaning::Say(line),
        Err(error) => Meaning::Refused(error.to_string()),
    }
}

/// Returns the meaning of a line that does not begin with a slash.
fn of_text(text: &str) -> Meaning {
    let why = match (command_without_slash(text), near_slash(text)) {
        (Some(command), _) => {
            format!("the command is {command}; without its slash it is said to everybody")
        }
        (None, Some(c)) => {
            format!(
                "a command begins with a slash; a line that begins with {c} is said to everybody"
            )
        }
        (None, None) if looks_private(text) => {
            "nothing is private here: there is no command for one person alone, so it is said to everybody"
                .to_owned()
        }
        (None, None) => return say(text),
    };
    match say(text) {
        Meaning::Say(line) => Meaning::Ask(Doubt { line, why }),
        meaning => meaning,
    }
}

/// Returns the first visible character of a line if people get it in place of a slash, and a word
/// follows.
fn near_slash(text: &str) -> Option<char> {
    let seen = text.trim_start_matches(is_unseen);
    let first = seen.chars().next().filter(|c| NEAR_SLASHES.contains(c))?;
    let next = seen.chars().nth(1)?;
    next.is_alphabetic().then_some(first)
}

/// Returns whether a line begins as other chats begin a message for one person, but for the slash:
/// the command, the person and something more.
fn looks_private(text: &str) -> bool {
    const COMMANDS: [&str; 7] = ["msg", "privmsg", "w", "whisper", "tell", "pm", "dm"];
    let text = seen(text).to_lowercase();
    let mut words = text.split(' ');
    let (command, person) = (words.next(), words.next());
    let is_sentence = matches!(person, Some("me" | "us"));
    command.is_some_and(|command| COMMANDS.contains(&command))
        && !is_sentence
        && words.next().is_some()
}

/// Returns the part of a text that can be seen, with one blank between its words.
fn seen(text: &str) -> String {
    let is_blank = |c: char| c.is_whitespace() || c == BRAILLE_BLANK;
    let words = text.split(is_blank).map(|word| word.replace(is_unseen, ""));
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Returns the command that a line would be if it began with a slash, or that people know by this
/// word elsewhere.
fn command_without_slash(text: &str) -> Option<String> {
    let text: String = seen(text).chars().map(narrow).collect();
    let text = text.to_lowercase();
    if ["exit", "logout", ":q", ":q!", ":wq"].contains(&text.as_str()) {
        return Some("/quit".to_owned());
    }
    let command = format!("/{text}");
    let is_alone = COMMANDS
        .iter()
        .any(|known| known.name == command && !known.is_for_programs);
    let takes_arguments = matches!(
        Request::parse(command.as_bytes()),
        Ok(Some(Request::History { .. } | Request::Whois(_)))
    );
    (is_alone || takes_arguments).then_some(command)
}

/// Returns whether a text of a pipe is a command, well-formed or not.
///
/// [`of_typed`] understands more as one: whatever a person may have meant so. A file that begins a
/// line with a blank or with another sign, or with a path, means a text.
pub(crate) fn is_command(text: &str) -> bool {
    let name = text.split_ascii_whitespace().next();
    text.starts_with('/') && COMMANDS.iter().any(|known| Some(known.name) == name)
}

/// The slash, and four that look like it; an input method for Chinese or Japanese writes the second.
const SLASHES: [char; 5] = ['/', '\u{ff0f}', '\u{2044}', '\u{2215}', '\u{29f8}'];

/// Characters that are on the slash's key with some input methods, or lean the other way.
const NEAR_SLASHES: [char; 8] = [
    '\\', '\u{ff3c}', '\u{fe68}', '\u{29f9}', '\u{2216}', '\u{3001}', '\u{ff64}', '\u{2571}',
];

/// Returns a character of full width as the ASCII character that it stands for.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        c => c,
    }
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || is_forbidden(c) || c == BRAILLE_BLANK
}

/// A pattern of Braille without a dot: a blank that Unicode counts as a symbol.
const BRAILLE_BLANK: char = '\u{2800}';

/// A text that was pasted: its lines as they are, whatever they look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pasted {
    /// The lines to say.
    pub(crate) lines: Vec<Line>,
    /// The number of lines among them in which nothing can be seen. The room has no such lines, so
    /// they are left out.
    pub(crate) blank: usize,
}

impl Pasted {
    /// Reads a paste. Blank lines at its end do not count.
    ///
    /// # Errors
    ///
    /// When one of the lines may not be said; then none of them is.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Terminals send CR for the end of a line.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut pasted = Self {
            lines: Vec::new(),
            blank: 0,
        };
        let mut blank = 0;
        for (at, line) in text.split('\n').enumerate() {
            if is_blank(line) {
                blank += 1;
                continue;
            }
            pasted.blank += std::mem::take(&mut blank);
            let line = Line::parse(line.as_bytes()).map_err(|error| {
                let number = at + 1;
                format!("nothing of the paste was sent: in its line {number}, {error}")
            })?;
            pasted.lines.push(line);
        }
        Ok(pasted)
    }

    /// Returns the one question about all of it, without `[y/N]`.
    pub(crate) fn question(&self) -> String {
        match self.lines.len() {
            1 => "say this line to everybody?".to_owned(),
            lines => format!("say these {lines} lines to everybody?"),
        }
    }

    /// Returns what is to be known before it is answered, if there is anything.
    pub(crate) fn note(&self) -> Option<String> {
        match self.blank {
            0 => None,
            1 => Some("1 blank line is left out, because the room has none".to_owned()),
            blank => Some(format!(
                "{blank} blank lines are left out, because the room has none"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the meaning in short.
    fn short(meaning: Meaning) -> String {
        match meaning {
            Meaning::Nothing => "nothing".to_owned(),
            Meaning::Say(line) => format!("say {line}"),
            Meaning::Ask(doubt) => format!("ask: {}", doubt.why),
            Meaning::Command(_, line) => format!("command {line}"),
            Meaning::Refused(words) => format!("refused: {words}"),
        }
    }

    #[test]
    fn a_line_whose_first_visible_character_is_a_slash_is_never_said_by_mistake() {
        let secret = "/msg dr.okafor secret";
        for before in [
            "",
            " ",
            "\t",
            "   ",
            "\u{a0}",
            "\u{3000}",
            "\u{200b}",
            "\u{feff}",
            "\u{2060} ",
            "\u{2800}",
        ] {
            for slash in SLASHES {
                let meaning = of_typed(&format!(
                    "{before}{}",
                    secret.replacen('/', &slash.to_string(), 1)
                ));
                assert!(
                    short(meaning.clone()).starts_with("refused: there is no /msg"),
                    "{before:?}{slash}: {meaning:?}"
                );
                let who = of_typed(&format!("{before}{slash}who "));
                assert_eq!(short(who), "command /who", "{before:?}{slash}");
                let who = of_typed(&format!("{slash}who{before}"));
                assert_eq!(short(who), "command /who", "{slash}{before:?}");
            }
        }
        for (typed, meaning) in [
            ("//who", "say /who"),
            ("  // a comment", "say   // a comment"),
            ("／／who", "say ／who"),
            ("a /who", "say a /who"),
            ("and/or", "say and/or"),
            ("", "nothing"),
            (" \t", "nothing"),
            ("\u{2800}", "nothing"),
            (
                "/say k3v9q2a7-1 hi",
                "refused: this program sends /say and /follow itself",
            ),
            ("a\u{1b}b", "refused: a line may not contain U+001B"),
        ] {
            assert_eq!(short(of_typed(typed)), meaning, "{typed:?}");
        }
    }

    #[test]
    fn a_word_that_lacks_its_slash_is_asked_about() {
        for (typed, command) in [
            ("help", "/help"),
            ("Help", "/help"),
            (" quit ", "/quit"),
            ("exit", "/quit"),
            (":q", "/quit"),
            ("who", "/who"),
            ("whois bob", "/whois bob"),
            ("history", "/history"),
            ("history 20", "/history 20"),
            ("history 20 before 100", "/history 20 before 100"),
            ("ping", "/ping"),
            ("nick", "/nick"),
            ("ｈｅｌｐ", "/help"),
            ("ｗｈｏｉｓ\u{3000}bob", "/whois bob"),
            ("\u{2800}quit\u{2800}", "/quit"),
            ("\u{3000}whois\u{a0}bob ", "/whois bob"),
            ("history  20\u{2800}", "/history 20"),
        ] {
            let meaning = short(of_typed(typed));
            let expected =
                format!("ask: the command is {command}; without its slash it is said to everybody");
            assert_eq!(meaning, expected);
        }
        for text in [
            "、who",
            " ､msg bob secret",
            "\\who",
            "＼who",
            "\\msg bob secret",
            "⧹who",
        ] {
            let meaning = short(of_typed(text));
            assert!(
                meaning.starts_with("ask: a command begins with a slash; a line that begins with"),
                "{text}: {meaning}"
            );
        }
        for text in ["\\", "\\ a", "、", "a、who"] {
            assert_eq!(short(of_typed(text)), format!("say {text}"));
        }
        for text in [
            "help me",
            "who is there",
            "whois",
            "history of art",
            "quit it",
            "say",
            "follow",
            "bye",
            "who?",
            "history!",
        ] {
            let meaning = short(of_typed(text));
            let expected = match text {
                // A command that lacks its argument as well.
                "whois" => "ask: the command is /whois; without its slash it is said to everybody"
                    .to_owned(),
                text => format!("say {text}"),
            };
            assert_eq!(meaning, expected);
        }
    }

    #[test]
    fn nothing_that_cannot_be_seen_hides_a_word_that_lacks_its_slash() {
        for unseen in (' '..=char::MAX).filter(|c| is_unseen(*c)) {
            for text in [
                format!("{unseen}help"),
                format!("help{unseen}"),
                format!("{unseen}msg bob secret"),
                format!("msg{unseen} bob secret"),
            ] {
                // Most such characters are refused in each line.
                let meaning = of_typed(&text);
                let is_said = matches!(meaning, Meaning::Say(_));
                assert!(!is_said, "U+{:04X}: {meaning:?}", u32::from(unseen));
            }
        }
    }

    #[test]
    fn a_private_message_of_another_chat_is_asked_about() {
        for text in [
            "msg bob secret",
            "MSG bob it is 4711",
            "w bob secret",
            " tell dr.okafor secret",
            "pm bob: secret",
            "dm bob secret",
            "whisper bob secret",
            "privmsg bob :secret",
            "\u{2800}msg\u{3000}bob secret",
        ] {
            let meaning = short(of_typed(text));
            assert!(
                meaning.starts_with("ask: nothing is private here"),
                "{text}: {meaning}"
            );
        }
        for text in [
            "tell me more",
            "tell us why",
            "tell bob",
            "w",
            "dm",
            "message in a bottle",
            "msgs bob x",
        ] {
            assert_eq!(short(of_typed(text)), format!("say {text}"));
        }
        assert_eq!(
            short(of_pasted_line("msg bob hi", Share::Whole)),
            "say msg bob hi"
        );
    }

    #[test]
    fn a_paste_is_text_whatever_it_looks_like() {
        let pasted = Pasted::parse("see these paths:\r/usr/bin/env\r\r/who\r\n/quit\n// x\n\n")
            .expect("text");
        let lines: Vec<&str> = pasted.lines.iter().map(Line::as_str).collect();
        assert_eq!(
            lines,
            ["see these paths:", "/usr/bin/env", "/who", "/quit", "// x"]
        );
        assert_eq!(pasted.blank, 1);
        assert_eq!(pasted.question(), "say these 5 lines to everybody?");
        let note = "1 blank line is left out, because the room has none";
        assert_eq!(pasted.note().as_deref(), Some(note));
        let refused = Pasted::parse("a\nb\u{1b}c").expect_err("an escape");
        assert_eq!(
            refused,
            "nothing of the paste was sent: in its line 2, a line may not contain U+001B"
        );
        for (line, meaning) in [
            ("/usr/bin/env", "say /usr/bin/env"),
            ("//who", "say //who"),
            (" /msg bob hi", "say  /msg bob hi"),
            ("help", "say help"),
            (
                "/quit",
                "ask: /quit was pasted, so it is text and not a command; type it to use it",
            ),
        ] {
            assert_eq!(short(of_pasted_line(line, Share::Whole)), meaning);
        }
        for line in ["/msg bob hi", "/usr/bin/env", " \u{29f8}msg bob", "//x"] {
            let asked = short(of_pasted_line(line, Share::Begin));
            assert!(asked.starts_with("ask: "), "{asked}");
        }
        assert_eq!(
            short(of_pasted_line("see this", Share::Begin)),
            "say see this"
        );
        assert!(short(of_pasted_line("help", Share::Begin)).starts_with("ask: "));
    }

    #[test]
    fn in_a_pipe_only_known_commands_are_told_from_text() {
        for command in [
            "/who",
            "/quit",
            "/quit now",
            "/history x",
            "/say a",
            "/follow",
        ] {
            assert!(is_command(command), "{command}");
        }
        for text in [
            "/usr/bin/env",
            "/* c */",
            "//who",
            "/whom",
            " /who",
            "who",
            "/",
            "",
        ] {
            assert!(!is_command(text), "{text}");
        }
    }
}
