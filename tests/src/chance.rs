//! Chance that can be had again: how often and in which order faults come is drawn from a seed
//! that the test prints.

/// How many rounds a test of chance has: `COUNTERSIGN_ROUNDS`, or so many in CI, or fewer where
/// somebody waits for it.
pub fn rounds(in_ci: u64) -> u64 {
    if let Some(rounds) = number("COUNTERSIGN_ROUNDS") {
        return rounds;
    }
    match std::env::var_os("CI") {
        Some(_) => in_ci,
        None => in_ci.div_ceil(6),
    }
}

/// Random numbers from `COUNTERSIGN_SEED`, or from a new seed; which one is printed.
pub fn chance(test: &str) -> fastrand::Rng {
    let seed = number("COUNTERSIGN_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: COUNTERSIGN_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// A number that somebody set in the environment.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
