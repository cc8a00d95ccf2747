//! Class lists in the forms in which they come go from a file to certificates with one flag at most. The
//! people are made up.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use ca_tool::{Choices, Roster};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::{World, shell, snapshot, stderr, stdout};

/// A class list, the flag that it needs, and the people whom it names: ID, full name, mail address.
struct List {
    file: &'static str,
    bytes: Vec<u8>,
    flag: &'static [&'static str],
    people: &'static [[&'static str; 3]],
}

const ERIN: [&str; 3] = ["erin", "Erin Brown", "erin@example.org"];
const PAT: [&str; 3] = ["pat", "Pat O'Brien", "pat@example.org"];
const ANA: [&str; 3] = ["ana", "Ana García", "ana@example.org"];
const THREE: &[[&str; 3]] = &[ERIN, PAT, ANA];
const BY_LOGIN: &[[&str; 3]] = &[["erinb", "Erin Brown", ""], ["pobrien", "Pat O'Brien", ""]];

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn with_bom(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").into_bytes()
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// Encodes a text of which every character is in Windows-1252 at its own number.
fn windows(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
        .collect()
}

/// Makes a workbook. A cell that is a number stands as one, and `day:N` is a date.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, text: String| {
        zip.start_file(name, SimpleFileOptions::default())
            .expect("a file");
        zip.write_all(text.as_bytes()).expect("written");
    };
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let package = "http://schemas.openxmlformats.org/package/2006";
    add(
        "[Content_Types].xml",
        format!(
            "{head}<Types xmlns=\"{package}/content-types\"><Default Extension=\"xml\" ContentType=\"application/xml\"/></Types>"
        ),
    );
    add(
        "_rels/.rels",
        format!(
            "{head}<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    let each = |form: &dyn Fn(usize, &str) -> String| -> String {
        let sheets = sheets.iter().enumerate();
        sheets.map(|(at, (name, _))| form(at + 1, name)).collect()
    };
    let names =
        each(&|at, name| format!("<sheet name=\"{name}\" sheetId=\"{at}\" r:id=\"r{at}\"/>"));
    add(
        "xl/workbook.xml",
        format!(
            "{head}<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets>{names}</sheets></workbook>"
        ),
    );
    let targets = each(&|at, _| {
        format!(
            "<Relationship Id=\"r{at}\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet{at}.xml\"/>"
        )
    });
    add(
        "xl/_rels/workbook.xml.rels",
        format!(
            "{head}<Relationships xmlns=\"{package}/relationships\">{targets}<Relationship Id=\"s\" Type=\"{relations}/styles\" Target=\"styles.xml\"/></Relationships>"
        ),
    );
    add(
        "xl/styles.xml",
        format!(
            "{head}<styleSheet xmlns=\"{main}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"
        ),
    );
    for (at, (_, rows)) in sheets.iter().enumerate() {
        let mut cells = String::new();
        for (row, line) in rows
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            cells.push_str(&format!("<row r=\"{}\">", row + 1));
            for (column, cell) in line.split('|').enumerate() {
                let place = format!("{}{}", char::from(b'A' + column as u8), row + 1);
                cells.push_str(&match cell.strip_prefix("day:") {
                    Some(day) => format!("<c r=\"{place}\" s=\"1\"><v>{day}</v></c>"),
                    None if cell.is_empty() => String::new(),
                    None if cell.parse::<f64>().is_ok() => format!("<c r=\"{place}\"><v>{cell}</v></c>"),
                    None => format!("<c r=\"{place}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{cell}</t></is></c>"),
                });
            }
            cells.push_str("</row>");
        }
        add(
            &format!("xl/worksheets/sheet{}.xml", at + 1),
            format!("{head}<worksheet xmlns=\"{main}\"><sheetData>{cells}</sheetData></worksheet>"),
        );
    }
    zip.finish().expect("a zip").into_inner()
}

const EMAIL_ADDRESS: &[&str] = &["--id-from", "Email address"];
const SIS_LOGIN_ID: &[&str] = &["--id-from", "SIS Login ID"];
const NO_FLAG: &[&str] = &[];

