//! The room in the terminal.

#[allow(
    dead_code,
    reason = "the window that it stands in is not drawn yet; its tests write in it"
)]
mod editor;
