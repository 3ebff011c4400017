//! Words that hide who acts.

/// Comments and pages name the actor: a task, a process, a node, a holder, a waiter.
pub(crate) const UNNAMED_ACTORS: &[&str] = &[
    "whoever",
    "somebody",
    "anybody",
    "everybody",
    "nobody",
    "those who",
    "one that waits",
    "is told",
    "are told",
    "was told",
    "to be had",
    "for ever",
];

/// Whether `words` stand in `text`, in any case and not as a part of longer words.
pub(crate) fn has_words(text: &str, words: &str) -> bool {
    let text = format!(" {} ", text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " "));
    text.contains(&format!(" {words} "))
}
