//! Examinations of talking: lines that are said, refused, said again, and the end of a session.

use tokio::time::Instant;
use wire::Request;

use super::examination::Examination;
use super::limits::{CHATTER_INTERVAL, PING_TIMEOUT, TEMPTATION};
use super::stage::{Arrival, Examined, Heard, Said, Stage, Stop};

pub(super) async fn conduct(examination: Examination, stage: &mut Stage<'_>) -> Examined {
    match examination {
        Examination::Talk => talk(stage).await,
        Examination::Refusals => refusals(stage).await,
        Examination::OtherHistory => other_history(stage).await,
        Examination::SaidOnce => said_once(stage, false).await,
        Examination::StoredOnce => said_once(stage, true).await,
        Examination::Bye => bye(stage).await,
        Examination::Leaves => leaves(stage).await,
        _ => ping(stage).await,
    }
}

async fn talk(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    stage.tell("good morning").await?;
    stage.say("hello").await?;
    stage.say("grüße aus Zürich, 你好, 🎉").await?;
    stage.say("two  blanks, and a colon: so").await?;
    stage.tell("good to see you").await?;
    Ok(())
}

async fn refusals(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    let mut refused: Vec<Said> = Vec::new();
    for code in ["quota", "brand-new-code"] {
        let text = stage.shown.fresh("a line that is refused");
        stage.type_line(&text).await;
        let said = stage.hear_said().await?;
        let nonce = said.nonce.as_ref();
        let nonce = nonce.map_or_else(|| "-".to_owned(), ToString::to_string);
        stage
            .send(&format!("! {code} {nonce} the line was not accepted"))
            .await?;
        refused.push(said);
    }
    let text = stage.shown.fresh("the next line");
    stage.type_line(&text).await;
    let said = stage.hear_said().await?;
    let is_again = |old: &Said| old.nonce.is_some() && old.nonce == said.nonce;
    if refused.iter().any(is_again) {
        return Err(Stop::Wrong(
            "it used the RUN-N of a refused line again".to_owned(),
        ));
    }
    if said.text.as_str() != text {
        return Err(Stop::Wrong(format!(
            "after two refusals it sent {:?} where {text:?} was typed",
            said.text.as_str()
        )));
    }
    stage.accept_said(&said).await?;
    stage.tell("an entry after refusals").await?;
    Ok(())
}

async fn other_history(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    stage.only_ours()?;
    let known = stage.shown.fresh("known before the cut");
    let entry = stage.entry(&known);
    stage.send(&entry).await?;
    // A client that starts afresh with `/follow 0` shows it again.
    stage.shown.at_least_once(&known);
    stage.cut().await;
    if !stage.comes_back().await? {
        return Ok(());
    }
    // The same epoch: a backup was restored, and entries were recorded in another way since.
    stage.room.is_another = true;
    stage.greet().await?;
    stage.settle().await?;
    stage.tell("said in the other history").await?;
    Ok(())
}

/// The connection is lost before the acknowledgement: with the line stored, or not.
async fn said_once(stage: &mut Stage<'_>, is_stored: bool) -> Examined {
    stage.enter().await?;
    stage.only_ours()?;
    stage.tell("seen before the cut").await?;
    let text = stage.shown.fresh("said across a cut");
    stage.type_line(&text).await;
    let first = stage.hear_said().await?;
    if first.nonce.is_none() {
        return Err(Stop::Skipped(
            "this client says its lines without RUN-N".to_owned(),
        ));
    }
    if is_stored {
        // It is recorded, and no word of that arrives.
        stage.room.store(first.nonce.as_ref(), &first.text);
    }
    stage.cut().await;
    if !stage.comes_back().await? {
        return Err(Stop::Skipped("this client does not come back".to_owned()));
    }
    stage.greet().await?;
    stage.settle().await?;
    let again = stage.hear_said().await?;
    if (&again.nonce, &again.text) != (&first.nonce, &first.text) {
        return Err(Stop::Wrong(format!(
            "it said {:?} as {} before the cut, and then {:?} as {}",
            first.text.as_str(),
            named(&first),
            again.text.as_str(),
            named(&again),
        )));
    }
    stage.accept_said(&again).await?;
    stage.shown.once(&text);
    stage.tell("after the line that was said once").await?;
    Ok(())
}

fn named(said: &Said) -> String {
    let nonce = said.nonce.as_ref();
    nonce.map_or_else(|| "no RUN-N".to_owned(), ToString::to_string)
}

async fn bye(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    stage.tell("the last line").await?;
    stage
        .bye("replaced", "a newer session of your ID took this place")
        .await?;
    let deadline = Instant::now() + TEMPTATION;
    match stage.accept_tcp(deadline).await? {
        Arrival::Here(_) => Err(Stop::Wrong(
            "it came back after `= bye replaced`, and would take the place of the session that replaced it".to_owned(),
        )),
        Arrival::Ended(_) => Ok(()),
        Arrival::Nobody => match stage.ends_by_itself().await {
            Some(false) => Err(Stop::Wrong(
                "it did not end after `= bye` and the end of the connection".to_owned(),
            )),
            Some(true) | None => Ok(()),
        },
    }
}

async fn leaves(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    let mut typed = Vec::new();
    for words in ["the first", "the second", "and the last"] {
        let text = stage.shown.fresh(words);
        stage.type_line(&text).await;
        typed.push(text);
    }
    stage.close_input();
    for text in &typed {
        match stage.hear_text(text).await {
            Err(Stop::Wrong(fault)) => {
                return Err(Stop::Wrong(format!("{fault}, when its input had ended")));
            }
            heard => heard?,
        }
    }
    loop {
        match stage.hear().await? {
            Heard::Quit => {
                stage.send("= bye goodbye").await?;
                stage.close().await;
                break;
            }
            Heard::Closed { is_proper: true } => break,
            Heard::Closed { is_proper: false } => {
                return Err(Stop::Wrong(
                    "it left without /quit and without TLS's close_notify, so the others see it as lost".to_owned(),
                ));
            }
            Heard::Asked(_) | Heard::Nothing => {}
            Heard::Said(said) => {
                let fault = format!("it sent {:?}, which nobody typed", said.text.as_str());
                return Err(Stop::Wrong(fault));
            }
        }
    }
    match stage.ends_by_itself().await {
        Some(false) => Err(Stop::Wrong(
            "it did not end after the server had closed".to_owned(),
        )),
        Some(true) | None => Ok(()),
    }
}

/// The room talks all the while, because the server counts only what it hears.
async fn ping(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    stage.only_ours()?;
    stage.say("the last line before a silence").await?;
    let deadline = Instant::now() + PING_TIMEOUT;
    while Instant::now() < deadline {
        let soon = deadline.min(Instant::now() + CHATTER_INTERVAL);
        match stage.hear_by(soon).await? {
            Some(Heard::Asked(Request::Ping)) => return Ok(()),
            Some(Heard::Asked(_) | Heard::Nothing) => {}
            Some(other) => {
                return Err(Stop::Wrong(format!("it did not ping: {other:?} came")));
            }
            None => {
                stage.tell("the room goes on talking").await?;
            }
        }
    }
    Err(Stop::Wrong(format!(
        "it sent no /ping within {} seconds of silence",
        PING_TIMEOUT.as_secs()
    )))
}
