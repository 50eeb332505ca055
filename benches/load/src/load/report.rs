//! The table of the results.

use std::{fmt::Write, fs, path::Path, process::Command};

use super::{
    first,
    picture::{Bar, Chart, svg},
    plan::Server,
    target::Failure,
};

#[derive(Default)]
pub struct Report {
    /// In the order in which the tests ran.
    rows: Vec<Row>,
}

struct Row {
    test: &'static str,
    figure: &'static str,
    /// By server, in the order in which they ran.
    values: Vec<(&'static str, Vec<f64>)>,
}

impl Report {
    pub fn note(&mut self, test: &'static str, figure: &'static str, server: &'static str, value: f64) {
        let known = self.rows.iter().position(|row| (row.test, row.figure) == (test, figure));
        let at = known.unwrap_or_else(|| {
            self.rows.push(Row { test, figure, values: Vec::new() });
            self.rows.len() - 1
        });
        let values = &mut self.rows[at].values;
        match values.iter_mut().find(|(name, _)| *name == server) {
            Some((_, values)) => values.push(value),
            None => values.push((server, vec![value])),
        }
    }

    /// Medians, ranges and, if `copy` or the bare CLI was measured, the ratio to it.
    pub fn table(&self) -> String {
        let mut table =
            String::from("| test | figure | server | median | range | ratio |\n|---|---|---|--:|--:|--:|\n");
        for row in &self.rows {
            let Row { test, figure, values } = row;
            let limit = row.limit();
            for (server, values) in values {
                let middle = median(values);
                let ratio = limit.map_or(String::new(), |limit| format!("{:.2}", middle / limit));
                let (least, most) = range(values);
                let (middle, least, most) = (short(middle), short(least), short(most));
                let _ = writeln!(
                    table,
                    "| {test} | {figure} | {server} | {middle} | {least} – {most} | {ratio} |"
                );
            }
        }
        table
    }

    /// The figures of more than one server: those with `copy` or the bare CLI among them, or the others.
    fn picture(&self, is_compared: bool) -> String {
        let several = self.rows.iter().filter(|row| row.values.len() > 1);
        let charts = several.filter(|row| row.limit().is_some() == is_compared).map(|row| {
            let bars = row.values.iter().map(|(server, values)| {
                let ((least, most), median) = (range(values), median(values));
                Bar { server, label: short(median), median, least, most }
            });
            Chart { title: format!("{}: {}", row.test, row.figure), bars: bars.collect() }
        });
        svg(&charts.collect::<Vec<_>>())
    }

    /// Writes the table as a page, with a description of the machine, and the pictures beside it.
    pub fn write(&self, place: &str, rounds: usize) -> Result<(), Failure> {
        let cpus = fs::read_to_string("/proc/cpuinfo")?;
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let model = model.trim_start_matches([' ', '\t', ':']);
        let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
        let kernel = output("uname", "-sr")?;
        let date = output("date", "-u +%F")?;
        let compiler = output("rustc", "--version")?;
        let page = format!(
            "# Results\n\n\
             Made by `make bench` on {date}: {cores} × {model}, {kernel}, {compiler}; {rounds} interleaved rounds, \
             the server alone on one core and the load on the other. `load/README.md` describes the tests.\n\n\
             ![Ours beside bare hyper, axum and the bare CLI](pictures/compared.svg)\n\n\
             ![Ours in its forms](pictures/ours.svg)\n\n{}",
            self.table()
        );
        fs::write(place, page)?;
        let pictures = Path::new(place).with_file_name("pictures");
        fs::create_dir_all(&pictures)?;
        fs::write(pictures.join("compared.svg"), self.picture(true))?;
        fs::write(pictures.join("ours.svg"), self.picture(false))?;
        Ok(())
    }
}

impl Row {
    /// The median of what the others are compared with.
    fn limit(&self) -> Option<f64> {
        let limit = self.values.iter().find(|(name, _)| [Server::Copy.name(), first::BARE].contains(name));
        limit.map(|(_, values)| median(values))
    }
}

fn output(program: &str, arguments: &str) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments.split(' ')).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(*value), most.max(*value)))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn short(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.0} k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
