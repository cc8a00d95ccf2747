//! The server ends without warning, or because it was told to, while many talk.

use std::time::Duration;

use tests::checker::{assert_clean, rows};
use tests::crowd::{Crowd, Plan};
use tests::{Served, Site, UNLIMITED, chance, rounds};

/// Kills the server at a random moment of its work, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_server_is_killed_nothing_acknowledged_or_shown_is_lost_or_doubled() {
    let mut chance = chance("kills");
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    let mut crowd = Crowd::enter(&site, served.address, &Plan::default()).await;
    for _ in 0..rounds(60) {
        // Some work, so that every round has something to lose, and then any moment.
        crowd.stored(chance.u64(1..200)).await;
        tokio::time::sleep(Duration::from_micros(chance.u64(0..20_000))).await;
        served = kill(&site, served);
    }
    crowd.stored(200).await;
    let history = crowd.drain_all().await;
    served.program.signal("-TERM");
    assert!(served.program.finish().status.success());
    assert_clean("kills", &history, &rows(&site.path("chat.db")).await);
}

fn kill(site: &Site, served: Served) -> Served {
    let address = served.address;
    served.program.signal("-KILL");
    assert_eq!(served.program.finish().status.code(), None);
    site.serve_again(address, &UNLIMITED)
}

/// A server that is told to stop under load ends, and has stored exactly what it acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_under_load_the_server_stores_what_it_acknowledged_and_ends() {
    let site = Site::new("Networks 101");
    let mut served = site.serve(&UNLIMITED);
    let plan = Plan {
        pace: Duration::ZERO,
        // A client whose connection breaks never hears the answer, and this test counts every answer.
        rude: 0,
        ..Plan::default()
    };
    let mut crowd = Crowd::enter(&site, served.address, &plan).await;
    for _ in 0..rounds(6) {
        crowd.stored(1000).await;
        let address = served.address;
        served.program.signal("-TERM");
        let ended = served.program.finish();
        assert!(ended.status.success(), "{ended:?}");
        let stored = rows(&site.path("chat.db")).await;
        let lines = stored.iter().filter(|row| row.nonce.is_some()).count();
        crowd.acknowledged(lines as u64).await;
        assert_clean("a stop", &crowd.history(), &stored);
        served = site.serve_again(address, &UNLIMITED);
    }
    let history = crowd.drain_all().await;
    assert_clean("stops", &history, &rows(&site.path("chat.db")).await);
}
