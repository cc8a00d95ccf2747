//! Peers that vanish: their machine says nothing any more, not even that they have gone.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::{Running, World, program, require, require_root};

/// Another machine: a network of its own, with one cable to this one. It lasts as long as its program.
struct Machine {
    program: Running,
    cable: String,
    /// This end of the cable.
    here: String,
}

impl Machine {
    /// Starts it, and lays the cable, which only root may do.
    fn start() -> Self {
        require_root("make a network");
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo up && cat"]);
        let mut program = Running::spawn(command);
        let id = std::process::id();
        let (cable, there) = (format!("here{id}"), format!("there{id}"));
        let pid = program.id().to_string();
        program.expect_out("up");
        ip(&[
            "link", "add", &cable, "type", "veth", "peer", "name", &there, "netns", &pid,
        ]);
        // Addresses for tests of networks (RFC 2544), four of them for each cable.
        let (third, fourth) = (id / 64 % 256, id % 64 * 4);
        let machine = Self {
            program,
            cable,
            here: format!("198.18.{third}.{}", fourth + 1),
        };
        let cable = &*machine.cable;
        ip(&[
            "address",
            "add",
            &format!("{}/30", machine.here),
            "dev",
            cable,
        ]);
        ip(&["link", "set", cable, "up"]);
        let address = format!("198.18.{third}.{}/30", fourth + 2);
        machine.run(&["ip", "address", "add", &address, "dev", &there]);
        machine.run(&["ip", "link", "set", &there, "up"]);
        machine
    }

    /// Returns a command that runs on that machine.
    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.program.id().to_string();
        command
            .args(["--target", &pid, "--net"])
            .current_dir(folder);
        command
    }

    fn run(&self, arguments: &[&str]) {
        let status = self.command(Path::new("/")).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "{arguments:?}");
    }

    /// Cuts it off without telling anybody.
    fn vanish(&self) {
        self.run(&[
            "ip",
            "route",
            "add",
            "blackhole",
            &format!("{}/32", self.here),
        ]);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It would go with the last connection of that machine, but nobody waits for that.
        let _gone = Command::new("ip")
            .args(["link", "del", &self.cable])
            .status();
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "ip {arguments:?}"
    );
}

/// In our dialect by its silence; in the plain one, where nobody has to say anything, because its
/// system does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssl, ip, nsenter, unshare and root: run with --include-ignored"]
async fn a_client_that_vanishes_is_gone_in_either_dialect_and_its_session_says_so() {
    require("openssl");
    for tool in ["ip", "nsenter", "unshare"] {
        require(tool);
    }
    let machine = Machine::start();
    let w = World::with(|options| {
        options.is_open = true;
        options.limits.silence_timeout = Duration::from_secs(4);
        options.limits.absence_max = Duration::ZERO;
    })
    .await;
    let server = format!("{}:{}", machine.here, w.address().port());
    let bundle = |name: &str| w.bundle_path(name).display().to_string();
    let mut ours = machine.command(w.folder());
    ours.arg(program("client"));
    ours.args(["--cert", &bundle("alice"), "--server", &server]);
    let mut ours = Running::spawn(ours);
    ours.expect_err("connected as ");
    let bob = bundle("bob");
    let mut plain = machine.command(w.folder());
    plain.args(["openssl", "s_client", "-quiet", "-connect", &server]);
    plain.args(["-cert", &bob, "-key", &bob, "-CAfile", &bob]);
    let mut plain = Running::spawn(plain);
    plain.expect_out("= at ");
    machine.vanish();
    w.until("select count(*) = 1 from joins where id = 'alice' and reason = 'silent'")
        .await;
    w.until("select count(*) = 1 from joins where id = 'bob' and reason = 'lost'")
        .await;
    w.until("select count(*) = 2 from history where kind = 'leave'")
        .await;
}
