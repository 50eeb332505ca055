//! The conversation: events to the screen, lines to the session.

use std::io::Write;

use agent_webkit::{
    client::{Error, HttpService, Item, Session},
    proto::client::{ClientMessage, ServerEvent},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin},
    signal::unix::Signal,
};

use super::{
    prompts::{Prompts, Step},
    screen::{Screen, printable},
    sender::{Report, Sender},
    sentence,
};

/// Talks until the person leaves or the session ends.
pub(super) async fn talk(session: &Session<impl HttpService>, mut interrupts: Signal) -> Result<(), Error> {
    let mut events = session.events();
    let mut talk = Talk::new(Sender::of(session));
    let mut lines = BufReader::new(stdin()).lines();
    while !talk.has_ended(events.last_seq()) {
        tokio::select! {
            item = events.next() => match item {
                Some(item) => talk.take(item?),
                None => return Ok(()),
            },
            line = next(&mut lines), if !talk.input_ended => talk.line(line),
            Some(report) = talk.sender.report() => talk.report(report),
            Some(()) = interrupts.recv() => talk.stop(),
        }
    }
    Ok(())
}

/// `None` at the end of the input, and if it cannot be read.
async fn next(lines: &mut Lines<BufReader<Stdin>>) -> Option<String> {
    lines.next_line().await.ok().flatten()
}

struct Talk {
    sender: Sender,
    screen: Screen,
    prompts: Prompts,
    /// The prompt that was asked last.
    asked: Option<String>,
    /// Whether the replay is over. Before that a prompt may have been answered long ago.
    live: bool,
    /// Whether Ctrl-C was pressed since the last line.
    stopped: bool,
    left: bool,
    input_ended: bool,
    /// After the end of the input: the last event of the last turn.
    last_wanted: Option<u64>,
}

impl Talk {
    fn new(sender: Sender) -> Self {
        Self {
            sender,
            screen: Screen::default(),
            prompts: Prompts::default(),
            asked: None,
            live: false,
            stopped: false,
            left: false,
            input_ended: false,
            last_wanted: None,
        }
    }

    fn has_ended(&self, read: Option<u64>) -> bool {
        self.left || self.last_wanted.is_some_and(|wanted| read >= Some(wanted))
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Event(numbered) => {
                print(&self.screen.show(&numbered.event));
                self.prompts.take(&numbered.event);
                if self.input_ended && matches!(numbered.event, ServerEvent::Result(_)) {
                    self.sender.describe();
                }
            }
            Item::State(state) => {
                self.prompts.set(&state.pending);
                self.live = true;
            }
            Item::Reset(_) => {
                self.screen.forget();
                self.note("The server no longer has the events that follow; this is what it has:");
            }
            Item::Reconnecting { reason, after } => {
                self.live = false;
                let seconds = after.as_secs_f32();
                self.note(&format!("{}; connecting again in {seconds:.1} s", sentence(&reason)));
            }
            _ => {}
        }
        self.ask();
    }

    /// Asks the first prompt, once.
    fn ask(&mut self) {
        let first = self.prompts.first().map(str::to_owned);
        if self.live && self.asked != first {
            if let Some(question) = self.prompts.question() {
                print(&self.screen.line(&question));
            }
            self.asked = first;
        }
    }

    fn line(&mut self, line: Option<String>) {
        self.stopped = false;
        let Some(line) = line else {
            self.input_ended = true;
            return self.sender.describe();
        };
        let answer = if self.asked.is_some() { self.prompts.answer(&line) } else { None };
        match answer {
            Some(Step::Answer(message)) => self.sender.send(message),
            Some(Step::Ask(question)) => print(&self.screen.line(&question)),
            None if line.trim().is_empty() => {}
            None => self.sender.send(ClientMessage::say(line)),
        }
        self.ask();
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Refused(error) => {
                self.note(&sentence(&error));
                // A prompt whose answer was refused may still be open.
                self.sender.describe();
            }
            Report::Described(state) => {
                let pending = state.more.get("pending").and_then(Value::as_array);
                self.prompts.set(pending.map_or(&[], Vec::as_slice));
                if self.input_ended && state.more.get("status").is_some_and(|status| status == "idle") {
                    self.last_wanted = Some(state.as_of_seq);
                }
            }
        }
        self.ask();
    }

    fn stop(&mut self) {
        if self.stopped {
            self.left = true;
            return;
        }
        self.stopped = true;
        self.sender.send(ClientMessage::Interrupt);
        self.note("Interrupted. Ctrl-C again leaves.");
    }

    /// A line on standard error, which is not of the conversation.
    fn note(&mut self, text: &str) {
        print(&self.screen.end_line());
        eprintln!("{}", printable(text));
    }
}

fn print(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}
