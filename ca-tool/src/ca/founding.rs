//! Makes a CA: its folder is complete, or it is not there.

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

use super::Ca;
use super::place::{check_empty, drafted_in, publish};
use crate::disk::draft::Draft;
use crate::disk::files;
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::ledger::index::Index;
use crate::ledger::revoked::GivenList;
use crate::notice::{Listener, Silent};
use crate::os::Access;
use crate::sign::host::{Host, Reach};
use crate::sign::issuer::Issuer;

/// A new CA.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Its name, which is the room's: 1 to 64 characters.
    pub name: String,
    /// The names and addresses of the server, the best first. `localhost` and this machine's own names
    /// are added.
    pub hosts: Vec<Host>,
    /// The server's port, for people's bundles.
    pub port: u16,
    /// The passphrase for the CA's key; without one the key is stored unencrypted.
    pub passphrase: Option<Passphrase>,
}

/// The contents of a CA's folder beside the CA.
#[derive(Debug, Clone, Copy)]
pub(super) struct Founding<'a> {
    pub(super) hosts: &'a [Host],
    pub(super) port: u16,
    pub(super) passphrase: Option<&'a Passphrase>,
}

/// A CA's name, in characters (X.520, ub-common-name).
const NAME_CHARS_MAX: usize = 64;

impl InitOptions {
    /// Returns the options for a CA of this name, for a server on this machine.
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
    /// Makes a CA in a folder that is empty or does not exist, with an empty revocation list and a
    /// bundle for a server.
    ///
    /// # Errors
    ///
    /// When the folder is not empty, the name cannot be used, or a file cannot be written. Then the
    /// folder is unchanged.
    pub fn init(path: &Path, options: &InitOptions) -> Result<Self, Error> {
        Self::init_heard(path, options, Arc::new(Silent))
    }

    /// The same, with a listener.
    pub(crate) fn init_heard(
        path: &Path,
        options: &InitOptions,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, Error> {
        Self::init_at(path, options, listener, OffsetDateTime::now_utc())
    }

    /// Checks that [`Ca::init`] could make this CA, before anybody is asked for a passphrase.
    pub(crate) fn may_init(path: &Path, name: &str) -> Result<(), Error> {
        check_name(name)?;
        check_empty(path)
    }

    pub(super) fn init_at(
        path: &Path,
        options: &InitOptions,
        listener: Arc<dyn Listener>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        check_name(&options.name)?;
        let founding = Founding {
            hosts: &options.hosts,
            port: options.port,
            passphrase: options.passphrase.as_ref(),
        };
        Self::found(path, &founding, listener, now, || {
            Ok((Issuer::create(&options.name, now)?, GivenList::default()))
        })
    }

    /// Makes the folder of a CA. `issuer` makes the CA itself, once the folder can be made, and returns
    /// the CA's revocations so far.
    pub(super) fn found(
        path: &Path,
        founding: &Founding<'_>,
        listener: Arc<dyn Listener>,
        now: OffsetDateTime,
        issuer: impl FnOnce() -> Result<(Issuer, GivenList), Error>,
    ) -> Result<Self, Error> {
        check_empty(path)?;
        // Everything is made in a draft, so an interrupted run leaves no half CA.
        let draft = Draft::begin(drafted_in(path), &*listener)?;
        let (issuer, revoked) = issuer()?;
        let key = issuer.key_text(founding.passphrase)?;
        let ca = Self::of(Folder::new(draft.folder()), issuer)?;
        let folder = ca.folder();
        for place in [folder.private(), folder.certificates(), folder.people()] {
            files::create_folder(&place)?;
        }
        files::write_new(&folder.key(), key.as_bytes(), Access::Private)?;
        files::write_new(
            &folder.certificate(),
            ca.issuer.pem().as_bytes(),
            Access::Public,
        )?;
        let mut hosts = founding.hosts.to_vec();
        hosts.extend(Host::of_this_machine());
        let hosts = Host::each_once(hosts);
        let server = Reach {
            host: hosts[0].clone(),
            port: founding.port,
        };
        let settings = format!("server = {server}\n");
        files::write_new(&folder.settings(), settings.as_bytes(), Access::Public)?;
        let mut index = Index::default();
        ca.learn(&mut index, &revoked.entries)?;
        ca.raise_list_number(revoked.number)?;
        ca.sign_list(&index, now)?;
        ca.deliver_server(&mut index, &hosts, folder.server(), now)?;
        publish(draft, path)?;
        Ok(Self::of(Folder::new(path), ca.issuer)?.heard_by(listener))
    }
}

/// Checks a CA's name. It has to fit on one line in bundles, in the greeting and in terminals.
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
