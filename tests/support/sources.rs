//! This repository's own sources, as tokens with line numbers.

#![allow(dead_code, reason = "every test binary uses the part that it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "sources that cannot be read fail the test that reads them"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::Visit;

/// How an attribute reads without its spaces.
const IN_TESTS: &str = "cfg(test)";
const FOR_TESTING: &str = "cfg(feature=\"testing\")";

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, in a fixed order; none if there is no such folder.
pub(crate) fn under(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect_rust_files(&root().join(folder), &mut paths);
    paths.sort();
    paths.iter().map(|path| Source::read(path)).collect()
}

fn collect_rust_files(folder: &FilePath, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

pub(crate) struct Source {
    /// From the root of the repository, with forward slashes.
    pub(crate) path: String,
    text: String,
}

/// Something like `tokio::time::sleep`, written out or put together from the braces of a `use`.
pub(crate) struct Path {
    pub(crate) line: usize,
    /// `self` and `super` resolved: the first segment is `crate` or the name as written.
    pub(crate) segments: Vec<String>,
}

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From `fn` to the closing brace.
    pub(crate) lines: usize,
}

impl Source {
    fn read(file: &FilePath) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        Self { path, text }
    }

    /// A file that is not there, for tests of the checks.
    pub(crate) fn imagined(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Every line that is only a comment, without indentation.
    pub(crate) fn comments(&self) -> impl Iterator<Item = (&str, usize)> {
        let lines = self.text.lines().zip(1..);
        lines.map(|(text, line)| (text.trim_start(), line)).filter(|(text, _)| text.starts_with("//"))
    }

    /// The paths of the code that ships.
    pub(crate) fn paths(&self) -> Vec<Path> {
        if self.is_test_file() { Vec::new() } else { self.paths_in(without_tests(self.tokens())) }
    }

    /// The same without the code behind the feature `testing`: contract suites, and clocks that tests set.
    pub(crate) fn paths_without_testing(&self) -> Vec<Path> {
        let gates = [IN_TESTS, FOR_TESTING];
        if self.is_test_file() { Vec::new() } else { self.paths_in(without_items(self.tokens(), &gates)) }
    }

    /// The paths of the unit tests as well.
    pub(crate) fn all_paths(&self) -> Vec<Path> {
        self.paths_in(self.tokens())
    }

    /// Every identifier, as (name, line); comments and strings have none.
    pub(crate) fn identifiers(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        walk(self.tokens(), &mut |tokens, at| {
            if let TokenTree::Ident(name) = &tokens[at] {
                found.push((name.to_string(), name.span().start().line));
            }
        });
        found
    }

    /// The macros called, as (name, line).
    pub(crate) fn macros(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        walk(self.tokens(), &mut |tokens, at| {
            if let TokenTree::Ident(name) = &tokens[at]
                && is_punct(tokens.get(at + 1), '!')
                && !is_punct(tokens.get(at + 2), '=')
            {
                found.push((name.to_string(), name.span().start().line));
            }
        });
        found
    }

    /// The messages of the events and the names of the spans that the code that ships reports, as (path, message).
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "debug_span"];
        let mut found = Vec::new();
        let tokens = if self.is_test_file() { TokenStream::new() } else { without_tests(self.tokens()) };
        walk(tokens, &mut |tokens, at| {
            if let (TokenTree::Ident(level), Some(TokenTree::Group(arguments))) = (&tokens[at], tokens.get(at + 2))
                && is_punct(tokens.get(at + 1), '!')
                && is_punct(at.checked_sub(1).and_then(|before| tokens.get(before)), ':')
                && LEVELS.contains(&level.to_string().as_str())
            {
                // Those of a history have names in place of messages.
                let arguments: Vec<TokenTree> = arguments.stream().into_iter().collect();
                let is_of_history = arguments.first().is_some_and(|first| first.to_string() == "target");
                let text = |token: &TokenTree| syn::parse_str::<syn::LitStr>(&token.to_string()).ok();
                if !is_of_history && let Some(message) = arguments.iter().rev().find_map(text) {
                    found.push((self.path.clone(), message.value()));
                }
            }
        });
        found
    }

    /// The names that attributes begin with, as (name, line).
    pub(crate) fn attributes(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        walk(self.tokens(), &mut |tokens, at| {
            if let Some(attribute) = attribute_at(tokens, at)
                && let Some(TokenTree::Ident(name)) = attribute.stream().into_iter().next()
            {
                found.push((name.to_string(), name.span().start().line));
            }
        });
        found
    }

    /// The literals of the code that ships, as written, without comments.
    pub(crate) fn literals(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        if !self.is_test_file() {
            walk(without_docs(without_tests(self.tokens())), &mut |tokens, at| {
                if let TokenTree::Literal(literal) = &tokens[at] {
                    found.push((literal.to_string(), literal.span().start().line));
                }
            });
        }
        found
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        let file = syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let mut functions = Functions(Vec::new());
        functions.visit_file(&file);
        functions.0
    }

    fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    fn paths_in(&self, tokens: TokenStream) -> Vec<Path> {
        let mut found = Vec::new();
        collect_paths(tokens, &[], &mut found);
        let here = self.module();
        for path in &mut found {
            resolve(&mut path.segments, &here);
        }
        found
    }

    /// The paths of the code that ships, in two parts: those of `pub use` and its like, and all others. The names that
    /// `mod` declares are in neither.
    pub(crate) fn reexports_and_uses(&self) -> [Vec<Path>; 2] {
        if self.is_test_file() {
            return [Vec::new(), Vec::new()];
        }
        let (mut reexports, mut uses) = (Vec::new(), Vec::new());
        let mut tokens = without_tests(self.tokens()).into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token.to_string().as_str() {
                "mod" => drop(tokens.next()),
                "pub" => {
                    // The scope of `pub(crate)` is no path.
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)));
                    if tokens.peek().is_some_and(|next| next.to_string() == "use") {
                        reexports.extend(tokens.by_ref().take_while(|token| !is_punct(Some(token), ';')));
                    }
                }
                _ => uses.push(token),
            }
        }
        [reexports, uses].map(|tokens| self.paths_in(tokens.into_iter().collect()))
    }

    /// The names that the `use` lines of this file bring in from its own crate, and the paths that they stand for.
    pub(crate) fn names_in_use(&self) -> BTreeMap<String, Vec<String>> {
        if self.is_test_file() {
            return BTreeMap::new();
        }
        let here = self.module();
        let tokens: Vec<TokenTree> = without_tests(self.tokens()).into_iter().collect();
        let mut uses = Vec::new();
        for statement in tokens.split(|token| is_punct(Some(token), ';')) {
            if let Some(at) = statement.iter().position(|token| token.to_string() == "use") {
                collect_paths(statement[at + 1..].iter().cloned().collect(), &[], &mut uses);
            }
        }
        let mut names = BTreeMap::new();
        for mut path in uses {
            resolve(&mut path.segments, &here);
            let in_crate = path.segments.first().is_some_and(|first| first == "crate");
            let from = if in_crate { path.segments[1..].to_vec() } else { [here.clone(), path.segments].concat() };
            if let Some(name) = from.last() {
                names.insert(name.clone(), from.clone());
            }
        }
        names
    }

    /// The module of this file: `src/node/redis/mod.rs` is `node::redis`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("src/").map_or(self.path.as_str(), |(_, inside)| inside);
        let mut module: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            module.pop();
        }
        module
    }
}

