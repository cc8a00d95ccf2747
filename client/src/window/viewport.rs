//! The part of the timeline that the window shows, and the line that is selected in it.
//!
//! The room knows which item a person looks at, because it keeps the entries around it; only the
//! window knows its rows.

use crate::room::Timeline;

/// The place at the bottom edge of the timeline's part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scroll {
    /// The newest entries, as they come.
    Newest,
    /// An item, with some of its rows below the edge.
    At {
        /// The number of the item.
        item: i64,
        /// Its rows below the edge.
        below: usize,
    },
}

/// Everything about the window's place in a timeline that the room does not know.
#[derive(Debug, Default)]
pub(crate) struct Viewport {
    /// The rows below the edge, of the item that the person looks at.
    below: usize,
    /// The number of the selected item.
    pub(crate) selected: Option<i64>,
}

impl Viewport {
    /// Returns the place at the bottom edge.
    pub(crate) fn scroll(&self, timeline: &Timeline) -> Scroll {
        match timeline.looked_at() {
            Some(item) => Scroll::At {
                item,
                below: self.below,
            },
            None => Scroll::Newest,
        }
    }

    /// Looks back at an item, with `below` of its rows below the edge.
    pub(crate) fn look_at(&mut self, timeline: &mut Timeline, item: i64, below: usize) {
        timeline.look_at(item);
        self.below = below;
    }

    /// Goes back to the newest entries.
    pub(crate) fn look_at_newest(&mut self, timeline: &mut Timeline) {
        timeline.look_at_newest();
        self.selected = None;
    }
}
