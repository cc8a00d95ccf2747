//! The command line of `client conformance`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgAction, Parser};

use super::examination::Examination;

/// Examine a client: one that COMMAND starts, or whichever connects
#[derive(Debug, Parser)]
#[command(
    name = "client conformance",
    bin_name = "client conformance",
    before_help = EXAMPLES,
    after_help = MORE,
    help_template = HELP
)]
pub struct ConformanceArgs {
    /// Your certificate; the kit makes a stand-in for your ID
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// Where to listen [default: 27400; for a COMMAND a free port]
    #[arg(long, value_name = "[IP:]PORT", value_parser = parse_listen)]
    pub listen: Option<SocketAddr>,
    /// Only this examination; give it several times for more
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true)]
    pub(super) only: Vec<Examination>,
    /// Also the examination that takes longer than half a minute
    #[arg(long, action = ArgAction::SetTrue)]
    pub slow: bool,
    /// One JSON object per line
    #[arg(long, action = ArgAction::SetTrue)]
    pub json: bool,
    /// The command that starts the client, once for each examination
    #[arg(last = true, value_name = "COMMAND", allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

const HELP: &str = "{about}:\n{before-help}{usage-heading} {usage}\n{options}{after-help}";

const EXAMPLES: &str = "\
\x20 client conformance --cert alice.pem -- python3 client.py
  client conformance --cert alice.pem -- ./mine --bundle {cert} {host}:{port}
  client conformance --cert alice.pem           you start your client by hand";

const MORE: &str = "\
In COMMAND, {cert}, {host} and {port} stand for the stand-in bundle and the
address to connect to. If none of them stands there, all three are appended.
They are also in the environment, as COUNTERSIGN_CERT, _HOST and _PORT.

Exit codes: 0 nothing is wrong, 1 something is wrong or could not be examined, 2 usage";

/// The port that is listened on for a client that a person starts.
const LISTEN_PORT: u16 = 27400;

impl ConformanceArgs {
    /// Returns where to listen.
    pub(super) fn address(&self) -> SocketAddr {
        let port = match self.command.is_empty() {
            true => LISTEN_PORT,
            false => 0,
        };
        self.listen
            .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

/// Returns the command with its placeholders filled in.
pub(super) fn fill_in(command: &[OsString], cert: &str, host: &str, port: &str) -> Vec<OsString> {
    let values = [("{cert}", cert), ("{host}", host), ("{port}", port)];
    let mut has_any = false;
    let mut filled: Vec<OsString> = command
        .iter()
        .map(|word| {
            // A word that is not UTF-8 holds no placeholder.
            let Some(text) = word.to_str() else {
                return word.clone();
            };
            let mut text = text.to_owned();
            for (name, value) in values {
                has_any |= text.contains(name);
                text = text.replace(name, value);
            }
            text.into()
        })
        .collect();
    if !filled.is_empty() && !has_any {
        filled.extend(values.map(|(_, value)| OsString::from(value)));
    }
    filled
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let refused =
        || "write a port, or an IP address and a port, as in 27400 or 0.0.0.0:27400".to_owned();
    match text.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from((IpAddr::V4(Ipv4Addr::LOCALHOST), port))),
        Err(_) => text.parse().map_err(|_| refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_or_all_three_are_appended() {
        let filled = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let filled = fill_in(&words, "/tmp/a.pem", "localhost", "27400");
            let filled: Vec<String> = filled
                .into_iter()
                .map(|word| word.into_string().expect("UTF-8"))
                .collect();
            filled.join(" ")
        };
        assert_eq!(
            filled(&["py", "c.py"]),
            "py c.py /tmp/a.pem localhost 27400"
        );
        assert_eq!(filled(&["mine", "-c={cert}"]), "mine -c=/tmp/a.pem");
        assert_eq!(filled(&["mine", "{host}:{port}"]), "mine localhost:27400");
        assert_eq!(filled(&[]), "");
    }

    #[test]
    fn a_place_to_listen_is_a_port_or_an_address_with_one() {
        let read = |text| parse_listen(text).map(|address| address.to_string());
        assert_eq!(read("27400"), Ok("127.0.0.1:27400".to_owned()));
        assert_eq!(read("[::1]:0"), Ok("[::1]:0".to_owned()));
        assert!(read("localhost").is_err() && read("1.2.3.4").is_err());
    }
}
