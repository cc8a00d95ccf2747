//! Everything that can end a session from outside: a newer session, the server's stop, the
//! certificate's end or revocation, and silence.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pki::{Gate, Identity, Refusal as GateRefusal, Revocations};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::Reason;

use crate::config::Limits;
use crate::room::mailbox::{End, Mailbox};
use crate::session::silence::LastHeard;

/// How often a session checks whether its certificate has expired, at the least: the system's clock
/// may be set while it waits.
const EXPIRY_CHECK_MAX: Duration = Duration::from_secs(60);

/// Watches for everything that can end a session from outside.
pub(crate) struct EndWatch {
    pub(crate) identity: Arc<Identity>,
    /// The recorder's message that a newer session has come arrives here.
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) revocations: watch::Receiver<Revocations>,
    pub(crate) stop: CancellationToken,
}

impl EndWatch {
    /// Waits until something ends the session; returns `None` when the server stops.
    pub(crate) async fn end(&mut self, heard: Option<&LastHeard>, limits: &Limits) -> Option<End> {
        let silent_at = || Some(heard?.silent_at(limits.silence_timeout));
        loop {
            let check_at = self.next_check(silent_at());
            let end = tokio::select! {
                biased;
                end = self.mailbox.ended() => Some(end),
                () = self.stop.cancelled() => return None,
                // Without a list nobody publishes one, so there is nothing to wait for.
                Ok(()) = self.revocations.changed() => self.check_welcome(),
                () = tokio::time::sleep_until(check_at) => self.check_clock(silent_at(), limits),
            };
            if end.is_some() {
                return end;
            }
        }
    }

    /// Returns when the clock has to be checked next: for the certificate's end, or for silence.
    fn next_check(&self, silent_at: Option<Instant>) -> Instant {
        let valid_for = self.identity.not_after().duration_since(SystemTime::now());
        // A certificate is still good in the second that it names as its end.
        let valid_for = valid_for.unwrap_or_default() + Duration::from_secs(1);
        let expiry = Instant::now() + valid_for.min(EXPIRY_CHECK_MAX);
        silent_at.map_or(expiry, |silent_at| silent_at.min(expiry))
    }

    fn check_clock(&mut self, silent_at: Option<Instant>, limits: &Limits) -> Option<End> {
        if silent_at.is_some_and(|silent_at| silent_at <= Instant::now()) {
            let words = format!(
                "nothing was heard for {} s",
                limits.silence_timeout.as_secs()
            );
            return Some(End {
                reason: Reason::Silent,
                words,
            });
        }
        self.check_welcome()
    }

    fn check_welcome(&mut self) -> Option<End> {
        let revocations = self.revocations.borrow_and_update().clone();
        let now = SystemTime::now();
        match self
            .gate
            .still_welcome(&self.identity, &revocations, now)
            .err()?
        {
            GateRefusal::Revoked { is_on_hold: true, .. } => Some(End {
                reason: Reason::OnHold,
                words: "your certificate is on hold; you can enter again when whoever issued it ends the hold".into(),
            }),
            GateRefusal::Revoked { is_on_hold: false, .. } => Some(End {
                reason: Reason::Revoked,
                words: "your certificate was revoked; ask whoever issued it".into(),
            }),
            GateRefusal::Expired { .. } => Some(End {
                reason: Reason::Expired,
                words: "your certificate has expired; ask for a new one".into(),
            }),
            // An outdated list keeps newcomers out, but nobody who is here already.
            _ => None,
        }
    }
}
