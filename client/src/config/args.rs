//! The command line as it is typed, and the configuration that follows from it.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Parser};
use pki::{Bundle, Purpose};

use super::ask::target;
use super::cert;
use crate::explain::Explainer;
use crate::os;
use crate::settings::{Bell, Form, Mouse, Since, Target, Theme};
use crate::words::{Clock, Failure};

/// Enter a room with your certificate, say what you type, show what is said.
#[derive(Debug, Parser)]
#[command(version, disable_version_flag = true, disable_help_flag = true)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// Your certificate; `client FILE` works too
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// The server [default: the one that FILE names]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// Earlier entries (window: 200, otherwise: head)
    #[arg(long, value_name = "head|N|all", value_parser = parse_since)]
    pub since: Option<Since>,
    /// When to stop reconnecting [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub give_up_after: Option<u64>,
    /// Show times in UTC, not in your own time zone
    #[arg(long)]
    pub utc: bool,
    /// Messages only, as `[ID@IP] text`, without times
    #[arg(long, group = "form")]
    pub bare: bool,
    /// The server's lines as they arrive
    #[arg(long, group = "form")]
    pub raw: bool,
    /// One JSON object per line
    #[arg(long, group = "form")]
    pub json: bool,
    /// Print lines on a terminal too: no window
    #[arg(long, action = ArgAction::SetTrue)]
    pub plain: bool,
    /// Give commands in a pipe: `/who`, `/quit`
    #[arg(long)]
    pub commands: bool,
    /// auto, dark, light, classic or none (NO_COLOR)
    #[arg(long, value_name = "THEME", hide_possible_values = true)]
    pub theme: Option<Theme>,
    /// When to ring: mention, all or off
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "mention",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub bell: Bell,
    /// Window: on, or off to select and copy; F7
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub mouse: Mouse,
    /// Explain each step and message on stderr
    #[arg(long)]
    pub explain: bool,
    /// Window: `[ID]`, not `[ID@IP]`; F9 switches
    #[arg(long)]
    pub short: bool,
    // Hidden, because everybody knows these two and the help needs the rows for something else.
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, hide = true)]
    version: Option<bool>,
    /// Print this help
    #[arg(short, long, action = ArgAction::Help, hide = true)]
    help: Option<bool>,
}

/// All of it fits a terminal of 80 columns and 24 rows, with a row left for the prompt.
const HELP: &str = "\
{about}:
{before-help}{usage-heading} {usage}
{options}
Exit codes: 0 done, 1 other, 2 usage, 4 network, 5 server not trusted, 6 ended,
            60 no certificate, 61 not admitted, 62 certificate not valid";

const EXAMPLES: &str = "\
\x20 client --cert alice.pem                       a window, on a terminal
  client --cert alice.pem --plain --since 20    lines, and the last 20 first
  echo done | client --cert bot.pem             say a line and leave";

/// The configuration of one run, read and checked.
#[derive(Debug)]
pub struct Config {
    /// Our certificate and key.
    pub bundle: Bundle,
    /// The server.
    pub target: Target,
    /// The earlier entries to show.
    pub since: Since,
    /// How long to try to reconnect; `None` means forever.
    pub give_up_after: Option<Duration>,
    /// The form of the output.
    pub form: Form,
    /// Whether there is a window, rather than lines.
    pub has_window: bool,
    /// Whether a line of a pipe that begins with a slash is a command.
    pub obeys_pipe: bool,
    /// The colours of the window.
    pub theme: Theme,
    /// When the window's bell rings.
    pub bell: Bell,
    /// Whether the window has the mouse.
    pub mouse: Mouse,
    /// Whether stamps in the window leave out addresses.
    pub is_short: bool,
    /// How times are shown.
    pub clock: Clock,
    /// Explains each step, or does nothing.
    pub explainer: Explainer,
    /// Warnings to show before anything else.
    pub warnings: Vec<String>,
}

