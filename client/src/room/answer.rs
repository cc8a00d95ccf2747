//! The answers of the server, in sentences.

use wire::{FullName, Role, Seen, Whois};

use crate::words::Clock;

/// Returns the answer to `/whois`: `bob is a student, here since 2026-11-21 19:00:00 from 192.0.2.9`.
pub(crate) fn whois(whois: &Whois, clock: &Clock) -> String {
    let Whois { role, ip, seen, .. } = whois;
    let person = FullName::beside(&whois.id, whois.name.as_ref());
    let is = match role {
        Role::Assistant | Role::Instructor => format!("{person} is an {role}"),
        Role::Student | Role::Bot => format!("{person} is a {role}"),
        Role::Unknown => format!("{person} has a role that this version does not know"),
    };
    match seen {
        Seen::Here { since, sessions } => {
            let since = clock.show(*since);
            let more = match sessions {
                0 => "; the connection was lost a moment ago".to_owned(),
                1 => String::new(),
                more => format!(", in {more} sessions"),
            };
            format!("{is}, here since {since} from {ip}{more}")
        }
        Seen::Left { at, reason } => {
            let at = at.map_or(String::new(), |at| format!(" at {}", clock.show(at)));
            let why = reason
                .as_ref()
                .map_or(String::new(), |why| format!(" ({why})"));
            format!("{is}, not here: left{at}{why}, last seen from {ip}")
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{Reply, ServerLine};

    use super::*;

    #[test]
    fn a_person_is_described_in_words() {
        let at = "2026-11-21T19:00:00.000Z";
        for (line, words) in [
            (
                format!("bob role=student ip=192.0.2.9 since={at} sessions=1"),
                "bob is a student, here since 2026-11-21 19:00:00 from 192.0.2.9",
            ),
            (
                format!("dr.okafor role=instructor ip=::1 since={at} sessions=2"),
                "dr.okafor is an instructor, here since 2026-11-21 19:00:00 from ::1, in 2 sessions",
            ),
            (
                format!("bob role=student ip=192.0.2.9 since={at} sessions=1 name=\"Bob Li\""),
                "bob \"Bob Li\" is a student, here since 2026-11-21 19:00:00 from 192.0.2.9",
            ),
            (
                format!("bob role=student ip=192.0.2.9 since={at} sessions=0"),
                "bob is a student, here since 2026-11-21 19:00:00 from 192.0.2.9; the connection was lost a moment ago",
            ),
            (
                format!("mia role=assistant ip=192.0.2.9 left={at} reason=goodbye sessions=0"),
                "mia is an assistant, not here: left at 2026-11-21 19:00:00 (goodbye), last seen from 192.0.2.9",
            ),
        ] {
            let Ok(ServerLine::Reply(Reply::Whois(answer))) =
                ServerLine::parse(&format!("= whois {line}"))
            else {
                panic!("{line}");
            };
            assert_eq!(whois(&answer, &Clock::utc()), words);
        }
    }
}
