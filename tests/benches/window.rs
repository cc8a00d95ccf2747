//! How the full-screen client keeps up with a busy room: `cargo bench -p tests --bench window`.
//!
//! 5,000 lines a second arrive for a minute while somebody types. What is measured is what a
//! person sees: from a key written to the terminal to its echo on the screen.

#[cfg(target_os = "linux")]
fn main() {
    use std::time::Duration;

    const LINES_PER_SECOND: u64 = 5000;
    const LENGTH: Duration = Duration::from_secs(60);

    let rush = tests::Rush::of(LINES_PER_SECOND, LENGTH);
    println!(
        "{} lines in {:.0} s, {} keys: echo p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        rush.lines,
        rush.took.as_secs_f64(),
        rush.keys.len(),
        milliseconds(rush.p50()),
        milliseconds(rush.p99()),
        milliseconds(rush.keys[rush.keys.len() - 1]),
    );
    println!(
        "{:.1} frames a second; {:.1} ms of processor a frame, the lines of it included; {} MiB resident",
        rush.frames_per_second(),
        milliseconds(rush.processor) / rush.frames as f64,
        rush.resident_kib / 1024,
    );
    assert!(rush.p99() <= Duration::from_millis(50), "keys are slow");
    assert!(rush.frames_per_second() <= 61.0, "frames are not capped");
    assert!(rush.resident_kib <= 64 * 1024, "memory is not bounded");

    fn milliseconds(duration: Duration) -> f64 {
        duration.as_secs_f64() * 1000.0
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this is measured on Linux only");
}
