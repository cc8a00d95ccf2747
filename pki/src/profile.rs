//! The required contents of each kind of certificate, written once: ca-tool follows them, the gate
//! demands them.

use std::time::Duration;

use x509_parser::certificate::X509Certificate;

/// How far notBefore is in the past, for clocks that are a little slow.
pub const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// The purpose of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Proves a server's identity to its clients (EKU serverAuth).
    Server,
    /// Proves a person's identity to a server (EKU clientAuth).
    Client,
}

/// The required contents of one kind of certificate (RFC 5280, section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Whether it is a CA without a CA below it (pathLen 0), which signs certificates and
    /// revocation lists; if not, it is a leaf, which only signs handshakes (keyUsage
    /// digitalSignature).
    pub is_ca: bool,
    /// The one extended key usage; a CA has none.
    pub purpose: Option<Purpose>,
    /// The default validity in days.
    pub days: u32,
}

/// The trust anchor.
pub const CA: Profile = Profile {
    is_ca: true,
    purpose: None,
    days: 3650,
};

/// A room.
pub const SERVER: Profile = Profile {
    is_ca: false,
    purpose: Some(Purpose::Server),
    days: 397,
};

/// A person.
pub const CLIENT: Profile = Profile {
    is_ca: false,
    purpose: Some(Purpose::Client),
    days: 180,
};

/// The part of a certificate that violates its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// An extension cannot be read, or occurs twice.
    #[error("its extensions cannot be read")]
    Unreadable,
    /// It is a CA where a leaf is required, or the reverse.
    #[error("it is a CA certificate where a person's or a server's is needed, or the reverse")]
    BasicConstraints,
    /// keyUsage is missing or lacks what the profile needs.
    #[error("its key usage does not allow this use")]
    KeyUsage,
    /// The extended key usage is missing or lacks what the profile needs.
    #[error("its extended key usage does not name this purpose")]
    Purpose,
}

impl Profile {
    /// Checks that a certificate may be used as this profile says. It may allow more.
    ///
    /// # Errors
    ///
    /// The extension that is missing or wrong.
    pub fn check(&self, certificate: &X509Certificate<'_>) -> Result<(), ProfileError> {
        let unreadable = |_| ProfileError::Unreadable;
        let constraints = certificate.basic_constraints().map_err(unreadable)?;
        if constraints.is_some_and(|c| c.value.ca) != self.is_ca {
            return Err(ProfileError::BasicConstraints);
        }
        // webpki accepts a certificate without a key usage; we do not.
        let usage = certificate
            .key_usage()
            .map_err(unreadable)?
            .ok_or(ProfileError::KeyUsage)?;
        let allowed = if self.is_ca {
            usage.value.key_cert_sign() && usage.value.crl_sign()
        } else {
            usage.value.digital_signature()
        };
        if !allowed {
            return Err(ProfileError::KeyUsage);
        }
        let Some(purpose) = self.purpose else {
            return Ok(());
        };
        // No extended key usage means "any" in RFC 5280, but is refused here.
        let extended = certificate.extended_key_usage().map_err(unreadable)?;
        let named = extended.is_some_and(|e| match purpose {
            Purpose::Server => e.value.server_auth,
            Purpose::Client => e.value.client_auth,
        });
        if named {
            Ok(())
        } else {
            Err(ProfileError::Purpose)
        }
    }
}
