//! `public_api.txt` lists all public names, so that a change of them is a decision. The list is read from the sources.
//! It includes every feature, and no code that a macro or a derive generates.

#![allow(clippy::panic, reason = "sources that cannot be read fail the test that reads them")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::{Fields, ImplItem, Item, TraitItem, UseTree, Visibility};

const MEND: &str = "If the change is wanted, accept it with \
     REDFENCE_BLESS=1 cargo test --test public_api, add a line to CHANGELOG.md, and commit both.";

/// The mark before a name that may change in any release.
const UNSTABLE: &str = "(unstable) ";
/// More names would be too many for readers of the docs: 350 for the lock, its errors, operators and verifiers; 100 more for
/// the ways to lock that are built on it (`recipes` and `blocking`), each a small module of its own; 20 for work once per period
/// and views of several leases, which the command line and the Python package need as well; 50 for values that are computed once
/// (`cached`), with their stores; 10 for metrics.
const STABLE_NAMES_MAX: usize = 530;

#[test]
fn the_stable_names_are_few() {
    let names = public_names(&root().join("src"));
    let stable = names.lines().filter(|line| !line.starts_with(UNSTABLE)).count();
    assert!(
        (100..=STABLE_NAMES_MAX).contains(&stable),
        "{stable} stable names; at most {STABLE_NAMES_MAX}: leave some out, or put them behind the feature \"unstable\""
    );
}

/// Stable types that stay as they are, and why they may.
const EXHAUSTIVE: &[&str] = &[
    // Wraps a text.
    "redfence::Printable",
    // Stores build it.
    "redfence::verifier::StaleToken",
    // A store that meets a rule or a verdict that it does not know must not compile.
    "redfence::verifier::Rule",
    "redfence::verifier::Verdict",
];

#[test]
fn stable_types_can_grow() {
    let names = public_names(&root().join("src"));
    let stable: BTreeSet<_> = names.lines().filter(|line| !line.starts_with(UNSTABLE)).collect();
    let is_open =
        |name: &str| stable.iter().any(|line| line.starts_with(&format!("{name}::")) && line.contains(": field "));
    let closed = stable.iter().filter_map(|line| line.split_once(": ")).filter(|(name, kind)| {
        let may_grow = kind.starts_with("enum") || kind.starts_with("struct") && is_open(name);
        may_grow && !kind.contains("non-exhaustive")
    });
    let closed: BTreeSet<_> = closed.map(|(name, _)| name).collect();
    let expected = BTreeSet::from_iter(EXHAUSTIVE.iter().copied());
    assert_eq!(closed, expected, "a new enum or a new struct with public fields is #[non_exhaustive]");
}

