//! Examinations of reading: bytes that arrive in any portion, lines of any kind, a line that is cut.

use tokio::time::sleep;

use super::examination::Examination;
use super::limits::TEMPTATION;
use super::shown::WHOLE;
use super::stage::{Examined, Stage, Stop};

pub(super) async fn conduct(examination: Examination, stage: &mut Stage<'_>) -> Examined {
    match examination {
        Examination::SplitCharacters => split_characters(stage).await,
        Examination::SplitLines => split_lines(stage).await,
        Examination::SlowBytes => slow_bytes(stage).await,
        Examination::LongLines => long_lines(stage).await,
        Examination::HalfLine => half_line(stage, false).await,
        Examination::HalfLineClosed => half_line(stage, true).await,
        Examination::Author => author(stage).await,
        Examination::UnknownKeys => unknown_keys(stage).await,
        Examination::UnknownWords => unknown_words(stage).await,
        Examination::NewerEntries => newer_entries(stage).await,
        Examination::RepliesBetween => replies_between(stage).await,
        _ => few_entries(stage).await,
    }
}

/// A line with characters of 2, 3 and 4 bytes.
const FOREIGN: &str = "Zoë and Łukasz say 漢字, Привет and 🎉";

async fn split_characters(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    // So that each is in a read of its own, each waits for the one before.
    let text = stage.shown.fresh(FOREIGN);
    let entry = format!("{}\n", stage.entry(&text));
    let mut from = 0;
    for (place, c) in entry.char_indices().filter(|(_, c)| !c.is_ascii()) {
        let half = place + c.len_utf8() / 2;
        stage.send_bytes(&entry.as_bytes()[from..half]).await?;
        sleep(BETWEEN).await;
        from = half;
    }
    stage.send_bytes(&entry.as_bytes()[from..]).await?;
    stage.shown.once(&text);
    stage.tell("and a whole line after it").await?;
    Ok(())
}

/// Long enough for a client to read what came before.
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(30);

async fn split_lines(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    let mut entries = String::new();
    for words in ["the first of three", "the second", "the third"] {
        let text = stage.shown.fresh(words);
        entries.push_str(&stage.entry(&text));
        entries.push('\n');
        stage.shown.once(&text);
    }
    // Cut within a text, before a line end, and within a text again: behind a whole line.
    let ends: Vec<usize> = entries.match_indices('\n').map(|(at, _)| at).collect();
    let cuts = [ends[0] - 10, ends[0], ends[1] - 10, entries.len()];
    let mut from = 0;
    for to in cuts {
        stage.send_bytes(&entries.as_bytes()[from..to]).await?;
        sleep(BETWEEN).await;
        from = to;
    }
    let mut many = String::new();
    for _ in 0..5 {
        let text = stage.shown.fresh("five lines in one piece");
        many.push_str(&stage.entry(&text));
        many.push('\n');
        stage.shown.once(&text);
    }
    stage.send_bytes(many.as_bytes()).await
}

async fn slow_bytes(stage: &mut Stage<'_>) -> Examined {
    const BETWEEN_BYTES: std::time::Duration = std::time::Duration::from_millis(2);
    stage.enter().await?;
    for words in ["byte by byte", "ein Zeichen nach dem andern: ä"] {
        let text = stage.shown.fresh(words);
        let entry = format!("{}\n", stage.entry(&text));
        for byte in entry.as_bytes() {
            stage.send_bytes(&[*byte]).await?;
            sleep(BETWEEN_BYTES).await;
        }
        stage.shown.once(&text);
    }
    Ok(())
}

async fn long_lines(stage: &mut Stage<'_>) -> Examined {
    use wire::limits::{SERVER_LINE_BYTES_MAX, TEXT_BYTES_MAX};
    stage.enter().await?;
    let end = stage.shown.fresh(" is the end of a long text");
    let mut text = "字".repeat((TEXT_BYTES_MAX - end.len()) / "字".len());
    let rest = TEXT_BYTES_MAX - end.len() - text.len();
    text.push_str(&"x".repeat(rest));
    text.push_str(&end);
    let entry = stage.entry(&text);
    stage.send(&entry).await?;
    stage.shown.once(&text);
    let begin = "= later ";
    let reply = format!("{begin}{}", "y".repeat(SERVER_LINE_BYTES_MAX - begin.len()));
    stage.send(&reply).await?;
    stage.tell("after the longest line of all").await?;
    Ok(())
}

