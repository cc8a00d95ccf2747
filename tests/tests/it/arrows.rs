//! The imports of each program go one way: down the order that its `lib.rs` states, and never round
//! in a circle of files. This is what keeps `ls` true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Meta, UseTree, Visibility};

const PROGRAMS: [&str; 3] = ["ca-tool", "server", "client"];

#[test]
fn no_program_imports_from_a_folder_above_and_no_files_import_each_other() {
    for program in PROGRAMS {
        let sources = Sources::read(&root().join(program).join("src"));
        let order = Order::read(&sources.text(&[]));
        assert_eq!(
            order.floors.keys().cloned().collect::<BTreeSet<_>>(),
            sources.tops(),
            "the order in {program}/src/lib.rs names each file and folder beside it once"
        );
        let arrows = sources.arrows();
        assert!(
            arrows.len() > 30,
            "only {} imports in {program}",
            arrows.len()
        );
        let wrong = order.wrong(&arrows);
        assert!(wrong.is_empty(), "{program}: {wrong:#?}");
        assert_eq!(
            circle(&arrows),
            None,
            "{program}: these files import each other in a circle"
        );
    }
}

#[test]
fn an_arrow_up_between_neighbours_or_round_is_found_and_both_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write(
        "lib.rs",
        "//! `low <- {left, right} <- lib`\nmod low; mod left; mod right;",
    );
    write("low/mod.rs", "pub(crate) use a::Named; mod a; mod b;");
    write("low/a.rs", "use super::b::Thing; pub(crate) struct Named;");
    write(
        "low/b.rs",
        "fn f() { println!(\"{}\", crate::left::x()) }\n#[cfg(test)] mod tests { use crate::right::X; }",
    );
    write("left.rs", "use crate::{low::b, right::{self, Y}};");
    write("right.rs", "use crate::low::Named;");
    let sources = Sources::read(folder.path());
    let order = Order::read(&sources.text(&[]));
    let arrows = sources.arrows();
    assert_eq!(
        order.wrong(&arrows),
        [
            "left.rs imports right.rs, which is beside it",
            "low/b.rs imports left.rs, which is above it",
        ]
    );
    // By its real name, although it is imported from the folder that passes it on.
    assert!(
        arrows.contains(&("right.rs".to_owned(), "low/a.rs".to_owned())),
        "{arrows:?}"
    );
    let found = circle(&arrows).expect("a circle");
    assert_eq!(found, ["left.rs", "low/b.rs"]);

    write("low/b.rs", "use super::Named;");
    let arrows = Sources::read(folder.path()).arrows();
    assert_eq!(circle(&arrows).expect("a circle"), ["low/a.rs", "low/b.rs"]);

    write("low/b.rs", "");
    assert_eq!(circle(&Sources::read(folder.path()).arrows()), None);
}

/// The file that imports and the file that it imports from, as paths below `src/`.
type Arrows = BTreeSet<(String, String)>;

/// The files of a program by the path of their module: `["room", "ask"]`.
struct Sources {
    files: BTreeMap<Vec<String>, File>,
}

struct File {
    /// Below `src/`.
    name: String,
    text: String,
    code: syn::File,
    /// The items that the module passes on under its own name: the name, and the module that it is from.
    passed_on: BTreeMap<String, Vec<String>>,
}

