//! The command line as people type it. clap makes `--help` from these texts.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use pki::Serial;
use time::{Date, Month};
use wire::{FullName, Role};

use super::passphrase::Source;
use super::report_args::{Report, parse_role};
use crate::ca::Which;
use crate::people::handout::Help;
use crate::sign::host::{Host, Reach};
use crate::sign::reason::Reason;

/// Issue one certificate per person, revoke them, and make the server's bundle
#[derive(Debug, Parser)]
#[command(name = "ca-tool", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The options of every command.
#[derive(Debug, clap::Args)]
pub(super) struct Globals {
    /// The CA's folder
    #[arg(
        long,
        global = true,
        display_order = 900,
        value_name = "DIR",
        default_value = "ca"
    )]
    pub(super) dir: PathBuf,
    /// Read the passphrase of the CA's key from the first line of this file [default: ask]
    #[arg(long, global = true, display_order = 901, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Read it from an open descriptor instead, such as 3
    #[arg(
        long,
        global = true,
        display_order = 902,
        value_name = "N",
        conflicts_with = "passphrase_file",
        value_parser = parse_descriptor
    )]
    passphrase_fd: Option<u32>,
    /// Print the result as JSON, for programs
    #[arg(long, global = true, display_order = 903)]
    pub(super) json: bool,
    /// Do not ask for confirmation, before a revocation or before everybody's old certificates end
    #[arg(long, global = true, display_order = 904)]
    pub(super) yes: bool,
}

impl Globals {
    /// Returns the source of the passphrase.
    pub(super) fn passphrase_source(&self) -> Source {
        match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => Source::File(path.clone()),
            (None, Some(number)) => Source::Descriptor(number),
            (None, None) => Source::Terminal,
        }
    }
}

/// The certificates that a command is about.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// People, for all of their certificates
    #[arg(required_unless_present = "serial", value_name = "NAME")]
    names: Vec<String>,
    /// Only the certificate with this number, as `ca-tool list` shows it
    #[arg(long, value_name = "NUMBER", value_parser = parse_serial)]
    serial: Option<Serial>,
}

impl From<Selection> for Which {
    fn from(Selection { names, serial }: Selection) -> Self {
        Self { names, serial }
    }
}

/// What the page in a zip says about help.
#[derive(Debug, clap::Args)]
pub(super) struct PageHelp {
    /// Whom people may ask, for the page; remembered for later runs
    #[arg(long, value_name = "TEXT", requires = "zip", value_parser = parse_contact)]
    contact: Option<String>,
    /// Where people get the program `client`, for the page; remembered for later runs
    #[arg(long, value_name = "URL", requires = "zip", value_parser = parse_url)]
    client_url: Option<String>,
}

