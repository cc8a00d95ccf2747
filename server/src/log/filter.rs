//! The filter that `RUST_LOG` names: it selects which events are logged.
// No filters by span or by field: this program has no spans, and they would need regular
// expressions.

use std::env::{self, VarError};

use tracing_subscriber::filter::Targets;

const DEFAULT: &str = "info,sqlx=warn";

/// Returns the filter in `RUST_LOG`, or the default when it is not set. If it is set but not
/// understood, returns the default and a warning.
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
                "RUST_LOG is not understood and is ignored: {text:?}; \
                write levels and targets, such as `info` or `warn,server=debug`"
            );
            (default(), Some(warning))
        }
    }
}

fn default() -> Targets {
    parse(DEFAULT).expect("a test reads it")
}

/// Parses levels, targets, and targets with levels, separated by commas: `warn,server::room=debug`.
fn parse(text: &str) -> Option<Targets> {
    let parts = text.split(',').map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    // `Targets` accepts any word as a target; a typo would silence the log.
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

    /// Returns the most verbose level that a filter passes for each target.
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
