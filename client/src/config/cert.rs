//! The person's own file. Newcomers pass other files at first, so each mistake has its advice.

use std::path::Path;

use pki::{Bundle, Purpose};

use crate::words::{Exit, Failure};

/// Reads the bundle.
///
/// # Errors
///
/// Says what the file is instead, and which one to use.
pub(crate) fn read(path: &Path) -> Result<Bundle, Failure> {
    Bundle::read(path).map_err(|error| Failure {
        hint: error.hint(Purpose::Client),
        ..Failure::new(Exit::Other, error.to_string())
    })
}
