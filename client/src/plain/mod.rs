//! The plain mode: lines in on standard input, lines out on standard output, everything else on
//! standard error.
//!
//! [`run()`] is all that the program needs of it. It holds no model of the room: its readers build
//! their own from the lines. Of `room` it uses the meaning of a line alone.

mod form;
mod json;
mod talk;
mod typed;
mod written;

use std::io::{self, BufWriter, IsTerminal as _};

use crossterm::event::Event as TerminalEvent;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::enter::{begin, enter};
use crate::limits::{KEYS_MAX, LEAVE_PRINT_TIMEOUT, READ_BYTES_MAX};
use crate::link::{Door, End, Event, Handle, Outcome, Stay};
use crate::os;
use crate::settings::Form;
use crate::words::{
    Exit, Readable, note_on_ascii, report, stdout_columns, tell, tell_unacknowledged,
};

use form::Printer;
use talk::{Input, Talk, in_doubt};
use typed::{Source, Typed};

/// Runs until standard input ends, the session ends, or `leave` is cancelled.
pub async fn run(config: Config, leave: CancellationToken) -> Exit {
    for warning in &config.warnings {
        tell(warning);
    }
    // From here on, so that what is pasted while we connect is known as a paste.
    let explains_here = config.explainer.is_on() && io::stderr().is_terminal();
    let typing = match explains_here {
        // Its steps come at any time, and would be mixed with the line.
        true => None,
        false => os::Typing::begin(),
    };
    let mut door = Door {
        bundle: config.bundle,
        target: config.target,
        clock: config.clock.clone(),
        explainer: config.explainer.clone(),
    };
    let connected = match enter(&mut door, config.give_up_after, &leave).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    if let Some(note) = note_on_ascii() {
        tell(note);
    }
    let route = connected.route().describe(&connected.welcome);
    tell(&format!("connected {route}"));
    let (handle, outbox, events) = match begin(config.since, config.form == Form::Raw) {
        Ok(begun) => begun,
        Err(exit) => return exit,
    };
    // The link hears of it directly: it must leave even while standard output blocks.
    let leaves = handle.leave();
    let forward = tokio::spawn({
        let leave = leave.clone();
        async move {
            leave.cancelled().await;
            leaves.cancel();
        }
    });
    let printer = Printer {
        out: BufWriter::with_capacity(READ_BYTES_MAX, Readable::stdout()),
        form: config.form,
        clock: config.clock,
        // Only a terminal has columns, and only their number can change.
        columns: if stdout_columns().is_some() {
            stdout_columns
        } else {
            || None
        },
        has_escapes: io::stdout().is_terminal() && os::has_escapes(),
        has_row: false,
    };
    let source = match (io::stdin().is_terminal(), config.obeys_pipe) {
        (true, _) => Source::Person,
        (false, true) => Source::Commands,
        (false, false) => Source::Text,
    };
    let input = match typing {
        Some(_) => Input::of_keys(read_keys()),
        None => Input::of_lines(read_stdin(source)),
    };
    let mut talk = Talk::new(printer, config.since, connected.welcome.head);
    talk.greet(&connected.welcome, &connected.greeting);
    // The outbox holds the sender of events, and its end ends the talk.
    let stay = tokio::spawn(
        Stay::new(
            door,
            outbox.explained(config.explainer),
            config.give_up_after,
        )
        .run(connected),
    );
    let printed = print(talk, handle, events, input);
    let left = match stay.await {
        Ok(ended) => ended,
        Err(error) => {
            tell(&format!("error: the connection's task failed: {error}"));
            return Exit::Other;
        }
    };
    let patience = async {
        leave.cancelled().await;
        sleep(LEAVE_PRINT_TIMEOUT).await;
    };
    let talk = tokio::select! {
        biased;
        talk = printed => talk,
        () = patience => {
            drop(typing);
            return conclude_unprinted(&left);
        }
    };
    forward.abort();
    drop(typing);
    match talk {
        Ok(talk) => talk.conclude(&left),
        Err(_) => {
            tell("error: the printer failed");
            Exit::Other
        }
    }
}

/// Prints on a thread of its own, which a write to standard output may block forever. Returns the
/// conversation when it is over.
fn print(
    mut talk: Talk,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    input: Input,
) -> oneshot::Receiver<Talk> {
    let (over, printed) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        runtime.block_on(talk.run(handle, events, input));
        // If nobody waits for it any more, the program is ending.
        let _ = over.send(talk);
    });
    printed
}

/// Ends after a signal while standard output accepts nothing: reports the facts, and does not wait
/// for the rest.
fn conclude_unprinted(left: &Outcome) -> Exit {
    tell("warning: standard output takes no more, so the newest lines are not in it");
    tell_unacknowledged(in_doubt(left));
    if let End::Failed(failure) = &left.end {
        return report(failure);
    }
    Exit::Other
}

/// Reads standard input on a thread of its own: a read of a terminal cannot be cancelled, and the
/// end of the program must not wait for it.
fn read_stdin(source: Source) -> mpsc::Receiver<Typed> {
    let (send, typed) = mpsc::channel(1);
    std::thread::spawn(move || {
        typed::read(io::stdin(), source, |typed| {
            send.blocking_send(typed).is_ok()
        });
    });
    typed
}

/// Reads the keys of the terminal, likewise. After the program was stopped, a change of size that
/// changes nothing stands for the row that has to be drawn again.
fn read_keys() -> mpsc::Receiver<io::Result<TerminalEvent>> {
    let (send, keys) = mpsc::channel(KEYS_MAX);
    let back = send.clone();
    tokio::spawn(os::mind_stops(move || {
        // If there is no place, keys are coming that draw the row as well.
        let _full = back.try_send(Ok(TerminalEvent::Resize(0, 0)));
    }));
    std::thread::spawn(move || {
        loop {
            let event = crossterm::event::read();
            let is_last = event.is_err();
            if send.blocking_send(event).is_err() || is_last {
                return;
            }
        }
    });
    keys
}
