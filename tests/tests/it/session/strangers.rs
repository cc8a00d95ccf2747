//! Strangers can take up room, and do nothing else to members. They come from many addresses of
//! 127.0.0.0/8, say a little, and come again as soon as they are ended.

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ca_tool::Reason;
use pki::{Bundle, CaHints};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use tests::{
    Peer, Siege, Site, Strangers, World, client_hello, large_hello, peak_kib, program, within,
};

/// Takes away every deadline, so that a connection ends only to make room.
fn without_deadlines(options: &mut tests::Options) {
    const NEVER: Duration = Duration::from_secs(3600);
    options.limits.handshake_timeout = NEVER;
    options.limits.handshake_wait_timeout = NEVER;
    options.limits.crowded_handshake_timeout = NEVER;
}

#[tokio::test]
async fn handshakes_that_strangers_begin_and_never_finish_keep_nobody_out() {
    let w = World::with(|o| {
        without_deadlines(o);
        o.limits.handshakes_max = 6;
        o.limits.handshakes_per_address_max = 3;
    })
    .await;
    let opening = client_hello(&w.bundle("mallory"));
    let siege = Siege {
        addresses: 3,
        connections: 4,
        opening,
    };
    let mut strangers = Strangers::besiege(w.address(), siege);
    strangers.have_heard(6).await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    alice.say("we are in").await;
    bob.expect("we are in").await;
}

#[tokio::test]
async fn silent_connections_from_everywhere_make_room_for_a_member() {
    let w = World::with(|o| {
        without_deadlines(o);
        o.limits.connections_max = 20;
    })
    .await;
    for opening in [vec![], large_hello(200)] {
        let siege = Siege {
            addresses: 5,
            connections: 8,
            opening,
        };
        let mut strangers = Strangers::besiege(w.address(), siege);
        strangers.are_here().await;
        let (alice, mut bob) = w.pair("alice", "bob").await;
        bob.say("there is room for us").await;
        bob.expect("there is room for us").await;
        drop(strangers);
        alice.close().await;
        bob.close().await;
    }
}

#[tokio::test]
async fn where_connections_are_few_slow_handshakes_make_room() {
    let w = World::with(|o| {
        without_deadlines(o);
        o.limits.crowded_handshake_timeout = Duration::from_secs(2);
        o.limits.connections_max = 8;
    })
    .await;
    let siege = Siege {
        addresses: 8,
        connections: 1,
        opening: client_hello(&w.bundle("mallory")),
    };
    let mut strangers = Strangers::besiege(w.address(), siege);
    strangers.are_here().await;
    let entering = async {
        loop {
            // A refusal is told, and may pass.
            let connected = Peer::connect(w.address(), &w.bundle("alice"), &[]).await;
            let Ok(mut alice) = connected else { continue };
            if matches!(alice.read_line().await, Ok(Some(line)) if line.starts_with("= welcome")) {
                return;
            }
        }
    };
    within("a way in", entering).await;
}

#[tokio::test]
async fn connections_that_wait_for_their_turn_make_room_for_an_address_that_has_fewer() {
    let w = World::with(|o| {
        without_deadlines(o);
        o.limits.connections_max = 12;
        o.limits.handshakes_per_address_max = 1;
    })
    .await;
    let siege = Siege {
        addresses: 2,
        connections: 8,
        opening: client_hello(&w.bundle("mallory")),
    };
    let mut strangers = Strangers::besiege(w.address(), siege);
    strangers.have_heard(2).await;
    strangers.are_here().await;
    let _pair = w.pair("alice", "bob").await;
}

