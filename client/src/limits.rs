//! The limits of the client, in one place, units last. The sizes at which the window looks
//! different stand beside its layout.

use std::time::Duration;

/// To find the addresses of a name.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// To reach one address, before the next is tried.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// For the TLS handshake and the greeting together.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// The same at an address after which others can be tried.
pub const GREETING_BEFORE_NEXT_TIMEOUT: Duration = Duration::from_secs(4);

/// The addresses of a name that are tried.
pub const ADDRESSES_MAX: usize = 8;

/// While an answer is owed and no byte comes, before the person is told.
pub const UNANSWERED_BEFORE_TOLD: Duration = Duration::from_secs(3);

/// Since we last sent something, before we ask whether the other end is still there.
pub const SILENCE_BEFORE_PING: Duration = Duration::from_secs(30);

/// Without a byte from the server, before the connection counts as lost.
pub const SILENCE_BEFORE_LOST: Duration = Duration::from_secs(75);

/// From `/quit` to the server's `= bye`, and from a failed write to the alert that explains it.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(10);

/// From a signal to the server's `= bye`. A person who interrupts does not wait for a server that
/// does not answer.
pub const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

/// From the end of the last connection to the end of the output, after a signal: the program that
/// reads it may have stopped.
pub const LEAVE_PRINT_TIMEOUT: Duration = Duration::from_millis(300);

/// From a signal to the end of the program, even if something blocks it.
pub const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(2);

/// To send our close_notify once everything is said.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The same after a signal.
pub const LEAVE_CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// At the start, for a server that closes connections without a word, as one without room does. A
/// wrong port may do the same, so it is not retried for longer.
pub const CROWDED_TIMEOUT: Duration = Duration::from_secs(30);

/// The first bytes of a server that are kept, in case they are not TLS.
pub const OPENING_BYTES_MAX: usize = 512;

/// The characters that are shown of the words of a server that has not proved itself.
pub const OPENING_CHARS_MAX: usize = 200;

/// The longest first pause before a lost connection is retried; each bound is twice the last.
pub const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The longest pause of all.
pub const PAUSE_MAX: Duration = Duration::from_secs(30);

/// From the loss of a connection until every server must have noticed it: the silence that it waits
/// for, and a pause of ours.
pub const LOST_BEFORE_KNOWN: Duration = SILENCE_BEFORE_LOST
    .saturating_add(PAUSE_MAX)
    .saturating_add(Duration::from_secs(10));

/// How long a connection must have lasted before the pauses begin at the shortest again.
pub const HEALTH_BEFORE_RESET: Duration = Duration::from_secs(60);

/// At the end of standard input, without any entry, before we stop waiting for our own last line.
pub const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// The events that may wait; with more, the link stops reading.
pub const EVENTS_MAX: usize = 256;

/// The orders that may wait for the link, which takes none while 64 lines are unacknowledged.
pub const ORDERS_MAX: usize = 8;

/// The commands that may wait for their answers; with more, the link takes no orders.
pub const COMMANDS_MAX: usize = 64;

/// The people whose presence is kept; a server may count more.
pub const HERE_MAX: usize = 10_000;

/// The warnings about a server's lines that people are shown within [`WARNINGS_INTERVAL`].
pub const WARNINGS_MAX: u32 = 8;

/// See [`WARNINGS_MAX`].
pub const WARNINGS_INTERVAL: Duration = Duration::from_secs(60);

/// The bytes that are collected before they are written; no order is taken beyond them.
pub const WRITE_BYTES_MAX: usize = 16 * 1024;

/// The bytes that are read at a time.
pub const READ_BYTES_MAX: usize = 64 * 1024;

/// The columns of a terminal that does not say how many it has.
pub const TERMINAL_COLUMNS: usize = 80;

/// The days before the end of a certificate at which the window begins to remind its holder.
pub const EXPIRY_NOTICE_DAYS: u64 = 14;

/// A server that asks for a longer wait before the next try is asked again after this time: it
/// counts sessions per minute.
pub(crate) const SERVERS_WAIT_MAX: Duration = Duration::from_secs(60);

/// The names that are listed of a certificate for other hosts.
pub const NAMES_MAX: usize = 5;

/// The lines that were sent and can be found again, with the Up key or by searching.
pub const TYPED_LINES_MAX: usize = 500;

/// Notes before one list of people.
pub(crate) const NOTES_MAX: usize = 16;

/// Questions of the window that may be open at once.
pub(crate) const QUESTIONS_MAX: usize = 64;

/// Entries that the window asks for at once when the person looks further back.
pub(crate) const PAGE_ENTRIES: u64 = 200;

/// From one measurement of how long an answer takes to the next.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);

/// From one question for the people here to the next, however many come and go.
pub(crate) const WHO_INTERVAL: Duration = Duration::from_secs(1);

/// The bytes of the texts that a timeline keeps, each with its share of memory besides.
pub(crate) const LOADED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The newest entries, kept however far back the person looks, so that the way to the end is short.
pub(crate) const NEWEST_MAX: usize = 500;

/// The enters and leaves that one item of a timeline holds.
pub(crate) const MOVES_MAX: usize = 500;

/// Pages that a search asks for before the person is asked whether it is to go on: 20,000 entries.
pub(crate) const SEARCH_PAGES_MAX: usize = 100;

/// The bytes of the texts that a search keeps, so that the way from what it found to the newest entry
/// is short.
pub(crate) const SEARCHED_BYTES_MAX: usize = LOADED_BYTES_MAX / 4;

/// Our lines that may wait at once in the window.
pub(crate) const OWN_LINES_MAX: usize = 1000;

/// The lines of a paste that the plain mode says at once. A file may have more.
pub(crate) const PASTE_LINES_MAX: usize = 1000;

/// The lines and commands that were typed and wait for the link. With more, no key is taken.
pub(crate) const TYPED_MAX: usize = 64;

/// From Enter to the next key: nobody types as fast as this, so both are pasted.
pub(crate) const ENTER_TO_BURST: Duration = Duration::from_millis(25);

/// From a paste of one line to a key that still belongs to it: it came in the same piece.
pub(crate) const PASTE_TO_KEY: Duration = Duration::from_millis(10);

/// From the last key of a paste of several lines to the question about it. A key that comes sooner is
/// part of the paste, because nobody has read the question yet.
pub(crate) const PASTE_TO_QUESTION: Duration = Duration::from_millis(100);

/// The bytes that are collected of one paste that the terminal does not mark. It is more than the
/// longest paste that may be said, and what comes after it is a paste of its own.
pub(crate) const BURST_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The keys that may wait for the window; a paste is one event, so they are all that a person can
/// type ahead.
pub(crate) const KEYS_MAX: usize = 256;

/// The names that a command for another certificate is shown with.
pub(crate) const COMMAND_NAMES_MAX: usize = 20;
