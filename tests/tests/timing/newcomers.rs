//! A person with a certificate is admitted soon, whatever others do at the door.

use std::time::{Duration, Instant};

use pki::Bundle;
use tests::Peer;

use crate::alone;

/// Strangers from 250 addresses, each with handshakes that it never finishes, cost a member no more
/// than three seconds; those of one address cost next to nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_finish_no_handshake_hold_up_no_member() {
    let _alone = alone().await;
    const MEMBERS: usize = 20;
    tests::raise_file_limit().expect("a limit");
    let site = tests::Site::new("Networks 101");
    let bundle = Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle");
    for (addresses, at_most) in [(1, Duration::from_secs(1)), (250, Duration::from_secs(3))] {
        // To a new server every address is new.
        let served = site.serve(&["--sessions-per-minute", "0"]);
        let siege = tests::Siege {
            addresses,
            connections: 12,
            opening: tests::client_hello(&bundle),
        };
        let mut strangers = tests::Strangers::besiege(served.address, siege);
        strangers.are_here().await;
        let mut longest = Duration::ZERO;
        for member in 0..MEMBERS {
            let begun = Instant::now();
            let mut alice = Peer::connect(served.address, &bundle, &[wire::ALPN])
                .await
                .expect("a connection");
            alice.welcome().await;
            longest = longest.max(begun.elapsed());
            if member == 0 {
                println!("beside {addresses} addresses a newcomer is in within {longest:?}");
            }
        }
        println!("beside {addresses} addresses a member is in within {longest:?}");
        assert!(
            longest <= at_most,
            "{longest:?} beside {addresses} addresses"
        );
    }
}

/// A class behind one address is in soon after a start, although few of its handshakes go on at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_members_behind_one_address_are_in_soon() {
    let _alone = alone().await;
    const MEMBERS: usize = 300;
    // In a dev build the members themselves take most of it.
    const AT_MOST: Duration = Duration::from_secs(5);
    let site = tests::Site::new("Networks 101");
    let names: Vec<String> = (0..MEMBERS).map(|n| format!("member{n}")).collect();
    let candidates = ca_tool::Candidate::named(names.iter().map(String::as_str));
    let issued = site
        .ca()
        .issue(&candidates, &ca_tool::IssueOptions::default());
    issued.expect("certificates");
    let configs: Vec<_> = names
        .iter()
        .map(|name| {
            let bundle = Bundle::read(&site.path(&site.bundle(name))).expect("a bundle");
            pki::client_config(&bundle, &[wire::ALPN]).expect("a client's TLS")
        })
        .collect();
    let served = site.serve(&[]);
    let address = served.address;
    let begun = Instant::now();
    let mut entering = tokio::task::JoinSet::new();
    for config in configs {
        entering.spawn(async move {
            let entered = Peer::connect_with(address, config).await;
            let mut peer = entered.expect("a connection");
            peer.welcome().await;
            peer
        });
    }
    let all = entering.join_all().await;
    let took = begun.elapsed();
    println!("{} members are in after {took:?}", all.len());
    assert!(took <= AT_MOST, "{took:?}");
}
