//! How fast the room is: the real server as a process of its own, under a load generator that
//! speaks TLS below the client's library, and beside it the servers that it is compared with.
//!
//! `cargo bench -p tests --bench room -- --help` says what can be measured. Everything is on the
//! loopback interface and bounded in number and in time.

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "it reads /proc"))]

mod dialect;
mod link;
mod load;
mod report;
mod scenario;
mod site;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum as _};

use report::Report;
use scenario::{Scale, Scenario};
use site::Site;
use system::System;

/// Measures the room.
#[derive(Debug, Parser)]
struct Args {
    /// The scenarios to measure [default: all]
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Measure another server too, in turns within the same run.
    #[arg(long = "peer", value_enum, value_name = "PEER")]
    peers: Vec<System>,
    /// The number of times that each scenario is measured; the table shows the medians.
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
    /// The time for which a room that talks is measured, in seconds.
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    seconds: u64,
    /// Run each scenario once and small: this shows whether lines are lost, not how fast it is.
    #[arg(long)]
    small: bool,
    /// The file to write the JSON to.
    #[arg(long, default_value_os_t = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("room.json"), value_name = "FILE")]
    json: PathBuf,
    /// cargo passes this flag.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The number of files that this process may have to open: each connection has an end in it.
const FILES_MIN: u64 = 6000;

fn main() -> ExitCode {
    let args = Args::parse();
    if !cfg!(target_os = "linux") {
        eprintln!("room: error: this reads /proc, which only Linux has");
        return ExitCode::FAILURE;
    }
    match tests::raise_file_limit() {
        Ok(files) if files < FILES_MIN && !args.small => {
            eprintln!(
                "room: error: only {files} files may be open; raise it: ulimit -n {FILES_MIN}"
            );
            return ExitCode::FAILURE;
        }
        Ok(_) => {}
        Err(failure) => eprintln!("room: note: the limit on open files stays as it is: {failure}"),
    }
    let scale = match args.small {
        true => Scale::small(),
        false => Scale::full(Duration::from_secs(args.seconds)),
    };
    let scenarios = match args.scenarios.as_slice() {
        [] => Scenario::value_variants(),
        named => named,
    };
    let mut systems = vec![System::Ours];
    systems.extend(args.peers.iter().filter(|peer| **peer != System::Ours));
    let versions: Vec<String> = systems.iter().map(|system| system.version()).collect();
    let site = Site::open();
    let mut report = Report::default();
    for round in 0..if args.small { 1 } else { args.rounds } {
        for scenario in scenarios {
            for system in &systems {
                eprintln!(
                    "round {}: {}: {}",
                    round + 1,
                    scenario.name(),
                    system.name()
                );
                match scenario.run(*system, &site, scale) {
                    Ok(measured) => report.add(*scenario, *system, measured),
                    Err(why) => report.cannot(*scenario, *system, why),
                }
            }
        }
    }
    println!("{}", versions.join(", "));
    println!();
    report.print();
    report.write_json(&args.json, &versions);
    eprintln!("the same as JSON: {}", args.json.display());
    if report.faults() > 0 {
        eprintln!("room: error: something was lost, or came out of its order");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
