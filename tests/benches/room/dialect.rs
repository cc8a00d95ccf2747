//! The lines for each system, and how its answers are told apart: just enough of our protocol, of
//! MQTT 3.1.1 and of NATS. Every text has the same length, so that it is found without a search.

use crate::load::Plan;
use crate::system::System;

/// The bytes of each text.
pub(crate) const TEXT_BYTES: usize = 100;

/// The content of a text: its sender, its number among the sender's lines, and the time when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) sender: usize,
    pub(crate) n: u64,
    /// Microseconds since the load generator began.
    pub(crate) sent_us: u64,
}

/// An answer of the server.
pub(crate) enum Event<'a> {
    /// A line that somebody said.
    Text(&'a [u8]),
    /// The acknowledgement of a line of ours.
    Acked,
    /// The last request, to log in or to join, is done.
    Ready,
    Refused(String),
}

/// The state of reading a connection.
pub(crate) struct Heard {
    system: System,
    /// The beginning of an answer that has not come whole.
    rest: Vec<u8>,
    /// The seq that must come next; 0 before the first.
    next_seq: u64,
    /// The number of times that another one came.
    pub(crate) gaps: u64,
}

/// The replies that end a request.
const READY: [&[u8]; 3] = [b"= welcome ", b"= at ", b"= end "];

/// Printable characters, each for six bits.
const DIGITS_FROM: u8 = b'0';
const SENDER_DIGITS: usize = 2;
const N_DIGITS: usize = 6;
const SENT_DIGITS: usize = 8;

impl Tag {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let begin = out.len();
        for (value, digits) in [
            (self.sender as u64, SENDER_DIGITS),
            (self.n, N_DIGITS),
            (self.sent_us, SENT_DIGITS),
        ] {
            for digit in (0..digits).rev() {
                out.push(DIGITS_FROM + ((value >> (6 * digit)) & 63) as u8);
            }
        }
        out.resize(begin + TEXT_BYTES, b'x');
    }

    pub(crate) fn read(text: &[u8]) -> Self {
        let number = |from: usize, digits: usize| {
            text[from..from + digits].iter().fold(0, |number, digit| {
                number << 6 | u64::from(digit.wrapping_sub(DIGITS_FROM))
            })
        };
        Self {
            sender: number(0, SENDER_DIGITS) as usize,
            n: number(SENDER_DIGITS, N_DIGITS),
            sent_us: number(SENDER_DIGITS + N_DIGITS, SENT_DIGITS),
        }
    }
}

/// Returns the bytes that open a session.
pub(crate) fn login(system: System, client: usize) -> Vec<u8> {
    match system {
        // The server speaks first.
        System::Ours => Vec::new(),
        System::Mosquitto => {
            let name = format!("c{client}");
            let mut packet = b"\0\x04MQTT\x04\x02\0\0".to_vec();
            packet.extend((name.len() as u16).to_be_bytes());
            packet.extend(name.as_bytes());
            mqtt(0x10, &packet)
        }
        System::Nats => {
            b"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":true}\r\nPING\r\n"
                .to_vec()
        }
    }
}

/// Returns the bytes that subscribe this connection to everything that is said from now on.
pub(crate) fn join(system: System) -> Vec<u8> {
    match system {
        System::Ours => b"/follow head\n".to_vec(),
        System::Mosquitto => mqtt(0x82, b"\0\x01\0\x04room\0"),
        System::Nats => b"SUB room 1\r\nPING\r\n".to_vec(),
    }
}

/// Returns the bytes that create a store for lines, if the server has none yet.
pub(crate) fn prepare_to_store(system: System) -> Option<Vec<u8>> {
    let config = r#"{"name":"ROOM","subjects":["room"],"storage":"file","retention":"limits"}"#;
    (system == System::Nats).then(|| {
        format!(
            "SUB _INBOX.made 2\r\nPUB $JS.API.STREAM.CREATE.ROOM _INBOX.made {}\r\n{config}\r\n",
            config.len()
        )
        .into_bytes()
    })
}

/// Returns the bytes that subscribe this connection to its acknowledgements.
pub(crate) fn await_acks(system: System, client: usize) -> Vec<u8> {
    match system {
        System::Ours | System::Mosquitto => Vec::new(),
        System::Nats => format!("SUB _INBOX.c{client} 3\r\n").into_bytes(),
    }
}

