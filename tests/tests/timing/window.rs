//! The full-screen client keeps up with a busy room: keys are seen soon, and frames are capped.

use std::time::Duration;

use tests::Rush;

use crate::alone_blocking;

/// The benchmark asks for 50 ms of a release build on a quiet machine. This bound also holds for a debug
/// build whose processors others use, and is still far from a window that falls behind: two seconds of
/// these lines are 10,000, which would take minutes if each had a frame of its own.
const KEY_MAX: Duration = Duration::from_secs(1);

/// The same for a minute, and measured: `cargo bench -p tests --bench window`.
#[test]
fn while_thousands_of_lines_a_second_arrive_what_is_typed_is_seen_and_frames_are_capped() {
    let _alone = alone_blocking();
    let rush = Rush::of(5000, Duration::from_secs(2));
    assert!(rush.keys.len() > 3, "{rush:?}");
    assert!(rush.p99() <= KEY_MAX, "{rush:?}");
    assert!(rush.frames_per_second() <= 61.0, "{rush:?}");
}
