//! Logs refused attempts at a bounded rate: an attacker must not fill the disk.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use crate::explain::Explainer;
use crate::log::{BOUNDED, CAUSE_BYTES_MAX, cut};
use crate::room::pace::Pace;

/// Refusals that are logged in a burst before the rate applies. With the rate, and lines of 512
/// bytes, the first second of a flood adds 15 KB to the log, and each later one 5 KB.
const BURST: u32 = 20;

/// Logs refused attempts.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    pace: Pace,
    unlogged: AtomicU64,
    explainer: Explainer,
}

impl RefusalLog {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            pace: Pace::new(per_second, BURST),
            unlogged: AtomicU64::new(0),
            explainer: Explainer::default(),
        }
    }

    /// Returns the same log, whose refusals are explained too.
    pub(crate) fn explained(self, explainer: Explainer) -> Self {
        Self { explainer, ..self }
    }

    /// Logs one attempt, or counts it. The log escapes the cause.
    pub(crate) fn log(&self, ip: IpAddr, port: u16, cause: &str) {
        self.explainer.refused(ip, port, cause);
        if self.pace.take().is_err() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let cause = cut(cause, CAUSE_BYTES_MAX);
        match self.unlogged.swap(0, Ordering::Relaxed) {
            0 => warn!(target: BOUNDED, %ip, port, cause, "refused"),
            // The cause comes last because it may be cut.
            more => warn!(
                target: BOUNDED, %ip, port, more, cause,
                "refused, as were more attempts that were not logged"
            ),
        }
    }
}
