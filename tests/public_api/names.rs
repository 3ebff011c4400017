//! [`public_names`]: every public name of the crate, with its signature.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{ImplItem, Item, TraitItem, UseTree};

use super::library::{Library, ModulePath, imports};
use super::stability::{Stability, stability};
use super::syntax::{
    attributes, defined_name, exhaustive, fields, generics, has_test_gate, is_public, is_public_item, joined, source,
};

/// One public name.
pub struct Name {
    /// Its path, a colon, and what it is.
    pub line: String,
    pub stability: Stability,
    /// The types of this crate in its signature on which users may rely less than on this name.
    pub unstable_types: BTreeSet<String>,
    /// The crates whose types are in its signature.
    pub crates: BTreeSet<String>,
}

impl Name {
    pub fn path(&self) -> &str {
        self.line.split_once(": ").map_or("", |(path, _)| path)
    }
}

/// All names, sorted.
pub fn public_names(src: &Path) -> Vec<Name> {
    let mut library = Library::default();
    library.load(Vec::new(), &src.join("lib.rs"), src);
    let mut names = Names::of(&library);
    names.module(&[], "redfence");
    let Names { lines, offered, .. } = names;
    let judged = lines.into_iter().map(|(line, Line { stability, types, crates })| {
        let is_less = |definition: &&Definition| offered.get(*definition).is_some_and(|offered| *offered > stability);
        let unstable_types = types.iter().filter(is_less).map(|(_, name)| name.clone()).collect();
        Name { line, stability, unstable_types, crates }
    });
    judged.collect()
}

/// The module that defines an item, and the item's name there.
type Definition = (ModulePath, String);

struct Line {
    stability: Stability,
    types: BTreeSet<Definition>,
    crates: BTreeSet<String>,
}

struct Names<'a> {
    library: &'a Library,
    lines: BTreeMap<String, Line>,
    /// As far as users may rely on an item under its best public name.
    offered: BTreeMap<Definition, Stability>,
    /// Items already written under a public name: a cycle of `pub use` must end.
    seen: BTreeSet<(ModulePath, String)>,
    /// That of the innermost item or module around the present one.
    stability: Stability,
}

impl<'a> Names<'a> {
    fn of(library: &'a Library) -> Self {
        let (lines, offered, seen) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { library, lines, offered, seen, stability: Stability::Stable }
    }

    fn module(&mut self, module: &[String], public: &str) {
        if !self.seen.insert((module.to_vec(), public.to_owned())) {
            return;
        }
        for item in self.library.items(module) {
            match item {
                Item::Use(statement) if is_public(&statement.vis) => {
                    let gate = stability(&statement.attrs);
                    self.within(gate, |names| names.reexports(module, &statement.tree, public));
                }
                _ if is_public_item(item) => self.item(module, item, public, None),
                _ => {}
            }
        }
    }

    /// Continues inside an item or a module on which users may rely so far.
    fn within(&mut self, stability: Stability, go_on: impl FnOnce(&mut Self)) {
        let around = self.stability;
        self.stability = around.max(stability);
        go_on(self);
        self.stability = around;
    }

    fn reexports(&mut self, module: &[String], tree: &UseTree, public: &str) {
        for import in imports(tree) {
            if let Some(("*", all_of)) = import.path.split_last().map(|(last, way)| (last.as_str(), way)) {
                if let Some((from, name)) = self.library.find(module, all_of) {
                    self.module(&joined(&from, &name), public);
                }
                continue;
            }
            match self.library.find(module, &import.path) {
                Some((from, original)) => {
                    let library = self.library;
                    for item in library.items(&from) {
                        if defined_name(item).is_some_and(|name| name == original) {
                            self.item(&from, item, public, Some(&import.name));
                        }
                    }
                }
                None => {
                    let line = format!("{public}::{}: use {}", import.name, import.path.join("::"));
                    self.tell(line, module, |types| types.meets(&import.path));
                }
            }
        }
    }

    /// `shown_as` is the name that a `pub use` gives it.
    fn item(&mut self, module: &[String], item: &Item, public: &str, shown_as: Option<&str>) {
        let Some(defined) = defined_name(item) else { return };
        let full = format!("{public}::{}", shown_as.unwrap_or(&defined));
        let own = match item {
            Item::Mod(_) => self.library.stability(&joined(module, &defined)).max(stability(attributes(item))),
            _ => stability(attributes(item)),
        };
        self.within(own, |names| {
            let here = names.stability;
            let offered = names.offered.entry((module.to_vec(), defined.clone())).or_insert(here);
            *offered = here.min(*offered);
            names.ungated_item(module, item, &defined, &full);
        });
    }

