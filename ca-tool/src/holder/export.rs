//! Writes a bundle as PKCS#12 (RFC 7292), for browsers and key chains.

use std::fs;
use std::path::{Path, PathBuf};

use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey,
    PrivateKeyChain,
};
use pki::{Bundle, Serial};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::disk::draft::Draft;
use crate::disk::files::{self, TEXT_BYTES_MAX};
use crate::disk::lock::lock_place;
use crate::error::Error;
use crate::keys::private_key;
use crate::keys::random::random;
use crate::notice::Listener;
use crate::os::Access;

/// How the file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Strength {
    /// PBES2 with AES-256, and HMAC-SHA256.
    #[default]
    Modern,
    /// Triple DES and HMAC-SHA1, for systems that accept nothing else: older Windows and macOS.
    Legacy,
}

/// A PKCS#12 file, just before it gets its name.
#[derive(Debug)]
pub(crate) struct Exported {
    /// Its path.
    pub path: PathBuf,
    /// The name in the certificate.
    pub name: String,
    /// The certificate's number.
    pub serial: Serial,
    /// The last moment of the certificate.
    pub until: OffsetDateTime,
    /// The password that opens it. It is not stored.
    pub password: Zeroizing<String>,
}

/// Writes a bundle's certificates and key as `NAME.p12`, in `out` or in the bundle's folder. The password
/// is random. The file gets its name only after `show` has shown the password, so there is never a
/// file that nobody can open.
///
/// # Errors
///
/// When the bundle cannot be read, the file exists or cannot be written, or `show` fails. Then no file
/// is left.
pub(crate) fn export(
    bundle: &Path,
    strength: Strength,
    out: Option<&Path>,
    listener: &dyn Listener,
    show: impl FnOnce(&Exported) -> Result<(), Error>,
) -> Result<(), Error> {
    let bytes = files::read_if_there(bundle, TEXT_BYTES_MAX)?
        .ok_or_else(|| Error::NoBundle(bundle.to_owned()))?;
    let bytes = Zeroizing::new(bytes);
    let read = Bundle::parse(&bytes, bundle).map_err(Error::Bundle)?;
    let key = private_key::read(&bytes, bundle, || Err(Error::NoPassphrase))?;
    let failed = |error: p12_keystore::error::Error| Error::Export(error.to_string());
    let key = PrivateKey::from_der(private_key::to_pkcs8(&key)?.as_bytes()).map_err(failed)?;
    let certificate = |der: &[u8]| Certificate::from_der(der).map_err(failed);
    let chain = PrivateKeyChain::new(
        &Sha256::digest(read.leaf())[..20],
        key,
        [certificate(read.leaf())?, certificate(read.anchor())?],
    );
    let said = read.certificate();
    let name = said.subject.to_string();
    let mut store = KeyStore::new();
    store.add_entry(&name, KeyStoreEntry::PrivateKeyChain(chain));
    let password = new_password()?;
    let writer = store.writer(&password);
    let bytes = match strength {
        Strength::Modern => writer.encryption_iterations(ROUNDS).mac_iterations(ROUNDS),
        Strength::Legacy => writer
            .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
            .mac_algorithm(MacAlgorithm::HmacSha1),
    }
    .write()
    .map_err(failed)?;

    // A name may contain a dot, so this does not replace an extension.
    let mut file_name = bundle.file_stem().unwrap_or_default().to_owned();
    file_name.push(".p12");
    let out = out.unwrap_or_else(|| files::parent(bundle));
    let path = out.join(&file_name);
    let draft = Draft::begin(out, listener)?;
    // Whoever sees the password will have the file: no other run takes its name meanwhile.
    let _lock = lock_place(out, listener)?;
    if fs::symlink_metadata(&path).is_ok() {
        return Err(Error::Exists(path));
    }
    draft.write(&file_name, &bytes, Access::Private)?;
    show(&Exported {
        path,
        name,
        serial: said.serial.clone(),
        until: said.not_after.into(),
        password,
    })?;
    draft.publish(&file_name)?;
    Ok(())
}

/// Rounds of key derivation. The password cannot be guessed, so guessing need not be slow.
const ROUNDS: u32 = 10_000;
/// Letters and digits that nobody confuses. There are 32, so each is 5 bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Returns 100 random bits in five groups, easy to type and to read aloud.
fn new_password() -> Result<Zeroizing<String>, Error> {
    let random = Zeroizing::new(random::<20>()?);
    let mut password = Zeroizing::new(String::with_capacity(24));
    for (index, byte) in random.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_password_has_a_hundred_bits_and_is_never_the_same() {
        let mut seen = HashSet::new();
        let mut letters = HashSet::new();
        for _ in 0..100 {
            let password = new_password().expect("random bytes").to_string();
            assert_eq!(password.len(), 24);
            let groups: Vec<_> = password.split('-').collect();
            assert!(groups.len() == 5 && groups.iter().all(|group| group.len() == 4));
            letters.extend(password.bytes().filter(|byte| *byte != b'-'));
            assert!(seen.insert(password));
        }
        assert_eq!(letters, ALPHABET.iter().copied().collect());
    }
}
