//! Random bytes from the operating system, for serial numbers, salts, passwords and temporary names.

use crate::error::Error;

/// Returns `N` random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}
