//! Whenever a run is killed, its work is done or was never begun. Every system call of a
//! command by which anything changes is the last one of some run here: `strace` kills it on the way
//! in. At a call that only looks, a run leaves what it leaves at the next one that changes something.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ca_tool::{Ca, Register};
use kit::require;
use pki::{Bundle, Gate, Identity, Refusal, Revocations};

use crate::{PROGRAM, World, stderr, stdout};

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn issue_killed_at_any_system_call_has_issued_or_has_not() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let issue = ["issue", "bob", "--out", "out"];
    kill_at_every_call(&w, &issue, |folder, died| {
        let bundle = folder.join("out/bob.pem");
        let is_recorded = names(folder).contains(&"bob".to_owned());
        // A certificate never leaves before it is recorded.
        assert!(is_recorded || !bundle.exists(), "{died}");
        admit(folder, "ca/people/alice.pem").unwrap_or_else(|error| panic!("{died}: {error}"));

        let again = run(folder, &issue);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        let issued: Vec<_> = names(folder).into_iter().filter(|n| n == "bob").collect();
        assert_eq!(issued.len(), 1, "{died}");
        admit(folder, "out/bob.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        assert_tidy(folder, died);
        if is_recorded {
            let said = stderr(&again);
            assert!(
                said.contains("bob has a certificate until"),
                "{died}: {said}"
            );
        }
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn issue_killed_while_many_files_are_written_at_once_has_issued_to_all_or_to_nobody() {
    require("strace");
    let w = World::new();
    let people = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"];
    let issue = [&["issue"][..], &people].concat();
    // Enough people for several threads to write.
    assert!(calls(&w, &issue).iter().any(|call| call.name == "clone3"));
    kill_at_every_call(&w, &issue, |folder, died| {
        let recorded = names(folder).len() - 1;
        assert!(recorded == 0 || recorded == people.len(), "{died}");
        let again = run(folder, &issue);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        assert_eq!(names(folder).len() - 1, people.len(), "{died}");
        for person in people {
            let bundle = format!("ca/people/{person}.pem");
            admit(folder, &bundle).unwrap_or_else(|error| panic!("{died}: {error}"));
        }
        assert_tidy(folder, died);
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn a_run_that_finishes_what_another_left_can_be_killed_too() {
    require("strace");
    let w = World::new();
    // Killed when the index had bob, and his bundle did not have its name yet. It waits in the CA's folder:
    // a folder elsewhere is recorded with its whole path, which would not be that of the copies.
    let issue = ["issue", "bob"];
    let links = calls(&w, &issue).into_iter();
    let links = links.filter(|call| call.name == "linkat").count();
    let last = format!("linkat:signal=SIGKILL:when={links}");
    let killed = strace(w.above.path(), &last, &issue);
    assert!(!killed.status.success());
    assert!(!w.path("ca/people/bob.pem").exists());
    let recorded = names(w.above.path());
    assert!(recorded.contains(&"bob".to_owned()), "{recorded:?}");

    kill_at_every_call(&w, &["issue", "carol"], |folder, died| {
        let again = run(folder, &["issue", "carol"]);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        for bundle in ["ca/people/bob.pem", "ca/people/carol.pem"] {
            admit(folder, bundle).unwrap_or_else(|error| panic!("{died}: {bundle}: {error}"));
        }
        assert_tidy(folder, died);
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn revoke_killed_at_any_system_call_has_revoked_or_has_not() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    w.issue("bob");
    let number = |folder: &Path| {
        let (_, revocations) = gate(folder);
        let Revocations::List(list) = revocations else {
            panic!("a list")
        };
        list.number().clone()
    };
    let before = number(w.above.path());
    let revoke = ["revoke", "alice", "--reason", "keyCompromise"];
    kill_at_every_call(&w, &revoke, |folder, died| {
        // There is always a list that servers accept, and its number never falls.
        assert!(number(folder) >= before, "{died}");
        let register = Register::open(&folder.join("ca")).expect("a CA");
        let records = register
            .entries()
            .unwrap_or_else(|error| panic!("{died}: {error}"));
        let is_recorded = records.iter().any(|record| record.revoked.is_some());
        let is_out = admit(folder, "ca/people/alice.pem").is_err();
        assert!(is_recorded || !is_out, "{died}: out, and nobody knows why");

        // The next run makes the list agree with the index.
        let looked = run(folder, &["list"]);
        assert!(looked.status.success(), "{died}: {}", stderr(&looked));
        let is_out = admit(folder, "ca/people/alice.pem").is_err();
        assert_eq!(is_out, is_recorded, "{died}");
        let again = run(folder, &revoke);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        assert!(admit(folder, "ca/people/alice.pem").is_err(), "{died}");
        assert!(number(folder) > before, "{died}");
        admit(folder, "ca/people/bob.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        assert_tidy(folder, died);
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn renew_killed_at_any_system_call_leaves_one_good_certificate() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let renew = ["renew", "alice"];
    let live = |folder: &Path| {
        let register = Register::open(&folder.join("ca")).expect("a CA");
        let records = register.entries().expect("an index that can be read");
        let alices = records.iter().filter(|record| record.name() == "alice");
        alices.filter(|record| record.revoked.is_none()).count()
    };
    kill_at_every_call(&w, &renew, |folder, died| {
        // The old one ends when the new one begins.
        assert_eq!(live(folder), 1, "{died}");
        let again = run(folder, &renew);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        assert_eq!(live(folder), 1, "{died}");
        admit(folder, "ca/people/alice.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        let old = walk(&folder.join("ca/people/old"));
        assert!(!old.is_empty(), "{died}");
        for old in old {
            let old = old.strip_prefix(folder).expect("within").to_string_lossy();
            assert!(admit(folder, &old).is_err(), "{died}: {old}");
        }
        assert_tidy(folder, died);
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn unhold_killed_at_any_system_call_has_let_somebody_in_or_has_not() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let hold = run(
        w.above.path(),
        &["revoke", "alice", "--reason", "certificateHold"],
    );
    assert!(hold.status.success(), "{}", stderr(&hold));
    kill_at_every_call(&w, &["unhold", "alice"], |folder, died| {
        // The next run makes the list agree with the index.
        let looked = run(folder, &["list"]);
        assert!(looked.status.success(), "{died}: {}", stderr(&looked));
        let register = Register::open(&folder.join("ca")).expect("a CA");
        let records = register.entries().expect("an index that can be read");
        let is_on_hold = records.iter().any(ca_tool::IndexEntry::is_on_hold);
        let is_out = admit(folder, "ca/people/alice.pem").is_err();
        assert_eq!(is_out, is_on_hold, "{died}");
        let again = run(folder, &["unhold", "alice"]);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        admit(folder, "ca/people/alice.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        assert_tidy(folder, died);
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn init_killed_at_any_system_call_leaves_a_ca_or_none() {
    require("strace");
    let w = World::new();
    fs::remove_dir_all(w.ca.register().path()).expect("removed");
    let init = ["init", "--name", "Networks 101", "--no-passphrase"];
    kill_at_every_call(&w, &init, |folder, died| {
        let ca = folder.join("ca");
        let is_there = ca.exists();
        let again = run(folder, &init);
        assert_eq!(
            again.status.success(),
            !is_there,
            "{died}: {}",
            stderr(&again)
        );
        Ca::load(&ca).unwrap_or_else(|error| panic!("{died}: {error}"));
        let issued = run(folder, &["issue", "alice"]);
        assert!(issued.status.success(), "{died}: {}", stderr(&issued));
        admit(folder, "ca/people/alice.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        Bundle::read(&ca.join("server.pem")).unwrap_or_else(|error| panic!("{died}: {error}"));
        assert_tidy(&ca, died);
        // The next run removed what the killed one left.
        let beside: Vec<_> = names_in(folder).into_iter().filter(|n| n != "ca").collect();
        assert!(beside.is_empty(), "{died}: {beside:?}");
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn init_of_the_folder_where_one_is_killed_at_any_system_call_leaves_a_ca_or_none_or_is_told_of() {
    require("strace");
    let w = World::new();
    fs::remove_dir_all(w.ca.register().path()).expect("removed");
    let init = ["--dir", ".", "init", "--name", "N", "--no-passphrase"];
    kill_at_every_call(&w, &init, |folder, died| {
        let is_there = folder.join("ca.pem").exists();
        let again = run(folder, &init);
        let said = stderr(&again);
        if said.contains("that an interrupted `ca-tool init` left") {
            // Between two renames, nothing shows what belongs to whom.
            assert!(!is_there && !again.status.success(), "{died}: {said}");
            return;
        }
        assert_eq!(again.status.success(), !is_there, "{died}: {said}");
        let issued = run(folder, &["--dir", ".", "issue", "alice"]);
        assert!(issued.status.success(), "{died}: {}", stderr(&issued));
        assert_tidy(folder, died);
        let private: Vec<_> = names_in(&folder.join("private"));
        assert_eq!(private, ["ca.key"], "{died}");
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn request_killed_at_any_system_call_can_be_made_again_and_leaves_no_other_key() {
    require("strace");
    let w = World::new();
    let request = ["request", "alice", "--out", "home"];
    kill_at_every_call(&w, &request, |folder, died| {
        let home = folder.join("home");
        let was_made = home.join("alice.csr").exists();
        let again = run(folder, &request);
        assert_eq!(
            again.status.success(),
            !was_made,
            "{died}: {}",
            stderr(&again)
        );
        let signed = run(folder, &["sign", "home/alice.csr", "--as", "alice"]);
        assert!(signed.status.success(), "{died}: {}", stderr(&signed));
        let adopt = [
            "adopt",
            "ca/people/alice.crt",
            "--key",
            "home/alice.key",
            "--out",
            ".",
        ];
        let joined = run(folder, &adopt);
        assert!(joined.status.success(), "{died}: {}", stderr(&joined));
        admit(folder, "alice.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        // A file that was just created contains no key yet.
        for path in walk(&home) {
            let name = path.file_name().expect("a name");
            let is_known = name == "alice.key" || name == "alice.csr";
            let is_empty = || fs::read_dir(&path).is_ok_and(|mut all| all.next().is_none());
            assert!(is_known || is_empty(), "{died}: {path:?}");
        }
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn adopt_killed_at_any_system_call_can_be_done_again_and_leaves_no_other_key() {
    require("strace");
    let w = World::new();
    for arguments in [
        &["request", "alice", "--out", "home"][..],
        &["sign", "home/alice.csr", "--as", "alice", "--out", "home"],
    ] {
        let output = w.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let adopt = ["adopt", "home/alice.crt", "--key", "home/alice.key"];
    kill_at_every_call(&w, &adopt, |folder, died| {
        let again = run(folder, &adopt);
        assert!(again.status.success(), "{died}: {}", stderr(&again));
        admit(folder, "home/alice.pem").unwrap_or_else(|error| panic!("{died}: {error}"));
        for path in walk(&folder.join("home")) {
            let is_known = path.file_stem().is_some_and(|stem| stem == "alice");
            let is_empty = || fs::read_dir(&path).is_ok_and(|mut all| all.next().is_none());
            assert!(is_known || is_empty(), "{died}: {path:?}");
        }
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn export_killed_at_any_system_call_leaves_no_file_that_nobody_can_open() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let export = ["export", "alice", "--p12"];
    kill_at_every_call_and_tell(&w, &export, |folder, died, said| {
        let file = folder.join("ca/people/alice.p12");
        let was_told = said.contains("password  ");
        assert!(was_told || !file.exists(), "{died}");
        let again = run(folder, &export);
        assert!(
            again.status.success() || was_told,
            "{died}: {}",
            stderr(&again)
        );
        assert!(file.exists(), "{died}");
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn issue_on_a_disk_that_fails_once_has_issued_or_has_not() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let issue = ["issue", "bob", "--out", "out"];
    fail_at_every_write(&w, &issue, |folder, failed, output| {
        if output.status.success() {
            admit(folder, "out/bob.pem").unwrap_or_else(|error| panic!("{failed}: {error}"));
        }
        let again = run(folder, &issue);
        assert!(again.status.success(), "{failed}: {}", stderr(&again));
        let issued: Vec<_> = names(folder).into_iter().filter(|n| n == "bob").collect();
        assert_eq!(issued.len(), 1, "{failed}");
        admit(folder, "out/bob.pem").unwrap_or_else(|error| panic!("{failed}: {error}"));
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn revoke_on_a_disk_that_fails_once_has_revoked_or_says_that_it_has_not() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let revoke = ["revoke", "alice"];
    fail_at_every_write(&w, &revoke, |folder, failed, output| {
        let is_out = admit(folder, "ca/people/alice.pem").is_err();
        assert!(is_out || !output.status.success(), "{failed}");
        let again = run(folder, &revoke);
        assert!(again.status.success(), "{failed}: {}", stderr(&again));
        admit(folder, "ca/people/alice.pem").expect_err(failed);
    });
}

#[test]
#[ignore = "needs strace: run with --include-ignored"]
fn renew_on_a_disk_that_fails_once_leaves_one_good_certificate() {
    require("strace");
    let w = World::new();
    w.issue("alice");
    let renew = ["renew", "alice"];
    fail_at_every_write(&w, &renew, |folder, failed, _| {
        // Whatever failed, renewing again succeeds.
        let again = run(folder, &renew);
        assert!(again.status.success(), "{failed}: {}", stderr(&again));
        let register = Register::open(&folder.join("ca")).expect("a CA");
        let records = register.entries().expect("an index that can be read");
        let live = records.iter().filter(|record| record.name() == "alice");
        let live = live.filter(|record| record.revoked.is_none());
        assert_eq!(live.count(), 1, "{failed}");
        admit(folder, "ca/people/alice.pem").unwrap_or_else(|error| panic!("{failed}: {error}"));
    });
}

/// Runs a command once for each of its system calls that write, each time in a copy of the folder and
/// with a disk that fails at that call, and has each copy checked.
fn fail_at_every_write(w: &World, arguments: &[&str], judge: impl Fn(&Path, &str, &Output) + Sync) {
    let writes = [
        "fsync", "linkat", "mkdir", "rename", "rmdir", "unlink", "write",
    ];
    let mut jobs = calls(w, arguments);
    jobs.retain(|call| writes.contains(&call.name.as_str()));
    at_every_call(w, &jobs, |folder, call, nth| {
        let failed = format!("{arguments:?}: {call} number {nth} fails");
        let injection = format!("{call}:error=EIO:when={nth}");
        judge(folder, &failed, &strace(folder, &injection, arguments));
        // A person who has a certificate needs no run that writes, so the leftovers wait for one.
        let carol = run(folder, &["issue", "carol"]);
        assert!(carol.status.success(), "{failed}: {}", stderr(&carol));
        assert_tidy(folder, &failed);
    });
}

/// Runs a command once for each of its system calls that may change something, each time in a copy of the
/// folder and killed at that call, and has each copy checked.
fn kill_at_every_call(w: &World, arguments: &[&str], judge: impl Fn(&Path, &str) + Sync) {
    kill_at_every_call_and_tell(w, arguments, |folder, died, _| judge(folder, died));
}

/// The same, and passes on what each run had printed.
fn kill_at_every_call_and_tell(
    w: &World,
    arguments: &[&str],
    judge: impl Fn(&Path, &str, &str) + Sync,
) {
    let mut jobs = calls(w, arguments);
    jobs.retain(|call| call.may_change_anything);
    let killed_at = AtomicUsize::new(0);
    at_every_call(w, &jobs, |folder, call, nth| {
        let killed = strace(
            folder,
            &format!("{call}:signal=SIGKILL:when={nth}"),
            arguments,
        );
        let died = format!("{arguments:?} killed at {call} number {nth}");
        if killed.status.signal() == Some(SIGKILL) {
            killed_at.fetch_add(1, Ordering::Relaxed);
        }
        judge(folder, &died, &stdout(&killed));
    });
    // By chance a few runs end one call earlier than the one that was counted.
    let killed_at = killed_at.into_inner();
    assert!(
        killed_at * 10 > jobs.len() * 9,
        "{killed_at} of {}",
        jobs.len()
    );
}

const SIGKILL: i32 = 9;

/// Does something once for each of these system calls, each time with a copy of the folder.
fn at_every_call(w: &World, jobs: &[Call], act: impl Fn(&Path, &str, usize) + Sync) {
    assert!(jobs.len() > 15, "{jobs:?}");
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(call) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = tempfile::tempdir().expect("a folder");
                    copy(w.above.path(), folder.path());
                    act(folder.path(), &call.name, call.nth);
                }
            });
        }
    });
}

/// One system call of a command.
#[derive(Debug)]
struct Call {
    name: String,
    /// Its number among the calls of the same name.
    nth: usize,
    may_change_anything: bool,
}

/// Calls that only read, and calls that only the process itself could notice. Syncing is among them,
/// because a killed process takes nothing with it that it wrote. A run is killed at every call that is
/// not in this list.
const CHANGES_NOTHING: [&str; 40] = [
    "access",
    "arch_prctl",
    "bind",
    "brk",
    "close",
    "execve",
    "fcntl",
    "flock",
    "fstat",
    "fsync",
    "futex",
    "getcwd",
    "getdents64",
    "getrandom",
    "getsockname",
    "gettid",
    "getuid",
    "ioctl",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "newfstatat",
    "poll",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "recvmsg",
    "rseq",
    "rt_sigaction",
    "sched_getaffinity",
    "sendto",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "socket",
    "statx",
    "uname",
];

/// How many copies are in use at once.
const WORKERS: usize = 4;

/// Returns the system calls of a command, in their order.
fn calls(w: &World, arguments: &[&str]) -> Vec<Call> {
    let folder = tempfile::tempdir().expect("a folder");
    copy(w.above.path(), folder.path());
    let trace = w.path("trace");
    let mut strace = Command::new("strace");
    strace.current_dir(folder.path());
    strace.arg("-fo").arg(&trace).arg(PROGRAM).args(arguments);
    let output = strace.output().expect("strace runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(&trace).expect("a trace");
    fs::remove_file(&trace).expect("removed");
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut seen = HashSet::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        // Each thread's number comes before its calls, which are counted for each thread.
        let (thread, line) = line.split_once(' ').expect("a thread's number");
        if let Some((name, given)) = line.trim_start().split_once('(')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            let nth = counts.entry((thread, name)).or_default();
            *nth += 1;
            // An injection does not distinguish between the same call of two threads.
            if !seen.insert((name, *nth)) {
                continue;
            }
            // A file that is opened for reading does not change.
            let only_looks =
                name == "openat" && given.contains("O_RDONLY") && !given.contains("O_CREAT");
            calls.push(Call {
                name: name.to_owned(),
                nth: *nth,
                may_change_anything: !only_looks && !CHANGES_NOTHING.contains(&name),
            });
        }
    }
    calls
}

/// Runs a command, with something injected into one of its system calls.
pub(crate) fn strace(folder: &Path, injection: &str, arguments: &[&str]) -> Output {
    let (call, _) = injection
        .split_once(':')
        .expect("a call, and what is injected");
    let mut strace = Command::new("strace");
    strace
        .current_dir(folder)
        .args(["-f", "-qq", "-o", "/dev/null"]);
    strace.args(["-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={injection}")]);
    strace.arg(PROGRAM).args(arguments);
    strace.output().expect("strace runs")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    let output = command.current_dir(folder).args(arguments).output();
    output.expect("the program runs")
}

/// Returns the names of the files in a folder.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

fn names(folder: &Path) -> Vec<String> {
    let register = Register::open(&folder.join("ca")).expect("a CA");
    let records = register.entries().expect("an index that can be read");
    records.iter().map(|r| r.name().to_owned()).collect()
}

fn gate(folder: &Path) -> (Gate, Revocations) {
    let register = Register::open(&folder.join("ca")).expect("a CA");
    let gate = Gate::new(register.anchor().clone(), true).expect("a trust anchor");
    let list = fs::read(register.revocation_list()).expect("a list");
    let list = gate.revocation_list(&list, std::time::SystemTime::now());
    (gate, Revocations::List(list.expect("a good list").into()))
}

fn admit(folder: &Path, bundle: &str) -> Result<Identity, Refusal> {
    let (gate, revocations) = gate(folder);
    let bundle = Bundle::read(&folder.join(bundle)).unwrap_or_else(|error| panic!("{error}"));
    let now = std::time::SystemTime::now();
    gate.admit(bundle.leaf(), &revocations, now)
}

/// Checks that nothing is left over, and that `certs/` contains exactly what the index names.
fn assert_tidy(folder: &Path, died: &str) {
    let mut indexes = 0;
    for path in walk(folder) {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(
            !name.ends_with(".tmp") && name != ".pending",
            "{died}: {name}"
        );
        if name != "index.txt" {
            continue;
        }
        indexes += 1;
        let index = fs::read_to_string(&path).expect("an index");
        let serials = index.lines().filter_map(|line| line.split('\t').nth(3));
        let mut named: Vec<_> = serials.map(|serial| format!("{serial}.pem")).collect();
        let mut held = names_in(&path.with_file_name("certs"));
        named.sort();
        held.sort();
        assert_eq!(held, named, "{died}");
    }
    assert_eq!(indexes, 1, "{died}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(walk(&path));
        }
        all.push(path);
    }
    all
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copied = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir(&copied).expect("made");
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).expect("copied");
        }
    }
}
