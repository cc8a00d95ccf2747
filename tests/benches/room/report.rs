//! The figures, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::system::System;

/// One run of a scenario against one system. A value that does not apply is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// The unit of `cpu_us`.
    pub(crate) unit: &'static str,
    /// The server's user and system time for a unit.
    pub(crate) cpu_us: Option<f64>,
    /// Units a second.
    pub(crate) rate: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    /// Resident memory for each connection.
    pub(crate) kib: Option<f64>,
    /// The time that it took.
    pub(crate) seconds: Option<f64>,
    /// The load generator's own time for a unit.
    pub(crate) load_us: Option<f64>,
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
}

/// All runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rounds: BTreeMap<(Scenario, System), Vec<Measured>>,
    impossible: Vec<(Scenario, System, &'static str)>,
}

type Column = (&'static str, fn(&Measured) -> Option<f64>);

const COLUMNS: [Column; 8] = [
    ("server CPU, us", |m| m.cpu_us),
    ("a second", |m| m.rate),
    ("p50, us", |m| m.p50_us),
    ("p99, us", |m| m.p99_us),
    ("p99.9, us", |m| m.p999_us),
    ("KiB", |m| m.kib),
    ("s", |m| m.seconds),
    ("load CPU, us", |m| m.load_us),
];

impl Report {
    pub(crate) fn add(&mut self, scenario: Scenario, system: System, measured: Measured) {
        let rounds = self.rounds.entry((scenario, system)).or_default();
        rounds.push(measured);
    }

    pub(crate) fn cannot(&mut self, scenario: Scenario, system: System, why: &'static str) {
        if !self.impossible.contains(&(scenario, system, why)) {
            self.impossible.push((scenario, system, why));
        }
    }

    /// Counts gaps and losses, over everything that our server sent.
    pub(crate) fn faults(&self) -> u64 {
        let ours = self.rounds.iter().filter(|((_, s), _)| *s == System::Ours);
        ours.flat_map(|(_, rounds)| rounds)
            .map(|m| m.gaps + m.lost)
            .sum()
    }

    pub(crate) fn print(&self) {
        print!("| scenario | system | unit |");
        for (name, _) in COLUMNS {
            print!(" {name} |");
        }
        println!(" gaps | lost |");
        println!("|---|---|---|{}", "---|".repeat(COLUMNS.len() + 2));
        for ((scenario, system), rounds) in &self.rounds {
            let unit = rounds[0].unit;
            print!("| {} | {} | {unit} |", scenario.name(), system.name());
            for (_, column) in COLUMNS {
                match median(rounds, column) {
                    Some(value) => print!(" {} |", short(value)),
                    None => print!(" |"),
                }
            }
            let faults = rounds
                .iter()
                .fold((0, 0), |sum, m| (sum.0 + m.gaps, sum.1 + m.lost));
            println!(" {} | {} |", faults.0, faults.1);
        }
        println!();
        for line in self.ratios() {
            println!("{line}");
        }
        for (scenario, system, why) in &self.impossible {
            println!(
                "{}: {} cannot do this: {why}",
                scenario.name(),
                system.name()
            );
        }
    }

    fn ratios(&self) -> Vec<String> {
        let peers = self
            .rounds
            .keys()
            .filter(|(_, system)| *system != System::Ours);
        peers
            .filter_map(|(scenario, peer)| {
                let theirs = &self.rounds[&(*scenario, *peer)];
                let ours = self.rounds.get(&(*scenario, System::Ours))?;
                let ratios: Vec<String> = COLUMNS
                    .iter()
                    .filter(|(name, _)| *name != "load CPU, us")
                    .filter_map(|(name, column)| {
                        let ratio = median(theirs, *column)? / median(ours, *column)?;
                        Some(format!("{name} {}", short(ratio)))
                    })
                    .collect();
                let (scenario, peer) = (scenario.name(), peer.name());
                Some(format!("{scenario}: {peer} / ours: {}", ratios.join(", ")))
            })
            .collect()
    }

    pub(crate) fn write_json(&self, path: &Path, versions: &[String]) {
        let measured = |((scenario, system), rounds): (&(Scenario, System), &Vec<Measured>)| {
            let medians: serde_json::Map<String, Value> = COLUMNS
                .iter()
                .map(|(name, column)| ((*name).to_owned(), json!(median(rounds, *column))))
                .collect();
            let each: Vec<Option<f64>> = rounds.iter().map(|m| m.cpu_us).collect();
            json!({
                "scenario": scenario.name(),
                "system": system.name(),
                "unit": rounds[0].unit,
                "medians": medians,
                "server CPU of each round, us": each,
                "gaps": rounds.iter().map(|m| m.gaps).sum::<u64>(),
                "lost": rounds.iter().map(|m| m.lost).sum::<u64>(),
            })
        };
        let measured: Vec<Value> = self.rounds.iter().map(measured).collect();
        let report = json!({ "versions": versions, "measured": measured });
        let text = format!("{report:#}\n");
        std::fs::write(path, text).expect("the report can be written");
    }
}

fn median(rounds: &[Measured], column: fn(&Measured) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = rounds.iter().filter_map(column).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Formats a number with three significant digits.
fn short(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ if value >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
