//! The command line as it is typed, and the configuration as it is true.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Parser};
use pki::Bundle;

use crate::link::outbox::Since;
use crate::plain::form::Form;
use crate::settings::target::Target;
use crate::window::{Bell, Theme};
use crate::words::clock::Clock;
use crate::words::failure::{Exit, Failure};
use crate::words::terminal::tell;

/// Enter a room with your certificate, say what you type, show what is said.
#[derive(Debug, Parser)]
#[command(version, before_help = EXAMPLES, after_help = EXITS, help_template = HELP)]
pub struct Args {
    /// Your certificate, as `ca-tool issue` made it
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// The server; else the one that FILE names
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// What was said before (window: 200, else: head)
    #[arg(long, value_name = "head|N|all", value_parser = parse_since)]
    pub since: Option<Since>,
    /// Try to come back so long; else for ever
    #[arg(long, value_name = "SECONDS")]
    pub give_up_after: Option<u64>,
    /// Times in UTC, not in your own zone
    #[arg(long)]
    pub utc: bool,
    /// Messages only, as `[ID@IP] text`, no times
    #[arg(long, group = "form")]
    pub bare: bool,
    /// The server's lines as they come
    #[arg(long, group = "form")]
    pub raw: bool,
    /// One JSON object a line
    #[arg(long, group = "form")]
    pub json: bool,
    /// Lines on a terminal too, and no window
    #[arg(long, action = ArgAction::SetTrue)]
    pub plain: bool,
    /// dark, light, classic or none (as NO_COLOR)
    #[arg(long, value_name = "THEME", hide_possible_values = true)]
    pub theme: Option<Theme>,
    /// Ring at a mention, all lines, or off
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "mention",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub bell: Bell,
    /// `[ID]`, not `[ID@IP]`, in the window; also F9
    #[arg(long)]
    pub short: bool,
}

/// All of it fits a terminal of 80 columns and 24 rows, with a row left for the prompt.
const HELP: &str = "{about}:\n{before-help}{usage-heading} {usage}\n{options}{after-help}";

const EXAMPLES: &str = "\
\x20 client --cert alice.pem                       a window, on a terminal
  client --cert alice.pem --plain --since 20    lines, and the last 20 first
  echo done | client --cert bot.pem             say a line and leave";

const EXITS: &str = "\
Exit codes: 0 done, 1 other, 2 usage, 4 network, 5 server not trusted, 6 ended,
            60 no certificate, 61 not admitted, 62 certificate not valid";

/// What the program goes by.
#[derive(Debug)]
pub struct Config {
    /// Who we are.
    pub bundle: Bundle,
    /// Where to.
    pub target: Target,
    /// From where on.
    pub since: Since,
    /// For how long a lost connection is tried to be had again; `None` for ever.
    pub give_up_after: Option<Duration>,
    /// The form of the output.
    pub form: Form,
    /// Whether there is a window, and not lines.
    pub has_window: bool,
    /// The colours of the window.
    pub theme: Theme,
    /// When its bell rings.
    pub bell: Bell,
    /// Whether stamps in it are without addresses.
    pub is_short: bool,
    /// How times are shown.
    pub clock: Clock,
    /// What should be told before anything else.
    pub warnings: Vec<String>,
}

impl Args {
    /// What was probably meant, where something stands by itself: each thing has its flag.
    pub fn hint(refused: &clap::Error) -> Option<String> {
        if refused.kind() != ErrorKind::UnknownArgument {
            return None;
        }
        let ContextValue::String(word) = refused.get(ContextKind::InvalidArg)? else {
            return None;
        };
        if word.starts_with('-') {
            return None;
        }
        let flag = match Path::new(word).extension().is_some_and(|e| e == "pem") {
            true => "--cert",
            false => "--server",
        };
        Some(format!("is {flag} {word} meant?"))
    }

    /// Reads the files that the arguments name.
    ///
    /// # Errors
    ///
    /// When the bundle cannot be read or no server is known.
    pub fn load(self) -> Result<Config, Failure> {
        let bundle = Bundle::read(&self.cert).map_err(|error| Failure {
            exit: Exit::Other,
            sentence: error.to_string(),
            hint: error.hint().map(str::to_owned),
            may_pass: false,
            may_be_ours: false,
            may_be_crowded: false,
        })?;
        let has_window = self.has_window();
        let target = target(self.server.as_deref(), &bundle, &self.cert)?;
        let target = match target {
            Some(target) => target,
            None => ask_for_target(&self.cert)?,
        };
        Ok(Config {
            target,
            since: self.since.unwrap_or(match has_window {
                true => Since::Last(WINDOW_ENTRIES),
                false => Since::Head,
            }),
            has_window,
            theme: self.theme.unwrap_or_else(default_theme),
            bell: self.bell,
            is_short: self.short,
            give_up_after: self.give_up_after.map(Duration::from_secs),
            form: self.form(),
            clock: if self.utc {
                Clock::utc()
            } else {
                Clock::local()
            },
            warnings: warn_of_readers(&self.cert).into_iter().collect(),
            bundle,
        })
    }

