//! The person's own file. Newcomers pass other files at first, so each mistake has its advice.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use pki::{Bundle, BundleError, Certificate};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::words::{Exit, Failure};

/// Reads the bundle.
///
/// # Errors
///
/// Says what the file is instead, and which one to use.
pub(crate) fn read(path: &Path) -> Result<Bundle, Failure> {
    Bundle::read(path).map_err(|error| explain(path, &error))
}

fn explain(path: &Path, error: &BundleError) -> Failure {
    let shown = path.display();
    let failure = |sentence: String| Failure::new(Exit::Other, sentence);
    if error.is_not_found() {
        return failure(format!("there is no file {shown}")).hint(
            "`ca-tool issue` writes a file for each person, for example ca/people/alice.pem; pass the path of yours",
        );
    }
    if path.is_dir() {
        let example = path.join("alice.pem");
        return failure(format!("{shown} is a folder")).hint(format!(
            "pass your file in it, for example --cert {}",
            example.display()
        ));
    }
    let bytes = match begin_of(path) {
        Ok(bytes) => bytes,
        Err(ErrorKind::PermissionDenied) => {
            return failure(format!("you may not read {shown}")).hint(
                "only its owner may read such a file; yours is the one that bears your name",
            );
        }
        Err(_) => Vec::new(),
    };
    if is_pkcs12(&bytes) {
        let pem = path.with_extension("pem");
        return failure(format!("{shown} is PKCS#12, which is for browsers"))
            .hint(format!("use the .pem file: --cert {}", pem.display()));
    }
    let failure = failure(error.to_string());
    if is_certificate_alone(&bytes) {
        let key = path.with_extension("key");
        return failure.hint(format!(
            "combine it with your key: `ca-tool adopt {shown} --key {}`",
            key.display()
        ));
    }
    Failure {
        hint: error.hint().map(str::to_owned),
        ..failure
    }
}

/// Returns as much of the file as such files have.
fn begin_of(path: &Path) -> Result<Vec<u8>, ErrorKind> {
    const BYTES_MAX: u64 = 65_536;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| error.kind())
}

/// Returns whether this is a PFX of RFC 7292: a SEQUENCE in DER or BER that begins with version 3.
fn is_pkcs12(bytes: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = bytes else {
        return false;
    };
    let length_bytes = usize::from(length & 0x7f);
    let content = match length {
        0..0x80 => Some(rest),
        _ => rest.get(length_bytes..),
    };
    content.is_some_and(|content| content.starts_with(&[0x02, 0x01, 0x03]))
}

/// Returns whether this is PEM that holds somebody's certificate, and no key.
fn is_certificate_alone(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b" PRIVATE KEY-----";
    let has_key = bytes.windows(KEY.len()).any(|window| window == KEY);
    let is_of_somebody = |der: CertificateDer<'_>| {
        Certificate::parse(&der).is_ok_and(|certificate| !certificate.is_ca)
    };
    let mut certificates = CertificateDer::pem_slice_iter(bytes);
    !has_key && certificates.any(|der| der.is_ok_and(is_of_somebody))
}
