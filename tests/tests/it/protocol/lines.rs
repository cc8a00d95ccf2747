//! Which lines may be said, and how the others are refused: raw bytes through TLS.

use tests::{Options, Peer, World, said};
use wire::{Kind, ServerLine};

/// Returns a room that takes lines as fast as they come.
async fn room() -> World {
    World::with(Options::without_pace).await
}

/// Returns everything that was said, as SQLite keeps it.
async fn stored(w: &World) -> Vec<String> {
    w.column("select text from history where kind = 'message' order by seq")
        .await
}

/// Sends these bytes, and returns the texts that are said and the refusals.
async fn becomes(peer: &mut Peer, pieces: &[&[u8]]) -> (Vec<String>, Vec<String>) {
    for piece in pieces {
        peer.send(piece).await;
    }
    // Its answer comes when everything before it was answered and shown.
    peer.send("/ping\n").await;
    let (mut texts, mut refusals) = (Vec::new(), Vec::new());
    loop {
        let line = peer.next_line().await.expect("the session goes on");
        match ServerLine::parse(&line).expect(&line) {
            ServerLine::Entry(entry) => {
                if let Kind::Message(text) = entry.kind {
                    texts.push(text.as_str().to_owned());
                }
            }
            ServerLine::Refusal(_) => refusals.push(line),
            _ if line.starts_with("= at ") => return (texts, refusals),
            // An acknowledgement.
            _ => {}
        }
    }
}

/// Sends each as a line of its own; each must be refused with words that begin like this.
async fn each_is_refused(peer: &mut Peer, lines: &[(Vec<u8>, String)]) {
    for (line, answer) in lines {
        let (texts, refusals) = becomes(peer, &[line, b"\n"]).await;
        let shown = line.escape_ascii();
        assert!(texts.is_empty(), "{shown} was said: {texts:?}");
        assert_eq!(refusals.len(), 1, "{shown}: {refusals:?}");
        assert!(refusals[0].starts_with(answer), "{shown}: {refusals:?}");
    }
}

/// Sends each as a line of its own; each must be said and kept as it is, to the byte.
async fn each_is_said(w: &World, peer: &mut Peer, texts: &[&str]) {
    for text in texts {
        let became = becomes(peer, &[text.as_bytes(), b"\n"]).await;
        assert_eq!(became, (vec![(*text).to_owned()], vec![]), "{text:?}");
    }
    assert_eq!(stored(w).await, texts);
}

#[tokio::test]
async fn an_over_long_line_is_refused_once_and_the_next_is_fine() {
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let exact = "x".repeat(4096);
    alice
        .send(format!("{exact}y\n{exact}\n{}\nnext\n", "z".repeat(60_000)))
        .await;
    alice
        .expect("! too-long - a line may have at most 4096 bytes")
        .await;
    assert_eq!(bob.next_said().await, said("alice", &exact));
    assert_eq!(bob.next_said().await, said("alice", "next"));
    alice
        .send(format!("/say k3v9q2a7-7 {}\n", "z".repeat(5000)))
        .await;
    alice
        .expect("! too-long k3v9q2a7-7 a line may have at most 4096 bytes")
        .await;
}

#[tokio::test]
async fn a_line_without_end_ends_its_session_and_no_other() {
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    alice.send("x".repeat(70_000)).await;
    alice.expect("! too-long - ").await;
    alice
        .expect("= bye flooding a line went on without end")
        .await;
    assert_eq!(alice.next_line().await, None);
    bob.say("still here").await;
    assert_eq!(bob.next_said().await, said("bob", "still here"));
}

