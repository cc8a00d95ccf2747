//! What went wrong in TLS, in our words. The library's names are for programmers: nobody who runs a
//! room knows what `SupportedVersionsExtensionRequired` asks of them.
//!
//! Each sentence is about the other end, so it can stand in a log line or behind "because". The
//! technical name follows in parentheses where it helps to search for it.

use std::fmt;

use rustls::{
    AlertDescription as Alert, CertificateError as Judged, Error, InconsistentKeys,
    PeerIncompatible as Incompatible,
};

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client, seen by a server.
    Client,
    /// A server, seen by a client.
    Server,
}

impl Peer {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// Returns an error of the operating system without its number, such as ` (os error 111)`.
pub fn without_number(words: &str) -> &str {
    match words.rsplit_once(" (os error ") {
        Some((before, number))
            if number
                .strip_suffix(')')
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            before
        }
        _ => words,
    }
}

/// Returns an error of TLS as a sentence about the other end.
pub fn tls_words(error: &Error, peer: Peer) -> String {
    match error {
        Error::AlertReceived(alert) => alert_words(*alert, peer),
        Error::PeerIncompatible(why) => incompatible_words(why, peer),
        // The gate has words of its own for the rest of a client's certificate.
        Error::InvalidCertificate(Judged::BadSignature) if peer == Peer::Client => {
            "the client did not prove that it has the private key of its certificate".to_owned()
        }
        Error::InvalidCertificate(judged) => {
            format!("the certificate of the {peer} {}", judged_words(judged))
        }
        Error::NoCertificatesPresented => format!("the {peer} presented no certificate"),
        Error::PeerMisbehaved(how) => {
            format!("the {peer} sent something that TLS does not allow there ({how:?})")
        }
        Error::InvalidMessage(how) => {
            format!("the {peer} sent something that is not TLS, or is damaged ({how:?})")
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            format!("the {peer} sent a TLS message at the wrong time")
        }
        Error::InvalidEncryptedClientHello(how) => {
            format!("the {peer} sent an encrypted greeting that cannot be read ({how:?})")
        }
        Error::UnsupportedNameType => {
            format!("the {peer} named the server in a way that TLS does not know")
        }
        Error::DecryptError => format!(
            "what the {peer} sent cannot be decrypted: it was changed on the way, or the {peer} is broken (decrypt error)"
        ),
        Error::PeerSentOversizedRecord => {
            format!("the {peer} sent a TLS record that is too large")
        }
        Error::NoApplicationProtocol => format!(
            "the {peer} speaks other protocols over TLS, but not {} (ALPN)",
            String::from_utf8_lossy(wire::ALPN)
        ),
        Error::HandshakeNotComplete => "the TLS handshake was not complete".to_owned(),
        Error::EncryptError => "encrypting failed on this machine".to_owned(),
        Error::FailedToGetCurrentTime => "this machine's clock cannot be read".to_owned(),
        Error::FailedToGetRandomBytes => {
            "this machine gave no random numbers, and TLS needs them".to_owned()
        }
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "our private key does not belong to our certificate".to_owned()
        }
        Error::InconsistentKeys(_) => {
            "nothing shows that our private key belongs to our certificate".to_owned()
        }
        Error::InvalidCertRevocationList(_) => "a revocation list cannot be used".to_owned(),
        Error::BadMaxFragmentSize => "the size of TLS records is set wrongly".to_owned(),
        Error::General(words) => wire::excerpt(words, WORDS_CHARS_SHOWN),
        Error::Other(error) => wire::excerpt(&error.to_string(), WORDS_CHARS_SHOWN),
        other => wire::excerpt(&format!("TLS failed ({other:?})"), WORDS_CHARS_SHOWN),
    }
}

const WORDS_CHARS_SHOWN: usize = 160;

