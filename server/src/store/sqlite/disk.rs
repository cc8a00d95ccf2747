//! Watches the free space on the disk: lines are refused while there is still room to record
//! refusals.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::os;
use crate::room::quota::Space;

/// How often the free space is checked.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Lines are refused when less than this, or than a fiftieth of a smaller disk, is free.
const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// The free space on the disk, checked now and then.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    checked_at: Option<Instant>,
    space: Space,
}

impl Disk {
    pub(crate) fn new(db: PathBuf) -> Self {
        let folder = match db.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Self {
            folder,
            checked_at: None,
            space: Space::default(),
        }
    }

    pub(crate) fn space(&mut self) -> Space {
        if self
            .checked_at
            .is_some_and(|at| at.elapsed() < DISK_CHECK_INTERVAL)
        {
            return self.space;
        }
        self.checked_at = Some(Instant::now());
        // Where the system does not tell the free space, a full disk is waited out when it happens.
        let now = os::disk_bytes(&self.folder)
            .map_or(Space::Enough, |bytes| judge(bytes.free, bytes.total));
        let before = std::mem::replace(&mut self.space, now);
        match (before, now) {
            (Space::Enough | Space::Short, Space::Low) => {
                error!("the disk is nearly full; lines are refused");
            }
            (Space::Low, Space::Short) => info!(
                "the disk has a little room again; lines of people who wrote much today are refused"
            ),
            (Space::Enough, Space::Short) => {
                warn!("the disk is filling up; lines of people who wrote much today are refused");
            }
            (Space::Low | Space::Short, Space::Enough) => {
                info!("there is room on the disk again");
            }
            (Space::Enough, Space::Enough)
            | (Space::Short, Space::Short)
            | (Space::Low, Space::Low) => {}
        }
        now
    }
}

fn judge(free: u64, total: u64) -> Space {
    let reserve = (total / 50).min(DISK_FREE_BYTES_MIN);
    match free {
        free if free < reserve => Space::Low,
        // People who fill the disk are refused while others still have room.
        free if free / 2 < reserve => Space::Short,
        _ => Space::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_short_before_it_is_low() {
        const MIB: u64 = 1024 * 1024;
        for (free, total, space) in [
            (255, 1_000_000, Space::Low),
            (256, 1_000_000, Space::Short),
            (511, 1_000_000, Space::Short),
            (512, 1_000_000, Space::Enough),
            (1, 100, Space::Low),
            (2, 100, Space::Short),
            (3, 100, Space::Short),
            (4, 100, Space::Enough),
        ] {
            assert_eq!(judge(free * MIB, total * MIB), space, "{free} of {total}");
        }
    }
}