/// Appends the bytes that say a line. With `is_acked` they ask the server to acknowledge it.
pub(crate) fn say(plan: &Plan, client: usize, is_acked: bool, tag: Tag, out: &mut Vec<u8>) {
    match plan.system {
        // Our server acknowledges it in any case.
        System::Ours => {
            // A database that was measured before knows the runs of that time, so each server has its own.
            let run = plan.address.port();
            out.extend(format!("/say bench{run:05}-{} ", tag.n).as_bytes());
            tag.write(out);
            out.push(b'\n');
        }
        System::Mosquitto => {
            let mut packet = b"\0\x04room".to_vec();
            if is_acked {
                // Any number that is not 0 and not in use.
                packet.extend(((tag.n % 60_000) as u16 + 1).to_be_bytes());
            }
            tag.write(&mut packet);
            out.extend(mqtt(if is_acked { 0x32 } else { 0x30 }, &packet));
        }
        System::Nats => {
            if is_acked {
                out.extend(format!("PUB room _INBOX.c{client} {TEXT_BYTES}\r\n").as_bytes());
            } else {
                out.extend(format!("PUB room {TEXT_BYTES}\r\n").as_bytes());
            }
            tag.write(out);
            out.extend(b"\r\n");
        }
    }
}

fn mqtt(kind: u8, packet: &[u8]) -> Vec<u8> {
    let length = u8::try_from(packet.len()).expect("packets of the benchmark are short");
    assert!(length < 128, "a length of one byte");
    let mut out = vec![kind, length];
    out.extend(packet);
    out
}

impl Heard {
    pub(crate) fn new(system: System) -> Self {
        Self {
            system,
            rest: Vec::new(),
            next_seq: 0,
            gaps: 0,
        }
    }

    /// Takes the next bytes, and reports each answer that is whole.
    pub(crate) fn hear(&mut self, bytes: &[u8], mut each: impl FnMut(Event<'_>)) {
        if self.rest.is_empty() {
            let taken = self.take(bytes, &mut each);
            self.rest.extend_from_slice(&bytes[taken..]);
            return;
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let taken = self.take(&all, &mut each);
        all.drain(..taken);
        self.rest = all;
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(Event<'_>)) -> usize {
        match self.system {
            System::Ours => self.take_lines(bytes, each),
            System::Mosquitto => take_packets(bytes, each),
            System::Nats => take_messages(bytes, each),
        }
    }

    fn take_lines(&mut self, bytes: &[u8], each: &mut impl FnMut(Event<'_>)) -> usize {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[begin..end];
            begin = end + 1;
            match line.first() {
                Some(b'0'..=b'9') => {
                    self.note_seq(line);
                    let text = line.len().saturating_sub(TEXT_BYTES);
                    if line[..text].ends_with(b"] ") {
                        each(Event::Text(&line[text..]));
                    }
                }
                Some(b'=') if line.starts_with(b"= ok ") => each(Event::Acked),
                Some(b'=') if READY.iter().any(|reply| line.starts_with(reply)) => {
                    each(Event::Ready);
                }
                Some(b'!') => each(Event::Refused(String::from_utf8_lossy(line).into_owned())),
                _ => {}
            }
        }
        begin
    }

    fn note_seq(&mut self, line: &[u8]) {
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit());
        let seq = digits.fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
        if self.next_seq != 0 && seq != self.next_seq {
            self.gaps += 1;
        }
        self.next_seq = seq + 1;
    }
}

fn take_packets(bytes: &[u8], each: &mut impl FnMut(Event<'_>)) -> usize {
    let mut begin = 0;
    while let [kind, length, ..] = bytes[begin..] {
        assert!(length < 128, "a length of one byte");
        let end = begin + 2 + usize::from(length);
        let Some(packet) = bytes.get(begin + 2..end) else {
            break;
        };
        begin = end;
        match kind >> 4 {
            3 => each(Event::Text(&packet[packet.len() - TEXT_BYTES..])),
            4 => each(Event::Acked),
            2 | 9 if packet.last() == Some(&0) => each(Event::Ready),
            2 | 9 => each(Event::Refused(format!("{packet:?}"))),
            _ => {}
        }
    }
    begin
}

fn take_messages(bytes: &[u8], each: &mut impl FnMut(Event<'_>)) -> usize {
    let mut begin = 0;
    while let Some(length) = memchr::memchr(b'\n', &bytes[begin..]) {
        let head = bytes[begin..begin + length].trim_ascii_end();
        let body = begin + length + 1;
        if !head.starts_with(b"MSG ") {
            begin = body;
            if head == b"PONG" {
                each(Event::Ready);
            } else if head.starts_with(b"-ERR") {
                each(Event::Refused(String::from_utf8_lossy(head).into_owned()));
            }
            continue;
        }
        let digits = head.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let bytes_of_body = digits.iter().fold(0, |length, digit| {
            length * 10 + usize::from(digit.wrapping_sub(b'0'))
        });
        let end = body + bytes_of_body + 2;
        if end > bytes.len() {
            break;
        }
        let body = &bytes[body..end - 2];
        begin = end;
        if head.starts_with(b"MSG room ") {
            each(Event::Text(body));
        } else if memchr::memmem::find(body, b"\"error\"").is_some() {
            each(Event::Refused(String::from_utf8_lossy(body).into_owned()));
        } else {
            each(Event::Acked);
        }
    }
    begin
}
