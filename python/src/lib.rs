//! `redfence._core`: the shipped lock for the Python package. It converts values and waits; it decides nothing.

use pyo3::prelude::*;
use pyo3::types::PyDict;

mod client;
mod errors;
mod lease;
mod op;
mod ours;
mod runtime;
mod settings;
mod views;

/// The module.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<client::Client>()?;
    module.add_class::<client::EmbeddedNodes>()?;
    module.add_class::<lease::Lease>()?;
    module.add_class::<op::Op>()?;
    module.add_class::<op::Task>()?;
    module.add_class::<runtime::Runtime>()?;
    module.add("SQL", sql(module.py())?)?;
    Ok(())
}

/// The statements of redfence-sql, by database and name.
fn sql(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    use redfence_sql::{mysql, postgres, sqlite};
    let all = PyDict::new(py);
    for (database, statements) in [
        (
            "postgres",
            [("migration", postgres::MIGRATION), ("admit", postgres::ADMIT), ("highest", postgres::HIGHEST)].as_slice(),
        ),
        (
            "mysql",
            [
                ("migration", mysql::MIGRATION),
                ("admit", mysql::ADMIT),
                ("admitted", mysql::ADMITTED),
                ("highest", mysql::HIGHEST),
            ]
            .as_slice(),
        ),
        (
            "sqlite",
            [("migration", sqlite::MIGRATION), ("admit", sqlite::ADMIT), ("highest", sqlite::HIGHEST)].as_slice(),
        ),
    ] {
        let named = PyDict::new(py);
        for (name, statement) in statements {
            named.set_item(name, statement)?;
        }
        all.set_item(database, named)?;
    }
    Ok(all)
}
