//! Results as programs read them: the same facts as in words, in one shape.

use serde_json::Value;

use pki::Bundle;

use crate::{Asked, World, shell, snapshot, succeed};

/// A command, and how many things it does and skips.
const COMMANDS: [(&str, usize, usize); 14] = [
    (
        "--dir two init --name Two --host chat.example --no-passphrase",
        2,
        0,
    ),
    ("issue alice bob", 2, 0),
    ("issue alice carol", 1, 1),
    ("request dave", 1, 0),
    ("sign dave.csr --as dave", 1, 0),
    ("sign dave.csr --as dave", 0, 1),
    ("adopt ca/people/dave.crt --key dave.key --out .", 1, 0),
    ("renew bob --until 2030-01-01", 1, 0),
    ("revoke alice bob --reason certificateHold", 2, 0),
    ("unhold alice carol", 1, 1),
    ("revoke alice bob", 2, 0),
    ("revoke alice carol", 1, 1),
    ("issue-server chat2.example", 1, 0),
    ("export carol --p12", 1, 0),
];

/// The keys that `docs/certificates.md` documents.
const KEYS: [&str; 7] = ["name", "serial", "until", "file", "key", "password", "why"];

#[test]
fn what_each_command_did_is_said_to_programs_as_it_is_in_words() {
    // Two equal folders: one for words, one for JSON.
    let (spoken, read) = (World::new(), World::new());
    for (line, done, skipped) in COMMANDS {
        let words = succeed(spoken.above.path(), &format!("ca-tool {line}"));
        let (code, out, err) = shell(read.above.path(), &format!("ca-tool {line} --json"));
        assert_eq!(code, Some(0), "{line}: {err}");
        let said: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
        let command = line
            .split(' ')
            .find(|word| words_of_commands().contains(word));
        assert_eq!(said["command"].as_str(), command, "{said}");
        let items = |key: &str| said[key].as_array().expect("an array").clone();
        assert_eq!(
            (items("done").len(), items("skipped").len()),
            (done, skipped),
            "{line}: {said}"
        );
        for item in items("done").iter().chain(&items("skipped")) {
            for (key, value) in item.as_object().expect("an object") {
                assert!(KEYS.contains(&key.as_str()), "{line}: {key}");
                let value = value.as_str().expect("a text");
                let in_words = match key.as_str() {
                    // Each folder has its own numbers, and a server's file has the server's name.
                    "serial" | "password" => continue,
                    "name"
                        if item["file"]
                            .as_str()
                            .is_some_and(|file| file.ends_with("server.pem")) =>
                    {
                        continue;
                    }
                    "until" => value.split('T').next().expect("a day"),
                    _ => value,
                };
                // The contents of a p12 or a request are not repeated.
                let is_said =
                    words.contains(in_words) || command == Some("export") && key == "until";
                assert!(is_said, "{line}: {key} {in_words}: {words}");
            }
        }
        // A command that wrote the list says where it is.
        let list = said["list"].as_str();
        let is_listed = matches!(command, Some("init" | "renew" | "revoke" | "unhold"));
        assert_eq!(list.is_some(), is_listed, "{line}: {said}");
    }
}

fn words_of_commands() -> [&'static str; 10] {
    [
        "init",
        "issue",
        "request",
        "sign",
        "adopt",
        "renew",
        "revoke",
        "unhold",
        "issue-server",
        "export",
    ]
}

#[test]
fn every_key_is_told_of() {
    let page = include_str!("../../../docs/certificates.md");
    for key in KEYS.iter().chain(&["command", "done", "skipped", "list"]) {
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
}
#[test]
fn a_program_learns_the_number_and_the_file_of_each_certificate() {
    learn_numbers_and_files(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_opens_the_p12_with_the_password_that_a_program_learns() {
    learn_numbers_and_files(Asked::of(&["openssl"]));
}

fn learn_numbers_and_files(asked: Asked) {
    let w = World::new();
    let above = w.above.path();
    let run = |line: &str| -> Value {
        let (code, out, err) = shell(above, line);
        assert_eq!(code, Some(0), "{line}: {err}");
        serde_json::from_str(&out).expect("JSON")
    };
    let issued = run("ca-tool --json issue alice 张三");
    let mut numbers = Vec::new();
    for item in issued["done"].as_array().expect("an array") {
        let file = item["file"].as_str().expect("a file");
        let bundle = Bundle::read(&w.path(file)).expect("a bundle");
        let said = bundle.certificate();
        assert_eq!(item["serial"], said.serial.to_string());
        assert_eq!(item["name"], said.subject.common_names[0].as_str());
        numbers.push(item["serial"].clone());
    }
    let revoked = run("ca-tool revoke 张三 alice --json");
    let mut gone: Vec<_> = revoked["done"]
        .as_array()
        .expect("an array")
        .iter()
        .collect();
    gone.sort_by_key(|item| item["serial"] != numbers[0]);
    assert_eq!(
        gone.iter().map(|item| &item["serial"]).collect::<Vec<_>>(),
        numbers.iter().collect::<Vec<_>>()
    );
    let again = run("ca-tool revoke alice --json");
    assert_eq!(again["done"], Value::Array(Vec::new()));
    assert_eq!(
        again["skipped"][0]["why"],
        "is revoked already, or has no certificate"
    );

    // A password is included only where printing it is the purpose, and it opens the file.
    let exported = run("ca-tool issue bob --json >issued && ca-tool export bob --p12 --json");
    let issued = std::fs::read_to_string(w.path("issued")).expect("a file");
    assert!(
        !issued.contains("password") && !issued.contains("PRIVATE"),
        "{issued}"
    );
    let made = &exported["done"][0];
    assert_eq!(made["file"], "ca/people/bob.p12");
    if asked.includes("openssl") {
        let password = made["password"].as_str().expect("a password");
        succeed(
            above,
            &format!("openssl pkcs12 -in ca/people/bob.p12 -passin pass:{password} -noout"),
        );
    }
}

#[test]
fn a_program_is_told_nothing_by_a_command_that_failed() {
    let w = World::new();
    let above = w.above.path();
    w.issue("alice");
    let before = snapshot(above);
    for line in [
        "issue ../x",
        "issue",
        "revoke nobody",
        "renew nobody",
        "sign nowhere.csr --as bob",
        "export nobody --p12",
        "init --name N --no-passphrase",
    ] {
        let (code, out, err) = shell(above, &format!("ca-tool {line} --json"));
        assert!(code == Some(1) || code == Some(2), "{line}: {code:?}");
        assert_eq!(out, "", "{line}");
        assert!(err.contains("ca-tool: error: "), "{line}: {err}");
        assert_eq!(snapshot(above), before, "{line}");
    }
}