impl From<PageHelp> for Help {
    fn from(
        PageHelp {
            contact,
            client_url,
        }: PageHelp,
    ) -> Self {
        Self {
            contact,
            client_url,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a CA, an empty revocation list and a bundle for the server
    #[command(after_help = "Examples:\n  \
        ca-tool init --name \"Networks 101\" --host chat.example.org\n  \
        ca-tool --dir . init --name \"Networks 101\"      in an empty folder, which becomes private\n  \
        ca-tool init --ca-cert school.pem --ca-key school.key --crl school.crl\n\n\
        With an adopted CA, certificates that it signed elsewhere are valid here too.\n\
        You choose a passphrase for the CA's key. Every command that signs asks for it again.")]
    Init {
        /// The name of the room, which is part of every certificate
        #[arg(long, required_unless_present = "ca_cert")]
        name: Option<String>,
        /// A name without its flag is refused with the right command.
        #[arg(hide = true, value_name = "NAME", value_parser = refuse_bare_name)]
        bare_name: Option<String>,
        /// The certificate of an existing CA, to use instead of a new one
        #[arg(
            long,
            value_name = "FILE",
            requires = "ca_key",
            conflicts_with = "name"
        )]
        ca_cert: Option<PathBuf>,
        /// Its key; if it is encrypted, the copy keeps its passphrase
        #[arg(long, value_name = "FILE", requires = "ca_cert")]
        ca_key: Option<PathBuf>,
        /// Its revocation list so far, to continue from
        #[arg(long, value_name = "FILE", requires = "ca_cert")]
        crl: Option<PathBuf>,
        /// A name or address of the server, the best one first; this machine's own are added
        #[arg(long = "host", value_name = "NAME|IP", value_parser = Host::parse)]
        hosts: Vec<Host>,
        /// The server's port, for people's bundles
        #[arg(long, default_value_t = wire::PORT, value_parser = parse_port)]
        port: u16,
        /// Store the CA's key unencrypted, for anybody who can read this folder
        #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
        no_passphrase: bool,
    },
    /// Issue a certificate to each person who has none
    #[command(after_help = "Examples:\n  \
        ca-tool issue alice bob\n  \
        ca-tool issue alice --name \"Alice Ng\"\n  \
        ca-tool issue --roster class.csv --until 2027-02-01\n  \
        ca-tool issue --roster export.csv --preview      shows who would get which ID\n  \
        ca-tool issue --roster export.csv --id-from \"Email address\"\n  \
        ca-tool issue --roster class.csv --zip --out handouts --contact teacher@example.org\n\n\
        A roster is an Excel workbook or CSV whose first line names the columns: id, and optionally\n\
        name, email and role; or it has one ID on each line. Exports of Moodle, Canvas, Blackboard\n\
        and Google Classroom need --id-from once; after that it is remembered for the next list\n\
        with the same headings.\n\n\
        --id-from makes an ID by these rules: the part before the @, in lower case, without spaces,\n\
        apostrophes and other signs; accents stay, at most 32 characters, and equal ones are\n\
        numbered. The same person keeps the same ID in every run.\n\n\
        People who have a certificate are skipped, so the same roster with three late enrolments\n\
        issues three. People on hold are skipped too, and so are people whose certificate was\n\
        revoked. To issue to them anyway, name them: `issue NAME`.")]
    Issue {
        /// People's names, as they appear in the room
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// A class list: CSV, an Excel workbook (.xlsx), or one ID on each line
        #[arg(long, value_name = "FILE")]
        roster: Option<PathBuf>,
        /// Show who would get which ID, and issue nothing
        #[arg(long, requires = "roster")]
        preview: bool,
        /// The roster's column from which to make IDs, by its heading or its number
        #[arg(
            long,
            value_name = "COLUMN",
            requires = "roster",
            conflicts_with = "id_column"
        )]
        id_from: Option<String>,
        /// The roster's column whose texts are IDs as they are [default: id]
        #[arg(long, value_name = "COLUMN", requires = "roster")]
        id_column: Option<String>,
        /// Its column of full names; given twice, as for first and last names, the two are joined
        #[arg(long = "name-column", value_name = "COLUMN", requires = "roster")]
        name_columns: Vec<String>,
        /// Its column of mail addresses
        #[arg(long, value_name = "COLUMN", requires = "roster")]
        email_column: Option<String>,
        /// Its first line is a person, whatever it looks like
        #[arg(long, requires = "roster")]
        no_header: bool,
        /// The sheet of a workbook [default: the first one that has text]
        #[arg(long, value_name = "NAME", requires = "roster")]
        sheet: Option<String>,
        /// The encoding of a roster that is neither UTF-8 nor UTF-16, such as gb18030
        #[arg(long, value_name = "NAME", requires = "roster", value_parser = parse_encoding)]
        encoding: Option<&'static encoding_rs::Encoding>,
        /// The full name of the one person that you issue to, which the room shows beside the ID
        /// [default: the one in an earlier certificate]
        #[arg(long = "name", value_name = "FULL NAME", value_parser = FullName::parse_typed,
              requires = "names", conflicts_with = "roster")]
        full_name: Option<FullName>,
        /// The last day on which the certificates are valid, to its end where you are [default: 180 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
        until: Option<Date>,
        /// The role of people whose row names none: student, assistant, instructor or bot
        #[arg(long, default_value_t = Role::Student, value_parser = parse_role)]
        role: Role,
        /// The folder for the bundles [default: people/ in the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Make one zip per person, with the bundle and a page that explains it
        #[arg(long)]
        zip: bool,
        #[command(flatten)]
        help: PageHelp,
        /// Allow names that look like others, such as barnes and bames
        #[arg(long)]
        allow_lookalike: bool,
        /// The server's address in the bundles [default: the one from init]
        #[arg(long, value_name = "HOST[:PORT]", value_parser = Reach::parse)]
        server: Option<Reach>,
    },
    /// Make a bundle for another server, or a newer one for the same server
    #[command(after_help = "Examples:\n  \
        ca-tool issue-server                               its current names, and this machine's\n  \
        ca-tool issue-server chat2.example.org 192.0.2.8   only these names\n\n\
        The second makes ca/server-chat2.example.org.pem. \
        A running server picks it up when you rename it to the file of its --cert.")]
    IssueServer {
        /// Its names and addresses; the file is named after the first [default: those in
        /// ca/server.pem, and this machine's own]
        #[arg(value_name = "HOST", value_parser = Host::parse)]
        hosts: Vec<Host>,
        /// The folder for the bundle [default: the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Issue new certificates to people who have one, and end the old ones, at once or later
    #[command(after_help = "Examples:\n  \
        ca-tool renew alice\n  \
        ca-tool renew alice --name \"Alice Li\"\n  \
        ca-tool renew --all --until 2027-07-31 --overlap 14\n\n\
        People who made their own key keep it and get NAME.crt, for `ca-tool adopt`. Everybody else \
        gets a new key.")]
    Renew {
        /// The people whose certificates to renew
        #[arg(required_unless_present = "all", value_name = "NAME")]
        names: Vec<String>,
        /// Renew the certificates of everybody who has a valid one and is not on hold
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// The new full name of the one person whose certificate you renew [default: the old one]
        #[arg(long = "name", value_name = "FULL NAME", value_parser = FullName::parse_typed,
              conflicts_with = "all")]
        full_name: Option<FullName>,
        /// The last day on which the new certificates are valid, to its end where you are [default: 180 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
        until: Option<Date>,
        /// How many more days the old certificates are valid; the first command after that ends them
        #[arg(long, value_name = "DAYS", default_value_t = 0,
              value_parser = parse_overlap)]
        overlap: u16,
        /// The folder for the bundles [default: people/ in the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Make one zip per person, with the bundle and a page that explains it
        #[arg(long)]
        zip: bool,
        #[command(flatten)]
        help: PageHelp,
        /// The server's address in the bundles [default: the one from init]
        #[arg(long, value_name = "HOST[:PORT]", value_parser = Reach::parse)]
        server: Option<Reach>,
    },
    /// Write a bundle as PKCS#12, for a browser or a key chain
    #[command(after_help = "Examples:\n  \
        ca-tool export alice --p12      makes ca/people/alice.p12, and prints its password\n  \
        ca-tool export alice.pem --p12 --legacy")]
    Export {
        /// A person whose bundle is in the CA's folder, or the file of a bundle
        #[arg(value_name = "NAME|FILE")]
        what: String,
        /// As PKCS#12, which is the only format so far and need not be said
        #[arg(long)]
        p12: bool,
        /// Use triple DES and SHA-1, which older Windows and macOS require
        #[arg(long)]
        legacy: bool,
        /// The folder for the file [default: the bundle's]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Revoke people's certificates; a running server disconnects them within two seconds
    #[command(after_help = "Examples:\n  \
        ca-tool revoke alice --reason keyCompromise --note \"laptop stolen\"\n  \
        ca-tool revoke bob --reason certificateHold      until `ca-tool unhold bob`\n  \
        ca-tool revoke --serial 67f4f6740fe63f3068f5b7fc60941b79\n\n\
        Apart from a hold, a revocation is final, and keeps its first reason. At a terminal you are asked\n\
        whether you mean it; scripts are not asked. Only a key that turns\n\
        out to be compromised overrides that reason, and takes every certificate for the same key\n\
        with it.\n\
        --serial also accepts a number that `ca-tool list` does not show: of a certificate that this CA\n\
        signed elsewhere, or that is newer than the copy from which its folder was restored.")]
    Revoke {
        #[command(flatten)]
        which: Selection,
        /// keyCompromise, superseded, affiliationChanged, cessationOfOperation,
        /// privilegeWithdrawn, certificateHold (or hold, which can be undone) or unspecified
        #[arg(long, default_value_t = Reason::Unspecified, value_parser = parse_reason)]
        reason: Reason,
        /// Why, in your own words; it is kept in the CA's folder
        #[arg(long, value_name = "TEXT", value_parser = parse_note)]
        note: Option<String>,
    },
    /// Take certificates off hold, so that servers admit the people again
    #[command(after_help = "Example:\n  \
        ca-tool unhold bob")]
    Unhold {
        #[command(flatten)]
        which: Selection,
    },
    /// Make a key that stays on this machine, and a request for its certificate; needs no CA
    #[command(after_help = "Example:\n  \
        ca-tool request alice      makes alice.key, which you give to nobody, and alice.csr\n\n\
        Whoever runs the CA answers with `ca-tool sign alice.csr --as alice`.")]
    Request {
        /// Your name in the room
        #[arg(value_name = "NAME")]
        name: String,
        /// The folder for the two files
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Issue a certificate for the key in somebody's request
    #[command(after_help = "Example:\n  \
        ca-tool sign alice.csr --as alice      makes ca/people/alice.crt, the answer\n\n\
        Requests from other programs work too, such as\n  \
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout alice.key \
        -subj /CN=alice -out alice.csr\n\
        Only the key is used, and only if the signature proves that its maker has the private key.")]
    Sign {
        /// The request
        #[arg(value_name = "FILE")]
        request: PathBuf,
        /// The person whose key it is; the name in the request is ignored
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        /// The person's full name; one in the request is ignored [default: the one in an earlier
        /// certificate]
        #[arg(long = "name", value_name = "FULL NAME", value_parser = FullName::parse_typed)]
        full_name: Option<FullName>,
        /// The last day on which the certificate is valid, to its end where you are [default: 180 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
        until: Option<Date>,
        /// The person's role: student, assistant, instructor or bot
        #[arg(long, default_value_t = Role::Student, value_parser = parse_role)]
        role: Role,
        /// The folder for the answer [default: people/ in the CA's folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Allow a name that looks like another, such as bames and barnes
        #[arg(long)]
        allow_lookalike: bool,
        /// The server's address in the bundles [default: the one from init]
        #[arg(long, value_name = "HOST[:PORT]", value_parser = Reach::parse)]
        server: Option<Reach>,
    },
    /// Combine the answer to a request with its key into a bundle; needs no CA
    #[command(after_help = "Example:\n  \
        ca-tool adopt alice.crt --key alice.key      makes alice.pem, for client --cert\n\n\
        After a renewal the same command replaces the old bundle. It replaces only a bundle with the\n\
        same key, name and CA.")]
    Adopt {
        /// The answer: a certificate, with the CA's in the same file
        #[arg(value_name = "FILE")]
        answer: PathBuf,
        /// The key that was made with the request
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The folder for the bundle [default: the answer's]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    #[command(flatten)]
    Report(Report),
}

const EXIT_CODES: &str = "Exit codes:\n  \
    0   done\n  \
    1   not done, or not all of it\n  \
    2   the command line is wrong or incomplete\n  \
    3   only `status`: the CA or its revocation list needs attention\n  \
    77  the passphrase is wrong, empty, missing or cannot be read";

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
    read().ok_or_else(|| "write a day as 2027-02-01".to_owned())
}

fn parse_encoding(name: &str) -> Result<&'static encoding_rs::Encoding, String> {
    let encoding = encoding_rs::Encoding::for_label(name.as_bytes());
    encoding.ok_or_else(|| {
        "write an encoding as windows-1252, gb18030, big5, shift_jis, euc-kr, windows-1251 or iso-8859-2".to_owned()
    })
}

