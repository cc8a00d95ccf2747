//! A terminal that hides what is typed shows it again, however the question ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kit::{look_until, require};
use tempfile::TempDir;

use crate::{PROGRAM, shell, stderr, stdout, succeed};

const SESAME: &str = "open sesame, 张三";

/// A shell on a terminal, with the program as its job. It reports when the job has stopped or ended, and
/// whether the terminal then shows input. It continues the job on `fg`, with the terminal as it was before
/// the job. In the background it begins a job while it edits a line itself. It is controlled by pairs: the
/// text to wait for, and then the text to type, the signal to send or the file to make.
const SHELL: &str = r#"
import os, pty, select, signal, sys, termios, time
steps = [step.split(">") for step in sys.argv[1].split("|") if step]
is_background = sys.argv[2] == "background"
command = sys.argv[3:]
def echo(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
def be_a_shell():
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    usual = termios.tcgetattr(0)
    if is_background:
        line = termios.tcgetattr(0)
        line[0] &= ~termios.ICRNL
        line[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(0, termios.TCSADRAIN, line)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        if not is_background:
            os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(command[0], command)
    while True:
        status = os.waitpid(job, os.WUNTRACED)[1]
        shows = "shown" if echo(0) else "hidden"
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        print("STOPPED", shows, flush=True)
        termios.tcsetattr(0, termios.TCSADRAIN, usual)
        assert sys.stdin.readline() == "fg\n"
        os.tcsetpgrp(0, job)
        os.kill(job, signal.SIGCONT)
    print("ENDED", os.waitstatus_to_exitcode(status), shows, flush=True)
    os._exit(0)
child, terminal = pty.fork()
if child == 0:
    try:
        be_a_shell()
    except BaseException as error:
        print("SHELL", repr(error), flush=True)
        os._exit(1)
seen, start, deadline = b"", 0, time.monotonic() + 60
def read():
    global seen
    left = deadline - time.monotonic()
    assert left > 0 and select.select([terminal], [], [], left)[0], seen
    try:
        more = os.read(terminal, 4096)
    except OSError:
        more = b""
    seen += more
    return more
for text, what in steps:
    while text.encode() not in seen[start:]:
        assert read(), seen
    start = seen.index(text.encode(), start) + len(text.encode())
    # Who is asked for a passphrase waits until nothing that they type is shown.
    while text.startswith("passphrase") and echo(terminal):
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)
    if what.startswith("touch "):
        open(what[6:], "w").close()
    elif what.startswith("SIG"):
        os.kill(os.tcgetpgrp(terminal), getattr(signal, what))
    else:
        os.write(terminal, bytes.fromhex(what[2:]) if what.startswith("0x") else what.encode() + b"\n")
while read():
    pass
os.waitpid(child, 0)
sys.stdout.buffer.write(seen)
"#;

/// Takes these steps with `ca-tool` as a shell's job, and returns everything that the terminal showed.
fn take(folder: &Path, steps: &[(&str, &str)], arguments: &[&str]) -> String {
    take_in("foreground", folder, steps, arguments)
}

/// The same, with the job in the background or not.
fn take_in(ground: &str, folder: &Path, steps: &[(&str, &str)], arguments: &[&str]) -> String {
    take_job(ground, folder, steps, &[&[PROGRAM], arguments].concat())
}

/// The same with any job.
fn take_job(ground: &str, folder: &Path, steps: &[(&str, &str)], job: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|(a, b)| format!("{a}>{b}")).collect();
    let output = Command::new("python3")
        .args(["-c", SHELL, &steps.join("|"), ground])
        .args(job)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let trouble = stderr(&output);
    assert_eq!(trouble, "", "{trouble}");
    stdout(&output)
}

/// Returns the passphrase as keys send it, with Enter.
fn with_enter() -> String {
    let bytes: String = SESAME.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{bytes}0d")
}

/// Makes a folder with an encrypted CA in it.
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

