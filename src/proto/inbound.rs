//! Messages from clients, parsed and checked.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Answers, Decision, ForkOf, Invalid,
    fields::{Fields, content},
    permissions,
};

/// The body of `POST /sessions`.
///
/// ```
/// use agent_webkit::proto::CreateSession;
///
/// let body = CreateSession::parse(br#"{"model":"opus","theme":"dark"}"#)?;
/// assert_eq!(body.model.as_deref(), Some("opus"));
/// assert_eq!(CreateSession::parse(b"")?, CreateSession::default());
/// assert_eq!(CreateSession::parse(br#"{"cwd":1}"#).unwrap_err().to_string(), "cwd must be a string or null");
/// # Ok::<(), agent_webkit::proto::Invalid>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CreateSession {
    /// The model; `None` for the default.
    pub model: Option<String>,
    /// The permission mode; `None` for the default.
    pub permission_mode: Option<String>,
    /// The agent's working directory; `None` for the first workspace.
    pub cwd: Option<String>,
    /// The title in lists; `None` for the beginning of the first message.
    pub title: Option<String>,
    /// The set of the agent's options, by the operator's name for it; `None` for those of every session.
    pub profile: Option<String>,
    /// The session whose beginning is copied.
    pub fork_of: Option<ForkOf>,
    /// What the session may cost, in US dollars; `None` for the operator's limit.
    pub budget_usd: Option<f64>,
}

impl CreateSession {
    /// Parses a body. An empty body counts as `{}`; unknown fields are ignored.
    ///
    /// # Errors
    /// The body is invalid. [`Invalid::Field`] becomes a 422, the others a 400.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let fields = Fields::parse(body)?;
        Ok(Self {
            model: fields.optional_name("model")?,
            permission_mode: fields.optional_name("permission_mode")?,
            cwd: fields.optional_path("cwd")?,
            title: fields.optional_name("title")?,
            profile: fields.optional_name("profile")?,
            fork_of: fields.fork_of()?,
            budget_usd: fields.optional_usd("budget_usd")?,
        })
    }
}

/// The body of `POST /sessions/{id}/input` (`docs/protocol.md`, Messages).
///
/// ```
/// use agent_webkit::proto::Inbound;
///
/// let message = Inbound::parse(br#"{"type":"user_message","content":"hello"}"#)?;
/// assert!(matches!(message, Inbound::UserMessage { content, .. } if content.get() == r#""hello""#));
/// let error = Inbound::parse(br#"{"type":"stop_task"}"#).unwrap_err();
/// assert_eq!(error.to_string(), "task_id is missing");
/// # Ok::<(), agent_webkit::proto::Invalid>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inbound {
    /// A user's message.
    UserMessage {
        /// A JSON string or an array of content blocks, on one line.
        content: Box<RawValue>,
        /// Whether its text is for the model alone: the agent reads no file that it mentions and runs no
        /// command that it names.
        verbatim: bool,
        /// The v4 uuid that the client chose for it.
        message_uuid: Option<String>,
    },
    /// Withdraws a user's message that is queued.
    CancelMessage {
        /// The message's uuid.
        message_uuid: String,
    },
    /// Puts the files back as they were before a message.
    Rewind {
        /// The message's uuid.
        message_uuid: String,
        /// Whether to report the files only, and to change none.
        dry_run: bool,
    },
    /// Stops the running turn.
    Interrupt,
    /// The answer to a permission request.
    PermissionResponse {
        /// The prompt's id.
        correlation_id: String,
        /// [`Decision::Allow`] or [`Decision::Deny`].
        decision: Decision,
        /// Whether it comes from the page of a link. No client can say so.
        by_link: bool,
    },
    /// The answer to a question.
    QuestionResponse {
        /// The prompt's id.
        correlation_id: String,
        /// The chosen options.
        answers: Answers,
    },
    /// The answer to what an MCP server asks.
    ElicitationResponse {
        /// The prompt's id.
        correlation_id: String,
        /// `{"action":"accept"|"decline"|"cancel","content"?:{…}}`, `content` only with `accept`.
        answer: Box<RawValue>,
    },
    /// Changes the permission mode.
    SetPermissionMode {
        /// The mode.
        mode: String,
    },
    /// Changes the model.
    SetModel {
        /// The model; `None` for the default.
        model: Option<String>,
    },
    /// Stops a background task.
    StopTask {
        /// The task's id.
        task_id: String,
    },
}