#[tokio::test]
async fn the_limit_counts_bytes_of_text_and_nothing_around_it() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let ascii = "x".repeat(4096);
    let wide = "字".repeat(1365) + "y";
    assert_eq!(wide.len(), 4096);
    // Neither the line end, nor the second slash, nor a number counts.
    let slashed = format!("/{}", "z".repeat(4095));
    for (line, text) in [
        (format!("{wide}\n"), &wide),
        (format!("{ascii}\r\n"), &ascii),
        (format!("/{slashed}\n"), &slashed),
        (format!("/say k3v9q2a7-1 {wide}\r\n"), &wide),
    ] {
        alice.send(&line).await;
        assert_eq!(alice.next_said().await.text, *text);
    }
    let before = stored(&w).await;
    assert_eq!(before, [&*wide, &*ascii, &*slashed, &*wide]);
    let refused = |nonce| format!("! too-long {nonce} a line may have at most 4096 bytes");
    let one_over = [
        (format!("{ascii}x"), refused("-")),
        // The last character does not fit whole.
        ("字".repeat(1366), refused("-")),
        (format!("/{slashed}z"), refused("-")),
        (format!("/say k3v9q2a7-2 {ascii}x"), refused("k3v9q2a7-2")),
        // The longest line that is held, and the first that is not.
        ("x".repeat(4224), refused("-")),
        ("x".repeat(4225), refused("-")),
        // A command may not be as long either.
        (format!("/whois {}", "a".repeat(4100)), refused("-")),
    ];
    let one_over = one_over.map(|(line, answer)| (line.into_bytes(), answer));
    each_is_refused(&mut alice, &one_over).await;
    assert_eq!(stored(&w).await, before);
}

#[tokio::test]
async fn a_line_is_thrown_away_up_to_64_kib_and_no_further() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let longest = vec![b'x'; 64 * 1024];
    let (texts, refusals) = becomes(&mut alice, &[&longest, b"\nnext\n"]).await;
    assert_eq!((texts, refusals.len()), (vec!["next".to_owned()], 1));
    // Whatever it is made of.
    for endless in [&b"x"[..], b"\r", b"\0", b"\xff", "字".as_bytes()] {
        let mut alice = w.enter("alice").await;
        let mut flood = endless.repeat(64 * 1024 / endless.len() + 1);
        flood.extend_from_slice(b"\nnext\n");
        alice.send(flood).await;
        alice.expect("! too-long - ").await;
        alice.expect("= bye flooding ").await;
        assert_eq!(alice.next_line().await, None);
    }
    assert_eq!(stored(&w).await, ["next"]);
}

#[tokio::test]
async fn what_is_not_utf8_is_refused() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let wrong: [&[u8]; 16] = [
        b"\xff",
        b"\xfe",
        // The rest of a character without its beginning.
        b"\x80",
        b"\xbf\xbf",
        // Overlong: NUL, '/' and LF in more bytes than they need.
        b"\xc0\x80",
        b"\xc0\xaf",
        b"\xc0\x8a",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        // Surrogates: the first, the last, and a pair.
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\xbd\xed\xb1\x8b",
        // Beyond U+10FFFF.
        b"\xf4\x90\x80\x80",
        // Cut short.
        b"\xc3",
        b"\xe5\xad",
        b"\xf0\x9f\x91",
    ];
    let mut lines = Vec::new();
    for wrong in wrong {
        for (before, after, nonce) in [
            (&b""[..], &b""[..], "-"),
            ("a字".as_bytes(), b"b", "-"),
            (b"//", b"", "-"),
            (b"/whois ", b"", "-"),
        ] {
            let answer = format!("! not-utf8 {nonce} a line must be UTF-8");
            lines.push(([before, wrong, after].concat(), answer));
        }
    }
    for (n, wrong) in (1..).zip(wrong) {
        let nonce = format!("k3v9q2a7-{n}");
        let line = [format!("/say {nonce} ").as_bytes(), wrong].concat();
        lines.push((line, format!("! not-utf8 {nonce} ")));
    }
    each_is_refused(&mut alice, &lines).await;
    // A wrong byte is as wrong when its neighbours come apart from it.
    let (texts, refusals) = becomes(&mut alice, &[b"\xe5\xad", b"\n", "\u{97}\n".as_bytes()]).await;
    assert_eq!((texts.len(), refusals.len()), (0, 2), "{refusals:?}");
    assert_eq!(stored(&w).await, [""; 0]);
}

#[tokio::test]
async fn a_character_may_be_split_anywhere() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let text = "é字👋🏽 👨‍👩‍👧";
    for at in 1..text.len() {
        let (first, last) = text.as_bytes().split_at(at);
        let became = becomes(&mut alice, &[first, last, b"\r", b"\n"]).await;
        assert_eq!(became, (vec![text.to_owned()], vec![]), "split at {at}");
    }
    assert_eq!(stored(&w).await, vec![text; text.len() - 1]);
}

