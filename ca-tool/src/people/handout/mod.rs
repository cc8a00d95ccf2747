//! The page that goes with a bundle: a first-year student follows it without asking anybody. It is made
//! from one template, in English and in Chinese.

mod words;

use std::borrow::Cow;

use time::OffsetDateTime;

use self::words::{LANGUAGES, Words};
use crate::sign::host::{Host, Reach};

/// The name of the page in a person's zip.
pub(super) const PAGE_NAME: &str = "README.html";

/// What the people who get a zip can turn to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Help {
    /// The person or address to ask.
    pub contact: Option<String>,
    /// Where to get the program `client`.
    pub client_url: Option<String>,
}

/// The facts on a person's page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handout<'a> {
    /// The person's ID.
    pub(crate) id: &'a str,
    /// Their full name, if it is known.
    pub(crate) full_name: Option<&'a str>,
    /// The name of the room.
    pub(crate) room: &'a str,
    /// Where the server is, if the bundle says it.
    pub(crate) server: Option<&'a str>,
    /// The last moment of the certificate.
    pub(crate) until: OffsetDateTime,
    /// Where to get help.
    pub(crate) help: &'a Help,
}

impl Handout<'_> {
    /// Returns the page: HTML that needs no other file, and no script.
    pub(super) fn page(&self) -> String {
        let sections = LANGUAGES.map(|words| self.section(words)).concat();
        fill(PAGE, |key| match key {
            "id" => Some(escape(self.id).into()),
            "room" => Some(escape(self.room).into()),
            "sections" => Some(sections.as_str().into()),
            _ => None,
        })
    }

    fn section(&self, words: Words) -> String {
        let word = |key: &str| {
            let found = words.iter().find(|(name, _)| *name == key);
            found.map(|(_, text)| Cow::from(*text))
        };
        // Twice, because a sentence may quote a heading. No fact is in the text yet, so none is filled.
        let text = fill(SECTION, |key| match key {
            "get" => word(self.get()),
            key => word(key),
        });
        let text = fill(&text, word);
        fill(&text, |key| Some(self.fact(key, words)?.into()))
    }

    /// Returns the name of the sentence about where the client is.
    fn get(&self) -> &'static str {
        match self.help.client_url {
            Some(_) => "get_from",
            None => "get_unknown",
        }
    }

    /// Returns a fact as HTML.
    fn fact(&self, key: &str, words: Words) -> Option<String> {
        let word = |key: &str| {
            let found = words.iter().find(|(name, _)| *name == key);
            found.map_or("", |(_, text)| text)
        };
        let file = format!("{}.pem", self.id);
        Some(match key {
            "file" => escape(&file),
            "room" => escape(self.room),
            "owner" => match self.full_name {
                Some(name) => format!("{} ({})", escape(self.id), escape(name)),
                None => escape(self.id),
            },
            "server" => match self.server {
                Some(server) => escape(server),
                None => word("no_server").to_owned(),
            },
            // Where the CA is, because whoever typed a day there meant it there.
            "until" => escape(&crate::words::minute(self.until)),
            "contact" => match &self.help.contact {
                Some(contact) => contact_link(contact),
                None => word("whoever").to_owned(),
            },
            "client_url" => {
                let url = escape(self.help.client_url.as_deref()?);
                format!("<a href=\"{url}\">{url}</a>")
            }
            "client" => match self.server {
                Some(_) => escape(&format!("client --cert {file}")),
                None => escape(&format!("client --cert {file} --server HOST")),
            },
            "openssl" => escape(&self.openssl(&file)),
            "python" => escape(&self.python(&file)),
            _ => return None,
        })
    }

    /// Returns the host, the check that OpenSSL makes of it, and the port.
    fn reach(&self) -> (String, &'static str, u16) {
        match self.server.map(Reach::parse) {
            Some(Ok(reach)) => match reach.host {
                Host::Name(name) => (name, "-verify_hostname", reach.port),
                Host::Address(address) => (address.to_string(), "-verify_ip", reach.port),
            },
            _ => ("HOST".to_owned(), "-verify_hostname", wire::PORT),
        }
    }

    fn openssl(&self, file: &str) -> String {
        let (host, check, port) = self.reach();
        let connect = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        format!(
            "openssl s_client -quiet -nocommands -connect {connect} -verify_return_error {check} {host} \
             -cert {file} -key {file} -CAfile {file}"
        )
    }

    fn python(&self, file: &str) -> String {
        let (host, _, port) = self.reach();
        fill(PYTHON, |key| {
            Some(match key {
                "file" => file.into(),
                "host" => host.as_str().into(),
                "port" => port.to_string().into(),
                _ => return None,
            })
        })
    }
}

/// Returns a contact as HTML, as a link if it is a mail address.
fn contact_link(contact: &str) -> String {
    let shown = escape(contact);
    let is_address = contact.split_once('@').is_some_and(|(before, after)| {
        !before.is_empty() && after.contains('.') && !contact.contains(char::is_whitespace)
    });
    match is_address {
        true => format!("<a href=\"mailto:{shown}\">{shown}</a>"),
        false => shown,
    }
}

/// Replaces each `{key}` by its value. One that has no value stays as it is.
fn fill<'v>(template: &str, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
    let mut filled = String::with_capacity(2 * template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let is_key = |key: &str| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let found = after.split_once('}').filter(|(key, _)| is_key(key));
        match found.and_then(|(key, after)| Some((value(key)?, after))) {
            Some((text, after)) => {
                filled.push_str(&text);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Returns a text for HTML, within an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A fact is filled in last, and never read again as a template.
            c => escaped.push(c),
        }
    }
    escaped
}

