//! The origin of a passphrase. An error names it, because that is the place to look.

use std::path::PathBuf;

/// The origin of a passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A program passed it to this library.
    Program,
    /// Somebody typed it.
    Typed,
    /// It was the first line of this file.
    File(PathBuf),
    /// It was the first line read from this descriptor.
    Descriptor(u32),
}
