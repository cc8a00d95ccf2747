//! How long a large class takes: a roster of 1,000 people (or as many as the first argument says)
//! becomes 1,000 bundles on this machine's disk. Prints the time; a release build fails when a
//! thousand took more than 5 seconds:
//!
//! ```sh
//! cargo run --release -p ca-tool --example class
//! ```

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ca_tool::{Ca, Choices, InitOptions, IssueOptions, Roster};

/// The time limit for a thousand people.
const LIMIT: Duration = Duration::from_secs(5);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let people: u32 = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 1000,
    };
    // Here, because the temporary folder of the system is often in memory.
    let folder = tempfile::tempdir_in(".")?;
    let ca = Ca::init(
        &folder.path().join("ca"),
        &InitOptions::named("A large class"),
    )?;
    let path = folder.path().join("class.csv");
    fs::write(&path, roster(people)?)?;

    let began = Instant::now();
    let issued = issue(&ca, &path)?;
    let took = began.elapsed();
    let again = Instant::now();
    let none = issue(&ca, &path)?;
    let passed_over = again.elapsed();
    println!("{issued} people from a roster: {:.2} s", took.as_secs_f64());
    println!(
        "the same roster again: {none} people, {:.3} s",
        passed_over.as_secs_f64()
    );
    let is_fast = cfg!(debug_assertions) || took <= LIMIT * people.div_ceil(1000);
    Ok(ExitCode::from(u8::from(!is_fast)))
}

fn issue(ca: &Ca, roster: &Path) -> Result<usize, ca_tool::Error> {
    let roster = Roster::read(roster, &Choices::default())?;
    let issuance = ca.issue(&roster.candidates, &IssueOptions::default())?;
    Ok(issuance.issued.len())
}

fn roster(people: u32) -> Result<String, std::fmt::Error> {
    let mut text = "id,name,email\n".to_owned();
    for number in 0..people {
        writeln!(text, "s{number:06},Student {number},s{number}@example.org")?;
    }
    Ok(text)
}