/// Returns how many files a process has open.
fn open_files(id: u32) -> usize {
    let listed = std::fs::read_dir(format!("/proc/{id}/fd"));
    listed.expect("the server runs").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_member_is_out_while_strangers_hold_all_that_there_is() {
    const FILES: usize = 64;
    let site = Site::new("Networks 101");
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {FILES}; exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(program("server"));
    let served = site.serve_by(command);
    let said = &served.said;
    assert!(said.contains("listening on"), "{said}");
    let bundle = Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle");
    let mut alice = Peer::connect(served.address, &bundle, &[wire::ALPN])
        .await
        .expect("a connection");
    alice.welcome().await;
    let siege = Siege {
        addresses: 8,
        connections: 10,
        opening: Vec::new(),
    };
    let mut strangers = Strangers::besiege(served.address, siege);
    strangers.are_here().await;
    let revoked = site.ca().revoke(&["alice".to_owned()], Reason::Unspecified);
    revoked.expect("a new list");
    alice.expect("= bye revoked").await;
    let files = open_files(served.program.id());
    assert!(files < FILES, "{files} files are open");
    // Others still enter.
    let bundle = Bundle::read(&site.path(&site.bundle("bob"))).expect("a bundle");
    let mut bob = Peer::connect(served.address, &bundle, &[])
        .await
        .expect("a connection");
    bob.welcome().await;
    drop(strangers);
    served.program.signal("-TERM");
    let output = served.program.finish();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!log.contains("cannot accept connections"), "{log}");
}

#[tokio::test]
async fn too_few_files_lower_the_connections_or_are_refused() {
    let site = Site::new("Networks 101");
    let serve = |files: usize| {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files}; exec \"$@\"");
        command.args(["-c", &script, "sh"]).arg(program("server"));
        command
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(site.folder());
        tests::Running::spawn(command)
    };
    let mut lowered = serve(100);
    lowered.expect_err("the hard limit on open files lowers --connections; only root can raise it files=100 connections=52");
    lowered.expect_err("listening on");
    lowered.signal("-TERM");
    assert!(lowered.wait().success());

    let mut refused = serve(40);
    refused.expect_err("error: the system allows this program 40 open files, and it needs 52");
    refused.expect_err("hint: this is the hard limit, which only root can raise: ");
    assert_eq!(refused.wait().code(), Some(1));
}

/// Has no certificate, and notes which CAs the server names.
#[derive(Debug, Default)]
struct Curious(OnceLock<usize>);

impl ResolvesClientCert for Curious {
    fn resolve(&self, cas: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.set(cas.len()).expect("one handshake");
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_stranger_is_told_the_ca_only_if_the_server_is_to_name_it() {
    for (ca_hints, named) in [(CaHints::Off, 0), (CaHints::On, 1)] {
        let w = World::with(|o| o.ca_hints = ca_hints).await;
        let curious = Arc::new(Curious::default());
        let config = pki::client_config(&w.bundle("alice"), &[]).expect("a client's TLS");
        let mut config = Arc::unwrap_or_clone(config);
        config.client_auth_cert_resolver = curious.clone();
        let connected = Peer::connect_with(w.address(), Arc::new(config)).await;
        let mut stranger = connected.expect("its end of the handshake");
        stranger.read_line().await.expect_err("an alert");
        assert_eq!(curious.0.get(), Some(&named));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_strangers_send_take_little_memory() {
    const GROWTH_KIB_MAX: u64 = 64 * 1024;
    tests::raise_file_limit().expect("a limit");
    let site = Site::new("Networks 101");
    let bundle = Bundle::read(&site.path(&site.bundle("alice"))).expect("a bundle");
    // An answered handshake, and then a record of 16 KiB that never comes whole.
    let mut answered = client_hello(&bundle);
    answered.extend([23, 3, 3, 0x40, 0xff]);
    answered.resize(answered.len() + 16_000, 0);
    // The largest hello that many may wait with, and the largest that some may.
    for (addresses, connections, opening) in [
        (8, 510, large_hello(4_000)),
        (8, 500, large_hello(15_900)),
        (32, 16, answered),
    ] {
        let served = site.serve(&[]);
        let rest = peak_kib(served.program.id());
        let siege = Siege {
            addresses,
            connections,
            opening,
        };
        let mut strangers = Strangers::besiege(served.address, siege);
        strangers.are_here().await;
        let mut alice = Peer::connect(served.address, &bundle, &[])
            .await
            .expect("a connection");
        alice.welcome().await;
        let grown = peak_kib(served.program.id()) - rest;
        println!("{grown} KiB more than {rest} KiB");
        assert!(grown <= GROWTH_KIB_MAX, "{grown} KiB more than {rest} KiB");
    }
}
