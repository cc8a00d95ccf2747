//! The commands that report, as people type them.

use std::path::PathBuf;

use clap::Subcommand;
use wire::Role;

#[derive(Debug, Subcommand)]
pub(super) enum Report {
    /// List who has a certificate, until when, and what was revoked
    #[command(after_help = "Examples:\n  \
        ca-tool list --expiring 30d\n  \
        ca-tool list --role student --json | jq -r '.[].name'")]
    List {
        /// Only certificates that end within this time and were not renewed, such as 30d or 2w
        #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "30d",
              value_parser = parse_days)]
        expiring: Option<time::Duration>,
        /// Only certificates that were revoked
        #[arg(long, conflicts_with = "expiring")]
        revoked: bool,
        /// Only people of this role: student, assistant, instructor or bot
        #[arg(long, value_parser = parse_role)]
        role: Option<Role>,
    },
    /// Show what is in a certificate, a bundle, a request or a revocation list
    #[command(after_help = "Examples:\n  \
        ca-tool show alice\n  \
        ca-tool show ca/crl.pem")]
    Show {
        /// A file, or the name of a person
        #[arg(value_name = "FILE|ID")]
        what: String,
    },
    /// Say whether a server would admit the holder of a file, and why not
    #[command(after_help = "Examples:\n  \
        ca-tool verify ca/people/alice.pem\n  \
        ca-tool verify alice.crt --crl /srv/chat/crl.pem --strict-revocation\n\n\
        It asks the same gate that servers use.\n\n\
        Exit codes: 0 admitted, 1 not admitted, or an error")]
    Verify {
        /// A bundle, or a certificate alone
        file: PathBuf,
        /// The revocation list that the server has [default: the CA's]
        #[arg(long, value_name = "FILE")]
        crl: Option<PathBuf>,
        /// As the server's option: once its list has expired, it admits nobody
        #[arg(long)]
        strict_revocation: bool,
    },
    /// Show the state of the CA, its list and its certificates on one screen
    #[command(after_help = "Examples:\n  \
        ca-tool status\n  \
        ca-tool status --db chat.db\n  \
        0 7 * * *  cd /srv/chat && ca-tool status >status.txt || mail -s \"chat: $?\" me <status.txt\n\n\
        Exit codes, for the worst finding:\n  \
        0  everything is good\n  \
        1  something expires within 30 days\n  \
        2  something has expired and was neither renewed nor revoked (to close the case, use\n     \
        `revoke --serial`)\n  \
        3  the CA or its revocation list is expired, missing, damaged or incomplete;\n     \
        or the state could not be determined")]
    Status {
        /// The server's database, to show who never connected; needs the program `server`
        #[arg(long, value_name = "FILE")]
        db: Option<PathBuf>,
    },
    /// Look for everything that will cause trouble, and say how to fix it
    #[command(after_help = "Examples:\n  \
        ca-tool doctor\n  \
        ca-tool doctor --crl /srv/chat/crl.pem      is this folder older than the server's list?\n\n\
        Checks the clock, file modes, the key, the index, the revocation list, the bundles, and\n\
        whether the server's bundle has this machine's names.\n\n\
        Exit codes: 0 nothing is bad, 1 something is bad, with its fix")]
    Doctor {
        /// The revocation list of a server elsewhere, to compare it with this folder
        #[arg(long, value_name = "FILE")]
        crl: Option<PathBuf>,
    },
    /// Sign the revocation list again, with a new number and a new expiry
    #[command(after_help = "Examples:\n  \
        ca-tool crl\n  \
        ca-tool crl --merge /srv/chat/crl.pem      after restoring the folder from an old copy\n\n\
        Every command does this by itself when the list has fewer than 30 days left. An old copy \
        of the\nfolder lacks later revocations, and would let these people in again: --merge adds \
        them from a\nserver's list.")]
    Crl {
        /// Add the revocations of another list of this CA, such as the server's copy
        #[arg(long, value_name = "FILE")]
        merge: Option<PathBuf>,
    },
}

/// Reads a role.
pub(super) fn parse_role(word: &str) -> Result<Role, String> {
    Role::parse(word)
        .ok_or_else(|| format!("the roles are {}", Role::ALL.map(Role::as_str).join(", ")))
}

/// Reads days, `30d`, or weeks, `2w`.
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
    read().ok_or_else(|| "write a whole number of days or weeks, as 30d or 2w".to_owned())
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
