//! The CA's key under a passphrase: how it is kept, when somebody is asked, and which passphrases fail.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ca_tool::{Ca, Error, InitOptions, Passphrase};
use kit::require;
use tempfile::TempDir;

use crate::{Asked, PROGRAM, shell, snapshot, stderr, stdout, succeed};

const SESAME: &str = "open sesame, 张三";
/// The message of a program that found no passphrase, or not the right one.
const NOT_OPENED: Option<i32> = Some(77);

/// Makes a folder with an encrypted CA in it, and its passphrase in the file `sesame`.
fn site() -> TempDir {
    let above = tempfile::tempdir().expect("a folder");
    fs::write(above.path().join("sesame"), format!("{SESAME}\n")).expect("written");
    let made = shell(
        above.path(),
        "ca-tool init --name N --passphrase-file sesame",
    );
    assert_eq!(made.0, Some(0), "{}", made.2);
    above
}

#[test]
#[ignore = "needs openssl and certtool: run with --include-ignored"]
fn a_key_is_encrypted_so_that_openssl_opens_it_and_a_guess_is_costly() {
    let above = site();
    let key = fs::read_to_string(above.path().join("ca/private/ca.key")).expect("a key");
    assert!(
        key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
        "{key}"
    );
    assert!(key.ends_with("-----END ENCRYPTED PRIVATE KEY-----\n") && !key.contains('\r'));
    require("openssl");
    require("certtool");
    let how = succeed(above.path(), "openssl asn1parse -in ca/private/ca.key");
    for expected in ["PBES2", "PBKDF2", "0927C0", "hmacWithSHA256", "aes-256-cbc"] {
        assert!(how.contains(expected), "{expected}: {how}");
    }
    let same = "openssl pkey -in ca/private/ca.key -passin file:sesame -pubout >key.pub && \
                openssl x509 -in ca/ca.pem -noout -pubkey | cmp - key.pub";
    succeed(above.path(), same);
    let wrong = shell(
        above.path(),
        "openssl pkey -in ca/private/ca.key -passin pass:guess",
    );
    assert_ne!(wrong.0, Some(0));
    let said = succeed(
        above.path(),
        "certtool --key-info --infile ca/private/ca.key --password \"$(cat sesame)\"",
    );
    assert!(said.contains("EC/ECDSA"), "{said}");
    // Salt and vector are new each time: equal passphrases are not seen to be equal.
    let other = site();
    let other = fs::read_to_string(other.path().join("ca/private/ca.key")).expect("a key");
    assert_ne!(key.lines().nth(1), other.lines().nth(1));
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_descriptor_and_looking_needs_none() {
    let above = site();
    for line in [
        "ca-tool issue alice --passphrase-file sesame",
        "ca-tool --passphrase-file sesame issue bob",
        "ca-tool issue carol --passphrase-fd 3 3<sesame",
        "ca-tool issue dave --passphrase-fd 0 <sesame",
        "cat sesame | ca-tool issue erin --passphrase-fd 0",
        // The program that writes into a pipe may keep it open: the end of the line is enough.
        "mkfifo pipe; { cat sesame; cat sesame >&2; } 2>rest >pipe & exec 4<>pipe; \
         ca-tool issue frank --passphrase-fd 4",
        "ca-tool issue-server chat2.example --passphrase-file sesame",
        "ca-tool revoke bob --passphrase-file sesame",
    ] {
        succeed(above.path(), line);
    }
    let list = succeed(
        above.path(),
        "ca-tool list; ca-tool show alice; ca-tool show ca/crl.pem",
    );
    for name in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        assert!(list.contains(name), "{name}: {list}");
    }
    assert!(!list.contains("passphrase"), "{list}");
}