/// Returns lists as learning platforms export them.
fn exports() -> Vec<List> {
    let participants = "\"First name\",Surname,\"Email address\",Groups\n\
                        Erin,Brown,erin@example.org,\"A, B\"\nPat,O'Brien,pat@example.org,A\nAna,García,ana@example.org,\n";
    let grades = "\"First name\",Surname,\"ID number\",Institution,Department,\"Email address\",\"Assignment: one (Real)\",\"Last downloaded from this course\"\n\
                  Erin,Brown,s900101,,,erin@example.org,5.00,1790000000\n\
                  Pat,O'Brien,s900102,,,pat@example.org,-,1790000000\n\
                  Ana,García,,,,ana@example.org,4.00,1790000000\n";
    let german = "Vorname;Nachname;ID-Nummer;E-Mail-Adresse\nErin;Brown;1;erin@example.org\nPat;O'Brien;;pat@example.org\nAna;García;3;ana@example.org\n";
    let french = "Prénom;Nom de famille;Numéro d'identification;Adresse de courriel\nErin;Brown;1;erin@example.org\nPat;O'Brien;;pat@example.org\nAna;García;3;ana@example.org\n";
    let canvas = "Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (4711)\r\n\
                  ,,,,,Manual Posting\r\n    Points Possible,,,,,10.0\r\n\
                  \"Brown, Erin\",101,900101,erinb,NET-101,9\r\n\
                  \"O'Brien, Pat\",102,900102,pobrien,NET-101,8\r\n\
                  \"Student, Test\",103,,0a1b2c3d4e5f60718293a4b5c6d7e8f901234567,NET-101,\r\n";
    let canvas_wide = "Student,ID,SIS User ID,SIS Login ID,Integration ID,Root Account,Section,Quiz (1),Current Score\n\
                       \"    Points Possible\",,,,,,,10,(read only)\n\
                       \"Brown, Erin\",101,900101,erinb,,lms.example.org,A,9,90\n\
                       \"O'Brien, Pat\",102,900102,pobrien@example.org,,lms.example.org,B,EX,80\n";
    let canvas_split = "LastName,FirstName,ID,SIS Login ID,Section\n    Points Possible,,,,\n\
                        Brown,Erin,101,erinb,A\nO'Brien,Pat,102,pobrien,A\nStudent,Test,103,,A\n";
    let canvas_semicolons = "Student;ID;SIS Login ID;Section;Aufgabe 1, Teil 2 (4)\n    Points Possible;;;;10,0\n\
                             Brown, Erin;101;erinb;A;9,5\nO'Brien, Pat;102;pobrien;A;8\n";
    let blackboard = "\"Last Name\"\t\"First Name\"\t\"Username\"\t\"Student ID\"\t\"Last Access\"\t\"Availability\"\t\"Test [Total Pts: 10]\"\n\
                      \"Brown\"\t\"Erin\"\t\"erinb\"\t\"900101\"\t\"2026-11-20 10:00:00\"\t\"Yes\"\t\"9\"\n\
                      \"O'Brien\"\t\"Pat\"\t\"pobrien\"\t\"900102\"\t\"\"\t\"Yes\"\t\"\"\n\
                      \"Jones_PreviewUser\"\t\"Sam\"\t\"sjones_previewuser\"\t\"\"\t\"\"\t\"Yes\"\t\"\"\n";
    let classroom = "Last Name,First Name,Email Address,Essay\nDate,,,2026-11-02\nPoints,,,100\n\
                     Brown,Erin,erin@example.org,90\nO'Brien,Pat,pat@example.org,80\nGarcía,Ana,ana@example.org,\n";
    let brightspace = "OrgDefinedId,Username,Last Name,First Name,Email,Quiz Points Grade,End-of-Line Indicator\n\
                       #900101,#erinb,Brown,Erin,erin@example.org,5,#\n#900102,#pobrien,O'Brien,Pat,pat@example.org,6,#\n";
    let commas = |text: &str| text.replace("\"\t\"", "\",\"");
    let list = |file, bytes, flag, people| List {
        file,
        bytes,
        flag,
        people,
    };
    let both: &[[&str; 3]] = &[
        ["erinb", "Erin Brown", "erin@example.org"],
        ["pobrien", "Pat O'Brien", "pat@example.org"],
    ];
    vec![
        list(
            "moodle-participants.csv",
            with_bom(participants),
            EMAIL_ADDRESS,
            THREE,
        ),
        list("moodle-grades.csv", with_bom(grades), EMAIL_ADDRESS, THREE),
        list(
            "moodle-grades.txt",
            text(&grades.replace(',', "\t")),
            EMAIL_ADDRESS,
            THREE,
        ),
        list(
            "moodle-de.csv",
            with_bom(german),
            &["--id-from", "E-Mail-Adresse"],
            THREE,
        ),
        list(
            "moodle-fr.csv",
            windows(french),
            &["--id-from", "Adresse de courriel"],
            THREE,
        ),
        list("canvas.csv", with_bom(canvas), SIS_LOGIN_ID, BY_LOGIN),
        list("canvas-wide.csv", text(canvas_wide), SIS_LOGIN_ID, BY_LOGIN),
        list(
            "canvas-split.csv",
            text(canvas_split),
            SIS_LOGIN_ID,
            BY_LOGIN,
        ),
        list(
            "canvas-semicolons.csv",
            with_bom(canvas_semicolons),
            SIS_LOGIN_ID,
            BY_LOGIN,
        ),
        list(
            "blackboard.xls",
            utf_16(&format!("\u{feff}{blackboard}"), u16::to_le_bytes),
            &["--id-from", "Username"],
            BY_LOGIN,
        ),
        list(
            "blackboard-bare.xls",
            utf_16(blackboard, u16::to_le_bytes),
            &["--id-from", "Username"],
            BY_LOGIN,
        ),
        list(
            "blackboard.csv",
            text(&commas(blackboard)),
            &["--id-from", "Username"],
            BY_LOGIN,
        ),
        list(
            "classroom.csv",
            text(classroom),
            &["--id-from", "Email Address"],
            THREE,
        ),
        list(
            "brightspace.csv",
            with_bom(brightspace),
            &["--id-from", "Username"],
            both,
        ),
    ]
}

