//! The failures of this program, and their consequences: the exit code, and whether a later try may
//! succeed.
// No sentences here: `explain` writes them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use pki::Certificate;
use rustls::AlertDescription as Alert;
use wire::{ByeReason, Code, Reason, Refusal};

use super::clock::Clock;
use crate::limits::SERVERS_WAIT_MAX;
use crate::settings::Target;

/// How the program ends, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done as asked.
    Done = 0,
    /// Something else; also when a line was refused.
    Other = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// The server cannot be reached, or the connection was lost.
    Network = 4,
    /// The machine that answers is not the server that was asked for.
    Untrusted = 5,
    /// The server ended the session: replaced, shutting down and the like.
    Ended = 6,
    /// The server wants a certificate and got none.
    CertificateRequired = 60,
    /// The certificate is good, but the server does not admit its holder.
    NotAdmitted = 61,
    /// The certificate is expired, not valid yet, revoked or of another CA.
    CertificateInvalid = 62,
}

impl Exit {
    /// Returns the number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A failure, explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The problem, and where it is.
    pub sentence: String,
    /// The problem in few words, for a place that already says that the connection was lost.
    pub in_short: Option<String>,
    /// The advice.
    pub hint: Option<String>,
    /// The cause; `None` if nothing was tried, because the arguments or the files are no good.
    // Boxed, so that a result with a failure stays small.
    pub cause: Option<Box<Cause>>,
}

impl Failure {
    /// Creates a failure without a hint and without a cause.
    pub(crate) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self {
            exit,
            sentence: sentence.into(),
            in_short: None,
            hint: None,
            cause: None,
        }
    }

    /// Returns the same failure with a hint.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Returns the problem in as few words as there are.
    pub fn in_short(&self) -> &str {
        self.in_short.as_deref().unwrap_or(&self.sentence)
    }

    /// Returns the alert with which the server ended TLS, if it did.
    pub(crate) fn alert(&self) -> Option<rustls::AlertDescription> {
        match self.cause.as_deref()? {
            Cause::Tls(rustls::Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }

    /// Returns whether a later try may succeed.
    pub fn may_pass(&self) -> bool {
        self.cause.as_deref().is_some_and(Cause::may_pass)
    }

    /// Returns whether the obstacle may be our own last session, whose connection was lost.
    pub(crate) fn may_be_ours(&self) -> bool {
        self.cause.as_deref().is_some_and(Cause::may_be_ours)
    }

    /// Returns how long the server asks us to wait before the next try, if it says so.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.cause.as_deref().and_then(Cause::wait)
    }

    /// Returns whether the server may only have lacked room for one more connection.
    pub(crate) fn may_be_crowded(&self) -> bool {
        self.cause.as_deref() == Some(&Cause::ClosedUnheard)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

/// The circumstances of a failure: which certificate was used, and which server.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The server.
    pub target: Target,
    /// The person's own certificate.
    pub own: Certificate,
    /// The trust anchor's name.
    pub anchor: String,
    /// The trust anchor's fingerprint, for when another CA has the same name.
    pub anchor_print: String,
    /// How times are shown.
    pub clock: Clock,
}

#[cfg(test)]
impl Scene {
    /// Returns a scene for tests.
    pub(crate) fn example() -> Self {
        let name = pki::Name::default();
        Self {
            target: Target::parse("chat.example").expect("a target"),
            own: pki::Certificate {
                subject: name.clone(),
                issuer: name,
                serial: pki::Serial::new(&[7]),
                fingerprint: pki::Fingerprint::of(b""),
                not_before: std::time::SystemTime::UNIX_EPOCH,
                not_after: std::time::SystemTime::UNIX_EPOCH,
                dns_names: Vec::new(),
                addresses: Vec::new(),
                emails: Vec::new(),
                purposes: Vec::new(),
                is_ca: false,
                key: String::new(),
            },
            anchor: String::new(),
            anchor_print: String::new(),
            clock: Clock::utc(),
        }
    }
}

/// The cause of a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// Our certificate is not valid according to the local clock.
    OwnDates,
    /// The bundle's CA certificate cannot serve as a trust anchor.
    Setup(String),
    /// The server's name has no address.
    Unresolved {
        /// Whether nobody answered in time.
        is_slow: bool,
    },
    /// This machine has no such interface.
    NoInterface {
        /// The interface that the person named.
        zone: String,
        /// Those that have an address.
        known: Vec<String>,
    },
    /// No address answered; each with its error.
    Unreachable(Vec<(SocketAddr, String)>),
    /// No greeting in time.
    Slow,
    /// The connection ended before the server had greeted us or refused us: it may have had no
    /// room.
    ClosedUnheard,
    /// The server closed the connection before its greeting.
    ClosedEarly,
    /// The server sent something else instead of a greeting.
    Greeting(String),
    /// The connection was lost after the greeting.
    Lost(String),
    /// Nothing was heard for too long.
    Silent,
    /// The server sent a line without end.
    Endless,
    /// The server sent an entry that does not come after the last one.
    Disorder {
        /// The last entry before.
        after: u64,
        /// The one that came.
        came: u64,
    },
    /// The server speaks TLS, but not our dialect.
    OtherProtocol,
    /// The server greets us by a name that is not in our certificate.
    OtherName(String),
    /// TLS failed, on our side or by an alert of the server.
    Tls(rustls::Error),
    /// Refused before the greeting.
    Refused(Refusal),
    /// `= bye REASON words`
    Bye {
        /// The reason.
        reason: ByeReason,
        /// The explanation, for people.
        words: String,
    },
}

