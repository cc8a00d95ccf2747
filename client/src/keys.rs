//! The keys of the terminal, for both views.

use std::io;

use crossterm::event::Event;
use tokio::sync::mpsc;

use crate::limits::KEYS_MAX;

/// Everything that the terminal sends, in its order; an error is the last of it.
pub(crate) type Keys = mpsc::Receiver<io::Result<Event>>;

/// Reads the terminal on a thread of its own: a read cannot be cancelled, and the end of the program
/// must not wait for it. The sender is for events that the program makes up itself.
pub(crate) fn read_keys() -> (mpsc::Sender<io::Result<Event>>, Keys) {
    let (send, keys) = mpsc::channel(KEYS_MAX);
    let ours = send.clone();
    std::thread::spawn(move || {
        loop {
            let event = crossterm::event::read();
            let is_last = event.is_err();
            if send.blocking_send(event).is_err() || is_last {
                return;
            }
        }
    });
    (ours, keys)
}
