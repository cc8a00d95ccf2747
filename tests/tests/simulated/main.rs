//! The room in a simulated network: partitions, delays, restarts and full disks from a seed, with the
//! server's own sessions and recorder and the client's own links. A seed does the same every time.
//!
//! `COUNTERSIGN_SEEDS=N` tries N seeds, `COUNTERSIGN_SEED=S` tries only S.

mod faults;
mod people;
mod simulation;
mod store;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use tests::checker::Violation;
use tests::number;

use simulation::{Outcome, simulate};
use store::Mutant;

/// How many seeds are tried when nobody says how many.
const SEEDS: u64 = 50;

/// How many kinds of things there are that seeds must meet, faults and what follows from them.
const KINDS: usize = 20;

/// How many seeds a mutant has to be caught in.
const SEEDS_FOR_A_MUTANT: u64 = 8;

#[test]
fn whatever_the_network_and_the_disk_do_nothing_is_lost_doubled_or_out_of_order() {
    let seeds: Vec<u64> = match number("COUNTERSIGN_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("COUNTERSIGN_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let outcomes = simulate_all(&seeds, None);
    let mut sum = Outcome::default();
    for (seed, outcome) in &outcomes {
        println!("seed {seed}: {outcome}");
        assert!(
            outcome.violations.is_empty(),
            "COUNTERSIGN_SEED={seed} fails again: {:#?}",
            outcome.violations
        );
        sum.add(outcome);
    }
    println!("all: {sum}");
    // One seed need not meet everything; all of them together do, or they prove less than they say.
    if seeds.len() as u64 >= SEEDS {
        let never: Vec<_> = sum.met.iter().filter(|(_, count)| **count == 0).collect();
        assert!(never.is_empty(), "no seed met {never:?}");
        assert_eq!(sum.met.len(), KINDS, "{:?}", sum.met.keys());
    }
}

#[test]
fn a_seed_does_the_same_again() {
    for seed in [3, 14] {
        let again = [simulate_alone(seed, None), simulate_alone(seed, None)];
        let [first, second] = again.map(|outcome| outcome.story());
        assert!(first.len() > 1000, "{}", first.len());
        for (number, (one, other)) in first.iter().zip(&second).enumerate() {
            assert_eq!(one, other, "seed {seed}, event {number}");
        }
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}

#[test]
fn a_store_that_answers_before_it_stores_is_caught() {
    is_caught(Mutant::AnswersEarly, |found| {
        matches!(found, Violation::Lost { .. })
    });
}

#[test]
fn a_record_that_forgets_who_sent_what_is_caught() {
    is_caught(Mutant::ForgetsSenders, |found| {
        matches!(found, Violation::Twice { .. })
    });
}

#[test]
fn a_page_that_skips_an_entry_is_caught() {
    is_caught(Mutant::SkipsInPages, |found| {
        matches!(found, Violation::Step { .. })
    });
}

/// Within a few seeds, one of them has the violation that this mutant must lead to.
fn is_caught(mutant: Mutant, is_expected: impl Fn(&Violation) -> bool) {
    for seed in 1..=SEEDS_FOR_A_MUTANT {
        let outcome = simulate_alone(seed, Some(mutant));
        if outcome.violations.iter().any(&is_expected) {
            println!("{mutant:?}: caught by seed {seed}: {outcome}");
            return;
        }
    }
    panic!("{mutant:?}: not caught within {SEEDS_FOR_A_MUTANT} seeds");
}

/// Each seed on a thread of its own: what a thread keeps for itself must not pass from one
/// simulation to the next.
fn simulate_alone(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let simulating = std::thread::spawn(move || simulate(seed, mutant));
    match simulating.join() {
        Ok(outcome) => outcome,
        Err(_) => panic!("COUNTERSIGN_SEED={seed} fails again"),
    }
}

/// As many at a time as there are processors.
fn simulate_all(seeds: &[u64], mutant: Option<Mutant>) -> Vec<(u64, Outcome)> {
    let at_once = std::thread::available_parallelism().map_or(1, |count| count.get());
    let next = AtomicU64::new(0);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                while let Ok(at) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
                    && let Some(seed) = seeds.get(at)
                {
                    let outcome = simulate_alone(*seed, mutant);
                    send.send((*seed, outcome)).expect("the test waits");
                }
            });
        }
    });
    drop(send);
    let mut outcomes: Vec<_> = receive.iter().collect();
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes
}