    /// A window needs a terminal on both sides, and lines in its own form.
    fn has_window(&self) -> bool {
        let on_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        on_terminal && !self.plain && self.form() == Form::Stamped
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

/// What the window shows of what was said before.
const WINDOW_ENTRIES: u64 = 200;

/// See <https://no-color.org>: set, and not empty.
fn default_theme() -> Theme {
    match std::env::var_os("NO_COLOR") {
        Some(set) if !set.is_empty() => Theme::None,
        _ => Theme::Dark,
    }
}

/// The server that was named, if one was.
fn target(server: Option<&str>, bundle: &Bundle, cert: &Path) -> Result<Option<Target>, Failure> {
    if let Some(server) = server {
        return Target::parse(server).map(Some).map_err(|error| {
            usage(
                format!("--server {server}: {error}"),
                "write HOST or HOST:PORT, and an IPv6 address as [::1]:27332",
            )
        });
    }
    let Some(server) = bundle.note("server") else {
        return Ok(None);
    };
    Target::parse(server).map(Some).map_err(|error| {
        usage(
            format!("{} names no usable server: {error}", cert.display()),
            "say which one with --server HOST[:PORT]",
        )
    })
}

/// Asks the person, where there is one.
fn ask_for_target(cert: &Path) -> Result<Target, Failure> {
    let nobody_knows = || {
        usage(
            format!("no server is known: {} names none", cert.display()),
            "say which one with --server HOST[:PORT]",
        )
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(nobody_knows());
    }
    let target = ask(io::stdin().lock(), io::stderr()).ok_or_else(nobody_knows)?;
    // Not remembered here: what a person's file says, whoever issued it decides.
    tell(&format!(
        "note: next time --server {target} says so, or `ca-tool issue --server {target}` when the file is made"
    ));
    Ok(target)
}

/// Asks until the answer names a server, or there is none.
fn ask(mut answers: impl BufRead, mut questions: impl Write) -> Option<Target> {
    loop {
        write!(questions, "which server, HOST or HOST:PORT? ").ok()?;
        questions.flush().ok()?;
        let mut answer = String::new();
        if answers.read_line(&mut answer).ok()? == 0 {
            writeln!(questions).ok()?;
            return None;
        }
        match Target::parse(answer.trim()) {
            Ok(target) => return Some(target),
            Err(error) => {
                writeln!(questions, "{}", wire::terminal::inert(&error.to_string())).ok()?
            }
        }
    }
}

fn usage(sentence: String, hint: &str) -> Failure {
    Failure {
        exit: Exit::Usage,
        sentence,
        hint: Some(hint.to_owned()),
        may_pass: false,
        may_be_ours: false,
        may_be_crowded: false,
    }
}

/// Whoever can read the key can speak under this name.
#[cfg(unix)]
fn warn_of_readers(cert: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    const GROUP_OR_OTHERS: u32 = 0o077;
    // That the file can be read was seen a moment ago.
    let mode = std::fs::metadata(cert).ok()?.mode();
    (mode & GROUP_OR_OTHERS != 0).then(|| {
        let path = cert.display();
        format!("warning: others can read {path} and speak under your name; run `chmod 600 {path}`")
    })
}

#[cfg(not(unix))]
fn warn_of_readers(_cert: &Path) -> Option<String> {
    None
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

    #[test]
    fn the_server_is_asked_for_until_it_is_named() {
        let ask = |typed: &str| {
            let mut said = Vec::new();
            let target = super::ask(typed.as_bytes(), &mut said);
            let said = String::from_utf8(said).expect("UTF-8");
            (target.map(|target| target.to_string()), said)
        };
        let named = Some("chat.example:27332".to_owned());
        assert_eq!(
            ask("chat.example\n"),
            (
                named.clone(),
                "which server, HOST or HOST:PORT? ".to_owned()
            )
        );
        assert_eq!(
            ask("a b\n chat.example \n"),
            (
                named,
                "which server, HOST or HOST:PORT? \"a b\" is neither a host name nor an address\nwhich server, HOST or HOST:PORT? "
                    .to_owned()
            )
        );
        assert_eq!(
            ask(""),
            (None, "which server, HOST or HOST:PORT? \n".to_owned())
        );
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
