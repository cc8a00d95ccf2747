//! The table of messages has every failure that the programs can print, in the words in which they
//! print it, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprCall, ExprMethodCall, Lit, LitStr, Local, Macro, Pat};
use tests::{files_below, page, project};

/// The part of a message that differs from case to case.
const GAP: &str = "…";

/// The sources whose failures people meet.
const SOURCES: [&str; 5] = [
    "wire/src",
    "pki/src",
    "ca-tool/src",
    "server/src",
    "client/src",
];

/// The names of variables that hold the sentence of a failure until it is made.
const VARIABLES: [&str; 2] = ["sentence", "error"];

/// Collects the sentences of failures: those of `#[error("...")]`, those that functions such as
/// `Failure::new` get, and those that lie in a variable before that.
#[derive(Default)]
struct Sentences(BTreeSet<String>);

impl Visit<'_> for Sentences {
    fn visit_attribute(&mut self, attribute: &Attribute) {
        if attribute.path().is_ident("error")
            && let Ok(list) = attribute.meta.require_list()
            && let Some(text) = first_literal(list.tokens.clone())
        {
            self.add(&text);
        }
    }

    fn visit_expr_call(&mut self, call: &ExprCall) {
        if let Some(at) = place_of_sentence(&call.func) {
            self.add_literals(call.args.iter().skip(at).take(1));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        if ["context", "with_context"].contains(&call.method.to_string().as_str()) {
            self.add_literals(call.args.iter());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_local(&mut self, local: &Local) {
        if let Pat::Ident(name) = &local.pat
            && VARIABLES.contains(&name.ident.to_string().as_str())
            && let Some(init) = &local.init
            && let Expr::Macro(made) = &*init.expr
        {
            let mut found = Literals::default();
            found.visit_macro(&made.mac);
            found.0.iter().for_each(|text| self.add(text));
        }
        visit::visit_local(self, local);
    }

    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        if !module.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &syn::ItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            visit::visit_item_fn(self, function);
        }
    }
}

impl Sentences {
    fn add_literals<'a>(&mut self, expressions: impl Iterator<Item = &'a Expr>) {
        let mut found = Literals::default();
        expressions.for_each(|expression| found.visit_expr(expression));
        found.0.iter().for_each(|text| self.add(text));
    }

    fn add(&mut self, text: &str) {
        let sentence = with_gaps(text);
        // A sentence that comes from elsewhere whole is listed where it is made.
        if sentence != GAP {
            self.0.insert(sentence);
        }
    }
}

/// Collects the texts in an expression that are printed: literals, and the first of each `format!`.
#[derive(Default)]
struct Literals(Vec<String>);

impl Visit<'_> for Literals {
    fn visit_lit_str(&mut self, text: &LitStr) {
        self.0.push(text.value());
    }

    fn visit_macro(&mut self, call: &Macro) {
        if call.path.is_ident("format") {
            self.0.extend(first_literal(call.tokens.clone()));
        }
    }
}

