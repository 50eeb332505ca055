//! Hooks of the agent that run in this process.

use std::fmt;

use serde_json::{Value, json};
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

use crate::tools::server::Caller;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// When the agent calls a hook. The names are the CLI's own, whose documentation describes the inputs and outputs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum HookEvent {
            $($(#[$doc])* $name,)*
        }

        impl HookEvent {
            /// All events.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The CLI's name of the event.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

events! {
    /// A tool is about to be called. The output may allow, deny or change the call.
    PreToolUse,
    /// A tool call has succeeded.
    PostToolUse,
    /// A tool call has failed.
    PostToolUseFailure,
    /// All calls of a message have ended.
    PostToolBatch,
    /// The agent notifies the user.
    Notification,
    /// A message of the user has come.
    UserPromptSubmit,
    /// A slash command becomes a prompt.
    UserPromptExpansion,
    /// A session has started or was resumed.
    SessionStart,
    /// The session's process ends.
    SessionEnd,
    /// The agent is about to end its turn.
    Stop,
    /// A turn ends because of an error of the API.
    StopFailure,
    /// A sub-agent has started.
    SubagentStart,
    /// A sub-agent is about to end.
    SubagentStop,
    /// The conversation is about to be shortened.
    PreCompact,
    /// The conversation was shortened.
    PostCompact,
    /// The model is about to change.
    PreModelSwitch,
    /// The model has changed.
    PostModelSwitch,
    /// The agent is about to ask for a permission.
    PermissionRequest,
    /// A permission was denied.
    PermissionDenied,
    /// The agent sets up a repository.
    Setup,
    /// An agent of a team has nothing to do.
    TeammateIdle,
    /// A task was created.
    TaskCreated,
    /// A task was completed.
    TaskCompleted,
    /// An MCP server asks the user.
    Elicitation,
    /// The user has answered an MCP server.
    ElicitationResult,
    /// A settings file has changed.
    ConfigChange,
    /// A worktree is needed.
    WorktreeCreate,
    /// A worktree is no longer needed.
    WorktreeRemove,
    /// A file of instructions was loaded.
    InstructionsLoaded,
    /// The working directory has changed.
    CwdChanged,
    /// A watched file has changed.
    FileChanged,
    /// A directory was added to the session.
    DirectoryAdded,
    /// A message is about to be shown.
    MessageDisplay,
    /// A skill is about to run a shell command.
    PreSkillShellCommand,
}

/// A call of a hook.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HookCall {
    /// The event.
    pub event: HookEvent,
    /// The id of the session.
    pub session_id: String,
    /// The owner of the session: the principal that created it. `None` if authentication is off, or if the agent was
    /// started before its session.
    pub principal: Option<String>,
    /// What the CLI reports to the hook.
    pub input: Value,
    /// The tool call that the event is about, if it is about one.
    pub tool_use_id: Option<String>,
}

/// What a hook answers.
#[derive(Clone, Debug, PartialEq)]
pub struct HookOutput(pub(super) Option<Value>);

impl HookOutput {
    /// Changes nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self(Some(json!({})))
    }

    /// An output in the CLI's form, such as `{"hookSpecificOutput": {"hookEventName": "PreToolUse",
    /// "permissionDecision": "deny", "permissionDecisionReason": "…"}}`.
    #[must_use]
    pub const fn json(output: Value) -> Self {
        Self(Some(output))
    }

    /// Leaves the decision to clients: they get a `hook_decision_request`.
    #[must_use]
    pub const fn ask_clients() -> Self {
        Self(None)
    }
}

/// A hook with when it is called.
#[derive(Clone)]
pub(super) struct Hook {
    pub(super) event: HookEvent,
    pub(super) matcher: Option<String>,
    service: BoxCloneSyncService<HookCall, HookOutput, BoxError>,
}

impl Hook {
    pub(super) fn new<S>(event: HookEvent, matcher: Option<&str>, service: S) -> Self
    where
        S: Service<HookCall, Response = HookOutput, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let service = BoxCloneSyncService::new(service.map_err(Into::into));
        Self { event, matcher: matcher.map(str::to_owned), service }
    }

    /// Calls the hook. One that fails changes nothing.
    pub(super) async fn call(self, caller: Caller, input: Value, tool_use_id: Option<String>) -> HookOutput {
        let (event, session_id) = (self.event, caller.session_id.as_ref().into());
        let call = HookCall { event, session_id, principal: caller.owner(), input, tool_use_id };
        self.service.oneshot(call).await.unwrap_or_else(|error| {
            tracing::warn!(hook = event.as_str(), error = %error, "a hook failed");
            HookOutput::nothing()
        })
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("event", &self.event)
            .field("matcher", &self.matcher)
            .finish_non_exhaustive()
    }
}
