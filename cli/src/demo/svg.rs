//! [`Svg`]: the few shapes of the picture, as text. Colours are classes, with values for light and dark screens.

use std::fmt::{Display, Write as _};
use std::time::Duration;

/// A drawing that is being built.
pub(super) struct Svg(String);

/// The point of a text that its position names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) const WIDTH: u32 = 640;

/// The style of GitHub's pages, where the picture is shown. Every text has a contrast of 4.5 to 1 or more.
const STYLE: &str = "\
text{font:14px system-ui,sans-serif;fill:#1f2328}
.h{font-weight:600;font-size:15px}.n{font-weight:600}.d{fill:#59636e;font-size:12px}
.bad{fill:#b3261e;font-weight:600}.good{fill:#116329;font-weight:600}
.page{fill:#fff;stroke:#d1d9e0}.life{stroke:#818b98;stroke-dasharray:2 4}.way{stroke:#59636e;fill:none}
.tip{fill:#59636e}.a{fill:#0969da}.b{fill:#8250df}.node{fill:#818b98}.tick{stroke:#0969da}.rest{stroke:#59636e}
.hatch{stroke:#b3261e;stroke-width:2}.paused{fill:url(#hatch);stroke:#b3261e}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.d{fill:#9198a1}.bad{fill:#ff7b72}.good{fill:#56d364}
.page{fill:#0d1117;stroke:#3d444d}.life{stroke:#656c76}.way{stroke:#9198a1}.tip{fill:#9198a1}
.a{fill:#4493f8}.b{fill:#ab7df8}.node{fill:#656c76}.tick{stroke:#4493f8}.rest{stroke:#9198a1}
.hatch,.paused{stroke:#ff7b72}}
";

impl Svg {
    pub(super) const fn new() -> Self {
        Self(String::new())
    }

    /// The whole file. `title` and `story` are for people who cannot see it.
    pub(super) fn finish(self, height: u32, title: &str, story: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
             <title>{}</title>\n<desc>{}</desc>\n<style>\n{STYLE}</style>\n<defs>\
             <pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V7\"/></pattern>\
             <marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
             orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n{}</svg>\n",
            escaped(title),
            escaped(story),
            WIDTH - 1,
            height - 1,
            self.0
        )
    }

    pub(super) fn text(&mut self, (x, y): (u32, u32), anchor: Anchor, class: &str, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(&text.to_string());
        self.line(format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"));
    }

    /// A bar with a text for the pointer.
    pub(super) fn bar(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), class: &str, title: &str) {
        let title = escaped(title);
        self.line(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"3\">\
             <title>{title}</title></rect>"
        ));
    }

    pub(super) fn down(&mut self, (x, y): (u32, u32), height: u32, class: &str) {
        self.line(format_args!("<path class=\"{class}\" d=\"M{x} {y}v{height}\"/>"));
    }

    /// Vertical strokes of one height.
    pub(super) fn ticks(&mut self, columns: &[u32], y: u32, height: u32, class: &str) {
        let strokes: String = columns.iter().map(|x| format!("M{x} {y}v{height}")).collect();
        self.line(format_args!("<path class=\"{class}\" d=\"{strokes}\"/>"));
    }

    pub(super) fn across(&mut self, (x, y): (u32, u32), width: u32, class: &str) {
        self.line(format_args!("<path class=\"{class}\" d=\"M{x} {y}h{width}\"/>"));
    }

    pub(super) fn arrow(&mut self, from: u32, to: u32, y: u32) {
        self.line(format_args!("<path class=\"way\" marker-end=\"url(#tip)\" d=\"M{from} {y}H{to}\"/>"));
    }

    fn line(&mut self, shape: impl Display) {
        // Writing to a string never fails.
        let _ = writeln!(self.0, "{shape}");
    }
}

/// A time as it is printed.
pub(super) fn seconds(at: Duration) -> String {
    format!("{}.{:03} s", at.as_secs(), at.subsec_millis())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
