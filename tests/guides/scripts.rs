//! The Node scripts in the guides, with the published clients.

use std::{env, process::Stdio};

use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    guide::{Guide, root},
    support::{PATIENCE, Server, TOKEN},
};

#[tokio::test]
async fn every_script_of_the_client_guide_runs() {
    let clients = root().join("tests/clients");
    assert!(
        clients.join("node_modules/@agent-webkit/core").exists(),
        "the published clients are not installed: `make test` does it"
    );
    let server = Server::start().await;
    let guide = Guide::read("docs/clients.md");
    let scripts: Vec<String> =
        guide.blocks().into_iter().filter(|block| block.info == "mjs").map(|block| block.body).collect();
    assert!(scripts.len() >= 3, "{} has its scripts", guide.path);
    for script in scripts {
        let mut node = Command::new("node")
            .args(["--input-type=module", "-"])
            .current_dir(&clients)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("AGENT_URL", server.url())
            .env("AGENT_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node 20 or newer runs");
        let mut stdin = node.stdin.take().expect("a pipe");
        stdin.write_all(script.as_bytes()).await.expect("Node reads its script");
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, node.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("this does not end:\n{script}")).expect("its output");
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}\n{complained}");
        for (call, promised) in script.lines().filter_map(|line| line.split_once("; // ")) {
            let kept = said.lines().any(|line| line.contains(promised.trim_start_matches('…')));
            assert!(kept || !call.starts_with("console.log"), "{promised:?} is not in {said:?}");
        }
    }
}
