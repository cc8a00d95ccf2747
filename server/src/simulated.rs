//! A room without TLS over any record, for simulated networks and clocks.
//!
//! Everything in it is the server's own code: the recorder, the room, the sessions. The program
//! `server` cannot reach it.

use std::net::IpAddr;
use std::sync::Arc;

use pki::{Gate, Identity, Revocations};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Limits, SameId};
use crate::explain::Explainer;
use crate::room::facts::{ConnectionFacts, Dialect, LocalEnd, Member};
use crate::room::presence::Rules;
use crate::session::admitted::{Admitted, Serving};
use crate::session::flusher::{Flusher, Flushers};
use crate::session::metered::Metered;
use crate::transcript::fault::DatabaseError;
use crate::transcript::reader::Transcript;
use crate::transcript::record::{Found, Pages, Record};
use crate::transcript::recorder::{Recorder, RecorderError};

/// A room over any record. Clients that are already admitted connect over any stream.
#[derive(Debug)]
pub struct MemoryRoom {
    serving: Serving,
}

impl MemoryRoom {
    /// Opens a room. Also returns its recorder, which must run for as long as the room is open and
    /// closes the record at the end.
    ///
    /// # Errors
    ///
    /// When the newest entries cannot be read.
    pub async fn open(
        record: impl Record,
        pages: Arc<dyn Pages>,
        found: Found,
        gate: Arc<Gate>,
        limits: Limits,
    ) -> Result<(Self, impl Future<Output = Result<(), RecorderError>>), DatabaseError> {
        let stop = CancellationToken::new();
        let epoch = found.epoch.clone();
        let rules = Rules::new(SameId::default(), &limits);
        let recorder = Recorder::new(record, &*pages, found, rules, limits.clone(), stop.clone());
        let (recorder, asks, views) = recorder.await?;
        // No list is published here, and nothing waits for one.
        let (_, revocations) = watch::channel(Revocations::Unchecked);
        let transcript = Transcript::new(views, pages, &limits);
        let flusher = Flusher::new(transcript.views(), recorder.progress());
        let flushers = Flushers::to(std::slice::from_ref(&flusher));
        let serving = Serving {
            gate,
            revocations,
            asks,
            transcript,
            flushers,
            room: "memory".to_owned(),
            epoch,
            limits: Arc::new(limits),
            stop,
            explainer: Explainer::default(),
        };
        let running = async { tokio::join!(recorder.run(), flusher.run()).0 };
        Ok((Self { serving }, running))
    }

    /// Serves one client of the dialect `countersign/1` until its session ends.
    pub async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        stream: S,
        identity: Identity,
        ip: IpAddr,
        port: u16,
    ) {
        let stream = Metered::new(stream);
        let local = LocalEnd {
            ip,
            interface: None,
        };
        let facts = ConnectionFacts {
            member: Member::from(&identity),
            ip,
            port,
            local,
            tls: "none".to_owned(),
            cipher: String::new(),
            key_exchange: None,
            dialect: Dialect::Ours,
        };
        let admitted = Admitted {
            written: stream.written(),
            stream,
            identity,
            facts,
            revocations: self.serving.revocations.clone(),
        };
        match admitted.begin(&self.serving).await {
            Ok(begun) => begun.run(&self.serving).await,
            Err(not_begun) => not_begun.close().await,
        }
    }

    /// Tells every session that the server stops. The recorder ends once the room and its sessions
    /// are dropped.
    pub fn stop(&self) {
        self.serving.stop.cancel();
    }
}
