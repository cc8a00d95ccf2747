//! Promises that have a number of seconds in them: each test here passes or fails by the clock.
//!
//! They stand apart because a clock tells little while other tests use the processors. Cargo runs one
//! test program after the other, and in this one the tests take turns.

#![cfg(target_os = "linux")]

mod newcomers;
mod pings;
mod quotas;
mod revoked;
mod slow_reader;
mod stopped;
mod window;

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other test of this program runs, and lets none run while the result is kept.
async fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// The same, for a test that has no runtime.
fn alone_blocking() -> MutexGuard<'static, ()> {
    TURN.blocking_lock()
}
