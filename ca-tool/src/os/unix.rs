//! Unix: modes, owners, devices, and the terminal.

mod hidden;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::path::Path;

use super::Access;

pub(super) use hidden::ask_hidden;

pub(super) fn set_file_mode(options: &mut OpenOptions, access: Access) {
    options.mode(match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    });
}

pub(super) fn set_folder_mode(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) fn device(path: &Path) -> io::Result<Option<u64>> {
    Ok(Some(std::fs::metadata(path)?.dev()))
}

pub(super) fn have_one_owner(one: &Path, other: &Path) -> bool {
    let owner = |path| std::fs::symlink_metadata(path).map(|there| there.uid());
    owner(one).is_ok_and(|one| owner(other).is_ok_and(|other| one == other))
}

pub(super) fn make_private(path: &Path, ours: &Path) -> io::Result<()> {
    let folder = File::open(path)?;
    let there = folder.metadata()?;
    if there.uid() != std::fs::metadata(ours)?.uid() {
        return Err(io::Error::other("it belongs to another user"));
    }
    match there.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => folder.set_permissions(std::fs::Permissions::from_mode(0o700)),
    }
}

pub(super) fn machine_name() -> Option<String> {
    let system = rustix::system::uname();
    Some(system.nodename().to_str().ok()?.to_owned())
}

pub(super) fn is_discarded() -> bool {
    let results = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let results = results.and_then(|results| results.metadata());
    let null = std::fs::metadata("/dev/null");
    results.is_ok_and(|results| {
        results.file_type().is_char_device() && null.is_ok_and(|null| null.rdev() == results.rdev())
    })
}

pub(super) fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|there| there.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
pub(super) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}