impl Args {
    /// Reads the words of a command line. A file without a flag is the certificate.
    ///
    /// # Errors
    ///
    /// When they cannot be understood, or ask for the help.
    pub fn read(typed: &[OsString]) -> Result<Self, clap::Error> {
        let refused = match Self::try_parse_from(typed) {
            Ok(args) => return Ok(args),
            Err(refused) => refused,
        };
        let has_cert = typed.iter().any(|word| {
            let word = word.to_string_lossy();
            word == "--cert" || word.starts_with("--cert=")
        });
        let stray = match stray_word(&refused) {
            Some(word) if !has_cert && is_bundle_name(word) => word,
            _ => return Err(refused),
        };
        let is_it = |word: &OsString| word.to_str() == Some(stray);
        let Some(at) = typed.iter().skip(1).position(is_it) else {
            return Err(refused);
        };
        let mut with_flag = typed.to_vec();
        with_flag.insert(at + 1, "--cert".into());
        Self::try_parse_from(with_flag)
    }

    /// Returns a guess at the meaning of the words that were typed, and then takes clap's own guess,
    /// which knows less, out of the refusal.
    pub fn hint(refused: &mut clap::Error, typed: &[OsString]) -> Option<String> {
        let hint = guess(refused, typed)?;
        for clap_says in [
            ContextKind::SuggestedArg,
            ContextKind::Suggested,
            ContextKind::Usage,
        ] {
            refused.remove(clap_says);
        }
        Some(hint)
    }

    /// Reads the files that the arguments name.
    ///
    /// # Errors
    ///
    /// When the bundle cannot be read or no server is known.
    pub fn load(self) -> Result<Config, Failure> {
        let bundle = cert::read(&self.cert)?;
        let has_window = self.has_window();
        let target = target(self.server.as_deref(), &bundle, &self.cert)?;
        Ok(Config {
            target,
            since: self.since.unwrap_or(match has_window {
                true => Since::Last(WINDOW_ENTRIES),
                false => Since::Head,
            }),
            has_window,
            obeys_pipe: self.commands,
            theme: self.theme.unwrap_or_else(default_theme),
            bell: self.bell,
            mouse: self.mouse,
            is_short: self.short,
            give_up_after: self.give_up_after.map(Duration::from_secs),
            form: self.form(),
            clock: if self.utc {
                Clock::utc()
            } else {
                Clock::local()
            },
            explainer: Explainer::default(),
            warnings: warn_of_readers(&self.cert).into_iter().collect(),
            bundle,
        })
    }

    /// Returns whether there is a window: it needs a terminal on both sides, and shows its own form
    /// alone.
    fn has_window(&self) -> bool {
        let on_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        // An explanation on the same terminal would destroy the window; in a file it does not.
        let explains_here = self.explain && io::stderr().is_terminal();
        on_terminal
            && !os::is_dumb_terminal()
            && !self.plain
            && !explains_here
            && self.form() == Form::Stamped
    }

    fn form(&self) -> Form {
        match (self.bare, self.raw, self.json) {
            (true, _, _) => Form::Bare,
            (_, true, _) => Form::Raw,
            (_, _, true) => Form::Json,
            _ => Form::Stamped,
        }
    }
}

fn guess(refused: &clap::Error, typed: &[OsString]) -> Option<String> {
    if refused.kind() == ErrorKind::MissingRequiredArgument {
        let file = own_bundle(Path::new("."));
        let file = file.as_deref().unwrap_or("alice.pem");
        return Some(format!(
            "your file is the .pem that you were given; try: client {file}"
        ));
    }
    if let Some(flag) = unknown_flag(refused) {
        return hint_of_flag(flag).map(str::to_owned);
    }
    let word = stray_word(refused)?;
    if word.parse::<u16>().is_ok()
        && let Some(host) = server_in(typed)
    {
        return Some(format!("did you mean --server {host}:{word}?"));
    }
    if is_bundle_name(word) {
        return Some(format!("did you mean --cert {word}?"));
    }
    let with_ending = format!("{word}.pem");
    if Path::new(&with_ending).is_file() {
        return Some(format!("did you mean {with_ending}?"));
    }
    if Path::new(word).is_dir() {
        return Some(format!("{word} is a folder; name the .pem in it"));
    }
    if is_host_name(word) {
        return Some(format!("did you mean --server {word}?"));
    }
    let mut words = typed.iter().skip(1).filter_map(|word| word.to_str());
    let file = words
        .find(|word| is_bundle_name(word))
        .unwrap_or("alice.pem");
    Some(format!(
        "\"{word}\" means nothing here: `client {file}` enters, and then you type; --server HOST[:PORT] names another server"
    ))
}