/// Characters that nobody may say (U+0085 is among the controls, CR and LF have tests of their own).
fn forbidden() -> impl Iterator<Item = char> {
    let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
    let controls = controls.filter(|c| !matches!(c, '\t' | '\n' | '\r'));
    let separators = '\u{2028}'..='\u{2029}';
    let bidi = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter();
    let bidi = bidi.chain('\u{202a}'..='\u{202e}');
    let bidi = bidi.chain('\u{2066}'..='\u{2069}');
    let marks = ['\u{feff}', '\u{fff9}', '\u{fffa}', '\u{fffb}'];
    let tags = '\u{e0000}'..='\u{e007f}';
    let planes = (0..=0x10).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    let noncharacters = ('\u{fdd0}'..='\u{fdef}').chain(planes.filter_map(char::from_u32));
    controls
        .chain(separators)
        .chain(bidi)
        .chain(marks)
        .chain(tags)
        .chain(noncharacters)
}

#[tokio::test]
async fn each_character_that_moves_reorders_or_hides_is_refused() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let mut lines = Vec::new();
    for (n, c) in (1..).zip(forbidden()) {
        let words = format!("a line may not contain U+{:04X}", u32::from(c));
        let answer = format!("! forbidden-character - {words}");
        lines.push((format!("{c}").into_bytes(), answer.clone()));
        lines.push((format!("字{c}b").into_bytes(), answer));
        let nonce = format!("k3v9q2a7-{n}");
        lines.push((
            format!("/say {nonce} a{c}").into_bytes(),
            format!("! forbidden-character {nonce} {words}"),
        ));
    }
    // 62 controls, 2 separators, 12 of bidi, 4 marks, 128 tags, 66 noncharacters.
    assert_eq!(lines.len(), 3 * 274);
    // Characters that terminals and screens would obey.
    for (text, code) in [
        ("\u{1b}[31mred", "001B"),
        ("\u{1b}]52;c;aGk=\u{7}", "001B"),
        ("\u{1b}]0;title\u{7}", "001B"),
        ("\u{1b}]8;;http://localhost\u{1b}\\here", "001B"),
        ("\u{1b}P$q\"p\u{1b}\\", "001B"),
        ("\u{1b}[6n", "001B"),
        ("\u{9b}6n", "009B"),
        ("/whois al\u{8}ice", "0008"),
        ("/nick \u{202e}ecila", "202E"),
    ] {
        let answer = format!("! forbidden-character - a line may not contain U+{code}");
        lines.push((text.as_bytes().to_vec(), answer));
    }
    each_is_refused(&mut alice, &lines).await;
    assert_eq!(stored(&w).await, [""; 0]);
}

#[tokio::test]
async fn what_nobody_would_see_is_refused() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let mut lines = Vec::new();
    let invisible = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180e}\u{200b}\u{200c}\u{200d}\u{2060}\u{2064}\
         \u{2065}\u{206a}\u{206f}\u{3164}\u{fe00}\u{fe0e}\u{fe0f}\u{ffa0}\u{fff0}\u{1bca0}\u{1d173}\u{e0080}\u{e0100}\u{e01ef}\
         \u{e0fff}";
    for (n, c) in (1..).zip(invisible.chars()) {
        let words = format!("a line may not contain U+{:04X}", u32::from(c));
        let answer = format!("! forbidden-character - {words}");
        lines.push((format!("{c}").into_bytes(), answer.clone()));
        lines.push((format!("pay{c}pal").into_bytes(), answer));
        let nonce = format!("k3v9q2a7-{n}");
        lines.push((
            format!("/say {nonce} a{c}").into_bytes(),
            format!("! forbidden-character {nonce} {words}"),
        ));
    }
    let words = "a line needs a character that can be seen";
    for (n, blank) in (100..).zip([" ", "\t", "\u{a0}\u{3000}", "\u{2800} \u{2800}"]) {
        let nonce = format!("k3v9q2a7-{n}");
        lines.push((blank.into(), format!("! empty - {words}")));
        lines.push((
            format!("/say {nonce} {blank}").into_bytes(),
            format!("! empty {nonce} {words}"),
        ));
    }
    each_is_refused(&mut alice, &lines).await;
    assert_eq!(stored(&w).await, [""; 0]);
}

