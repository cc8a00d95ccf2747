//! The commands that report, as they are typed.

use std::path::PathBuf;

use clap::Subcommand;
use wire::Role;

use crate::cli::args::parse_role;

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// List who has a certificate, until when, and who was revoked
    #[command(after_help = "Examples:\n  \
        ca-tool list --expiring 30d\n  \
        ca-tool list --role student --json | jq -r '.[].name'")]
    List {
        /// Only what is valid for no longer than this and was not renewed, such as 30d or 2w
        #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "30d",
              value_parser = parse_days)]
        expiring: Option<time::Duration>,
        /// Only what was revoked
        #[arg(long, conflicts_with = "expiring")]
        revoked: bool,
        /// Only people of this role: student, assistant, instructor or bot
        #[arg(long, value_parser = parse_role)]
        role: Option<Role>,
    },
    /// Say in plain words what a certificate, a bundle, a request or a revocation list holds
    #[command(after_help = "Examples:\n  \
        ca-tool show alice\n  \
        ca-tool show ca/crl.pem")]
    Show {
        /// A file, or the name of a person
        #[arg(value_name = "FILE|ID")]
        what: String,
    },
    /// Say whether a server would admit the holder of a file, and if not, why
    #[command(after_help = "Examples:\n  \
        ca-tool verify ca/people/alice.pem\n  \
        ca-tool verify alice.crt --crl /srv/chat/crl.pem --strict-revocation\n\n\
        The answer is that of the gate which servers use.\n\n\
        Exit codes: 0 admitted, 1 not admitted, or it cannot be said")]
    Verify {
        /// A bundle, or a certificate alone
        file: PathBuf,
        /// The revocation list that the server has [default: the CA's]
        #[arg(long, value_name = "FILE")]
        crl: Option<PathBuf>,
        /// As the server's: a list past its nextUpdate lets nobody in
        #[arg(long)]
        strict_revocation: bool,
    },
    /// Say on one screen how the CA, its list and its certificates stand
    #[command(after_help = "Examples:\n  \
        ca-tool status\n  \
        ca-tool status --db chat.db\n  \
        0 7 * * *  cd /srv/chat && ca-tool status >status.txt || mail -s \"chat: $?\" me <status.txt\n\n\
        Exit codes, the worst of what was found:\n  \
        0  all is good\n  \
        1  something expires within 30 days\n  \
        2  something has expired and was neither renewed nor revoked (`revoke --serial` says\n     \
        that it is over)\n  \
        3  the CA or its revocation list: expired, missing, damaged, or not complete;\n     \
        or the state could not be told")]
    Status {
        /// The server's database, to say who never connected; the program `server` reads it
        #[arg(long, value_name = "FILE")]
        db: Option<PathBuf>,
    },
    /// Look for what will be in somebody's way, and say how to mend it
    #[command(after_help = "Examples:\n  \
        ca-tool doctor\n  \
        ca-tool doctor --crl /srv/chat/crl.pem      is this folder older than the server's list?\n\n\
        Looks at the clock, file modes, the key, the index, the revocation list, bundles, and the\n\
        names in the server's bundle against this machine's.\n\n\
        Exit codes: 0 nothing bad, 1 something bad, with its fix")]
    Doctor {
        /// The revocation list that a server elsewhere has, to compare it with this folder
        #[arg(long, value_name = "FILE")]
        crl: Option<PathBuf>,
    },
    /// Sign the revocation list again, under a new number and with a new end
    #[command(after_help = "Examples:\n  \
        ca-tool crl\n  \
        ca-tool crl --merge /srv/chat/crl.pem      once the folder was put back from an old copy\n\n\
        Every command does this by itself when fewer than 30 days of the list are left. An old \
        copy of\nthe folder does not know who was revoked later, and would let them in again: \
        --merge takes that\nover from the list that a server has.")]
    Crl {
        /// Take over what another list of this CA revokes, such as the server's copy
        #[arg(long, value_name = "FILE")]
        merge: Option<PathBuf>,
    },
}

/// Days, `30d`, or weeks, `2w`.
fn parse_days(text: &str) -> Result<time::Duration, String> {
    let read = || {
        let (digits, days) = match text.strip_suffix('w') {
            Some(digits) => (digits, 7),
            None => (text.strip_suffix('d').unwrap_or(text), 1),
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let count = digits.parse::<u16>().ok().filter(|_| is_number)?;
        Some(time::Duration::days(i64::from(count) * days))
    };
    read().ok_or_else(|| "a time has the form 30d or 2w".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_days_or_weeks() {
        for (text, days) in [("30d", 30), ("30", 30), ("2w", 14), ("0d", 0)] {
            assert_eq!(parse_days(text), Ok(time::Duration::days(days)), "{text}");
        }
        for bad in ["", "d", "-1d", "+1d", "1.5d", "1y", "30 d", "65536d"] {
            assert!(parse_days(bad).is_err(), "{bad}");
        }
    }
}
