//! The results as a picture: a bar for each server's median, and a line for the range of its rounds.

use std::fmt::Write;

/// A figure of a test.
pub struct Chart<'a> {
    pub title: String,
    pub bars: Vec<Bar<'a>>,
}

pub struct Bar<'a> {
    pub server: &'a str,
    /// The value as the table shows it.
    pub label: String,
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

const WIDTH: f64 = 480.0;
const COLUMNS: usize = 2;
const NAMES: f64 = 130.0;
const LENGTH: f64 = 230.0;
const BAR: f64 = 20.0;
const TITLE: f64 = 26.0;
const GAP: f64 = 18.0;

/// An SVG of these charts, in two columns. Bars of one chart share a scale; each chart has its own.
pub fn svg(charts: &[Chart<'_>]) -> String {
    let (mut shapes, mut top) = (String::new(), GAP);
    for row in charts.chunks(COLUMNS) {
        for (column, chart) in row.iter().enumerate() {
            draw(&mut shapes, chart, GAP + column as f64 * WIDTH, top);
        }
        let bars = row.iter().map(|chart| chart.bars.len()).max().unwrap_or_default();
        top += TITLE + bars as f64 * BAR + GAP;
    }
    let width = COLUMNS as f64 * WIDTH + GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{top}\" viewBox=\"0 0 {width} {top}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{shapes}</svg>\n"
    )
}

fn draw(shapes: &mut String, chart: &Chart<'_>, left: f64, top: f64) {
    let most = chart.bars.iter().map(|bar| bar.most).fold(f64::MIN_POSITIVE, f64::max);
    let scale = LENGTH / most;
    let _ = writeln!(
        shapes,
        "<text x=\"{left}\" y=\"{:.0}\" font-weight=\"bold\" fill=\"#222\">{}</text>",
        top + 14.0,
        chart.title
    );
    for (at, bar) in chart.bars.iter().enumerate() {
        let y = top + TITLE + at as f64 * BAR;
        let (start, middle) = (left + NAMES, y + BAR / 2.0);
        let of = |value: f64| start + value.max(0.0) * scale;
        let _ = writeln!(
            shapes,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#222\">{}</text>\
             <rect x=\"{start}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>\
             <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"#222\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#222\">{}</text>",
            start - 6.0,
            middle + 4.0,
            bar.server,
            y + 2.0,
            (bar.median.max(0.0) * scale).max(1.0),
            BAR - 4.0,
            colour(bar.server),
            of(bar.least),
            of(bar.most),
            of(bar.most) + 6.0,
            middle + 4.0,
            bar.label,
        );
    }
}

/// Ours and what it is compared with.
fn colour(server: &str) -> &'static str {
    match server {
        "copy" | "bare CLI" => "#b8bec6",
        "axum" => "#e3a35c",
        _ => "#5b8def",
    }
}
