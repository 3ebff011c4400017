//! The same without the feature `metrics`: nothing.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Extended, NodeState};
use crate::protocol::{LossCause, Reply, VerbKind};
use crate::redlock::error::AcquireError;
use crate::{Clock, Moment, NodeId, NodeSet, Resource};

pub(crate) struct Meters;

impl Meters {
    pub(crate) const ON: bool = false;

    pub(crate) const fn call<'a>(&self, _: &Resource, _: &'a dyn Clock, _: Moment) -> CallMeter<'a> {
        CallMeter(PhantomData)
    }

    pub(crate) const fn lease(&self, _: &Resource) -> LeaseMeter {
        LeaseMeter
    }

    pub(crate) const fn voted(&self, _: NodeId, _: VerbKind, _: &Reply, _: Duration) {}

    pub(crate) const fn not_asked(&self, _: NodeSet) {}

    pub(crate) const fn looked(&self, _: NodeId, _: NodeState, _: Option<f64>) {}
}

pub(crate) struct CallMeter<'a>(PhantomData<&'a dyn Clock>);

impl CallMeter<'_> {
    pub(crate) const fn won(&mut self, _: bool, _: Moment) {}

    pub(crate) const fn over(&mut self, _: Option<&AcquireError>) {}
}

pub(crate) struct LeaseMeter;

impl LeaseMeter {
    pub(crate) const fn next(&self) -> Self {
        Self
    }

    pub(crate) const fn begins(&mut self, _: Moment, _: Moment) {}

    pub(crate) const fn ended(&mut self, _: &LossCause, _: Moment, _: Moment) {}

    pub(crate) const fn overran(&self, _: Moment) {}

    pub(crate) const fn extended(&self, _: Extended) {}
}
