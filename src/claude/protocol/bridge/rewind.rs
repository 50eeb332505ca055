//! Rewinds of files, and the withdrawal of messages that wait in the CLI's own queue.
//!
//! Measured: `rewind_files` lists the files that it would change only in a dry run, so each rewind begins with one.

use super::{Asked, Bridge};
use crate::{
    claude::protocol::{
        encode::Request,
        wire::{Members, Text},
    },
    proto::AgentEvent,
};

/// A request of the session that the CLI answers in steps.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The files that a rewind would change.
    Files { message_uuid: String, dry_run: bool },
    /// The rewind of these files.
    Rewind { files: Vec<String> },
    /// The withdrawal of a message.
    Cancel { message_uuid: String },
}

impl Bridge {
    pub(super) fn rewind(&mut self, request: u64, message_uuid: String, dry_run: bool) {
        let ask = Request::RewindFiles { user_message_id: &message_uuid.clone(), dry_run: true };
        self.ask(Asked::Step { request, step: Step::Files { message_uuid, dry_run } }, ask);
    }

    pub(super) fn cancel_message(&mut self, request: u64, message_uuid: String) {
        let ask = Request::CancelAsyncMessage { message_uuid: &message_uuid.clone() };
        self.ask(Asked::Step { request, step: Step::Cancel { message_uuid } }, ask);
    }

    pub(super) fn stepped(&mut self, request: u64, step: Step, answer: Result<Members<'_>, String>) {
        let outcome = match answer {
            Ok(answer) => self.step(request, step, &answer),
            Err(words) => Err(words),
        };
        if let Err(words) = outcome {
            self.events.push_back(AgentEvent::Answer { request, outcome: Err(words) });
        }
    }

    fn step(&mut self, request: u64, step: Step, answer: &Members<'_>) -> Result<(), String> {
        match step {
            Step::Cancel { message_uuid } => {
                if !answer.read("cancelled").unwrap_or(false) {
                    return Err("the message runs or has run".to_owned());
                }
                self.messages.retain(|message| message.uuid != message_uuid);
                self.transcribed.not_sent(&message_uuid);
                self.events.push_back(AgentEvent::Answer { request, outcome: Ok(()) });
            }
            Step::Files { message_uuid, dry_run } => {
                rewindable(answer)?;
                let files: Vec<Text<'_>> = answer.read("filesChanged").unwrap_or_default();
                let files = files.into_iter().map(|Text(file)| file.into_owned()).collect();
                if dry_run {
                    self.events.push_back(AgentEvent::FilesRewound { request, files });
                } else {
                    let ask = Request::RewindFiles { user_message_id: &message_uuid, dry_run: false };
                    self.ask(Asked::Step { request, step: Step::Rewind { files } }, ask);
                }
            }
            Step::Rewind { files } => {
                rewindable(answer)?;
                self.events.push_back(AgentEvent::FilesRewound { request, files });
            }
        }
        Ok(())
    }
}

fn rewindable(answer: &Members<'_>) -> Result<(), String> {
    if answer.read("canRewind").unwrap_or(false) {
        return Ok(());
    }
    Err(answer.text("error").unwrap_or("the agent cannot rewind to this message".into()).into_owned())
}
