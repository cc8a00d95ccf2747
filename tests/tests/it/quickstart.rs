//! The script that a newcomer runs first.

use std::path::Path;
use std::process::{Command, Stdio};

use tests::program;

#[test]
fn quickstart_works_and_says_that_its_build_is_quick() {
    // The tests run the same programs, so they are built before the script asks for them.
    let server = program("server");
    let target = server.ancestors().nth(2).expect("target/PROFILE/server");
    let output = Command::new("./quickstart")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .output()
        .expect("bash");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    let begin = "quickstart: a quick build, without optimisation; the first one takes minutes, later ones seconds\n";
    assert!(out.starts_with(begin), "{out}");
    let programs = target.join("debug");
    let end = format!(
        "\nquickstart: all is well: six lines, three people, each line seen by everyone and recorded once\n\
        quickstart: the programs in {} are a quick build: good for trying out, slower than a release build\n\
        quickstart: for real use: cargo build --release --locked -p ca-tool -p server -p client\n",
        programs.display()
    );
    assert!(out.ends_with(&end), "{out}");
}
