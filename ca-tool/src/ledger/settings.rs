//! The settings of a CA: a small file of lines `key = text`, which people may edit.

use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::os::Access;

/// Where people's bundles say that the server is.
pub(crate) const SERVER: &str = "server";
/// Whom people may ask.
pub(crate) const CONTACT: &str = "contact";
/// Where people get the program `client`.
pub(crate) const CLIENT_URL: &str = "client-url";

/// The settings, line by line. Lines that nobody here understands are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings(Vec<String>);

impl Settings {
    /// Reads the settings. A missing file has none.
    pub(super) fn read(folder: &Folder) -> Result<Self, Error> {
        let text = files::read_text_if_there(&folder.settings(), TEXT_BYTES_MAX)?;
        Ok(Self::parse(text.as_deref().unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().map(str::to_owned).collect())
    }

    /// Returns the text under a key.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|line| text_under(line, key))
    }

    /// Stores a text, of one line, under a key.
    pub(crate) fn set(&mut self, key: &str, text: &str) {
        let line = format!("{key} = {text}");
        let place = self
            .0
            .iter_mut()
            .find(|line| text_under(line, key).is_some());
        match place {
            Some(place) => *place = line,
            None => self.0.push(line),
        }
    }

    /// Writes the settings, whole or not at all.
    pub(crate) fn write(&self, folder: &Folder) -> Result<(), Error> {
        let text: String = self.0.iter().map(|line| format!("{line}\n")).collect();
        files::replace(&folder.settings(), text.as_bytes(), Access::Public)
    }
}

fn text_under<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (name, text) = line.split_once('=')?;
    (name.trim() == key).then(|| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_and_replaced_and_everything_else_is_kept() {
        let mut settings = Settings::parse("# mine\nserver=chat.example:27332\ncontact = a = b\n");
        assert_eq!(settings.find(SERVER), Some("chat.example:27332"));
        assert_eq!(settings.find(CONTACT), Some("a = b"));
        assert_eq!(settings.find(CLIENT_URL), None);
        settings.set(CONTACT, "room 12");
        settings.set(CLIENT_URL, "https://chat.example/");
        let lines = [
            "# mine",
            "server=chat.example:27332",
            "contact = room 12",
            "client-url = https://chat.example/",
        ];
        assert_eq!(settings.0, lines);
    }
}