/// Returns lists as spreadsheets and editors write them.
fn spreadsheets() -> Vec<List> {
    let plain = "id,name,email\nerin,Erin Brown,erin@example.org\npat,Pat O'Brien,pat@example.org\nana,Ana García,ana@example.org\n";
    let semicolons = plain.replace(',', ";");
    let piped = plain.replace(',', "|");
    let numbers: &[[&str; 3]] = &[["900101", "Erin Brown", ""], ["900102", "Pat O'Brien", ""]];
    let bare: &[[&str; 3]] = &[["erin", "", ""], ["frank", "", ""]];
    let list = |file, bytes, flag, people| List {
        file,
        bytes,
        flag,
        people,
    };
    vec![
        list(
            "excel.csv",
            with_bom(&semicolons.replace('\n', "\r\n")),
            NO_FLAG,
            THREE,
        ),
        list("cp1252.csv", windows(&semicolons), NO_FLAG, THREE),
        list(
            "utf16-le.txt",
            utf_16(
                &format!("\u{feff}{}", plain.replace(',', "\t")),
                u16::to_le_bytes,
            ),
            NO_FLAG,
            THREE,
        ),
        list(
            "utf16-be.csv",
            utf_16(&format!("\u{feff}{plain}"), u16::to_be_bytes),
            NO_FLAG,
            THREE,
        ),
        list(
            "utf16-be-bare.csv",
            utf_16(plain, u16::to_be_bytes),
            NO_FLAG,
            THREE,
        ),
        list(
            "old-mac.csv",
            text(&plain.replace('\n', "\r")),
            NO_FLAG,
            THREE,
        ),
        list("piped.txt", text(&piped), NO_FLAG, THREE),
        list(
            "sep.csv",
            text(&format!("sep=;\r\n{semicolons}")),
            NO_FLAG,
            THREE,
        ),
        list(
            "blank-first.csv",
            text(&format!("\r\n  \r\n{semicolons}")),
            NO_FLAG,
            THREE,
        ),
        list(
            "quoted.csv",
            text(
                &semicolons
                    .replace("id;name", "id;\"name\"")
                    .replace("Erin Brown", "\"Erin Brown\"")
                    .replace("email\n", "email;\"note; more,\nand, more\"\n"),
            ),
            NO_FLAG,
            THREE,
        ),
        list(
            "titled.csv",
            text(&format!(
                "Networks 101\n\n{}",
                plain.replace("id,", "Login,")
            )),
            &["--id-from", "Login"],
            THREE,
        ),
        list("class.xlsx", workbook(&[("Class", &piped)]), NO_FLAG, THREE),
        list(
            "no-extension",
            workbook(&[("Empty", ""), ("Class", &piped)]),
            NO_FLAG,
            THREE,
        ),
        list(
            "numbers.xlsx",
            workbook(&[(
                "Class",
                "Networks 101\n\nMatrikelnummer|Vorname|Nachname|Geburtsdatum\n900101|Erin|Brown|day:38000\n900102|Pat|O'Brien|day:38001.5\n",
            )]),
            &["--id-from", "Matrikelnummer"],
            numbers,
        ),
        list(
            "moodle.xlsx",
            workbook(&[(
                "Grades",
                "First name|Surname|Email address|Last downloaded from this course\nErin|Brown|erin@example.org|1790000000\nPat|O'Brien|pat@example.org|\nAna|García|ana@example.org|\n",
            )]),
            EMAIL_ADDRESS,
            THREE,
        ),
        list(
            "chinese.csv",
            with_bom(
                "学号,姓名,邮箱\ns900101,张三,zhang@example.org\ns900102,李四,li@example.org\n",
            ),
            &["--id-from", "邮箱"],
            &[
                ["zhang", "张三", "zhang@example.org"],
                ["li", "李四", "li@example.org"],
            ],
        ),
        list(
            "chinese-numbers.csv",
            with_bom("学号\t姓名\ns900101\t张三\ns900102\t李四\n"),
            &["--id-from", "学号"],
            &[["s900101", "张三", ""], ["s900102", "李四", ""]],
        ),
        list(
            "spanish.csv",
            text(
                "Apellidos;Nombre;Correo electrónico\nBrown;Erin;erin@example.org\nO'Brien;Pat;pat@example.org\nGarcía;Ana;ana@example.org\n",
            ),
            &["--id-from", "Correo electrónico"],
            THREE,
        ),
        list(
            "domain.csv",
            text("Account,Full name\nCAMPUS\\ErinB,Erin Brown\nCAMPUS\\POBrien,Pat O'Brien\n"),
            &["--id-from", "Account"],
            BY_LOGIN,
        ),
        list(
            "clashes.csv",
            text(
                "Name,E-mail\nPat Lee,Pat@a.example.org\nPat Moe,pat@b.example.org\nZoë O'Neil,zoë.o'neil@example.org\n",
            ),
            &["--id-from", "E-mail"],
            &[
                ["pat", "Pat Lee", "Pat@a.example.org"],
                ["pat2", "Pat Moe", "pat@b.example.org"],
                ["zoë.oneil", "Zoë O'Neil", ""],
            ],
        ),
        list(
            "username.txt",
            text("Username\nerin\nfrank\n"),
            &["--id-from", "Username"],
            bare,
        ),
        list("list.txt", text("erin\r\nfrank\r\n"), NO_FLAG, bare),
        list(
            "insisted.txt",
            text("user\nfrank\n"),
            &["--no-header"],
            &[["user", "", ""], ["frank", "", ""]],
        ),
        list(
            "addresses.txt",
            text("erin@example.org\nfrank@example.org\n"),
            &["--id-from", "1"],
            bare,
        ),
    ]
}