#[tokio::test]
async fn what_people_write_is_said_and_stored_to_the_byte() {
    let w = room().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let texts = [
        "tab\there",
        "\t.",
        " .",
        " spaces  ",
        "\u{a0}\u{3000}.",
        "你好 👨‍👩‍👧 ❤\u{fe0f}",
        // Composed and decomposed stay what they are.
        "\u{e9} e\u{301}",
        "می\u{200c}خواهم",
        "שלום alice, ما اسمك؟",
        "z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}",
        "{\"a\":[1], \"b\":\"\\u0000\\n\"}",
        "'; drop table history; --",
        "%00 %s {} $HOME `id` <b>&amp;</b>",
        // Neighbours of characters that are refused.
        "~\u{a0}\u{ac}\u{ae}\u{34e}\u{350}\u{61b}\u{61d}\u{115e}\u{1161}\u{17b3}\u{17b6}\u{200a}\u{2010}\u{2027}",
        "\u{202f}\u{205f}\u{2070}\u{3163}\u{3165}\u{fdcf}\u{fdf0}\u{fefe}\u{ff00}\u{ff9f}\u{ffa1}\u{ffef}\u{fffc}",
        "\u{fffd}\u{1bc9f}\u{1bca4}\u{1d172}\u{1d17b}\u{e1000}\u{10fffd}葛\u{e0100}",
    ];
    each_is_said(&w, &mut alice, &texts).await;
    for text in texts {
        assert_eq!(bob.next_said().await, said("alice", text));
    }
}

