//! How we stand with the server: connected, silent, lost, ended.

use super::*;

#[test]
fn a_lost_connection_counts_down_and_typed_lines_wait() {
    let mut w = Window::open();
    w.size(60, 8);
    w.says("bob", "hello");
    w.hears(Event::Lost {
        failure: Failure::new(Exit::Network, "no route"),
        pause: Duration::from_millis(4000),
    });
    assert!(
        w.screen()
            .join("\n")
            .contains(" reconnecting in 4 s · \"Networks 101\" · no route")
    );
    w.passes(Duration::from_secs(3));
    w.happens(Happened::Tick);
    assert!(
        w.screen()
            .join("\n")
            .contains(" reconnecting in 1 s · \"Networks 101\" · no route")
    );
    w.enters("are you there?");
    assert_eq!(w.style_of("are you there?").fg, w.app.colours.dim().fg);
    w.enters("/who");
    assert!(
        w.screen()
            .join("\n")
            .contains("not asked, because there is no connection")
    );
    back(&mut w);
    assert!(matches!(w.app.room.standing, Standing::Connected));
    assert!(w.screen().join("\n").contains(" connected"));
}

fn replaced() -> Failure {
    Failure::new(
        Exit::Ended,
        "another session of yours took this one's place",
    )
    .hint("two terminals need --same-id allow")
}

fn back(w: &mut Window) {
    let Ok(ServerLine::Reply(Reply::Welcome(welcome))) = ServerLine::parse(GREETING) else {
        panic!("a greeting");
    };
    w.hears(Event::Back {
        welcome: Box::new(welcome),
        greeting: GREETING.to_owned(),
        route: Route {
            interface: None,
            target: Target::parse("chat.example").expect("a target"),
            tls: TlsFacts::none(),
        },
    });
}

#[test]
fn a_final_end_is_shown_and_the_window_stays_until_the_person_leaves() {
    let mut w = Window::open();
    w.happens(Happened::Ended(Some(replaced())));
    assert_eq!(w.effects, []);
    assert!(
        w.bar()
            .contains(" ended: F5 tries again, C-c closes · \"Networks 101\" · another session"),
        "{}",
        w.bar()
    );
    assert_eq!(w.style_of(" ended").bg, w.app.colours.alarm().bg);
    // In full, which the status line has no room for.
    let screen = w.screen().concat().replace("        ", " ");
    assert!(
        screen.contains("! another session of yours took this one's place (two terminals need"),
        "{screen}"
    );
    w.enters("hello?");
    assert!(
        w.screen()
            .join("\n")
            .contains("not sent (the session has ended; F5 tries again): hello?")
    );
    w.control('c');
    assert_eq!(w.effects, [Effect::Close]);
}

#[test]
fn after_the_end_one_key_tries_again_and_lines_that_were_typed_before_go_out() {
    let mut w = Window::open();
    w.key(KeyCode::F(5));
    assert_eq!(w.effects, []);
    w.app
        .update(Happened::Paste("typed before".to_owned()), w.now);
    w.app.update(
        Happened::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)),
        w.now,
    );
    w.app.update(Happened::Ended(Some(replaced())), w.now);
    assert!(!w.app.room.has_out());
    assert_eq!(w.app.room.unsent(), 1);
    w.key(KeyCode::F(5));
    assert_eq!(w.effects, [Effect::TryAgain]);
    assert!(w.bar().contains("trying again"), "{}", w.bar());
    w.happens(Happened::Ended(Some(replaced())));
    assert!(w.bar().contains(" ended: F5 tries again"), "{}", w.bar());
    w.key(KeyCode::F(5));
    back(&mut w);
    assert!(w.bar().starts_with(" connected · "), "{}", w.bar());
    assert!(w.out.contains(&"typed before".to_owned()), "{:?}", w.out);
}

