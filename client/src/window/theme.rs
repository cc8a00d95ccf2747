//! Colours: how each kind of thing looks, on a dark, a light, an unknown and a colourless terminal.
//!
//! A colour that a theme names by its index has the same red, green and blue on every terminal with
//! 256 colours, so the tests can compute its contrast: at least 4.5 to 1 (WCAG 2.2, 1.4.3, level AA)
//! on each background for which the theme is chosen. The first sixteen colours belong to the person,
//! who may have changed them; they are used only where a terminal has no others.

use ratatui::style::{Color, Modifier, Style};

use super::background::{Depth, Ground};
use crate::settings::Theme;

/// The colours of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    /// Those of a palette.
    Of(&'static Palette),
    /// The person's own green for our lines, and red for those of others.
    Classic,
    /// None at all.
    Without,
}

/// A set of colours that go together. Text of others has the terminal's own colour, which the
/// person has chosen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    /// Our own lines.
    own: Option<Color>,
    /// Times, enters and leaves, and lines that are not acknowledged yet.
    dim: Option<Color>,
    /// Notices, and the marks of staff.
    notice: Option<Color>,
    /// Failures.
    failure: Option<Color>,
    /// Names, neighbours far apart. None of them is like the colour of our own lines.
    names: &'static [Color],
}

const fn indexed<const N: usize>(indices: [u8; N]) -> [Color; N] {
    let mut colours = [Color::Reset; N];
    let mut at = 0;
    while at < N {
        colours[at] = Color::Indexed(indices[at]);
        at += 1;
    }
    colours
}

static ON_DARK: Palette = Palette {
    own: Some(Color::Indexed(114)),
    dim: Some(Color::Indexed(248)),
    notice: Some(Color::Indexed(221)),
    failure: Some(Color::Indexed(210)),
    names: &indexed([
        45, 207, 208, 229, 111, 218, 49, 178, 143, 216, 159, 177, 226, 106, 153, 212, 122, 183, 72,
        209, 185, 80, 255,
    ]),
};

static ON_LIGHT: Palette = Palette {
    own: Some(Color::Indexed(22)),
    dim: Some(Color::Indexed(241)),
    notice: Some(Color::Indexed(94)),
    failure: Some(Color::Indexed(124)),
    names: &indexed([
        21, 125, 58, 25, 127, 52, 23, 92, 18, 89, 60, 26, 88, 54, 17, 93,
    ]),
};

/// For a background that nobody told us of: readable on black and on white.
static ON_EITHER: Palette = Palette {
    own: Some(Color::Indexed(29)),
    dim: Some(Color::Indexed(243)),
    notice: None,
    failure: Some(Color::Indexed(131)),
    names: &indexed([63, 163, 131, 98]),
};

static SIXTEEN_ON_DARK: Palette = Palette {
    own: Some(Color::LightGreen),
    dim: Some(Color::Gray),
    notice: Some(Color::LightYellow),
    failure: Some(Color::LightRed),
    names: &[
        Color::LightCyan,
        Color::LightMagenta,
        Color::LightYellow,
        Color::Cyan,
        Color::LightRed,
    ],
};

static SIXTEEN_ON_LIGHT: Palette = Palette {
    own: Some(Color::Blue),
    dim: None,
    notice: None,
    failure: Some(Color::Red),
    names: &[Color::Magenta, Color::Red],
};

/// For a background between dark and light, on which few colours can be read, and for sixteen colours
/// on an unknown one: only the terminal's own.
static PLAIN: Palette = Palette {
    own: None,
    dim: None,
    notice: None,
    failure: None,
    names: &[],
};

/// White on a red of its own, on any background. The red is dark enough for it.
const ALARM: (Color, Color) = (Color::Indexed(231), Color::Indexed(124));

/// Black on yellow: the words that were searched for.
const FOUND: (Color, Color) = (Color::Indexed(16), Color::Indexed(221));

impl Colours {
    /// Returns the colours of a theme. `ground` is the background that the terminal told us of, or
    /// the guess at it.
    pub(crate) fn of(theme: Theme, ground: Ground, depth: Depth) -> Self {
        let ground = match theme {
            Theme::Classic => return Self::Classic,
            Theme::None => return Self::Without,
            Theme::Auto => ground,
            Theme::Dark => Ground::Dark,
            Theme::Light => Ground::Light,
        };
        Self::Of(match (depth, ground) {
            (Depth::Many, Ground::Dark) => &ON_DARK,
            (Depth::Many, Ground::Light) => &ON_LIGHT,
            (Depth::Many, Ground::Unknown) => &ON_EITHER,
            (Depth::Sixteen, Ground::Dark) => &SIXTEEN_ON_DARK,
            (Depth::Sixteen, Ground::Light) => &SIXTEEN_ON_LIGHT,
            (Depth::Sixteen, Ground::Unknown) | (_, Ground::Between) => &PLAIN,
        })
    }