#[tokio::test]
async fn a_cr_is_part_of_the_line_end_or_refused() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let refused = "! forbidden-character - a line may not contain U+000D";
    // A CR would let the rest of the line stand over its stamp.
    let lines = [
        "a\rb",
        "\ra",
        "a\r\r",
        "\r\r",
        "hi\r[bob@127.0.0.1] hi",
        "/quit\r\r",
        "/who\r/quit",
    ];
    let lines = lines.map(|line| (line.as_bytes().to_vec(), refused.to_owned()));
    each_is_refused(&mut alice, &lines).await;
    // A lone CR ends no line.
    let became = becomes(&mut alice, &[b"one\r", b"two\n"]).await;
    assert_eq!((became.0.len(), became.1.len()), (0, 1), "{became:?}");
    for (pieces, texts) in [
        (&[&b"a\r\n"[..]][..], &["a"][..]),
        (&[b"b\r", b"\n"], &["b"]),
        (&[b"c\n\r\n\n\r", b"\nd\n"], &["c", "d"]),
        (&[b"\r\n", b"\n"], &[]),
    ] {
        let became = becomes(&mut alice, pieces).await;
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(became, (texts, vec![]));
    }
    assert_eq!(stored(&w).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn text_that_looks_like_the_servers_stands_behind_a_stamp() {
    let w = room().await;
    let (mut alice, mut bob) = w.pair("alice", "bob").await;
    let texts = [
        "[bob@127.0.0.1] I owe alice 100",
        "] hi",
        "41 2026-11-21T10:00:00.123Z [bob@127.0.0.1] hi",
        "42 2026-11-21T10:00:01.456Z * carol@192.0.2.9 entered",
        "* bob@127.0.0.1 left (goodbye)",
        "= ok k3v9q2a7-1 2",
        "= welcome id=bob role=instructor ip=127.0.0.1 room=\"x\" head=0",
        "= begin history",
        "= 12 2026-11-21T10:00:00.123Z [bob@127.0.0.1] hi",
        "= end history",
        "= at 9007199254740992",
        "= bye replaced by bob",
        "! too-long - a line may have at most 4096 bytes",
        "! unknown-command",
        // And like a command that it is not.
        " /quit",
        "\u{ff0f}quit",
        "quit",
        " history",
        "history ",
        "History",
    ];
    for text in texts {
        alice.say(text).await;
        let line = bob.expect("[alice@127.0.0.1] ").await;
        assert!(line.starts_with(|c: char| c.is_ascii_digit()), "{line}");
        assert_eq!(line.split_once("] ").map(|(_, text)| text), Some(text));
        let ServerLine::Entry(entry) = ServerLine::parse(&line).expect("an entry") else {
            panic!("no entry: {line}");
        };
        assert_eq!(entry.id.as_str(), "alice");
    }
    assert_eq!(stored(&w).await, texts);
    // An answer marks each as a part of it, so none of them ends it.
    bob.say("/history 20").await;
    bob.expect("= begin history").await;
    for text in texts {
        let line = bob.next_line().await.expect("a line");
        assert!(line.starts_with("= "), "{line}");
        assert!(
            line.ends_with(&format!("[alice@127.0.0.1] {text}")),
            "{line}"
        );
    }
    assert_eq!(bob.next_line().await.as_deref(), Some("= end history"));
}

#[tokio::test]
async fn a_command_is_said_only_when_it_is_meant_as_text() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    for (line, text) in [
        ("//quit", "/quit"),
        ("///", "//"),
        ("//", "/"),
        ("/say k3v9q2a7-1 /quit", "/quit"),
        ("/say k3v9q2a7-2 //quit", "//quit"),
        ("/say k3v9q2a7-3  = ok", " = ok"),
        ("/say k3v9q2a7-4 history", "history"),
    ] {
        alice.say(line).await;
        assert_eq!(alice.next_said().await, said("alice", text), "{line}");
    }
    let before = stored(&w).await;
    assert_eq!(before.len(), 7);
    // A line that begins with a slash and is no command, or is only nearly one, is refused.
    for (line, code) in [
        ("/", "unknown-command"),
        ("/ quit", "unknown-command"),
        ("/QUIT", "unknown-command"),
        ("/quitt", "unknown-command"),
        ("/say", "bad-argument"),
        ("/say hello", "bad-argument"),
        ("/history -1", "bad-argument"),
        ("/history 18446744073709551616", "bad-argument"),
        ("/whois [bob@127.0.0.1]", "bad-argument"),
        // A text that somebody waits for is something.
        ("/say k3v9q2a7-5 ", "empty k3v9q2a7-5"),
        ("/say k3v9q2a7-6", "empty k3v9q2a7-6"),
        // No number: zero, padded, signed, too large, of a run too short, too long, of others.
        ("/say k3v9q2a7-0 x", "bad-argument"),
        ("/say k3v9q2a7-07 x", "bad-argument"),
        ("/say k3v9q2a7--7 x", "bad-argument"),
        ("/say k3v9q2a7-+7 x", "bad-argument"),
        ("/say k3v9q2a7-9007199254740993 x", "bad-argument"),
        ("/say k3v9q2a-7 x", "bad-argument"),
        ("/say abcdefghabcdefghabcdefghabcdefgha-7 x", "bad-argument"),
        ("/say k3v9_2a7-7 x", "bad-argument"),
    ] {
        let line = (line.as_bytes().to_vec(), format!("! {code} "));
        each_is_refused(&mut alice, &[line]).await;
    }
    assert_eq!(stored(&w).await, before);
}

#[tokio::test]
async fn a_follow_from_an_impossible_place_is_refused_and_shows_nothing() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    alice.say("hello").await;
    alice.expect("hello").await;
    let at = w.column("select at from history where seq = 2").await;
    let mut bob = w.connect_ours("bob").await;
    bob.welcome().await;
    for (from, code) in [
        (format!("-1 {}", at[0]), "bad-argument"),
        (format!("02 {}", at[0]), "bad-argument"),
        (format!("two {}", at[0]), "bad-argument"),
        ("2".to_owned(), "bad-argument"),
        ("2 yesterday".to_owned(), "bad-argument"),
        (format!("2 {} more", at[0]), "bad-argument"),
        (format!("9007199254740993 {}", at[0]), "bad-argument"),
        (format!("18446744073709551615 {}", at[0]), "bad-argument"),
        (format!("9007199254740992 {}", at[0]), "other-history"),
        (format!("0 {}", at[0]), "other-history"),
    ] {
        bob.say(&format!("/follow {from}")).await;
        let refused = bob.next_line().await.expect("an answer");
        assert!(
            refused.starts_with(&format!("! {code} - ")),
            "{from}: {refused}"
        );
    }
    // Nothing was shown meanwhile; from where one can follow, it is.
    bob.say(&format!("/follow 2 {}", at[0])).await;
    let entered = bob.next_entry().await.expect("his own enter");
    assert_eq!((entered.seq, entered.id.as_str()), (3, "bob"));
}

