//! Makes functions of the Rust blocks in docs/migration/, so that the test can run them.
//!
//! The first *Before* and the first *After* of a page set up what is needed: all later ones begin with their lines. The servers
//! `a`, `b` and `c` of the pages become those that the test started.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const PAGES: &str = "../../docs/migration";

/// A block of code, with the line of its page on which it begins.
struct Block {
    is_after: bool,
    line: usize,
    code: String,
}

fn main() -> Result<(), Box<dyn Error>> {
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
    let text = format!("{functions}pub(super) async fn run_all(urls: &[String]) -> Outcome {{\n{calls}Ok(())\n}}\n");
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("guides.rs"), text)?)
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