#[test]
fn the_end_is_shown_while_a_line_is_selected_and_the_list_is_dim() {
    let mut w = Window::open();
    w.size(100, 24);
    w.says("bob", "hello");
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    assert!(w.bar().starts_with(" 1 2026-11-21"), "{}", w.bar());
    assert!(w.screen().join("\n").contains(" 1 here"));
    let (own, dim) = (w.app.colours.own().fg, w.app.colours.dim().fg);
    assert_eq!(w.style_of("alice (you").fg, own);
    let lost = Failure::new(Exit::Network, "the server closed it");
    w.hears(Event::Lost {
        failure: lost,
        pause: Duration::from_secs(4),
    });
    assert!(w.bar().starts_with(" reconnecting in 4 s"), "{}", w.bar());
    assert_eq!(w.style_of("alice (you").fg, dim);
    let failure = Failure::new(Exit::Ended, "you were replaced");
    w.happens(Happened::Ended(Some(failure)));
    for finds in [false, true] {
        if finds {
            w.control('f');
            w.types("hel");
            w.key(KeyCode::Enter);
            w.key(KeyCode::Esc);
        }
        assert!(w.bar().starts_with(" ended: F5 tries again"), "{}", w.bar());
        assert!(w.screen().join("\n").contains("│ 1 were here"));
        assert_eq!(w.style_of("alice (you").fg, dim);
    }
}

#[test]
fn silence_is_counted_from_three_seconds_on_while_the_server_owes_an_answer() {
    let mut w = Window::open();
    let seconds = |w: &mut Window, count: u64| {
        for _ in 0..count {
            w.passes(Duration::from_secs(1));
            w.happens(Happened::Tick);
        }
    };
    // Nothing is owed, so nothing is missing.
    seconds(&mut w, 5);
    assert!(w.bar().starts_with(" connected"), "{}", w.bar());
    w.enters("are you there?");
    // The link notices the silence too, and is not the server.
    w.hears(Event::Unanswered(w.now.into()));
    seconds(&mut w, 2);
    w.hears(Event::Unanswered(w.now.into()));
    assert!(w.bar().starts_with(" connected"), "{}", w.bar());
    seconds(&mut w, 1);
    assert!(w.bar().starts_with(" no answer for 3 s"), "{}", w.bar());
    assert!(!w.bar().contains(" ms"), "{}", w.bar());
    assert_eq!(w.style_of(" no answer").bg, w.app.colours.alarm().bg);
    seconds(&mut w, 4);
    assert!(w.bar().starts_with(" no answer for 7 s"), "{}", w.bar());
    // Whatever is heard shows that somebody is there.
    w.says("bob", "hello");
    assert!(w.bar().starts_with(" connected"), "{}", w.bar());
    seconds(&mut w, 3);
    assert!(w.bar().starts_with(" no answer for 3 s"), "{}", w.bar());
    w.answers("= ok k3v9q2a7-1 2");
    w.says("alice", "are you there?");
    seconds(&mut w, 1);
    assert!(w.bar().starts_with(" connected"), "{}", w.bar());
}

#[test]
fn a_server_that_only_owes_a_ping_is_silent_too_and_our_own_sleep_is_not_its_silence() {
    let mut w = Window::open();
    for _ in 0..18 {
        w.passes(Duration::from_secs(1));
        w.happens(Happened::Tick);
    }
    assert!(w.bar().starts_with(" no answer for 3 s"), "{}", w.bar());
    // Stopped with C-z, or a laptop that slept: we did not listen.
    w.passes(Duration::from_secs(60));
    w.happens(Happened::Tick);
    assert!(w.bar().starts_with(" connected"), "{}", w.bar());
}

#[test]
fn a_person_leaves_at_once_if_everything_is_stored_and_by_asking_again_in_any_case() {
    let mut w = Window::open();
    w.control('d');
    assert_eq!(w.out, ["(quit)"]);
    w.happens(Happened::Ended(None));
    assert_eq!(w.effects, [Effect::Close]);

    let mut w = Window::open();
    w.enters("hello");
    w.control('c');
    assert_eq!(w.effects, []);
    assert!(
        w.bar()
            .contains(" leaving when 1 line is stored · C-c leaves without it"),
        "{}",
        w.bar()
    );
    w.control('c');
    assert_eq!(w.effects, [Effect::Leave]);
    assert_eq!(w.app.room.unacknowledged(), 1);
}

fn pastes_forty(w: &mut Window) {
    let lines: Vec<String> = (1..=40).map(|n| format!("pasted {n}")).collect();
    w.happens(Happened::Paste(lines.join("\n")));
    w.key(KeyCode::Enter);
}

/// Acknowledges our lines `from` to `to`, whose entries come too.
fn stores(w: &mut Window, from: u64, to: u64) {
    for n in from..=to {
        w.answers(&format!("= ok k3v9q2a7-{n} {}", w.seq + 1));
        w.says("alice", &format!("pasted {n}"));
    }
}

