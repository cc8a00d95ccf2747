//! Where one examination happens: a listening server whose script decides every byte, the client
//! on the other end, and the lines that the client must show.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use pki::Peer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wire::limits::LINE_BYTES_MAX;
use wire::{ClientId, Line, LineDecoder, Nonce, Request, Role};

use super::examinee::{Ended, Examinee};
use super::limits::{
    COME_BACK_TIMEOUT, DRAIN_TIMEOUT, END_TIMEOUT, HANDSHAKE_TIMEOUT, HEAR_TIMEOUT,
    LEFT_CONNECTIONS_MAX, LINES_MAX, PERSON_TIMEOUT, READ_TIMEOUT, SILENT_CONNECTIONS_MAX,
    START_TIMEOUT,
};
use super::room::{self, Room};
use super::shown::{Misshown, Shown};
use super::stand_in::{Face, ROOM, StandIn};
use crate::words::{Failure, tell};

/// What all examinations share.
#[derive(Debug)]
pub(super) struct Kit {
    pub(super) listener: TcpListener,
    /// The same socket, for [`Kit::clear`].
    pub(super) queue: std::net::TcpListener,
    pub(super) stand_in: StandIn,
    /// The command that starts the client; empty when a person starts it.
    pub(super) command: Vec<OsString>,
    pub(super) variables: Vec<(&'static str, OsString)>,
    pub(super) id: ClientId,
    pub(super) role: Role,
    pub(super) is_slow: bool,
}

impl Kit {
    /// Closes the connections that still wait when an examination is over: the next one must not take
    /// them for its own.
    pub(super) fn clear(&self) {
        for _ in 0..LEFT_CONNECTIONS_MAX {
            // It never waits. An error of the socket itself is told when the next client is awaited.
            if self.queue.accept().is_err() {
                return;
            }
        }
    }
}

/// One examination.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) kit: &'a Kit,
    pub(super) room: Room,
    pub(super) shown: Shown,
    examinee: Option<Examinee>,
    connection: Option<Connection>,
    /// The lines that the client sent and no script has asked for yet.
    said: VecDeque<Said>,
    lines: usize,
    connections: usize,
    /// The last `/follow`, as it came.
    followed: Option<String>,
}

impl Connection {
    /// Closes TLS and TCP, and waits for a moment until the client does so too.
    async fn close(mut self) {
        let closed = async {
            let _gone = self.stream.shutdown().await;
            drain(self.stream.get_mut().0).await;
        };
        let _unread = timeout(DRAIN_TIMEOUT, closed).await;
    }
}

/// Why an examination ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client did the thing wrong that is examined, or something that comes of it.
    Wrong(String),
    /// It did something else wrong, for which this is the usual cause, if there is one.
    Else {
        fault: String,
        usual: Option<&'static str>,
    },
    /// The examination does not concern this client.
    Skipped(String),
    /// The examiner cannot go on.
    Broken(Failure),
}

pub(super) type Examined<T = ()> = Result<T, Stop>;

/// A line that the client says.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) nonce: Option<Nonce>,
    pub(super) text: Line,
}

/// What comes from the client.
#[derive(Debug)]
pub(super) enum Heard {
    /// It says this. It is not answered yet.
    Said(Said),
    /// It asked something, which was answered.
    Asked(Request),
    /// It sent an empty line, which gets no answer.
    Nothing,
    /// It said `/quit`, which is not answered yet.
    Quit,
    /// It closed the connection: with a close_notify or without.
    Closed {
        /// Whether TLS was ended too.
        is_proper: bool,
    },
}

#[derive(Debug)]
struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    decoder: LineDecoder,
    speaks_ours: bool,
    is_following: bool,
}

impl<'a> Stage<'a> {
    /// Sets the stage, and starts the client.
    pub(super) fn set(kit: &'a Kit) -> Examined<Self> {
        let ip = std::net::Ipv4Addr::LOCALHOST.into();
        let examinee = match kit.command.is_empty() {
            true => None,
            false => Some(
                Examinee::start(&kit.command, &kit.variables)
                    .map_err(|error| Stop::Broken(super::cannot_start(&kit.command, &error)))?,
            ),
        };
        Ok(Self {
            kit,
            room: Room::new(kit.id.clone(), kit.role, ip),
            shown: Shown::default(),
            examinee,
            connection: None,
            said: VecDeque::new(),
            lines: 0,
            connections: 0,
            followed: None,
        })
    }

