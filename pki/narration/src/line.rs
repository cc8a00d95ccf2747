//! The lines of the protocol in words, without the text that people say: a line is told by its kind,
//! its numbers and its length.

use wire::{Kind, Refusal, Reply, Request, ServerLine, Start};

/// Returns a line of a client in words.
pub fn from_client(line: &[u8]) -> String {
    match Request::parse(line) {
        Ok(None) => "an empty line".to_owned(),
        Ok(Some(request)) => self::request(&request),
        Err(refusal) => format!(
            "a line of {} bytes that the server refuses: {}",
            line.len(),
            code(&refusal)
        ),
    }
}

/// Returns a request in words.
pub fn request(request: &Request) -> String {
    match request {
        Request::Say(line) => format!("a line to say, {} of text", bytes(line.as_str())),
        Request::SayOnce(nonce, line) => format!(
            "/say {nonce}: a line to say, {} of text; the name {nonce} keeps it from being said twice",
            bytes(line.as_str())
        ),
        Request::Follow(Start::Beginning) => "/follow 0: send me every entry".to_owned(),
        Request::Follow(Start::Head) => "/follow head: send me the entries from now on".to_owned(),
        Request::Follow(Start::After { seq, .. }) => {
            format!(
                "/follow {seq} with its time: I have everything up to entry {seq}; send me the rest"
            )
        }
        Request::History { .. } => "/history: send me earlier entries".to_owned(),
        Request::Who => "/who: who is here?".to_owned(),
        Request::Whois(id) => format!("/whois {id}"),
        Request::Ping => "/ping: are you there?".to_owned(),
        Request::Nick => "/nick: which name do I have?".to_owned(),
        Request::Help => "/help".to_owned(),
        Request::Quit => "/quit: I leave".to_owned(),
    }
}

/// Returns a line of a server in words.
pub fn from_server(line: &[u8]) -> String {
    let unknown = || {
        format!(
            "a line of {} bytes that this version does not know",
            line.len()
        )
    };
    let Ok(text) = std::str::from_utf8(line) else {
        return format!("a line of {} bytes that is not UTF-8", line.len());
    };
    match ServerLine::parse(text) {
        Ok(ServerLine::Entry(entry)) => {
            let what = match &entry.kind {
                Kind::Message(line) => format!("a message with {} of text", bytes(line.as_str())),
                Kind::Enter => "an enter".to_owned(),
                Kind::Leave(_) => "a leave".to_owned(),
            };
            format!(
                "entry {}: {what}, from {} at {}",
                entry.seq, entry.id, entry.ip
            )
        }
        Ok(ServerLine::NewerEntry(entry)) => format!("entry {}, of a newer kind", entry.seq),
        Ok(ServerLine::Reply(reply)) => replied(&reply, line.len()),
        Ok(ServerLine::Refusal(refusal)) => {
            let of = match &refusal.nonce {
                Some(nonce) => format!(" of the line {nonce}"),
                None => String::new(),
            };
            format!("! {}: a refusal{of}", code(&refusal))
        }
        Ok(ServerLine::Unknown) => unknown(),
        Err(_) => format!("a line of {} bytes that breaks the grammar", line.len()),
    }
}

fn replied(reply: &Reply, length: usize) -> String {
    match reply {
        Reply::Welcome(welcome) => format!(
            "= welcome: you are {} ({}), I see you at {}, the newest entry is {}",
            welcome.id, welcome.role, welcome.ip, welcome.head
        ),
        Reply::Ok { nonce, seq } => {
            format!("= ok {nonce} {seq}: the line {nonce} is entry {seq}, and on the server's disk")
        }
        Reply::At(seq) => format!("= at {seq}: you have been sent everything up to entry {seq}"),
        Reply::Bye { reason, .. } => format!("= bye {}: the session ends", reason.as_str()),
        Reply::Replayed(entry) => format!("= entry {}, sent again as an answer", entry.seq),
        Reply::ReplayedNewer(entry) => format!("= entry {}, sent again as an answer", entry.seq),
        Reply::Begin(topic) => format!("= begin {topic}: the answer begins"),
        Reply::End(topic) => format!("= end {topic}: the answer is complete"),
        Reply::Who { count, .. } => format!("= who: {count} here, a line for each"),
        Reply::Here(_) => "= here: one of them".to_owned(),
        Reply::Note { about, .. } => format!("= note about {about}"),
        Reply::Whois(_) => "= whois: the answer".to_owned(),
        Reply::Other(_) => format!("a reply of {length} bytes"),
    }
}

fn bytes(text: &str) -> String {
    match text.len() {
        1 => "1 byte".to_owned(),
        bytes => format!("{bytes} bytes"),
    }
}

fn code(refusal: &Refusal) -> &'static str {
    refusal.code.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_told_with_its_text() {
        for line in [
            "hidden",
            "/say run-1 hidden",
            "/hidden hidden",
            "//hidden",
            "/say hidden",
        ] {
            let told = from_client(line.as_bytes());
            assert!(!told.contains("hidden"), "{told}");
            assert!(told.contains("line"), "{told}");
        }
        for line in [
            "12 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hidden",
            "= 12 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hidden",
            "= whatever hidden",
            "! bad-command - hidden",
            "? hidden",
            "12 hidden",
        ] {
            let told = from_server(line.as_bytes());
            assert!(!told.contains("hidden"), "{told}");
        }
        let entry = from_server(b"12 2026-11-21T10:00:00.123Z [alice@192.0.2.7] hello");
        assert_eq!(
            entry,
            "entry 12: a message with 5 bytes of text, from alice at 192.0.2.7"
        );
    }
}