/// Returns the first file of a person in a folder, in the order of the names.
fn own_bundle(folder: &Path) -> Option<String> {
    // If the folder cannot be read, the hint has an example in its place.
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".pem")).collect();
    names.sort();
    let is_own = |name: &String| {
        let bundle = Bundle::read(&folder.join(name));
        bundle.is_ok_and(|bundle| bundle.certificate().purposes.contains(&Purpose::Client))
    };
    names.into_iter().take(BUNDLES_LOOKED_AT_MAX).find(is_own)
}

/// In a folder with many files, the hint is not worth reading them all.
const BUNDLES_LOOKED_AT_MAX: usize = 20;

/// Returns whether a word looks like a server rather than like something to say.
fn is_host_name(word: &str) -> bool {
    let looks = word == "localhost" || word.contains(['.', ':']) && !word.starts_with('.');
    looks && Target::parse(word).is_ok()
}

/// Returns the argument that is not known.
fn unknown(refused: &clap::Error) -> Option<&str> {
    if refused.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    match refused.get(ContextKind::InvalidArg)? {
        ContextValue::String(word) => Some(word),
        _ => None,
    }
}

fn stray_word(refused: &clap::Error) -> Option<&str> {
    unknown(refused).filter(|word| !word.starts_with('-'))
}

fn unknown_flag(refused: &clap::Error) -> Option<&str> {
    unknown(refused).filter(|word| word.starts_with('-'))
}

/// Returns the advice for a flag that other programs have.
fn hint_of_flag(flag: &str) -> Option<&'static str> {
    let name = flag.split('=').next().unwrap_or(flag);
    Some(match name {
        "--port" | "-p" => "the port follows the server: --server HOST:PORT",
        "--host" | "--address" | "--url" | "--connect" => "did you mean --server HOST[:PORT]?",
        "--key" | "--ca" | "--cacert" | "--bundle" | "--file" => {
            "one file holds your certificate, your key and the room's CA: --cert FILE"
        }
        "--user" | "--name" | "--nick" | "-u" => "your name is in your certificate: --cert FILE",
        "--listen" => "a server listens, and a client connects: --server HOST[:PORT]",
        _ => return None,
    })
}

/// Returns whether a word looks like the file of a person.
fn is_bundle_name(word: &str) -> bool {
    let path = Path::new(word);
    let is_of_kind = |kind: &std::ffi::OsStr| {
        ["pem", "p12", "pfx", "crt", "cer", "key"]
            .iter()
            .any(|known| kind == *known)
    };
    path.extension().is_some_and(is_of_kind) || path.is_file()
}

/// Returns the server among the words of a command line.
fn server_in(typed: &[OsString]) -> Option<&str> {
    let mut typed = typed.iter().filter_map(|word| word.to_str());
    let server = typed.find_map(|word| word.strip_prefix("--server"))?;
    match server.strip_prefix('=') {
        Some(server) => Some(server),
        None => typed.next(),
    }
}

/// The earlier entries that the window shows.
const WINDOW_ENTRIES: u64 = 200;

/// See <https://no-color.org>: set, and not empty.
fn default_theme() -> Theme {
    match std::env::var_os("NO_COLOR") {
        Some(set) if !set.is_empty() => Theme::None,
        _ => Theme::Auto,
    }
}

/// Returns a warning if others can read the private key: anybody who can may speak under this name.
fn warn_of_readers(cert: &Path) -> Option<String> {
    os::others_can_read(cert).then(|| {
        let path = cert.display();
        format!("warning: others can read {path} and speak in your name; run `chmod 600 {path}`")
    })
}