#[test]
fn stable_signatures_name_no_foreign_types() {
    let names = public_names(&root().join("src"));
    let foreign = |line: &&str| {
        let own = line.replace("crate::node::redis::", "").replace("redfence::", "");
        ["tokio", "futures", "redis", "rand", "tracing", "serde", "url"]
            .iter()
            .any(|name| own.contains(&format!("{name}::")))
    };
    let found: Vec<_> = names.lines().filter(|line| !line.starts_with(UNSTABLE)).filter(foreign).collect();
    assert!(
        found.is_empty(),
        "a new version of that crate would be a new major version of this one:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_public_names_are_those_written_down() {
    let written_down = root().join("tests/public_api.txt");
    let is = public_names(&root().join("src"));
    if std::env::var_os("REDFENCE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&written_down, is).unwrap();
        return;
    }
    let was = std::fs::read_to_string(&written_down).unwrap_or_default();
    let (was, is): (BTreeSet<&str>, BTreeSet<&str>) = (was.lines().collect(), is.lines().collect());
    let removed = was.difference(&is).map(|line| format!("- {line}\n"));
    let added = is.difference(&was).map(|line| format!("+ {line}\n"));
    let changes: String = removed.chain(added).collect();
    assert!(changes.is_empty(), "the public names have changed:\n\n{changes}\n{MEND}\n");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One line a name, sorted.
fn public_names(src: &Path) -> String {
    let mut library = Library::default();
    library.load(Vec::new(), &src.join("lib.rs"), src);
    let mut names = Names { library: &library, lines: BTreeSet::new(), seen: BTreeSet::new(), unstable: 0 };
    names.module(&[], "redfence");
    names.lines.into_iter().map(|line| line + "\n").collect()
}

/// The name of a module, without the crate's own.
type ModulePath = Vec<String>;

/// Every module's items, the private ones as well: a `pub use` may reach into them.
#[derive(Default)]
struct Library {
    modules: BTreeMap<ModulePath, Vec<Item>>,
}

impl Library {
    /// `folder` is where the children of this module live.
    fn load(&mut self, module: ModulePath, file: &Path, folder: &Path) {
        let Ok(text) = std::fs::read_to_string(file) else { return };
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
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

    fn items(&self, module: &[String]) -> &[Item] {
        self.modules.get(module).map_or(&[], Vec::as_slice)
    }

    /// The module that defines the item which `path`, written in `module`, leads to, and its name there.
    fn find(&self, module: &[String], path: &[String]) -> Option<(ModulePath, String)> {
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
        for item in self.items(module) {
            let Item::Use(statement) = item else { continue };
            for import in imports(&statement.tree) {
                if import.name == name && import.path != [name] {
                    return self.find(module, &import.path);
                }
            }
        }
        None
    }
}

struct Names<'a> {
    library: &'a Library,
    lines: BTreeSet<String>,
    /// Items already written under a public name: a cycle of `pub use` must end.
    seen: BTreeSet<(ModulePath, String)>,
    /// How many of the enclosing `cfg` gates mark their items as unstable.
    unstable: usize,
}

impl Names<'_> {
    fn module(&mut self, module: &[String], public: &str) {
        if !self.seen.insert((module.to_vec(), public.to_owned())) {
            return;
        }
        for item in self.library.items(module) {
            match item {
                Item::Use(statement) if is_public(&statement.vis) => {
                    self.behind(&statement.attrs, |names| names.reexports(module, &statement.tree, public));
                }
                _ if is_public_item(item) => {
                    self.behind(attributes(item), |names| names.item(module, item, public, None));
                }
                _ => {}
            }
        }
    }

    /// Continues inside the gates of `attributes`.
    fn behind(&mut self, attributes: &[syn::Attribute], go_on: impl FnOnce(&mut Self)) {
        let gates = usize::from(is_unstable(attributes));
        self.unstable += gates;
        go_on(self);
        self.unstable -= gates;
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
                None => self.tell(format!("{public}::{}: use {}", import.name, import.path.join("::"))),
            }
        }
    }

    /// `shown_as` is the name that a `pub use` gives it.
    fn item(&mut self, module: &[String], item: &Item, public: &str, shown_as: Option<&str>) {
        let Some(defined) = defined_name(item) else { return };
        let full = format!("{public}::{}", shown_as.unwrap_or(&defined));
        match item {
            Item::Mod(_) => {
                self.tell(format!("{full}: mod"));
                self.module(&joined(module, &defined), &full);
            }
            Item::Struct(item) => {
                self.tell(format!("{full}: struct{}{}", generics(&item.generics), exhaustive(&item.attrs)));
                for (index, field) in item.fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis)) {
                    let name = field.ident.as_ref().map_or(index.to_string(), ToString::to_string);
                    let line = format!("{full}::{name}: field {}", source(&field.ty));
                    self.behind(&field.attrs, |names| names.tell(line));
                }
                self.inherent(module, &defined, &full);
            }
            Item::Enum(item) => {
                self.tell(format!("{full}: enum{}{}", generics(&item.generics), exhaustive(&item.attrs)));
                for variant in &item.variants {
                    let fields = fields(&variant.fields);
                    let open = exhaustive(&variant.attrs);
                    self.tell(format!("{full}::{}: variant{fields}{open}", variant.ident));
                }
                self.inherent(module, &defined, &full);
            }
            Item::Trait(item) => self.public_trait(item, &full),
            Item::Fn(item) => self.tell(format!("{full}: {}", source(&item.sig))),
            Item::Const(item) => self.tell(format!("{full}: const {}", source(&item.ty))),
            Item::Static(item) => self.tell(format!("{full}: static {}", source(&item.ty))),
            Item::Type(item) => self.tell(format!("{full}: type{} = {}", generics(&item.generics), source(&item.ty))),
            Item::Macro(_) => self.tell(format!("{full}!: macro")),
            _ => {}
        }
    }

    fn public_trait(&mut self, item: &syn::ItemTrait, full: &str) {
        let bounds: Vec<String> = item.supertraits.iter().map(source).collect();
        let bounds = if bounds.is_empty() { String::new() } else { format!(": {}", bounds.join(" + ")) };
        self.tell(format!("{full}: trait{}{bounds}", generics(&item.generics)));
        for member in &item.items {
            match member {
                TraitItem::Fn(method) => {
                    let provided = if method.default.is_some() { " (provided)" } else { "" };
                    self.tell(format!("{full}::{}: {}{provided}", method.sig.ident, source(&method.sig)));
                }
                TraitItem::Type(member) => self.tell(format!("{full}::{}: {}", member.ident, source(member))),
                TraitItem::Const(member) => {
                    self.tell(format!("{full}::{}: const {}", member.ident, source(&member.ty)));
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
                    self.inherent_block(block, full);
                }
            }
        }
    }

    fn inherent_block(&mut self, block: &syn::ItemImpl, full: &str) {
        for member in &block.items {
            match member {
                ImplItem::Fn(method) if is_public(&method.vis) && !has_test_gate(&method.attrs) => {
                    let line = format!("{full}::{}: {}", method.sig.ident, source(&method.sig));
                    self.behind(&method.attrs, |names| names.tell(line));
                }
                ImplItem::Const(member) if is_public(&member.vis) => {
                    let line = format!("{full}::{}: const {}", member.ident, source(&member.ty));
                    self.behind(&member.attrs, |names| names.tell(line));
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, line: String) {
        self.lines.insert(if self.unstable > 0 { format!("{UNSTABLE}{line}") } else { line });
    }
}

struct Import {
    path: Vec<String>,
    /// The name that the import gives it; `*` for all.
    name: String,
}

fn imports(tree: &UseTree) -> Vec<Import> {
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

fn joined(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn is_public_item(item: &Item) -> bool {
    match item {
        Item::Const(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Macro(item) => item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")),
        Item::Mod(item) => is_public(&item.vis),
        Item::Static(item) => is_public(&item.vis),
        Item::Struct(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        _ => false,
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test_only(item: &Item) -> bool {
    match item {
        Item::Fn(item) => has_test_gate(&item.attrs),
        Item::Impl(item) => has_test_gate(&item.attrs),
        Item::Mod(item) => has_test_gate(&item.attrs),
        Item::Struct(item) => has_test_gate(&item.attrs),
        Item::Use(item) => has_test_gate(&item.attrs),
        _ => false,
    }
}

fn has_test_gate(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| source(attribute) == "#[cfg(test)]")
}

/// Behind the feature `unstable` or `testing`, or hidden from the docs without it.
fn is_unstable(attributes: &[syn::Attribute]) -> bool {
    let text = |attribute: &syn::Attribute| source(attribute);
    attributes.iter().map(text).any(|text| {
        let names = text.contains("feature = \"unstable\"") || text.contains("feature = \"testing\"");
        names && (text.starts_with("#[cfg(feature") || text.contains("doc(hidden)"))
    })
}

fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn exhaustive(attributes: &[syn::Attribute]) -> &'static str {
    let open = attributes.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
    if open { " (non-exhaustive)" } else { "" }
}

fn generics(generics: &syn::Generics) -> String {
    let bounds = generics.where_clause.as_ref().map(|bounds| format!(" {}", source(bounds))).unwrap_or_default();
    let parameters = if generics.params.is_empty() { String::new() } else { source(generics) };
    format!("{parameters}{bounds}")
}

/// Fields without their docs, as a signature shows them.
fn fields(fields: &Fields) -> String {
    let list: Vec<String> = fields
        .iter()
        .map(|field| match &field.ident {
            Some(name) => format!("{name}: {}", source(&field.ty)),
            None => source(&field.ty),
        })
        .collect();
    match fields {
        Fields::Named(_) => format!(" {{ {} }}", list.join(", ")),
        Fields::Unnamed(_) => format!("({})", list.join(", ")),
        Fields::Unit => String::new(),
    }
}

/// The text as written, joined into one line.
fn source(node: &impl Spanned) -> String {
    let text = node.span().source_text().unwrap_or_default();
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.replace("( ", "(").replace(", )", ")").replace(",)", ")").replace(" )", ")").replace(", >", ">")
}
