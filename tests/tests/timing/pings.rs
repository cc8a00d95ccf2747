//! The kit's slow examination: a ping after 30 seconds in which the client sent nothing.

use std::process::Command;

use tests::{Site, program};

use crate::alone_blocking;

#[test]
fn our_own_client_passes_the_examination_of_pings() {
    let _alone = alone_blocking();
    let site = Site::new("Networks 101");
    let cert = site.bundle("alice");
    let client = program("client");
    let mut kit = Command::new(&client);
    kit.args([
        "conformance",
        "--cert",
        &cert,
        "--slow",
        "--only",
        "ping",
        "--",
    ])
    .arg(&client)
    .args(["--plain", "--cert", "{cert}", "--server", "{host}:{port}"])
    .current_dir(site.folder());
    // The kit has a deadline for everything that it waits for.
    let ended = kit.output().expect("the kit starts");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(told.starts_with("right  ping: "), "{told}");
    assert!(ended.status.success(), "{told}");
}
