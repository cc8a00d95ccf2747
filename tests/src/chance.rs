//! Chance that can be repeated: how many faults come, and in which order, is drawn from a seed that
//! the test prints.

/// Returns how many rounds a test of chance has: `COUNTERSIGN_ROUNDS` if it is set, `in_ci` in CI, and a
/// sixth of that where a person waits for it.
pub fn rounds(in_ci: u64) -> u64 {
    if let Some(rounds) = number("COUNTERSIGN_ROUNDS") {
        return rounds;
    }
    match std::env::var_os("CI") {
        Some(_) => in_ci,
        None => in_ci.div_ceil(6),
    }
}

/// Returns random numbers from `COUNTERSIGN_SEED`, or from a new seed, and prints the seed.
pub fn chance(test: &str) -> fastrand::Rng {
    let seed = number("COUNTERSIGN_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: COUNTERSIGN_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Returns the number in an environment variable, or `None` if it is not set.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