/// Returns ID, full name and mail address of everybody in a preview.
fn previewed(out: &str) -> Vec<[String; 3]> {
    let rows: Value = serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().expect("an array").iter();
    rows.map(|row| ["name", "full_name", "email"].map(|key| text(row, key)))
        .collect()
}

#[test]
fn thirty_class_lists_go_from_a_file_to_certificates_with_one_flag_at_most() {
    let lists: Vec<List> = exports().into_iter().chain(spreadsheets()).collect();
    assert!(lists.len() >= 30, "{}", lists.len());
    for list in lists {
        check(&list);
    }
}

fn check(list: &List) {
    let file = list.file;
    let w = World::new();
    fs::write(w.path(file), &list.bytes).expect("written");
    let run = |arguments: &[&str]| w.run(&[&["issue", "--roster", file], arguments].concat());
    let before = snapshot(w.above.path());
    if !list.flag.is_empty() {
        // Without the flag it is asked for, and nothing is issued.
        let asked = run(&[]);
        let said = stderr(&asked);
        assert_eq!(asked.status.code(), Some(1), "{file}: {said}");
        assert!(said.contains("nothing was issued"), "{file}: {said}");
        let typed = list.flag.iter().map(|word| match word.contains(' ') {
            true => format!("\"{word}\""),
            false => (*word).to_owned(),
        });
        let typed = typed.collect::<Vec<_>>().join(" ");
        assert!(
            said.contains(&format!("ca-tool issue --roster {file} {typed}")),
            "{file}: {said}"
        );
    }
    let shown = run(&[list.flag, &["--preview", "--json"]].concat());
    assert_eq!(shown.status.code(), Some(0), "{file}: {}", stderr(&shown));
    assert_eq!(previewed(&stdout(&shown)), list.people, "{file}");
    assert_eq!(
        snapshot(w.above.path()),
        before,
        "{file}: a preview writes nothing"
    );

    let issued = run(list.flag);
    assert_eq!(issued.status.code(), Some(0), "{file}: {}", stderr(&issued));
    let names: BTreeMap<String, Value> = {
        let listed = w.run(&["list", "--json"]);
        let rows: Value = serde_json::from_str(&stdout(&listed)).expect("JSON");
        let rows = rows.as_array().expect("an array").clone().into_iter();
        rows.map(|row| (row["name"].as_str().expect("a name").to_owned(), row))
            .collect()
    };
    for [id, name, email] in list.people {
        let bundle = w.path(&format!("ca/people/{id}.pem"));
        let admitted = w
            .admit(&bundle)
            .unwrap_or_else(|error| panic!("{file}: {id}: {error:?}"));
        assert_eq!(admitted.id().as_str(), *id);
        assert_eq!(
            names[*id]["full_name"].as_str().unwrap_or_default(),
            *name,
            "{file}"
        );
        let bundle = pki::Bundle::read(&bundle).expect("a bundle");
        let emails: Vec<String> = bundle.certificate().emails;
        assert_eq!(emails.first().map_or("", String::as_str), *email, "{file}");
    }
    // Beside the server there is nobody else.
    assert_eq!(names.len(), list.people.len() + 1, "{file}: {names:?}");

    // Next week's run needs no flag, unless there is no heading by which the list is known.
    let again = match list.flag {
        [first, second] if *first != "--no-header" && *second != "1" => run(&[]),
        flag => run(flag),
    };
    assert_eq!(again.status.code(), Some(0), "{file}: {}", stderr(&again));
    assert_eq!(stdout(&again), "", "{file}");
}

