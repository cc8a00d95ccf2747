//! The limits of the wire, in one place, units last.

/// The text of a line, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 4096;

/// A line from a client as it stands on the wire, without its line end: a text and the longest
/// `/say RUN-N ` before it, with room to spare.
pub const LINE_BYTES_MAX: usize = 4224;

/// A line from a server, without its line end: a text and the longest stamp before it.
pub const SERVER_LINE_BYTES_MAX: usize = 4352;

/// The bytes of one over-long line that are discarded before its sender counts as hostile.
pub const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// The bytes of an over-long line that are kept, to find out which line it was.
pub const PREFIX_BYTES_MAX: usize = 64;

/// The characters of a name.
pub const ID_CHARS_MAX: usize = 32;

/// The bytes of a name.
pub const ID_BYTES_MAX: usize = 64;

/// The characters of a full name; in UTF-8 each has at most 4 bytes.
pub const FULL_NAME_CHARS_MAX: usize = 64;

/// The lines of one session that may wait for their acknowledgement.
pub const UNACKNOWLEDGED_LINES_MAX: usize = 64;

/// The fewest letters and digits that name one run of a client.
pub const RUN_CHARS_MIN: usize = 8;
/// The most letters and digits that name one run of a client.
pub const RUN_CHARS_MAX: usize = 32;
