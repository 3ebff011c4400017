//! Makes functions of the Rust blocks in docs/migration/, and takes rslock's own tests out of its package, so that tests can run
//! both.
//!
//! The first *Before* and the first *After* of a page set up what is needed: all later ones begin with their lines. The servers
//! `a`, `b` and `c` of the pages become those that the test started.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

const PAGES: &str = "../../docs/migration";

/// A block of code, with the line of its page on which it begins.
struct Block {
    is_after: bool,
    line: usize,
    code: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("guides.rs"), guides()?)?;
    Ok(fs::write(out.join("rslocks_tests.rs"), rslocks_tests(&fs::read_to_string(rslocks_source()?)?)?)?)
}

fn guides() -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PAGES}");
    let mut pages = fs::read_dir(PAGES)?.map(|page| Ok(page?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    pages.sort();
    let (mut functions, mut calls) = (String::new(), String::new());
    for page in &pages {
        let name = page.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
        let blocks = blocks(&fs::read_to_string(page)?);
        for block in &blocks {
            let (line, code) = (block.line, on_servers(&with_setup(block, &blocks)));
            writeln!(functions, "async fn {name}_{line}(urls: &[String]) -> Outcome {{\n{code}\nOk(())\n}}\n")?;
            writeln!(calls, "ended(\"{name}.md:{line}\", {}, {name}_{line}(urls).await)?;", block.is_after)?;
        }
    }
    Ok(format!("{functions}pub(super) async fn run_all(urls: &[String]) -> Outcome {{\n{calls}Ok(())\n}}\n"))
}

/// The blocks of Rust, in order.
fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut is_after, mut open) = (Vec::new(), false, None::<Block>);
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line) {
            (None, "Before:") => is_after = false,
            (None, "After:") => is_after = true,
            (None, "```rust") => open = Some(Block { is_after, line: number + 2, code: String::new() }),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => block.code.extend([line, "\n"]),
            (None, _) => {}
        }
    }
    blocks
}

fn with_setup(block: &Block, blocks: &[Block]) -> String {
    let setup = blocks.iter().find(|other| other.is_after == block.is_after);
    let setup = setup.filter(|setup| setup.line != block.line).map_or("", |setup| &setup.code);
    format!("{setup}{}", block.code)
}

fn on_servers(code: &str) -> String {
    ["a", "b", "c"].iter().enumerate().fold(code.to_owned(), |code, (number, name)| {
        code.replace(&format!("\"redis://{name}:6379\""), &format!("urls[{number}].as_str()"))
    })
}

/// The file of rslock's package that has its tests, wherever cargo keeps the package.
fn rslocks_source() -> Result<PathBuf, Box<dyn Error>> {
    let mut metadata = Command::new(env::var("CARGO")?);
    let packages = metadata.args(["metadata", "--format-version=1", "--offline"]).output()?;
    let packages = String::from_utf8(packages.stdout)?;
    let paths = packages.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let is_rslock = |path: &&str| path.rsplit(['/', '\\']).nth(1).is_some_and(|folder| folder.starts_with("rslock"));
    let manifest = paths.map(|path| path.replace("\\\\", "\\")).find(|path| is_rslock(&path.as_str()));
    let manifest = manifest.ok_or("cargo metadata names no package rslock")?;
    println!("cargo::rerun-if-changed={manifest}");
    Ok(PathBuf::from(manifest).with_file_name("src").join("lock.rs"))
}

/// rslock's module of tests as it stands there, but with its tests as functions, and a list of them: `TESTS`. Those that need
/// one of its features (smol, a Cluster) are not compiled: `LEFT_OUT`.
fn rslocks_tests(source: &str) -> Result<String, Box<dyn Error>> {
    let (_, module) = source.split_once("#[cfg(test)]\nmod tests {\n").ok_or("rslock's package has no tests")?;
    let body = module.trim_end().strip_suffix('}').ok_or("rslock's tests end otherwise than they did")?;
    let (mut text, mut tests, mut left_out) = (String::new(), String::new(), String::new());
    let (mut attributes, mut skips) = (Vec::new(), false);
    for line in body.lines() {
        let item = line.strip_prefix("    ").filter(|item| !item.starts_with([' ', '}']));
        if let Some(attribute) = item.filter(|item| item.starts_with("#[")) {
            attributes.push(attribute);
            continue;
        }
        if let Some(item) = item {
            let has = |part: &str| attributes.iter().any(|attribute| attribute.contains(part));
            skips = has("\"smol-comp\"") || has("\"cluster\"");
            let function = item.split_once("fn ").and_then(|(before, rest)| Some((before, rest.split('(').next()?)));
            match function.filter(|_| has("test]")) {
                Some((_, name)) if skips => writeln!(left_out, "{name:?},")?,
                Some(("", name)) => writeln!(tests, "({name:?}, || ended({name}())),")?,
                Some((_, name)) => writeln!(tests, "({name:?}, || ended(super::wait_for({name}()))),")?,
                None => {}
            }
            attributes.clear();
        }
        if !skips {
            writeln!(text, "{line}")?;
        }
    }
    Ok(format!(
        "mod tests {{\nuse super::{{ended, Test}};\n{text}\npub(super) const TESTS: &[(&str, Test)] = &[\n{tests}];\n\
         pub(super) const LEFT_OUT: &[&str] = &[\n{left_out}];\n}}\n"
    ))
}
