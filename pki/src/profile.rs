//! What a certificate must contain, written once: ca-tool obeys it, the gate demands it.

use std::time::Duration;

use x509_parser::certificate::X509Certificate;

/// How far notBefore lies in the past, for clocks that are a little slow.
pub const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Proves a server to its clients (EKU serverAuth).
    Server,
    /// Proves a person to a server (EKU clientAuth).
    Client,
}

/// What one kind of certificate must contain (RFC 5280, section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// A CA with no CA below it (pathLen 0), which signs certificates and revocation lists; if
    /// not, a leaf which signs handshakes only (keyUsage digitalSignature).
    pub is_ca: bool,
    /// The one extended key usage; a CA has none.
    pub purpose: Option<Purpose>,
    /// How long it is valid unless told otherwise, in days.
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

/// Where a certificate departs from its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// An extension that cannot be read, or stands there twice.
    #[error("its extensions cannot be read")]
    Unreadable,
    /// A CA where a leaf should be, or the other way round.
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
    /// Whether a certificate may serve as this profile says. It may allow more.
    ///
    /// # Errors
    ///
    /// Names the extension that is missing or wrong.
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
        // No extended key usage means "any" to RFC 5280, and nothing to us.
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
