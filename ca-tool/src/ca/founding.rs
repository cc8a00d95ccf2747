//! Makes a CA: a folder that is whole or not there.

use std::path::Path;

use time::OffsetDateTime;

use super::Ca;
use super::draft::{Draft, above, check_empty};
use super::issuance::deduplicate;
use crate::disk::folder::{self, Folder};
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::ledger::index::Index;
use crate::ledger::revoked::GivenList;
use crate::os::Access;
use crate::sign::host::{Host, Reach};
use crate::sign::issuer::Issuer;

/// What a new CA is to be.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Its name, which is the room's: 1 to 64 characters.
    pub name: String,
    /// Where the server can be reached, the best first. `localhost` and what this machine is
    /// called come after these.
    pub hosts: Vec<Host>,
    /// The server's port, for people's bundles.
    pub port: u16,
    /// What the CA's key is encrypted with; without one it is stored as it is.
    pub passphrase: Option<Passphrase>,
}

/// What a CA's folder needs beside the CA.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) hosts: &'a [Host],
    pub(super) port: u16,
    pub(super) passphrase: Option<&'a Passphrase>,
}

/// The characters of a CA's name (X.520, ub-common-name).
const NAME_CHARS_MAX: usize = 64;

impl InitOptions {
    /// A CA of this name, for a server on this machine.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hosts: Vec::new(),
            port: wire::PORT,
            passphrase: None,
        }
    }
}

impl Ca {
    /// Makes a CA in a folder that is not there or empty, with an empty revocation list and a
    /// bundle for a server.
    ///
    /// # Errors
    ///
    /// When the folder holds something, the name is not good, or a file cannot be written. Then
    /// the folder is as it was.
    pub fn init(path: &Path, options: &InitOptions) -> Result<Self, Error> {
        Self::init_at(path, options, OffsetDateTime::now_utc())
    }

    /// Whether [`Ca::init`] could make this CA, before anybody is asked for a passphrase.
    pub(crate) fn may_init(path: &Path, name: &str) -> Result<(), Error> {
        check_name(name)?;
        check_empty(path)
    }

    pub(super) fn init_at(
        path: &Path,
        options: &InitOptions,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        check_name(&options.name)?;
        let found = Found {
            hosts: &options.hosts,
            port: options.port,
            passphrase: options.passphrase.as_ref(),
        };
        Self::found(path, &found, now, || {
            Ok((Issuer::create(&options.name, now)?, GivenList::default()))
        })
    }

    /// Makes the folder of a CA, and the CA itself only when the folder can be. What it revoked
    /// before is taken over.
    pub(super) fn found(
        path: &Path,
        found: &Found<'_>,
        now: OffsetDateTime,
        issuer: impl FnOnce() -> Result<(Issuer, GivenList), Error>,
    ) -> Result<Self, Error> {
        check_empty(path)?;
        let above = above(path);
        folder::create_folder(above)?;
        folder::remove_drafts(above)?;
        // All of it is made beside its place, so that a run that is cut short leaves no half CA.
        let draft = Draft::new(above)?;
        let (issuer, revoked) = issuer()?;
        let key = issuer.key_text(found.passphrase)?;
        let ca = Self::of(Folder::new(&draft.folder), issuer)?;
        let folder = &ca.folder;
        for place in [folder.private(), folder.certificates(), folder.people()] {
            folder::create_folder(&place)?;
        }
        folder::write_new(&folder.key(), key.as_bytes(), Access::Private)?;
        folder::write_new(
            &folder.certificate(),
            ca.issuer.pem().as_bytes(),
            Access::Public,
        )?;
        let hosts = server_hosts(found.hosts);
        let server = Reach {
            host: hosts[0].clone(),
            port: found.port,
        };
        let settings = format!("server = {server}\n");
        folder::write_new(&folder.settings(), settings.as_bytes(), Access::Public)?;
        let mut index = Index::default();
        ca.learn(&mut index, &revoked.entries)?;
        ca.raise_list_number(revoked.number)?;
        ca.sign_list(&index, now)?;
        ca.deliver_server(&mut index, &hosts, folder.server(), now)?;
        draft.publish(path)?;
        Self::of(Folder::new(path), ca.issuer)
    }
}

/// A name stands on one line in bundles, in the greeting and in people's terminals.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_good = name.chars().count() <= NAME_CHARS_MAX
        && name.trim() == name
        && !name.contains(char::is_control)
        && wire::Line::parse(name.as_bytes()).is_ok();
    if is_good {
        Ok(())
    } else {
        Err(Error::Name(name.to_owned()))
    }
}

/// What was said first, then what this machine is called.
fn server_hosts(said: &[Host]) -> Vec<Host> {
    let mut hosts = said.to_vec();
    hosts.extend(Host::of_this_machine());
    deduplicate(hosts)
}
