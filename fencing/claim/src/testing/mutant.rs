//! [`Mutant`]: a wrong store, which the suite must refuse.

use redfence::FencingToken;

use super::{Answer, Claimed, ClaimedStore, Delivery, Refusal};

/// A common mistake in fences that users write themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// The token is checked in a separate step; the write that follows has no condition.
    CheckApart,
    /// The fence is raised by the first write, after the read.
    ClaimsLate,
    /// A fence expires: the next claim finds none.
    TimeToLive,
    /// An equal token is stale.
    RefusesEqual,
    /// A write without a fence passes.
    MissingPasses,
    /// A refusal is reported as stale without checking whether it is about the same write.
    OwnWriteIsStale,
    /// A write without an answer counts as done.
    UnknownIsDone,
    /// A write without an answer is reported as stale.
    UnknownIsStale,
    /// A refused batch leaves its part.
    KeepsRefused,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CheckApart,
        Self::ClaimsLate,
        Self::TimeToLive,
        Self::RefusesEqual,
        Self::MissingPasses,
        Self::OwnWriteIsStale,
        Self::UnknownIsDone,
        Self::UnknownIsStale,
        Self::KeepsRefused,
    ];
}

/// `store` with one mistake.
pub struct Mutant<'a> {
    /// The store without the mistake.
    pub store: &'a dyn ClaimedStore,
    /// The mistake.
    pub mutation: Mutation,
}

struct Wrong<'a> {
    store: &'a dyn ClaimedStore,
    mutation: Mutation,
    name: String,
    token: FencingToken,
    inner: Option<Box<dyn Claimed + 'a>>,
}

impl ClaimedStore for Mutant<'_> {
    fn claim(&self, name: &str, token: FencingToken) -> Answer<Box<dyn Claimed + '_>> {
        let highest = self.store.highest(name)?;
        let inner = match self.mutation {
            Mutation::ClaimsLate => match highest {
                Some(highest) if highest > token => return Err(Refusal::Stale { highest }),
                _ => None,
            },
            Mutation::RefusesEqual if highest == Some(token) => return Err(Refusal::Stale { highest: token }),
            Mutation::TimeToLive => {
                self.store.remove_fence(name)?;
                Some(self.store.claim(name, token)?)
            }
            _ => Some(self.store.claim(name, token)?),
        };
        Ok(Box::new(Wrong { store: self.store, mutation: self.mutation, name: name.to_owned(), token, inner }))
    }

    fn highest(&self, name: &str) -> Answer<Option<FencingToken>> {
        self.store.highest(name)
    }

    fn read(&self, name: &str) -> Answer<Option<i64>> {
        self.store.read(name)
    }

    fn parts(&self, name: &str) -> Answer<usize> {
        self.store.parts(name)
    }

    fn remove_fence(&self, name: &str) -> Answer<()> {
        self.store.remove_fence(name)
    }
}

impl<'a> Wrong<'a> {
    fn inner(&mut self) -> Answer<&mut (dyn Claimed + 'a)> {
        if self.inner.is_none() {
            self.inner = Some(self.store.claim(&self.name, self.token)?);
        }
        self.inner.as_deref_mut().ok_or_else(|| Refusal::Failed("there is no claim".to_owned()))
    }

    /// A claim that passes with any token, like a write without a condition.
    fn forced(&self) -> Answer<Box<dyn Claimed + 'a>> {
        let highest = self.store.highest(&self.name)?.unwrap_or(self.token);
        self.store.claim(&self.name, highest.max(self.token))
    }

    fn distort(&mut self, answer: Answer<()>, value: i64) -> Answer<()> {
        match (self.mutation, answer) {
            (Mutation::MissingPasses, Err(Refusal::Missing)) => self.forced()?.write(value),
            (Mutation::UnknownIsDone, Err(Refusal::Unknown(_))) => Ok(()),
            (Mutation::UnknownIsStale, Err(Refusal::Unknown(_))) => Err(Refusal::Stale { highest: self.token }),
            (_, answer) => answer,
        }
    }
}

impl Claimed for Wrong<'_> {
    fn read(&mut self) -> Answer<Option<i64>> {
        match self.mutation {
            Mutation::ClaimsLate => self.store.read(&self.name),
            _ => self.inner()?.read(),
        }
    }

    fn write(&mut self, value: i64) -> Answer<()> {
        let answer = match self.mutation {
            Mutation::CheckApart => self.forced()?.write(value),
            _ => self.inner()?.write(value),
        };
        self.distort(answer, value)
    }

    fn write_batch(&mut self, value: i64) -> Answer<()> {
        let answer = self.inner()?.write_batch(value);
        if self.mutation == Mutation::KeepsRefused && matches!(answer, Err(Refusal::Stale { .. })) {
            self.forced()?.write_batch(value)?;
        }
        self.distort(answer, value)
    }

    fn delete(&mut self) -> Answer<()> {
        self.inner()?.delete()
    }

    fn again(&mut self) -> Answer<()> {
        self.inner()?.again()
    }

    fn write_unheard(&mut self, value: i64, delivery: Delivery) -> Option<Answer<()>> {
        let answer = match self.inner() {
            Ok(inner) => inner.write_unheard(value, delivery)?,
            Err(refusal) => Err(refusal),
        };
        if self.mutation == Mutation::OwnWriteIsStale && delivery == Delivery::Twice {
            return Some(Err(Refusal::Stale { highest: self.token }));
        }
        Some(self.distort(answer, value))
    }

    fn deliver(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.deliver();
        }
    }

    fn crash(mut self: Box<Self>) {
        if let Some(inner) = self.inner.take() {
            inner.crash();
        }
    }
}
