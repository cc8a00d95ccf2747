//! A small disk that a test can fill.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kit::require_root;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::Served;

/// A small disk of its own, which is unmounted when this is dropped.
#[derive(Debug)]
pub struct Mount {
    path: PathBuf,
}

/// A file that fills a disk until it is dropped.
#[derive(Debug)]
pub struct Filler {
    path: PathBuf,
}

impl Mount {
    /// Mounts a disk of this size, which only root may do.
    pub fn tmpfs(path: &Path, size: &str) -> Self {
        require_root("mount a disk");
        fs::create_dir_all(path).expect("a folder");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = command.arg(path).status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "root can mount a tmpfs here"
        );
        Self {
            path: path.to_owned(),
        }
    }

    /// Mounts it again with another option.
    pub fn remount(&self, option: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{option}")]);
        let mounted = command.arg(&self.path).status();
        assert!(mounted.is_ok_and(|status| status.success()));
    }

    /// Fills it, and leaves this many bytes free.
    pub fn fill_but(&self, bytes: u64) -> Filler {
        let filler = Filler {
            path: self.path.join("filler"),
        };
        let mut file = File::create(&filler.path).expect("a file");
        let block = vec![0; 64 * 1024];
        // It writes until there is no room at all, and then gives a little back.
        while file.write_all(&block).is_ok() {}
        let length = file.metadata().expect("a file").len();
        file.set_len(length.saturating_sub(bytes)).expect("shorter");
        filler
    }

    /// Fills the disk of a busy server until the server says that it cannot write.
    pub async fn fill_up(&self, served: &mut Served) -> Filler {
        loop {
            // The space that the log already has would last for a while.
            let options = SqliteConnectOptions::new().filename(self.path.join("chat.db"));
            let mut other = options.connect().await.expect("the database opens");
            let emptied = other.execute("pragma wal_checkpoint(truncate)").await;
            emptied.expect("the log is emptied");
            let filler = self.fill_but(0);
            let told = served.program.expect_err("disk is ");
            if told.contains("the database cannot be written") {
                return filler;
            }
            // It was found to be nearly full before it was full, and lines are refused.
            drop(filler);
            served.program.expect_err("there is room on the disk again");
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a server that a failed test left behind may still have files on it.
        let _gone = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}
