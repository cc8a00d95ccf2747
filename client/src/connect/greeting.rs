//! The greeting: nothing is claimed before it has come, and it must call us by the name in our
//! certificate.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use wire::{Overlong, Reply, ReplyError, ServerLine, Welcome};

use super::incoming::Incoming;
use super::tls::tls_error;
use crate::words::{Cause, Scene};

pub(super) async fn hear_greeting<S: AsyncRead + Unpin>(
    stream: &mut S,
    incoming: &mut Incoming,
) -> Result<(Welcome, String), Cause> {
    loop {
        while let Some(line) = incoming.next_line() {
            let text = match line {
                Ok(line) => String::from_utf8_lossy(&line).into_owned(),
                Err(Overlong::Line(_)) => continue,
                Err(Overlong::Endless) => return Err(Cause::Endless),
            };
            match ServerLine::parse(&text) {
                Ok(ServerLine::Reply(Reply::Welcome(welcome))) => return Ok((welcome, text)),
                Ok(ServerLine::Refusal(refusal)) => return Err(Cause::Refused(refusal)),
                Ok(ServerLine::Reply(Reply::Bye { reason, words })) => {
                    return Err(Cause::Bye { reason, words });
                }
                Err(ReplyError::Grammar(_)) if !text.starts_with("= welcome ") => {}
                Err(error) => return Err(Cause::Greeting(error.to_string())),
                // Lines that we do not know are not for us; the deadline ends a server that goes on
                // like this.
                Ok(_) => {}
            }
        }
        match stream.read_buf(incoming.space()).await {
            Ok(0) => return Err(Cause::ClosedEarly),
            Ok(_) => {}
            Err(error) => {
                return Err(match early(&error) {
                    // The server did not even end TLS. It ends a handshake like this when others
                    // wait for its place.
                    Cause::ClosedEarly => Cause::ClosedUnheard,
                    cause => cause,
                });
            }
        }
    }
}

/// Checks that the server calls us by the name in our certificate.
pub(super) fn check_name(welcome: &Welcome, scene: &Scene) -> Result<(), Cause> {
    if scene.own.subject.common_names != [welcome.id.as_str()] {
        return Err(Cause::OtherName(welcome.id.to_string()));
    }
    Ok(())
}

/// Returns the cause of an error before the greeting: TLS names its own, anything else is a broken
/// connection.
pub(super) fn early(error: &io::Error) -> Cause {
    match tls_error(error) {
        Some(error) => Cause::Tls(error.clone()),
        None => Cause::ClosedEarly,
    }
}
