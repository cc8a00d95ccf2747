//! The way by hand: the commands of the README's first steps, typed in an empty folder.

use tests::{Running, program, run};

use super::{Ended, finish};

#[test]
fn the_way_by_hand_works_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let init: Vec<&str> = "init --host chat.example --no-passphrase --name"
        .split(' ')
        .chain(["Networks 101"])
        .collect();
    let made = Ended::from(run(folder, "ca-tool", &init, ""));
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(made.out.contains("ca/server.pem"), "{}", made.out);
    let people = ["issue", "alice", "张三", "s2024-017"];
    let issued = Ended::from(run(folder, "ca-tool", &people, ""));
    assert_eq!(issued.code, Some(0), "{}", issued.err);

    // Without a flag it would take the port that everybody's server takes.
    let listen = ["--listen", "127.0.0.1:0"];
    let mut server = Running::start(folder, &program("server"), &listen);
    let said = server.expect_err("listening on ");
    let port = said.split("listening on 127.0.0.1:").nth(1);
    let port = port.and_then(|rest| rest.split(' ').next());
    let host = format!("localhost:{}", port.expect("a port"));
    let cert = |id: &str| format!("ca/people/{id}.pem");

    let client = |id: &str, more: &[&str]| {
        let cert = cert(id);
        let mut arguments = vec!["--cert", &cert, "--server", &host];
        arguments.extend(more);
        let mut client = Running::start(folder, &program("client"), &arguments);
        client.expect_err(&format!("connected as {id} from 127.0.0.1"));
        client
    };
    let mut zhang = client("张三", &["--bare"]);
    let mut alice = client("alice", &[]);
    alice.send("hello\nis anybody there?\n");
    assert_eq!(zhang.expect_out("hello"), "[alice@127.0.0.1] hello");
    zhang.expect_out("is anybody there?");
    zhang.send("我在\n");
    let line = alice.expect_out("我在");
    let (stamp, text) = line.split_at("2026-11-21 10:00:00".len());
    assert_eq!(text, " [张三@127.0.0.1] 我在");
    assert!(stamp.starts_with("20"), "{line}");
    // A person who speaks through a pipe sees their own line before the client ends.
    alice.send("bye");
    let (alice, zhang) = (finish(alice), finish(zhang));
    assert_eq!((alice.code, zhang.code), (Some(0), Some(0)));
    assert!(
        alice.out.ends_with(" [alice@127.0.0.1] bye"),
        "{}",
        alice.out
    );
    assert!(zhang.out.starts_with("[alice@127.0.0.1] hello\n"));
    let one_line = run(
        folder,
        "client",
        &["--cert", &cert("s2024-017"), "--server", &host, "--bare"],
        "hello\n",
    );
    assert_eq!(Ended::from(one_line).out, "[s2024-017@127.0.0.1] hello");

    let asked = run(
        folder,
        "server",
        &["query", "--csv", "select line from transcript"],
        "",
    );
    let asked = Ended::from(asked).out;
    assert_eq!(
        asked.lines().take(5).collect::<Vec<_>>(),
        [
            "line",
            "* 张三@127.0.0.1 entered",
            "* alice@127.0.0.1 entered",
            "[alice@127.0.0.1] hello",
            "[alice@127.0.0.1] is anybody there?",
        ]
    );
}
