//! The room as a member sees it: the timeline, the people here, our own lines on their way, and the
//! open questions.
//!
//! [`Room`] is pure data behind a few verbs: events and wishes go in, outgoing lines come out, and
//! it never waits. It knows no terminal, no rows and no keys, so a web page could be a second view
//! of it. It keeps every text as it came. A view makes the texts fit for its medium, and owns
//! colours, the bell, keys, rows and the selection; the connection belongs to the link.

mod answer;
mod asking;
mod here;
pub(crate) mod meaning;
mod mention;
mod model;
mod own;
mod search;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use asking::Outgoing;
pub(crate) use here::People;
pub(crate) use mention::{mentioned, places};
pub(crate) use model::{News, Parting, Room, Standing};
pub(crate) use own::OwnLine;
pub(crate) use search::Progress;
pub(crate) use timeline::{Item, Move, NoteKind, Said, Timeline};

#[cfg(test)]
pub(crate) use asking::Asked;
