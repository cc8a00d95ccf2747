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
            .contains(" reconnecting in 4 s · no route")
    );
    w.passes(Duration::from_secs(3));
    w.happens(Happened::Tick);
    assert!(
        w.screen()
            .join("\n")
            .contains(" reconnecting in 1 s · no route")
    );
    w.enters("are you there?");
    assert!(
        w.style_of("are you there?")
            .add_modifier
            .contains(Modifier::DIM)
    );
    w.enters("/who");
    assert!(
        w.screen()
            .join("\n")
            .contains("not asked, because there is no connection")
    );
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
    assert!(matches!(w.app.room.standing, Standing::Connected));
    assert!(w.screen().join("\n").contains(" connected"));
}

#[test]
fn a_final_end_is_shown_and_the_window_stays_until_the_person_leaves() {
    let mut w = Window::open();
    let failure = Failure::new(
        Exit::Ended,
        "another session of yours took this one's place",
    )
    .hint("two terminals need --same-id allow");
    w.happens(Happened::Ended(Some(failure)));
    assert_eq!(w.effects, []);
    let screen = w.screen().join("\n");
    assert!(
        screen.contains(" ended, C-c closes: another session of yours took this one's place"),
        "{screen}"
    );
    w.enters("hello?");
    assert!(
        w.screen()
            .join("\n")
            .contains("not sent (the connection has ended): hello?")
    );
    w.control('c');
    assert_eq!(w.effects, [Effect::Close]);
}

#[test]
fn the_end_is_shown_while_a_line_is_selected_and_nobody_counts_as_here() {
    let mut w = Window::open();
    w.says("bob", "hello");
    w.chord(KeyModifiers::ALT, KeyCode::Up);
    assert!(w.screen().join("\n").contains("\n 1 2026-11-21"));
    assert!(w.screen().join("\n").contains(" 1 here"));
    let lost = Failure::new(Exit::Network, "the server closed it");
    w.hears(Event::Lost {
        failure: lost,
        pause: Duration::from_secs(4),
    });
    let screen = w.screen().join("\n");
    assert!(screen.contains("\n reconnecting in 4 s"), "{screen}");
    let failure = Failure::new(Exit::Ended, "you were replaced");
    w.happens(Happened::Ended(Some(failure)));
    for finds in [false, true] {
        if finds {
            w.control('f');
            w.types("hel");
            w.key(KeyCode::Enter);
            w.key(KeyCode::Esc);
        }
        let screen = w.screen().join("\n");
        assert!(
            screen.contains("\n ended, C-c closes: you were replaced"),
            "{screen}"
        );
        assert!(!screen.contains(" here"), "{screen}");
        assert!(!screen.contains("alice (you)"), "{screen}");
    }
}

#[test]
fn a_person_leaves_when_everything_is_acknowledged_or_by_asking_again() {
    let mut w = Window::open();
    w.control('d');
    assert_eq!(w.out, ["(quit)"]);
    w.happens(Happened::Ended(None));
    assert_eq!(w.effects, [Effect::Close]);

    let mut w = Window::open();
    w.size(120, 12);
    w.enters("hello");
    w.control('c');
    assert_eq!(w.effects, []);
    assert!(
        w.screen()
            .join("\n")
            .contains("one of your lines is not acknowledged; press C-c again to leave anyway")
    );
    w.control('c');
    assert_eq!(w.effects, [Effect::Leave]);
    assert_eq!(w.app.room.unacknowledged(), 1);
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
