//! Prints each entry to standard output once it is committed. It is a reader like any other.
//!
//! On a terminal each entry is wrapped with an indent; otherwise a long one could imitate another
//! entry's stamp.

use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::terminal::shown;

use crate::transcript::reader::{Cursor, Transcript};

const WRITE_BYTES: usize = 64 * 1024;

/// How long printing the last entries may take when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Prints until the server stops, or until nobody reads any more. `columns` returns the current
/// width of `out`, if it is a terminal.
pub(crate) async fn show(
    mut transcript: Transcript,
    mut out: impl AsyncWrite + Unpin,
    columns: fn() -> Option<usize>,
    stop: CancellationToken,
) {
    let mut cursor = Cursor::after(transcript.head());
    let mut buffer = Vec::new();
    loop {
        let view = transcript.view();
        if let Err(failure) = cursor
            .take(&transcript, &view, view.head, &mut buffer, WRITE_BYTES)
            .await
        {
            warn!(error = %failure, "history cannot be read; --show prints no more entries");
            return;
        }
        if !buffer.is_empty() {
            if let Some(columns) = columns() {
                buffer = rows(&buffer, columns);
            }
            let wrote = async {
                out.write_all(&buffer).await?;
                out.flush().await
            };
            // A pipe that nobody reads must not keep the server from stopping.
            let wrote = tokio::select! {
                wrote = wrote => wrote,
                () = give_up(&stop) => return,
            };
            if let Err(failure) = wrote {
                info!(error = %failure, "standard output is closed; --show prints no more entries");
                return;
            }
            buffer.clear();
            continue;
        }
        // It stops only once everything that was committed has been shown.
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            changed = transcript.changed() => if changed.is_err() { return },
            () = stop.cancelled() => {}
        }
    }
}

/// Returns whole lines as a terminal shows them.
fn rows(lines: &[u8], columns: usize) -> Vec<u8> {
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
        rows.extend_from_slice(shown(&line, Some(columns)).as_bytes());
        rows.push(b'\n');
    }
    rows
}

/// Waits until a moment after the server was told to stop.
async fn give_up(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_TIMEOUT).await;
}
