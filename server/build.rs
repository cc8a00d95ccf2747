//! Migrations are embedded, and cargo does not notice new ones by itself.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