impl Inbound {
    /// Parses a body.
    ///
    /// # Errors
    /// The body is invalid, which becomes a 400.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let fields = Fields::parse(body)?;
        match fields.word("type")?.as_str() {
            "user_message" => Ok(Self::UserMessage {
                content: content(fields.required("content")?)?,
                verbatim: false,
                message_uuid: fields.optional_uuid("message_uuid")?,
            }),
            "cancel_message" => Ok(Self::CancelMessage { message_uuid: fields.uuid("message_uuid")? }),
            "rewind" => Ok(Self::Rewind {
                message_uuid: fields.uuid("message_uuid")?,
                dry_run: fields.optional_bool("dry_run")?,
            }),
            "interrupt" => Ok(Self::Interrupt),
            "permission_response" => Ok(Self::PermissionResponse {
                correlation_id: fields.word("correlation_id")?,
                decision: fields.decision()?,
                by_link: false,
            }),
            "question_response" => Ok(Self::QuestionResponse {
                correlation_id: fields.word("correlation_id")?,
                answers: Answers::parse(fields.required("answers")?)?,
            }),
            "elicitation_response" => Ok(Self::ElicitationResponse {
                correlation_id: fields.word("correlation_id")?,
                answer: fields.elicitation()?,
            }),
            "set_permission_mode" => Ok(Self::SetPermissionMode { mode: fields.name("mode")? }),
            "set_model" => {
                fields.required("model")?;
                Ok(Self::SetModel { model: fields.optional_name("model")? })
            }
            "stop_task" => Ok(Self::StopTask { task_id: fields.word("task_id")? }),
            unknown => Err(Invalid::Field(format!("type {unknown:?} is not known"))),
        }
    }

    /// Returns the permission modes that this message sets, directly or through the permission updates of an
    /// approval.
    #[must_use]
    pub fn modes(&self) -> Vec<String> {
        match self {
            Self::SetPermissionMode { mode } => vec![mode.clone()],
            _ => self.updates().map(permissions::modes).unwrap_or_default(),
        }
    }

    /// Returns the directories outside its own that an approval opens to the agent.
    #[must_use]
    pub fn directories(&self) -> Vec<String> {
        self.updates().map(permissions::directories).unwrap_or_default()
    }

    /// Keeps what an approval changes to its session: no settings file that other sessions read is written.
    pub fn keep_to_session(&mut self) {
        if let Self::PermissionResponse {
            decision: Decision::Allow { updated_permissions: Some(updates), .. },
            ..
        } = self
        {
            *updates = permissions::for_this_session(updates);
        }
    }

    fn updates(&self) -> Option<&RawValue> {
        match self {
            Self::PermissionResponse { decision: Decision::Allow { updated_permissions, .. }, .. } => {
                updated_permissions.as_deref()
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::fields::MAX_NAME;

    #[test]
    fn every_mistake_is_named() {
        for (body, named) in [
            ("{", "not JSON"),
            ("\u{feff}{}", "not JSON"),
            ("[]", "must be a JSON object"),
            ("\"x\"", "must be a JSON object"),
            ("{}", "type is missing"),
            (r#"{"type":1}"#, "type must be a string"),
            (r#"{"type":"bogus"}"#, "\"bogus\" is not known"),
            (r#"{"type":"user_message"}"#, "content is missing"),
            (r#"{"type":"user_message","content":null}"#, "content must be"),
            (r#"{"type":"user_message","content":[]}"#, "content must not be empty"),
            (r#"{"type":"user_message","content":["x"]}"#, "content[0] must be an object"),
            (r#"{"type":"user_message","content":[{"type":"text"}]}"#, "content[0].text is missing"),
            (r#"{"type":"user_message","content":[{"type":"video"}]}"#, "content[0].type"),
            (r#"{"type":"user_message","content":[{"type":"image"}]}"#, "content[0].source is missing"),
            (
                r#"{"type":"user_message","content":[{"type":"image","source":{"type":"url"}}]}"#,
                "content[0].source.type",
            ),
            (r#"{"type":"user_message","content":"x","message_uuid":7}"#, "message_uuid must be a string"),
            (
                r#"{"type":"user_message","content":"x","message_uuid":"m1"}"#,
                "message_uuid must be a v4 uuid",
            ),
            (
                r#"{"type":"user_message","content":"x","message_uuid":"82015afa-a03d-1d03-833e-793f9eaa3b59"}"#,
                "message_uuid must be a v4 uuid",
            ),
            (r#"{"type":"cancel_message"}"#, "message_uuid is missing"),
            (r#"{"type":"cancel_message","message_uuid":null}"#, "message_uuid must be a v4 uuid"),
            (r#"{"type":"rewind","message_uuid":"../x"}"#, "message_uuid must be a v4 uuid"),
            (
                r#"{"type":"rewind","message_uuid":"82015afa-a03d-4d03-833e-793f9eaa3b59","dry_run":1}"#,
                "dry_run must be true or false",
            ),
            (r#"{"type":"permission_response","behavior":"allow"}"#, "correlation_id is missing"),
            (r#"{"type":"permission_response","correlation_id":"c"}"#, "behavior is missing"),
            (r#"{"type":"permission_response","correlation_id":"c","behavior":"maybe"}"#, "behavior must be"),
            (
                r#"{"type":"permission_response","correlation_id":"c","behavior":"allow","interrupt":true}"#,
                "interrupt",
            ),
            (
                r#"{"type":"permission_response","correlation_id":"c","behavior":"allow","updated_input":[]}"#,
                "updated_input must be an object",
            ),
            (
                r#"{"type":"permission_response","correlation_id":"c","behavior":"allow","updated_permissions":{}}"#,
                "updated_permissions must be an array",
            ),
            (r#"{"type":"question_response","correlation_id":"c"}"#, "answers is missing"),
            (r#"{"type":"elicitation_response","correlation_id":"c"}"#, "action is missing"),
            (r#"{"type":"elicitation_response","correlation_id":"c","action":"maybe"}"#, "action must be"),
            (
                r#"{"type":"elicitation_response","correlation_id":"c","action":"decline","content":{}}"#,
                "content",
            ),
            (
                r#"{"type":"elicitation_response","correlation_id":"c","action":"accept","content":[]}"#,
                "content",
            ),
            (r#"{"type":"set_permission_mode","mode":null}"#, "mode must be a string"),
            (r#"{"type":"set_model"}"#, "model is missing"),
            (r#"{"type":"set_model","model":7}"#, "model must be a string or null"),
            (r#"{"type":"stop_task"}"#, "task_id is missing"),
        ] {
            let error = Inbound::parse(body.as_bytes()).expect_err(body).to_string();
            assert!(error.contains(named), "{body}: {error}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_named_wherever_it_stands() {
        let allow = r#""type":"permission_response","correlation_id":"c","behavior":"allow""#;
        for (body, field) in [
            (r#""type":"user_message","content":"\ud800""#.to_owned(), "content"),
            (
                r#""type":"user_message","content":[{"type":"text","text":"x","y":["\udc00"]}]"#.to_owned(),
                "content",
            ),
            (r#""type":"\ud800""#.to_owned(), "type"),
            (r#""type":"set_model","model":"\ud800""#.to_owned(), "model"),
            (
                r#""type":"question_response","correlation_id":"c","answers":{"\ud800":"x"}"#.to_owned(),
                "answers",
            ),
            (r#""type":"permission_response","behavior":"deny","message":"\udead""#.to_owned(), "message"),
            (format!(r#"{allow},"updated_input":{{"a":"\ud800"}}"#), "updated_input"),
            (r#""type":"interrupt","\ud800":1"#.to_owned(), "the name of a member"),
            (r#""a":"\ud800","a":1"#.to_owned(), "the body"),
        ] {
            let error = Inbound::parse(format!("{{{body}}}").as_bytes()).expect_err(&body);
            assert_eq!(error, Invalid::LoneSurrogate(field.to_owned()), "{body}");
        }
        let model = CreateSession::parse(br#"{"model":"\ud800"}"#);
        assert_eq!(model, Err(Invalid::LoneSurrogate("model".into())));
        let pair = r#"{"type":"user_message","content":"\ud83e\udd80"}"#;
        assert!(Inbound::parse(pair.as_bytes()).is_ok());
    }

    #[test]
    fn every_name_is_short_and_those_for_the_agent_are_without_a_nul() {
        let allow = r#""type":"permission_response","correlation_id":"c","behavior":"allow""#;
        let wrong = ["\\u0000".to_owned(), "é".repeat(MAX_NAME / 2 + 1), "x".repeat(200_000)];
        for word in &wrong[1..] {
            for (body, field) in [
                (format!(r#""type":"{word}""#), "type"),
                (format!(r#""type":"stop_task","task_id":"{word}""#), "task_id"),
                (format!(r#""type":"question_response","correlation_id":"{word}""#), "correlation_id"),
                (format!(r#""type":"permission_response","correlation_id":"{word}""#), "correlation_id"),
                (
                    format!(r#""type":"permission_response","correlation_id":"c","behavior":"{word}""#),
                    "behavior",
                ),
            ] {
                let error = Inbound::parse(format!("{{{body}}}").as_bytes()).expect_err(&body).to_string();
                assert!(error.starts_with(&format!("{field} must not ")), "{error}");
            }
        }
        for name in &wrong {
            for (body, field) in [
                (format!(r#""type":"set_model","model":"{name}""#), "model"),
                (format!(r#""type":"set_permission_mode","mode":"{name}""#), "mode"),
                (
                    format!(r#"{allow},"updated_permissions":[7,{{"type":"setMode","mode":"{name}"}}]"#),
                    "updated_permissions[1].mode",
                ),
                (
                    format!(r#"{allow},"updated_permissions":[{{"rules":[{{"toolName":"{name}"}}]}}]"#),
                    "updated_permissions[0].rules[0].toolName",
                ),
            ] {
                let error = Inbound::parse(format!("{{{body}}}").as_bytes()).expect_err(&body).to_string();
                assert!(error.starts_with(&format!("{field} must not ")), "{error}");
            }
            let error = CreateSession::parse(format!(r#"{{"model":"{name}"}}"#).as_bytes()).unwrap_err();
            assert!(matches!(&error, Invalid::Field(text) if text.starts_with("model must not ")), "{error}");
        }
        let path = format!(r#"{{"cwd":"{}"}}"#, "x".repeat(4097));
        assert!(CreateSession::parse(path.as_bytes()).unwrap_err().to_string().contains("4096 bytes"));
        let longest = format!(r#"{{"type":"set_model","model":"{}"}}"#, "x".repeat(MAX_NAME));
        assert!(Inbound::parse(longest.as_bytes()).is_ok());
        let command =
            format!(r#"[{{"rules":[{{"toolName":"Bash","ruleContent":"{}"}}]}}]"#, "x".repeat(9000));
        assert!(Inbound::parse(format!(r#"{{{allow},"updated_permissions":{command}}}"#).as_bytes()).is_ok());
    }

    #[test]
    fn what_is_kept_is_on_one_line() {
        let body = b"{\"type\":\"permission_response\",\"correlation_id\":\"c\",\"behavior\":\"allow\",\n\
            \"updated_input\":{\n\"a\":\r\n1}}";
        let Ok(Inbound::PermissionResponse {
            decision: Decision::Allow { updated_input: Some(input), .. },
            ..
        }) = Inbound::parse(body)
        else {
            panic!("not an allow with an input");
        };
        assert_eq!(input.get(), r#"{"a":1}"#);
    }

    #[test]
    fn modes_are_found_wherever_they_hide() {
        let modes = |body: &str| Inbound::parse(body.as_bytes()).unwrap().modes();
        assert_eq!(modes(r#"{"type":"set_permission_mode","mode":"plan"}"#), ["plan"]);
        let updates = r#"[{"type":"addRules"},{"type":"setMode","mode":"bypassPermissions"},7]"#;
        let allow =
            r#"{"type":"permission_response","correlation_id":"c","behavior":"allow","updated_permissions":"#;
        assert_eq!(modes(&format!("{allow}{updates}}}")), ["bypassPermissions"]);
        assert!(modes(r#"{"type":"interrupt"}"#).is_empty());
    }

    #[test]
    fn nesting_has_a_bound() {
        let body = format!(r#"{{"type":"user_message","content":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(matches!(Inbound::parse(body.as_bytes()), Err(Invalid::NotJson(_))));
    }

    #[test]
    fn a_session_can_be_asked_for_in_many_ways() {
        assert_eq!(CreateSession::parse(b" \n").unwrap(), CreateSession::default());
        assert_eq!(CreateSession::parse(br#"{"model":null,"x":1}"#).unwrap(), CreateSession::default());
        for (body, named) in
            [(r#"{"model":1}"#, "model"), (r#"{"cwd":[]}"#, "cwd"), (r#"{"model":"\u0000"}"#, "NUL")]
        {
            let error = CreateSession::parse(body.as_bytes()).expect_err(body);
            assert!(matches!(&error, Invalid::Field(text) if text.contains(named)), "{body}: {error}");
        }
        assert_eq!(CreateSession::parse(b"[]"), Err(Invalid::NotAnObject));
    }
}
