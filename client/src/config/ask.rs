//! Which server: the one on the command line, the one in the bundle, or the one that the person
//! names.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::Path;

use pki::Bundle;

use crate::settings::Target;
use crate::words::{Exit, Failure, tell};

/// Returns the server that the command line names, or the bundle, or the person when asked.
///
/// # Errors
///
/// When the name is not that of a server, or there is none.
pub(super) fn target(
    server: Option<&str>,
    bundle: &Bundle,
    cert: &Path,
) -> Result<Target, Failure> {
    if let Some(server) = server {
        return Target::parse(server).map_err(|error| {
            usage_failure(
                format!("--server {server}: {error}"),
                "write HOST or HOST:PORT, and an IPv6 address as [::1]:27332",
            )
        });
    }
    let Some(server) = bundle.note("server") else {
        return ask_for_target(cert);
    };
    Target::parse(server).map_err(|error| {
        usage_failure(
            format!("{} names no usable server: {error}", cert.display()),
            "say which one with --server HOST[:PORT]",
        )
    })
}

/// Asks the person, if there is a terminal to ask on.
fn ask_for_target(cert: &Path) -> Result<Target, Failure> {
    let nobody_knows = || {
        usage_failure(
            format!("no server is known: {} names none", cert.display()),
            "say which one with --server HOST[:PORT]",
        )
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(nobody_knows());
    }
    let target = ask(io::stdin().lock(), io::stderr()).ok_or_else(nobody_knows)?;
    // Not remembered here: the issuer decides about a person's file.
    tell(&format!(
        "note: to skip this question, pass --server {target}, or make the file with `ca-tool issue --server {target}`"
    ));
    Ok(target)
}

/// Asks until an answer names a server. Returns `None` when there are no more answers.
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

fn usage_failure(sentence: String, hint: &str) -> Failure {
    Failure::new(Exit::Usage, sentence).hint(hint)
}

#[cfg(test)]
mod tests {
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
}
