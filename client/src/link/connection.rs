//! The link owns a connection: it reads, writes and watches for silence, all at once.
//!
//! While nobody takes its events it does not read, and while 64 lines are unacknowledged it takes
//! no orders: each queue is bounded because the one before it is not served. Reading never waits
//! for writing or the reverse, so two ends that both have much to say cannot block each other.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use wire::Reason;

use super::course::{Course, Farewell};
use super::event::Event;
use super::outbox::Outbox;
use super::silence::{Alarm, Silence};
use crate::connect::{Connected, Incoming, Opening, tls_error};
use crate::limits::{CLOSE_TIMEOUT, LEAVE_CLOSE_TIMEOUT};
use crate::words::{Cause, Failure, Scene, explain};

/// The task that owns a connection.
#[derive(Debug)]
pub struct Link<S = TlsStream<Opening<TcpStream>>> {
    stream: S,
    incoming: Incoming,
    outbox: Outbox,
    scene: Arc<Scene>,
}

impl<S: AsyncRead + AsyncWrite> Connected<S> {
    /// Returns the task that owns this connection from here on.
    pub fn into_link(self, outbox: Outbox) -> Link<S> {
        Link::new(self.stream, self.incoming, outbox, self.scene)
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// We said `/quit`, and the server said goodbye.
    Goodbye,
    /// The server ended the session, or the connection was lost.
    Failed(Failure),
}

impl<S: AsyncRead + AsyncWrite> Link<S> {
    fn new(stream: S, incoming: Incoming, outbox: Outbox, scene: Arc<Scene>) -> Self {
        Self {
            stream,
            incoming,
            outbox,
            scene,
        }
    }

