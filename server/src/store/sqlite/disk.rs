//! How full the disk is. Lines are refused while there is still room to say so.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::os;
use crate::room::quota::Space;

/// How often the free space is looked at.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Lines are refused when less is free than this, or than a fiftieth of a smaller disk.
const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// How full the disk is, looked at now and then.
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
        // Where free space cannot be asked for, a full disk is waited out when it comes.
        let now = os::disk_bytes(&self.folder)
            .map_or(Space::Enough, |bytes| judge(bytes.free, bytes.total));
        let before = std::mem::replace(&mut self.space, now);
        match (before, now) {
            (Space::Enough | Space::Short, Space::Low) => {
                error!("the disk is nearly full; lines are refused");
            }
            (Space::Low, Space::Short) => info!(
                "there is room on the disk again, but little; lines of those who wrote much today are refused"
            ),
            (Space::Enough, Space::Short) => {
                warn!("the disk fills; lines of those who wrote much today are refused");
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
        // Those who fill the disk find it full while others still have room.
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
