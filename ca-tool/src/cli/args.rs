//! The command line as it is typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use pki::Serial;
use time::{Date, Month};
use wire::Role;

use crate::ca::Which;
use crate::cli::report_args::Report;
use crate::keys::passphrase::Source;
use crate::sign::host::{Host, Reach};
use crate::sign::reason::Reason;

/// Issues one certificate per person, keeps who was revoked, and makes the server's bundle.
#[derive(Debug, Parser)]
#[command(name = "ca-tool", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the CA is, and what opens its key.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The CA's folder
    #[arg(
        long,
        global = true,
        display_order = 900,
        value_name = "DIR",
        default_value = "ca"
    )]
    pub(crate) dir: PathBuf,
    /// A file whose first line is the passphrase of the CA's key [default: the terminal is asked]
    #[arg(long, global = true, display_order = 901, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// A descriptor that is open, such as 3, in place of that file
    #[arg(
        long,
        global = true,
        display_order = 902,
        value_name = "N",
        conflicts_with = "passphrase_file"
    )]
    passphrase_fd: Option<u32>,
    /// Say what was done or found as JSON, for programs
    #[arg(long, global = true, display_order = 903)]
    pub(crate) json: bool,
    /// Yes to what would be asked, which is only before everybody's old certificates end
    #[arg(long, global = true, display_order = 904)]
    pub(crate) yes: bool,
}

impl Place {
    /// Where a passphrase comes from.
    pub(crate) fn passphrase(&self) -> Source {
        match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => Source::File(path.clone()),
            (None, Some(number)) => Source::Descriptor(number),
            (None, None) => Source::Terminal,
        }
    }
}

/// Which certificates are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct WhichArgs {
    /// Whose certificates: all that they have
    #[arg(required_unless_present = "serial", value_name = "NAME")]
    names: Vec<String>,
    /// One certificate alone, by its number, such as `ca-tool list` shows it
    #[arg(long, value_name = "NUMBER", value_parser = parse_serial)]
    serial: Option<Serial>,
}

