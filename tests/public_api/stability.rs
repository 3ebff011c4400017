//! How far users may rely on a name, read from the attributes of its item.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use super::syntax::source;

/// The line in the docs of a module or an item that marks its names.
pub const MARK: &str = "**Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).";

/// From the name that users may rely on most to the one that they may rely on least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stability {
    #[default]
    Stable,
    /// Marked in its docs.
    Marked,
    /// Behind the feature `unstable` or `testing`, or hidden from the docs without it.
    Gated,
}

pub fn stability(attributes: &[Attribute]) -> Stability {
    if attributes.iter().any(is_gate) {
        Stability::Gated
    } else if attributes.iter().any(|attribute| doc_line(attribute).is_some_and(|line| line.trim() == MARK)) {
        Stability::Marked
    } else {
        Stability::Stable
    }
}

fn is_gate(attribute: &Attribute) -> bool {
    let text = source(attribute);
    let names = text.contains("feature = \"unstable\"") || text.contains("feature = \"testing\"");
    names && (text.starts_with("#[cfg(feature") || text.contains("doc(hidden)"))
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    }
}
