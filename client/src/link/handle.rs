//! The handle with which the rest of the program gives orders to a link.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::{Line, Nonce, Run};

/// A way to say things.
#[derive(Debug)]
pub struct Handle {
    run: Run,
    said: u64,
    orders: mpsc::Sender<Order>,
    leave: CancellationToken,
}

/// Permission to give one order: its place in the queue is kept.
#[derive(Debug)]
pub struct Permit<'a> {
    permit: mpsc::Permit<'a, Order>,
    run: &'a Run,
    said: &'a mut u64,
}

/// The link has ended and takes no more orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection has ended")]
pub struct Gone;

impl Handle {
    /// Creates the handle of a run.
    pub(super) fn new(run: Run, orders: mpsc::Sender<Order>, leave: CancellationToken) -> Self {
        Self {
            run,
            said: 0,
            orders,
            leave,
        }
    }

    /// Waits for a place in the queue. With 64 unacknowledged lines the queue soon is full. May be
    /// cancelled without any effect.
    ///
    /// # Errors
    ///
    /// When the link has ended.
    pub async fn reserve(&mut self) -> Result<Permit<'_>, Gone> {
        Ok(Permit {
            permit: self.orders.reserve().await.map_err(|_| Gone)?,
            run: &self.run,
            said: &mut self.said,
        })
    }

    /// Says a line. Returns the name that its acknowledgement will carry.
    ///
    /// # Errors
    ///
    /// When the link has ended.
    pub async fn say(&mut self, line: Line) -> Result<Nonce, Gone> {
        Ok(self.reserve().await?.say(line))
    }

    /// Sends a command as it was typed.
    ///
    /// # Errors
    ///
    /// When the link has ended.
    pub async fn command(&mut self, command: Line) -> Result<(), Gone> {
        self.reserve().await?.command(command);
        Ok(())
    }

    /// Leaves at once, whatever still waits.
    pub fn quit(&self) {
        self.leave.cancel();
    }

    /// Returns the token that is cancelled when the person leaves, for the code that hears signals.
    pub fn leave(&self) -> CancellationToken {
        self.leave.clone()
    }
}

impl Permit<'_> {
    /// Says a line. Returns the name that its acknowledgement will carry.
    pub fn say(self, line: Line) -> Nonce {
        *self.said += 1;
        let nonce = Nonce {
            run: self.run.clone(),
            n: *self.said,
        };
        self.permit.send(Order::Say(nonce.clone(), line));
        nonce
    }

    /// Sends a command as it was typed.
    pub fn command(self, command: Line) {
        self.permit.send(Order::Command(command));
    }

    /// Leaves after everything before it was sent.
    pub fn quit(self) {
        self.permit.send(Order::Quit);
    }
}

/// An order to a link.
#[derive(Debug)]
pub(crate) enum Order {
    Say(Nonce, Line),
    // A `Line`, because a command is also one line and hides nothing.
    Command(Line),
    Quit,
}