impl From<WhichArgs> for Which {
    fn from(WhichArgs { names, serial }: WhichArgs) -> Self {
        Self { names, serial }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a CA, an empty revocation list and a bundle for the server
    #[command(after_help = "Examples:\n  \
        ca-tool init --name \"Networks 101\" --host chat.example.org\n  \
        ca-tool --dir . init --name \"Networks 101\"      in an empty folder, which it makes yours alone\n  \
        ca-tool init --ca-cert school.pem --ca-key school.key --crl school.crl\n\n\
        Whoever holds a certificate that an adopted CA signed elsewhere is let in by servers here too.\n\
        It asks for a passphrase for the CA's key, which every command that signs asks for again.")]
    Init {
        /// What the room is called; stands in every certificate
        #[arg(long, required_unless_present = "ca_cert")]
        name: Option<String>,
        /// The certificate of a CA that is there already, to use it instead of a new one
        #[arg(
            long,
            value_name = "FILE",
            requires = "ca_key",
            conflicts_with = "name"
        )]
        ca_cert: Option<PathBuf>,
        /// Its key; if it is encrypted, the copy has the same passphrase
        #[arg(long, value_name = "FILE", requires = "ca_cert")]
        ca_key: Option<PathBuf>,
        /// What it has revoked so far, to go on from there
        #[arg(long, value_name = "FILE", requires = "ca_cert")]
        crl: Option<PathBuf>,
        /// Where people reach the server, the best first; this machine's own names are added
        #[arg(long = "host", value_name = "NAME|IP", value_parser = Host::parse)]
        hosts: Vec<Host>,
        /// The server's port, for people's bundles
        #[arg(long, default_value_t = wire::PORT, value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
        /// Store the CA's key as it is, for everybody who can read this folder
        #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
        no_passphrase: bool,
    },
    /// Issue a certificate to each person who has none
    #[command(after_help = "Examples:\n  \
        ca-tool issue alice bob\n  \
        ca-tool issue --roster class.csv --until 2027-02-01\n  \
        ca-tool issue --roster export.csv --id-column \"Student ID\"\n  \
        ca-tool issue --roster class.csv --zip --out handouts --server chat.example.org\n\n\
        A roster is CSV in UTF-8 whose first line names the columns: id, and if wanted name,\n\
        email and role; or one id a line. Who has a certificate is passed over, so the same\n\
        roster with three late enrolments issues three. So is who is on hold, and who was\n\
        revoked: `issue NAME` gives them another.")]
    Issue {
        /// People's names; they become what stands before the @
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// A CSV file of people, or one name a line
        #[arg(long, value_name = "FILE")]
        roster: Option<PathBuf>,
        /// What the roster calls the column of people's names [default: id]
        #[arg(long, value_name = "COLUMN", requires = "roster")]
        id_column: Option<String>,
        /// The last day on which the certificates are valid [default: 180 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
        until: Option<Date>,
        /// The role of everybody whose row names none: student, assistant, instructor or bot
        #[arg(long, default_value_t = Role::Student, value_parser = parse_role)]
        role: Role,
        /// Where the bundles go [default: people/ in the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Hand out one zip a person, with the bundle and a page that says what it is
        #[arg(long)]
        zip: bool,
        /// Issue names that look like others, such as barnes and bames
        #[arg(long)]
        allow_lookalike: bool,
        /// Where the server is, if not where init was told
        #[arg(long, value_name = "HOST[:PORT]", value_parser = Reach::parse)]
        server: Option<Reach>,
    },
    /// Make a bundle for another server, or a newer one for the same
    #[command(after_help = "Examples:\n  \
        ca-tool issue-server                               the names that it has, and this machine's\n  \
        ca-tool issue-server chat2.example.org 192.0.2.8   these names, and nothing else\n\n\
        The second makes ca/server-chat2.example.org.pem. \
        A server that runs takes it when it is renamed to the file of its --cert.")]
    IssueServer {
        /// Its names and addresses, the first names the file [default: those in ca/server.pem, and
        /// this machine's own]
        #[arg(value_name = "HOST", value_parser = Host::parse)]
        hosts: Vec<Host>,
        /// Where the bundle goes [default: the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Issue new certificates to people who have one; the old ones end at once, or later
    #[command(after_help = "Examples:\n  \
        ca-tool renew alice\n  \
        ca-tool renew --all --until 2027-07-31 --overlap 14\n\n\
        Whoever made their own key keeps it and gets NAME.crt, for `ca-tool adopt`; everybody else \
        gets a new key.")]
    Renew {
        /// Whose certificates
        #[arg(required_unless_present = "all", value_name = "NAME")]
        names: Vec<String>,
        /// Those of everybody who has a live one and is not on hold
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// The last day on which the new certificates are valid [default: 180 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
        until: Option<Date>,
        /// For how many more days the old certificates are good; the first run after that ends them
        #[arg(long, value_name = "DAYS", default_value_t = 0,
              value_parser = clap::value_parser!(u16).range(0..=365))]
        overlap: u16,
        /// Where the bundles go [default: people/ in the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Hand out one zip a person, with the bundle and a page that says what it is
        #[arg(long)]
        zip: bool,
        /// Where the server is, if not where init was told
        #[arg(long, value_name = "HOST[:PORT]", value_parser = Reach::parse)]
        server: Option<Reach>,
    },
    /// Write a bundle as PKCS#12, for a browser or a key chain
    #[command(after_help = "Examples:\n  \
        ca-tool export alice --p12      makes ca/people/alice.p12, and prints its password\n  \
        ca-tool export alice.pem --p12 --legacy")]
    Export {
        /// A person whose bundle is in the CA's folder, or a bundle
        #[arg(value_name = "NAME|FILE")]
        what: String,
        /// As PKCS#12; there is no other form yet
        #[arg(long, required = true)]
        p12: bool,
        /// With triple DES and SHA-1, which older Windows and macOS insist on
        #[arg(long)]
        legacy: bool,
        /// Where the file goes [default: where the bundle is]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Revoke people's certificates; a running server puts them out within two seconds
    #[command(after_help = "Examples:\n  \
        ca-tool revoke alice --reason keyCompromise --note \"laptop stolen\"\n  \
        ca-tool revoke bob --reason certificateHold      until `ca-tool unhold bob`\n  \
        ca-tool revoke --serial 67f4f6740fe63f3068f5b7fc60941b79\n\n\
        Who is revoked stays so, with the reason that was given first; but a key that turns out to be\n\
        compromised is revoked as such whatever the reason was, with every certificate for it.\n\
        --serial also takes a number that `ca-tool list` does not show, of a certificate that this CA\n\
        signed elsewhere, or after the copy was made from which its folder was put back.")]
    Revoke {
        #[command(flatten)]
        which: WhichArgs,
        /// keyCompromise, superseded, affiliationChanged, cessationOfOperation,
        /// privilegeWithdrawn, certificateHold (for the time being) or unspecified
        #[arg(long, default_value_t = Reason::Unspecified, value_parser = parse_reason)]
        reason: Reason,
        /// Why, in your own words; it stays in the CA's folder
        #[arg(long, value_name = "TEXT", value_parser = parse_note)]
        note: Option<String>,
    },
    /// Let people in again whose certificates are on hold
    #[command(after_help = "Example:\n  \
        ca-tool unhold bob")]
    Unhold {
        #[command(flatten)]
        which: WhichArgs,
    },
    /// Make a key that stays on this machine, and a request for its certificate; needs no CA
    #[command(after_help = "Example:\n  \
        ca-tool request alice      makes alice.key, which nobody else gets, and alice.csr\n\n\
        Whoever has the CA answers with `ca-tool sign alice.csr --as alice`.")]
    Request {
        /// Your name in the room
        #[arg(value_name = "NAME")]
        name: String,
        /// Where the two files go
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Issue a certificate for the key in somebody's request
    #[command(after_help = "Example:\n  \
        ca-tool sign alice.csr --as alice      makes ca/people/alice.crt, the answer\n\n\
        Requests of other programs are good too, such as\n  \
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout alice.key \
        -subj /CN=alice -out alice.csr\n\
        Only the key is taken, after the signature has proved who holds it.")]
    Sign {
        /// The request
        #[arg(value_name = "FILE")]
        request: PathBuf,
        /// Whose key it is; what the request says of itself is not looked at
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        /// The last day on which the certificate is valid [default: 180 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
        until: Option<Date>,
        /// The person's role: student, assistant, instructor or bot
        #[arg(long, default_value_t = Role::Student, value_parser = parse_role)]
        role: Role,
        /// Where the answer goes [default: people/ in the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Issue a name that looks like another, such as bames beside barnes
        #[arg(long)]
        allow_lookalike: bool,
        /// Where the server is, if not where init was told
        #[arg(long, value_name = "HOST[:PORT]", value_parser = Reach::parse)]
        server: Option<Reach>,
    },
    /// Join the answer to a request with its key into a bundle; needs no CA
    #[command(after_help = "Example:\n  \
        ca-tool adopt alice.crt --key alice.key      makes alice.pem, for client --cert\n\n\
        After a renewal the same command puts the new certificate in the place of the old one: a\n\
        bundle with the same key, name and CA is replaced, and nothing else.")]
    Adopt {
        /// The answer: a certificate, with the CA's in the same file
        #[arg(value_name = "FILE")]
        answer: PathBuf,
        /// The key that was made with the request
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where the bundle goes [default: where the answer is]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    #[command(flatten)]
    Report(Report),
}

const EXIT_CODES: &str = "Exit codes:\n  \
    0   done\n  \
    1   not done, or not all of it\n  \
    2   the command line is not complete or not understood\n  \
    3   only `status`: the CA or its revocation list is not good\n  \
    77  no passphrase, or not the right one: it is wrong, empty, missing or cannot be read";

fn parse_date(text: &str) -> Result<Date, String> {
    let read = || {
        let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] else {
            return None;
        };
        let digits =
            |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
            return None;
        }
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
    };
    read().ok_or_else(|| "a day has the form 2027-02-01".to_owned())
}

