//! The keys of `top`.

use std::io;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{self, Receiver};

/// How many keys may wait until they are obeyed.
const KEYS_MAX: usize = 64;

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    End,
    Lines(i32),
    Pages(i32),
    First,
    Last,
    /// Draw again: the size of the terminal may have changed.
    Nothing,
}

/// Reads keys on a thread of its own, which ends with the program: a read of a terminal cannot be cancelled.
pub(super) fn read() -> Receiver<io::Result<Event>> {
    let (sender, receiver) = mpsc::channel(KEYS_MAX);
    let reading = move || {
        loop {
            let event = event::read();
            let is_over = event.is_err();
            if sender.blocking_send(event).is_err() || is_over {
                return;
            }
        }
    };
    // Without the thread there are no keys: the channel is closed, and `top` ends.
    let _ = std::thread::Builder::new().name("keys".to_owned()).spawn(reading);
    receiver
}

pub(super) fn act(event: &Event) -> Act {
    let Event::Key(key) = event else { return Act::Nothing };
    if key.kind == KeyEventKind::Release {
        return Act::Nothing;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Act::End,
        // The terminal sends no signal in raw mode.
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Act::End,
        KeyCode::Up | KeyCode::Char('k') => Act::Lines(-1),
        KeyCode::Down | KeyCode::Char('j') => Act::Lines(1),
        KeyCode::PageUp => Act::Pages(-1),
        KeyCode::PageDown => Act::Pages(1),
        KeyCode::Home => Act::First,
        KeyCode::End => Act::Last,
        _ => Act::Nothing,
    }
}
