//! Faults in a room: kills, power cuts, disks, networks and clocks, each under load, and
//! each judged by the checker.

#![cfg(target_os = "linux")]

mod backup;
mod clock;
mod cuts;
mod damage;
mod disk;
mod herd;
mod inject;
mod kills;
mod mutants;
mod power;
mod replay;
mod vanish;