const ASKED: &str = "passphrase for ca/private/ca.key: ";
const CTRL_C: &str = "0x03";
const CTRL_D: &str = "0x04";
const CTRL_Z: &str = "0x1a";

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_terminal_shows_again_what_is_typed_however_the_asking_ends() {
    require("python3");
    let above = site();
    let path = above.path();
    for (how, end) in [
        (CTRL_C, "ENDED -2 shown"),
        ("SIGTERM", "ENDED -15 shown"),
        ("SIGHUP", "ENDED -1 shown"),
        // The end of input is an answer, and the program exits with its own code.
        (CTRL_D, "ENDED 77 shown"),
        (SESAME, "ENDED 0 shown"),
    ] {
        let said = take(path, &[(ASKED, how)], &["crl"]);
        assert!(said.contains(end), "{how}: {said}");
        assert!(!said.contains("sesame"), "{said}");
    }
    // Nobody can catch this signal, so the terminal stays hidden. This shows that the test can fail.
    let said = take(path, &[(ASKED, "SIGKILL")], &["crl"]);
    assert!(said.contains("ENDED -9 hidden"), "{said}");
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_program_stopped_at_its_question_asks_again_when_it_goes_on() {
    require("python3");
    let above = site();
    for stop in [CTRL_Z, "SIGTSTP"] {
        let steps = [
            (ASKED, stop),
            ("STOPPED shown", "fg"),
            (ASKED, stop),
            ("STOPPED shown", "fg"),
            (ASKED, SESAME),
        ];
        let said = take(above.path(), &steps, &["crl"]);
        assert!(said.contains("ENDED 0 shown"), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
    let steps = [(ASKED, CTRL_Z), ("STOPPED shown", "fg"), (ASKED, CTRL_C)];
    let said = take(above.path(), &steps, &["crl"]);
    assert!(said.contains("ENDED -2 shown"), "{said}");
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn what_is_typed_is_not_shown_after_a_stop_that_cannot_be_heard() {
    require("python3");
    let above = site();
    let steps = [
        (ASKED, "SIGSTOP"),
        ("STOPPED hidden", "fg"),
        (ASKED, SESAME),
    ];
    let said = take(above.path(), &steps, &["crl"]);
    assert!(said.contains("ENDED 0 shown"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_person_whom_a_background_job_asks_ends_the_answer_as_ever_and_has_the_terminal_back() {
    require("python3");
    let above = site();
    let answer = with_enter();
    let steps = [("STOPPED hidden", "fg"), (ASKED, answer.as_str())];
    let said = take_in("background", above.path(), &steps, &["crl"]);
    assert!(said.contains("ENDED 0 shown"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn enter_ends_the_answer_on_a_terminal_that_does_not_make_a_line_end_of_it() {
    require("python3");
    let above = site();
    let answer = with_enter();
    let line = "stty -icrnl && ca-tool crl && stty -a";
    let steps = [(ASKED, answer.as_str())];
    let said = take_job(
        "foreground",
        above.path(),
        &steps,
        &["/bin/sh", "-c", &line.replace("ca-tool", PROGRAM)],
    );
    assert!(
        said.contains("ENDED 0") && said.contains("-icrnl"),
        "{said}"
    );
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_new_passphrase_can_be_given_up_at_either_question() {
    require("python3");
    let above = tempfile::tempdir().expect("a folder");
    let again = "the same again: ";
    let first = "passphrase for the CA's key: ";
    let init = ["init", "--name", "N"];
    for (how, end) in [(CTRL_C, "ENDED -2 shown"), (CTRL_D, "ENDED 77 shown")] {
        for steps in [&[(first, how)][..], &[(first, SESAME), (again, how)][..]] {
            let said = take(above.path(), steps, &init);
            assert!(said.contains(end), "{how}: {said}");
            assert!(!above.path().join("ca").exists());
        }
    }
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_signal_after_the_question_ends_the_program_as_ever() {
    require("python3");
    let above = site();
    let lock = fs::File::create(above.path().join("ca/.lock")).expect("a file");
    lock.lock().expect("locked");
    for (signal, end) in [("0x03", "ENDED -2 shown"), ("SIGTERM", "ENDED -15 shown")] {
        let steps = [(ASKED, SESAME), ("waiting for another run", signal)];
        let said = take(above.path(), &steps, &["crl"]);
        assert!(said.contains(end), "{said}");
    }
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_bar_is_drawn_on_a_terminal_when_issuing_takes_more_than_a_second() {
    require("python3");
    let above = tempfile::tempdir().expect("a folder");
    let path = above.path();
    succeed(path, "ca-tool init --name N --no-passphrase");
    // The class waits for another run for as long as this test needs, and is then issued.
    let lock = || {
        let lock = fs::File::create(path.join("ca/.lock")).expect("a file");
        lock.lock().expect("locked");
        lock
    };
    let names = |prefix: &str| (0..20).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    let issue = |prefix: &str| {
        let mut arguments = vec!["issue".to_owned()];
        arguments.extend(names(prefix));
        arguments
    };

    let held = lock();
    let said = thread::scope(|scope| {
        scope.spawn(move || {
            let is_waiting = || path.join("waits").exists().then_some(());
            look_until("a run that waits", is_waiting);
            // It is time itself that is looked at: a second after the start there is a bar, and
            // half of it is over when somebody who waits says so.
            thread::sleep(Duration::from_millis(600));
            drop(held);
        });
        let arguments = issue("late");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        take(
            path,
            &[("waiting for another run", "touch waits")],
            &arguments,
        )
    });
    assert!(said.contains("ENDED 0"), "{said}");
    let bar = format!("\r[{}] 100 %", "#".repeat(40));
    assert!(said.contains(&bar), "{said:?}");
    // It is taken away again: the next line begins on an empty one.
    let after = said.rsplit(&bar).next().expect("an end");
    let (blank, rest) = after
        .trim_start_matches('\r')
        .split_once('\r')
        .expect("a line");
    assert!(blank.trim().is_empty() && !rest.contains('#'), "{after:?}");

    // A quick run has no bar. A busy machine may not be quick at once, but it has to be some time.
    let said = (0..20)
        .find_map(|n| {
            let name = format!("soon{n}");
            let began = Instant::now();
            let said = take(path, &[], &["issue", &name]);
            assert!(said.contains(&name), "{said}");
            (began.elapsed() < Duration::from_secs(1)).then_some(said)
        })
        .expect("a run of less than a second");
    assert!(!said.contains('#'), "{said:?}");

    // Nor has a run that nobody watches.
    let held = lock();
    let said = thread::scope(|scope| {
        scope.spawn(move || {
            // Time itself again: on a terminal, a run of more than a second would have a bar by now.
            thread::sleep(Duration::from_millis(1500));
            drop(held);
        });
        succeed(path, &format!("ca-tool {}", issue("pipe").join(" ")))
    });
    assert!(
        said.contains("pipe19") && !said.contains(['#', '\r']),
        "{said:?}"
    );
}