#[test]
fn a_passphrase_that_is_wrong_empty_or_missing_opens_nothing() {
    let above = site();
    let path = above.path();
    fs::write(path.join("wrong"), "open sesame\n").expect("written");
    fs::write(path.join("empty"), "\n").expect("written");
    fs::write(path.join("long"), "x".repeat(2000)).expect("written");
    let before = snapshot(path);
    for (line, code, why) in [
        (
            "ca-tool issue alice --passphrase-file wrong",
            NOT_OPENED,
            "cannot use ca/private/ca.key: the passphrase is wrong",
        ),
        (
            "ca-tool revoke alice --passphrase-fd 3 3<empty",
            NOT_OPENED,
            "the passphrase cannot be used: it is empty",
        ),
        (
            "ca-tool issue alice --passphrase-file long",
            NOT_OPENED,
            "the passphrase cannot be used: it has more than 1023 bytes",
        ),
        (
            "ca-tool issue alice",
            NOT_OPENED,
            "cannot use ca/private/ca.key: it is encrypted, and there is no terminal to ask for its passphrase",
        ),
        (
            "ca-tool issue alice --passphrase-file nowhere",
            NOT_OPENED,
            "cannot read nowhere: ",
        ),
        (
            "ca-tool issue alice --passphrase-fd 9",
            NOT_OPENED,
            "cannot read /dev/fd/9: ",
        ),
        (
            "ca-tool --dir new init --name N --passphrase-file empty",
            NOT_OPENED,
            "the passphrase cannot be used: it is empty",
        ),
        (
            "ca-tool --dir new init --name N",
            NOT_OPENED,
            "the CA's key needs a passphrase, and there is no terminal to ask for one",
        ),
    ] {
        let (said, out, err) = shell(above.path(), line);
        assert_eq!((said, out.as_str()), (code, ""), "{line}: {err}");
        assert!(
            err.starts_with(&format!("ca-tool: error: {why}")),
            "{line}: {err}"
        );
        assert!(err.contains("\nca-tool: hint: "), "{line}: {err}");
        assert_eq!(snapshot(path), before, "{line}");
    }
    // The hint says where to look, and that a lost passphrase cannot be replaced.
    for (line, hint) in [
        (
            "ca-tool crl --passphrase-file wrong",
            "it was the first line of wrong, including spaces; use",
        ),
        (
            "ca-tool crl --passphrase-fd 3 3<wrong",
            "it was the first line from descriptor 3",
        ),
        (
            "ca-tool crl --passphrase-file wrong",
            "If it is lost, the key is lost too",
        ),
        (
            "ca-tool crl --passphrase-file nowhere",
            "--passphrase-file FILE or --passphrase-fd N names",
        ),
    ] {
        let err = shell(above.path(), line).2;
        assert!(err.contains(hint), "{line}: {err}");
    }
    // Everybody on the machine can see a command line.
    for line in [
        "ca-tool issue alice --passphrase sesame",
        "ca-tool --dir new init --name N --no-passphrase --passphrase-file sesame",
        "ca-tool issue alice --passphrase-file sesame --passphrase-fd 3",
    ] {
        assert_eq!(shell(above.path(), line).0, Some(2), "{line}");
    }
}
#[test]
fn an_encrypted_key_that_was_damaged_or_made_otherwise_is_told_apart() {
    tell_keys_apart(Asked::NOBODY);
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn a_key_that_openssl_encrypted_again_is_opened() {
    tell_keys_apart(Asked::of(&["openssl"]));
}

fn tell_keys_apart(asked: Asked) {
    let above = site();
    let key = above.path().join("ca/private/ca.key");
    let good = fs::read_to_string(&key).expect("a key");
    let issue = "ca-tool issue alice --passphrase-file sesame";
    let short = good.replacen(&good[80..84], "", 1);
    let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n\
               MAAA\n-----END EC PRIVATE KEY-----\n";
    for (text, code, why) in [
        (
            short.as_str(),
            Some(1),
            "PEM section 1 (ENCRYPTED PRIVATE KEY) in it is damaged: only",
        ),
        (
            old,
            Some(1),
            "its key is encrypted in a way that ca-tool does not support",
        ),
        ("", Some(1), "it is empty"),
    ] {
        fs::write(&key, text).expect("written");
        let (said, _, err) = shell(above.path(), issue);
        assert_eq!(said, code, "{err}");
        assert!(err.contains(why), "{err}");
    }
    if asked.includes("openssl") {
        // A key that was encrypted again, by OpenSSL's defaults and in older ways.
        fs::write(&key, &good).expect("written");
        succeed(
            above.path(),
            "openssl pkey -in ca/private/ca.key -passin file:sesame -out plain.key",
        );
        for (number, how) in ["-v2 aes256", "-v2 des3 -v2prf hmacWithSHA1", "-scrypt"]
            .iter()
            .enumerate()
        {
            let again = format!(
                "openssl pkcs8 -topk8 {how} -in plain.key -passout file:sesame -out ca/private/ca.key && \
                 ca-tool issue s{number} --passphrase-file sesame"
            );
            succeed(above.path(), &again);
        }
    }
}

#[test]
fn the_library_asks_for_a_passphrase_only_where_one_is_needed() {
    let above = tempfile::tempdir().expect("a folder");
    let (plain, locked) = (above.path().join("plain"), above.path().join("locked"));
    Ca::init(&plain, &InitOptions::named("N")).expect("a CA");
    Ca::load_with(&plain, |_| panic!("nobody needs one")).expect("plain");
    let mut options = InitOptions::named("N");
    options.passphrase = Some(Passphrase::new(SESAME).expect("a passphrase"));
    Ca::init(&locked, &options).expect("a CA");
    let error = Ca::load(&locked).expect_err("nobody was asked");
    assert!(matches!(error, Error::EncryptedKey(_)), "{error}");
    let opened = Ca::load_with(&locked, |path| {
        assert_eq!(path, locked.join("private/ca.key"));
        Passphrase::new(SESAME)
    });
    opened.expect("opened");
}

/// Types answers at a terminal: each when its prompt is there, and after a colon only once the terminal
/// hides input.
const AT_A_TERMINAL: &str = r#"
import os, pty, sys, termios, time
answers, command = sys.argv[1].split("|"), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
seen, deadline = b"", time.monotonic() + 60
def read():
    global seen
    assert time.monotonic() < deadline, seen
    try:
        more = os.read(terminal, 4096)
    except OSError:
        more = b""
    seen += more
    return more
for answer in answers:
    start = len(seen)
    while not seen[start:].rstrip(b" ").endswith((b":", b"]")):
        assert read(), seen
    hidden = seen.rstrip(b" ").endswith(b":")
    while hidden and termios.tcgetattr(terminal)[3] & termios.ECHO:
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)
    os.write(terminal, answer.encode() + b"\n")
