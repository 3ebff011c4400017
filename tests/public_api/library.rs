//! [`Library`]: the modules and items of a crate, and where a path leads.

use std::collections::BTreeMap;
use std::path::Path;

use syn::{Item, UseTree};

use super::stability::{Stability, stability};
use super::syntax::{defined_name, is_test_only, joined};

/// The name of a module, without the crate's own.
pub type ModulePath = Vec<String>;

/// Every module's items, the private ones as well: a `pub use` may reach into them.
#[derive(Default)]
pub struct Library {
    pub modules: BTreeMap<ModulePath, Vec<Item>>,
    /// As far as users may rely on what is in a module, by its own docs.
    stability: BTreeMap<ModulePath, Stability>,
}

impl Library {
    /// `folder` is where the children of this module live.
    pub fn load(&mut self, module: ModulePath, file: &Path, folder: &Path) {
        let Ok(text) = std::fs::read_to_string(file) else { return };
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.stability.insert(module.clone(), stability(&parsed.attrs));
        self.add(module, parsed.items, folder);
    }

    fn add(&mut self, module: ModulePath, items: Vec<Item>, folder: &Path) {
        let items: Vec<Item> = items.into_iter().filter(|item| !is_test_only(item)).collect();
        for item in &items {
            let Item::Mod(child) = item else { continue };
            let name = child.ident.to_string();
            let (child_path, child_folder) = (joined(&module, &name), folder.join(&name));
            match &child.content {
                Some((_, inner)) => self.add(child_path, inner.clone(), &child_folder),
                None => {
                    let (flat, nested) = (folder.join(format!("{name}.rs")), child_folder.join("mod.rs"));
                    self.load(child_path, if flat.exists() { &flat } else { &nested }, &child_folder);
                }
            }
        }
        self.modules.insert(module, items);
    }

    pub fn stability(&self, module: &[String]) -> Stability {
        self.stability.get(module).copied().unwrap_or_default()
    }

    pub fn items(&self, module: &[String]) -> &[Item] {
        self.modules.get(module).map_or(&[], Vec::as_slice)
    }

    /// The module that defines the item which `path`, written in `module`, leads to, and its name there.
    pub fn find(&self, module: &[String], path: &[String]) -> Option<(ModulePath, String)> {
        let (name, way) = path.split_last()?;
        let mut at = module.to_vec();
        for (step, segment) in way.iter().enumerate() {
            match segment.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()?),
                // In this edition a plain first name may be a child, or something imported here.
                child if self.modules.contains_key(&joined(&at, child)) => at.push(child.to_owned()),
                imported if step == 0 => {
                    let (from, name) = self.find_name(&at, imported)?;
                    at = joined(&from, &name);
                }
                _ => return None,
            }
        }
        self.find_name(&at, name)
    }

    fn find_name(&self, module: &[String], name: &str) -> Option<(ModulePath, String)> {
        let defines = |item: &Item| defined_name(item).is_some_and(|defined| defined == name);
        if self.items(module).iter().any(defines) {
            return Some((module.to_vec(), name.to_owned()));
        }
        self.find(module, &self.imported_as(module, name)?)
    }

    /// The path that a `use` of this module gives that name.
    fn imported_as(&self, module: &[String], name: &str) -> Option<Vec<String>> {
        let uses = self.items(module).iter().filter_map(|item| match item {
            Item::Use(statement) => Some(imports(&statement.tree)),
            _ => None,
        });
        uses.flatten().find(|import| import.name == name && import.path != [name]).map(|import| import.path)
    }

    /// The first name of a path from outside of this crate, as far as `use` and the path say: that of a crate.
    pub fn outside(&self, module: &[String], path: &[String]) -> Option<String> {
        let first = path.first()?;
        let full = self.imported_as(module, first).unwrap_or_else(|| path.to_vec());
        let is_path = full.len() > 1 && !["crate", "self", "super", "Self"].contains(&full.first()?.as_str());
        // A name with a capital is a parameter, as in `S::Error`.
        full.into_iter().next().filter(|first| is_path && first.starts_with(|c: char| c.is_ascii_lowercase()))
    }
}

pub struct Import {
    pub path: Vec<String>,
    /// The name that the import gives it; `*` for all.
    pub name: String,
}

pub fn imports(tree: &UseTree) -> Vec<Import> {
    fn walk(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
        match tree {
            UseTree::Path(step) => walk(&step.tree, &joined(before, &step.ident.to_string()), found),
            UseTree::Group(group) => group.items.iter().for_each(|inner| walk(inner, before, found)),
            UseTree::Name(last) if last.ident == "self" => {
                found.push(Import { path: before.to_vec(), name: before.last().cloned().unwrap_or_default() });
            }
            UseTree::Name(last) => {
                let name = last.ident.to_string();
                found.push(Import { path: joined(before, &name), name });
            }
            UseTree::Rename(last) => {
                found.push(Import { path: joined(before, &last.ident.to_string()), name: last.rename.to_string() })
            }
            UseTree::Glob(_) => found.push(Import { path: joined(before, "*"), name: "*".to_owned() }),
        }
    }
    let mut found = Vec::new();
    walk(tree, &[], &mut found);
    found
}
