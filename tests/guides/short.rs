//! How many lines a newcomer writes for each thing, counted in its example.

/// The number of lines from the one that begins with `start` to the brace that closes it, without comments.
fn lines(example: &str, start: &str) -> usize {
    let from = example.find(&format!("\n{start}")).unwrap_or_else(|| panic!("no {start}"));
    let item = &example[from + 1..];
    let item = &item[..item.find("\n}").expect("a closing brace") + 2];
    item.lines().filter(|line| !line.trim_start().starts_with("//")).count()
}

/// Those of its `main`, without the lines that every `main` has.
fn body(example: &str) -> usize {
    lines(example, "async fn main") - 2
}

#[test]
fn a_newcomer_writes_few_lines() {
    let tools = include_str!("../../examples/tools.rs");
    let tool = ["#[derive(", "async fn price", "fn shop"].map(|start| lines(tools, start)).iter().sum();
    // With the line that gives it to the agent.
    let policy = lines(include_str!("../../examples/policy.rs"), "async fn decide") + 1;
    for (what, lines, most) in [
        ("a session from Rust", body(include_str!("../../examples/session.rs")), 15),
        ("a tool", tool, 15),
        ("a policy", policy, 10),
        ("a client that survives a restart", body(include_str!("../../examples/client.rs")), 15),
        ("a test without the CLI", body(include_str!("../../examples/test_without_cli.rs")), 20),
    ] {
        assert!(lines <= most, "{what} takes {lines} lines");
    }
}
