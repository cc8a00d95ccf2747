//! The replies to commands, as values.

use std::time::SystemTime;

use pki::{Identity, Revocations};
use wire::{ClientId, Code, Refusal, Reply, Role, Seen, Timestamp, Whois};

use crate::room::mailbox::Told;
use crate::transcript::reader::Transcript;

/// Returns the reply to `/who`. An instructor also learns about an outdated revocation list; others
/// could do nothing about it.
pub(crate) fn who(
    transcript: &Transcript,
    identity: &Identity,
    revocations: &Revocations,
) -> Vec<Told> {
    let view = transcript.clone().view();
    let is_instructor = identity.role() == Role::Instructor;
    // Before the count, so that the last person in the list still ends the reply.
    let note = is_instructor.then(|| stale_list(revocations)).flatten();
    let who = Reply::Who {
        seq: view.head,
        count: view.here.len() as u64,
    };
    let here = view.here.iter().cloned().map(Reply::Here);
    let lines = note.into_iter().chain([who]).chain(here);
    lines.map(Told::Reply).collect()
}

fn stale_list(revocations: &Revocations) -> Option<Reply> {
    let since = revocations.stale_since(SystemTime::now())?;
    Some(Reply::Note {
        about: "stale-list".to_owned(),
        words: format!(
            "the revocation list should have been renewed by {} (any run of ca-tool does it)",
            Timestamp::from(since)
        ),
    })
}

/// Returns the reply to `/whois ID`.
pub(crate) async fn whois(transcript: &Transcript, id: &ClientId) -> Told {
    let view = transcript.clone().view();
    if let Some(here) = view.here.iter().find(|here| here.id == *id) {
        let seen = Seen::Here {
            since: here.since,
            sessions: here.sessions,
        };
        return Told::Reply(Reply::Whois(Whois {
            id: here.id.clone(),
            role: here.role,
            ip: here.ip,
            seen,
            name: here.name.clone(),
        }));
    }
    match transcript.last_session(id).await {
        Ok(Some(last)) => Told::Reply(Reply::Whois(Whois {
            id: id.clone(),
            role: last.role,
            ip: last.ip,
            seen: Seen::Left {
                at: last.left_at,
                reason: last.reason,
            },
            name: last.name,
        })),
        Ok(None) => {
            let words = format!("{id} was never here");
            Told::Refusal(Refusal::new(Code::UnknownId, words))
        }
        Err(error) => {
            tracing::error!(%error, "joins cannot be read");
            let words = "the record cannot be read now";
            Told::Refusal(Refusal::new(Code::TryLater, words))
        }
    }
}

/// Returns the reply to `/help`.
pub(crate) fn help() -> Vec<Told> {
    let commands = wire::COMMANDS.iter().map(|command| {
        let usage = format!("{} {}", command.name, command.arguments);
        Reply::Other(format!("help {:<30} {}", usage.trim_end(), command.what))
    });
    let rest =
        "help anything else is sent to the room; begin a line with // to send a slash".to_owned();
    let begin = Reply::Begin("help".to_owned());
    let end = [Reply::Other(rest), Reply::End("help".to_owned())];
    let lines = [begin].into_iter().chain(commands).chain(end);
    lines.map(Told::Reply).collect()
}

/// Returns the answer to `/nick`: names come from certificates.
pub(crate) fn nick(identity: &Identity) -> Told {
    let words = format!(
        "you are {} because your certificate says so; for another name, ask for another certificate",
        identity.id()
    );
    Told::Refusal(Refusal::new(Code::NameFromCertificate, words))
}
