//! Lines that were meant for the program and would be said to everybody: a command behind a blank, or
//! a command without its slash.

use wire::{COMMANDS, Line, is_invisible};

/// The meaning that a typed line may have against its letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NearMiss {
    /// Its first visible character is a slash, but not its first character.
    HiddenSlash,
    /// It is nothing but the name of a command.
    LoneWord(&'static str),
}

/// Words that mean a command in other programs.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("exit", "/quit"),
    ("bye", "/quit"),
    ("logout", "/quit"),
    ("q", "/quit"),
    ("names", "/who"),
    ("users", "/who"),
];

/// Characters that look like a slash.
const SLASHES: [char; 5] = ['/', '\u{ff0f}', '\u{2044}', '\u{2215}', '\u{29f8}'];

/// Returns what a typed line may have been meant as.
pub(crate) fn near_miss(typed: &Line) -> Option<NearMiss> {
    let typed = typed.as_str();
    if typed.starts_with('/') {
        return None;
    }
    let is_hidden = |c: char| c.is_whitespace() || is_invisible(c);
    let visible = typed.trim_start_matches(is_hidden);
    if visible.starts_with(SLASHES) {
        return Some(NearMiss::HiddenSlash);
    }
    let word = visible.trim_end_matches(is_hidden).to_lowercase();
    let ours = COMMANDS.iter().filter(|command| !command.is_for_programs);
    let ours = ours.map(|command| (command.name.trim_start_matches('/'), command.name));
    let meant = ours.chain(OTHER_WORDS).find(|(name, _)| *name == word);
    meant.map(|(_, command)| NearMiss::LoneWord(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_slash_and_a_lone_command_are_near_misses_and_nothing_else_is() {
        let meant = |typed: &str| near_miss(&Line::parse(typed.as_bytes()).expect("a line"));
        for typed in [" /msg dr.okafor secret", "\t/who", "\u{a0}/quit", "\u{3000}／who", "／quit", "⁄who"] {
            assert_eq!(meant(typed), Some(NearMiss::HiddenSlash), "{typed:?}");
        }
        for (typed, command) in [("help", "/help"), ("Quit", "/quit"), (" who ", "/who"), ("exit", "/quit")] {
            assert_eq!(meant(typed), Some(NearMiss::LoneWord(command)), "{typed:?}");
        }
        for typed in ["hello", "help me", "who is there?", "a /b", "//slash", "/who", "and/or", "say", "follow"] {
            assert_eq!(meant(typed), None, "{typed:?}");
        }
    }
}