impl Sources {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in kit::files_below(src) {
            let relative = path.strip_prefix(src).expect("below src");
            let Some(module) = module(relative) else {
                continue;
            };
            let text = fs::read_to_string(&path).expect("UTF-8");
            let code = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let name = relative.to_str().expect("UTF-8").to_owned();
            let file = File {
                name,
                text,
                code,
                passed_on: BTreeMap::new(),
            };
            let other = files.insert(module, file);
            assert!(
                other.is_none(),
                "two files are one module: {}",
                path.display()
            );
        }
        let mut sources = Self { files };
        sources.drop_tests();
        sources.note_passed_on();
        sources
    }

    fn text(&self, module: &[String]) -> String {
        self.files[module].text.clone()
    }

    /// Returns the files and folders directly in `src/`.
    fn tops(&self) -> BTreeSet<String> {
        let tops = self.files.keys().filter_map(|module| module.first());
        tops.cloned().chain(["lib".to_owned()]).collect()
    }

    /// A file that is compiled for tests only may import from anywhere.
    fn drop_tests(&mut self) {
        let mut tests = Vec::new();
        for (module, file) in &self.files {
            for item in &file.code.items {
                if let Item::Mod(ItemMod {
                    attrs,
                    ident,
                    content: None,
                    ..
                }) = item
                    && is_for_tests(attrs)
                {
                    tests.push([module.clone(), vec![ident.to_string()]].concat());
                }
            }
        }
        let is_test = |module: &Vec<String>| tests.iter().any(|test| module.starts_with(test));
        self.files.retain(|module, _| !is_test(module));
    }

    fn note_passed_on(&mut self) {
        let mut all = BTreeMap::new();
        for (module, file) in &self.files {
            let mut passed_on = BTreeMap::new();
            for item in &file.code.items {
                let Item::Use(item) = item else { continue };
                if matches!(item.vis, Visibility::Inherited) {
                    continue;
                }
                let mut paths = Vec::new();
                flatten(&item.tree, &mut Vec::new(), &mut paths);
                for (path, name) in paths {
                    // From a child, or by its whole path.
                    let path = match path.first().map(String::as_str) {
                        Some("crate") => path[1..].to_vec(),
                        Some("self") => [module.clone(), path[1..].to_vec()].concat(),
                        _ => [module.clone(), path].concat(),
                    };
                    let home = self.longest(&path);
                    if home.len() > module.len() && home.starts_with(module) {
                        passed_on.insert(name, home);
                    }
                }
            }
            all.insert(module.clone(), passed_on);
        }
        for (module, passed_on) in all {
            if let Some(file) = self.files.get_mut(&module) {
                file.passed_on = passed_on;
            }
        }
    }

    /// Returns the longest beginning of a path that is a module with a file.
    fn longest(&self, path: &[String]) -> Vec<String> {
        let lengths = (0..=path.len()).rev();
        let mut modules = lengths.map(|length| path[..length].to_vec());
        modules
            .find(|module| self.files.contains_key(module))
            .unwrap_or_default()
    }

    /// Returns the module that an item is from, through whatever passes it on.
    fn home(&self, path: &[String]) -> Vec<String> {
        let module = self.longest(path);
        let passed_on = path
            .get(module.len())
            .and_then(|name| self.files[&module].passed_on.get(name));
        passed_on.cloned().unwrap_or(module)
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, file) in &self.files {
            let mut imports = Imports::default();
            imports.visit_file(&file.code);
            for path in imports.paths {
                let absolute = match path.first().map(String::as_str) {
                    Some("crate") => path[1..].to_vec(),
                    Some("self") => [module.clone(), path[1..].to_vec()].concat(),
                    Some("super") => {
                        let ups = path.iter().take_while(|part| *part == "super").count();
                        let Some(kept) = module.len().checked_sub(ups) else {
                            continue;
                        };
                        [module[..kept].to_vec(), path[ups..].to_vec()].concat()
                    }
                    _ => continue,
                };
                let home = self.home(&absolute);
                if home != *module {
                    arrows.insert((file.name.clone(), self.files[&home].name.clone()));
                }
            }
        }
        arrows
    }
}

/// Every path that code outside of tests names.
#[derive(Default)]
struct Imports {
    paths: Vec<Vec<String>>,
}

impl<'a> Visit<'a> for Imports {
    fn visit_item(&mut self, item: &'a Item) {
        let attrs = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attrs) {
            visit::visit_item(self, item);
        }
    }

    /// `pub(crate)` imports nothing.
    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let mut paths = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut paths);
        self.paths.extend(paths.into_iter().map(|(path, _)| path));
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts = path.segments.iter().map(|part| part.ident.to_string());
        self.paths.push(parts.collect());
        visit::visit_path(self, path);
    }

    /// The tokens of a macro are no syntax yet, so the function looks through their text.
    fn visit_macro(&mut self, given: &'a Macro) {
        let words = given.tokens.to_string();
        let mut rest = words.as_str();
        while let Some(at) = rest.find("crate ::") {
            rest = &rest[at..];
            let is_part = |c: char| c.is_alphanumeric() || "_: ".contains(c);
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let parts = rest[..end].split("::").map(|part| part.trim().to_owned());
            self.paths.push(parts.collect());
            rest = &rest[end..];
        }
        visit::visit_macro(self, given);
    }
}

/// The order of a program's files and folders: `low <- {beside, each_other} <- high`.
pub(crate) struct Order {
    /// The lowest is 0.
    floors: BTreeMap<String, usize>,
}