    fn ungated_item(&mut self, module: &[String], item: &Item, defined: &str, full: &str) {
        match item {
            Item::Mod(_) => {
                self.tell(format!("{full}: mod"), module, |_| {});
                self.module(&joined(module, defined), full);
            }
            Item::Struct(item) => {
                let line = format!("{full}: struct{}{}", generics(&item.generics), exhaustive(&item.attrs));
                self.tell(line, module, |types| types.visit_generics(&item.generics));
                for (index, field) in item.fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis)) {
                    let name = field.ident.as_ref().map_or(index.to_string(), ToString::to_string);
                    let line = format!("{full}::{name}: field {}", source(&field.ty));
                    self.member(&field.attrs, line, module, |types| types.visit_type(&field.ty));
                }
                self.inherent(module, defined, full);
            }
            Item::Enum(item) => {
                let line = format!("{full}: enum{}{}", generics(&item.generics), exhaustive(&item.attrs));
                self.tell(line, module, |types| types.visit_generics(&item.generics));
                for variant in &item.variants {
                    let (fields, open) = (fields(&variant.fields), exhaustive(&variant.attrs));
                    let line = format!("{full}::{}: variant{fields}{open}", variant.ident);
                    self.member(&variant.attrs, line, module, |types| types.visit_fields(&variant.fields));
                }
                self.inherent(module, defined, full);
            }
            Item::Trait(item) => self.public_trait(module, item, full),
            Item::Fn(item) => {
                self.tell(format!("{full}: {}", source(&item.sig)), module, |types| types.visit_signature(&item.sig));
            }
            Item::Const(item) => {
                self.tell(format!("{full}: const {}", source(&item.ty)), module, |types| types.visit_type(&item.ty));
            }
            Item::Static(item) => {
                self.tell(format!("{full}: static {}", source(&item.ty)), module, |types| types.visit_type(&item.ty));
            }
            Item::Type(item) => {
                let line = format!("{full}: type{} = {}", generics(&item.generics), source(&item.ty));
                self.tell(line, module, |types| types.visit_type(&item.ty));
            }
            Item::Macro(_) => self.tell(format!("{full}!: macro"), module, |_| {}),
            _ => {}
        }
    }

    fn public_trait(&mut self, module: &[String], item: &syn::ItemTrait, full: &str) {
        let bounds: Vec<String> = item.supertraits.iter().map(source).collect();
        let bounds = if bounds.is_empty() { String::new() } else { format!(": {}", bounds.join(" + ")) };
        let line = format!("{full}: trait{}{bounds}", generics(&item.generics));
        self.tell(line, module, |types| {
            types.visit_generics(&item.generics);
            item.supertraits.iter().for_each(|bound| types.visit_type_param_bound(bound));
        });
        for member in &item.items {
            match member {
                TraitItem::Fn(method) => {
                    let provided = if method.default.is_some() { " (provided)" } else { "" };
                    let line = format!("{full}::{}: {}{provided}", method.sig.ident, source(&method.sig));
                    self.member(&method.attrs, line, module, |types| types.visit_signature(&method.sig));
                }
                TraitItem::Type(member) => {
                    let line = format!("{full}::{}: {}", member.ident, source(member));
                    self.member(&member.attrs, line, module, |types| types.visit_trait_item_type(member));
                }
                TraitItem::Const(member) => {
                    let line = format!("{full}::{}: const {}", member.ident, source(&member.ty));
                    self.member(&member.attrs, line, module, |types| types.visit_type(&member.ty));
                }
                _ => {}
            }
        }
    }

    /// The public members of every `impl Type` block, anywhere in the crate.
    fn inherent(&mut self, module: &[String], defined: &str, full: &str) {
        let library = self.library;
        for (place, items) in &library.modules {
            for item in items {
                let Item::Impl(block) = item else { continue };
                let syn::Type::Path(target) = block.self_ty.as_ref() else { continue };
                let path: Vec<String> = target.path.segments.iter().map(|part| part.ident.to_string()).collect();
                let leads_here = || library.find(place, &path) == Some((module.to_vec(), defined.to_owned()));
                if block.trait_.is_none() && path.last().is_some_and(|last| last == defined) && leads_here() {
                    self.inherent_block(place, block, full);
                }
            }
        }
    }

    fn inherent_block(&mut self, place: &[String], block: &syn::ItemImpl, full: &str) {
        for member in &block.items {
            match member {
                ImplItem::Fn(method) if is_public(&method.vis) && !has_test_gate(&method.attrs) => {
                    let line = format!("{full}::{}: {}", method.sig.ident, source(&method.sig));
                    self.member(&method.attrs, line, place, |types| types.visit_signature(&method.sig));
                }
                ImplItem::Const(member) if is_public(&member.vis) => {
                    let line = format!("{full}::{}: const {}", member.ident, source(&member.ty));
                    self.member(&member.attrs, line, place, |types| types.visit_type(&member.ty));
                }
                _ => {}
            }
        }
    }

    /// A part of an item, with attributes of its own.
    fn member(
        &mut self,
        attributes: &[syn::Attribute],
        line: String,
        module: &[String],
        signature: impl FnOnce(&mut Types<'_>),
    ) {
        self.within(stability(attributes), |names| names.tell(line, module, signature));
    }

    /// `signature` visits the types of the line, which are written in `module`.
    fn tell(&mut self, line: String, module: &[String], signature: impl FnOnce(&mut Types<'_>)) {
        let mut types = Types { library: self.library, module, own: BTreeSet::new(), crates: BTreeSet::new() };
        signature(&mut types);
        self.lines.insert(line, Line { stability: self.stability, types: types.own, crates: types.crates });
    }
}

/// The types and traits of a signature.
struct Types<'a> {
    library: &'a Library,
    module: &'a [String],
    own: BTreeSet<Definition>,
    crates: BTreeSet<String>,
}

impl Types<'_> {
    fn meets(&mut self, path: &[String]) {
        match self.library.find(self.module, path) {
            Some(own) => drop(self.own.insert(own)),
            None => self.crates.extend(self.library.outside(self.module, path)),
        }
    }
}

impl<'ast> Visit<'ast> for Types<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.meets(&names);
        visit::visit_path(self, path);
    }
}
