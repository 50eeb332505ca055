//! The table of the results.

use std::{fmt::Write, fs, process::Command};

use super::{first, plan::Server, target::Failure};

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
        for Row { test, figure, values } in &self.rows {
            let limit = values.iter().find(|(name, _)| [Server::Copy.name(), first::BARE].contains(name));
            let limit = limit.map(|(_, values)| median(values));
            for (server, values) in values {
                let middle = median(values);
                let ratio = limit.map_or(String::new(), |limit| format!("{:.2}", middle / limit));
                let (least, most) =
                    values.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
                let (middle, least, most) = (short(middle), short(least), short(most));
                let _ = writeln!(
                    table,
                    "| {test} | {figure} | {server} | {middle} | {least} – {most} | {ratio} |"
                );
            }
        }
        table
    }

    /// Writes the table as a page, with a description of the machine.
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
             the server alone on one core and the load on the other. `load/README.md` describes the tests.\n\n{}",
            self.table()
        );
        fs::write(place, page)?;
        Ok(())
    }
}

fn output(program: &str, arguments: &str) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments.split(' ')).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
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
