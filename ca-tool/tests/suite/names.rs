//! Full names: from a roster or `--name` into certificates, kept by renewals, and never taken from a
//! request.

use std::fs;

use kit::require;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

use crate::{World, shell, snapshot, stderr, stdout, succeed};

/// Returns the full name with which a server's gate admits the holder of a bundle.
#[track_caller]
fn admitted(w: &World, bundle: &str) -> Option<String> {
    let identity = w.admit(&w.path(bundle)).expect("admitted");
    assert_eq!(identity.full_name_fault(), None);
    identity.full_name().map(ToString::to_string)
}

#[test]
fn full_names_of_a_class_are_in_its_certificates_as_the_roster_writes_them() {
    let w = World::new();
    let cjk = "張".repeat(64);
    let class = [
        ("s01", "Alice Ng", "Alice Ng"),
        ("s02", "  吴　爱丽 ", "吴 爱丽"),
        ("s03", "محمد بن عبد الله", "محمد بن عبد الله"),
        ("s04", "Zoe\u{308} O'Brien-Lévy", "Zoë O'Brien-Lévy"),
        ("s05", "\"Ng, Alice (Ally)\"", "Ng, Alice (Ally)"),
        ("s06", "Tan Ah Kow @ Tan Beng", "Tan Ah Kow @ Tan Beng"),
        ("s07", &cjk, &cjk),
        // Another person's ID is a name like any other.
        ("s08", "s01 Alice", "s01 Alice"),
        ("s09", "", ""),
    ];
    let rows = class.map(|(id, name, _)| format!("{id},{name}\n"));
    let roster = format!("id,name\n{}", rows.concat());
    fs::write(w.path("class.csv"), roster).expect("written");
    let issued = w.run(&["issue", "--roster", "class.csv"]);
    assert!(issued.status.success(), "{}", stderr(&issued));
    for (id, _, name) in class {
        let bundle = format!("ca/people/{id}.pem");
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        assert_eq!(admitted(&w, &bundle), name, "{id}");
        let text = fs::read_to_string(w.path(&bundle)).expect("a bundle");
        let note = name.map(|name| format!("# name = {name}\n"));
        assert!(note.is_none_or(|note| text.contains(&note)), "{text}");
    }
    for report in [&["list"][..], &["show", "s05"], &["show", "s05", "--json"]] {
        let said = stdout(&w.run(report));
        assert!(said.contains("Ng, Alice (Ally)"), "{report:?}: {said}");
    }
}