impl Cause {
    /// Returns whether a later try may succeed. Decisions that somebody made, and the contents of a
    /// certificate, do not change when we ask again.
    pub fn may_pass(&self) -> bool {
        match self {
            Cause::Unresolved { .. }
            // A network that is plugged in again may have it again.
            | Cause::NoInterface { .. }
            | Cause::Unreachable(_)
            | Cause::Slow
            | Cause::ClosedUnheard
            | Cause::ClosedEarly
            | Cause::Lost(_)
            | Cause::Silent
            // A network that wants to be logged in to answers like this for a while.
            | Cause::Tls(rustls::Error::InvalidMessage(_)) => true,
            Cause::Refused(refusal) => {
                matches!(refusal.code, Code::TryLater | Code::TooManySessions)
            }
            Cause::Bye { reason, .. } => matches!(
                reason.known(),
                Some(
                    Reason::ShuttingDown
                        | Reason::ServerCrash
                        | Reason::Lost
                        | Reason::Silent
                        | Reason::Stalled
                )
            ),
            Cause::OwnDates
            | Cause::Setup(_)
            | Cause::Greeting(_)
            | Cause::Endless
            | Cause::Disorder { .. }
            | Cause::OtherProtocol
            | Cause::OtherName(_)
            | Cause::Tls(_) => false,
        }
    }

    /// Returns whether a server that has proved itself has judged us, so that its other addresses
    /// would say the same.
    pub(crate) fn is_verdict(&self) -> bool {
        match self {
            // Before TLS anybody can say so.
            Cause::Refused(refusal) => refusal.code != Code::TryLater,
            Cause::Bye { .. }
            | Cause::OtherName(_)
            | Cause::Greeting(_)
            | Cause::Endless
            | Cause::OwnDates
            | Cause::Setup(_) => true,
            // A server says these about a certificate, after it has presented its own.
            Cause::Tls(rustls::Error::AlertReceived(alert)) => matches!(
                alert,
                Alert::AccessDenied
                    | Alert::BadCertificate
                    | Alert::CertificateExpired
                    | Alert::CertificateRequired
                    | Alert::CertificateRevoked
                    | Alert::CertificateUnknown
                    | Alert::DecryptError
                    | Alert::UnknownCA
                    | Alert::UnsupportedCertificate
            ),
            _ => false,
        }
    }

    /// Returns how close a try came to a greeting, to tell the failure that says most.
    pub(crate) fn nearness(&self) -> u8 {
        match self {
            Cause::Unresolved { .. } | Cause::NoInterface { .. } | Cause::Unreachable(_) => 0,
            Cause::ClosedUnheard | Cause::ClosedEarly | Cause::Slow => 1,
            Cause::Refused(_) => 3,
            _ => 2,
        }
    }

    /// Returns how long the server asks us to wait: the words of a refusal for now may end with it.
    fn wait(&self) -> Option<Duration> {
        let Cause::Refused(refusal) = self else {
            return None;
        };
        // Before TLS anybody can send the second; it costs a minute at most.
        if !matches!(refusal.code, Code::TooManySessions | Code::TryLater) {
            return None;
        }
        let (_, wait) = refusal.words.rsplit_once(" in ")?;
        let seconds = wait.strip_suffix(" s")?.parse().ok()?;
        Some(Duration::from_secs(seconds).min(SERVERS_WAIT_MAX))
    }

