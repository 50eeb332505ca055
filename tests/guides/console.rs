//! Shell sessions in the guides. A line that begins with `$ ` is run; the lines below it are its expected
//! output. `…` matches anything within a line or, as a whole line, any number of lines.

use std::{fmt::Write, process::Stdio};

use tokio::process::Command;

use crate::{
    guide::Guide,
    support::{PATIENCE, Server, TOKEN},
};

/// The separator between the outputs of two commands.
const END: &str = "\u{1e}";

struct Step {
    command: String,
    output: Vec<String>,
}

#[tokio::test]
async fn every_session_at_a_shell_is_as_it_is_shown() {
    let guides: Vec<Guide> =
        Guide::all().into_iter().filter(|guide| guide.text.contains("```console")).collect();
    assert!(guides.len() >= 3, "the guides have sessions at a shell");
    for guide in guides {
        let server = Server::start().await;
        let steps = steps(&guide, server.url());
        let said = run(&steps).await;
        let outputs: Vec<&str> = said.split(END).map(str::trim).collect();
        for (step, output) in steps.iter().zip(outputs) {
            let lines: Vec<&str> = output.lines().filter(|line| !line.is_empty()).collect();
            let wanted: Vec<&str> = step.output.iter().map(String::as_str).collect();
            assert!(
                fits(&wanted, &lines),
                "{}: {}\nis to give\n{}\nand gave\n{output}",
                guide.path,
                step.command,
                wanted.join("\n"),
            );
        }
    }
}

fn steps(guide: &Guide, url: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in guide.blocks().iter().filter(|block| block.info == "console") {
        let body = block.body.replace("http://127.0.0.1:8000", url).replace("\\\n", "\\\u{0}");
        for line in body.lines() {
            let line = line.replace('\u{0}', "\n");
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
                None if line.is_empty() => {}
                None => steps.last_mut().expect("a command comes first").output.push(line),
            }
        }
    }
    steps
}

/// Runs all steps in one shell. A stream is read up to the last line that the guide shows.
async fn run(steps: &[Step]) -> String {
    let mut script = String::new();
    for Step { command, output } in steps {
        if command.contains("curl -sN") {
            let last = output.iter().rfind(|line| *line != "…").expect("a stream shows something");
            let pattern: Vec<String> = last.split('…').map(|part| format!("'{part}'")).collect();
            let _ = writeln!(
                script,
                "while IFS= read -r line; do printf '%s\\n' \"$line\"; [[ $line == {} ]] && break; done < <(exec {command}); kill $! 2>/dev/null",
                pattern.join("*"),
            );
        } else {
            let _ = writeln!(script, "{command}");
        }
        let _ = writeln!(script, "printf '{END}'");
    }
    let shell = Command::new("bash")
        .args(["-c", &script])
        .env("TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, shell).await;
    let output = output.unwrap_or_else(|_| panic!("this does not end:\n{script}")).expect("bash runs");
    assert!(output.stderr.is_empty(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn fits(wanted: &[&str], lines: &[&str]) -> bool {
    match wanted {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..])),
        [line, rest @ ..] => {
            lines.split_first().is_some_and(|(first, others)| line_fits(line, first) && fits(rest, others))
        }
    }
}

/// Whether a line matches: the parts between `…` occur in order, the first at the start and the last at the
/// end.
fn line_fits(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn lines_are_compared_with_anything_in_between() {
    assert!(line_fits("a…c", "abc") && line_fits("a…", "a") && line_fits("…", ""));
    assert!(!line_fits("a…c", "abcd") && !line_fits("ab", "abc") && !line_fits("a…b…c", "acb"));
    assert!(fits(&["a", "…", "c"], &["a", "b", "b", "c"]) && fits(&["…"], &[]));
    assert!(!fits(&["a"], &["a", "b"]) && !fits(&["a", "…", "c"], &["a", "b"]));
}