fn parse_since(text: &str) -> Result<Since, String> {
    match text {
        "head" => Ok(Since::Head),
        "all" => Ok(Since::Beginning),
        count => count
            .parse()
            .ok()
            .filter(|count| *count <= COUNT_MAX)
            .map(Since::Last)
            .ok_or_else(|| "write head, all, or a number of entries".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<u64, String> {
    let refused = |_| "write a whole number of seconds".to_owned();
    text.parse().map_err(refused)
}

/// The largest number that the wire can write.
const COUNT_MAX: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_one_screen_with_three_examples_first() {
        use clap::CommandFactory as _;
        let help = Args::command().term_width(80).render_help().to_string();
        let rows: Vec<&str> = help.lines().collect();
        assert!(rows.len() <= 23, "{} rows:\n{help}", rows.len());
        for row in &rows {
            assert!(row.chars().count() <= 80, "{row}");
        }
        assert!(
            rows[1..4].iter().all(|row| row.contains("client --cert ")),
            "{help}"
        );
    }

    fn read(typed: &[&str]) -> Result<Args, clap::Error> {
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        Args::read(&typed)
    }

    #[test]
    fn a_file_needs_no_flag() {
        for typed in [
            &["client", "people/alice.pem"][..],
            &["client", "people/alice.pem", "--plain"],
            &[
                "client",
                "--server",
                "chat.example",
                "people/alice.pem",
                "--utc",
            ],
            &["client", "--cert", "people/alice.pem"],
        ] {
            let args = read(typed).expect("a command line");
            assert_eq!(args.cert, Path::new("people/alice.pem"));
        }
        assert!(read(&["client", "chat.example"]).is_err());
        assert!(read(&["client", "--cert", "a.pem", "b.pem"]).is_err());
        assert!(read(&["client", "a.pem", "b.pem"]).is_err());
    }

    #[test]
    fn a_flag_of_other_programs_is_told_ours() {
        for (typed, hint) in [
            (
                &["client", "--cert", "a.pem", "--port", "4000"][..],
                "--server HOST:PORT",
            ),
            (
                &["client", "--cert", "a.pem", "--port=4000"],
                "--server HOST:PORT",
            ),
            (&["client", "--host", "chat.example"], "--server"),
            (&["client", "--key", "a.key"], "one file holds"),
            (
                &["client", "--cert", "a.pem", "chat.example"],
                "did you mean --server chat.example?",
            ),
            (
                &["client", "--cert", "a.pem", "b.pem"],
                "did you mean --cert b.pem?",
            ),
            (
                &[
                    "client",
                    "--cert",
                    "a.pem",
                    "--server",
                    "chat.example",
                    "4000",
                ],
                "--server chat.example:4000?",
            ),
        ] {
            let words: Vec<OsString> = typed.iter().map(OsString::from).collect();
            let mut refused = Args::read(&words).expect_err("refused");
            let told = Args::hint(&mut refused, &words).expect("a hint");
            assert!(told.contains(hint), "{typed:?}: {told}");
            // There is one guess, and it is ours.
            let refused = refused.to_string();
            assert!(
                !refused.contains("tip:") && !refused.contains("Usage:"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_word_that_is_no_server_is_not_taken_for_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("alice.pem"), "").expect("a file");
        for (typed, hint) in [
            (&[path("alice")][..], "alice.pem?"),
            (&[path("")], "is a folder; name the .pem in it"),
            (&["./alice".to_owned()], "\"./alice\" means nothing here"),
            (
                &["connect".to_owned(), path("alice.pem")],
                "alice.pem` enters",
            ),
            (
                &[path("alice.pem"), "hello".to_owned()],
                "alice.pem` enters",
            ),
            (
                &["localhost".to_owned()],
                "did you mean --server localhost?",
            ),
            (
                &["chat.example:4000".to_owned()],
                "--server chat.example:4000?",
            ),
        ] {
            let words: Vec<OsString> = std::iter::once("client".into())
                .chain(typed.iter().map(OsString::from))
                .collect();
            let mut refused = Args::read(&words).expect_err("refused");
            let told = Args::hint(&mut refused, &words).expect("a hint");
            assert!(told.contains(hint), "{typed:?}: {told}");
        }
        assert_eq!(own_bundle(folder.path()), None, "the file is empty");
        let mut refused = Args::read(&["client".into()]).expect_err("refused");
        let told = Args::hint(&mut refused, &["client".into()]).expect("a hint");
        assert!(told.ends_with("try: client alice.pem"), "{told}");
    }

    #[test]
    fn a_start_is_head_all_or_a_number() {
        assert_eq!(parse_since("head"), Ok(Since::Head));
        assert_eq!(parse_since("all"), Ok(Since::Beginning));
        assert_eq!(parse_since("200"), Ok(Since::Last(200)));
        for bad in ["", "-1", "tail", "9007199254740993"] {
            assert!(parse_since(bad).is_err(), "{bad}");
        }
    }
}
