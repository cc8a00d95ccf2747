//! The rows of the timeline that are in view, and scrolling by rows.

use ratatui::text::Line;

use super::items::{Looks, Row, own_line, put_time, rows_of};
use super::viewport::{Scroll, Viewport};
use crate::room::{Room, Timeline};

/// The rows that fill the timeline's part of the screen.
pub(crate) struct Bottom {
    /// The number of empty rows, at the top.
    pub(crate) empty_rows: usize,
    /// The rows of the timeline that are in view.
    pub(crate) items: Vec<Row>,
    /// Below them, the rows of our own lines that still wait.
    pub(crate) own: Vec<Line<'static>>,
}

/// Returns `height` rows, filled from the bottom.
pub(crate) fn bottom(room: &Room, view: &Viewport, looks: &Looks<'_>, height: usize) -> Bottom {
    let mut own = Vec::new();
    if view.scroll(&room.timeline) == Scroll::Newest {
        let ip = room.welcome.ip.to_string();
        // Only as many as are visible, the newest ones.
        for line in room.own.iter().rev() {
            if own.len() >= height {
                break;
            }
            own.extend(own_line(line, &ip, looks).into_iter().rev());
        }
        own.truncate(height);
        own.reverse();
    }
    let items = visible(&room.timeline, view, looks, height - own.len());
    Bottom {
        empty_rows: height - items.len() - own.len(),
        items,
        own,
    }
}

/// Returns the rows in view, from the top, at most `height`.
fn visible(timeline: &Timeline, view: &Viewport, looks: &Looks<'_>, height: usize) -> Vec<Row> {
    let mut rows = upwards(timeline, view, looks, height);
    rows.truncate(height);
    let mut rows: Vec<Row> = rows.into_iter().rev().map(|(_, row)| row).collect();
    // The line at the top always carries its time, which may have been told further up.
    let timed = rows.iter_mut().filter(|row| row.has_time_column);
    let first = timed
        .filter_map(|row| Some((timeline.item(row.item)?.at()?, row)))
        .next();
    if let Some((at, row)) = first {
        put_time(row, at, looks);
    }
    rows
}

/// Scrolls up by some rows. Returns whether the loaded entries end before that.
pub(crate) fn scroll_up(
    timeline: &mut Timeline,
    view: &mut Viewport,
    looks: &Looks<'_>,
    by: usize,
    height: usize,
) -> bool {
    let rows = upwards(timeline, view, looks, height + by);
    let moved = by.min(rows.len().saturating_sub(height));
    if let Some((below, row)) = rows.get(moved).filter(|_| moved > 0) {
        view.look_at(timeline, row.item, *below);
    }
    moved < by
}

/// Scrolls down by some rows. Returns whether the loaded entries end before that.
pub(crate) fn scroll_down(
    timeline: &mut Timeline,
    view: &mut Viewport,
    looks: &Looks<'_>,
    by: usize,
) -> bool {
    let Scroll::At {
        mut item,
        mut below,
    } = view.scroll(timeline)
    else {
        return true;
    };
    let mut left = by;
    loop {
        if below >= left {
            view.look_at(timeline, item, below - left);
            return false;
        }
        left -= below;
        item += 1;
        let rows = rows_of(timeline, view, item, looks).len();
        if rows == 0 {
            if !timeline.is_detached() {
                view.look_at_newest(timeline);
            } else {
                view.look_at(timeline, item - 1, 0);
            }
            return true;
        }
        below = rows;
    }
}

/// Scrolls to an item, so that all of it is visible if it fits.
pub(crate) fn show(
    timeline: &mut Timeline,
    view: &mut Viewport,
    looks: &Looks<'_>,
    item: i64,
    height: usize,
) {
    let seen = visible(timeline, view, looks, height);
    if seen.iter().filter(|row| row.item == item).count()
        == rows_of(timeline, view, item, looks).len()
    {
        return;
    }
    view.look_at(timeline, item, 0);
    // In the middle, if there is enough below it.
    scroll_down(timeline, view, looks, height / 2);
}

/// Returns rows from the bottom edge upwards, each with the number of its item's rows below it.
fn upwards(
    timeline: &Timeline,
    view: &Viewport,
    looks: &Looks<'_>,
    count: usize,
) -> Vec<(usize, Row)> {
    let numbers = timeline.numbers();
    let (mut item, mut below) = match view.scroll(timeline) {
        Scroll::Newest => (numbers.end - 1, 0),
        // The item that it named may have been dropped.
        Scroll::At { item, below } => (item.clamp(numbers.start, numbers.end - 1), below),
    };
    let mut found = Vec::new();
    while found.len() < count && item >= numbers.start {
        let rows = rows_of(timeline, view, item, looks);
        let total = rows.len();
        for (at, row) in rows.into_iter().enumerate().rev().skip(below) {
            found.push((total - 1 - at, row));
        }
        below = 0;
        item -= 1;
    }
    found
}
