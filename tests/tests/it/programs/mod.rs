//! The three programs as people run them: what they say, what they leave behind, how they end.

mod by_hand;
mod client;
#[cfg(unix)]
mod conformance;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(unix)]
mod explain;
#[cfg(unix)]
mod handout;
mod independent;
#[cfg(target_os = "linux")]
mod logs;
#[cfg(unix)]
mod pastes;
mod reports;
mod server;
mod startup;
#[cfg(unix)]
mod stop;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod widths;
#[cfg(target_os = "linux")]
mod window;

use tests::Site;
pub(crate) use tests::{Ended, end, finish, run_at, run_client};

pub(crate) fn site() -> Site {
    Site::new("Networks 101")
}
