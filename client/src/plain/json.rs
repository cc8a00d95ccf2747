//! Entries, replies and refusals as objects of `--json`, for programs.

use std::borrow::Cow;

use serde::Serialize;
use wire::{
    Entry, FullName, Kind, NewerEntry, NewerKind, Reason, Refusal, Reply, Seen, Welcome, Whois,
};

/// One object of `--json`. Keys that do not apply are left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Json<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// A person's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// When a person's last session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<String>,
    /// Whether the entry answers a `/history`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

impl<'a> Json<'a> {
    pub(super) fn of_kind(kind: &'static str) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    pub(super) fn of_entry(entry: &'a Entry, replayed: bool) -> Self {
        let (kind, text, reason) = match &entry.kind {
            Kind::Message(line) => ("message", Some(line.as_str()), None),
            Kind::Enter => ("enter", None, None),
            Kind::Leave(why) => ("leave", None, Some(why.as_str())),
        };
        Self {
            seq: Some(entry.seq),
            at: Some(entry.at.to_string()),
            id: Some(entry.id.as_str()),
            ip: Some(entry.ip.to_string()),
            text: text.map(Cow::Borrowed),
            reason,
            replayed,
            ..Self::of_kind(kind)
        }
    }

    pub(super) fn of_newer_entry(entry: &'a NewerEntry, replayed: bool) -> Self {
        let json = match &entry.kind {
            NewerKind::Leave { id, ip, reason } => Self {
                id: Some(id.as_str()),
                ip: Some(ip.to_string()),
                reason: Some(reason),
                ..Self::of_kind("leave")
            },
            NewerKind::Other(words) => Self {
                text: Some(words.into()),
                ..Self::of_kind("other")
            },
        };
        Self {
            seq: Some(entry.seq),
            at: Some(entry.at.to_string()),
            replayed,
            ..json
        }
    }

    pub(super) fn of_welcome(welcome: &'a Welcome) -> Self {
        Self {
            at: Some(welcome.clock.to_string()),
            id: Some(welcome.id.as_str()),
            role: Some(welcome.role.as_str()),
            name: welcome.name.as_ref().map(FullName::as_str),
            ip: Some(welcome.ip.to_string()),
            room: Some(&welcome.room),
            head: Some(welcome.head),
            expires: welcome.expires.map(|expires| expires.to_string()),
            ..Self::of_kind("welcome")
        }
    }

    pub(super) fn of_reply(reply: &'a Reply) -> Self {
        match reply {
            Reply::Welcome(welcome) => Self::of_welcome(welcome),
            Reply::Ok { nonce, seq } => Self {
                seq: Some(*seq),
                nonce: Some(nonce.to_string()),
                ..Self::of_kind("ok")
            },
            Reply::At(seq) => Self {
                seq: Some(*seq),
                ..Self::of_kind("at")
            },
            Reply::Bye { reason, words } => Self {
                reason: Some(reason.as_str()),
                words: Some(words),
                ..Self::of_kind("bye")
            },
            Reply::Begin(topic) => Self {
                topic: Some(topic),
                ..Self::of_kind("begin")
            },
            Reply::End(topic) => Self {
                topic: Some(topic),
                ..Self::of_kind("end")
            },
            Reply::Replayed(entry) => Self::of_entry(entry, true),
            Reply::ReplayedNewer(entry) => Self::of_newer_entry(entry, true),
            Reply::Who { seq, count } => Self {
                seq: Some(*seq),
                count: Some(*count),
                ..Self::of_kind("who")
            },
            Reply::Here(here) => Self {
                id: Some(here.id.as_str()),
                role: Some(here.role.as_str()),
                name: here.name.as_ref().map(FullName::as_str),
                ip: Some(here.ip.to_string()),
                since: Some(here.since.to_string()),
                sessions: Some(here.sessions),
                ..Self::of_kind("here")
            },
            Reply::Note { about, words } => Self {
                topic: Some(about),
                words: Some(words),
                ..Self::of_kind("note")
            },
            Reply::Whois(whois) => Self::of_whois(whois),
            Reply::Other(text) => Self {
                text: Some(text.into()),
                ..Self::of_kind("reply")
            },
        }
    }

    /// The text repeats the other keys, as it does for each reply in words.
    fn of_whois(whois: &'a Whois) -> Self {
        let (since, sessions, left, reason) = match &whois.seen {
            Seen::Here { since, sessions } => (Some(*since), *sessions, None, None),
            Seen::Left { at, reason } => (None, 0, *at, *reason),
        };
        Self {
            topic: Some("whois"),
            id: Some(whois.id.as_str()),
            role: Some(whois.role.as_str()),
            name: whois.name.as_ref().map(FullName::as_str),
            ip: Some(whois.ip.to_string()),
            since: since.map(|since| since.to_string()),
            sessions: Some(sessions),
            left: left.map(|left| left.to_string()),
            reason: reason.map(Reason::as_str),
            text: Some(format!("whois {whois}").into()),
            ..Self::of_kind("reply")
        }
    }

    pub(super) fn of_refusal(refusal: &'a Refusal) -> Self {
        Self {
            code: Some(refusal.code.as_str()),
            nonce: refusal.nonce.as_ref().map(ToString::to_string),
            words: Some(&refusal.words),
            ..Self::of_kind("refusal")
        }
    }
}
