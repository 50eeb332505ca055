//! Agents of an unprivileged user (`--agent-user`) and behind a wrapper (`--agent-wrapper`): what they can do, and what
//! they cannot reach. Only root can switch users, so these tests are skipped for anyone else.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Signal, geteuid};
use serde_json::json;

use super::{assert_nothing_left, with_background_shell};
use crate::support::{
    Builder, Script, Server, Session, TOKEN, bash, eventually,
    processes::{agent_of, matching},
    tool,
};

/// An unprivileged user that every Linux has.
const NOBODY: &str = "nobody";
const ID: u32 = 65534;

/// A text that only the server's files hold.
const SECRET: &str = "heliotrope-of-the-server";

/// Settings of a server whose agents run as nobody; `None` if this test cannot switch users.
fn as_nobody() -> Option<Builder> {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can start agents as another user");
        return None;
    }
    let builder = Server::builder();
    let above = above(&builder);
    set_mode(&above, 0o711);
    for name in ["workspace", "tmp"] {
        chown(builder.dir(name), Some(ID), Some(ID)).unwrap();
    }
    let store = format!("sqlite:{}", above.join("state/sessions.db").display());
    Some(builder.option("--agent-user", NOBODY).option("--store", store))
}

fn above(builder: &Builder) -> PathBuf {
    builder.dir("home").parent().expect("a directory above").to_owned()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The config directories in a server's state directory.
fn config_dirs(state: &Path) -> Vec<PathBuf> {
    let listed = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let is_root = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("agent-webkit-");
    listed(state).iter().filter(is_root).flat_map(|root| listed(root)).collect()
}

/// Runs a command in the agent's shell, allows it and returns its output.
async fn shell(session: &mut Session, id: &str, command: &str) -> String {
    session.say(Script::new(bash(id, command)).then("Done.")).await;
    loop {
        let frame = session.events.next().await.expect("the stream goes on");
        match frame.event.as_str() {
            "permission_request" => session.allow(&frame).await,
            "tool_result" => {
                session.until("result").await;
                return frame["output"].to_string();
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_agent_reads_nothing_of_the_server() {
    let Some(builder) = as_nobody() else { return };
    let tokens = builder.dir("home").join("tokens");
    fs::write(&tokens, format!("ada:{TOKEN}\nbob:{SECRET}\n")).unwrap();
    set_mode(&tokens, 0o600);
    let state = above(&builder).join("state");
    let server =
        builder.no_token().option("--tokens-file", &tokens).env("AGENT_WEBKIT_SECRET", SECRET).start().await;
    let client = server.client().with_token(Some(TOKEN));
    let mut session = Session::create(client, &json!({})).await;

    let identity = shell(&mut session, "toolu_id", "id -u; id -g; id -G; echo $HOME; touch made").await;
    assert!(identity.contains(r"65534\n65534\n65534\n/nonexistent"), "{identity}");
    let made = fs::metadata(server.workspace().join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (ID, ID));

    let pid = server.pid();
    let database = state.join("sessions.db");
    let mut closed: Vec<String> =
        ["environ", "mem", "maps", "fd", "root/etc/passwd"].map(|name| format!("/proc/{pid}/{name}")).into();
    closed.extend([&tokens, &state, &database].map(|path| path.display().to_string()));
    closed.extend(["-wal", "-shm"].map(|end| format!("{}{end}", database.display())));
    assert!(closed[3..].iter().all(|path| fs::metadata(path).is_ok()), "all of them exist: {closed:?}");
    let tries: Vec<_> = closed
        .iter()
        .map(|path| format!("(head -c 10 {path} || ls {path}/) >/dev/null 2>&1 && echo OPEN {path}"))
        .collect();
    let rest = format!("kill -0 {pid} && echo KILLED; ls -l /proc/self/fd; echo tried");
    let tried = shell(&mut session, "toolu_try", &format!("{}; {rest}", tries.join("; "))).await;
    assert!(tried.contains("tried") && !tried.contains("OPEN") && !tried.contains("KILLED"), "{tried}");
    assert!(!tried.contains("sessions.db"), "no open file of the server is passed on: {tried}");

    session.say(format!("@{} {}", tokens.display(), Script::text("ECHO_HISTORY"))).await;
    session.until("result").await;
    session.say(Script::new(tool("toolu_read", "Read", &json!({"file_path": tokens}))).then("Done.")).await;
    let asked = session.until("permission_request").await;
    session.allow(&asked).await;
    assert_eq!(session.until("tool_result").await["is_error"], true);
    session.until("result").await;

    let home = tokens.parent().unwrap().display();
    let links =
        format!("ln -s {home}/tokens plans/link.md; ln {home}/tokens plans/hard.md; ln -s {home} tasks");
    let plant = format!("cd $CLAUDE_CONFIG_DIR; mkdir -p plans; {links}; ls plans");
    let planted = shell(&mut session, "toolu_plant", &plant).await;
    assert!(planted.contains("link.md"), "{planted}");
    let events = session.close().await;
    assert!(events.seen.iter().all(|frame| !frame.data.to_string().contains(SECRET)));
    for end in ["", "-wal"] {
        let stored = fs::read(format!("{}{end}", database.display())).unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains(SECRET), "sessions.db{end}");
    }
    assert!(fs::read_to_string(&tokens).unwrap().contains(SECRET), "links are removed, not their targets");
}

#[tokio::test]
async fn a_link_in_the_agents_own_home_is_followed_with_their_rights_alone() {
    let Some(builder) = as_nobody() else { return };
    let (config, tokens) = (builder.dir("config"), builder.dir("home").join("tokens"));
    fs::write(&tokens, SECRET).unwrap();
    set_mode(&tokens, 0o600);
    chown(&config, Some(ID), Some(ID)).unwrap();
    let server = builder.start().await;
    // An agent can do this, too: the directory is its user's.
    symlink(&tokens, config.join("settings.json")).unwrap();
    let refused = server.client().create(&json!({})).await;
    assert!(
        refused.detail().contains("config directory cannot be created: Permission denied"),
        "{refused:?}"
    );
    fs::remove_file(config.join("settings.json")).unwrap();
    let mut session = server.session().await;
    session.turn("hello").await;
    session.close().await;
}

#[tokio::test]
async fn an_agent_of_another_user_works_sleeps_and_remembers() {
    let Some(builder) = as_nobody() else { return };
    let state = above(&builder).join("state");
    let mut server = builder.option("--hibernate-after", "1s").start().await;
    let mut session = server.session().await;
    session.turn("the secret word is vermilion").await;
    let id = session.id.clone();
    for round in 0..3 {
        if round == 2 {
            let last = session.events.last_id();
            server = server.kill().start().await;
            let client = server.client();
            let events = client.events_after(&id, last).await;
            session = Session { client, id: id.clone(), events };
        } else {
            while session.until("status").await["status"] != "hibernating" {}
        }
        eventually("the end of the agent", async || agent_of(&id).is_empty()).await;
        eventually("the end of its directory", async || config_dirs(&state).is_empty()).await;
        let plan = format!(
            "mkdir -p $CLAUDE_CONFIG_DIR/plans; cat $CLAUDE_CONFIG_DIR/plans/*; echo kept > $CLAUDE_CONFIG_DIR/plans/p.md; touch round{round}"
        );
        let plan = shell(&mut session, &format!("toolu_{round}"), &plan).await;
        assert_eq!(plan.contains("kept"), round > 0, "a kept file is stored and there again: {plan}");
        assert_eq!(fs::metadata(server.workspace().join(format!("round{round}"))).unwrap().uid(), ID);
        let [config_dir] = &config_dirs(&state)[..] else { panic!("one agent runs") };
        let found = fs::metadata(config_dir).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o777), (ID, 0o700));
        assert_eq!(fs::metadata(config_dir.parent().unwrap()).unwrap().mode() & 0o777, 0o711);
    }
    session.turn(Script::text("ECHO_HISTORY")).await;
    let answer = session.events.all("message_complete").last().expect("an answer");
    assert!(answer["message"].to_string().contains("vermilion"), "{answer:?}");
    session.close().await;
    eventually("the end of the directory", async || config_dirs(&state).is_empty()).await;
    assert!(matching(|args| args.iter().any(|arg| arg.contains(&id))).is_empty());
}

#[tokio::test]
async fn nothing_is_left_of_another_users_agent() {
    let Some(builder) = as_nobody() else { return };
    let state = above(&builder).join("state");
    // A wrapper that stays: the shell waits for the CLI.
    let wrapper = above(&builder).join("wrapper");
    fs::write(&wrapper, "#!/bin/sh\nsetpriv --no-new-privs \"$@\"\nexit $?\n").unwrap();
    set_mode(&wrapper, 0o755);
    for wrapper in [None, Some(&wrapper)] {
        let builder = builder.clone();
        let builder = match wrapper {
            Some(wrapper) => builder.option("--agent-wrapper", wrapper),
            None => builder,
        };
        let mut server = builder.start().await;
        let (mut session, length) = with_background_shell(&server).await;
        let status = shell(&mut session, "toolu_privs", "grep NoNewPrivs /proc/self/status; touch x").await;
        assert_eq!(status.contains(r"NoNewPrivs:\t1"), wrapper.is_some(), "{status}");
        let id = session.id.clone();
        session.close().await;
        assert_nothing_left(&id, length).await;

        let (session, length) = with_background_shell(&server).await;
        session.say(Script::slow(10_000, 20)).await;
        server.signal(Signal::KILL);
        server.wait(std::time::Duration::from_secs(5)).expect("a killed server is dead");
        assert_nothing_left(&session.id, length).await;
        eventually("the end of the config directories", async || config_dirs(&state).is_empty()).await;
    }
}

/// Checks that the server exits with code 2 and one sentence with these words.
async fn refuses(builder: Builder, words: &[&str]) {
    let (status, said) = builder.fails().await;
    let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("agent-webkit: ")).collect();
    let [sentence] = sentences[..] else { panic!("not one sentence: {said}") };
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(words.iter().all(|word| sentence.contains(word)), "{words:?}: {sentence}");
}

#[tokio::test]
async fn what_agents_cannot_use_is_said_at_the_start() {
    let user = |name: &str| Server::builder().option("--store", "memory").option("--agent-user", name);
    refuses(user("no-such-user"), &["there is no user no-such-user in /etc/passwd"]).await;
    let wrapper =
        |command: &str| Server::builder().option("--store", "memory").option("--agent-wrapper", command);
    refuses(wrapper(" "), &["the agent wrapper must not be empty"]).await;
    refuses(wrapper("no-such-wrapper --x"), &["no-such-wrapper cannot be executed for agents"]).await;
    refuses(wrapper("env -i"), &["the agent wrapper does not pass on the environment"]).await;
    refuses(
        wrapper("ls --no-such-option"),
        &["wrapper ls --no-such-option did not run its command", "exit status"],
    )
    .await;

    let Some(ready) = as_nobody() else { return };
    refuses(user("root"), &["must not run as root"]).await;
    refuses(
        wrapper("setpriv --reuid=65534 --clear-groups"),
        &["cannot write to their config directories", "another user"],
    )
    .await;

    let mut command = ready.command();
    command.uid(ID).gid(ID).stdin(Stdio::null());
    let output = command.output().expect("it starts and ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("agents can run as another user only if the server runs as root"), "{said}");

    // As in a container by default.
    let command = ready.command();
    let mut without = std::process::Command::new("setpriv");
    without.arg("--bounding-set=-sys_ptrace").arg(command.get_program()).args(command.get_args());
    let given = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = without.env_clear().envs(given).stdin(Stdio::null()).output().expect("it starts and ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("needs the capability CAP_SYS_PTRACE"), "{said}");

    chown(ready.dir("workspace"), Some(0), Some(0)).unwrap();
    refuses(ready.clone(), &["agents of the user nobody cannot read and write the workspace", "workspace"])
        .await;
    chown(ready.dir("workspace"), Some(ID), Some(ID)).unwrap();
    chown(ready.dir("tmp"), Some(0), Some(0)).unwrap();
    refuses(ready.clone(), &["cannot write to the temporary directory"]).await;
    chown(ready.dir("tmp"), Some(ID), Some(ID)).unwrap();
    let theirs = ready.dir("tmp").join("state");
    refuses(
        ready.clone().option("--state-dir", &theirs),
        &["could replace their config directories", "/tmp:"],
    )
    .await;

    let closed = above(&ready).join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o700);
    symlink(crate::support::claude(), closed.join("claude")).unwrap();
    refuses(ready.clone().claude(closed.join("claude")), &["cannot run the claude CLI at", "node_modules"])
        .await;
    let broken = above(&ready).join("broken");
    fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    set_mode(&broken, 0o755);
    refuses(ready.clone().claude(&broken), &["its --version failed"]).await;
    refuses(
        ready.clone().option("--state-dir", closed.join("state")),
        &["agents of the user nobody", "closed/state", "must be searchable"],
    )
    .await;
    let unread = closed.join("config");
    fs::create_dir(&unread).unwrap();
    fs::write(unread.join("settings.json"), "{}").unwrap();
    refuses(
        ready.clone().env("CLAUDE_CONFIG_DIR", &unread),
        &["with what they may read of", "closed/config", "Permission denied"],
    )
    .await;

    let server = ready.start().await;
    let below = server.workspace().join("closed");
    fs::create_dir(&below).unwrap();
    set_mode(&below, 0o700);
    let refused = server.client().create(&json!({"cwd": "closed"})).await;
    let (status, said) = (refused.status, refused.detail());
    assert!(status == 503 && said.contains("agents may not enter the working directory"), "{status} {said}");
}
