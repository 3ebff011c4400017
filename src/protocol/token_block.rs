//! [`TokenBlock`]: the tokens of one lease.

use crate::FencingToken;

/// The tokens that one attempt drew, for sections of the same lease one after another: from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenBlock {
    /// The token of the section that is next, or has begun.
    pub first: FencingToken,
    /// The token that a quorum has sealed. The others follow from it: each node that counts drew them all.
    pub last: FencingToken,
}

impl TokenBlock {
    /// The `len` tokens up to `last`.
    #[must_use]
    pub fn up_to(last: FencingToken, len: u32) -> Self {
        let first = last.get().saturating_sub(u64::from(len.saturating_sub(1)));
        Self { first: FencingToken::new(first).unwrap_or(last), last }
    }

    /// Those after the first; `None` where it is the last.
    #[must_use]
    pub fn rest(self) -> Option<Self> {
        let first = FencingToken::new(self.first.get() + 1).ok().filter(|next| *next <= self.last)?;
        Some(Self { first, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_up_token_by_token() {
        let token = |number| FencingToken::new(number).unwrap();
        for (last, len, first) in
            [(7, 1, 7), (7, 3, 5), (7, 0, 7), (2, 9, 2), (FencingToken::MAX, 1, FencingToken::MAX)]
        {
            let mut block = Some(TokenBlock::up_to(token(last), len));
            for number in first..=last {
                let tokens = block.expect("not used up");
                assert_eq!((tokens.first, tokens.last), (token(number), token(last)));
                block = tokens.rest();
            }
            assert_eq!(block, None, "{len} tokens up to {last}");
        }
    }
}