    /// Returns whether the client is a program that was started here.
    pub(super) fn has_examinee(&self) -> bool {
        self.examinee.is_some()
    }

    /// Has a line typed into the client.
    pub(super) async fn type_line(&mut self, text: &str) {
        match &mut self.examinee {
            Some(examinee) => examinee.type_line(text).await,
            None => tell(&format!("type this line into your client: {text}")),
        }
    }

    /// Ends the client's input.
    pub(super) fn close_input(&mut self) {
        match &mut self.examinee {
            Some(examinee) => examinee.close_input(),
            None => tell("now end your client's input, or tell it to leave"),
        }
    }

    /// Waits for the client's connection and shakes hands.
    pub(super) async fn arrive(&mut self) -> Examined {
        match self.accept(self.start_timeout()).await? {
            Arrival::Here(stream) => {
                self.connected(stream);
                Ok(())
            }
            never => Err(self.unconnected(&never)),
        }
    }

    /// Returns how long the client may take to connect first.
    pub(super) fn start_timeout(&self) -> Duration {
        match self.has_examinee() {
            true => START_TIMEOUT,
            false => PERSON_TIMEOUT,
        }
    }

    /// Says that the client never connected. Any mistake may be behind that, so none is the usual one.
    pub(super) fn unconnected<T>(&self, arrival: &Arrival<T>) -> Stop {
        let fault = match arrival {
            Arrival::Ended(how) => format!("it ended before it connected ({how})"),
            Arrival::Here(_) | Arrival::Nobody => format!(
                "it did not connect within {} seconds",
                self.start_timeout().as_secs()
            ),
        };
        Stop::Else { fault, usual: None }
    }

