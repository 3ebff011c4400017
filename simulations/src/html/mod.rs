//! [`Page`]: timelines as one page of HTML, which needs no network and no other file.

use serde::Serialize;

use crate::Timeline;
use crate::plan::Plan;

/// The page around the data; `replay.css` and `replay.js` are put into it.
const TEMPLATE: &str = include_str!("replay.html");
const STYLE: &str = include_str!("replay.css");
/// The scripts that draw the picture, move it, and build the page.
const SCRIPT: &str = concat!(include_str!("picture.js"), include_str!("reach.js"), include_str!("replay.js"));

/// Timelines as one page.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// What it shows.
    pub title: String,
    /// One picture each.
    pub sections: Vec<Section>,
}

/// One run on a page.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// What it shows.
    pub heading: String,
    /// The description, in paragraphs.
    pub story: Vec<String>,
    /// What must be seen, and whether it was.
    pub expectations: Vec<(String, bool)>,
    /// The command that shows it again.
    pub command: String,
    /// The seed, as it was given on the command line; numbers of this size are not exact in a browser.
    pub seed: String,
    /// The plan, as `replay --plan` reads it.
    pub plan: String,
    /// The time to live.
    pub ttl_ms: u32,
    /// A wrong protocol, if it is one.
    pub mutant: Option<String>,
    /// The picture.
    pub timeline: Timeline,
}

impl Section {
    /// A run, without a story.
    #[must_use]
    pub fn of(heading: String, seed: String, command: String, plan: &Plan, timeline: Timeline) -> Self {
        Self {
            heading,
            story: Vec::new(),
            expectations: Vec::new(),
            command,
            seed,
            plan: serde_json::to_string(plan).unwrap_or_default(),
            ttl_ms: plan.terms.ttl_ms,
            mutant: None,
            timeline,
        }
    }
}

impl Page {
    /// The page.
    #[must_use]
    pub fn render(&self) -> String {
        // Each placeholder occurs once, and inserted text is not searched again.
        let mut page = String::new();
        let mut rest = TEMPLATE;
        let parts = [
            ("@TITLE@", text(&self.title)),
            ("@STYLE@", STYLE.to_owned()),
            ("@DATA@", data(self)),
            ("@SCRIPT@", SCRIPT.to_owned()),
        ];
        for (place, part) in parts {
            let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
            page.push_str(before);
            page.push_str(&part);
            rest = after;
        }
        page + rest
    }
}

/// Text as HTML shows it.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON without any text that could end the HTML element around it.
fn data(page: &Page) -> String {
    serde_json::to_string(page)
        .unwrap_or_default()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