pub(crate) fn parse_role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| format!("there are {}", Role::ALL.map(Role::as_str).join(", ")))
}

fn parse_reason(word: &str) -> Result<Reason, String> {
    Reason::parse(word)
        .ok_or_else(|| format!("there are {}", Reason::ALL.map(Reason::as_str).join(", ")))
}

fn parse_serial(text: &str) -> Result<Serial, String> {
    Serial::parse(text).ok_or_else(|| "a number has at most 64 hexadecimal digits".to_owned())
}

/// A note stands on one line, in a table.
fn parse_note(text: &str) -> Result<String, String> {
    let is_good = !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| "a note has 1 to 256 bytes on one line".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together_and_every_command_has_an_example() {
        let mut command = Args::command();
        command.build();
        command.clone().debug_assert();
        for command in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let help = command.get_after_help().map(ToString::to_string);
            let has_example = help.is_some_and(|help| help.contains("ca-tool "));
            assert!(has_example, "{}", command.get_name());
        }
    }

    #[test]
    fn a_day_has_one_form() {
        assert_eq!(
            parse_date("2027-02-01"),
            Ok(time::macros::date!(2027 - 02 - 01))
        );
        for bad in [
            "",
            "2027-2-1",
            "2027-02-30",
            "01.02.2027",
            "+027-02-01",
            "2027-02-01x",
        ] {
            assert!(parse_date(bad).is_err(), "{bad}");
        }
    }
}
