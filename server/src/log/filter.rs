//! Reads `RUST_LOG`, which chooses the events that are logged by their levels and targets.
// No filters by span or by field: this program has no spans, and such filters need regular expressions.

use std::env::{self, VarError};

use tracing_subscriber::filter::{LevelFilter, Targets};

const DEFAULT: &str = "info,sqlx=warn";

/// The crates that log, so that their names may stand without a level.
const LOGGING: [&str; 6] = ["server", "sqlx", "tokio", "rustls", "pki", "wire"];

/// Returns the filter that `RUST_LOG` names, and a warning if it cannot be read. Then, and when it is
/// empty or not set, the filter is the default.
pub(super) fn from_environment() -> (Targets, Option<String>) {
    let (text, is_unicode) = match env::var("RUST_LOG") {
        // A script that has nothing to choose sets it so.
        Ok(text) if text.trim().is_empty() => return (default(), None),
        Ok(text) => (text, true),
        Err(VarError::NotPresent) => return (default(), None),
        Err(VarError::NotUnicode(text)) => (text.to_string_lossy().into_owned(), false),
    };
    match parse(&text).filter(|_| is_unicode) {
        Some(filter) => (filter, None),
        None => {
            let text = super::cut(&text, super::CAUSE_BYTES_MAX);
            let warning = format!(
                "RUST_LOG cannot be read, so the default filter applies: {text:?}; \
                write levels and targets, such as `info` or `warn,server=debug`"
            );
            (default(), Some(warning))
        }
    }
}

fn default() -> Targets {
    parse(DEFAULT).expect("a test reads it")
}

/// Parses a list with commas of levels, targets, and targets with levels: `warn,server::room=debug`.
fn parse(text: &str) -> Option<Targets> {
    let parts = text.split(',').map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    match parts.iter().all(|part| is_plausible(part)) {
        true => parts.join(",").parse().ok(),
        false => None,
    }
}

/// Returns whether a part is a level, or a target that could have been meant.
// `Targets` accepts any text as a target. A typing error, such as `inof`, would then silence the log.
fn is_plausible(part: &str) -> bool {
    let (target, has_level) = match part.split_once('=') {
        Some((target, _)) => (target, true),
        None => (part, false),
    };
    let is_target = |c: char| c.is_alphanumeric() || ['_', '-', ':'].contains(&c);
    let is_path = target.split("::").all(|name| !name.contains(':'));
    let name = target.split("::").next().unwrap_or_default();
    let is_known = has_level || LOGGING.contains(&name) || target.parse::<LevelFilter>().is_ok();
    target.chars().all(is_target) && is_path && is_known
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    /// Returns the most detailed level that a filter lets through, for each target.
    fn levels<const N: usize>(text: &str, targets: [&str; N]) -> [Option<Level>; N] {
        let filter = parse(text).unwrap_or_else(|| panic!("not understood: {text:?}"));
        let all = [
            Level::TRACE,
            Level::DEBUG,
            Level::INFO,
            Level::WARN,
            Level::ERROR,
        ];
        targets.map(|target| {
            all.into_iter()
                .find(|level| filter.would_enable(target, level))
        })
    }

    #[test]
    fn levels_and_targets_choose_what_is_logged() {
        const TARGETS: [&str; 3] = ["server::room", "server::bounded", "sqlx::query"];
        let [trace, debug, info, warn] =
            [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN].map(Some);
        for (text, expected) in [
            (DEFAULT, [info, info, warn]),
            ("info", [info; 3]),
            ("WARN", [warn; 3]),
            ("4", [debug; 3]),
            ("off", [None; 3]),
            ("sqlx", [None, None, trace]),
            ("server", [trace, trace, None]),
            ("server=debug", [debug, debug, None]),
            ("server::room=trace,info", [trace, info, info]),
            ("info, server::room=off", [None, info, info]),
            ("info,sqlx=off,", [info, info, None]),
        ] {
            assert_eq!(levels(text, TARGETS), expected, "{text}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        for text in [
            "server=loud",
            "server=info=debug",
            "every thing",
            "server = debug",
            "%",
            "info;debug",
            // Typing errors.
            "inof",
            "warn,srever",
            "server:info",
            // Filters by span and by field.
            "[session]=debug",
            "server[session]=debug",
            "server[{id}]=debug",
            "[{id=alice}]",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
