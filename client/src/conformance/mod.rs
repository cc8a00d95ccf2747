//! `client conformance`: a server that examines a client, other people's or ours, by what it sends,
//! what it prints, and how it ends. PROTOCOL.md says what is right, and each finding says where.
//!
//! To read it, begin with the words (`examination`), then the scripts (`reading`, `talking`, `trust`);
//! below them are the stage on which they play (`stage`, `room`, `shown`, `examinee`) and the
//! certificates (`stand_in`).
// No real room and no real server: an examined client meets nobody but this program.

mod args;
mod examination;
mod examinee;
mod limits;
mod reading;
mod report;
mod room;
mod shown;
mod stage;
mod stand_in;
mod talking;
mod trust;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;

use clap::ValueEnum as _;
use pki::Purpose;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::{ClientId, Role};

pub use args::ConformanceArgs;
use examination::Examination;
use limits::{EXAMINATION_BY_HAND_TIMEOUT, EXAMINATION_TIMEOUT};
use report::{Outcome, Report};
use stage::{Examined, Kit, Stage, Stop};
use stand_in::StandIn;

use crate::config::read_bundle;
use crate::words::{Exit, Failure, report as tell_failure, tell};

/// Examines a client until everything is examined, or until `leave`.
pub async fn run(args: ConformanceArgs, leave: CancellationToken) -> Exit {
    tokio::select! {
        biased;
        () = leave.cancelled() => {
            tell("interrupted; the stand-in bundle is removed");
            Exit::Other
        }
        examined = examine_all(&args) => match examined {
            Ok(exit) => exit,
            Err(failure) => tell_failure(&failure),
        },
    }
}

async fn examine_all(args: &ConformanceArgs) -> Result<Exit, Failure> {
    let kit = set_up(args).await?;
    let chosen: Vec<Examination> = match args.only.is_empty() {
        true => Examination::value_variants().to_vec(),
        false => args.only.clone(),
    };
    let mut report = Report::new(args.json);
    let count = chosen.len();
    for (number, examination) in (1..).zip(chosen) {
        let outcome = if examination.is_slow() && !kit.is_slow {
            Outcome::Skipped("it takes more than half a minute; --slow examines it too".to_owned())
        } else {
            if kit.command.is_empty() {
                let name = examination.name();
                tell(&format!(
                    "examination {number} of {count}, {name}: start your client"
                ));
            }
            examine(&kit, examination).await?
        };
        if let Err(error) = report.add(examination, &outcome) {
            return ended_by_reader(&error);
        }
    }
    let is_right = match report.conclude() {
        Ok(is_right) => is_right,
        Err(error) => return ended_by_reader(&error),
    };
    kit.stand_in.remove().map_err(|error| {
        Failure::new(
            Exit::Other,
            format!(
                "cannot remove the folder of the stand-in bundle: {}",
                in_words(&error)
            ),
        )
    })?;
    Ok(match is_right {
        true => Exit::Done,
        false => Exit::Other,
    })
}

/// Conducts one examination, and ends its client.
async fn examine(kit: &Kit, examination: Examination) -> Result<Outcome, Failure> {
    let time = match kit.command.is_empty() {
        true => EXAMINATION_BY_HAND_TIMEOUT,
        false => EXAMINATION_TIMEOUT,
    };
    let mut stage = match Stage::set(kit) {
        Ok(stage) => stage,
        Err(stop) => return outcome_of(stop, None),
    };
    let conducted = match timeout(time, conduct(examination, &mut stage)).await {
        Ok(conducted) => conducted,
        Err(_) => Err(Stop::Wrong(format!(
            "the examination took more than {} seconds",
            time.as_secs()
        ))),
    };
    let concluded = match conducted {
        Ok(()) => stage.conclude().await,
        Err(stop) => {
            let last_words = stage.abandon().await;
            return outcome_of(stop, last_words);
        }
    };
    match concluded {
        Ok(look) if look.is_empty() => Ok(Outcome::Right),
        Ok(look) => Ok(Outcome::Look(look)),
        Err(stop) => outcome_of(stop, None),
    }
}

fn outcome_of(stop: Stop, last_words: Option<String>) -> Result<Outcome, Failure> {
    match (stop, last_words) {
        (Stop::Wrong(fault), Some(words)) => Ok(Outcome::Wrong(format!(
            "{fault}; its last words were: {words}"
        ))),
        (Stop::Wrong(fault), None) => Ok(Outcome::Wrong(fault)),
        (Stop::Skipped(why), _) => Ok(Outcome::Skipped(why)),
        (Stop::Broken(failure), _) => Err(failure),
    }
}

