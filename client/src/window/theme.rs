//! Colours: how each kind of thing looks, on a light, a dark and a colourless terminal.

use ratatui::style::{Color, Modifier, Style};
use wire::ClientId;

use crate::settings::Theme;

/// Colours that are easy to tell apart on a dark background, none of them green, which is for our
/// own lines.
const ON_DARK: [u8; 12] = [39, 75, 111, 141, 176, 204, 209, 215, 180, 73, 110, 183];

/// The same for a light background.
const ON_LIGHT: [u8; 12] = [25, 31, 61, 91, 127, 161, 166, 130, 94, 24, 55, 125];

impl Theme {
    /// Our own lines.
    pub(crate) fn own(self) -> Style {
        match self {
            Theme::Dark | Theme::Classic => Style::new().fg(Color::Green),
            Theme::Light => Style::new().fg(Color::Indexed(28)),
            Theme::None => Style::new(),
        }
    }

    /// The lines of others.
    pub(crate) fn others(self) -> Style {
        match self {
            Theme::Classic => Style::new().fg(Color::Red),
            Theme::Dark | Theme::Light | Theme::None => Style::new(),
        }
    }

    /// A name: the same one always looks the same.
    pub(crate) fn name(self, id: &ClientId) -> Style {
        let palette = match self {
            Theme::Dark => &ON_DARK,
            Theme::Light => &ON_LIGHT,
            Theme::Classic => return self.others().add_modifier(Modifier::BOLD),
            Theme::None => return Style::new().add_modifier(Modifier::BOLD),
        };
        // FNV-1a, which spreads short names well and stays the same in every release.
        let hash = id.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let color = palette[hash as usize % palette.len()];
        Style::new()
            .fg(Color::Indexed(color))
            .add_modifier(Modifier::BOLD)
    }

    /// Times, enters and leaves, and lines that are not acknowledged yet.
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Notes of the program.
    pub(crate) fn note(self) -> Style {
        match self {
            Theme::Dark | Theme::Classic => Style::new().fg(Color::Yellow),
            Theme::Light => Style::new().fg(Color::Indexed(94)),
            Theme::None => Style::new().add_modifier(Modifier::ITALIC),
        }
    }

    /// A line that names us.
    pub(crate) fn mention(self) -> Style {
        match self {
            Theme::None => Style::new().add_modifier(Modifier::UNDERLINED),
            _ => self
                .others()
                .add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    /// The line that is selected or found.
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The status line.
    pub(crate) fn status(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The status line, when something is wrong.
    pub(crate) fn alarm(self) -> Style {
        match self {
            Theme::None => self.status().add_modifier(Modifier::BOLD),
            _ => self.status().fg(Color::Red),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_has_the_same_colour_and_many_names_have_many() {
        let id = |name: &str| ClientId::parse(name).expect("a name");
        let colours: std::collections::HashSet<Option<Color>> = (0..100)
            .map(|n| Theme::Dark.name(&id(&format!("student{n}"))).fg)
            .collect();
        assert_eq!(colours.len(), ON_DARK.len());
        assert_eq!(Theme::Dark.name(&id("张三")), Theme::Dark.name(&id("张三")));
    }

    #[test]
    fn without_colours_there_is_none() {
        let id = ClientId::parse("alice").expect("a name");
        let theme = Theme::None;
        for style in [
            theme.own(),
            theme.others(),
            theme.name(&id),
            theme.dim(),
            theme.note(),
            theme.mention(),
            theme.selected(),
            theme.status(),
            theme.alarm(),
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}