    /// Returns whether the obstacle may be our own last session: a server that keeps the older of
    /// two sessions does not know yet that its connection was lost.
    pub(crate) fn may_be_ours(&self) -> bool {
        matches!(self, Cause::Refused(refusal) if refusal.code == Code::AlreadyHere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError as Judged;

    #[test]
    fn another_address_is_tried_unless_the_server_itself_has_judged_us() {
        let refused = |code| Cause::Refused(Refusal::new(code, ""));
        let alert = |alert| Cause::Tls(rustls::Error::AlertReceived(alert));
        for verdict in [
            refused(Code::AlreadyHere),
            refused(Code::TooManySessions),
            alert(Alert::CertificateRevoked),
            alert(Alert::AccessDenied),
            alert(Alert::UnknownCA),
            Cause::OtherName(String::new()),
        ] {
            assert!(verdict.is_verdict(), "{verdict:?}");
        }
        for other in [
            Cause::Unreachable(Vec::new()),
            Cause::ClosedUnheard,
            Cause::ClosedEarly,
            Cause::Slow,
            refused(Code::TryLater),
            alert(Alert::HandshakeFailure),
            alert(Alert::NoApplicationProtocol),
            Cause::Tls(rustls::Error::InvalidCertificate(Judged::UnknownIssuer)),
            Cause::OtherProtocol,
        ] {
            assert!(!other.is_verdict(), "{other:?}");
        }
        assert!(Cause::ClosedUnheard.nearness() < Cause::OtherProtocol.nearness());
        assert!(Cause::OtherProtocol.nearness() < refused(Code::TryLater).nearness());
    }

    #[test]
    fn only_failures_that_time_may_fix_are_tried_again() {
        let bye = |reason: &str| Cause::Bye {
            reason: ByeReason::parse(reason),
            words: String::new(),
        };
        let refused = |code: Code| {
            Cause::Refused(Refusal {
                code,
                nonce: None,
                words: String::new(),
            })
        };
        let alert = |alert| Cause::Tls(rustls::Error::AlertReceived(alert));
        for cause in [
            Cause::Unresolved { is_slow: false },
            Cause::Unreachable(Vec::new()),
            Cause::Slow,
            Cause::ClosedUnheard,
            Cause::ClosedEarly,
            Cause::Lost(String::new()),
            Cause::Silent,
            refused(Code::TryLater),
            refused(Code::TooManySessions),
            bye("shutting-down"),
            bye("silent"),
            bye("stalled"),
        ] {
            assert!(cause.may_pass(), "{cause:?}");
        }
        for cause in [
            Cause::OwnDates,
            Cause::Setup(String::new()),
            Cause::Greeting(String::new()),
            Cause::Endless,
            Cause::Disorder { after: 7, came: 7 },
            Cause::OtherProtocol,
            Cause::OtherName(String::new()),
            Cause::Tls(rustls::Error::InvalidCertificate(Judged::UnknownIssuer)),
            Cause::Tls(rustls::Error::NoCertificatesPresented),
            alert(Alert::CertificateRequired),
            alert(Alert::AccessDenied),
            alert(Alert::CertificateRevoked),
            alert(Alert::CertificateExpired),
            alert(Alert::UnknownCA),
            refused(Code::AlreadyHere),
            bye("replaced"),
            bye("revoked"),
            bye("expired"),
            bye("flooding"),
            bye("kicked"),
        ] {
            assert!(!cause.may_pass(), "{cause:?}");
        }
        let wait = |code, words: &str| Cause::Refused(Refusal::new(code, words)).wait();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let words = "you may begin 10 sessions a minute; try again in 44 s";
        assert_eq!(wait(Code::TooManySessions, words), seconds(44));
        assert_eq!(
            wait(Code::TooManySessions, "come back in 900 s"),
            seconds(60)
        );
        assert_eq!(wait(Code::TooManySessions, "come back in 5 min"), None);
        assert_eq!(wait(Code::TooManySessions, "later"), None);
        assert_eq!(
            wait(Code::TryLater, "the disk is full; try again in 9 s"),
            seconds(9)
        );
        assert_eq!(wait(Code::AlreadyHere, words), None);
        assert!(refused(Code::AlreadyHere).may_be_ours());
        assert!(!refused(Code::TooManySessions).may_be_ours());
    }
}
