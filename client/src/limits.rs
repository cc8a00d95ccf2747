//! The limits of the person's end, in one place, units last.

use std::time::Duration;

/// To find the addresses of a name.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// To reach one address, before the next is tried.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// For the TLS handshake and the greeting together.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Without a byte in either direction, before we ask whether the other end is still there.
pub const SILENCE_BEFORE_PING: Duration = Duration::from_secs(30);

/// Without a byte from the server, before the connection counts as lost.
pub const SILENCE_BEFORE_LOST: Duration = Duration::from_secs(75);

/// From `/quit` to the server's `= bye`, and from a failed write to the alert that explains it.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(10);

/// From the first signal to the end, whatever still waits: longer than a proper farewell takes.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(13);

/// To send our close_notify once everything is said.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest first pause before a lost connection is tried again; each bound is twice the last.
pub const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The longest pause of all.
pub const PAUSE_MAX: Duration = Duration::from_secs(30);

/// After a lost connection, until any server knows of it: its own silence, and a pause of ours.
pub const LOST_BEFORE_KNOWN: Duration = Duration::from_secs(75 + 30 + 10);

/// How long a connection must have lasted before the pauses begin at the shortest again.
pub const HEALTH_BEFORE_RESET: Duration = Duration::from_secs(60);

/// At the end of standard input, without any entry, before our own last line is no longer waited
/// for.
pub const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// The events that may wait to be taken; with more, the link stops reading.
pub const EVENTS_MAX: usize = 256;

/// The orders that may wait for the link, which takes none while its window is full.
pub const ORDERS_MAX: usize = 8;

/// What is collected before it is written, in bytes; no order is taken beyond it.
pub const WRITE_BYTES_MAX: usize = 16 * 1024;

/// What is read at a time, in bytes.
pub const READ_BYTES_MAX: usize = 64 * 1024;

/// The columns of a terminal that does not tell.
pub const TERMINAL_COLUMNS: usize = 80;

/// The lines that were sent and can be found again, with the Up key or by searching.
pub const TYPED_LINES_MAX: usize = 500;
