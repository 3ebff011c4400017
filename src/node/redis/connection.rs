//! [`Connection`]: one open connection. It sends one pipeline (several requests in one write) at a time, and receives the
//! replies in order.
//!
//! If nothing is unanswered, the caller that sends a request writes the pipeline itself. Requests that come meanwhile
//! wait. They go out together in the next pipeline, after the last reply.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use redis::{PushKind, Value};

use super::byte_stream::ByteStream;
use super::connector::Pushes;
use super::decode;
use super::encode;
use super::keys::Prefix;
use super::script::{Marker, Script};
use super::subscription::Subscription;
use super::unsent::{Completions, PendingRequest, Unsent};
use crate::protocol::{Fault, FaultKind, Reply, Request, Verb};
use crate::{LockerId, Resource};

/// One open connection.
pub(super) struct Connection {
    main: ByteStream,
    prefix: Prefix,
    /// The number of this connection of the node.
    pub(super) session: u64,
    /// The commands that were sent and not answered.
    calls: VecDeque<Call>,
    /// The requests of these commands.
    sent: VecDeque<PendingRequest>,
    /// How many pipelines were sent, plus how many replies and messages came in.
    pub(super) progress: u64,
    /// How many replies were useful: no errors, and understood.
    pub(super) answers: u64,
    /// Which scripts were sent to the server over this connection.
    loaded: [bool; Script::COUNT],
    marker: Arc<Marker>,
    pushes: Pushes,
    subscription: Subscription,
    /// Whether the marker still has to be left, which says that the node was joined.
    owes_marker: bool,
    has_left_marker: bool,
    /// How many unexpected messages came in.
    unasked: usize,
    /// The last reply of the server to the question whether the node was joined before.
    was_joined: Option<bool>,
}

/// A command that was sent and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// A script call for this number of requests.
    Batch(usize),
    /// A command for one request.
    One,
    /// Leaves the marker that says that the node was joined.
    LeaveMarker,
    /// Asks whether there is such a marker.
    AskForMarker,
    /// Tries whether a marker can be left at all.
    TryToLoad,
    /// Subscribes to the wakes of a locker.
    Subscribe,
    /// Tries whether a wake arrives.
    TryToPublish,
}

/// The most requests of one script call. Other clients of the server wait during a call.
const BATCH_MAX: usize = 32;

/// The most unexpected messages over one connection.
const UNASKED_MAX: usize = 1_000;

impl Connection {
    pub(super) fn new((main, pushes): (ByteStream, Pushes), prefix: Prefix, marker: Arc<Marker>, session: u64) -> Self {
        Self {
            main,
            prefix,
            session,
            calls: VecDeque::new(),
            sent: VecDeque::new(),
            progress: 0,
            answers: 0,
            loaded: [false; Script::COUNT],
            marker,
            pushes,
            subscription: Subscription::default(),
            owes_marker: false,
            has_left_marker: false,
            unasked: 0,
            was_joined: None,
        }
    }

    /// Whether all that was sent is answered.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether a pipeline may begin. A second pipeline may follow a single request at once. Mostly it is the release of a
    /// grant whose caller gave up, and the server handles both in one go.
    pub(super) fn takes_more(&self) -> bool {
        self.is_idle() || (self.sent.len() == 1 && self.calls.len() == 1)
    }