#[tokio::test]
async fn lines_are_the_same_however_they_come() {
    let w = World::with(Options::without_pace).await;
    let mut alice = w.enter("alice").await;
    let hundred: String = (0..100).map(|n| format!("at once {n}\n")).collect();
    alice.send(hundred).await;
    for byte in "字 by byte\n".bytes() {
        alice.send([byte]).await;
    }
    for n in 0..100 {
        assert_eq!(
            alice.next_said().await,
            said("alice", &format!("at once {n}"))
        );
    }
    assert_eq!(alice.next_said().await, said("alice", "字 by byte"));
}

#[tokio::test]
async fn however_the_bytes_are_cut_the_same_becomes_of_them() {
    let w = room().await;
    let mut alice = w.enter("alice").await;
    let mut bytes = "one\r\n字👋\n\n//two\r\n\u{1b}\n \nthree\rfour\n"
        .as_bytes()
        .to_vec();
    bytes.extend_from_slice(b"\xed\xa0\x80\n/nonsense\nfive\n");
    let texts = ["one", "字👋", "/two", "five"];
    let codes = [
        "forbidden-character",
        "empty",
        "forbidden-character",
        "not-utf8",
        "unknown-command",
    ];
    for size in [bytes.len(), 1, 2, 3, 7] {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        let (became, refusals) = becomes(&mut alice, &pieces).await;
        assert_eq!(became, texts, "in pieces of {size}");
        let refused = refusals.iter().map(|r| r.split(' ').nth(1));
        assert_eq!(refused.flatten().collect::<Vec<_>>(), codes, "{size}");
    }
    assert_eq!(stored(&w).await, texts.repeat(5));
}

#[tokio::test]
async fn a_partial_line_at_the_end_was_never_a_line() {
    let w = World::start().await;
    let long = "x".repeat(5000);
    let halves = [
        &b"half"[..],
        b"half\r",
        b"\xe5\xad",
        b"/say k3v9q2a7-1 half",
        b"/nonsense",
        long.as_bytes(),
    ];
    for half in halves {
        let mut alice = w.enter("alice").await;
        alice.send([b"whole\n", half].concat()).await;
        let last = alice.close().await;
        let shown = half.escape_ascii();
        assert!(
            last.iter().any(|line| line.ends_with("] whole")),
            "{shown}: {last:?}"
        );
    }
    assert_eq!(stored(&w).await, ["whole"; 6]);
}

#[tokio::test]
async fn lines_beyond_the_rate_wait_and_are_not_dropped() {
    let w = World::with(|o| (o.limits.line_rate, o.limits.line_burst) = (50, 5)).await;
    let mut alice = w.enter("alice").await;
    let begun = std::time::Instant::now();
    alice
        .send((0..30).map(|n| format!("{n}\n")).collect::<String>())
        .await;
    for n in 0..30 {
        assert_eq!(alice.next_said().await, said("alice", &n.to_string()));
    }
    // 25 lines beyond the burst, one every 20 ms.
    assert!(begun.elapsed().as_millis() >= 480, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn empty_lines_are_nothing_and_take_their_turn_all_the_same() {
    let w = World::with(|o| (o.limits.line_rate, o.limits.line_burst) = (50, 5)).await;
    let mut alice = w.enter("alice").await;
    let begun = std::time::Instant::now();
    alice.send("\n".repeat(30) + "said\n").await;
    assert_eq!(alice.next_said().await, said("alice", "said"));
    assert!(begun.elapsed().as_millis() >= 480, "{:?}", begun.elapsed());
}
