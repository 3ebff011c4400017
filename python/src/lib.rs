//! `redfence._core`: the shipped lock for the Python package. It converts values and waits; it decides nothing.

use pyo3::prelude::*;

mod cached;
mod client;
mod errors;
mod fencing;
mod held;
mod lease;
mod leases;
mod op;
mod ours;
mod recipes;
mod runtime;
mod settings;
mod views;

/// The module.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<cached::CacheStore>()?;
    module.add_class::<cached::Cached>()?;
    module.add_class::<cached::Computation>()?;
    module.add_class::<cached::Refresh>()?;
    module.add_class::<client::Client>()?;
    module.add_class::<client::EmbeddedNodes>()?;
    module.add_class::<held::HeldLease>()?;
    module.add_class::<lease::Lease>()?;
    module.add_class::<leases::Leases>()?;
    module.add_class::<op::Op>()?;
    module.add_class::<op::Task>()?;
    module.add_class::<recipes::Observer>()?;
    module.add_class::<runtime::Runtime>()?;
    module.add("SQL", fencing::sql(module.py())?)?;
    module.add_function(wrap_pyfunction!(recipes::acquire_all, module)?)?;
    module.add_function(wrap_pyfunction!(recipes::acquire_permit, module)?)?;
    module.add_function(wrap_pyfunction!(recipes::acquire_once, module)?)?;
    module.add_function(wrap_pyfunction!(recipes::campaign, module)?)?;
    module.add_function(wrap_pyfunction!(recipes::check_once, module)?)?;
    module.add_function(wrap_pyfunction!(recipes::check_semaphore, module)?)?;
    module.add_function(wrap_pyfunction!(recipes::leader, module)?)?;
    module.add_function(wrap_pyfunction!(fencing::read_header, module)?)?;
    module.add_function(wrap_pyfunction!(fencing::write_header, module)?)?;
    module.add_function(wrap_pyfunction!(fencing::stale, module)?)?;
    module.add_function(wrap_pyfunction!(fencing::read_problem, module)?)?;
    Ok(())
}