/// Returns an alert in words (RFC 8446, section 6.2): `peer` sent it.
pub fn alert_words(alert: Alert, peer: Peer) -> String {
    let ours = format!("the {}'s certificate", peer.other());
    let us = peer.other();
    let said = match alert {
        Alert::CloseNotify => return format!("the {peer} closed the connection"),
        Alert::UserCanceled => return format!("the {peer} gave up the handshake (user_canceled)"),
        Alert::UnknownCA => format!("does not trust the CA that issued {ours}"),
        Alert::BadCertificate => {
            format!("cannot use {ours}: it is damaged or its signature is wrong")
        }
        Alert::UnsupportedCertificate => {
            format!("says that {ours} is of a kind that it does not take")
        }
        Alert::CertificateRevoked => format!("says that {ours} was revoked"),
        Alert::CertificateExpired => {
            format!("says that {ours} has expired or is not valid yet; is a clock wrong?")
        }
        Alert::CertificateUnknown => format!(
            "does not accept {ours}, for example because it is not for the name that the {peer} asked for"
        ),
        Alert::CertificateRequired => format!("wants a certificate, and the {us} presented none"),
        Alert::NoCertificate => format!("has no certificate for the {us}"),
        Alert::AccessDenied => format!("took {ours}, but does not admit the {us}"),
        Alert::DecryptError => format!(
            "could not verify a signature of the {us}: {ours} is from another CA of the same name, or does not belong to its key"
        ),
        Alert::ProtocolVersion => "does not speak TLS 1.3".to_owned(),
        Alert::NoApplicationProtocol => {
            "knows none of the protocols that were offered (ALPN)".to_owned()
        }
        Alert::UnrecognisedName => format!("does not know the name by which the {us} called it"),
        Alert::HandshakeFailure => format!("and the {us} have no cipher or key exchange in common"),
        Alert::InsufficientSecurity => format!("wants stronger cryptography than the {us} offers"),
        Alert::MissingExtension => format!("misses an extension in what the {us} sent"),
        Alert::UnsupportedExtension => format!("does not expect an extension that the {us} sent"),
        Alert::IllegalParameter | Alert::DecodeError | Alert::UnexpectedMessage => {
            format!("does not understand what the {us} sent")
        }
        Alert::BadRecordMac | Alert::DecryptionFailed | Alert::RecordOverflow => format!(
            "cannot decrypt what the {us} sent: it was changed on the way, or one of the two is broken"
        ),
        Alert::InternalError => "had an internal error".to_owned(),
        Alert::InappropriateFallback => "suspects that somebody weakens the connection".to_owned(),
        Alert::UnknownPSKIdentity => "wants a key that was agreed on earlier".to_owned(),
        Alert::BadCertificateStatusResponse
        | Alert::BadCertificateHashValue
        | Alert::CertificateUnobtainable => {
            format!("cannot check whether {ours} is still good")
        }
        Alert::EncryptedClientHelloRequired => format!("wants an encrypted greeting from the {us}"),
        Alert::NoRenegotiation => "does not negotiate again".to_owned(),
        Alert::DecompressionFailure | Alert::ExportRestriction => {
            "speaks an outdated kind of TLS".to_owned()
        }
        _ => "ended the TLS handshake for an unknown reason".to_owned(),
    };
    format!("the {peer} {said} (alert {})", alert_name(alert))
}

/// Returns an alert's name as RFC 8446 writes it: `unknown_ca` for `UnknownCA`.
pub fn alert_name(alert: Alert) -> String {
    match alert {
        Alert::UnknownCA => "unknown_ca".to_owned(),
        Alert::UnknownPSKIdentity => "unknown_psk_identity".to_owned(),
        Alert::UnrecognisedName => "unrecognized_name".to_owned(),
        Alert::EncryptedClientHelloRequired => "ech_required".to_owned(),
        Alert::Unknown(number) => number.to_string(),
        other => {
            let mut name = String::new();
            for letter in format!("{other:?}").chars() {
                if letter.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(letter.to_ascii_lowercase());
            }
            name
        }
    }
}

/// Returns what the other end's TLS lacks.
fn incompatible_words(why: &Incompatible, peer: Peer) -> String {
    use Incompatible as I;
    let lacks = match why {
        I::SupportedVersionsExtensionRequired
        | I::Tls12NotOffered
        | I::Tls12NotOfferedOrEnabled
        | I::ServerTlsVersionIsDisabledByOurConfig
        | I::ServerDoesNotSupportTls12Or13
        | I::Tls13RequiredForQuic => "does not speak TLS 1.3",
        I::NoCipherSuitesInCommon => {
            "offers none of the ciphers of TLS 1.3 that are used here (AES-GCM, ChaCha20-Poly1305)"
        }
        I::NoKxGroupsInCommon | I::NamedGroupsExtensionRequired | I::KeyShareExtensionRequired => {
            "offers no key exchange that is used here (X25519MLKEM768, X25519, P-256, P-384)"
        }
        I::NoSignatureSchemesInCommon | I::SignatureAlgorithmsExtensionRequired => {
            "accepts none of the signatures that our key can make"
        }
        I::NoCertificateRequestSignatureSchemesInCommon => {
            "asks for a signature that our key cannot make"
        }
        I::NullCompressionRequired => "insists on compression, which TLS 1.3 does not have",
        I::EcPointsExtensionRequired
        | I::NoEcPointFormatsInCommon
        | I::UncompressedEcPointsRequired
        | I::ExtendedMasterSecretExtensionRequired => {
            "speaks an older TLS in a way that is not safe"
        }
        I::IncorrectCertificateTypeExtension | I::UnsolicitedCertificateTypeExtension => {
            "wants to prove itself with something other than a certificate of X.509"
        }
        I::ServerSentHelloRetryRequestWithUnknownExtension => {
            "answered with an extension that TLS 1.3 does not have there"
        }
        I::ServerRejectedEncryptedClientHello(_) => "does not take encrypted greetings",
        _ => "speaks a TLS that does not fit ours",
    };
    let name = match why {
        I::ServerRejectedEncryptedClientHello(_) => "ech".to_owned(),
        other => format!("{other:?}"),
    };
    format!("the {peer} {lacks} ({name})")
}

