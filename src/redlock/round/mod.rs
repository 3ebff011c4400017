//! One round of requests to the nodes: sends them, collects replies, drives the machines, repeats releases.

pub(crate) mod ask;
pub(crate) mod attempt;
pub(crate) mod drive;
pub(crate) mod exchange;
pub(crate) mod extension;
pub(crate) mod leave;
pub(crate) mod sweeper;
