//! The replies to commands, as values.

use std::time::SystemTime;

use pki::{Identity, Revocations};
use wire::{ClientId, Code, Refusal, Reply, Role, Timestamp};

use crate::room::mailbox::Told;
use crate::transcript::reader::Transcript;
use crate::transcript::record::LastSession;

/// Returns the reply to `/who`. An instructor is also told what is wrong with the revocation list;
/// others could do nothing about it.
pub(crate) fn who(
    transcript: &Transcript,
    identity: &Identity,
    revocations: &Revocations,
) -> Vec<Told> {
    let view = transcript.clone().view();
    let is_instructor = identity.role() == Role::Instructor;
    // Before the count, so that the last person who is here still ends the reply.
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
            "the revocation list was to be renewed by {} (any run of ca-tool does it)",
            Timestamp::from(since)
        ),
    })
}

/// Returns the reply to `/whois ID`.
pub(crate) async fn whois(transcript: &Transcript, id: &ClientId) -> Told {
    let view = transcript.clone().view();
    if let Some(here) = view.here.iter().find(|here| here.id == *id) {
        return Told::Reply(Reply::Other(format!(
            "whois {id} role={} ip={} since={} sessions={}",
            here.role, here.ip, here.since, here.sessions
        )));
    }
    match transcript.last_session(id).await {
        Ok(Some(last)) => {
            let LastSession { role, ip, .. } = last;
            let left = last.left_at.unwrap_or_default();
            let why = last.reason.unwrap_or_default();
            Told::Reply(Reply::Other(format!(
                "whois {id} role={role} ip={ip} left={left} reason={why} sessions=0"
            )))
        }
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
    let rest = "help anything else is said; // at the beginning says one slash".to_owned();
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