    /// Removes the requests that were sent and not answered.
    pub(super) fn unanswered(&mut self) -> impl Iterator<Item = PendingRequest> + use<'_> {
        self.sent.drain(..)
    }

    /// Composes the next pipeline and begins to write it. `admits` says whether grants may go out; if not, they fail.
    pub(super) fn begin(
        &mut self,
        queue: &mut Unsent,
        admits: bool,
        context: &mut Context<'_>,
        completions: &mut Completions,
    ) -> io::Result<()> {
        let mut pipeline = queue.next_pipeline(completions);
        if !admits {
            // A connection that was not joined may lead to a server that forgot everything.
            for pending in pipeline.extract_if(.., |e| matches!(e.request.verb, Verb::Grant { .. })) {
                completions.fail(pending.answer, FaultKind::NotJoined);
            }
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        self.encode(&pipeline, completions);
        self.sent.extend(pipeline);
        self.progress += 1;
        self.write(context)
    }

    fn encode(&mut self, pipeline: &[PendingRequest], completions: &mut Completions) {
        const fn verb(pending: &PendingRequest) -> &Verb {
            &pending.request.verb
        }
        let grants = || pipeline.iter().any(|pending| matches!(verb(pending), Verb::Grant { .. }));
        if !self.has_left_marker && (self.owes_marker || grants()) {
            self.has_left_marker = true;
            encode::load(&mut self.main.out, &self.marker.code);
            self.calls.push_back(Call::LeaveMarker);
        }
        for pending in pipeline {
            if matches!(verb(pending), Verb::Grant { waits: Some(_), .. }) {
                self.subscribe(pending.request.subject.waiter.locker, completions);
            }
        }
        let may_wait = self.subscription.may_wait(matches!(self.pushes, Pushes::Apart(_)));
        // Until then these grants join no queue.
        completions.is_deaf |= !may_wait && self.subscription.awaits();
        for run in pipeline.chunk_by(|one, next| encode::is_batched(verb(one)) && encode::is_batched(verb(next))) {
            if run.first().is_some_and(|first| encode::is_batched(verb(first))) {
                for batch in run.chunks(BATCH_MAX) {
                    let loaded = self.knows(Script::Batch);
                    encode::batch(&mut self.main.out, loaded, may_wait, batch.iter().map(|e| (&*e.encoded, verb(e))));
                    self.calls.push_back(Call::Batch(batch.len()));
                }
                continue;
            }
            for PendingRequest { request, encoded, .. } in run {
                if matches!(request.verb, Verb::Probe { .. } | Verb::Initialize(_) | Verb::Activate { .. }) {
                    encode::are_loaded(&mut self.main.out, self.marker.hashes());
                    encode::load(&mut self.main.out, Marker::TRIAL);
                    self.calls.extend([Call::AskForMarker, Call::TryToLoad]);
                }
                let loaded = self.knows(encode::script_of(&request.verb));
                encode::single(&mut self.main.out, &self.prefix, loaded, encoded, &request.verb);
                self.calls.push_back(Call::One);
            }
        }
    }

    /// Subscribes to the wakes of `locker`, once for each connection, before its first request that waits.
    fn subscribe(&mut self, locker: LockerId, completions: &mut Completions) {
        let Some(channel) = self.subscription.begin(&self.prefix, locker) else { return };
        match &mut self.pushes {
            Pushes::Inline => {
                encode::subscribe(&mut self.main.out, &channel);
                encode::publish_nothing(&mut self.main.out, channel.as_bytes());
                self.calls.extend([Call::Subscribe, Call::TryToPublish]);
            }
            Pushes::Apart(apart) => encode::subscribe(&mut apart.out, &channel),
            Pushes::None => completions.is_deaf |= self.subscription.refuse(),
        }
    }

    /// Whether the script was sent to the server already. From now on it counts as sent.
    fn knows(&mut self, script: Script) -> bool {
        self.loaded.get_mut(script.index()).is_some_and(|known| std::mem::replace(known, true))
    }

    /// Writes the waiting bytes, as far as the streams accept them.
    pub(super) fn write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.main.write(context)?;
        if let Pushes::Apart(apart) = &mut self.pushes { apart.write(context) } else { Ok(()) }
    }

    /// Reads what has come in. Requests that the server did not run go back to the front of `queue`.
    pub(super) fn read(
        &mut self,
        context: &mut Context<'_>,
        queue: &mut Unsent,
        completions: &mut Completions,
    ) -> Result<(), Fault> {
        while let Some(value) = self.main.read(context)? {
            self.take(value, queue, completions)?;
        }
        while let Pushes::Apart(apart) = &mut self.pushes {
            let Some(value) = apart.read(context)? else { break };
            match decode::as_push(value) {
                Value::Push { kind, data } => self.take_push(&kind, &data, completions)?,
                _ => completions.is_deaf |= self.subscription.refuse(),
            }
        }
        Ok(())
    }

    /// Takes one reply.
    fn take(&mut self, value: Value, queue: &mut Unsent, completions: &mut Completions) -> Result<(), Fault> {
        self.progress += 1;
        if let Value::Push { kind, data } = value {
            return self.take_push(&kind, &data, completions);
        }
        let call = self.calls.pop_front();
        match (call, value) {
            (Some(Call::Subscribe), _) => completions.is_deaf |= self.subscription.refuse(),
            (Some(Call::TryToPublish), Value::Int(1..)) => {}
            (Some(Call::TryToPublish), _) => completions.is_deaf |= self.subscription.refuse(),
            (None, _) => return Err(Fault::new(FaultKind::Unexpected, "a reply without a request")),
            (Some(Call::LeaveMarker), _) => {}
            (Some(Call::AskForMarker), value) => {
                let loaded = decode::are_loaded(&value);
                self.was_joined = loaded.first().copied().flatten();
                self.marker.look_at_others(&loaded);
            }
            // If a marker cannot be left, a missing marker proves nothing.
            (Some(Call::TryToLoad), Value::ServerError(_)) => self.was_joined = None,
            (Some(Call::TryToLoad), _) => {}
            (Some(Call::Batch(count)), value) if decode::is_unknown_script(&value) => {
                self.again(count, Script::Batch, queue, completions)
            }
            (Some(Call::Batch(count)), Value::Array(values)) if values.len() == count => {
                for (pending, value) in self.sent.drain(..count).zip(values) {
                    let reply = decode::reply(&self.prefix, &pending.request.verb, value);
                    self.answers += u64::from(is_of_use(&reply));
                    completions.answers.push((pending.answer, reply));
                }
            }
            (Some(Call::Batch(count)), value) => {
                for pending in self.sent.drain(..count) {
                    completions
                        .answers
                        .push((pending.answer, decode::reply(&self.prefix, &pending.request.verb, value.clone())));
                }
            }
            (Some(Call::One), value) => {
                let Some(PendingRequest { request: Request { verb, .. }, .. }) = self.sent.front() else {
                    return Ok(());
                };
                match encode::script_of(verb) {
                    script if decode::is_unknown_script(&value) => self.again(1, script, queue, completions),
                    _ => {
                        let mut reply = decode::reply(&self.prefix, verb, value);
                        self.answers += u64::from(is_of_use(&reply));
                        if let Reply::Reported(report) = &mut reply {
                            report.session = self.session;
                            report.was_joined = self.was_joined;
                            self.owes_marker |= report.is_joined();
                        }
                        completions.answers.extend(self.sent.pop_front().map(|pending| (pending.answer, reply)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The server forgot its scripts, so it ran nothing: the requests go out again, with the text of the script. With
    /// its scripts, the server forgot that the node was joined.
    ///
    /// A grant is not sent again if a pipeline was sent behind it: its release may be in that pipeline, and may run before
    /// it.
    fn again(&mut self, count: usize, script: Script, queue: &mut Unsent, completions: &mut Completions) {
        if let Some(known) = self.loaded.get_mut(script.index()) {
            *known = false;
        }
        self.has_left_marker = false;
        let is_followed = !self.calls.is_empty();
        for pending in self.sent.drain(..count).rev() {
            match pending.request.verb {
                Verb::Grant { .. } if is_followed => completions.fail(pending.answer, FaultKind::Withdrawn),
                _ => queue.push_front(pending),
            }
        }
    }

    /// The server sent a message without a request, or confirms a subscription.
    fn take_push(&mut self, kind: &PushKind, data: &[Value], completions: &mut Completions) -> Result<(), Fault> {
        match kind {
            PushKind::Message => completions.wakes.extend(self.wake(data)),
            PushKind::Subscribe if self.subscription.awaits() => {
                self.subscription.confirm();
                if self.calls.front() == Some(&Call::Subscribe) {
                    self.calls.pop_front();
                } else if let (Pushes::Apart(_), Some(Value::BulkString(channel))) = (&self.pushes, data.first()) {
                    completions.receives |= self.subscription.may_wait(true);
                    encode::publish_nothing(&mut self.main.out, channel);
                    self.calls.push_back(Call::TryToPublish);
                }
            }
            _ if self.unasked >= UNASKED_MAX => {
                return Err(Fault::new(
                    FaultKind::Unexpected,
                    "the server does not stop sending messages that no request asked for",
                ));
            }
            _ => self.unasked += 1,
        }
        Ok(())
    }

    fn wake(&self, data: &[Value]) -> Option<(LockerId, Resource, Duration)> {
        let [Value::BulkString(channel), Value::BulkString(message)] = data else { return None };
        let locker = self.prefix.locker_of(str::from_utf8(channel).ok()?)?;
        let (after, lock) = str::from_utf8(message).ok()?.split_once(' ')?;
        Some((locker, self.prefix.resource_of(lock)?, Duration::from_millis(after.parse().ok()?)))
    }
}

/// Whether the server did what the request asked.
const fn is_of_use(reply: &Reply) -> bool {
    !matches!(reply, Reply::Failed(_))
}
