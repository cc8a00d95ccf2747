//! A CA whose key signs anything, for the tests of the gate: [`Mint`] holds the folder and the key.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use ca_tool::Ca;
pub(crate) use kit::mint::raw::*;
use rcgen::{Issuer, KeyPair, PublicKeyData as _};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tests::Site;

/// A CA's folder, and its key, with which the test signs anything.
pub(crate) struct Mint {
    pub(crate) site: Site,
    pub(crate) anchor: CertificateDer<'static>,
    /// The key of every certificate of this mint, unless a test says otherwise.
    pub(crate) key: KeyPair,
    /// The CA's own key.
    ca: Issuer<'static, KeyPair>,
    /// The CA's name, in DER.
    issuer: Vec<u8>,
}

impl Mint {
    pub(crate) fn new() -> Self {
        let site = Site::new("Networks 101");
        let anchor = site.ca().register().anchor().clone();
        let issuer = roots(&anchor).roots[0].subject.to_vec();
        Self {
            ca: kit::mint::issuer(site.ca().register().path()),
            issuer: der(SEQUENCE, &issuer),
            key: new_key(),
            site,
            anchor,
        }
    }

    /// Returns trust in this CA alone.
    pub(crate) fn roots(&self) -> RootCertStore {
        roots(&self.anchor)
    }

    /// Returns the content that an honest issuer would sign for this person.
    pub(crate) fn leaf(&self, id: &str) -> Leaf {
        self.leaf_of(common_name(id))
    }

    /// The same, for a person of any name.
    pub(crate) fn leaf_of(&self, subject: Vec<u8>) -> Leaf {
        Leaf {
            subject,
            issuer: self.issuer.clone(),
            key: self.key.subject_public_key_info(),
            valid: (-10, 10),
            usage: Some(DIGITAL_SIGNATURE),
            purposes: vec![&[CLIENT_AUTH]],
            is_ca: false,
            others: Vec::new(),
            is_version_3: true,
        }
    }

    /// Signs with the CA's key, and returns a chain of one.
    pub(crate) fn sign(&self, leaf: &Leaf) -> Vec<CertificateDer<'static>> {
        vec![sign(leaf, self.ca.key())]
    }

    /// Returns a good certificate for alice of exactly this many bytes.
    pub(crate) fn sized(&self, bytes: usize) -> Vec<CertificateDer<'static>> {
        let padded = |padding: usize| {
            let padding = extension(&[0x2a, 3, 4], false, &vec![0; padding]);
            self.sign(&Leaf {
                others: vec![padding],
                ..self.leaf("alice")
            })
        };
        let spare = padded(bytes)[0].len() - bytes;
        // A signature has 70 to 72 bytes, as it happens.
        let mut tries = std::iter::repeat_with(|| padded(bytes - spare)).take(1000);
        tries
            .find(|chain| chain[0].len() == bytes)
            .expect("one has that length")
    }

    /// Returns a good certificate for alice, and others that have nothing to do with it.
    pub(crate) fn beside(&self, others: usize) -> Vec<CertificateDer<'static>> {
        let mut chain = self.sign(&self.leaf("alice"));
        chain.extend((0..others).map(|_| self.anchor.clone()));
        chain
    }

    /// Returns a certificate for alice from one of many CAs that all have the same name.
    pub(crate) fn maze(&self, cas: usize) -> Vec<CertificateDer<'static>> {
        let of_maze = |leaf: Leaf| Leaf {
            issuer: common_name("Maze"),
            ..leaf
        };
        let nobody = new_key();
        let mut chain = vec![sign(&of_maze(self.leaf("alice")), &nobody)];
        chain.extend((0..cas).map(|_| {
            let key = new_key();
            let ca = Leaf {
                key: key.subject_public_key_info(),
                is_ca: true,
                usage: Some(SIGNS_CERTIFICATES),
                purposes: Vec::new(),
                ..self.leaf("Maze")
            };
            sign(&of_maze(ca), &key)
        }));
        chain
    }

    /// Returns a good certificate for alice with a change made to its bytes.
    pub(crate) fn altered(
        &self,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<CertificateDer<'static>> {
        let mut bytes = self.sign(&self.leaf("alice"))[0].to_vec();
        change(&mut bytes);
        vec![CertificateDer::from(bytes)]
    }
}

/// Signs an empty list that is valid between these days from now, newer than any before, and puts it
/// where the server reads it, as ca-tool does.
pub(crate) fn publish_list(ca: &Ca, from: i64, until: i64) {
    // As ca-tool counts.
    let number = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock")
        .as_millis();
    let number = u64::try_from(number).expect("not so late");
    let list = kit::mint::revocation_list(
        &kit::mint::issuer(ca.register().path()),
        number,
        (from, until),
        [],
    );
    replace(
        &ca.register().revocation_list(),
        list.pem().expect("PEM").as_bytes(),
    );
}

/// Puts a file in the place of another, as ca-tool does: nobody sees half of it.
pub(crate) fn replace(path: &Path, bytes: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).expect("written");
    fs::rename(&new, path).expect("renamed");
}

fn roots(anchor: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone()).expect("a trust anchor");
    roots
}
