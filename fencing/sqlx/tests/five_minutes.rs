//! The program in README.md is the compiled example, and it runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

#[path = "../examples/five_minutes.rs"]
#[expect(dead_code, reason = "its main connects to servers of the reader")]
mod program;
mod stage;

use redfence::{Builder, EmbeddedNode, FencingToken, Redlock, Resource};
use redfence_sqlx::{Error, postgres, sql};
use sqlx::{Executor, PgPool};
use stage::{runtime, support};

const PROGRAM: &str = include_str!("../examples/five_minutes.rs");
const README: &str = include_str!("../README.md");

fn block(language: &str) -> &'static str {
    let from = README.split(&format!("```{language}\n")).nth(1).expect(language);
    from.split("```").next().expect(language)
}

#[test]
fn the_program_of_the_readme_is_the_example() {
    let (_, program) = PROGRAM.split_once("\n\n").unwrap();
    assert_eq!(block("rust,no_run"), program, "copy examples/five_minutes.rs into README.md");
    for line in sql::postgres::MIGRATION.lines().filter(|line| !line.starts_with("--")) {
        assert!(block("sql").contains(line), "the migration in README.md has no line {line:?}");
    }
}

/// The paths of its manifest lead from a directory beside this repository to these crates.
#[test]
fn the_manifest_of_the_readme_names_what_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let paths: Vec<&str> =
        block("toml").lines().filter_map(|line| line.split_once("path = \"../redfence")?.1.split('"').next()).collect();
    assert_eq!(paths, ["", "/fencing/retry", "/fencing/sqlx"]);
    for path in paths {
        let manifest = root.join(path.trim_start_matches('/')).join("Cargo.toml");
        assert!(manifest.is_file(), "{}", manifest.display());
    }
}

#[test]
fn the_program_of_the_readme_writes_and_is_fenced() {
    let (server, runtime) = (support::Postgres::start(), runtime());
    runtime.block_on(async {
        let pool = PgPool::connect(&server.url()).await.unwrap();
        pool.execute(block("sql")).await.unwrap();
        let nodes = [EmbeddedNode::new(), EmbeddedNode::new(), EmbeddedNode::new()];
        let redlock: Redlock = nodes.into_iter().fold(Redlock::builder(), Builder::node).build().unwrap();
        let order = Resource::new("orders/42").unwrap();
        program::pay_under_lock(&redlock, &pool, &order).await.unwrap();
        let state: String =
            sqlx::query_scalar("SELECT state FROM orders WHERE name = 'orders/42'").fetch_one(&pool).await.unwrap();
        assert_eq!(state, "paid");

        // An older holder that was paused all the time.
        let mut late = pool.begin().await.unwrap();
        let refused = postgres::admit(&mut late, &order, FencingToken::new(1).unwrap()).await;
        drop(late);
        let highest = postgres::highest(&mut pool.acquire().await.unwrap(), &order).await.unwrap().unwrap();
        match refused {
            Err(Error::Stale { highest: seen }) => assert_eq!(seen, highest),
            admitted => panic!("token 1 after {highest}: {admitted:?}"),
        }
    });
}