#[test]
fn a_preview_shows_the_person_beside_each_id_and_the_rules_that_made_it() {
    let w = World::new();
    w.run(&["issue", "gina"]);
    let list = "Name,E-mail\nErin O'Hara,erin.o'hara@example.org\nErin Ohara,ERIN.OHARA@example.net\nGina Moe,gina@example.org\n";
    fs::write(w.path("class.csv"), list).expect("written");
    let shown = w.run(&[
        "issue",
        "--roster",
        "class.csv",
        "--id-from",
        "E-mail",
        "--preview",
    ]);
    let day = (time::OffsetDateTime::now_utc() + time::Duration::days(180)).date();
    assert_eq!(
        stdout(&shown),
        format!(
            "erin.ohara  <- Erin O'Hara, erin.o'hara@example.org  (before the @; apostrophes out)\n\
             erin.ohara2 <- Erin Ohara, ERIN.OHARA@example.net  (before the @; lower case; numbered, because erin.ohara is somebody else)\n\
             gina        <- Gina Moe, gina@example.org  (before the @)  [has a certificate until {day}]\n"
        )
    );
    let said = stderr(&shown);
    assert!(
        said.contains("3 people, 2 new certificates; this is a preview"),
        "{said}"
    );

    // A preview names every problem, and does not ask for a passphrase.
    fs::write(w.path("class.csv"), "id,email\nb ob,x\n,hal@example.org\n").expect("written");
    let shown = w.run(&["issue", "--roster", "class.csv", "--preview"]);
    assert_eq!(shown.status.code(), Some(1));
    let said = stderr(&shown);
    for problem in [
        "class.csv:2: \"x\" is not a mail address",
        "class.csv:3: hal@example.org has nothing in \"id\"",
        "3 problems to fix",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
}

#[test]
fn a_preview_of_a_list_that_raises_a_question_shows_everybody_and_the_command() {
    let w = World::new();
    let mut list = "Username,Name\n".to_owned();
    for number in 0..20 {
        list.push_str(&format!("u{number},User {number}\n"));
    }
    fs::write(w.path("class.csv"), list).expect("written");
    let asked = w.run(&["issue", "--roster", "class.csv", "--until", "2027-02-01"]);
    let said = stderr(&asked);
    assert!(
        said.contains("and 14 more; --preview shows everybody"),
        "{said}"
    );
    let command = "ca-tool issue --roster class.csv --until 2027-02-01 --id-from Username --name-column Name\n";
    assert!(said.contains(command), "{said}");
    let shown = w.run(&[
        "issue",
        "--roster",
        "class.csv",
        "--until",
        "2027-02-01",
        "--preview",
    ]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    assert_eq!(stdout(&shown).lines().count(), 20);
    assert!(stderr(&shown).contains(command), "{}", stderr(&shown));
}

#[test]
fn the_commands_that_are_proposed_can_be_typed() {
    let w = World::new();
    let heading = "\"Login $(touch harm) `x` \"\"y\"\" it's\"";
    for (file, list) in [
        (
            "a b.csv",
            format!("Name,{heading},E-mail address\nErin,e1,erin@example.org\n"),
        ),
        ("-c.csv", "Benutzername\nerin\n".to_owned()),
    ] {
        fs::write(w.path(file), list).expect("written");
        let (code, _, said) = shell(
            w.above.path(),
            &format!("ca-tool issue \"--roster={file}\""),
        );
        assert_eq!(code, Some(1), "{said}");
        let command = said
            .lines()
            .find_map(|line| line.strip_prefix("  "))
            .expect("a command");
        let (code, out, said) = shell(w.above.path(), &format!("{command} --preview"));
        assert_eq!(code, Some(0), "{command}: {said}");
        assert!(out.starts_with("erin"), "{command}: {out}");
    }
    assert!(!w.path("harm").exists());
}

#[test]
fn a_person_keeps_their_id_in_every_run_whatever_the_order_and_the_column() {
    let w = World::new();
    let issue = |list: &str, column: &str| {
        fs::write(w.path("class.csv"), list).expect("written");
        let issued = w.run(&[
            "issue",
            "--roster",
            "class.csv",
            "--id-from",
            column,
            "--json",
        ]);
        assert!(issued.status.success(), "{}", stderr(&issued));
        let said: Value = serde_json::from_str(&stdout(&issued)).expect("JSON");
        let items = said["done"]
            .as_array()
            .expect("an array")
            .clone()
            .into_iter();
        items
            .map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let first = "E-mail,Name,Login\npat@a.example.org,Pat A,p1\npat@b.example.org,Pat B,p2\n";
    assert_eq!(issue(first, "E-mail"), ["pat", "pat2"]);
    // Somebody else of that name comes first, and the others change places.
    let second = "E-mail,Name,Login\npat@c.example.org,Pat C,p3\npat@b.example.org,Pat B,p2\npat@a.example.org,Pat A,p1\n";
    assert_eq!(issue(second, "E-mail"), ["pat3"]);
    // By another column nobody becomes a second person.
    assert_eq!(issue(second, "Login"), [""; 0]);
    // A renewed certificate is the same person's.
    assert!(
        w.run(&["renew", "--all", "--yes", "--until", "2027-12-31"])
            .status
            .success()
    );
    assert_eq!(issue(second, "Login"), [""; 0]);
    assert_eq!(issue(first, "E-mail"), [""; 0]);
}

#[test]
fn choices_are_remembered_without_any_persons_data_and_only_for_the_same_headings() {
    let w = World::new();
    let class = "Kennung,Full name,Secret\nerin,Erin Brown,sec-4711\n";
    fs::write(w.path("class.csv"), class).expect("written");
    let first = w.run(&["issue", "--roster", "class.csv", "--id-from", "Kennung"]);
    assert!(
        stderr(&first).contains("ca/rosters.json remembers it"),
        "{}",
        stderr(&first)
    );
    let remembered = fs::read_to_string(w.path("ca/rosters.json")).expect("a file");
    assert!(remembered.contains("Kennung"), "{remembered}");
    for (path, bytes) in snapshot(&w.path("ca")) {
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(!holds("sec-4711"), "{}", path.display());
        assert!(
            !path.ends_with("rosters.json") || !holds("Erin"),
            "{remembered}"
        );
    }

    fs::write(w.path("class.csv"), format!("{class}frank,Frank Green,x\n")).expect("written");
    let second = w.run(&["issue", "--roster", "class.csv"]);
    assert!(stdout(&second).starts_with("frank "), "{}", stderr(&second));
    assert!(
        stderr(&second).contains("read as before"),
        "{}",
        stderr(&second)
    );
    fs::write(w.path("other.csv"), "Kennung,Telephone\ngina,1\n").expect("written");
    let other = w.run(&["issue", "--roster", "other.csv"]);
    assert_eq!(other.status.code(), Some(1), "{}", stdout(&other));
    assert!(!w.path("ca/people/gina.pem").exists());

    fs::write(w.path("ca/rosters.json"), "{").expect("written");
    let damaged = w.run(&["issue", "--roster", "class.csv"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(
        stderr(&damaged).contains("hint: delete it"),
        "{}",
        stderr(&damaged)
    );
}

#[test]
fn a_roster_that_names_nobody_fails() {
    let w = World::new();
    for list in [
        "id\n",
        "id,name\r\n,\r\n",
        "Student,ID,SIS Login ID,Section\n    Points Possible,,,\n",
        "",
        "\n\n",
    ] {
        fs::write(w.path("class.csv"), list).expect("written");
        for names in [&[][..], &["erin"]] {
            let refused = w.run(&[&["issue", "--roster", "class.csv"], names].concat());
            assert_eq!(refused.status.code(), Some(1), "{list:?}");
            let said = stderr(&refused);
            assert!(
                said.contains("it names nobody") || said.contains("it is empty"),
                "{said}"
            );
        }
    }
    assert!(!w.path("ca/people/erin.pem").exists());
}

#[test]
fn a_file_that_only_looks_like_a_roster_is_named_with_what_to_do() {
    let w = World::new();
    let mut bomb = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    bomb.start_file("xl/workbook.xml", options).expect("a file");
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..80 {
        bomb.write_all(&zeros).expect("written");
    }
    let bomb = bomb.finish().expect("a zip").into_inner();
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("content.xml", options).expect("a file");
    let ods = zip.finish().expect("a zip").into_inner();
    let class = workbook(&[("A", "id\nerin\n"), ("B", "id\nfrank\n")]);
    for (bytes, flags, why) in [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0".to_vec(),
            &[][..],
            "an old Excel file (.xls); open it",
        ),
        (bomb, &[], "it unpacks to more than 64 MiB"),
        (ods, &[], "an OpenDocument file (.ods); save it as .xlsx"),
        (b"PK\x03\x04 and so on".to_vec(), &[], "damaged zip file"),
        (text("<html><table><tr><td>id"), &[], "a web page"),
        (
            class.clone(),
            &["--sheet", "C"],
            "it has no sheet \"C\", but \"A\", \"B\"",
        ),
        (text("id\nerin\n"), &["--sheet", "A"], "leave out --sheet"),
        (text("id,name\nerin,a\0b\n"), &[], "not a text file"),
        (
            b"id,name\nerin,\xd5\xc5\xc8\xfd\n".to_vec(),
            &[],
            "--encoding gb18030",
        ),
    ] {
        fs::write(w.path("class.csv"), bytes).expect("written");
        let refused = w.run(&[&["issue", "--roster", "class.csv"], flags].concat());
        assert_eq!(refused.status.code(), Some(1), "{why}");
        assert!(
            stderr(&refused).contains(why),
            "{why}: {}",
            stderr(&refused)
        );
    }
    fs::write(w.path("class.xlsx"), class).expect("written");
    let first = w.run(&["issue", "--roster", "class.xlsx"]);
    assert!(stdout(&first).starts_with("erin "), "{}", stderr(&first));
    assert!(
        stderr(&first).contains("reading the sheet \"A\" of 2"),
        "{}",
        stderr(&first)
    );
    let second = w.run(&["issue", "--roster", "class.xlsx", "--sheet", "B"]);
    assert!(stdout(&second).starts_with("frank "), "{}", stderr(&second));
    fs::write(w.path("gbk.csv"), b"id,name\ngina,\xd5\xc5\xc8\xfd\n").expect("written");
    let insisted = w.run(&["issue", "--roster", "gbk.csv", "--encoding", "gb18030"]);
    assert!(insisted.status.success(), "{}", stderr(&insisted));
    assert!(stdout(&w.run(&["list"])).contains("张三"));
}

#[test]
fn what_was_assumed_and_passed_over_is_told() {
    let w = World::new();
    for (bytes, flags, told) in [
        (
            windows("id;name\nana;Ana García\n"),
            &[][..],
            "read as Windows-1252, because it is not UTF-8; for example \"Ana García\"",
        ),
        (
            text("Class of 2026\nLogin,Name\nerin,Erin\nLogin,Name\nfrank,Frank\n"),
            &["--id-from", "Login"],
            "passed over line 1 (a title), line 4 (the headings again)",
        ),
        (
            text("Login,Name\ngina,Gina\nGINA,gina\n"),
            &["--id-from", "Login"],
            "passed over line 3 (line 2 again)",
        ),
        (
            text("Login,E-mail\nhal,hal\n"),
            &["--id-from", "Login"],
            "1 mail address is left out, because a certificate cannot contain it: \"hal\" (line 2)",
        ),
        (
            text("Student,ID,SIS Login ID,Section\n\"Moe, Ian\",1,ian,A\n"),
            &["--id-from", "SIS Login ID"],
            "a list from Canvas: IDs are made from \"SIS Login ID\"",
        ),
    ] {
        fs::write(w.path("class.csv"), bytes).expect("written");
        let issued = w.run(&[&["issue", "--roster", "class.csv"], flags].concat());
        let said = stderr(&issued);
        assert!(
            issued.status.success() && said.contains(told),
            "{told}: {said}"
        );
    }
}

#[test]
fn a_workbook_with_any_damage_is_read_or_refused() {
    let good = workbook(&[(
        "Class",
        "id|name|born\nerin|Erin Brown|day:38000\n900102|Pat|day:38001.5\n",
    )]);
    let mut files = Vec::new();
    let mut zip = ZipArchive::new(Cursor::new(good)).expect("a zip");
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("read");
        files.push((file.name().expect("UTF-8").into_owned(), bytes));
    }
    let mut chance = 27_332_u64;
    let mut draw = |below: usize| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).expect("31 bits") % below
    };
    let pieces: [&[u8]; 10] = [
        b"<c r=\"\">",
        b"r=\"A0\"",
        b"r=\"ZZZZZZ99999999\"",
        b"99999999999999999999",
        b"-1",
        b"t=\"s\"",
        b"<v>7</v>",
        b"&#0;",
        b"</row>",
        b"\"",
    ];
    let (mut read, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut damaged = files.clone();
        for _ in 0..=draw(3) {
            let file = draw(damaged.len());
            let (_, bytes) = &mut damaged[file];
            let (from, piece) = (draw(bytes.len()), pieces[draw(pieces.len())]);
            let to = bytes.len().min(from + draw(12));
            bytes.splice(from..to, piece.iter().copied());
        }
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &damaged {
            zip.start_file(name, SimpleFileOptions::default())
                .expect("a file");
            zip.write_all(bytes).expect("written");
        }
        let bytes = zip.finish().expect("a zip").into_inner();
        match Roster::parse(&bytes, Path::new("class.xlsx"), &Choices::default()) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 0 && refused > 0,
        "{read} were read, {refused} refused"
    );
}

/// Returns a workbook with one more part, or another text in a part.
fn with_part(book: &[u8], name: &str, text: &[u8]) -> Vec<u8> {
    let mut old = ZipArchive::new(Cursor::new(book)).expect("a zip");
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for at in 0..old.len() {
        let mut file = old.by_index(at).expect("a file");
        let there = file.name().expect("a name").into_owned();
        if there != name {
            new.start_file(&*there, options).expect("a file");
            std::io::copy(&mut file, &mut new).expect("copied");
        }
    }
    new.start_file(name, options).expect("a file");
    new.write_all(text).expect("written");
    new.finish().expect("a zip").into_inner()
}

#[test]
fn a_workbook_that_claims_more_than_it_has_is_refused_before_it_is_read() {
    let book = workbook(&[("A", "id|name\nerin|Erin Brown")]);
    let strings = |count: &str| {
        let text =
            format!("<?xml version=\"1.0\"?><sst uniqueCount = '{count}'><si><t>a</t></si></sst>");
        with_part(&book, "xl/sharedStrings.xml", text.as_bytes())
    };
    let cell = |place: &str| {
        let text = format!(
            "<?xml version=\"1.0\"?><worksheet><sheetData><row r=\"1\"><c r=\"{place}\" t=\"inlineStr\"><is><t>id</t></is></c></row></sheetData></worksheet>"
        );
        with_part(&book, "xl/worksheets/sheet1.xml", text.as_bytes())
    };
    // A sheet may have any name, and its text is unpacked all the same.
    let large = with_part(&book, "xl/worksheets/sheet1.bin", &vec![b' '; 65 << 20]);
    let mut twice = with_part(&book, "xl/worksheets/sheet9.xml", b"<worksheet/>");
    while let Some(at) = memchr::memmem::find(&twice, b"sheet9.xml") {
        twice[at + 5] = b'1';
    }
    for (bytes, fault) in [
        (
            strings("4000000000"),
            "it claims to have more texts than it has",
        ),
        (
            strings("9000000000000000000"),
            "it claims to have more texts than it has",
        ),
        (strings("-1"), "it claims to have more texts than it has"),
        (cell("ZZZZZZZZ4294967299"), "a cell beyond the last one"),
        (cell("A99999999999"), "a cell beyond the last one"),
        (large, "it unpacks to more than 64 MiB"),
        (twice, "two parts of the same name"),
    ] {
        let read = Roster::parse(&bytes, Path::new("class.xlsx"), &Choices::default());
        let error = read.expect_err(fault).to_string();
        assert!(error.contains(fault), "{error}");
    }
    Roster::parse(&strings("1"), Path::new("class.xlsx"), &Choices::default()).expect("a good one");
}
