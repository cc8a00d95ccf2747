//! Asks a server's database who ever connected, for `status --db`. Every other report reads
//! files itself. This one runs the program `server`, which alone knows the form of its database: a tool that
//! has keys links no database.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;

/// Returns the IDs of everybody who ever connected.
pub(super) fn connected(db: &Path) -> Result<HashSet<String>, Error> {
    let failed = |fault: String| Error::Database {
        path: db.to_owned(),
        fault,
    };
    let output = Command::new(server_program())
        .args(["query", "--json", "--db"])
        .arg(db)
        .arg("select distinct id from joins")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            failed(format!(
                "`server query` cannot be run: {error}; install the program `server` beside ca-tool"
            ))
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it failed");
        return Err(failed(wire::escape(said)));
    }
    let rows: Vec<HashMap<String, String>> = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("`server query` did not answer in JSON".to_owned()))?;
    Ok(rows
        .into_iter()
        .filter_map(|mut row| row.remove("id"))
        .collect())
}

/// Returns the server that is installed beside this program, or the one that a shell would find.
fn server_program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|program| {
        let name = format!("server{}", std::env::consts::EXE_SUFFIX);
        program.with_file_name(name)
    });
    match beside {
        Some(program) if program.is_file() => program,
        _ => PathBuf::from("server"),
    }
}
