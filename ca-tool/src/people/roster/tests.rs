//! What is read from a roster, and what is refused or asked.

use super::*;

fn parse(text: &[u8]) -> Result<Roster, Error> {
    Roster::parse(text, Path::new("class.csv"), &Choices::default())
}

fn by(column: &str) -> Choices {
    Choices {
        id_column: Some(column.to_owned()),
        ..Choices::default()
    }
}

/// Returns the rows with a fault as `line fault`.
fn faults(text: &[u8]) -> Vec<String> {
    let candidates = parse(text).expect("a roster").candidates.into_iter();
    let faults = candidates.filter_map(|c| Some(format!("{}: {}", c.location, c.fault?)));
    faults.collect()
}

/// Returns the rows as `line name email role`.
fn rows(text: &[u8]) -> Vec<String> {
    let roster = parse(text).expect("a roster");
    let show = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    roster
        .candidates
        .into_iter()
        .map(|c| {
            let Location::Line(_, line) = c.location else {
                panic!("a row has a line")
            };
            format!("{line} {} {} {}", c.name, show(c.email), show(c.role))
        })
        .collect()
}

#[test]
fn a_roster_is_read_as_spreadsheets_write_it() {
    let expected = ["2 alice a@x.org instructor", "4 张三 - -"];
    for text in [
        "id,email,role\nalice,a@x.org,instructor\n\n张三,,\n",
        "\u{feff}ID , Email,Role\r\nalice, a@x.org ,instructor\r\n\r\n张三\r\n,,\r\n",
        "id;email;role\nalice;a@x.org;instructor\n\n\"张三\";;",
        "role\tid\temail\ninstructor\talice\ta@x.org\n\n\t张三\n",
    ] {
        assert_eq!(rows(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn a_row_after_a_quoted_line_end_has_its_own_line() {
    let text = b"id,note\nalice,\"two\r\nlines\"\r\nbob,x\r\n\r\ncarol,y\r\n";
    assert_eq!(rows(text), ["2 alice - -", "4 bob - -", "6 carol - -"]);
}

#[test]
fn other_columns_are_named() {
    let text = b"name,id,phone\nAlice Liddell,alice,1\n";
    let roster = parse(text).expect("a roster");
    assert_eq!(roster.ignored, ["phone"]);
    let name = roster.candidates[0].full_name.as_deref();
    assert_eq!(name, Some("Alice Liddell"));
}

#[test]
fn a_learning_platform_calls_the_id_what_it_likes() {
    let text = b"ID,Student ID,Name,Section\n1,alice,Alice Liddell,B\n";
    let path = Path::new("class.csv");
    let roster = Roster::parse(text, path, &by("student id")).expect("a roster");
    assert_eq!(roster.candidates[0].name, "alice");
    assert_eq!(roster.ignored, ["ID", "Section"]);
    // If the names serve as IDs, there are no full names.
    let roster = Roster::parse(text, path, &by("Name")).expect("a roster");
    assert_eq!(roster.candidates[0].name, "Alice Liddell");
    assert_eq!(roster.candidates[0].full_name, None);
    let error = Roster::parse(text, path, &by("Login")).expect_err("no such column");
    assert_eq!(
        error.to_string(),
        "cannot read class.csv: its first line has no column Login, but \"ID\", \"Student ID\", \"Name\", \"Section\"; say which one to use, as in --id-column \"ID\""
    );
}

#[test]
fn of_a_first_line_that_names_much_else_only_the_beginning_is_shown() {
    let long = "x".repeat(1000);
    let text = format!("{long},\u{1b}[2J{}\nx,y\n", ",more".repeat(20));
    let error = parse(text.as_bytes()).expect_err("no column").to_string();
    assert!(error.len() < 400, "{error}");
    assert!(error.contains(", \"\\u{1b}[2J\", \"more\""), "{error}");
    assert!(
        error.contains(" and 10 more; say which one to use, as in --id-from "),
        "{error}"
    );
}

#[test]
fn a_list_of_names_is_a_roster_too() {
    let expected = ["1 alice - -", "3 张三 - -", "4 bob - -"];
    for text in [
        "alice\n\n张三\n bob \n",
        "\u{feff}alice\r\n \r\n张三\r\nbob",
    ] {
        assert_eq!(rows(text.as_bytes()), expected, "{text:?}");
    }
    // The second name is wrong, but that is not decided here.
    assert_eq!(
        rows(b"alice\nbob, carol\n"),
        ["1 alice - -", "2 bob, carol - -"]
    );
}

#[test]
fn what_is_not_a_roster_is_refused() {
    for (text, why) in [
        (
            &b"alice,\nbob,\n"[..],
            "its first line has no column id, but \"alice\"; say which one to use, as in --id-from \"alice\"; or, if that line is a person, add --no-header",
        ),
        (b"", "it is empty"),
        (b",\n", "it names nobody"),
        (b"id\n", "it names nobody"),
        (b"\xff\xfei\0d\0\n\0", "it names nobody"),
        (b"Username,Email\n\n", "it names nobody"),
        (
            b"id,id\na,b\n",
            "its first line names the column id twice: columns 1 and 2; give a number, as in --id-column 1",
        ),
    ] {
        let error = parse(text).expect_err(why).to_string();
        assert_eq!(error, format!("cannot read class.csv: {why}"));
    }
}

#[test]
fn a_quote_that_would_swallow_people_is_refused_with_its_line() {
    for (text, why) in [
        (
            "id,section\nian,\"B\njan,C\nkay,D\n",
            "the quote in line 2 is never closed",
        ),
        (
            "id,section\r\nian,B\r\njan,\"C\r\nkay,\"D\r\n",
            "there is text after the quoted text that begins in line 3",
        ),
        (
            "\"id,section\nian,B\n",
            "the quote in line 1 is never closed",
        ),
        (
            "id;section\nian;\"B\"\"\njan;C\n",
            "the quote in line 2 is never closed",
        ),
    ] {
        let error = parse(text.as_bytes()).expect_err(why).to_string();
        assert_eq!(error, format!("cannot read class.csv: {why}"));
    }
    // A text that is quoted properly may contain anything; elsewhere a quote is an ordinary character.
    let text = "id,note\nian,\"a \"\"b\"\", c\" \njan,6\" tall\nkay,\"\"\n";
    assert_eq!(
        rows(text.as_bytes()),
        ["2 ian - -", "3 jan - -", "4 kay - -"]
    );
}

#[test]
fn every_row_that_cannot_be_read_is_named() {
    assert_eq!(
        faults(b"id,email\na,b,c\nbob,x@y.z\n,x@y.org\nd,e,f,g\n#N/A,\nerin,x@y.z,,\n"),
        [
            "class.csv:2: it has 3 columns, and the first line names 2; a text that contains a comma needs quotes",
            "class.csv:4: x@y.org has nothing in \"id\"",
            "class.csv:5: it has 4 columns, and the first line names 2; a text that contains a comma needs quotes",
            "class.csv:6: \"id\" holds the error #N/A",
        ]
    );
}

#[test]
fn a_roster_of_everybody_in_a_country_is_refused() {
    let text = "x\n".repeat(ROSTER_PEOPLE_MAX + 1);
    assert!(parse(text.as_bytes()).is_err());
    assert!(parse(&text.as_bytes()[2..]).is_ok());
}

/// Returns what is asked about a roster, and the flags of each answer.
fn question(text: &[u8]) -> (String, Vec<String>) {
    match parse(text).expect_err("a question") {
        Error::Question { what, answers, .. } => {
            let flags = answers.into_iter().map(|answer| answer.flags.join(" "));
            (what, flags.collect())
        }
        other => panic!("{other}"),
    }
}

/// Reads a roster whose IDs are made from a column. Returns `id name email` for each person.
fn made(text: &[u8], column: &str) -> Vec<String> {
    let choices = Choices {
        id_from: Some(column.to_owned()),
        ..Choices::default()
    };
    let roster = Roster::parse(text, Path::new("class.csv"), &choices).expect("a roster");
    let show = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let people = roster.candidates.into_iter();
    people
        .map(|c| format!("{} | {} | {}", c.name, show(c.full_name), show(c.email)))
        .collect()
}

#[test]
fn a_list_that_begins_with_a_heading_is_asked_about() {
    for heading in [
        "Username",
        "USERNAME",
        "User name",
        "user_id",
        "Login",
        "Student",
        "学号",
        "Matrikelnummer",
        "Benutzername",
        "E-Mail",
        "e_mail address",
        "Identifiant",
        "N° étudiant",
        "Usuario",
        "用户名",
        "ユーザー名",
        "학번",
        "Логин",
        "Kullanıcı adı",
        "name",
        "Class",
        "nom d\u{2019}utilisateur",
        "Alumni",
        "Codename",
        "code name",
        "Kurzzeichen",
        "Short name",
        "昵称",
    ] {
        for text in [
            format!("{heading}\nerin\nfrank\n"),
            format!("\u{feff}\r\n \"{heading}\" \r\nerin\r\n"),
            format!("{heading}\n"),
        ] {
            let (what, answers) = question(text.as_bytes());
            assert!(what.contains(heading), "{what}");
            assert_eq!(
                answers,
                [format!("--id-from {heading}"), "--no-header".to_owned()]
            );
        }
        let insist = Choices {
            no_header: true,
            ..Choices::default()
        };
        let text = format!("{heading}\nerin\n");
        let roster = Roster::parse(text.as_bytes(), Path::new("class.txt"), &insist);
        assert_eq!(roster.expect("a roster").candidates[0].name, heading);
    }
    // A language that nobody here knows: the heading is unlike everybody below it.
    for text in [
        "Enwxy\ns100001\ns100002\n",
        "Enwxy\na@x.org\nb@x.org\n",
        "Enwxy\nerin\nfrank\ngina\n",
        "Enwxy\nerin\nfrank\n",
    ] {
        assert!(question(text.as_bytes()).0.contains("Enwxy"), "{text}");
    }
    assert_eq!(rows(b"Erin\nFrank\ngina\nhal\n").len(), 4);
    assert_eq!(rows(b"erin\ns100001\n").len(), 2);
    // What is no known heading is a person, and the output says so.
    let roster = parse(b"Erin\nFrank\nGina\n").expect("a roster");
    assert_eq!(roster.notes, ["line 1 is a person: Erin"]);
}

#[test]
fn no_id_that_is_also_a_heading_is_dropped_without_a_question() {
    for id in [
        "no", "first", "user", "nick", "ad", "ra", "mark", "note", "roll", "guest", "ana",
        "s100001", "e.brown",
    ] {
        let text = format!("{id}\nfrank\ngina\n");
        match parse(text.as_bytes()) {
            Ok(roster) => assert_eq!(roster.candidates.len(), 3, "{id}"),
            Err(Error::Question { answers, .. }) => {
                assert!(
                    answers.iter().any(|answer| answer.flags == ["--no-header"]),
                    "{id}"
                );
            }
            Err(other) => panic!("{id}: {other}"),
        }
        // It is a person wherever else it stands.
        assert_eq!(
            rows(format!("frank\n{id}\ngina\n").as_bytes()).len(),
            3,
            "{id}"
        );
    }
}

#[test]
fn what_has_no_column_id_is_a_question_with_the_flags_that_answer_it() {
    for (text, flags) in [
        (
            "First name,Surname,ID number,Email address\nErin,Brown,,erin@example.org\nPat,Lee,s1,pat@example.org\n",
            "--id-from Email address --name-column First name --name-column Surname --email-column Email address",
        ),
        (
            "Student,ID,SIS User ID,SIS Login ID,Section\n\"Brown, Erin\",1,2,erinb,A\n",
            "--id-from SIS Login ID --name-column Student",
        ),
        (
            "Name;Vorname;Matrikelnummer\nBrown;Erin;900101\n",
            "--id-from Matrikelnummer --name-column Vorname --name-column Name",
        ),
        (
            "Erin Brown,erin@example.org\nPat Lee,pat@example.org\n",
            "--id-from 2",
        ),
        ("erin@example.org\npat@example.org\n", "--id-from 1"),
        (
            "E-mail,Kontakt,E-mail\nerin@example.org,x,y\n",
            "--id-from 1 --email-column 1",
        ),
        ("Foo;Bar\nx;erin@example.org\n", "--id-from Bar"),
        (
            "Foo;Bar;Baz\nerin@example.org;Student;Lab\n",
            "--id-from Foo",
        ),
        ("Erin Brown\nFrank Green\n", "--id-from 1"),
        (
            "First Name,Last Name\nErin,Brown\n",
            "--id-from First Name --name-column First Name --name-column Last Name",
        ),
        (
            "Full name,Section\nErin Brown,A\n",
            "--id-from Full name --name-column Full name",
        ),
        (
            "Student,ID\n\"Brown, Erin\",101\n",
            "--id-from Student --name-column Student",
        ),
    ] {
        assert_eq!(question(text.as_bytes()).1, [flags], "{text}");
    }
}

#[test]
fn a_column_that_is_named_by_its_number_does_not_make_a_heading_of_a_person() {
    let text = b"Erin;Brown;5\nFrank;Green;6\n";
    let from = |column: &str, no_header: bool| Choices {
        id_from: Some(column.to_owned()),
        no_header,
        ..Choices::default()
    };
    let read = |choices: &Choices| Roster::parse(text, Path::new("class.csv"), choices);
    let error = read(&from("1", false)).expect_err("a question").to_string();
    assert!(
        error.contains("begins with \"Erin Brown 5\", may be a heading or a person"),
        "{error}"
    );
    assert_eq!(
        read(&from("1", true)).expect("two people").candidates.len(),
        2
    );
    assert_eq!(
        read(&from("Erin", false))
            .expect("one person")
            .candidates
            .len(),
        1
    );
}

#[test]
fn names_are_put_together_from_the_columns_that_hold_them() {
    for (heading, row, expected) in [
        ("Login,First name,Surname", "e,Erin,Brown", "Erin Brown"),
        ("Login,Surname,First name", "e,Brown,Erin", "Erin Brown"),
        ("Login,Name,First name", "e,Brown,Erin", "Erin Brown"),
        ("Login,Name,First name", "e,Erin Brown,Erin", "Erin Brown"),
        ("Login,Nombre,Apellidos", "e,Erin,Brown", "Erin Brown"),
        ("Login,姓名", "e,张三", "张三"),
        ("Login,Vorname", "e,Erin", "Erin"),
        (
            "Login,Student Name,Grade",
            "e,\"Brown, Erin\",5",
            "Brown, Erin",
        ),
    ] {
        let people = made(format!("{heading}\n{row}\n").as_bytes(), "Login");
        assert_eq!(people, [format!("e | {expected} | -")], "{heading}");
    }
}

#[test]
fn canvas_rows_that_are_no_people_are_passed_over_and_its_numbers_are_no_ids() {
    let text = "Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (4711)\n\
                ,,,,,Manual Posting\n    Points Possible,,,,,10.0\n\
                \"Brown, Erin\",101,900101,erinb,NET,9\n\
                \"Student, Test\",103,,0a1b2c3d4e5f60718293a4b5c6d7e8f901234567,NET,\n";
    assert_eq!(
        made(text.as_bytes(), "SIS Login ID"),
        ["erinb | Erin Brown | -"]
    );
    let choices = Choices {
        id_from: Some("SIS Login ID".to_owned()),
        ..Choices::default()
    };
    let roster = Roster::parse(text.as_bytes(), Path::new("c.csv"), &choices).expect("a roster");
    let passed = "passed over line 2 (a second row of headings), line 3 (\"Points Possible\"), line 5 (Canvas's test student)";
    assert!(
        roster.notes.iter().any(|note| note == passed),
        "{:?}",
        roster.notes
    );
    for choices in [by("ID"), by("2")] {
        let error =
            Roster::parse(text.as_bytes(), Path::new("c.csv"), &choices).expect_err("refused");
        assert!(
            error.to_string().contains("Canvas's own numbers"),
            "{error}"
        );
    }
}

#[test]
fn rows_that_only_add_up_or_go_on_with_headings_are_no_people() {
    for (text, column) in [
        ("Name,Login,Points\nErin,e,1\n,,\nTotal,2,\n", "Login"),
        ("Name,Login,Points\nErin,e,1\n,,\n,Summe:,5\n", "Login"),
        ("姓名,Login\nErin,e\n合计,2\n", "Login"),
        (
            "Last Name,First Name,Email Address,Quiz\n,,Date,2027-01-01\n,,Points,10\nBrown,Erin,e@x.org,5\n",
            "Email Address",
        ),
    ] {
        let people = made(text.as_bytes(), column);
        assert_eq!(people.len(), 1, "{text}: {people:?}");
        assert!(people[0].starts_with("e |"), "{people:?}");
    }
    let people = made(b"Login,Name\ne,Erin\ntotal,Tom Total\n", "Login");
    assert_eq!(people.len(), 2, "{people:?}");
}

#[test]
fn an_address_that_no_certificate_can_have_is_left_out_where_nobody_chose_its_column() {
    let text = "Login,E-mail\nerin,josé@example.org\nfrank,frank\n".as_bytes();
    assert_eq!(made(text, "Login"), ["erin | - | -", "frank | - | -"]);
    let chosen = Choices {
        id_from: Some("Login".to_owned()),
        email_column: Some("E-mail".to_owned()),
        ..Choices::default()
    };
    let roster = Roster::parse(text, Path::new("class.csv"), &chosen).expect("a roster");
    assert_eq!(roster.candidates[1].email.as_deref(), Some("frank"));
}

#[test]
fn a_name_that_no_certificate_can_have_is_left_out_where_nobody_chose_its_column() {
    let text = b"Login,Full name,Other\nerin,=1+1,x\nfrank,Frank,=2\n";
    assert_eq!(made(text, "Login"), ["erin | - | -", "frank | Frank | -"]);
    let chosen = Choices {
        id_from: Some("Login".to_owned()),
        name_columns: vec!["Full name".to_owned(), "Other".to_owned()],
        ..Choices::default()
    };
    let roster = Roster::parse(text, Path::new("class.csv"), &chosen).expect("a roster");
    assert_eq!(roster.candidates[1].full_name.as_deref(), Some("Frank =2"));
}

#[test]
fn a_person_who_stands_twice_is_one_person() {
    let text = b"Login,Name\nErin,Erin Brown\nerin,erin brown\nerin,Erin Green\n";
    assert_eq!(
        made(text, "Login"),
        ["erin | Erin Brown | -", "erin | Erin Green | -"]
    );
}

#[test]
fn a_column_that_is_named_twice_is_asked_for_by_its_number() {
    let text = b"Login,Mail,Mail\nerin,a@x.org,b@x.org\n";
    let choices = |email: &str| Choices {
        id_from: Some("Login".to_owned()),
        email_column: Some(email.to_owned()),
        ..Choices::default()
    };
    let path = Path::new("class.csv");
    let error = Roster::parse(text, path, &choices("Mail")).expect_err("two columns");
    assert!(
        error
            .to_string()
            .contains("columns 2 and 3; give a number, as in --email-column 2"),
        "{error}"
    );
    let roster = Roster::parse(text, path, &choices("3")).expect("a roster");
    assert_eq!(roster.candidates[0].email.as_deref(), Some("b@x.org"));
}

#[test]
fn a_kind_of_roster_is_known_again_and_no_other_is() {
    let path = Path::new("class.csv");
    let read = |text: &str, choices: &Choices, remembered: &Remembered| {
        Reading::of(text.as_bytes(), path, choices, remembered).expect("read")
    };
    let mut remembered = Remembered::default();
    for (text, column) in [
        ("Kennung,Colour\nerin,red\n", "Kennung"),
        (
            "First name,Surname,Email address,Quiz 1\nE,B,erin@example.org,5\n",
            "Email address",
        ),
    ] {
        let choices = Choices {
            id_from: Some(column.to_owned()),
            ..Choices::default()
        };
        let Reading::Roster(roster) = read(text, &choices, &remembered) else {
            panic!("the flag answers every question")
        };
        assert!(remembered.add(roster.kind.expect("something to remember")));
    }
    let text = remembered.format().expect("a text");
    assert!(!text.contains("erin"), "{text}");
    let remembered = Remembered::parse(&text).expect("what was written");
    for (text, is_known) in [
        ("Kennung,Colour\nfrank,blue\n", true),
        ("kennung , COLOUR\nfrank,blue\n", true),
        ("Kennung,Colour,Weight\nfrank,blue,1\n", false),
        ("Colour,Kennung\nblue,frank\n", false),
        ("Kennung\nfrank\n", false),
        // Each exercise adds a column to an export.
        (
            "First name,Surname,Email address,Quiz 1,Quiz 2\nF,G,f@example.org,5,6\n",
            true,
        ),
        (
            "First name,Surname,ID number,Email address,Quiz 1\nF,G,1,f@example.org,5\n",
            false,
        ),
    ] {
        let reading = read(text, &Choices::default(), &remembered);
        assert_eq!(matches!(reading, Reading::Roster(_)), is_known, "{text}");
    }
    assert!(Remembered::parse("{}").is_err());
}

#[test]
fn hostile_cells_cost_little_and_are_named() {
    let huge = "x".repeat(10 << 20);
    let text = format!("id,name\nerin,{huge}\n{huge},Pat\n");
    let roster = parse(text.as_bytes()).expect("a roster");
    assert_eq!(roster.candidates.len(), 2);
    let text = format!("{huge},id\n1,erin\n");
    let ignored = parse(text.as_bytes()).expect("a roster").ignored;
    assert!(ignored[0].len() < 100);
    assert!(parse(format!("{huge}\n{huge}\n").as_bytes()).is_ok());
    let commas = ",".repeat(5_000_000) + "\n";
    assert!(parse(format!("id,x\n{commas}").as_bytes()).is_err());
}
