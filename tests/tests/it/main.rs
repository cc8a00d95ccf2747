//! What a room promises, each promise as a test. One program, so that it is linked once.

mod room;