    fn with(self, pick: impl FnOnce(&'static Palette) -> Option<Color>) -> Style {
        match self {
            Self::Of(palette) => pick(palette).map_or(Style::new(), |color| Style::new().fg(color)),
            Self::Classic | Self::Without => Style::new(),
        }
    }

    /// Our own lines.
    pub(crate) fn own(self) -> Style {
        match self {
            Self::Classic => Style::new().fg(Color::Green),
            _ => self.with(|palette| palette.own),
        }
    }

    /// The lines of others.
    pub(crate) fn others(self) -> Style {
        match self {
            Self::Classic => Style::new().fg(Color::Red),
            _ => Style::new(),
        }
    }

    /// Returns how many names look different.
    pub(crate) fn names(self) -> usize {
        match self {
            Self::Of(palette) => palette.names.len().max(1),
            Self::Classic | Self::Without => 1,
        }
    }

    /// A name, by the number that [`Names`](super::names::Names) gives it.
    pub(crate) fn name(self, number: usize) -> Style {
        match self {
            Self::Classic => self.others(),
            _ => self.with(|palette| {
                let names = palette.names;
                names.get(number % names.len().max(1)).copied()
            }),
        }
    }

    /// Times, enters and leaves, and lines that are not acknowledged yet. Not the terminal's own
    /// dim, which nobody can read on some backgrounds; that is left for terminals without colours.
    pub(crate) fn dim(self) -> Style {
        match self {
            Self::Of(_) => self.with(|palette| palette.dim),
            Self::Classic | Self::Without => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// Notices of the program.
    pub(crate) fn notice(self) -> Style {
        match self {
            Self::Classic => Style::new().fg(Color::Yellow),
            Self::Without => Style::new().add_modifier(Modifier::ITALIC),
            Self::Of(_) => self.with(|palette| palette.notice),
        }
    }

    /// Failures, which nobody may overlook.
    pub(crate) fn failure(self) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        match self {
            Self::Without => bold,
            // The lines of others are red already.
            Self::Classic => bold.fg(Color::Yellow),
            Self::Of(_) => bold.patch(self.with(|palette| palette.failure)),
        }
    }

    /// The mark of staff.
    pub(crate) fn staff(self) -> Style {
        Style::new()
            .add_modifier(Modifier::BOLD)
            .patch(self.with(|palette| palette.notice))
    }

    /// Our name in a line of somebody else.
    pub(crate) fn mention(self) -> Style {
        Style::new()
            .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
            .patch(self.with(|palette| palette.notice))
    }

    /// The words that were searched for.
    pub(crate) fn found(self) -> Style {
        match self {
            Self::Of(palette) if palette.is_indexed() => Style::new().fg(FOUND.0).bg(FOUND.1),
            _ => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The stamp of the line that is selected.
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
            Self::Of(palette) if palette.is_indexed() => Style::new().fg(ALARM.0).bg(ALARM.1),
            Self::Of(_) | Self::Classic => Style::new()
                .fg(Color::White)
                .bg(Color::Red)
                .add_modifier(Modifier::BOLD),
            Self::Without => self.status().add_modifier(Modifier::BOLD),
        }
    }
}

impl Palette {
    /// Returns whether the terminal has 256 colours.
    fn is_indexed(&self) -> bool {
        matches!(self.own, Some(Color::Indexed(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::background::Rgb;
    use super::*;

    /// The backgrounds for which each palette is chosen: plain ones, those of Solarized, and those of
    /// other schemes that many people use.
    const DARK: [u32; 9] = [
        0x00_0000, 0x00_2b36, 0x07_3642, 0x1e_1e1e, 0x28_2c34, 0x28_2a36, 0x30_0a24, 0x2e_3440,
        0x30_3030,
    ];
    const LIGHT: [u32; 6] = [
        0xff_ffff, 0xfd_f6e3, 0xee_e8d5, 0xf0_f0f0, 0xfa_fafa, 0xff_ffdd,
    ];

    fn rgb(hex: u32) -> Rgb {
        let [_, red, green, blue] = hex.to_be_bytes();
        Rgb([red, green, blue].map(|part| f64::from(part) / 255.0))
    }

    /// Returns the colour that an index stands for on every terminal with 256 colours.
    fn of_index(color: Color) -> Rgb {
        let Color::Indexed(index @ 16..) = color else {
            panic!("{color:?} is not the same on all terminals");
        };
        let parts = match index {
            232.. => [8 + 10 * (index - 232); 3],
            _ => {
                let index = index - 16;
                [index / 36, index / 6 % 6, index % 6]
                    .map(|step| [0, 95, 135, 175, 215, 255][usize::from(step)])
            }
        };
        Rgb(parts.map(|part| f64::from(part) / 255.0))
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (one, other) = (one.luminance() + 0.05, other.luminance() + 0.05);
        (one / other).max(other / one)
    }

    fn texts(palette: &Palette) -> Vec<Color> {
        let Palette {
            own,
            dim,
            notice,
            failure,
            names,
        } = palette;
        let some = [own, dim, notice, failure]
            .into_iter()
            .filter_map(|color| *color);
        some.chain(names.iter().copied()).collect()
    }

    #[test]
    fn every_text_can_be_read_on_every_background_for_which_its_colours_are_chosen() {
        for (ground, palette, hexes) in [
            (Ground::Dark, &ON_DARK, &DARK[..]),
            (Ground::Light, &ON_LIGHT, &LIGHT[..]),
            (Ground::Unknown, &ON_EITHER, &[0x00_0000, 0xff_ffff]),
        ] {
            for &hex in hexes {
                let told = Ground::of(rgb(hex));
                assert!(ground == Ground::Unknown || told == ground, "#{hex:06x}");
                for color in texts(palette) {
                    let is = contrast(of_index(color), rgb(hex));
                    assert!(is >= 4.5, "{color:?} on #{hex:06x}: {is:.2}");
                }
            }
        }
        for (text, behind) in [ALARM, FOUND] {
            assert!(contrast(of_index(text), of_index(behind)) >= 4.5);
        }
    }

    #[test]
    fn each_background_gets_the_colours_that_suit_it() {
        for hex in DARK {
            assert_eq!(Ground::of(rgb(hex)), Ground::Dark, "#{hex:06x}");
        }
        for hex in LIGHT {
            assert_eq!(Ground::of(rgb(hex)), Ground::Light, "#{hex:06x}");
        }
        for hex in [0x80_8080, 0x60_60a0, 0xc0_8040] {
            assert_eq!(Ground::of(rgb(hex)), Ground::Between, "#{hex:06x}");
        }
    }

    /// CIE 1976 L*a*b*, in which distances are about as far apart as they look.
    fn lab(Rgb(parts): Rgb) -> [f64; 3] {
        let [red, green, blue] = parts.map(|part| match part {
            ..=0.040_45 => part / 12.92,
            _ => ((part + 0.055) / 1.055).powf(2.4),
        });
        let [x, y, z] = [
            (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
        ]
        .map(|t| {
            if t > 0.008_856 {
                t.cbrt()
            } else {
                7.787 * t + 16.0 / 116.0
            }
        });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn no_two_names_look_alike_nor_like_our_own_lines() {
        for (palette, apart) in [(&ON_DARK, 16.0), (&ON_LIGHT, 16.0), (&ON_EITHER, 16.0)] {
            let all: Vec<Color> = palette.names.iter().copied().chain(palette.own).collect();
            for (at, one) in all.iter().enumerate() {
                for other in &all[at + 1..] {
                    let (a, b) = (lab(of_index(*one)), lab(of_index(*other)));
                    let far = a
                        .iter()
                        .zip(b)
                        .map(|(a, b)| (a - b).powi(2))
                        .sum::<f64>()
                        .sqrt();
                    assert!(far >= apart, "{one:?} {other:?}: {far:.1}");
                }
            }
        }
    }

    #[test]
    fn without_colours_there_is_none_and_sixteen_are_enough() {
        let styles = |colours: Colours| {
            [
                colours.own(),
                colours.others(),
                colours.name(3),
                colours.dim(),
                colours.notice(),
                colours.failure(),
                colours.staff(),
                colours.mention(),
                colours.found(),
                colours.selected(),
                colours.status(),
                colours.alarm(),
            ]
        };
        for depth in [Depth::Many, Depth::Sixteen] {
            for style in styles(Colours::of(Theme::None, Ground::Dark, depth)) {
                assert_eq!((style.fg, style.bg), (None, None));
            }
        }
        for ground in [
            Ground::Dark,
            Ground::Light,
            Ground::Between,
            Ground::Unknown,
        ] {
            for style in styles(Colours::of(Theme::Auto, ground, Depth::Sixteen)) {
                assert!(!matches!(style.fg, Some(Color::Indexed(_))), "{style:?}");
                assert!(!matches!(style.bg, Some(Color::Indexed(_))), "{style:?}");
            }
        }
    }
}