async fn conduct(examination: Examination, stage: &mut Stage<'_>) -> Examined {
    match examination {
        Examination::SplitCharacters
        | Examination::SplitLines
        | Examination::SlowBytes
        | Examination::LongLines
        | Examination::HalfLine
        | Examination::HalfLineClosed
        | Examination::Author
        | Examination::UnknownKeys
        | Examination::UnknownWords
        | Examination::NewerEntries
        | Examination::RepliesBetween
        | Examination::FewEntries => reading::conduct(examination, stage).await,
        Examination::Talk
        | Examination::Refusals
        | Examination::OtherHistory
        | Examination::SaidOnce
        | Examination::StoredOnce
        | Examination::Bye
        | Examination::Leaves
        | Examination::Ping => talking::conduct(examination, stage).await,
        Examination::Waits
        | Examination::Refused
        | Examination::NoRoom
        | Examination::AnotherCa
        | Examination::AnotherHost
        | Examination::ExpiredServer
        | Examination::PersonAsServer
        | Examination::AnotherName => trust::conduct(examination, stage).await,
    }
}

/// Reads the person's bundle, makes the stand-in, and listens.
async fn set_up(args: &ConformanceArgs) -> Result<Kit, Failure> {
    let says = read_bundle(&args.cert)?.certificate();
    let subject = says.subject;
    let id = match subject.common_names.as_slice() {
        [name] => ClientId::parse(name).ok(),
        _ => None,
    };
    let id = id.filter(|_| says.purposes.contains(&Purpose::Client));
    let id = id.ok_or_else(|| {
        let sentence = format!(
            "the certificate in {} is not a person's",
            args.cert.display()
        );
        Failure::new(Exit::Other, sentence)
            .hint("use a person's file, for example ca/people/alice.pem")
    })?;
    let unit = match subject.units.as_slice() {
        [unit] => Some(unit.as_str()),
        _ => None,
    };
    let address = args.address();
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| cannot_listen(address, &error))?;
    let ip = address.ip();
    // A client looks for this name in the certificate, as it would look for a room's.
    let host = match ip.is_loopback() || ip.is_unspecified() {
        true => "localhost".to_owned(),
        false => ip.to_string(),
    };
    let port = address.port().to_string();
    let server = match ip.is_ipv6() && host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let mut hosts = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if !hosts.contains(&host) {
        hosts.push(host.clone());
    }
    let stand_in = StandIn::make(&id, unit, &server, hosts)?;
    let cert = stand_in.path().display().to_string();
    if args.command.is_empty() {
        tell(&format!("the stand-in bundle for {id} is {cert}"));
        tell(&format!(
            "connect to {server} with it; both go when this program ends"
        ));
    }
    let role = unit.and_then(Role::parse).unwrap_or_default();
    Ok(Kit {
        command: args::fill_in(&args.command, &cert, &host, &port),
        variables: vec![
            ("COUNTERSIGN_CERT", cert.into()),
            ("COUNTERSIGN_HOST", host.into()),
            ("COUNTERSIGN_PORT", port.into()),
        ],
        listener,
        stand_in,
        id,
        role,
        is_slow: args.slow,
    })
}

/// A reader who has seen enough is no failure, but the examination did not come to its end.
fn ended_by_reader(error: &io::Error) -> Result<Exit, Failure> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(Exit::Other),
        _ => Err(Failure::new(
            Exit::Other,
            format!("cannot write to standard output: {}", in_words(error)),
        )),
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(
        Exit::Other,
        format!("cannot listen on {address}: {}", in_words(error)),
    );
    match error.kind() {
        io::ErrorKind::AddrInUse => failure
            .hint("another program has this port; choose one with --listen, as in --listen 27401"),
        _ => failure,
    }
}

fn cannot_accept(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Other,
        format!("cannot accept a connection: {}", in_words(error)),
    )
}

fn cannot_start(command: &[OsString], error: &io::Error) -> Failure {
    let program = command.first().map_or_else(String::new, |program| {
        program.to_string_lossy().into_owned()
    });
    Failure::new(
        Exit::Other,
        format!("cannot start {program}: {}", in_words(error)),
    )
    .hint("after -- stands the command as you would type it, for example -- python3 client.py")
}

fn in_words(error: &io::Error) -> String {
    pki::without_number(&error.to_string()).to_owned()
}