impl Path {
    pub(crate) fn root(&self) -> &str {
        &self.segments[0]
    }

    /// The name right below `crate`, for a path of this crate.
    pub(crate) fn in_crate(&self) -> Option<&str> {
        if self.root() == "crate" { self.segments.get(1).map(String::as_str) } else { None }
    }

    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        prefix.split("::").zip(&self.segments).filter(|(wanted, is)| wanted == is).count() == prefix.split("::").count()
    }

    pub(crate) fn ends_with(&self, suffix: &str) -> bool {
        let wanted: Vec<&str> = suffix.split("::").collect();
        self.segments.len() >= wanted.len()
            && self.segments.iter().rev().zip(wanted.iter().rev()).all(|(is, wanted)| is == wanted)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments.join("::"))
    }
}

/// The names that `lib.rs` re-exports at the top level, and the module of each.
pub(crate) fn top_level_reexports() -> BTreeMap<String, String> {
    let Some(lib) = under("src").into_iter().find(|source| source.path == "src/lib.rs") else {
        return BTreeMap::new();
    };
    let mut uses = Vec::new();
    let tokens: Vec<TokenTree> = without_tests(lib.tokens()).into_iter().collect();
    for statement in tokens.split(|token| is_punct(Some(token), ';')) {
        if let Some(at) = statement.iter().position(|token| token.to_string() == "use") {
            collect_paths(statement[at + 1..].iter().cloned().collect(), &[], &mut uses);
        }
    }
    uses.into_iter()
        .filter_map(|path| {
            let from = path.segments.iter().find(|segment| !matches!(segment.as_str(), "crate" | "self"))?;
            Some((path.segments.last()?.clone(), from.clone()))
        })
        .collect()
}

