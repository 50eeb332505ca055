//! Whether the CLI has credentials for a model: the CLI itself is asked, for they may be in a variable, in its
//! settings, in a file, or come from a helper command or a cloud's switch.

use std::{process::Stdio, time::Duration};

use tokio::time::timeout;

use super::{
    Claude,
    process::{cli_process::command, tag::ProcessTag},
};

/// Maximum time for the CLI's answer. Measured: 0.4 s.
const PATIENCE: Duration = Duration::from_secs(10);

impl Claude {
    /// Asks the CLI (`claude auth status`) whether it has credentials for a model, with the environment that
    /// agents get. `None` if it does not say.
    pub async fn is_logged_in(&self) -> Option<bool> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Status {
            logged_in: bool,
        }
        let settings = self.settings();
        let asked = command(
            settings,
            &settings.program,
            &settings.environment(&ProcessTag::of_host(), &settings.options),
        )
        .args(["auth", "status"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
        let output = timeout(PATIENCE, asked).await.ok()?.ok()?;
        serde_json::from_slice(&output.stdout).ok().map(|Status { logged_in }| logged_in)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[tokio::test]
    async fn the_cli_says_whether_it_has_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let cli = folder.path().join("claude");
        for (script, expected) in [
            (r#"echo '{"loggedIn":true,"more":1}'"#, Some(true)),
            (r#"echo '{"loggedIn":false}'; exit 1"#, Some(false)),
            ("echo unknown command", None),
            (r#"[ "$1 $2 $LOGGED" = "auth status yes" ] && echo '{"loggedIn":true}'"#, Some(true)),
        ] {
            fs::write(&cli, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
            let claude = Claude::new(&cli).env("LOGGED", "yes");
            assert_eq!(claude.is_logged_in().await, expected, "{script}");
        }
        assert_eq!(Claude::new("/no/such/claude").is_logged_in().await, None);
    }
}
