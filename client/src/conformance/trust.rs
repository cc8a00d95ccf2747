//! Examinations of trust: servers that are not the right one, and servers that let nobody in.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::examination::Examination;
use super::limits::{
    HANDSHAKE_TIMEOUT, HEAR_TIMEOUT, IMPOSTOR_CONNECTIONS_MAX, REFUSED_WINDOW, TEMPTATION,
};
use super::stage::{Arrival, Examined, Stage, Stop, Temptation};
use super::stand_in::Face;

pub(super) async fn conduct(examination: Examination, stage: &mut Stage<'_>) -> Examined {
    match examination {
        Examination::Waits => waits(stage).await,
        Examination::Refused => refused(stage).await,
        Examination::NoRoom => no_room(stage).await,
        Examination::AnotherCa => impostor(stage, Face::AnotherCa).await,
        Examination::AnotherHost => impostor(stage, Face::AnotherHost).await,
        Examination::ExpiredServer => impostor(stage, Face::Expired).await,
        Examination::PersonAsServer => impostor(stage, Face::Person).await,
        _ => another_name(stage).await,
    }
}

async fn waits(stage: &mut Stage<'_>) -> Examined {
    let text = stage.shown.fresh("typed before the greeting");
    stage.type_line(&text).await;
    stage.arrive().await?;
    for _ in 0..2 {
        match stage.tempt(TEMPTATION / 2).await? {
            Temptation::Quiet => {}
            Temptation::Sent(line) => {
                return Err(Stop::Wrong(format!("it sent {line:?} before the greeting")));
            }
            Temptation::Gone => {
                let fault = "it left before the greeting, which may take 10 seconds";
                return Err(Stop::Wrong(fault.to_owned()));
            }
        }
        // A line, and no greeting.
        stage.send("= weather sunny").await?;
    }
    stage.greet().await?;
    stage.settle().await?;
    stage.hear_text(&text).await
}

async fn refused(stage: &mut Stage<'_>) -> Examined {
    const REFUSAL: &str =
        "! too-many-sessions - you may begin 30 sessions a minute; try again in 44 s";
    stage
        .type_line("typed for a server that lets nobody in")
        .await;
    stage.arrive().await?;
    stage.send(REFUSAL).await?;
    let refused_at = Instant::now();
    if let Temptation::Sent(line) = stage.tempt(TEMPTATION / 3).await? {
        return Err(Stop::Wrong(format!("it sent {line:?} after a refusal")));
    }
    stage.close_aside();
    match stage.accept_speaking(refused_at + REFUSED_WINDOW).await? {
        Arrival::Here(_) => Err(Stop::Wrong(format!(
            "it came back within {:.1} s, though it was told to wait 44 s",
            (refused_at.elapsed().as_secs_f64() * 10.0).ceil() / 10.0
        ))),
        Arrival::Ended(_) | Arrival::Nobody => Ok(()),
    }
}

/// A server that has no room for a connection says so before TLS.
async fn no_room(stage: &mut Stage<'_>) -> Examined {
    const WORDS: &str = "! try-later - the server has no room for another connection";
    let wait = stage.start_timeout();
    let mut tcp = match stage.accept_tcp(Instant::now() + wait).await? {
        Arrival::Here(tcp) => tcp,
        never => return Err(stage.unconnected(&never)),
    };
    let mut hello = [0; 4096];
    let said = async {
        let _hello = tcp.read(&mut hello).await;
        let _gone = tcp.write_all(format!("{WORDS}\n").as_bytes()).await;
        let _gone = tcp.shutdown().await;
        while let Ok(1..) = tcp.read(&mut hello).await {}
    };
    let _unread = timeout(TEMPTATION, said).await;
    drop(tcp);
    // It comes back, or it ends: both are good, and a client that hangs does neither.
    if stage.comes_back().await? {
        stage.greet().await?;
        stage.settle().await?;
        stage.tell("there is room now").await?;
    }
    Ok(())
}

/// A server that cannot prove itself: it must not hear a line, and must not be believed.
async fn impostor(stage: &mut Stage<'_>, face: Face) -> Examined {
    let secret = stage.shown.fresh("a line that no impostor may get");
    stage.type_line(&secret).await;
    let config = stage.kit.stand_in.server(face)?;
    let wait = stage.start_timeout();
    let mut deadline = Instant::now() + wait;
    let mut has_come = false;
    for _ in 0..IMPOSTOR_CONNECTIONS_MAX {
        let tcp = match stage.accept_tcp(deadline).await? {
            Arrival::Here(tcp) => tcp,
            Arrival::Ended(_) | Arrival::Nobody if has_come => return Ok(()),
            never => return Err(stage.unconnected(&never)),
        };
        has_come = true;
        deadline = Instant::now() + TEMPTATION;
        let shaken = timeout(
            HANDSHAKE_TIMEOUT,
            TlsAcceptor::from(config.clone()).accept(tcp),
        );
        match shaken.await {
            Err(_) => return Err(Stop::Wrong("it hangs in the handshake".to_owned())),
            Ok(Err(error)) if refuses(&error) => {}
            Ok(Err(_)) => {
                let fault = "it accepted the impostor's certificate";
                return Err(Stop::Wrong(fault.to_owned()));
            }
            Ok(Ok(mut stream)) => {
                // Some libraries look at the certificate after the handshake; a line is the proof.
                let lie = stage.shown.fresh("an impostor's words");
                stage.shown.never(&lie);
                let id = &stage.kit.id;
                let words = format!(
                    "= welcome id={id} role=student ip=127.0.0.1 room=\"Trap\" head=1 epoch=0123456789abcdef clock=2026-11-21T10:00:00.123Z version=0.1.0\n\
                     1 2026-11-21T10:00:00.123Z [bob@192.0.2.9] {lie}\n= at 1\n"
                );
                let heard = async {
                    let _gone = stream.write_all(words.as_bytes()).await;
                    let _gone = stream.flush().await;
                    let mut line = vec![0; 512];
                    match stream.read(&mut line).await {
                        Ok(read @ 1..) => Some(String::from_utf8_lossy(&line[..read]).into_owned()),
                        _ => None,
                    }
                };
                match timeout(HEAR_TIMEOUT, heard).await {
                    Ok(None) => {}
                    Ok(Some(line)) => {
                        return Err(Stop::Wrong(format!(
                            "it sent {:?} to an impostor",
                            line.trim_end()
                        )));
                    }
                    Err(_) => {
                        return Err(Stop::Wrong("it stayed with an impostor".to_owned()));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Returns whether the client ended the handshake by itself.
fn refuses(error: &std::io::Error) -> bool {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::AlertReceived(_)) | None => true,
        Some(_) => false,
    }
}

async fn another_name(stage: &mut Stage<'_>) -> Examined {
    stage.arrive().await?;
    let text = stage.shown.fresh("a line for somebody else");
    stage.greet_as("mallory", "").await?;
    stage.type_line(&text).await;
    for _ in 0..2 {
        match stage.tempt(HEAR_TIMEOUT).await? {
            Temptation::Gone => return Ok(()),
            // It may say why it leaves, or that it does.
            Temptation::Sent(line) if line == "/quit" => {}
            Temptation::Sent(line) => {
                return Err(Stop::Wrong(format!(
                    "it sent {line:?} to a server that calls it mallory"
                )));
            }
            Temptation::Quiet => break,
        }
    }
    Err(Stop::Wrong(
        "it stayed with a server that calls it mallory".to_owned(),
    ))
}