#[test]
fn a_text_that_is_no_full_name_is_refused_with_its_row_and_its_character() {
    let w = World::new();
    let before = snapshot(w.above.path());
    let roster = "id,name\n\
        good,Alice Ng\n\
        quotes,\"William \"\"Bill\"\" Gates\"\n\
        emoji,Carol 😀\n\
        stamp,alice@10.0.0.1] hi\n\
        number,100003\n\
        mark,\u{301}e\n\
        hidden,a\u{202e}b\n\
        lost,M\u{fffd}ller\n";
    fs::write(
        w.path("class.csv"),
        format!("{roster}long,{}\n", "x".repeat(65)),
    )
    .expect("written");
    let refused = w.run(&["issue", "--roster", "class.csv"]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for problem in [
        "class.csv:3: \"William \"Bill\" Gates\" cannot be a full name: it contains '\"' (U+0022); letters,",
        "class.csv:4: \"Carol 😀\" cannot be a full name: it contains U+1F600; letters,",
        "class.csv:5: \"alice@10.0.0.1] hi\" cannot be a full name: it contains '@' within a word",
        "class.csv:6: \"100003\" cannot be a full name: it has no letter",
        "class.csv:7: \"\u{301}e\" cannot be a full name: it has a combining mark",
        "class.csv:8: \"a\\u{202e}b\" cannot be a full name: it contains U+202E; letters,",
        "class.csv:9: \"M\u{fffd}ller\" cannot be a full name: it contains U+FFFD, which stands for",
        "cannot be a full name: it has more than 64 characters",
    ] {
        assert!(said.contains(problem), "no {problem:?} in {said}");
    }
    fs::remove_file(w.path("class.csv")).expect("removed");
    assert_eq!(snapshot(w.above.path()), before);
}

#[test]
fn one_person_is_named_on_the_command_line_and_renewals_keep_the_name() {
    let w = World::new();
    let above = w.above.path();
    succeed(above, "ca-tool issue alice --name ' Alice   Ng'");
    assert_eq!(
        admitted(&w, "ca/people/alice.pem").as_deref(),
        Some("Alice Ng")
    );
    succeed(above, "ca-tool renew alice");
    assert_eq!(
        admitted(&w, "ca/people/alice.pem").as_deref(),
        Some("Alice Ng")
    );
    succeed(above, "ca-tool renew alice --name 'Alice Li'");
    assert_eq!(
        admitted(&w, "ca/people/alice.pem").as_deref(),
        Some("Alice Li")
    );
    succeed(above, "ca-tool renew --all --yes --until 2030-01-31");
    assert_eq!(
        admitted(&w, "ca/people/alice.pem").as_deref(),
        Some("Alice Li")
    );
    // The same ID is the same person, also after a revocation.
    succeed(above, "ca-tool revoke alice && ca-tool issue alice");
    assert_eq!(
        admitted(&w, "ca/people/alice.pem").as_deref(),
        Some("Alice Li")
    );

    let one = "--name is the full name of one person, and the command names 2";
    for (line, words) in [
        ("ca-tool issue bob carol --name X", one),
        ("ca-tool renew alice bob --name X", one),
        ("ca-tool issue --name X", "--name"),
        ("ca-tool renew --all --name X", "--name"),
        ("ca-tool issue bob --name 'B]'", "it contains ']' (U+005D)"),
    ] {
        let (code, _, said) = shell(above, line);
        assert_eq!(code, Some(2), "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    }
    assert!(!w.path("ca/people/bob.pem").exists());
}

#[test]
fn a_certificate_with_another_full_name_than_the_roster_is_noted_with_the_command() {
    let w = World::new();
    let above = w.above.path();
    succeed(
        above,
        "ca-tool issue alice --name 'Alice Ng' && ca-tool issue bob",
    );
    let roster = "id,name\nalice,Alice Li\nbob,Bob Ng\n";
    fs::write(w.path("class.csv"), roster).expect("written");
    let said = succeed(above, "ca-tool issue --roster class.csv");
    for (id, name) in [("alice", "Alice Li"), ("bob", "Bob Ng")] {
        let renew = format!("ca-tool renew {id} --name \"{name}\"");
        assert!(said.contains(&renew), "{said}");
        succeed(above, &renew);
    }
    assert_eq!(admitted(&w, "ca/people/bob.pem").as_deref(), Some("Bob Ng"));
    let said = succeed(above, "ca-tool issue --roster class.csv");
    assert!(!said.contains("full name"), "{said}");
}

#[test]
fn an_index_of_an_earlier_version_names_people_and_a_bad_name_in_it_stops_nobody() {
    let w = World::new();
    let above = w.above.path();
    succeed(above, "ca-tool issue alice bob");
    // Names were only noted then, and took almost every character.
    let path = w.path("ca/index.txt");
    let index = fs::read_to_string(&path).expect("an index");
    let noted: String = index
        .lines()
        .map(|line| match line {
            line if line.contains("/CN=alice/") => line.replace("\t/CN", ";name=Alice Ng\t/CN"),
            line if line.contains("/CN=bob/") => line.replace("\t/CN", ";name=Bob ★ Li\t/CN"),
            line => line.to_owned(),
        } + "\n")
        .collect();
    fs::write(&path, noted).expect("written");
    assert_eq!(admitted(&w, "ca/people/alice.pem"), None);
    assert!(stdout(&w.run(&["list"])).contains("Bob ★ Li"));

    let said = succeed(above, "ca-tool renew --all --yes --until 2030-01-31");
    assert_eq!(
        admitted(&w, "ca/people/alice.pem").as_deref(),
        Some("Alice Ng")
    );
    assert_eq!(admitted(&w, "ca/people/bob.pem"), None);
    let note = "the full name of bob is not in the new certificate: it contains U+2605; letters,";
    assert!(said.contains(note), "{said}");
    assert!(
        said.contains("`ca-tool renew bob --name \"NAME\"`"),
        "{said}"
    );
    assert!(!said.contains("full name of alice"), "{said}");
    // The index keeps it.
    assert!(stdout(&w.run(&["list"])).contains("Bob ★ Li"));
    succeed(above, "ca-tool revoke bob && ca-tool issue bob");
    assert_eq!(admitted(&w, "ca/people/bob.pem"), None);
}

#[test]
fn a_request_cannot_choose_a_full_name() {
    let w = World::new();
    let above = w.above.path();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, text) in [
        (DnType::CommonName, "eve"),
        (DnType::CustomDnType(vec![2, 5, 4, 41]), "Prof. Okafor"),
    ] {
        let text = DnValue::Utf8String(text.to_owned());
        params.distinguished_name.push(kind, text);
    }
    let key = KeyPair::generate().expect("a key");
    let request = params.serialize_request(&key).expect("a request");
    fs::write(w.path("eve.key"), key.serialize_pem()).expect("written");
    fs::write(w.path("eve.csr"), request.pem().expect("PEM")).expect("written");
    let join = "ca-tool adopt ca/people/eve.crt --key eve.key --out .";

    succeed(above, &format!("ca-tool sign eve.csr --as eve && {join}"));
    assert_eq!(admitted(&w, "eve.pem"), None);
    // The CA's side names her, and the next answer keeps that.
    succeed(
        above,
        &format!("ca-tool renew eve --name 'Eve Li' && {join}"),
    );
    assert_eq!(admitted(&w, "eve.pem").as_deref(), Some("Eve Li"));
    succeed(above, "ca-tool revoke eve --reason superseded");
    succeed(above, &format!("ca-tool sign eve.csr --as eve && {join}"));
    assert_eq!(admitted(&w, "eve.pem").as_deref(), Some("Eve Li"));
    succeed(above, "ca-tool revoke eve --reason superseded");
    let sign = "ca-tool sign eve.csr --as eve --name 'Eve Ng'";
    succeed(above, &format!("{sign} && {join}"));
    assert_eq!(admitted(&w, "eve.pem").as_deref(), Some("Eve Ng"));
}

#[test]
#[ignore = "needs openssl: run with --include-ignored"]
fn openssl_shows_a_full_name_and_verifies_its_certificate() {
    require("openssl");
    let w = World::new();
    let above = w.above.path();
    let cjk = "張".repeat(64);
    succeed(
        above,
        &format!("ca-tool issue alice --name 'Alice s/o Ng' && ca-tool issue bob --name {cjk}"),
    );
    let subject = "openssl x509 -noout -subject -nameopt utf8,sep_comma_plus_space -in ca/people";
    let said = succeed(above, &format!("{subject}/alice.pem"));
    assert!(said.contains("name=Alice s/o Ng"), "{said}");
    let said = succeed(above, &format!("{subject}/bob.pem"));
    assert!(said.contains(&format!("name={cjk}")), "{said}");
    let parsed = succeed(above, "openssl asn1parse -in ca/people/alice.pem");
    let value = parsed
        .lines()
        .skip_while(|line| !line.ends_with("OBJECT            :name"))
        .nth(1);
    let value = value.expect("the attribute");
    assert!(value.contains("UTF8STRING        :Alice s/o Ng"), "{value}");
    for id in ["alice", "bob"] {
        succeed(
            above,
            &format!(
                "openssl verify -x509_strict -crl_check -purpose sslclient -CAfile ca/ca.pem \
                 -CRLfile ca/crl.pem ca/people/{id}.pem"
            ),
        );
    }
}
