//! What other programs refuse in a CA's certificate although servers and clients here take it. A class
//! has people with clients of their own, so whoever adopts a CA is told before anybody is refused.
//!
//! The rules are those of RFC 5280 that `openssl verify -x509_strict` checks, which Python does by default
//! since 3.13. A CA that ca-tool made keeps all of them.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

/// Programs that refuse everybody's certificate because of the CA's.
pub(crate) const STRICT_PROGRAMS: &str = "programs that check strictly refuse everybody, such as Python from 3.13 on and `openssl verify -x509_strict`";

/// The strict check, switched off in a Python client.
pub(crate) const LESS_STRICT: &str = "`context.verify_flags &= ~ssl.VERIFY_X509_STRICT` in Python";

/// Returns what strict programs refuse in a CA's certificate, each as the end of a sentence about it.
pub(crate) fn shortcomings(der: &[u8]) -> Vec<&'static str> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut check = |is_good: bool, what: &'static str| {
        if !is_good {
            found.push(what);
        }
    };
    let mut has_key_id = false;
    let mut has_key_usage = false;
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(_) => {
                check(extension.critical, "its basicConstraints are not critical");
            }
            ParsedExtension::SubjectKeyIdentifier(_) => {
                has_key_id = true;
                check(!extension.critical, "its subjectKeyIdentifier is critical");
            }
            ParsedExtension::AuthorityKeyIdentifier(_) => {
                check(
                    !extension.critical,
                    "its authorityKeyIdentifier is critical",
                );
            }
            ParsedExtension::KeyUsage(_) => has_key_usage = true,
            ParsedExtension::SubjectAlternativeName(names) => {
                check(
                    !names.general_names.is_empty(),
                    "its subjectAltName is there and empty",
                );
            }
            _ => {}
        }
    }
    check(has_key_id, "it has no subjectKeyIdentifier");
    check(has_key_usage, "it has no keyUsage");
    check(
        certificate.subject().iter_attributes().next().is_some(),
        "its subject is empty",
    );
    check(
        certificate.signature_algorithm == certificate.tbs_certificate.signature,
        "it names two different ways in which it was signed",
    );
    // Go refuses a negative number too.
    let number = certificate.raw_serial();
    check(
        number.first().is_some_and(|byte| byte & 0x80 == 0),
        "its serial number is negative",
    );
    found
}