#[test]
fn the_window_leaves_by_itself_when_the_lines_that_wait_are_stored() {
    for wish in ["/quit", "C-d", "C-c"] {
        let mut w = Window::open();
        pastes_forty(&mut w);
        assert!(
            w.bar().contains(" connected · 40 lines wait"),
            "{}",
            w.bar()
        );
        stores(&mut w, 1, 20);
        match wish {
            "/quit" => w.enters(wish),
            "C-d" => w.control('d'),
            _ => w.control('c'),
        }
        assert_eq!(w.effects, []);
        assert!(
            w.bar()
                .contains(" leaving when 20 lines are stored · C-c leaves without them"),
            "{}",
            w.bar()
        );
        // The rest outlives a lost connection.
        w.hears(Event::Lost {
            failure: Failure::new(Exit::Network, "no route"),
            pause: Duration::from_secs(4),
        });
        assert!(
            w.bar()
                .contains("reconnecting in 4 s · leaving when 20 lines are stored"),
            "{}",
            w.bar()
        );
        back(&mut w);
        stores(&mut w, 21, 39);
        assert!(
            w.bar().contains("leaving when 1 line is stored"),
            "{}",
            w.bar()
        );
        assert!(!w.out.contains(&"(quit)".to_owned()), "{wish}");
        stores(&mut w, 40, 40);
        assert_eq!(w.out.last().map(String::as_str), Some("(quit)"), "{wish}");
        assert!(w.bar().starts_with(" leaving"), "{}", w.bar());
        w.happens(Happened::Ended(None));
        assert_eq!(w.effects, [Effect::Close]);
    }
}

#[test]
fn a_person_who_leaves_stays_if_a_line_is_refused() {
    let mut w = Window::open();
    w.enters("hello");
    w.enters("/quit");
    w.answers("! try-later k3v9q2a7-1 the disk is full");
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("not sent (the disk is full): hello"),
        "{screen}"
    );
    assert!(
        screen.contains("you are still here, because not every line was stored"),
        "{screen}"
    );
    assert!(!w.out.contains(&"(quit)".to_owned()), "{:?}", w.out);
    w.enters("/quit");
    assert_eq!(w.out.last().map(String::as_str), Some("(quit)"));
}

#[test]
fn the_last_words_of_a_server_are_told_once() {
    let count = |w: &Window| w.screen().join("\n").matches("asked to leave").count();
    let mut w = Window::open();
    w.size(100, 12);
    w.answers("= bye kicked you were asked to leave");
    w.happens(Happened::Ended(Some(Failure::new(
        Exit::Ended,
        "the server ended the session: you were asked to leave",
    ))));
    let told = w.screen().join("\n");
    assert!(told.contains("! the server ended the session: you were asked to leave"));
    assert!(!told.contains("the server says"), "{told}");
    // Once more in the status line, which is short of room.
    assert!(count(&w) <= 2, "{told}");
    // A loss is not told below the lines, so the words are.
    let mut w = Window::open();
    w.answers("= bye shutting-down the server stops");
    w.hears(Event::Lost {
        failure: Failure::new(Exit::Network, "the server stops"),
        pause: Duration::from_secs(4),
    });
    let told = w.screen().join("\n");
    assert!(
        told.contains("· the server says: the server stops"),
        "{told}"
    );
}

#[test]
fn the_end_of_our_certificate_is_shown_when_it_is_near() {
    let w = Window::with(|_, facts| facts.expiry = expiry(3));
    let screen = w.screen().join("\n");
    assert!(
        screen.contains("· your certificate expires in 3 days"),
        "{screen}"
    );
    assert!(screen.contains("certificate: 3 days left"), "{screen}");
    let w = Window::open();
    assert!(!w.screen().join("\n").contains("certificate"));
}

#[test]
fn the_way_is_timed_now_and_then() {
    let mut w = Window::open();
    w.out.clear();
    w.passes(Duration::from_secs(16));
    w.happens(Happened::Tick);
    assert_eq!(w.out, ["/ping"]);
    w.passes(Duration::from_millis(345));
    w.answers("= at 0");
    assert!(w.screen().join("\n").contains("345 ms"));
    // A reply to a ping of the link's own is not taken for one of ours.
    w.answers("= at 0");
    assert_eq!(w.app.room.round_trip, Some(Duration::from_millis(345)));
    assert_ne!(Asked::Ping, Asked::Typed);
}
