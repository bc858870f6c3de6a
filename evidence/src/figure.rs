//! A line chart as SVG that can be read in black and white: a dash and a marker for every series.

use std::fmt::Write as _;

/// One line.
pub struct Series {
    /// Its name.
    pub name: String,
    /// Values in percent, one a category; NaN leaves a gap.
    pub values: Vec<f64>,
}

const WIDTH: f64 = 740.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 226.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 50.0;
const DASHES: [&str; 7] = ["", "7 4", "2 3", "10 3 2 3", "14 4", "4 2", "1 5"];
const GREYS: [&str; 7] = ["#000", "#333", "#333", "#555", "#555", "#777", "#777"];

/// Rates in percent over categories, with a line at the nominal rate.
pub fn lines(
    title: &str,
    x_title: &str,
    categories: &[String],
    series: &[Series],
    nominal: f64,
    top: f64,
) -> String {
    let x = |i: usize| LEFT + (WIDTH - LEFT - RIGHT) * (i as f64 + 0.5) / categories.len() as f64;
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value.min(top) / top;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n"
    );
    let right = WIDTH - RIGHT;
    let step = if top > 30.0 { 10.0 } else { 5.0 };
    let mut tick = 0.0;
    while tick <= top {
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"#ddd\"/><text x=\"{1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{tick}%</text>",
            y(tick),
            LEFT - 8.0,
            y(tick) + 4.0
        );
        tick += step;
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"#000\" stroke-width=\"2\" opacity=\".35\"/>",
        y(nominal)
    );
    for (i, category) in categories.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{category}</text>",
            x(i),
            HEIGHT - BOTTOM + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{x_title}</text>",
        0.5 * (LEFT + right),
        HEIGHT - 12.0
    );
    for (s, line) in series.iter().enumerate() {
        let (dash, grey) = (DASHES[s % DASHES.len()], GREYS[s % GREYS.len()]);
        let points: Vec<String> = line
            .values
            .iter()
            .enumerate()
            .filter(|(_, v)| v.is_finite())
            .map(|(i, v)| format!("{:.1},{:.1}", x(i), y(*v)))
            .collect();
        let stroke =
            format!("fill=\"none\" stroke=\"{grey}\" stroke-width=\"1.8\" stroke-dasharray=\"{dash}\"");
        let _ = writeln!(svg, "<polyline points=\"{}\" {stroke}/>", points.join(" "));
        for (i, value) in line.values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            svg.push_str(&marker(s, x(i), y(*value), grey));
        }
        let place = TOP + 20.0 * s as f64;
        let (from, to) = (right + 14.0, right + 50.0);
        let _ = writeln!(svg, "<line x1=\"{from}\" x2=\"{to}\" y1=\"{place}\" y2=\"{place}\" {stroke}/>");
        svg.push_str(&marker(s, 0.5 * (from + to), place, grey));
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", to + 8.0, place + 4.0, line.name);
    }
    svg.push_str("</svg>\n");
    svg
}

fn marker(series: usize, x: f64, y: f64, colour: &str) -> String {
    let fill = if series.is_multiple_of(2) { colour } else { "#fff" };
    let pen = format!("fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.4\"");
    match series % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" {pen}/>\n"),
        1 => format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\" {pen}/>\n", x - 3.5, y - 3.5),
        2 => format!("<path d=\"M{:.1} {:.1} l4.5 8 h-9 z\" {pen}/>\n", x, y - 5.0),
        _ => format!("<path d=\"M{:.1} {:.1} l4.5 4.5 l-4.5 4.5 l-4.5 -4.5 z\" {pen}/>\n", x, y - 4.5),
    }
}
