//! The meaning of silence: when to ask whether the server is still there, when the connection
//! counts as lost, and how long to wait for a farewell.

use tokio::time::Instant;

use crate::limits::{
    FAREWELL_TIMEOUT, LEAVE_TIMEOUT, SILENCE_BEFORE_LOST, SILENCE_BEFORE_PING,
    UNANSWERED_BEFORE_TOLD,
};

/// The times at which something was last heard and sent, and the deadline for a farewell.
pub(super) struct Silence {
    pub(super) heard: Instant,
    wrote_at: Instant,
    farewell_by: Option<Instant>,
    /// Since when the server owes an answer and is silent.
    unanswered_since: Option<Instant>,
    /// Whether the person was told.
    is_told: bool,
    /// Whether the person wants to leave at once, whatever the server still has to say.
    pub(super) is_impatient: bool,
}

/// The meaning of an alarm.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    Nothing,
    Ping,
    Silent,
    NoFarewell,
    /// The server owes an answer and has been silent since then.
    Unanswered(Instant),
}

impl Silence {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            wrote_at: now,
            farewell_by: None,
            unanswered_since: None,
            is_told: false,
            is_impatient: false,
        }
    }

    /// Notes that bytes came. `is_owed` says whether the server still owes us something before its
    /// farewell, such as a long answer. Nothing else that it sends postpones the end. Returns
    /// whether the person was told of a silence that is over now.
    pub(super) fn heard(&mut self, is_owed: bool) -> bool {
        self.heard = Instant::now();
        self.unanswered_since = None;
        if is_owed && !self.is_impatient && self.farewell_by.is_some() {
            self.farewell_by = Some(self.heard + FAREWELL_TIMEOUT);
        }
        std::mem::take(&mut self.is_told)
    }

    /// Notes whether the server owes an answer now.
    pub(super) fn owes(&mut self, is_owed: bool) {
        if !is_owed {
            self.unanswered_since = None;
        } else if self.unanswered_since.is_none() {
            self.unanswered_since = Some(Instant::now());
        }
    }

    pub(super) fn wrote(&mut self) {
        self.wrote_at = Instant::now();
    }

    /// Shortens the wait for a farewell: the person leaves at once.
    pub(super) fn leave_soon(&mut self) {
        self.is_impatient = true;
        let soon = Instant::now() + LEAVE_TIMEOUT;
        self.farewell_by = Some(self.farewell_by.map_or(soon, |by| by.min(soon)));
    }

    pub(super) fn listened_again(&mut self) {
        self.heard = Instant::now();
        self.unanswered_since = None;
        if !self.is_impatient && self.farewell_by.is_some() {
            self.farewell_by = Some(self.heard + FAREWELL_TIMEOUT);
        }
    }

    pub(super) fn expect_farewell(&mut self) {
        let by = Instant::now() + FAREWELL_TIMEOUT;
        self.farewell_by.get_or_insert(by);
    }

    /// Returns the next moment at which something may be due. While we do not listen, the silence
    /// is our own.
    pub(super) fn next(&self, hears: bool) -> Instant {
        let ping = self.wrote_at + SILENCE_BEFORE_PING;
        if !hears {
            return ping;
        }
        let silent = self.heard + SILENCE_BEFORE_LOST;
        ping.min(silent)
            .min(self.farewell_by.unwrap_or(silent))
            .min(self.told_at().unwrap_or(silent))
    }

    /// Returns when the person is to be told that no answer comes.
    fn told_at(&self) -> Option<Instant> {
        let since = self.unanswered_since.filter(|_| !self.is_told)?;
        Some(since + UNANSWERED_BEFORE_TOLD)
    }

    pub(super) fn ring(&mut self, hears: bool) -> Alarm {
        let now = Instant::now();
        if hears && now >= self.heard + SILENCE_BEFORE_LOST {
            return Alarm::Silent;
        }
        if hears && self.farewell_by.is_some_and(|by| now >= by) {
            return Alarm::NoFarewell;
        }
        if let Some(since) = self.unanswered_since
            && hears
            && self.told_at().is_some_and(|at| now >= at)
        {
            self.is_told = true;
            return Alarm::Unanswered(since);
        }
        // Even when much is heard: the server counts what it hears from us.
        if now >= self.wrote_at + SILENCE_BEFORE_PING {
            self.wrote_at = now;
            return Alarm::Ping;
        }
        Alarm::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_owed_answer_puts_off_the_end() {
        let mut watch = Silence::new();
        watch.expect_farewell();
        let by = watch.farewell_by.expect("a farewell is waited for");
        watch.heard(false);
        assert_eq!(watch.farewell_by, Some(by));
        watch.heard(true);
        assert!(watch.farewell_by > Some(by));
    }
    #[tokio::test(start_paused = true)]
    async fn an_owed_answer_that_does_not_come_is_told_once_and_its_coming_too() {
        let mut watch = Silence::new();
        watch.owes(false);
        assert_eq!(watch.told_at(), None);
        watch.owes(true);
        let since = Instant::now();
        // Each byte shows that the server is there.
        tokio::time::advance(UNANSWERED_BEFORE_TOLD / 2).await;
        assert!(!watch.heard(true));
        watch.owes(true);
        let again = Instant::now();
        assert!(again > since);
        tokio::time::advance(UNANSWERED_BEFORE_TOLD).await;
        assert_eq!(watch.ring(false), Alarm::Nothing);
        assert_eq!(watch.ring(true), Alarm::Unanswered(again));
        assert_eq!(watch.ring(true), Alarm::Nothing);
        assert!(watch.heard(false));
        assert!(!watch.heard(false));
    }
}