fn parse_reason(word: &str) -> Result<Reason, String> {
    // The word of the other command, `unhold`.
    if word.eq_ignore_ascii_case("hold") {
        return Ok(Reason::CertificateHold);
    }
    Reason::parse(word).ok_or_else(|| {
        format!(
            "the reasons are {}",
            Reason::ALL.map(Reason::as_str).join(", ")
        )
    })
}

/// Refuses a word that stands where only a flag can.
fn refuse_bare_name(text: &str) -> Result<String, String> {
    Err(format!(
        "the name of the room needs its flag: ca-tool init --name {}",
        pki::shell_word(text)
    ))
}

fn parse_port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("write a port from 1 to 65535, such as {}", wire::PORT))
}

fn parse_descriptor(text: &str) -> Result<u32, String> {
    let number = text.parse().ok();
    number.ok_or_else(|| "write the number of an open descriptor, such as 3".to_owned())
}

fn parse_overlap(text: &str) -> Result<u16, String> {
    let days = text.parse().ok().filter(|days| *days <= 365);
    days.ok_or_else(|| "write a whole number of days, at most 365".to_owned())
}

fn parse_serial(text: &str) -> Result<Serial, String> {
    Serial::parse(text).ok_or_else(|| {
        match text.bytes().all(|byte| byte.is_ascii_hexdigit()) && !text.is_empty() {
            true => "a number has at most 64 hexadecimal digits".to_owned(),
            false => format!("\"{}\" is not a hexadecimal number", wire::escape(text)),
        }
    })
}

