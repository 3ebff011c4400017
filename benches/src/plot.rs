//! Draws figures over tasks or processes, both axes logarithmic, as SVG text.

/// One line of a plot: what it shows, and its points.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// The number of tasks or processes, and the figure.
    pub(crate) points: Vec<(f64, f64)>,
}

/// One panel of a drawing.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) heading: &'static str,
    /// The name of the lower axis.
    pub(crate) over: &'static str,
    pub(crate) series: Vec<Series>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
/// The positions of the axes; outside of them is room for texts.
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 110.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = HEIGHT - 50.0;

/// Patterns, so that lines do not differ only in colour.
const COLOURS: &[&str] = &["#555555", "#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// A logarithmic axis over whole decades.
struct Axis {
    /// Exponents of ten.
    from: i32,
    to: i32,
    /// Where they are drawn.
    at: (f64, f64),
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, at: (f64, f64)) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::NEG_INFINITY, f64::max);
        // Without points the axis has one decade.
        let (least, most) = if least <= most { (least, most) } else { (1.0, 10.0) };
        let from = least.log10().floor() as i32;
        Self { from, to: (most.log10().ceil() as i32).max(from + 1), at }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        self.at.0 + part * (self.at.1 - self.at.0)
    }

    /// Every power of ten with its position.
    fn marks(&self) -> impl Iterator<Item = (f64, f64)> {
        (self.from..=self.to).map(|exponent| 10_f64.powi(exponent)).map(|value| (value, self.place(value)))
    }
}

/// The whole drawing, one panel below the other.
pub(crate) fn svg(charts: &[Chart]) -> String {
    let height = HEIGHT * charts.len() as f64;
    let mut lines = vec![
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#333">"##
        ),
        format!(r##"<rect width="{WIDTH}" height="{height}" fill="#fff"/>"##),
    ];
    for (index, chart) in charts.iter().enumerate() {
        lines.push(format!(r#"<g transform="translate(0 {})">"#, HEIGHT * index as f64));
        lines.extend(panel(chart));
        lines.push("</g>".to_owned());
    }
    lines.push("</svg>\n".to_owned());
    lines.join("\n")
}

/// One panel. Points that are not above zero have no place on a logarithmic axis, and are left out.
fn panel(Chart { heading, over, series }: &Chart) -> Vec<String> {
    let drawn = |(x, y): &(f64, f64)| *x > 0.0 && *y > 0.0;
    let points = || series.iter().flat_map(|line| line.points.iter().copied().filter(drawn));
    let x_axis = Axis::over(points().map(|(x, _)| x), (LEFT, RIGHT));
    let y_axis = Axis::over(points().map(|(_, y)| y), (BOTTOM, TOP));
    let mut lines = vec![text((LEFT, 22.0), "start", heading)];
    for (value, x) in x_axis.marks() {
        lines.push(rule((x, TOP), (x, BOTTOM)));
        lines.push(text(
            (x, BOTTOM + 20.0),
            "middle",
            &crate::table::number(value).replace(".00", "").replace(".0", ""),
        ));
    }
    for (value, y) in y_axis.marks() {
        lines.push(rule((LEFT, y), (RIGHT, y)));
        let name = crate::table::number(value).replace(".00", "").replace(".0", "");
        lines.push(text((LEFT - 8.0, y + 4.0), "end", &name));
    }
    lines.push(text((f64::midpoint(LEFT, RIGHT), BOTTOM + 40.0), "middle", over));
    let mut names = Vec::new();
    for (line, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let places: Vec<_> = line.points.iter().filter(|point| drawn(point)).collect();
        let places: Vec<_> = places.iter().map(|(x, y)| (x_axis.place(*x), y_axis.place(*y))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        lines
            .push(format!(r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, path.join(" ")));
        for (x, y) in &places {
            lines.push(format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#));
        }
        if let Some((_, y)) = places.last() {
            names.push((*y, line.name, *colour));
        }
    }
    lines.extend(labels(names));
    lines
}

/// The names at the ends of the lines, far enough apart to be read.
fn labels(mut names: Vec<(f64, &str, &str)>) -> Vec<String> {
    const APART: f64 = 15.0;
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::NEG_INFINITY;
    let write = |(y, name, colour): (f64, &str, &str)| {
        let y = y.max(free);
        free = y + APART;
        format!(r#"<text x="{:.1}" y="{:.1}" fill="{colour}" font-weight="bold">{name}</text>"#, RIGHT + 10.0, y + 4.0)
    };
    names.into_iter().map(write).collect()
}

fn rule(from: (f64, f64), to: (f64, f64)) -> String {
    format!(r##"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#ddd"/>"##, from.0, from.1, to.0, to.1)
}

fn text((x, y): (f64, f64), anchor: &str, words: &str) -> String {
    format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_inside_and_what_is_nothing_is_left_out() {
        let series = [
            Series { name: "one", points: vec![(1.0, 2_500.0), (100.0, 40_000.0), (10_000.0, 0.0)] },
            Series { name: "two", points: vec![(1.0, 2_000.0)] },
        ];
        let chart = Chart { heading: "figures", over: "tasks", series: series.into() };
        let drawing = svg(std::slice::from_ref(&chart));
        let circles: Vec<_> = drawing.lines().filter(|line| line.starts_with("<circle")).collect();
        assert_eq!(circles.len(), 3);
        assert!(circles.iter().any(|circle| circle.contains(&format!(r#"cx="{LEFT:.1}""#))), "{circles:?}");
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
        assert!(drawing.contains(">one<") && drawing.contains(">two<") && drawing.ends_with("</svg>\n"));
        let both = svg(&[chart.clone(), chart]);
        assert!(both.contains("0 0 760 880") && both.contains("translate(0 440)"), "{both}");
        assert_eq!(both.lines().filter(|line| line.starts_with("<circle")).count(), 6);
    }

    #[test]
    fn a_decade_is_as_long_as_the_next() {
        let axis = Axis::over([3.0, 700.0].into_iter(), (0.0, 300.0));
        let places: Vec<_> = axis.marks().collect();
        assert_eq!(places, [(1.0, 0.0), (10.0, 100.0), (100.0, 200.0), (1_000.0, 300.0)]);
    }

    #[test]
    fn names_do_not_cover_each_other() {
        let labels = labels(vec![(100.0, "a", "x"), (101.0, "b", "y")]);
        assert!(labels[0].contains(r#"y="104.0""#) && labels[1].contains(r#"y="119.0""#), "{labels:?}");
    }
}
