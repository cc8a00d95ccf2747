//! The file that a person gets: a bundle, a zip with the bundle in it, or certificates alone.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::mem::take;
use std::path::Path;

use pki::limits::BUNDLE_BYTES_MAX;
use pki::pem::{Kind, Pem};
use pki::{Bundle, Serial};
use zeroize::Zeroizing;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::handout::{Handout, PAGE_NAME};

/// The kinds of file for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parcel {
    /// The bundle as it is.
    #[default]
    Bundle,
    /// A zip with the bundle and a page that explains it, for a learning platform to hand out.
    Zip,
    /// Certificates alone: the person already has the key.
    Answer,
}

impl Parcel {
    /// Returns the name of a person's file.
    pub(crate) fn file_name(self, id: &str) -> String {
        match self {
            Parcel::Bundle => format!("{id}.pem"),
            Parcel::Zip => format!("{id}.zip"),
            Parcel::Answer => format!("{id}.crt"),
        }
    }

    /// Returns the other kinds.
    pub(crate) fn others(self) -> impl Iterator<Item = Self> {
        let all = [Parcel::Bundle, Parcel::Zip, Parcel::Answer];
        all.into_iter().filter(move |other| *other != self)
    }

    /// Returns the bytes of a person's file.
    pub(crate) fn pack(
        self,
        handout: &Handout<'_>,
        bundle: Zeroizing<String>,
    ) -> Zeroizing<Vec<u8>> {
        match self {
            Parcel::Bundle | Parcel::Answer => into_bytes(bundle),
            Parcel::Zip => zip_of(&[
                (&format!("{}.pem", handout.id), &bundle),
                (PAGE_NAME, &handout.page()),
            ])
            .expect("a zip of two short texts fits into memory"),
        }
    }
}

/// Turns a text into bytes without copying it.
pub(crate) fn into_bytes(mut text: Zeroizing<String>) -> Zeroizing<Vec<u8>> {
    take(&mut *text).into_bytes().into()
}

fn zip_of(files: &[(&str, &str)]) -> zip::result::ZipResult<Zeroizing<Vec<u8>>> {
    let bytes = files.iter().map(|(name, text)| name.len() + text.len());
    // Allocated for the whole zip: growing would leave a copy of the key behind.
    let buffer = Vec::with_capacity(bytes.sum::<usize>() + ZIP_OVERHEAD_BYTES);
    let mut zip = ZipWriter::new(Cursor::new(buffer));
    // Keys do not compress.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(0o600);
    for (name, text) in files {
        zip.start_file(*name, options)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner().into())
}

/// More than a zip of two files adds to them.
const ZIP_OVERHEAD_BYTES: usize = 1024;

/// Returns the number of the certificate in a person's file, of any kind.
pub(crate) fn serial_in(path: &Path) -> Option<Serial> {
    if let Ok(bundle) = Bundle::read(path) {
        return Some(bundle.certificate().serial);
    }
    if path.extension().is_some_and(|extension| extension == "crt") {
        return serial_in_answer(path);
    }
    let mut zip = ZipArchive::new(fs::File::open(path).ok()?).ok()?;
    let name = format!("{}.pem", path.file_stem()?.to_str()?);
    let mut bytes = Vec::new();
    let file = zip.by_name(&name).ok()?;
    file.take(BUNDLE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(Bundle::parse(&bytes, path).ok()?.certificate().serial)
}

fn serial_in_answer(path: &Path) -> Option<Serial> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(BUNDLE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let pem = Pem::parse(&bytes).ok()?;
    let certificates = pem.of(Kind::Certificate);
    let mut said = certificates.filter_map(|section| pki::Certificate::parse(&section.der).ok());
    Some(said.find(|said| !said.is_ca)?.serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_that_is_no_zip_has_no_serial() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("alice.zip");
        for bytes in [&b""[..], b"PK\x03\x04", b"PK\x05\x06\0\0\0\0\0\0\0\0"] {
            fs::write(&path, bytes).expect("written");
            assert_eq!(serial_in(&path), None);
        }
    }
}
