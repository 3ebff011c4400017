//! Which file imports which. Re-exported names are followed to the file that defines them.

#![allow(clippy::indexing_slicing, reason = "indices come from the same list")]

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Source, under};

/// The imports among the files of one crate.
pub(crate) struct Imports {
    /// From file to file, with the line of the first import.
    pub(crate) edges: BTreeMap<String, BTreeMap<String, usize>>,
}

/// A module, without the crate's own name.
type Module = Vec<String>;

struct Crate {
    files: BTreeMap<Module, String>,
    /// The names that a module's `use` brings in, and the paths that they stand for.
    names: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Imports {
    /// Of all files below `folder`, the root of a crate.
    pub(crate) fn of(folder: &str) -> Self {
        Self::among(&under(folder))
    }

    /// Of these files, all those of a crate.
    pub(crate) fn among(sources: &[Source]) -> Self {
        let files = sources.iter().map(|source| (source.module(), source.path.clone())).collect();
        let names = sources.iter().map(|source| (source.module(), source.names_in_use())).collect();
        let all = Crate { files, names };
        let edges = sources.iter().map(|source| (source.path.clone(), all.imports_of(source))).collect();
        Self { edges }
    }

    /// The shortest circle, as the files on it.
    pub(crate) fn circle(&self) -> Option<Vec<String>> {
        self.edges.keys().filter_map(|file| self.way_back(file)).min_by_key(Vec::len)
    }

    fn way_back(&self, file: &str) -> Option<Vec<String>> {
        let mut reached: BTreeMap<&str, &str> = BTreeMap::new();
        let mut rim = vec![file];
        while !rim.is_empty() {
            let mut next = Vec::new();
            for from in rim {
                for to in self.edges.get(from).into_iter().flat_map(BTreeMap::keys) {
                    if to == file {
                        let mut circle = vec![file.to_owned()];
                        let mut at = from;
                        while at != file {
                            circle.insert(1, at.to_owned());
                            at = reached[at];
                        }
                        return Some(circle);
                    }
                    if !reached.contains_key(to.as_str()) {
                        reached.insert(to, from);
                        next.push(to.as_str());
                    }
                }
            }
            rim = next;
        }
        None
    }
}

impl Crate {
    fn imports_of(&self, source: &Source) -> BTreeMap<String, usize> {
        let (here, folder) = (source.module(), folder_of(&source.path));
        let [reexports, uses] = source.reexports_and_uses();
        let reexports = reexports.iter().map(|path| (path, true));
        let mut imports = BTreeMap::new();
        for (path, is_reexport) in uses.iter().map(|path| (path, false)).chain(reexports) {
            let Some(full) = self.full_path(&here, &path.segments) else { continue };
            let Some(file) = self.file_of(&full, &mut BTreeSet::new()) else { continue };
            // A parent re-exports names of its children. It imports a child only if its own code uses such a name.
            let is_own_child = file.starts_with(&folder);
            if file != source.path && !(is_reexport && is_own_child) {
                imports.entry(file).or_insert(path.line);
            }
        }
        imports
    }

    /// A path of the module `here`, from the root of the crate; `None` if it does not lead into the crate.
    fn full_path(&self, here: &Module, segments: &[String]) -> Option<Module> {
        let (first, rest) = segments.split_first()?;
        if first == "crate" {
            // A lone `crate` is a visibility.
            return (!rest.is_empty()).then(|| rest.to_vec());
        }
        let below = [here.as_slice(), segments].concat();
        if !rest.is_empty() && self.files.contains_key(&below[..=here.len()]) {
            return Some(below);
        }
        let stands_for = self.names.get(here)?.get(first)?;
        Some([stands_for.as_slice(), rest].concat())
    }

    /// The file in which what `path` names is defined.
    fn file_of(&self, path: &[String], seen: &mut BTreeSet<Module>) -> Option<String> {
        if !seen.insert(path.to_vec()) {
            return None;
        }
        let depth = (0..=path.len()).rev().find(|depth| self.files.contains_key(&path[..*depth]))?;
        let module = &path[..depth];
        let file = &self.files[module];
        let Some(name) = path.get(depth) else { return Some(file.clone()) };
        match self.names.get(module).and_then(|names| names.get(name)) {
            Some(stands_for) => self.file_of(stands_for, seen),
            None => Some(file.clone()),
        }
    }
}

/// Where the children of a file are: `src/node/` for `src/node/mod.rs` and for `src/node.rs`.
fn folder_of(path: &str) -> String {
    let index = ["mod.rs", "lib.rs", "main.rs"].iter().find_map(|index| path.strip_suffix(index));
    let index = index.filter(|folder| folder.ends_with('/'));
    index.map_or_else(|| format!("{}/", path.trim_end_matches(".rs")), str::to_owned)
}
