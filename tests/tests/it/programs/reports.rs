//! Reports of ca-tool about a room that was used.

use std::process::Output;

use serde_json::Value;
use tests::Site;

#[test]
fn status_knows_who_never_connected() {
    let site = Site::new("Networks 101");
    for name in ["alice", "bob", "carol"] {
        site.bundle(name);
    }
    let served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--commands"]);
    alice.send("/quit\n");
    alice.wait();
    let asked = |arguments: &[&str]| {
        let output: Output = site.run("ca-tool", arguments);
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code(), said)
    };
    // The server may go on while it is asked.
    let (code, said) = asked(&["status", "--db", "chat.db", "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(code, Some(0));
    let never = said["never_connected"].as_array().expect("names").iter();
    let never: Vec<_> = never.filter_map(Value::as_str).collect();
    assert_eq!(never, ["bob", "carol"]);
    let (_, said) = asked(&["status", "--db", "chat.db"]);
    assert!(said.contains("never connected  2: bob, carol\n"), "{said}");
    // Without the database nothing is said of it, and with a wrong one not that all is well.
    let (_, said) = asked(&["status"]);
    assert!(!said.contains("never connected"), "{said}");
    let (code, said) = asked(&["status", "--db", "nowhere.db"]);
    assert_eq!((code, said.as_str()), (Some(3), ""));
}
