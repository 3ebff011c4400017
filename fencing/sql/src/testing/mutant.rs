//! [`Mutant`]: a wrong store, which the suite must refuse.

use redfence::{FencingToken, Resource};

use super::{Answer, FencedStore, Refusal, Session};

/// A common mistake in fences that users write themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// The token is checked and stored in one transaction; the write follows in another.
    CheckApart,
    /// The highest token is read without a lock, compared, and raised at the commit.
    NoLock,
    /// A fence expires: later transactions find none.
    TimeToLive,
    /// An equal token is stale.
    RefusesEqual,
    /// An update of no row passes.
    MissingPasses,
    /// The failure of a transaction that conflicted with another one is reported as stale.
    RetryIsStale,
    /// A commit without an answer counts as done.
    UnknownIsDone,
    /// A refusal commits the earlier writes of the batch.
    KeepsRefused,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CheckApart,
        Self::NoLock,
        Self::TimeToLive,
        Self::RefusesEqual,
        Self::MissingPasses,
        Self::RetryIsStale,
        Self::UnknownIsDone,
        Self::KeepsRefused,
    ];
}

/// `store` with one mistake.
pub struct Mutant<'a> {
    /// The store without the mistake.
    pub store: &'a dyn FencedStore,
    /// The mistake.
    pub mutation: Mutation,
}

struct Wrong<'a> {
    store: &'a dyn FencedStore,
    mutation: Mutation,
    inner: Option<Box<dyn Session + 'a>>,
    claims: Vec<(Resource, FencingToken)>,
}

impl FencedStore for Mutant<'_> {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let inner = Some(self.store.begin()?);
        Ok(Box::new(Wrong { store: self.store, mutation: self.mutation, inner, claims: Vec::new() }))
    }

    fn another_waits(&self) -> bool {
        self.store.another_waits()
    }
}

impl<'a> Wrong<'a> {
    fn inner(&mut self) -> Answer<&mut (dyn Session + 'a)> {
        self.inner.as_deref_mut().ok_or_else(|| Refusal::Failed("the session is over".to_owned()))
    }

    fn admit_wrongly(&mut self, resource: &Resource, token: FencingToken) -> Answer<()> {
        match self.mutation {
            Mutation::CheckApart => {
                let mut apart = self.store.begin()?;
                apart.admit(resource, token)?;
                apart.commit()
            }
            Mutation::NoLock => {
                self.claims.push((resource.clone(), token));
                match self.inner()?.highest(resource)? {
                    Some(highest) if highest > token => Err(Refusal::Stale { highest }),
                    _ => Ok(()),
                }
            }
            Mutation::TimeToLive => {
                let forgotten = Resource::new(format!("{}{token}", resource.slot()));
                let forgotten = forgotten.map_err(|error| Refusal::Failed(error.to_string()))?;
                self.inner()?.admit(&forgotten, token)
            }
            Mutation::RefusesEqual => match self.inner()?.highest(resource)? {
                Some(highest) if highest == token => Err(Refusal::Stale { highest }),
                _ => self.inner()?.admit(resource, token),
            },
            _ => self.inner()?.admit(resource, token),
        }
    }

    fn distort<T>(&mut self, answer: Answer<T>, token: FencingToken) -> Answer<T> {
        match (self.mutation, answer) {
            (Mutation::RetryIsStale, Err(Refusal::Retry(_))) => Err(Refusal::Stale { highest: token }),
            (Mutation::KeepsRefused, Err(refusal @ Refusal::Stale { .. })) => {
                if let Some(inner) = self.inner.take() {
                    inner.commit()?;
                }
                Err(refusal)
            }
            (_, answer) => answer,
        }
    }
}

impl Session for Wrong<'_> {
    fn admit(&mut self, resource: &Resource, token: FencingToken) -> Answer<()> {
        let answer = self.admit_wrongly(resource, token);
        self.distort(answer, token)
    }

    fn highest(&mut self, resource: &Resource) -> Answer<Option<FencingToken>> {
        self.inner()?.highest(resource)
    }

    fn write(&mut self, id: &str, value: i64) -> Answer<()> {
        self.inner()?.write(id, value)
    }

    fn read(&mut self, id: &str) -> Answer<Option<i64>> {
        self.inner()?.read(id)
    }

    fn update(&mut self, id: &str, token: FencingToken, value: i64) -> Answer<()> {
        let answer = match self.inner()?.update(id, token, value) {
            Err(Refusal::Missing) if self.mutation == Mutation::MissingPasses => Ok(()),
            answer => answer,
        };
        self.distort(answer, token)
    }

    fn delete(&mut self, id: &str) -> Answer<()> {
        self.inner()?.delete(id)
    }

    fn commit(mut self: Box<Self>) -> Answer<()> {
        for (resource, token) in std::mem::take(&mut self.claims) {
            match self.inner()?.admit(&resource, token) {
                Err(Refusal::Stale { .. }) | Ok(()) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        self.inner.take().map_or(Ok(()), |inner| inner.commit())
    }

    fn crash(mut self: Box<Self>) {
        if let Some(inner) = self.inner.take() {
            inner.crash();
        }
    }

    fn commit_unheard(mut self: Box<Self>, arrives: bool) -> Option<Answer<()>> {
        let answer = self.inner.take()?.commit_unheard(arrives)?;
        Some(match answer {
            Err(Refusal::Unknown(_)) if self.mutation == Mutation::UnknownIsDone => Ok(()),
            answer => answer,
        })
    }
}
