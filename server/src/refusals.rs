//! Attempts that were refused, logged at a bounded rate: an attacker must not fill the disk.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use crate::pace::Pace;

/// How many refusals are logged at once before the rate is felt.
const BURST: u32 = 50;

/// Logs refused attempts.
#[derive(Debug)]
pub(crate) struct Refusals {
    pace: Pace,
    unlogged: AtomicU64,
}

impl Refusals {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            pace: Pace::new(per_second, BURST),
            unlogged: AtomicU64::new(0),
        }
    }

    /// Logs one attempt, or counts it. The cause must be escaped already.
    pub(crate) fn log(&self, ip: IpAddr, port: u16, cause: &str) {
        if self.pace.take().is_err() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.unlogged.swap(0, Ordering::Relaxed) {
            0 => warn!(%ip, port, cause, "refused"),
            more => warn!(%ip, port, cause, more, "refused, and more that were not logged"),
        }
    }
}
