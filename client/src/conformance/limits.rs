//! The bounds of an examination, units last: no client can make it wait or remember for ever.

use std::time::Duration;

/// From the start of a client to its connection. The client may be compiled first.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(40);

/// For a person to start their client by hand.
pub(super) const PERSON_TIMEOUT: Duration = Duration::from_secs(300);

/// From a connection to the end of the handshake.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// For a line that the client is to send.
pub(super) const HEAR_TIMEOUT: Duration = Duration::from_secs(15);

/// For a client to read what it is sent.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// From a lost connection to the client's next one, or to its end.
pub(super) const COME_BACK_TIMEOUT: Duration = Duration::from_secs(45);

/// For a client to do what it should not do, or to end over its own mistake.
pub(super) const TEMPTATION: Duration = Duration::from_millis(1500);

/// For a client to end by itself, and again once its input has ended.
pub(super) const END_TIMEOUT: Duration = Duration::from_secs(10);

/// For the pipes of a client that was killed.
pub(super) const KILLED_TIMEOUT: Duration = Duration::from_secs(2);

/// For a client to read a line that is typed.
pub(super) const TYPE_TIMEOUT: Duration = Duration::from_secs(5);

/// From the other end's FIN to its own.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// For all of one examination.
pub(super) const EXAMINATION_TIMEOUT: Duration = Duration::from_secs(180);

/// For all of one examination by hand.
pub(super) const EXAMINATION_BY_HAND_TIMEOUT: Duration = Duration::from_secs(900);

/// The silence after which a client should have pinged, with some patience.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(45);

/// How often the room says something while it waits for a ping.
pub(super) const CHATTER_INTERVAL: Duration = Duration::from_secs(5);

/// How long a client that was told to wait longer is watched for coming back.
pub(super) const REFUSED_WINDOW: Duration = Duration::from_secs(5);

/// The connections of a client to one impostor.
pub(super) const IMPOSTOR_CONNECTIONS_MAX: usize = 10;

/// The connections that an earlier examination may leave behind: more than the system keeps waiting.
pub(super) const LEFT_CONNECTIONS_MAX: usize = 8192;

/// The connections without TLS that are passed over while one with TLS is awaited.
pub(super) const SILENT_CONNECTIONS_MAX: usize = 16;

/// The lines of a client that are read in one examination.
pub(super) const LINES_MAX: usize = 1000;

/// The standard output of a client that is kept.
pub(super) const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// The standard error of a client that is kept.
pub(super) const STDERR_BYTES_MAX: usize = 4 * 1024;