fn first_literal(tokens: impl IntoIterator<Item = impl ToString>) -> Option<String> {
    let first = tokens.into_iter().next()?.to_string();
    match syn::parse_str(&first).ok()? {
        Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

/// Returns which argument of a function is the sentence of a failure, if it makes one.
fn place_of_sentence(function: &Expr) -> Option<usize> {
    let Expr::Path(path) = function else {
        return None;
    };
    let parts = path.path.segments.iter();
    let names: Vec<String> = parts.map(|part| part.ident.to_string()).collect();
    match &names[..] {
        [.., owner, name] if owner == "Failure" && name == "new" => Some(1),
        [.., owner, name] if owner == "Error" && name == "msg" => Some(0),
        [name] if ["untrusted", "usage_failure"].contains(&name.as_str()) => Some(0),
        _ => None,
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .meta
            .require_list()
            .is_ok_and(|list| list.tokens.to_string().contains("test"))
}

/// Returns a format text with a gap for each `{...}`, and its doubled braces single.
fn with_gaps(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let brace = &from[..1];
        if from[1..].starts_with(brace) {
            shown.push_str(brace);
            rest = &from[2..];
        } else {
            let end = from.find('}').expect("a format text ends what it begins");
            shown.push_str(GAP);
            rest = &from[end + 1..];
        }
    }
    shown.push_str(rest);
    shown
}

/// Returns the sentences of every failure in the sources.
fn sentences() -> BTreeSet<String> {
    let mut found = Sentences::default();
    for source in SOURCES {
        for file in files_below(Path::new(source)) {
            let is_tests = file.components().any(|part| {
                let name = part.as_os_str().to_string_lossy();
                name == "tests.rs" || name == "tests"
            });
            if is_tests || file.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let text = fs::read_to_string(project().join(&file)).expect("UTF-8");
            found.visit_file(&syn::parse_file(&text).expect("Rust"));
        }
    }
    found.0
}

/// Returns the rows of the tables of messages in a page: each message, and what to do about it.
fn rows(page: &str) -> Vec<(String, &str)> {
    let mut rows = Vec::new();
    let mut is_of_messages = false;
    for line in page.lines() {
        let Some((first, second)) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix('|')?.split_once(" |"))
        else {
            // Below the headings is a line of dashes; anything else that is no row ends a table.
            is_of_messages &= line.starts_with("|-");
            continue;
        };
        match first {
            "Message" => is_of_messages = true,
            message if is_of_messages => rows.push((message.replace("\\|", "|"), second.trim())),
            _ => {}
        }
    }
    rows
}

#[test]
fn the_table_of_messages_has_every_failure_in_the_words_in_which_it_is_printed() {
    let rows = rows(page("docs/messages.md"));
    let told: BTreeSet<String> = rows.iter().map(|(message, _)| message.clone()).collect();
    assert_eq!(told.len(), rows.len(), "a message has two rows");
    let printed = sentences();
    assert!(printed.len() > 100, "only {} were found", printed.len());
    let missing: Vec<_> = printed.difference(&told).collect();
    let left_over: Vec<_> = told.difference(&printed).collect();
    assert!(
        missing.is_empty() && left_over.is_empty(),
        "not in the table: {missing:#?}\nnot in the sources: {left_over:#?}"
    );
}

#[test]
fn every_message_has_advice() {
    for (message, advice) in rows(page("docs/messages.md")) {
        let words = advice.split_whitespace().count();
        assert!(
            words >= 3,
            "{message}: nobody learns what to do from \"{advice}\""
        );
    }
}

#[test]
fn the_refusals_in_the_room_are_those_of_the_protocol() {
    let codes = |name: &str, heading: &str| {
        let text = page(name);
        let (_, section) = text.split_once(heading).expect("the heading");
        let section = section.split("\n## ").next().expect("a text");
        let rows = section.lines().filter_map(|row| row.strip_prefix("| `"));
        let codes = rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()));
        codes.collect::<BTreeSet<String>>()
    };
    let told = codes("docs/messages.md", "### Refused lines");
    let protocol = codes("PROTOCOL.md", "\n## 8. Refusals");
    assert!(protocol.len() > 10, "only {} were found", protocol.len());
    assert_eq!(told, protocol);
}

#[test]
fn a_row_is_a_message_and_its_advice() {
    let page = "| Message | What to do |\n|---|---|\n| a \\| b | do |\n| c | |\n\n| Code | x |\n|---|---|\n| d | e |\n";
    let found = rows(page);
    assert_eq!(found, [("a | b".to_owned(), "do"), ("c".to_owned(), "")]);
}

#[test]
fn a_gap_stands_for_whatever_differs() {
    for (text, shown) in [
        ("cannot read {path}: {}", "cannot read …: …"),
        ("{0:?} and {{braces}}", "… and {braces}"),
        ("plain", "plain"),
    ] {
        assert_eq!(with_gaps(text), shown);
    }
    let source = r#"
        #[derive(Error)] enum E { #[error("cannot {doing} {}: {source}", path.display())] Io, #[error("{0}")] Other(A) }
        fn f() { Failure::new(Exit::Other, format!("{target} said {}", words("not this"))).hint("nor this") }
        fn g() { untrusted(match a { true => "yes".to_owned(), false => format!("no {a}") }) }
        fn i() { let sentence = format!("cannot {}", "this"); usage_failure(sentence, "nor this") }
        fn j() { k().context("cannot start")?; k().with_context(|| format!("cannot open {l}"))?; Error::msg("odd") }
        #[cfg(test)] mod tests { fn h() { Failure::new(Exit::Other, "nor this") } }
    "#;
    let mut found = Sentences::default();
    found.visit_file(&syn::parse_file(source).expect("Rust"));
    let found: Vec<&str> = found.0.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "cannot open …",
            "cannot start",
            "cannot …",
            "cannot … …: …",
            "no …",
            "odd",
            "yes",
            "… said …"
        ]
    );
}
