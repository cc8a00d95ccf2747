//! The command line as it is typed, and the configuration as it is true.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Parser};
use pki::Bundle;

use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::form::Form;
use crate::outbox::Since;
use crate::target::{Target, TargetError};
use crate::ui::{Bell, Theme};

/// Enter a room with your certificate, say what stands on standard input, show what is said.
#[derive(Debug, Parser)]
#[command(version, after_help = EXITS)]
pub struct Args {
    /// Your certificate, as `ca-tool issue` made it
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// The server; without it, the one that the certificate's file names
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// How much of what was said before is shown: none, the last N entries, or everything [default: 200 on a terminal, else head]
    #[arg(long, value_name = "head|N|all", value_parser = parse_since)]
    pub since: Option<Since>,
    /// Try for so long to come back when the connection is lost; 0 for not at all [default: for ever]
    #[arg(long, value_name = "SECONDS")]
    pub give_up_after: Option<u64>,
    /// Show times in UTC, not in your own zone
    #[arg(long)]
    pub utc: bool,
    /// Show messages only, as `[ID@IP] text`, without times
    #[arg(long, group = "form")]
    pub bare: bool,
    /// Show the server's lines as they come
    #[arg(long, group = "form")]
    pub raw: bool,
    /// Show one JSON object per line
    #[arg(long, group = "form")]
    pub json: bool,
    /// Plain lines also on a terminal
    #[arg(long, action = ArgAction::SetTrue)]
    pub plain: bool,
    /// The colours of the window [default: dark, or none where NO_COLOR is set]
    #[arg(long, value_name = "THEME")]
    pub theme: Option<Theme>,
    /// When the window's bell rings
    #[arg(long, value_name = "WHEN", default_value = "mention")]
    pub bell: Bell,
    /// Show names without addresses in the window, as F9 does
    #[arg(long)]
    pub short: bool,
}

const EXITS: &str = "\
Exit codes:
   0  done                             6  the server ended the session
   1  a line was not sent, or other   60  the server wants a certificate
   2  wrong usage                     61  not admitted
   4  network                         62  the certificate is expired, revoked
   5  the server is not trusted           or of another CA";

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
        })?;
        let has_window = self.has_window();
        let target = target(self.server.as_deref(), &bundle, &self.cert)?;
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

fn target(server: Option<&str>, bundle: &Bundle, cert: &Path) -> Result<Target, Failure> {
    let usage = |sentence: String, hint: &str| Failure {
        exit: Exit::Usage,
        sentence,
        hint: Some(hint.to_owned()),
        may_pass: false,
        may_be_ours: false,
    };
    if let Some(server) = server {
        return Target::parse(server).map_err(|error: TargetError| {
            usage(
                format!("--server {server}: {error}"),
                "write HOST or HOST:PORT, and an IPv6 address as [::1]:27332",
            )
        });
    }
    let Some(server) = bundle.note("server") else {
        return Err(usage(
            format!("no server is known: {} names none", cert.display()),
            "say which one with --server HOST[:PORT]",
        ));
    };
    Target::parse(server).map_err(|error| {
        usage(
            format!("{} names no usable server: {error}", cert.display()),
            "say which one with --server HOST[:PORT]",
        )
    })
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
    fn a_start_is_head_all_or_a_number() {
        assert_eq!(parse_since("head"), Ok(Since::Head));
        assert_eq!(parse_since("all"), Ok(Since::Beginning));
        assert_eq!(parse_since("200"), Ok(Since::Last(200)));
        for bad in ["", "-1", "tail", "9007199254740993"] {
            assert!(parse_since(bad).is_err(), "{bad}");
        }
    }
}