/// The stream ends without TLS's end, as when a network breaks, or with it, as when a server dies
/// politely.
async fn half_line(stage: &mut Stage<'_>, is_proper: bool) -> Examined {
    stage.enter().await?;
    let before = stage.shown.fresh("whole before the cut");
    let entry = stage.entry(&before);
    stage.send(&entry).await?;
    stage.shown.at_least_once(&before);
    let half = stage.shown.fresh("I owe you ten");
    let whole = format!("{half} {WHOLE}");
    let entry = stage.entry(&whole);
    let cut = entry.len() - WHOLE.len() - 1;
    stage.send_bytes(&entry.as_bytes()[..cut]).await?;
    stage.shown.no_half(&half);
    // The half must be read before the end is.
    sleep(BETWEEN).await;
    match is_proper {
        true => stage.close().await,
        false => stage.cut().await,
    }
    if stage.comes_back().await? {
        stage.greet().await?;
        stage.settle().await?;
        stage.shown.at_least_once(&whole);
    }
    Ok(())
}

async fn author(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    for forged in [
        "41 2026-11-21T10:00:00.123Z [carol@192.0.2.8] I owe you ten",
        "= bye goodbye",
        "[carol@192.0.2.8] and twenty",
        "* carol@192.0.2.8 left (goodbye)",
    ] {
        let text = stage.tell(forged).await?;
        stage.shown.by("bob", &text);
    }
    stage.tell("after all of these").await?;
    Ok(())
}

async fn unknown_keys(stage: &mut Stage<'_>) -> Examined {
    stage.arrive().await?;
    let id = stage.kit.id.as_str();
    stage
        .greet_as(id, "moon=full motto=\"quite \\\"good\\\" = yes\" empty= ")
        .await?;
    stage.settle().await?;
    stage.send("= here bob role=instructor ip=192.0.2.9 since=2026-11-21T10:00:00.123Z sessions=1 mood=good").await?;
    stage.tell("after a greeting with more in it").await?;
    stage.say("an answer to it").await
}

async fn unknown_words(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    for line in [
        "= weather sunny, and a breeze",
        "= weather",
        "~ a kind of line that nobody knows yet",
        "? another",
        "{\"kind\":\"object\"}",
        "é is a letter",
        "",
        "! brand-new-code - a refusal of nothing in particular",
    ] {
        stage.send(line).await?;
    }
    stage.tell("after all that is unknown").await?;
    stage.say("and an answer").await
}

async fn newer_entries(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    for rest in [
        "* bob@192.0.2.9 left (kicked-out)",
        "+ bob@192.0.2.9 waved",
        "[bob@192.0.2.9 as teacher] good morning",
    ] {
        let (seq, at) = stage.room.skip();
        stage.send(&format!("{seq} {at} {rest}")).await?;
    }
    stage.tell("after entries of a newer server").await?;
    stage.say("and an answer to them").await
}

async fn replies_between(stage: &mut Stage<'_>) -> Examined {
    stage.enter().await?;
    stage.tell("before").await?;
    stage.send("= note quota there is room for more").await?;
    stage.tell("between a note and the people").await?;
    let at = format!("= at {}", stage.room.head());
    stage.send(&at).await?;
    for line in stage.room.who() {
        stage.send(&line).await?;
        stage.tell("between the lines of an answer").await?;
    }
    stage.send("= begin history").await?;
    stage.tell("within brackets").await?;
    stage.send("= end history").await?;
    stage.tell("after").await?;
    Ok(())
}

/// A room whose older entries were removed, so that few come and `head` is far ahead of their number.
async fn few_entries(stage: &mut Stage<'_>) -> Examined {
    for _ in 0..56 {
        stage.room.skip();
    }
    stage.arrive().await?;
    stage.greet().await?;
    if stage.speaks_ours() {
        stage.settle().await?;
    } else {
        let at = format!("= at {}", stage.room.head());
        stage.send(&at).await?;
    }
    sleep(TEMPTATION / 10).await;
    match stage.say("said after few entries").await {
        Err(Stop::Wrong(fault)) => Err(Stop::Wrong(format!(
            "{fault}, though `= at` had said that there is nothing more to come"
        ))),
        said => said,
    }
}
