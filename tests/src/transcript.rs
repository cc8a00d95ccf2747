//! Plays a transcript of the protocol against a real room: sends the client's lines, and compares
//! each line of the server with the written one.

use std::collections::{BTreeMap, VecDeque};

use tokio::io::AsyncWriteExt as _;
use wire::Timestamp;

use crate::{Peer, World};

/// A transcript as a document has it.
#[derive(Debug)]
pub struct Transcript {
    /// The word after the dialect, which says where the transcript happens. Empty for a new room.
    pub setting: String,
    speaks_ours: bool,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Client(String),
    Server(String),
}

/// A room, and the times in it that are known so far.
#[derive(Debug)]
pub struct Scene {
    world: World,
    times: BTreeMap<String, String>,
}

impl Transcript {
    /// Reads a fenced block: a dialect and perhaps a setting, then lines that begin with `C: ` or
    /// `S: `.
    pub fn read(block: &str) -> Self {
        let (words, lines) = block.split_once('\n').expect("a dialect, then lines");
        let words: Vec<&str> = words.split_whitespace().collect();
        let step = |line: &str| match line.split_once(": ") {
            Some(("C", text)) => Step::Client(text.to_owned()),
            Some(("S", text)) => Step::Server(text.to_owned()),
            _ => panic!("neither C: nor S: {line}"),
        };
        let (dialect, setting) = match words.as_slice() {
            [dialect] => (*dialect, ""),
            [dialect, setting] => (*dialect, *setting),
            other => panic!("no such transcript: {other:?}"),
        };
        let speaks_ours = match dialect {
            "plain" => false,
            "countersign/1" => true,
            other => panic!("no such dialect: {other}"),
        };
        Self {
            setting: setting.to_owned(),
            speaks_ours,
            steps: lines.lines().map(step).collect(),
        }
    }

    /// Returns the number of refusals in it.
    pub fn refusals(&self) -> usize {
        let is_one = |step: &&Step| matches!(step, Step::Server(line) if line.starts_with("! "));
        self.steps.iter().filter(is_one).count()
    }
}

impl Scene {
    /// Sets the scene in a room where nothing was said yet.
    pub fn new(world: World) -> Self {
        Self {
            world,
            times: BTreeMap::new(),
        }
    }

    /// Plays a transcript as alice.
    ///
    /// # Panics
    ///
    /// If the server says anything other than what is written.
    pub async fn play(&mut self, transcript: &Transcript) {
        let mut peer = match transcript.speaks_ours {
            true => self.world.connect_ours("alice").await,
            false => self.world.connect("alice").await,
        };
        let mut has_ended = false;
        let mut steps = transcript.steps.iter().peekable();
        while steps.peek().is_some() {
            while let Some(Step::Client(line)) = steps.next_if(|s| matches!(s, Step::Client(_))) {
                self.send(&mut peer, line).await;
            }
            let mut expected = Vec::new();
            while let Some(Step::Server(line)) = steps.next_if(|s| matches!(s, Step::Server(_))) {
                expected.push(line.as_str());
            }
            has_ended = expected.last() == Some(&"<end>");
            self.expect(&mut peer, &expected).await;
        }
        if has_ended {
            drop(peer);
            // The next transcript begins after this leave.
            self.world
                .until("select not exists (select 1 from joins where left_at is null)")
                .await;
        } else {
            // Nothing more was sent than what is written.
            peer.say("/ping").await;
            let last = peer.next_line().await.expect("an answer");
            assert!(last.starts_with("= at "), "one line more: {last}");
        }
    }

    async fn send(&self, peer: &mut Peer, line: &str) {
        if line == "<close>" {
            let closed = peer.stream.shutdown().await;
            return closed.expect("the connection is there");
        }
        let mut bytes = self.fill_in(line);
        bytes.push(b'\n');
        peer.send(bytes).await;
    }

