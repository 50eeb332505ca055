//! The agent's environment, built from an allow-list.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use crate::claude::agent_user::AgentUser;

/// Variables that any program may need: paths, locale, terminal, certificates, proxies.
const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TERM",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "IS_SANDBOX",
];

/// The prefix of the XDG base directories, which are those of one user.
const XDG: &str = "XDG_";

/// Allowed prefixes: locale, XDG base directories, and the CLI's own settings and credentials.
const PREFIXES: &[&str] = &["LC_", XDG, "ANTHROPIC_", "CLAUDE_"];

/// Variables that the CLI sets for its children. A CLI that finds them assumes that it runs inside another
/// CLI.
const NESTING: &[&str] = &[
    "CLAUDE_PID",
    "CLAUDE_EFFORT",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_SESSION_",
    "CLAUDE_CODE_CHILD_",
    "CLAUDE_CODE_MESSAGING_",
];

/// Prefixes of a cloud's credentials, by the variable that makes the CLI use that cloud.
const CLOUDS: &[(&str, &[&str])] = &[
    ("CLAUDE_CODE_USE_BEDROCK", &["AWS_"]),
    ("CLAUDE_CODE_USE_VERTEX", &["GOOGLE_", "CLOUD_ML_", "VERTEX_"]),
];

/// The server's own settings and secrets. Never passed to an agent, even if `passed` names them.
const OWN: &[&str] = &["AGENT_WEBKIT_", "DATABASE_URL"];

/// Environment variables, sorted.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// Filters the `host`'s environment for an agent: keeps the allow-list and the names in `passed`.
pub(crate) fn inherit(host: impl Iterator<Item = (OsString, OsString)>, passed: &[OsString]) -> Environment {
    let host: Environment = host.collect();
    let clouds: Vec<&str> = CLOUDS
        .iter()
        .filter(|(switch, _)| host.contains_key(OsStr::new(switch)))
        .flat_map(|(_, prefixes)| prefixes.iter().copied())
        .collect();
    host.into_iter().filter(|(name, _)| allowed(name, &clouds, passed)).collect()
}

/// Makes it the environment of this user: its name and home, and no directories of the server's user.
pub(crate) fn belong_to(user: &AgentUser, environment: &mut Environment, passed: &[OsString]) {
    environment.retain(|name, _| passed.contains(name) || !name.to_string_lossy().starts_with(XDG));
    environment.insert("HOME".into(), user.home().into());
    for name in ["USER", "LOGNAME"] {
        environment.insert(name.into(), user.name().into());
    }
}

fn allowed(name: &OsStr, clouds: &[&str], passed: &[OsString]) -> bool {
    // Our lists are UTF-8, so another name can match only `passed`.
    let listed = |name: &str| {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        NAMES.contains(&name) || (begins(PREFIXES) && !begins(NESTING)) || begins(clouds)
    };
    !is_own(name) && (passed.iter().any(|passed| passed == name) || name.to_str().is_some_and(listed))
}

/// Whether this is one of the server's own variables.
pub(crate) fn is_own(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    OWN.iter().any(|own| name.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited(host: &[&str], passed: &[&str]) -> Vec<String> {
        let host = host.iter().map(|name| (OsString::from(name), OsString::from("x")));
        let passed: Vec<OsString> = passed.iter().map(OsString::from).collect();
        inherit(host, &passed).into_keys().map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn only_what_is_listed_or_passed_gets_through() {
        let host = [
            "PATH",
            "LC_ALL",
            "ANTHROPIC_API_KEY",
            "CLAUDE_CONFIG_DIR",
            "MY_SECRET",
            "MY_TOOL",
            "LD_PRELOAD",
        ];
        assert_eq!(
            inherited(&host, &["MY_TOOL", "ABSENT"]),
            ["ANTHROPIC_API_KEY", "CLAUDE_CONFIG_DIR", "LC_ALL", "MY_TOOL", "PATH"]
        );
    }

    #[test]
    fn another_users_environment_has_its_own_home() {
        let host = ["HOME", "XDG_RUNTIME_DIR", "XDG_DATA_DIRS", "PATH"];
        let passed = [OsString::from("XDG_DATA_DIRS")];
        let mut environment = inherit(host.iter().map(|name| (name.into(), "x".into())), &passed);
        belong_to(&AgentUser::new("ada", 1001, 1001, "/home/ada"), &mut environment, &passed);
        let shown: Vec<_> = environment.iter().map(|(name, value)| (name.to_str(), value.to_str())).collect();
        let ada = [
            ("HOME", "/home/ada"),
            ("LOGNAME", "ada"),
            ("PATH", "x"),
            ("USER", "ada"),
            ("XDG_DATA_DIRS", "x"),
        ];
        assert_eq!(shown, ada.map(|(name, value)| (Some(name), Some(value))));
    }

    #[test]
    fn the_servers_own_secrets_are_never_passed() {
        let own = ["AGENT_WEBKIT_AUTH_TOKEN", "AGENT_WEBKIT_TOKEN", "DATABASE_URL"];
        assert!(inherited(&own, &own).is_empty());
    }

    #[test]
    fn an_agent_does_not_believe_it_is_nested() {
        let host = [
            "CLAUDECODE",
            "CLAUDE_PID",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_CODE_CHILD_SESSION",
            "CLAUDE_CODE_ENTRYPOINT",
            "CLAUDE_CODE_MESSAGING_TOKEN",
            "CLAUDE_CODE_SSE_PORT",
            "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        ];
        assert_eq!(inherited(&host, &[]), ["CLAUDE_CODE_MAX_OUTPUT_TOKENS"]);
    }

    #[test]
    fn cloud_credentials_follow_their_switch() {
        assert!(inherited(&["AWS_SECRET_ACCESS_KEY"], &[]).is_empty());
        assert_eq!(
            inherited(&["AWS_SECRET_ACCESS_KEY", "CLAUDE_CODE_USE_BEDROCK", "GOOGLE_X"], &[]).len(),
            2
        );
    }
}