/// Returns why a certificate was refused, as the end of a sentence about it.
pub fn judged_words(judged: &Judged) -> String {
    let words = match judged {
        Judged::BadEncoding => "cannot be read",
        Judged::Expired | Judged::ExpiredContext { .. } => "has expired",
        Judged::NotValidYet | Judged::NotValidYetContext { .. } => "is not valid yet",
        Judged::Revoked => "was revoked",
        Judged::UnhandledCriticalExtension => {
            "has a critical extension that programs here do not understand"
        }
        Judged::UnknownIssuer => "was issued by another CA",
        Judged::UnknownRevocationStatus => "may have been revoked: no list says",
        Judged::ExpiredRevocationList | Judged::ExpiredRevocationListContext { .. } => {
            "cannot be checked: the revocation list is out of date"
        }
        Judged::BadSignature => {
            "has a wrong signature: it was changed, or signed by another CA of the same name"
        }
        #[allow(deprecated)]
        Judged::UnsupportedSignatureAlgorithm
        | Judged::UnsupportedSignatureAlgorithmContext { .. }
        | Judged::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed in a way that is not accepted here, such as with SHA-1"
        }
        Judged::NotValidForName | Judged::NotValidForNameContext { .. } => "is for another name",
        Judged::InvalidPurpose | Judged::InvalidPurposeContext { .. } => {
            "is for another purpose (extended key usage)"
        }
        Judged::InvalidOcspResponse => "came with a statement about revocation that cannot be read",
        Judged::ApplicationVerificationFailure => "is not acceptable here",
        Judged::Other(error) => return webpki_words(&error.to_string()),
        _ => "is not acceptable to the TLS library",
    };
    words.to_owned()
}

