//! Explains on standard error what happens on the wire, step by step, for `--explain`.
//!
//! Each function is called where the step happens. Without `--explain` none of them does anything.
// No text that anybody says, and no key: lengths and numbers.

mod steps;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use narration::{Narrator, NarratorGuard, Part, from_client, from_server};
use pki::{Certificate, Witness};
use wire::limits::UNACKNOWLEDGED_LINES_MAX;
use wire::{Line, Nonce, Request};

use crate::limits::{SILENCE_BEFORE_LOST, SILENCE_BEFORE_PING};
use crate::os;
use crate::words::{Exit, Failure, stderr_columns};

/// Erases the row in which a person may be typing; it is drawn again with the next line.
const ERASE_ROW: &str = "\r\x1b[K";

/// Explains what happens, or does nothing: that is the default.
#[derive(Debug, Clone, Default)]
pub struct Explainer(Narrator);

/// The view of one handshake; empty when nobody explains.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handshake(Option<Arc<narration::Client>>);

impl Explainer {
    /// Returns whether anything is explained.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Starts to explain on standard error.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub fn start() -> io::Result<(Self, NarratorGuard)> {
        let has_row = stderr_columns().is_some() && !os::is_dumb_terminal();
        let before = if has_row { ERASE_ROW } else { "" };
        let (narrator, guard) = Narrator::start(io::stderr(), stderr_columns, before)?;
        Ok((Self(narrator), guard))
    }

    fn tell(&self, part: impl FnOnce() -> Part) {
        if self.0.is_on() {
            self.0.tell("", &part());
        }
    }

    /// Waits until what was explained is written, for at most one second, so that a failure which is
    /// reported next stands below the steps that led to it.
    pub(crate) fn flush(&self) {
        self.0.flush();
    }

    /// Step 1: the bundle was read.
    pub(crate) fn bundle(&self, own: &Certificate, anchor: &[u8]) {
        self.tell(|| {
            let now = SystemTime::now();
            let part = Part::of(steps::BUNDLE)
                .done("your certificate, which anybody may see; its private key stays in this program")
                .more_lines(narration::certificate(own, now));
            match Certificate::parse(anchor) {
                Ok(ca) => part
                    .done(format!("it trusts {}", narration::ca_in_short(&ca)))
                    .more("and no other CA: not those of browsers, and not those of the system"),
                Err(error) => part.done(format!("its CA certificate: {error}")),
            }
        });
    }

    /// Step 2: the server's name was looked up.
    pub(crate) fn resolved(&self, target: &impl fmt::Display, addresses: &[SocketAddr]) {
        self.tell(|| {
            let list = addresses.iter().map(ToString::to_string);
            let list = list.collect::<Vec<_>>().join(", ");
            Part::of(steps::RESOLVE)
                .done(format!("{target} is {list}"))
                .more("A name server can lie: TLS will check who answers there")
        });
    }

    /// Step 3: an address answered.
    pub(crate) fn reached(
        &self,
        local: SocketAddr,
        server: SocketAddr,
        interface: impl FnOnce() -> Option<String>,
    ) {
        self.tell(|| {
            let via = match interface() {
                Some(name) => format!("through the network interface {name}"),
                None => "through an interface that the system does not name".to_owned(),
            };
            Part::of(steps::REACH)
                .done(format!("TCP from {local} to {server}, {via}"))
                .more("So far anybody can read and change everything")
        });
    }

    /// Step 4: returns the view of a handshake that begins.
    pub(crate) fn handshake(&self) -> Handshake {
        let is_on = self.0.is_on();
        let narrator = self.0.clone();
        Handshake(is_on.then(|| Arc::new(narration::Client::new(narrator, steps::TLS))))
    }

    /// Step 5: the greeting came.
    pub(crate) fn greeted(&self, greeting: &str) {
        self.tell(|| {
            Part::of(steps::GREETING)
                .came(from_server(greeting.as_bytes()))
                .done("yes: so the server has admitted your certificate, and calls you by the name in it")
        });
    }

    /// Step 6: there was no way in, or the connection ended.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.tell(|| {
            let part = Part::of(steps::WHY_NOT);
            let part = match failure.alert() {
                Some(alert) => part.came(format!(
                    "the alert {}: the server ends TLS [RFC 8446, 6]",
                    narration::alert(alert)
                )),
                None => part,
            };
            part.done(failure.sentence.clone())
                .done(match failure.may_pass() {
                    true => "a later try may succeed",
                    false => "trying again would not help",
                })
        });
    }

    /// Step 7: the start was asked for.
    pub(crate) fn started(&self, line: &str) {
        self.tell(|| Part::of(steps::START).sent(from_client(line.as_bytes())));
        self.tell(|| {
            Part::of(steps::WATCH).done(format!(
                "a ping goes out after {} s without a line; {} s of silence end the connection",
                SILENCE_BEFORE_PING.as_secs(),
                SILENCE_BEFORE_LOST.as_secs()
            ))
        });
    }

    /// Step 8: nothing was sent for a while.
    pub(crate) fn pinged(&self) {
        self.tell(|| {
            Part::of(steps::WATCH)
                .sent(from_client(b"/ping"))
                .more(format!(
                    "Nothing was sent for {} s: this shows both ends that the connection is alive",
                    SILENCE_BEFORE_PING.as_secs()
                ))
        });
    }

    /// Steps 9 to 11: a line came.
    pub(crate) fn heard(&self, line: &[u8]) {
        self.tell(|| {
            let step = match line {
                [b'0'..=b'9', ..] | [b'=', b' ', b'0'..=b'9', ..] => steps::SHOW,
                [b'=', b' ', b'o', b'k', b' ', ..] => steps::CROSS_OFF,
                _ => steps::HEAR,
            };
            Part::of(step).came(from_server(line))
        });
    }

    /// Steps 12 and 13: a typed line goes out.
    pub(crate) fn said(&self, nonce: &Nonce, line: &Line, waiting: usize) {
        self.tell(|| {
            let length = line.as_str().len();
            Part::of(steps::TYPED).done(format!(
                "{length} bytes; {waiting} of at most {UNACKNOWLEDGED_LINES_MAX} lines wait for their acknowledgement"
            ))
        });
        self.tell(|| {
            let request = Request::SayOnce(nonce.clone(), line.clone());
            Part::of(steps::SAY)
                .sent(narration::request(&request))
                .more("It is kept until `= ok` comes. No name and no address is in it: the server knows both")
        });
    }

    /// Steps 12 and 13: a typed command goes out, or a line that was sent before goes out again.
    pub(crate) fn sent(&self, line: &str) {
        self.tell(|| Part::of(steps::SAY).sent(from_client(line.as_bytes())));
    }

    /// Step 14: the person leaves.
    pub(crate) fn quits(&self) {
        self.tell(|| Part::of(steps::QUIT).sent(from_client(b"/quit")));
    }

    /// Step 15: the connection was lost, and the next try follows.
    pub(crate) fn comes_back(&self, pause: Duration) {
        self.tell(|| {
            Part::of(steps::COME_BACK)
                .done(format!("in {}", narration::milliseconds(pause)))
                .more("Lines without an acknowledgement go out again, under their old names")
        });
    }

    /// Step 16: the program ends.
    pub fn ends(&self, exit: Exit) {
        self.tell(|| Part::of(steps::END).done(format!("exit code {}", exit.code())));
    }
}

impl Handshake {
    /// Returns the witness for the configuration of TLS.
    pub(crate) fn witness(&self) -> Option<Arc<dyn Witness>> {
        let witness = self.0.clone()?;
        Some(witness)
    }

    /// Takes bytes that were sent, as the network sees them.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        if let Some(handshake) = &self.0 {
            handshake.sent(bytes);
        }
    }

    /// Takes bytes that came, as the network sees them.
    pub(crate) fn came(&self, bytes: &[u8]) {
        if let Some(handshake) = &self.0 {
            handshake.came(bytes);
        }
    }

    /// Tells that the handshake is complete on our side.
    pub(crate) fn complete(&self, protocol: Option<&[u8]>) {
        if let Some(handshake) = &self.0 {
            handshake.complete(protocol);
        }
    }
}