    /// Waits until the client comes back, or ends. Returns whether it is here again.
    pub(super) async fn comes_back(&mut self) -> Examined<bool> {
        match self.accept(COME_BACK_TIMEOUT).await? {
            Arrival::Here(stream) => {
                self.connected(stream);
                Ok(true)
            }
            Arrival::Ended(_) => Ok(false),
            Arrival::Nobody if !self.has_examinee() => Ok(false),
            Arrival::Nobody => Err(Stop::Wrong(format!(
                "it neither came back nor ended within {} seconds",
                COME_BACK_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn accept(&mut self, wait: Duration) -> Examined<Arrival> {
        let config = self.kit.stand_in.server(Face::Honest)?;
        let tcp = match self.accept_speaking(Instant::now() + wait).await? {
            Arrival::Here(tcp) => tcp,
            Arrival::Ended(how) => return Ok(Arrival::Ended(how)),
            Arrival::Nobody => return Ok(Arrival::Nobody),
        };
        let shaken = TlsAcceptor::from(config).accept(tcp);
        let fault = match timeout(HANDSHAKE_TIMEOUT, shaken).await {
            Ok(Ok(stream)) => return Ok(Arrival::Here(Box::new(stream))),
            Ok(Err(error)) => no_handshake(&error),
            Err(_) => format!(
                "it did not finish the TLS handshake within {} seconds",
                HANDSHAKE_TIMEOUT.as_secs()
            ),
        };
        // The fault says what to do about it.
        Err(Stop::Else { fault, usual: None })
    }

    /// Waits for a connection that says something: some clients try whether a port is open before they
    /// use it.
    pub(super) async fn accept_speaking(
        &mut self,
        deadline: Instant,
    ) -> Examined<Arrival<TcpStream>> {
        for _ in 0..SILENT_CONNECTIONS_MAX {
            let arrival = self.accept_tcp(deadline).await?;
            let Arrival::Here(tcp) = &arrival else {
                return Ok(arrival);
            };
            let mut first = [0; 1];
            let looked = timeout(HANDSHAKE_TIMEOUT, tcp.peek(&mut first)).await;
            if !matches!(looked, Ok(Ok(0) | Err(_))) {
                return Ok(arrival);
            }
        }
        Err(Stop::Else {
            fault: "it opens connections and closes them without a word of TLS".to_owned(),
            usual: None,
        })
    }

    /// Waits for a connection before TLS.
    pub(super) async fn accept_tcp(&mut self, deadline: Instant) -> Examined<Arrival<TcpStream>> {
        let examinee = &mut self.examinee;
        let ended = async {
            match examinee {
                Some(examinee) => examinee.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A client that connected and ended at once has connected.
            biased;
            accepted = self.kit.listener.accept() => {
                let (tcp, _) = accepted.map_err(|error| Stop::Broken(super::cannot_accept(&error)))?;
                // One byte for each record is one byte for each packet.
                tcp.set_nodelay(true).map_err(|error| Stop::Broken(super::cannot_accept(&error)))?;
                Ok(Arrival::Here(tcp))
            }
            status = ended => Ok(Arrival::Ended(status.map_or_else(
                || "nobody knows how".to_owned(),
                |status| status.to_string(),
            ))),
            () = tokio::time::sleep_until(deadline) => Ok(Arrival::Nobody),
        }
    }

    fn connected(&mut self, stream: Box<TlsStream<TcpStream>>) {
        self.connections += 1;
        self.connection = Some(Connection {
            speaks_ours: stream.get_ref().1.alpn_protocol() == Some(wire::ALPN),
            stream: *stream,
            buffer: BytesMut::new(),
            decoder: LineDecoder::new(LINE_BYTES_MAX),
            is_following: false,
        });
    }

    /// Returns whether the client chose `countersign/1`.
    pub(super) fn speaks_ours(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| c.speaks_ours)
    }

    /// Ends an examination that concerns clients of `countersign/1` alone.
    pub(super) fn only_ours(&self) -> Examined {
        match self.speaks_ours() {
            true => Ok(()),
            false => Err(Stop::Skipped(
                "this client speaks the plain dialect; only countersign/1 has this".to_owned(),
            )),
        }
    }

    /// Waits for the client, greets it, and sends the entries that it asks for.
    pub(super) async fn enter(&mut self) -> Examined {
        self.arrive().await?;
        self.greet().await?;
        self.settle().await
    }

    /// Sends the greeting.
    pub(super) async fn greet(&mut self) -> Examined {
        self.greet_as(self.kit.id.as_str(), "").await
    }

    /// Sends a greeting for this name, with more pairs in it.
    pub(super) async fn greet_as(&mut self, id: &str, more: &str) -> Examined {
        self.room.admit();
        let Room { role, ip, .. } = self.room;
        let (head, now) = (self.room.head(), room::now());
        let epoch = match self.room.is_another {
            true => "fedcba9876543210",
            false => "0123456789abcdef",
        };
        self.send(&format!(
            "= welcome {more}id={id} role={role} ip={ip} room=\"{ROOM}\" head={head} epoch={epoch} clock={now} version={}",
            env!("CARGO_PKG_VERSION")
        ))
        .await
    }

    /// Sends the entries with which a session begins, once the client says where to start.
    pub(super) async fn settle(&mut self) -> Examined {
        if !self.speaks_ours() {
            for line in self.room.backlog() {
                self.send(&line).await?;
            }
            return Ok(());
        }
        while !self.connection.as_ref().is_some_and(|c| c.is_following) {
            match self.hear().await? {
                Heard::Said(said) => self.said.push_back(said),
                Heard::Asked(_) | Heard::Nothing => {}
                Heard::Quit => return Err(Stop::Wrong("it left instead of following".to_owned())),
                Heard::Closed { .. } => {
                    return Err(Stop::Wrong(
                        "it closed the connection after the greeting".to_owned(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Has the other person say a text that nobody has said, and returns it. The client must show it
    /// once.
    pub(super) async fn tell(&mut self, words: &str) -> Examined<String> {
        let text = self.shown.fresh(words);
        let entry = self.entry(&text);
        self.send(&entry).await?;
        self.shown.once(&text);
        Ok(text)
    }

    /// Records a line of the other person without sending it.
    pub(super) fn entry(&mut self, text: &str) -> String {
        let line = Line::parse(text.as_bytes()).expect("the scripts say nothing that is forbidden");
        self.room.others_line(&line)
    }

    /// Sends a line.
    pub(super) async fn send(&mut self, line: &str) -> Examined {
        self.send_bytes(format!("{line}\n").as_bytes()).await
    }

    /// Sends bytes in one record.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) -> Examined {
        let Some(connection) = &mut self.connection else {
            return Err(Stop::Wrong("it is not connected any more".to_owned()));
        };
        let stream = &mut connection.stream;
        let sent = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        match timeout(READ_TIMEOUT, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Stop::Wrong(
                "it closed the connection in the middle of what it was sent".to_owned(),
            )),
            Err(_) => Err(Stop::Wrong(format!(
                "it did not read for {} seconds",
                READ_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Waits until the client says something, and answers everything else.
    pub(super) async fn hear_said(&mut self) -> Examined<Said> {
        if let Some(said) = self.said.pop_front() {
            return Ok(said);
        }
        let deadline = Instant::now() + HEAR_TIMEOUT;
        loop {
            match self.hear_by(deadline).await? {
                Some(Heard::Said(said)) => return Ok(said),
                Some(Heard::Asked(_) | Heard::Nothing) => {}
                Some(Heard::Quit) => {
                    return Err(Stop::Wrong("it said /quit instead of a line".to_owned()));
                }
                Some(Heard::Closed { .. }) => {
                    return Err(Stop::Wrong("it closed the connection too early".to_owned()));
                }
                None => {
                    return Err(Stop::Wrong(format!(
                        "it sent no line within {} seconds",
                        HEAR_TIMEOUT.as_secs()
                    )));
                }
            }
        }
    }

    /// Records a line of the client and acknowledges it.
    pub(super) async fn accept_said(&mut self, said: &Said) -> Examined {
        for line in self.room.store(said.nonce.as_ref(), &said.text) {
            self.send(&line).await?;
        }
        Ok(())
    }

    /// Has a new line typed, waits until the client has sent it as it is, and acknowledges it.
    pub(super) async fn say(&mut self, words: &str) -> Examined {
        let text = self.shown.fresh(words);
        self.type_line(&text).await;
        self.hear_text(&text).await
    }

    /// Waits until the client has sent this text, and acknowledges it.
    pub(super) async fn hear_text(&mut self, text: &str) -> Examined {
        let said = self.hear_said().await?;
        if said.text.as_str() != text {
            return Err(Stop::Wrong(format!(
                "it sent {:?} where {text:?} was typed",
                said.text.as_str()
            )));
        }
        self.accept_said(&said).await
    }

    /// Waits for what the client does next.
    pub(super) async fn hear(&mut self) -> Examined<Heard> {
        let heard = self.hear_by(Instant::now() + HEAR_TIMEOUT).await?;
        heard.ok_or_else(|| {
            Stop::Wrong(format!(
                "it sent nothing for {} seconds",
                HEAR_TIMEOUT.as_secs()
            ))
        })
    }

    /// Waits for what the client does next, and answers its commands. Returns `None` at the
    /// deadline.
    pub(super) async fn hear_by(&mut self, deadline: Instant) -> Examined<Option<Heard>> {
        let line = match self.next_line(deadline).await? {
            Incoming::Line(line) => line,
            Incoming::Closed { is_proper } => {
                self.connection = None;
                return Ok(Some(Heard::Closed { is_proper }));
            }
            Incoming::Nothing => return Ok(None),
        };
        let request = match Request::parse(&line) {
            Ok(Some(request)) => request,
            // An empty line gets no answer.
            Ok(None) => return Ok(Some(Heard::Nothing)),
            Err(refusal) => {
                return Err(Stop::Wrong(format!(
                    "it sent {:?}, which a server refuses: {}",
                    String::from_utf8_lossy(&line),
                    refusal.words
                )));
            }
        };
        let answer = match &request {
            Request::Say(text) => {
                return Ok(Some(Heard::Said(Said {
                    nonce: None,
                    text: text.clone(),
                })));
            }
            Request::SayOnce(nonce, text) => {
                return Ok(Some(Heard::Said(Said {
                    nonce: Some(nonce.clone()),
                    text: text.clone(),
                })));
            }
            Request::Quit => return Ok(Some(Heard::Quit)),
            Request::Follow(start) => {
                self.followed = Some(String::from_utf8_lossy(&line).trim_end().to_owned());
                self.follow(*start)
            }
            Request::History { last, before } => self.room.history(*last, *before),
            Request::Who => self.room.who(),
            Request::Whois(id) => vec![self.room.whois(id)],
            Request::Ping => vec![format!("= at {}", self.room.head())],
            Request::Nick => {
                vec!["! name-from-certificate - your certificate says your name".to_owned()]
            }
            Request::Help => room::help(),
        };
        for line in answer {
            self.send(&line).await?;
        }
        Ok(Some(Heard::Asked(request)))
    }

    fn follow(&mut self, start: wire::Start) -> Vec<String> {
        match &mut self.connection {
            Some(connection) if connection.speaks_ours && !connection.is_following => {
                let answer = self.room.follow(start);
                connection.is_following = !answer[0].starts_with('!');
                answer
            }
            _ => vec!["! already-following - this session already follows".to_owned()],
        }
    }

    async fn next_line(&mut self, deadline: Instant) -> Examined<Incoming> {
        let Some(connection) = &mut self.connection else {
            return Err(Stop::Wrong("it is not connected any more".to_owned()));
        };
        loop {
            match connection.decoder.decode(&mut connection.buffer) {
                Some(Ok(line)) => {
                    self.lines += 1;
                    if self.lines > LINES_MAX {
                        let flood = format!("it sent more than {LINES_MAX} lines");
                        return Err(Stop::Wrong(flood));
                    }
                    return Ok(Incoming::Line(line.to_vec()));
                }
                Some(Err(_)) => {
                    let long = format!("it sent a line of more than {LINE_BYTES_MAX} bytes");
                    return Err(Stop::Wrong(long));
                }
                None => {}
            }
            connection.buffer.reserve(LINE_BYTES_MAX);
            let read = connection.stream.read_buf(&mut connection.buffer);
            match tokio::time::timeout_at(deadline, read).await {
                Err(_) => return Ok(Incoming::Nothing),
                Ok(Ok(0)) => return Ok(Incoming::Closed { is_proper: true }),
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Ok(Incoming::Closed { is_proper: false }),
            }
        }
    }

    /// Waits for a while in which the client should send nothing. Returns the line that it sent all
    /// the same.
    pub(super) async fn tempt(&mut self, time: Duration) -> Examined<Temptation> {
        Ok(match self.next_line(Instant::now() + time).await? {
            Incoming::Line(line) => Temptation::Sent(String::from_utf8_lossy(&line).into_owned()),
            Incoming::Closed { .. } => {
                self.connection = None;
                Temptation::Gone
            }
            Incoming::Nothing => Temptation::Quiet,
        })
    }

    /// Ends the session as a server does: with a goodbye, TLS's own, and TCP's.
    pub(super) async fn bye(&mut self, reason: &str, words: &str) -> Examined {
        self.send(&format!("= bye {reason} {words}")).await?;
        self.close().await;
        Ok(())
    }

    /// Closes TLS and TCP.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Closes TLS and TCP, and waits for nothing.
    pub(super) fn close_aside(&mut self) {
        if let Some(connection) = self.connection.take() {
            tokio::spawn(connection.close());
        }
    }

    /// Cuts the connection: TCP ends, and TLS does not.
    pub(super) async fn cut(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let tcp = &mut connection.stream.get_mut().0;
            let closed = async {
                // The bytes that were sent must arrive, so this is no reset.
                let _gone = tcp.shutdown().await;
                drain(tcp).await;
            };
            let _unread = timeout(DRAIN_TIMEOUT, closed).await;
        }
    }

    /// Waits for the client to end by itself, with its input open. Returns whether it did; `None` for a
    /// client that a person started.
    pub(super) async fn ends_by_itself(&mut self) -> Option<bool> {
        match &mut self.examinee {
            Some(examinee) => Some(examinee.ends_within(END_TIMEOUT).await),
            None => None,
        }
    }

    /// Ends the session and the client, and says whether the client showed everything that it must.
    pub(super) async fn conclude(mut self) -> Examined<Vec<String>> {
        let words = self.words_so_far();
        if self.connection.is_some() {
            // A client that is gone already is judged by what it showed.
            let _gone = self.bye("replaced", "the examination is over").await;
        }
        match self.examinee.take() {
            Some(examinee) => {
                let ended = examinee.finish(words).await;
                match self.shown.judge(&ended) {
                    Ok(()) => Ok(Vec::new()),
                    Err(misshown) => Err(self.misshown(misshown, &ended)),
                }
            }
            None => Ok(self.shown.to_look_for()),
        }
    }

    /// Says what the client showed wrong, and what it did before if that explains it.
    fn misshown(&self, misshown: Misshown, ended: &Ended) -> Stop {
        let Misshown { fault, is_repeated } = misshown;
        let (fault, usual) = match (is_repeated, self.connections, &self.followed) {
            (false, ..) => return Stop::Wrong(with_last_words(fault, ended.last_words())),
            (true, 2.., Some(followed)) => (
                format!("{fault}; it had come back with `{followed}`"),
                "follow after your last entry, with its seq and its time, and not from the beginning",
            ),
            (true, ..) => (
                fault,
                "show a line when it comes as an entry, and not when it is typed as well",
            ),
        };
        Stop::Else {
            fault: with_last_words(fault, ended.last_words()),
            usual: Some(usual),
        }
    }

    /// Ends the client, and returns its last words.
    pub(super) async fn abandon(mut self) -> Option<String> {
        let words = self.words_so_far();
        self.close().await;
        let mut examinee = self.examinee.take()?;
        examinee.close_input();
        examinee.finish(words).await.last_words()
    }

    /// Returns what the client has said on standard error so far.
    fn words_so_far(&self) -> Vec<u8> {
        let examinee = self.examinee.as_ref();
        examinee.map_or_else(Vec::new, Examinee::words_so_far)
    }
}

/// Returns a fault with the client's last words, which often tell more.
pub(super) fn with_last_words(fault: String, words: Option<String>) -> String {
    match words {
        Some(words) => format!("{fault}; its last words were: {words}"),
        None => fault,
    }
}

/// A client that was waited for, or the reason why none came.
#[derive(Debug)]
pub(super) enum Arrival<T = Box<TlsStream<TcpStream>>> {
    /// A connection.
    Here(T),
    /// The client ended: how.
    Ended(String),
    /// Nobody in time.
    Nobody,
}

/// What a client does when it should do nothing.
#[derive(Debug)]
pub(super) enum Temptation {
    /// It sends this.
    Sent(String),
    /// It leaves.
    Gone,
    /// It waits.
    Quiet,
}

#[derive(Debug)]
enum Incoming {
    Line(Vec<u8>),
    Closed { is_proper: bool },
    Nothing,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Broken(failure)
    }
}

/// Reads until the other end closes too, so that no unread byte makes the system reset the connection.
async fn drain(tcp: &mut TcpStream) {
    let mut rest = [0; 4096];
    while let Ok(1..) = tcp.read(&mut rest).await {}
}

/// Says why there was no handshake with a server that proves itself.
fn no_handshake(error: &io::Error) -> String {
    use rustls::Error as Tls;
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Tls>())
    {
        Some(Tls::NoCertificatesPresented) => {
            "it presented no certificate; load certificate and key from the bundle".to_owned()
        }
        Some(error @ Tls::AlertReceived(_)) => format!(
            "it refused the stand-in's server: {}; trust the CA certificate in the bundle, and ask for the server's name",
            pki::tls_words(error, Peer::Client)
        ),
        Some(error) => format!(
            "the TLS handshake failed: {}",
            pki::tls_words(error, Peer::Client)
        ),
        None => "it closed the connection during the TLS handshake".to_owned(),
    }
}
