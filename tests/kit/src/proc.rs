//! Facts about a running process, read from `/proc`.

use std::time::Duration;

/// Returns the most memory that a process has had, in KiB.
pub fn peak_kib(id: u32) -> u64 {
    status(id, "VmHWM:")
}

/// Returns the memory that a process has now, in KiB.
pub fn resident_kib(id: u32) -> u64 {
    status(id, "VmRSS:")
}

/// Returns the processor time that a process has used, with a precision of 10 ms.
pub fn processor_time(id: u32) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    // The name stands in brackets and may hold spaces. Of the fields after it, utime is the 12th
    // and stime the 13th.
    let (_, after_name) = stat.rsplit_once(')').expect("its name");
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let ticks = fields[11..=12]
        .iter()
        .map(|ticks| ticks.parse::<u32>().expect("a number of ticks"));
    TICK * ticks.sum()
}

fn status(id: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_else(|| panic!("no {key} in /proc/{id}/status"))
}