impl Order {
    /// Reads the order from the head of a `lib.rs`.
    pub(crate) fn read(lib: &str) -> Self {
        let docs = lib.lines().map_while(|line| line.strip_prefix("//!"));
        let docs: String = docs.map(|line| format!("{} ", line.trim())).collect();
        let order = docs
            .split('`')
            .skip(1)
            .step_by(2)
            .find(|code| code.contains(" <- "));
        let order =
            order.expect("lib.rs begins with an order: `low <- {beside, each_other} <- high`");
        let mut floors = BTreeMap::new();
        for (floor, names) in order.split("<-").enumerate() {
            for name in names.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                if !name.is_empty() {
                    let other = floors.insert(name.to_owned(), floor);
                    assert_eq!(other, None, "{name} is in the order twice");
                }
            }
        }
        Self { floors }
    }

    /// Returns the floor of a file or folder, such as `store/sqlite/`: 0 is the lowest.
    pub(crate) fn floor(&self, name: &str) -> usize {
        let top = top(name);
        *self
            .floors
            .get(top)
            .unwrap_or_else(|| panic!("{top} is not in the order"))
    }

    /// Returns the arrows that do not go down.
    fn wrong(&self, arrows: &Arrows) -> Vec<String> {
        let wrong = arrows.iter().filter_map(|(from, to)| {
            let (low, high) = (self.floor(to), self.floor(from));
            match low.cmp(&high) {
                _ if top(from) == top(to) => None,
                std::cmp::Ordering::Less => None,
                std::cmp::Ordering::Equal => {
                    Some(format!("{from} imports {to}, which is beside it"))
                }
                std::cmp::Ordering::Greater => {
                    Some(format!("{from} imports {to}, which is above it"))
                }
            }
        });
        wrong.collect()
    }
}

/// `room` of `room/ask.rs`, `config` of `config.rs`.
fn top(name: &str) -> &str {
    let first = name.split('/').next().unwrap_or(name);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Returns the shortest circle of files, if there is one. A parent and its child may import each other.
fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    let arrows: Vec<(&str, &str)> = arrows
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .filter(|(from, to)| !is_parent(from, to) && !is_parent(to, from))
        .collect();
    let mut shortest: Option<Vec<String>> = None;
    for start in arrows.iter().map(|(from, _)| *from) {
        let mut ways = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while let Some(way) = (!ways.is_empty()).then(|| ways.remove(0)) {
            let last = way[way.len() - 1];
            for (_, to) in arrows.iter().filter(|(from, _)| *from == last) {
                if *to == start {
                    let is_shorter = shortest.as_ref().is_none_or(|s| way.len() < s.len());
                    if is_shorter {
                        shortest = Some(way.iter().map(|name| (*name).to_owned()).collect());
                    }
                } else if seen.insert(*to) {
                    ways.push([way.as_slice(), &[*to]].concat());
                }
            }
        }
    }
    shortest
}

/// Returns whether the one is the file of the folder that the other is in.
fn is_parent(parent: &str, child: &str) -> bool {
    let folder = parent.strip_suffix("mod.rs").map_or_else(
        || format!("{}/", parent.trim_end_matches(".rs")),
        str::to_owned,
    );
    parent == "lib.rs" || (parent != child && child.starts_with(&folder))
}

/// `a/b.rs` is `["a", "b"]`, `a/mod.rs` is `["a"]`, `lib.rs` is `[]`; `main.rs` is another crate.
fn module(relative: &Path) -> Option<Vec<String>> {
    let name = relative.to_str().expect("UTF-8").strip_suffix(".rs")?;
    let mut parts: Vec<String> = name.split('/').map(str::to_owned).collect();
    match parts.as_slice() {
        [one] if one == "main" => return None,
        [one] if one == "lib" => parts.clear(),
        [.., last] if last == "mod" => {
            parts.pop();
        }
        _ => {}
    }
    Some(parts)
}

/// Returns the paths of a `use`, each with the name that it is known by.
fn flatten(tree: &UseTree, before: &mut Vec<String>, paths: &mut Vec<(Vec<String>, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, paths);
            before.pop();
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            let path = [before.as_slice(), std::slice::from_ref(&name)].concat();
            paths.push((path, name));
        }
        UseTree::Rename(rename) => {
            let path = [before.as_slice(), &[rename.ident.to_string()]].concat();
            paths.push((path, rename.rename.to_string()));
        }
        UseTree::Glob(_) => paths.push((before.clone(), "*".to_owned())),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, paths);
            }
        }
    }
}

/// `#[cfg(test)]`, or `#[cfg(all(test, unix))]`.
fn is_for_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            words == "test" || words.starts_with("all (test") || words.starts_with("all(test")
        }
        _ => false,
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
