//! Waiting for an event. A deadline only ends a test that hangs; it is never what a test measures.

use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails. A bound, never a pause.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often something is looked at that tells nobody when it changes.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits for something that must happen.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Looks again and again until `look` finds something. For what sends no event when it changes,
/// such as a process that ends or a file that appears; anything else can be waited for.
pub fn look_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(LOOK_INTERVAL);
    }
}