    /// Compares the lines that come with those that are written. Only an `= ok` may stand elsewhere
    /// among the others.
    async fn expect(&mut self, peer: &mut Peer, expected: &[&str]) {
        let mut came = Vec::new();
        for _ in expected {
            came.push(peer.next_line().await.unwrap_or("<end>".to_owned()));
        }
        let is_ok = |line: &&str| line.starts_with("= ok ");
        let in_order = |lines: &[&str]| -> VecDeque<String> {
            let (oks, others): (Vec<&str>, Vec<&str>) = lines.iter().partition(|l| is_ok(l));
            others.into_iter().chain(oks).map(str::to_owned).collect()
        };
        let came: Vec<&str> = came.iter().map(String::as_str).collect();
        for (pattern, line) in in_order(expected).iter().zip(in_order(&came)) {
            assert!(
                matches(pattern, &line, &mut self.times),
                "the document says\n  {pattern}\nand the server\n  {line}"
            );
        }
    }

    /// Returns a client's line with its placeholders filled in.
    fn fill_in(&self, line: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts(line) {
            match part {
                Part::Literal(text) => bytes.extend_from_slice(text.as_bytes()),
                Part::Placeholder(inner) => match inner.split_once(' ') {
                    Some(("x", times)) => {
                        let times = times.trim_start_matches("* ").parse();
                        bytes.extend(std::iter::repeat_n(b'x', times.expect("a number")));
                    }
                    Some(("octet", hex)) => {
                        bytes.push(u8::from_str_radix(hex, 16).expect("an octet"));
                    }
                    _ => bytes.extend_from_slice(self.times[inner].as_bytes()),
                },
            }
        }
        bytes
    }
}

enum Part<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

fn parts(line: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        let (inner, after) = after.split_once('>').expect("a placeholder ends");
        parts.extend([Part::Literal(before), Part::Placeholder(inner)]);
        rest = after;
    }
    parts.push(Part::Literal(rest));
    parts
}

/// Returns whether a line is what a pattern says. Numbered times are remembered.
fn matches(pattern: &str, line: &str, times: &mut BTreeMap<String, String>) -> bool {
    if pattern == "<end>" {
        return line == pattern;
    }
    let mut rest = line;
    for part in parts(pattern) {
        let taken = match part {
            Part::Literal(text) => rest.starts_with(text).then_some(text.len()),
            Part::Placeholder(inner) => take(inner, rest, times),
        };
        let Some(taken) = taken else {
            return false;
        };
        rest = &rest[taken..];
    }
    rest.is_empty()
}

/// Returns the number of bytes that a placeholder stands for, if it stands for what comes.
fn take(placeholder: &str, text: &str, times: &mut BTreeMap<String, String>) -> Option<usize> {
    let value = text.split(' ').next().unwrap_or_default();
    let is_good = match placeholder {
        "epoch" => value.len() == 16 && value.bytes().all(|b| b.is_ascii_hexdigit()),
        "version" => value.split('.').all(|n| n.parse::<u32>().is_ok()),
        "time" => Timestamp::parse(value).is_ok(),
        numbered => {
            assert!(numbered.starts_with("time "), "no such thing: <{numbered}>");
            let known = times.entry(numbered.to_owned());
            Timestamp::parse(value).is_ok() && known.or_insert_with(|| value.to_owned()) == value
        }
    };
    is_good.then_some(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_stands_for_its_kind_and_a_numbered_time_for_one_time() {
        let mut times = BTreeMap::new();
        let time = "2026-11-21T10:00:00.123Z";
        let mut check = |pattern: &str, line: &str| matches(pattern, line, &mut times);
        assert!(check("1 <time> x", &format!("1 {time} x")));
        assert!(check("a=<epoch> v=<version>", "a=0123456789abcdef v=0.1.0"));
        assert!(!check("1 <time> x", "1 yesterday x"));
        assert!(!check("1 <time> x", &format!("1 {time} y")));
        assert!(!check("a=<epoch>", "a=0123456789abcdeg"));
        assert!(!check("v=<version>", "v="));
        assert!(check("<time 7>", time));
        assert!(check("<time 7>", time));
        assert!(!check("<time 7>", "2026-11-21T10:00:00.124Z"));
    }
}