/// Returns the words for an error of webpki, which writes only its names.
fn webpki_words(name: &str) -> String {
    let words = match name {
        "CaUsedAsEndEntity" => "is a CA's own",
        "EndEntityUsedAsCa" => "was issued with a certificate that is not a CA's",
        "CertDistrusted" => "is distrusted",
        "EmptyEkuExtension" => "names no purpose, although it says that it does",
        "ExtensionValueInvalid" | "MalformedExtensions" => "has an extension that cannot be read",
        "InvalidSerialNumber" => "has a serial number that is not allowed",
        "NameConstraintViolation" => "has a name that its CA may not certify (nameConstraints)",
        "InvalidNetworkMaskConstraint" | "MalformedNameConstraint" => {
            "comes from a CA whose name constraints cannot be read"
        }
        "MalformedDnsIdentifier" | "UnsupportedNameType" => "has a name that cannot be read",
        "PathLenConstraintViolated" => {
            "comes from a CA below another one that may have none below it (pathlen)"
        }
        "SignatureAlgorithmMismatch" => "names two different ways in which it was signed",
        "UnsupportedCertVersion" => "is not of version 3 of X.509",
        "UnsupportedCriticalExtension" => {
            "has a critical extension that programs here do not understand"
        }
        "MaximumNameConstraintComparisonsExceeded"
        | "MaximumPathBuildCallsExceeded"
        | "MaximumPathDepthExceeded"
        | "MaximumSignatureChecksExceeded" => "would take too long to check",
        other => {
            return format!(
                "is built in a way that TLS does not accept ({})",
                wire::excerpt(other, 80)
            );
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn the_number_of_an_error_is_left_out() {
        let refused = std::io::Error::from_raw_os_error(2).to_string();
        assert!(refused.ends_with(" (os error 2)"), "{refused}");
        for (words, shown) in [
            (refused.as_str(), refused.trim_end_matches(" (os error 2)")),
            ("it is (os error x)", "it is (os error x)"),
            ("(os error 2) it is", "(os error 2) it is"),
            ("it is", "it is"),
        ] {
            assert_eq!(without_number(words), shown);
        }
    }

    #[test]
    fn every_alert_of_the_rfcs_has_its_sentence_and_its_own_name() {
        let mut known = 0;
        for number in 0..=255 {
            let alert = Alert::from(number);
            let words = alert_words(alert, Peer::Client);
            if matches!(alert, Alert::Unknown(_)) {
                assert!(words.contains("unknown reason"), "{words}");
                continue;
            }
            known += 1;
            assert!(!words.contains("unknown reason"), "{alert:?}: {words}");
            assert!(words.starts_with("the client "), "{words}");
            // Never a name in the form of a programming language.
            assert!(!words.contains(&format!("{alert:?}")), "{words}");
        }
        assert!(known >= 34, "{known}");
        assert_eq!(
            alert_words(Alert::UnknownCA, Peer::Client),
            "the client does not trust the CA that issued the server's certificate (alert unknown_ca)"
        );
        assert_eq!(
            alert_name(Alert::NoApplicationProtocol),
            "no_application_protocol"
        );
        assert_eq!(
            alert_name(Alert::CertificateRequired),
            "certificate_required"
        );
    }

    #[test]
    fn a_peer_that_is_too_old_or_too_poor_is_described_as_that() {
        use Incompatible as I;
        for (why, words) in [
            (
                I::SupportedVersionsExtensionRequired,
                "the client does not speak TLS 1.3",
            ),
            (I::Tls12NotOffered, "the client does not speak TLS 1.3"),
            (I::NoCipherSuitesInCommon, "none of the ciphers"),
            (I::NoKxGroupsInCommon, "no key exchange"),
            (I::NamedGroupsExtensionRequired, "no key exchange"),
            (I::KeyShareExtensionRequired, "no key exchange"),
            (I::NoSignatureSchemesInCommon, "none of the signatures"),
            (
                I::SignatureAlgorithmsExtensionRequired,
                "none of the signatures",
            ),
            (
                I::NoCertificateRequestSignatureSchemesInCommon,
                "a signature that our key cannot make",
            ),
            (I::NullCompressionRequired, "compression"),
            (I::EcPointsExtensionRequired, "older TLS"),
            (I::NoEcPointFormatsInCommon, "older TLS"),
            (I::UncompressedEcPointsRequired, "older TLS"),
            (I::ExtendedMasterSecretExtensionRequired, "older TLS"),
            (I::IncorrectCertificateTypeExtension, "X.509"),
            (I::UnsolicitedCertificateTypeExtension, "X.509"),
            (
                I::ServerSentHelloRetryRequestWithUnknownExtension,
                "extension",
            ),
            (
                I::ServerRejectedEncryptedClientHello(None),
                "encrypted greetings",
            ),
            (I::ServerDoesNotSupportTls12Or13, "TLS 1.3"),
            (I::ServerTlsVersionIsDisabledByOurConfig, "TLS 1.3"),
            (I::Tls12NotOfferedOrEnabled, "TLS 1.3"),
            (I::Tls13RequiredForQuic, "TLS 1.3"),
        ] {
            let said = tls_words(&Error::PeerIncompatible(why), Peer::Client);
            assert!(
                said.contains(words) && !said.contains("does not fit ours"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_certificate_that_was_refused_is_described_without_the_librarys_names() {
        #[derive(Debug)]
        struct Named(&'static str);
        impl fmt::Display for Named {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        impl std::error::Error for Named {}
        for (name, words) in [
            (
                "UnsupportedCriticalExtension",
                "has a critical extension that programs here do not understand",
            ),
            ("CaUsedAsEndEntity", "is a CA's own"),
            ("PathLenConstraintViolated", "(pathlen)"),
            (
                "Something\u{1b}New",
                r"is built in a way that TLS does not accept (Something\u{1b}New)",
            ),
        ] {
            let judged = Judged::Other(OtherError(Arc::new(Named(name))));
            let said = tls_words(&Error::InvalidCertificate(judged), Peer::Server);
            assert!(
                said.starts_with("the certificate of the server ") && said.ends_with(words),
                "{said}"
            );
        }
        for judged in [
            Judged::BadEncoding,
            Judged::Expired,
            Judged::NotValidYet,
            Judged::Revoked,
            Judged::UnhandledCriticalExtension,
            Judged::UnknownIssuer,
            Judged::UnknownRevocationStatus,
            Judged::ExpiredRevocationList,
            Judged::BadSignature,
            Judged::NotValidForName,
            Judged::InvalidPurpose,
            Judged::InvalidOcspResponse,
            Judged::ApplicationVerificationFailure,
        ] {
            let words = judged_words(&judged);
            assert!(!words.contains(&format!("{judged:?}")), "{words}");
            assert_ne!(words, "is not acceptable to the TLS library");
        }
    }
}
