//! How full the disk is. Lines are refused while there is still room to say so.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{error, info};

/// How often the free space is looked at.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Lines are refused when less is free than this, or than a fiftieth of a smaller disk.
const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// How full the disk is, looked at now and then.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    checked_at: Option<Instant>,
    is_low: bool,
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
            is_low: false,
        }
    }

    pub(crate) fn is_low(&mut self) -> bool {
        if self
            .checked_at
            .is_some_and(|at| at.elapsed() < DISK_CHECK_INTERVAL)
        {
            return self.is_low;
        }
        self.checked_at = Some(Instant::now());
        let was_low = self.is_low;
        // Where free space cannot be asked for, a full disk is waited out when it comes.
        let space = fs4::available_space(&self.folder)
            .ok()
            .zip(fs4::total_space(&self.folder).ok());
        self.is_low =
            space.is_some_and(|(free, total)| free < (total / 50).min(DISK_FREE_BYTES_MIN));
        match (was_low, self.is_low) {
            (false, true) => error!("the disk is nearly full; lines are refused"),
            (true, false) => info!("there is room on the disk again"),
            _ => {}
        }
        self.is_low
    }
}
