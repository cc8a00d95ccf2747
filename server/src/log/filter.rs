//! Reads `RUST_LOG`, which chooses the events that are logged by their levels and targets.
// No filters by span or by field: this program has no spans, and such filters need regular expressions.

use std::env::{self, VarError};

use tracing_subscriber::filter::Targets;

const DEFAULT: &str = "info,sqlx=warn";

/// Returns the filter that `RUST_LOG` names, and a warning if it cannot be read. Then, and when it is not
/// set, the filter is the default.
pub(super) fn from_environment() -> (Targets, Option<String>) {
    let (text, is_unicode) = match env::var("RUST_LOG") {
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
    // `Targets` accepts any text as a target. A typing error would then silence the log.
    let is_allowed = |c: char| c.is_alphanumeric() || ['_', '-', ':', '='].contains(&c);
    match parts.join(",") {
        parts if parts.is_empty() => Some(Targets::new()),
        parts if parts.chars().all(|c| c == ',' || is_allowed(c)) => parts.parse().ok(),
        _ => None,
    }
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
            ("", [None; 3]),
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
