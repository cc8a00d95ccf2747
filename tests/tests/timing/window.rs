//! The full-screen client keeps up with a busy room.

use std::time::Duration;

use tests::Rush;

use crate::alone_blocking;

/// The same for a minute, and measured: `cargo bench -p tests --bench window`.
#[test]
fn while_thousands_of_lines_a_second_arrive_what_is_typed_is_seen_and_frames_are_capped() {
    let _alone = alone_blocking();
    let rush = Rush::of(5000, Duration::from_secs(2));
    assert!(rush.keys.len() > 3, "{rush:?}");
    assert!(rush.frames_per_second() <= 61.0, "{rush:?}");
}