/// Reads a note, which has to fit on one line of the index.
fn parse_note(text: &str) -> Result<String, String> {
    let is_good = !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| "a note has 1 to 256 bytes on one line".to_owned())
}

/// Reads a contact, which has to fit on one line of a page.
fn parse_contact(text: &str) -> Result<String, String> {
    match is_short_line(text) {
        true => Ok(text.trim().to_owned()),
        false => Err("a contact has 1 to 256 bytes on one line".to_owned()),
    }
}

/// Reads the address of a page or a file. A browser opens it when somebody clicks it, so nothing but
/// HTTP is allowed.
fn parse_url(text: &str) -> Result<String, String> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let is_url = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    match is_url && is_short_line(text) && !text.contains(char::is_whitespace) {
        true => Ok(text.to_owned()),
        false => Err("write an address such as https://chat.example.org/client".to_owned()),
    }
}

fn is_short_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 256 && wire::escape(text) == text
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
    fn a_contact_and_an_address_fit_on_one_line_and_an_address_is_one_of_the_web() {
        for good in ["teacher@example.org", "Room 12, Monday 10 to 11", "张老师"] {
            assert_eq!(parse_contact(good).as_deref(), Ok(good));
        }
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(257)] {
            assert!(parse_contact(bad).is_err(), "{bad}");
        }
        for good in ["https://chat.example/", "http://192.0.2.7:8000/client?a=b"] {
            assert_eq!(parse_url(good).as_deref(), Ok(good));
        }
        for bad in [
            "chat.example",
            "https://",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https:///a",
            "https://a b",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
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
