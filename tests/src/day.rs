//! The day by which quotas are counted.

use std::time::Duration;

use time::OffsetDateTime;

/// The time that a test of quotas needs within one day.
const LEFT_MIN: Duration = Duration::from_secs(60);

/// Waits until the UTC day has a minute left. At midnight everybody has new quotas, so a test that
/// began before it would end otherwise. Only a test that starts in the last minute of a day waits.
pub async fn same_day() {
    let now = OffsetDateTime::now_utc();
    let midnight = now.date().next_day().expect("another day").midnight();
    let left = midnight.assume_utc() - now;
    if left < LEFT_MIN {
        let left = Duration::try_from(left).expect("midnight is ahead");
        tokio::time::sleep(left + Duration::from_secs(1)).await;
    }
}