    /// Runs until the session ends. Returns how, and the outbox for the next connection.
    pub async fn run(self) -> (End, Outbox) {
        let (mut reader, mut writer) = tokio::io::split(self.stream);
        let mut incoming = self.incoming;
        let mut course = Course::new(self.outbox);
        let mut silence = Silence::new();
        let mut unflushed = false;
        // The error since which nothing can be written. The server may still have said why.
        let mut broken: Option<io::Error> = None;
        let alarm = sleep_until(silence.next(true));
        tokio::pin!(alarm);

        let cause = loop {
            course.deliver();
            // Lines are understood before more is read, but no faster than their events are taken.
            while course.owed.is_empty()
                && course.farewell.is_none()
                && let Some(line) = incoming.next_line()
            {
                course.hear(line, silence.heard);
                course.deliver();
            }
            let hears = course.owed.is_empty();
            silence.owes(hears && course.is_owed());
            if silence.next(hears) < alarm.deadline() {
                alarm.as_mut().reset(silence.next(hears));
            }
            if hears && let Some(farewell) = course.farewell.take() {
                break Stop::Said(farewell);
            }
            let writes = broken.is_none();
            let takes_orders = writes && course.takes_orders();
            // The order is fixed, so that a run can be repeated, and no branch starves another. The
            // first fires once. The alarm moves on whenever it rings. Events fill up only when
            // something was read. Only orders add to the bytes that wait to be written, and they
            // stop: lines at 64, and commands when the connection is full, because the server
            // reads the next one only after it has written the last reply. Reading comes last,
            // because a busy server could keep it ready all the time.
            tokio::select! {
                biased;
                () = course.outbox.leave.cancelled(), if !silence.is_impatient => {
                    silence.leave_soon();
                    course.quit();
                }
                () = &mut alarm => match silence.ring(hears) {
                    Alarm::Silent => break Stop::Silent,
                    Alarm::NoFarewell => break Stop::NoFarewell,
                    Alarm::Unanswered(since) => course.owed.push_back(Event::Unanswered(since)),
                    Alarm::Ping if writes && course.out.is_empty() && !course.is_quitting => course.ping(),
                    Alarm::Ping | Alarm::Nothing => {}
                },
                taken = space(&course.outbox.events), if !hears => {
                    // While nobody took events, we did not listen to the server.
                    silence.listened_again();
                    if !taken {
                        // Nobody will ever take it.
                        course.owed.clear();
                        course.quit();
                    }
                }
                wrote = write(&mut writer, &course.out), if writes && (unflushed || !course.out.is_empty()) => match wrote {
                    Ok(0) => unflushed = false,
                    Ok(count) => {
                        course.out.advance(count);
                        unflushed = true;
                        silence.wrote();
                    }
                    Err(error) => broken = Some(error),
                },
                order = course.outbox.orders.recv(), if takes_orders => match order {
                    Some(order) => {
                        course.order(order);
                        while course.takes_orders() && let Ok(order) = course.outbox.orders.try_recv() {
                            course.order(order);
                        }
                    }
                    // Nobody is left who could say anything.
                    None => course.quit(),
                },
                read = reader.read_buf(incoming.space()), if hears => match read {
                    Ok(0) => break Stop::Closed,
                    Ok(_) => if silence.heard(course.is_owed()) {
                        course.owed.push_back(Event::Answered);
                    },
                    Err(error) => break Stop::Broke(error),
                },
            }
            if course.is_quitting || broken.is_some() {
                silence.expect_farewell();
                alarm.as_mut().reset(silence.next(hears));
            } else if alarm.is_elapsed() {
                alarm.as_mut().reset(silence.next(hears));
            }
        };
        // The server learns that nothing was cut off; it does not matter whether it still listens.
        tokio::select! {
            biased;
            _ = writer.shutdown() => {}
            () = patience_to_close(&course.outbox.leave) => {}
        }
        let end = judge(cause, broken, &course, &self.scene);
        (end, course.outbox)
    }
}

/// Writes as much of `out` as can be written. When `out` is empty, flushes what TLS still holds,
/// and returns 0. May be cancelled: then nothing was written.
async fn write(writer: &mut (impl AsyncWrite + Unpin), out: &[u8]) -> io::Result<usize> {
    if out.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(out).await {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        wrote => wrote,
    }
}

/// Waits until an event can be handed over. Returns whether anybody will ever take it.
async fn space(events: &mpsc::Sender<Event>) -> bool {
    events.reserve().await.is_ok()
}

/// Waits for as long as a server may take to hear that the connection ends.
async fn patience_to_close(leave: &CancellationToken) {
    let leaves = async {
        leave.cancelled().await;
        sleep(LEAVE_CLOSE_TIMEOUT).await;
    };
    tokio::select! {
        () = sleep(CLOSE_TIMEOUT) => {}
        () = leaves => {}
    }
}

/// The reason to leave the loop of a link.
enum Stop {
    Said(Farewell),
    Closed,
    Broke(io::Error),
    Silent,
    NoFarewell,
}

fn judge(stop: Stop, broken: Option<io::Error>, course: &Course, scene: &Scene) -> End {
    let nothing_waits = course.outbox.unacknowledged().len() == 0;
    let cause = match stop {
        // A goodbye answers ours. Said by itself it is an end like any other: lines may be unsent.
        Stop::Said(Farewell::Bye { reason, .. })
            if course.is_quitting && reason.known() == Some(Reason::Goodbye) =>
        {
            return End::Goodbye;
        }
        Stop::Closed if course.is_quitting && nothing_waits => return End::Goodbye,
        Stop::Said(Farewell::Bye { reason, words }) => Cause::Bye { reason, words },
        Stop::Said(Farewell::Endless) => Cause::Endless,
        Stop::Said(Farewell::Disorder { after, came }) => Cause::Disorder { after, came },
        // Nobody needs a server's permission to go. Unacknowledged lines are reported separately.
        Stop::NoFarewell if course.outbox.leave.is_cancelled() => return End::Goodbye,
        Stop::Silent => Cause::Silent,
        Stop::NoFarewell => Cause::Lost("the server does not answer".to_owned()),
        Stop::Broke(error) => match tls_error(&error) {
            Some(tls) => Cause::Tls(tls.clone()),
            None => lost(&broken.unwrap_or(error)),
        },
        Stop::Closed => match broken {
            Some(error) => lost(&error),
            None => Cause::Lost("the server closed it".to_owned()),
        },
    };
    End::Failed(explain(&cause, scene, SystemTime::now()))
}

fn lost(error: &io::Error) -> Cause {
    Cause::Lost(match error.kind() {
        // The error of a TLS connection that ends without a close_notify.
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests;