while read():
    pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

pub(crate) fn type_in(
    folder: &Path,
    answers: &[&str],
    arguments: &[&str],
) -> (Option<i32>, String) {
    let output = Command::new("python3")
        .args(["-c", AT_A_TERMINAL, &answers.join("|"), PROGRAM])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let trouble = stderr(&output);
    assert_eq!(trouble, "", "{trouble}");
    (output.status.code(), stdout(&output))
}

#[cfg(unix)]
#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn at_a_terminal_a_passphrase_is_asked_for_twice_then_once_and_never_shown() {
    require("python3");
    let above = tempfile::tempdir().expect("a folder");
    let path = above.path();
    let init = ["init", "--name", "N"];
    let (code, said) = type_in(path, &[SESAME, "open sesame"], &init);
    assert_eq!(code, NOT_OPENED, "{said}");
    assert!(
        said.contains("the two passphrases are not the same"),
        "{said}"
    );
    assert!(!path.join("ca").exists());

    let (code, said) = type_in(path, &[SESAME, SESAME], &init);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("made the CA") && !said.contains("sesame"),
        "{said}"
    );

    let (code, said) = type_in(path, &[SESAME], &["issue", "alice", "bob"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("passphrase for ca/private/ca.key: "),
        "{said}"
    );
    assert_eq!(said.matches("passphrase for").count(), 1, "{said}");
    assert!(
        said.contains("ca/people/bob.pem") && !said.contains("sesame"),
        "{said}"
    );

    let (code, said) = type_in(path, &["sesame"], &["revoke", "alice"]);
    assert_eq!(code, NOT_OPENED, "{said}");
    assert!(said.contains("the passphrase is wrong"), "{said}");
    assert!(said.contains("hint: check Caps Lock"), "{said}");

    // Nobody sees an arrow key.
    let (code, said) = type_in(path, &["open\x1b[D sesame"], &["crl"]);
    assert_eq!(code, NOT_OPENED, "{said}");
    assert!(said.contains("such as an arrow key"), "{said}");
}

#[test]
fn what_init_says_of_the_key_fits_how_it_is_kept() {
    let above = site();
    fs::remove_dir_all(above.path().join("ca")).expect("removed");
    let said = succeed(
        above.path(),
        "ca-tool init --name N --passphrase-file sesame",
    );
    assert!(
        said.contains("ca.key and its passphrase can let anybody in"),
        "{said}"
    );
    assert!(
        said.contains("If the passphrase is lost, the key is lost too"),
        "{said}"
    );
    let said = succeed(
        above.path(),
        "ca-tool --dir plain init --name N --no-passphrase",
    );
    assert!(
        said.contains("who can read plain/private/ca.key can let anybody in"),
        "{said}"
    );
    assert!(!said.contains("and its passphrase"), "{said}");
}
