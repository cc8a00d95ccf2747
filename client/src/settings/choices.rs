//! The choices that have a fixed set of values.

/// Which of the earlier entries a session shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// None.
    Head,
    /// All.
    Beginning,
    /// This many of the newest.
    Last(u64),
}

/// The form of the plain mode's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `2026-11-21 19:00:00 [alice@192.0.2.7] hello`
    Stamped,
    /// `[alice@192.0.2.7] hello`, without enters and leaves.
    Bare,
    /// The lines of the wire, all kinds, as they came.
    Raw,
    /// One JSON object per line.
    Json,
}

/// The colours of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Theme {
    /// For the background that the terminal tells, or for any if it tells none.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// Your own lines green, everybody else's red.
    Classic,
    /// No colours at all, as with NO_COLOR in the environment.
    None,
}

/// When the window's bell rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Bell {
    /// When somebody says your name.
    #[default]
    Mention,
    /// Never.
    Off,
    /// For every line of somebody else.
    All,
}

/// Whether the window has the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Mouse {
    /// The wheel scrolls, and a click selects a line.
    #[default]
    On,
    /// The terminal keeps it, so that people select and copy as they are used to.
    Off,
}