const PAGE: &str = include_str!("page.html");
const SECTION: &str = include_str!("section.html");

/// A client in Python.
const PYTHON: &str = "\
import socket, ssl

me = \"{file}\"
tls = ssl.create_default_context(cafile=me)
tls.load_cert_chain(me)
with tls.wrap_socket(socket.create_connection((\"{host}\", {port})), server_hostname=\"{host}\") as link:
    room = link.makefile(\"rw\", encoding=\"utf-8\", newline=\"\\n\")
    print(room.readline(), end=\"\")
    room.write(\"hello from Python\\n/who\\n/quit\\n\")
    room.flush()
    for line in room:
        print(line, end=\"\")";

#[cfg(test)]
mod tests {
    use super::*;

    fn helpful() -> Help {
        Help {
            contact: Some("teacher@school.example".to_owned()),
            client_url: Some("https://chat.example/client".to_owned()),
        }
    }

    fn of_alice(help: &Help) -> Handout<'_> {
        Handout {
            id: "alice",
            full_name: Some("Alice Ng"),
            room: "Networks 101",
            server: Some("chat.example:27332"),
            until: time::macros::datetime!(2027-02-01 23:59:59 UTC),
            help,
        }
    }

    fn page(change: impl FnOnce(&mut Handout<'_>)) -> String {
        let help = helpful();
        let mut handout = of_alice(&help);
        change(&mut handout);
        handout.page()
    }

    /// Returns every `{key}` that is left in a text.
    fn keys(text: &str) -> Vec<&str> {
        let parts = text.split('{').skip(1);
        let keys = parts.filter_map(|part| Some(part.split_once('}')?.0));
        keys.filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            .collect()
    }

    #[test]
    fn every_place_in_the_template_has_a_text_in_every_language_and_no_text_is_left_over() {
        let filled = page(|_| {});
        assert_eq!(keys(&filled), Vec::<&str>::new());
        assert_eq!(
            keys(&page(|handout| handout.server = None)),
            Vec::<&str>::new()
        );
        let names = |words: Words| words.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(LANGUAGES[0]), names(LANGUAGES[1]));
        let chosen_in_code = ["get_from", "get_unknown", "whoever", "no_server"];
        for name in names(LANGUAGES[0]) {
            let place = format!("{{{name}}}");
            assert!(
                SECTION.contains(&place) || chosen_in_code.contains(&name),
                "{name}"
            );
        }
    }

    #[test]
    fn a_page_says_in_both_languages_whose_it_is_where_until_when_and_whom_to_ask() {
        let filled = page(|_| {});
        let until = crate::words::minute(of_alice(&helpful()).until);
        for words in LANGUAGES {
            let lang = words[0].1;
            let begin = filled
                .find(&format!("<section lang=\"{lang}\""))
                .expect("a section");
            let section = &filled[begin..];
            let section = &section[..section.find("</section>").expect("its end")];
            for fact in [
                "alice (Alice Ng)",
                "Networks 101",
                "chat.example:27332",
                until.as_str(),
                "<a href=\"mailto:teacher@school.example\">teacher@school.example</a>",
                "<a href=\"https://chat.example/client\">https://chat.example/client</a>",
                "./client --cert alice.pem</pre>",
                "-verify_hostname chat.example -cert alice.pem",
                "server_hostname=&quot;chat.example&quot;",
            ] {
                assert!(section.contains(fact), "{lang}: {fact}\n{section}");
            }
        }
    }

    #[test]
    fn a_page_that_knows_no_address_and_no_contact_says_whom_to_ask() {
        let nothing = Help::default();
        let filled = Handout {
            server: None,
            full_name: None,
            ..of_alice(&nothing)
        };
        let filled = filled.page();
        assert!(
            filled.contains("tell the person who gave you this file at once"),
            "{filled}"
        );
        assert!(filled.contains("请立即告诉给你这个文件的人"), "{filled}");
        assert!(
            filled.contains("client --cert alice.pem --server HOST"),
            "{filled}"
        );
        assert!(!filled.contains("href=\"http"), "{filled}");
    }

    #[test]
    fn an_address_is_checked_as_an_address() {
        let filled = page(|handout| handout.server = Some("[2001:db8::7]:27400"));
        assert!(
            filled.contains(
                "-connect [2001:db8::7]:27400 -verify_return_error -verify_ip 2001:db8::7 -cert"
            ),
            "{filled}"
        );
        assert!(
            filled.contains("create_connection((&quot;2001:db8::7&quot;, 27400))"),
            "{filled}"
        );
    }

    #[test]
    fn no_fact_is_read_as_html_or_as_a_place_in_the_template() {
        let help = Help {
            contact: Some("<b>{secret}</b> & \"me\"".to_owned()),
            client_url: Some("https://chat.example/?a=1&b=\"{python}".to_owned()),
        };
        let filled = Handout {
            room: "<script>alert('{openssl}')</script>",
            full_name: Some("{file}</td><img src=x>"),
            ..of_alice(&help)
        };
        let filled = filled.page();
        assert!(
            !filled.contains("<script") && !filled.contains("<img"),
            "{filled}"
        );
        assert!(
            filled.contains("&lt;b&gt;{secret}&lt;/b&gt; &amp; &quot;me&quot;"),
            "{filled}"
        );
        assert!(filled.contains("alert(&#39;{openssl}&#39;)"), "{filled}");
        assert!(filled.contains("({file}&lt;/td&gt;"), "{filled}");
        assert!(filled.contains("?a=1&amp;b=&quot;{python}"), "{filled}");
    }
}
