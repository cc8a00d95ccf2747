//! The zip that a person gets: what its page says can be typed as it stands there.

use std::process::Command;

use kit::Running;
use tests::{program, require};

use super::site;

/// Returns the text of the page's code blocks, as a browser shows them.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("<pre>").skip(1);
    let blocks = blocks.filter_map(|rest| Some(rest.split_once("</pre>")?.0));
    blocks
        .map(|block| {
            let block = block.replace("&quot;", "\"").replace("&#39;", "'");
            let block = block.replace("&lt;", "<").replace("&gt;", ">");
            block.replace("&amp;", "&")
        })
        .collect()
}

#[test]
#[ignore = "needs openssl and python3: run with --include-ignored"]
fn everything_on_the_page_of_a_zip_can_be_typed_as_it_stands_there() {
    ["openssl", "python3"].iter().for_each(|tool| require(tool));
    let site = site();
    let served = site.serve(&[]);
    let server = format!("localhost:{}", served.address.port());
    let zips = [
        "issue", "alice", "张三", "--zip", "--out", "handouts", "--server", &server,
    ];
    let issued = site.run("ca-tool", &zips);
    assert!(issued.status.success(), "{issued:?}");
    for name in ["alice", "张三"] {
        let unzip = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
        let mut python = Command::new("python3");
        python.current_dir(site.folder());
        python.args(["-c", unzip, &format!("handouts/{name}.zip"), name]);
        assert!(Running::spawn(python).finish().status.success());
        let folder = site.path(name);
        let page = std::fs::read_to_string(folder.join("README.html")).expect("a page");
        let all = blocks(&page);
        assert_eq!(all.len(), 8, "four in each language: {all:?}");
        assert_eq!(all[..4], all[4..], "they are the same in both languages");
        let [windows, unix, openssl, code] = &all[..4] else {
            unreachable!("there are four");
        };

        assert_eq!(windows, &format!(".\\client --cert {name}.pem"));
        std::fs::copy(program("client"), folder.join("client")).expect("a copy");
        for (program, arguments, input) in [
            ("sh", ["-ec", unix.as_str()], "hello from the client\n"),
            ("sh", ["-ec", openssl], "hello from OpenSSL\n/quit\n"),
            ("python3", ["-c", code], ""),
        ] {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .current_dir(&folder)
                .env("PYTHONUTF8", "1");
            let mut running = Running::spawn(command);
            if !input.is_empty() {
                // OpenSSL sends what it reads at once; the server's greeting says that it may.
                if program == "sh" && arguments[1] == openssl {
                    running.expect_out("= at ");
                }
                running.send(input);
            }
            let output = running.finish();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
        for said in [
            "hello from the client",
            "hello from OpenSSL",
            "hello from Python",
        ] {
            let sql =
                format!("select count(*) from history where id = '{name}' and text = '{said}'");
            assert_eq!(site.query(&sql), ["1"], "{said}");
        }
    }
}