struct Functions(Vec<Function>);

impl Functions {
    fn note(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        self.0.push(Function { name: signature.ident.to_string(), line: first, lines: last - first + 1 });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.note(&function.sig, body);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

/// Calls `look` at every token, in every group.
fn walk(stream: TokenStream, look: &mut impl FnMut(&[TokenTree], usize)) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for at in 0..tokens.len() {
        look(&tokens, at);
        if let TokenTree::Group(group) = &tokens[at] {
            walk(group.stream(), look);
        }
    }
}

/// Single names count as paths too: a macro's body and a `use` inside braces have them.
fn collect_paths(stream: TokenStream, prefix: &[String], found: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                collect_paths(group.stream(), &[], found);
                at += 1;
            }
            TokenTree::Ident(first) => {
                let mut segments = prefix.to_vec();
                segments.push(first.to_string());
                at += 1;
                let mut braces = None;
                while is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => segments.push(next.to_string()),
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            braces = Some(group.stream());
                        }
                        _ => {}
                    }
                    at += 2;
                    // A turbofish or a glob: the tokens after it are read separately.
                    if !matches!(tokens.get(at), Some(TokenTree::Ident(_))) && braces.is_none() {
                        break;
                    }
                    at += 1;
                }
                match braces {
                    Some(inner) => collect_paths(inner, &segments, found),
                    None => found.push(Path { line: first.span().start().line, segments }),
                }
            }
            _ => at += 1,
        }
    }
}

fn resolve(segments: &mut Vec<String>, here: &[String]) {
    let mut up = 0;
    let mut skip = 0;
    for segment in segments.iter() {
        match segment.as_str() {
            "self" if skip == 0 => skip = 1,
            "super" => {
                up += 1;
                skip += 1;
            }
            _ => break,
        }
    }
    // A lone `self` is a receiver, not a path; it keeps its name.
    if skip > 0 && segments.len() > skip {
        let parent = &here[..here.len().saturating_sub(up)];
        let rest = segments.split_off(skip);
        *segments = std::iter::once("crate".to_owned()).chain(parent.iter().cloned()).chain(rest).collect();
    }
}

fn without_tests(stream: TokenStream) -> TokenStream {
    without_items(stream, &[IN_TESTS])
}

/// Drops every item that is behind one of the `gates`, including its body.
fn without_items(stream: TokenStream, gates: &[&str]) -> TokenStream {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let gate = attribute_at(&tokens, at).map(|attribute| attribute.stream().to_string().replace(' ', ""));
        if gate.is_some_and(|gate| gates.contains(&gate.as_str())) {
            let ends = |token: &TokenTree| {
                is_punct(Some(token), ';')
                    || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
            };
            at += tokens[at..].iter().position(ends).map_or(tokens.len() - at, |length| length + 1);
            continue;
        }
        kept.push(within(&tokens[at], |inner| without_items(inner, gates)));
        at += 1;
    }
    kept.into_iter().collect()
}

/// Drops doc comments, which are string literals to the parser.
fn without_docs(stream: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(attribute) = attribute_at(&tokens, at)
            && attribute.stream().to_string().starts_with("doc =")
        {
            at += if is_punct(tokens.get(at + 1), '!') { 3 } else { 2 };
            continue;
        }
        kept.push(within(&tokens[at], without_docs));
        at += 1;
    }
    kept.into_iter().collect()
}

fn within(token: &TokenTree, change: impl Fn(TokenStream) -> TokenStream) -> TokenTree {
    match token {
        TokenTree::Group(group) => {
            let mut changed = Group::new(group.delimiter(), change(group.stream()));
            changed.set_span(group.span());
            changed.into()
        }
        other => other.clone(),
    }
}

fn attribute_at(tokens: &[TokenTree], at: usize) -> Option<&Group> {
    if !is_punct(tokens.get(at), '#') {
        return None;
    }
    let inner = usize::from(is_punct(tokens.get(at + 1), '!'));
    match tokens.get(at + 1 + inner) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}
