//! The texts and numbers that commands report. Nothing here prints.

pub(crate) mod node;
pub(crate) mod rest;
mod time;

pub(crate) use time::ms;
